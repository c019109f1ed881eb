package provider_test

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/provider"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

const keyType = "ostraka_shard_key"

func newKeyWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 3, nil)
	w.apply(t, nil, minimal(prototest.Config{"sharding_method": "custom", "replication_factor": 2}))
	w.cluster.Log()
	return w
}

func eu(extra prototest.Config) prototest.Config {
	config := prototest.Config{"collection": "docs", "key": "eu"}
	for key, value := range extra {
		config[key] = value
	}
	return config
}

func TestAShardKeyIsCreatedWithTheCollectionsNumbersOrItsOwn(t *testing.T) {
	w := newKeyWorld(t)
	r := w.applyOf(t, keyType, nil, eu(nil))
	for path, want := range map[string]string{"shards_number": "1", "replication_factor": "2", "placement": "null", "key_number": "null"} {
		if got := prototest.Get(r.State, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	w.mustBeSettledOf(t, keyType, r, eu(nil))
	own := prototest.Config{"collection": "docs", "key_number": 7, "shards_number": 2, "replication_factor": 1, "placement": []any{1002, 1003}}
	w.mustBeSettledOf(t, keyType, w.applyOf(t, keyType, nil, own), own)
	collection := minimal(prototest.Config{"sharding_method": "custom", "replication_factor": 2})
	imported, diags := w.Import(t, collectionType, "docs")
	wantEqual(t, "errors", diags.Errors(), nil)
	w.mustBeSettled(t, imported, collection)
	wantEqual(t, "log", w.cluster.Log(), []string{"key docs eu0", "key docs 7"})
	for id, want := range map[string]string{"docs/eu": "eu", "docs/7": "null"} {
		r, diags := w.Import(t, keyType, id)
		wantEqual(t, "errors", diags.Errors(), nil)
		if got := prototest.Get(r.State, "key"); got != want {
			t.Errorf("%s: the key is %s", id, got)
		}
	}
	byIdentity, diags := w.ImportIdentity(t, keyType, map[string]string{"collection": "docs", "key": "eu"})
	wantEqual(t, "errors", diags.Errors(), nil)
	wantEqual(t, "import by identity differs in", prototest.Diff(r.State, byIdentity.State), nil)
	for _, bad := range []string{"docs", "docs/", "/eu"} {
		_, diags := w.Import(t, keyType, bad)
		wantOne(t, bad, diags.Errors(), "COLLECTION/KEY")
	}
}

func TestAKeyChangesInPlaceWhereTheClusterCanDoIt(t *testing.T) {
	w := newKeyWorld(t)
	r := w.applyOf(t, keyType, nil, eu(nil))
	w.cluster.Log()
	for _, shards := range []int{3, 2} {
		r = w.applyOf(t, keyType, r, eu(prototest.Config{"shards_number": shards}))
		w.mustBeSettledOf(t, keyType, r, eu(prototest.Config{"shards_number": shards}))
	}
	wantEqual(t, "log", w.cluster.Log(), []string{"reshard docs/eu0 1->3", "reshard docs/eu0 3->2"})
	for path, config := range map[string]prototest.Config{
		"collection": {"collection": "other", "key": "eu"}, "key": {"collection": "docs", "key": "us"},
	} {
		wantEqual(t, "replaced because of", w.Plan(t, keyType, r, config).Replace, []string{path})
	}
	for _, method := range []string{"Reshard", "UpdateShardKey"} {
		w.cluster.Inject(fakecluster.Fault{Method: "Cluster/" + method, Err: status.Error(codes.Unimplemented, "not built")})
	}
	for path, c := range map[string]struct {
		config prototest.Config
		why    string
	}{
		"shards_number":      {prototest.Config{"shards_number": 5}, "cannot cut shards anew"},
		"replication_factor": {prototest.Config{"shards_number": 2, "replication_factor": 3}, "cannot change the number of a shard key's replicas"},
		"placement":          {prototest.Config{"shards_number": 2, "placement": []any{1001}}, "cannot move a shard key"},
	} {
		w.restart(t, nil)
		plan := w.Plan(t, keyType, r, eu(c.config))
		wantEqual(t, "replaced by old nodes because of", plan.Replace, []string{path})
		wantOne(t, "warnings", plan.Diagnostics.Warnings(), c.why)
	}
}

func TestReplicasAndPlacementOfAKeyChangeInPlace(t *testing.T) {
	w := newKeyWorld(t)
	r := w.applyOf(t, keyType, nil, eu(prototest.Config{"placement": []any{1001, 1002}}))
	w.cluster.Log()
	for _, step := range []prototest.Config{
		{"replication_factor": 2, "placement": []any{1002, 1003}},
		{"replication_factor": 3},
		{"replication_factor": 1, "placement": []any{1003}, "shards_number": 2},
		{"placement": []any{1003}, "shards_number": 2},
	} {
		r = w.applyOf(t, keyType, r, eu(step))
		w.mustBeSettledOf(t, keyType, r, eu(step))
	}
	wantEqual(t, "log", w.cluster.Log(), []string{"update docs/eu0 on [1002 1003]", "update docs/eu0 replicas 2->3 on []",
		"update docs/eu0 replicas 3->1 on [1003]", "reshard docs/eu0 1->2"})
	w.restart(t, nil)
	plan := w.Plan(t, keyType, r, eu(prototest.Config{"replication_factor": 3, "shards_number": 3}))
	wantOne(t, "warnings", plan.Diagnostics.Warnings(), "docs/eu: it is placed elsewhere, 1 -> 3 replicas, 2 -> 3 shards", "4.0 GiB", "(at shards_number)")
	if asked := w.cluster.Planned(); asked.GetReplicationFactor() != 3 || asked.GetShardNumber() != 3 || asked.Placement == nil || len(asked.GetPlacement().GetPeers()) > 0 {
		t.Errorf("asked for %v", asked)
	}
	w.restart(t, nil)
	plan = w.Plan(t, keyType, r, eu(prototest.Config{"replication_factor": 4, "shards_number": 2, "placement": []any{1003}}))
	wantOne(t, "errors", plan.Diagnostics.Errors(), "3 peers are alive", "(at replication_factor)")
}

// A number of replicas that is left out is the collection's, which may change in the same apply.
func TestAKeyThatFollowsTheCollectionIsChangedWithIt(t *testing.T) {
	w := newKeyWorld(t)
	r := w.applyOf(t, keyType, nil, eu(nil))
	plan := w.Plan(t, keyType, r, eu(prototest.Config{"shards_number": 2}))
	w.cluster.KeyReplicas("docs", "eu", 3)
	r, said := w.Apply(t, plan)
	wantEqual(t, "errors", said.Errors(), nil)
	if got := prototest.Get(r.State, "replication_factor"); got != "3" {
		t.Errorf("replication_factor is %s", got)
	}
}

func TestAChangeOfAKeysCopiesThatRunsOutOfTimeIsJoined(t *testing.T) {
	w := newKeyWorld(t)
	r := w.applyOf(t, keyType, nil, eu(nil))
	r = w.joined(t, r, prototest.Config{"replication_factor": 2, "placement": []any{1003, 1002}}, "placement", "is to go", "joins it")
	w.joined(t, r, prototest.Config{"replication_factor": 3}, "replication_factor", "3 replicas declared, 2 active")
}

// joined changes a key while nothing moves, until time runs out with an error: of the attribute the next plan says that it is not
// reached, and once things move the next apply joins what is under way.
func (w *world) joined(t *testing.T, r *prototest.Resource, change prototest.Config, attribute string, failure ...string) *prototest.Resource {
	t.Helper()
	w.cluster.Freeze(true)
	after := eu(change)
	r = w.cutShort(t, keyType, r, after, failure...)
	wantEqual(t, "what is left", keep(w.Plan(t, keyType, r, after).Changes(), attribute), []string{attribute})
	w.cluster.Freeze(false)
	r = w.applyOf(t, keyType, r, after)
	w.mustBeSettledOf(t, keyType, r, after)
	return r
}

func TestAChangeOfAKeyThatWasCutShortIsTakenBack(t *testing.T) {
	w := newKeyWorld(t)
	own := prototest.Config{"shards_number": 1, "replication_factor": 1, "placement": []any{1002, 1003}}
	before := eu(own)
	r := w.applyOf(t, keyType, nil, before)
	for attribute, c := range map[string]struct {
		to   any
		left string
	}{
		"shards_number":      {4, "4 shards are declared, there are 1"},
		"replication_factor": {2, "2 replicas are declared, there are 1"},
	} {
		w.cluster.Log()
		w.cluster.Freeze(true)
		after := eu(own)
		after[attribute] = c.to
		r = w.cutShort(t, keyType, r, after)
		if got := prototest.Get(r.State, "unfinished"); got != c.left {
			t.Errorf("unfinished: %s", got)
		}
		wantEqual(t, "changes", w.Plan(t, keyType, r, before).Changes(), []string{"unfinished"})
		w.cluster.Freeze(false)
		r = w.applyOf(t, keyType, r, before)
		if log := w.cluster.Log(); len(log) != 2 {
			t.Errorf("it was not taken back: %q", log)
		}
		w.mustBeSettledOf(t, keyType, r, before)
	}
}

func TestThePlanOfAKeyIsPutToTheCluster(t *testing.T) {
	w := newKeyWorld(t)
	own := eu(prototest.Config{"shards_number": 2, "replication_factor": 4, "placement": []any{1003, 1002}})
	w.cluster.Find(
		&clusterpb.PlanFinding{Severity: clusterpb.PlanFinding_ERROR, Code: "refused", Text: "too many shards", Field: "shard_number"},
		&clusterpb.PlanFinding{Severity: clusterpb.PlanFinding_WARNING, Code: "disk_too_small", Text: "node-2 is full"},
		&clusterpb.PlanFinding{Severity: clusterpb.PlanFinding_ERROR, Code: "refused", Text: "no such key", Field: "shard_key"},
	)
	plan := w.Plan(t, keyType, w.None(keyType), own)
	wantOne(t, "errors", keep(plan.Diagnostics.Errors(), "too many shards"), "Refused", "(at shards_number)", `plan_checks = "warn"`)
	wantOne(t, "errors", keep(plan.Diagnostics.Errors(), "exceed"), "3 peers are alive", "(at replication_factor)")
	wantOne(t, "errors", keep(plan.Diagnostics.Errors(), "no such key"), "Refused")
	wantOne(t, "warnings", plan.Diagnostics.Warnings(), "Disk too small", "node-2 is full")
	asked := w.cluster.Planned()
	if asked.GetCollection() != "docs" || asked.GetShardKey().GetKeyword() != "eu" || asked.GetShardNumber() != 2 || asked.GetReplicationFactor() != 4 ||
		!slices.Equal(slices.Sorted(slices.Values(asked.GetPlacement().GetPeers())), []uint64{1002, 1003}) {
		t.Errorf("asked for %v", asked)
	}
	w.restart(t, prototest.Config{"plan_checks": "off"})
	wantEqual(t, "errors without checks", w.Plan(t, keyType, w.None(keyType), own).Diagnostics.Errors(), nil)
	w.restart(t, nil)
	w.cluster.Find()
	elsewhere := prototest.Config{"collection": "yet to come", "key": "eu"}
	w.cluster.Inject(fakecluster.Fault{Method: "Cluster/GetPlan", Err: status.Error(codes.NotFound, "no such collection"), Times: 1})
	if said := w.Plan(t, keyType, w.None(keyType), elsewhere).Diagnostics; len(said) > 0 {
		t.Errorf("a plan with a collection that is yet to come: %v", said)
	}
	r := w.applyOf(t, keyType, nil, eu(nil))
	if asked := w.cluster.Planned(); asked.ShardNumber != nil || asked.ReplicationFactor != nil || asked.Placement != nil {
		t.Errorf("what is left to the cluster is asked for: %v", asked)
	}
	plan = w.Plan(t, keyType, r, eu(prototest.Config{"shards_number": 3}))
	wantOne(t, "warnings of a cut", plan.Diagnostics.Warnings(), "docs/eu: 1 -> 3 shards", "(at shards_number)")
	if asked := w.cluster.Planned(); asked.GetShardNumber() != 3 || asked.ReplicationFactor != nil {
		t.Errorf("asked for %v", asked)
	}
	w.cluster.Inject(fakecluster.Fault{Method: "Cluster/GetPlan", Err: status.Error(codes.PermissionDenied, "who are you")})
	w.restart(t, nil)
	wantOne(t, "warnings", w.Plan(t, keyType, r, eu(prototest.Config{"shards_number": 2})).Diagnostics.Warnings(), "could not be asked")
}

func TestAReshardOfAKeyThatRunsOutOfTimeIsJoined(t *testing.T) {
	w := newKeyWorld(t)
	w.joined(t, w.applyOf(t, keyType, nil, eu(nil)), prototest.Config{"shards_number": 4}, "shards_number", "1 -> 4 shards", "joins it")
}

func TestDeletingAKeyWithPoints(t *testing.T) {
	w := newKeyWorld(t)
	protected := eu(prototest.Config{"deletion_protection": true})
	r := w.applyOf(t, keyType, nil, protected)
	wantEqual(t, "errors without points", w.Plan(t, keyType, r, nil).Diagnostics.Errors(), nil)
	stale := w.Plan(t, keyType, r, nil)
	w.cluster.Points(5)
	wantOne(t, "destroy", w.Plan(t, keyType, r, nil).Diagnostics.Errors(), "holds 5 points", "(at deletion_protection)")
	moved := prototest.Config{"collection": "docs", "key": "us", "deletion_protection": true}
	wantOne(t, "replace", w.Plan(t, keyType, r, moved).Diagnostics.Errors(), "would replace")
	_, diags := w.Apply(t, stale)
	wantOne(t, "a plan that is older than the points", diags.Errors(), "holds 5 points")
	r = w.applyOf(t, keyType, r, eu(nil))
	plan := w.Plan(t, keyType, r, nil)
	wantOne(t, "warnings", plan.Diagnostics.Warnings(), "5 points")
	w.applyOf(t, keyType, r, nil)
}

func TestAKeyThatIsGoneOrForeignOrImpossible(t *testing.T) {
	w := newKeyWorld(t)
	r := w.applyOf(t, keyType, nil, eu(nil))
	_, diags := w.Apply(t, w.Plan(t, keyType, w.None(keyType), eu(nil)))
	wantOne(t, "foreign", diags.Errors(), "terraform import ostraka_shard_key.RESOURCE docs/eu")
	for _, code := range []codes.Code{codes.Unavailable, codes.PermissionDenied} {
		w.cluster.Inject(fakecluster.Fault{Method: "Collections/ListShardKeys", Err: status.Error(code, "injected")})
		if out, diags := w.Refresh(t, keyType, r); len(diags.Errors()) != 1 || !out.Exists() {
			t.Errorf("%s: errors %q, in the state: %t", code, diags.Errors(), out.Exists())
		}
		w.cluster.Heal()
	}
	w.cluster.DropKey("docs", "eu")
	if gone := w.refreshOf(t, keyType, r); gone.Exists() {
		t.Error("a key that is gone is still in the state")
	}
	_, diags = w.Apply(t, w.Plan(t, keyType, r, nil))
	wantEqual(t, "errors of deleting what is gone", diags.Errors(), nil)
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/CreateShardKey", Err: errLost, After: true, Times: 1})
	w.mustBeSettledOf(t, keyType, w.applyOf(t, keyType, nil, eu(nil)), eu(nil))
	w.cluster.Drop("docs")
	_, diags = w.Apply(t, w.Plan(t, keyType, w.None(keyType), eu(nil)))
	wantOne(t, "no collection", diags.Errors(), "(at collection)")

	bare := &world{Provider: prototest.New(t, provider.New("test"))}
	both := eu(prototest.Config{"key_number": 3})
	if errs := bare.Validate(t, keyType, both).Errors(); len(errs) == 0 {
		t.Error("a word and a number at once are accepted")
	}
	wantOne(t, "neither", bare.Validate(t, keyType, prototest.Config{"collection": "docs"}).Errors(), "key")
}
