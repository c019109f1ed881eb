package provider_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"

	"github.com/ostraka/terraform-provider-ostraka/provider"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

func newWorldOf(t *testing.T, cluster *fakecluster.Cluster) *world {
	t.Helper()
	w := &world{cluster: cluster, Provider: prototest.New(t, provider.New("test"))}
	w.configure(t, nil)
	return w
}

// Nodes that foresee nothing are asked for their peers instead.
func TestMoreReplicasThanLivingPeers(t *testing.T) {
	config := minimal(prototest.Config{"replication_factor": 3})
	for _, foresees := range []bool{true, false} {
		for checks, c := range map[string]struct{ errors, warnings int }{"error": {1, 0}, "warn": {0, 1}, "off": {0, 0}} {
			w := newWorld(t, 3, prototest.Config{"plan_checks": checks})
			w.cluster.SetAlive(2)
			if !foresees {
				w.cluster.Inject(fakecluster.Fault{Method: "Cluster/GetPlan", Err: status.Error(codes.Unimplemented, "not built")})
			}
			plan := w.Plan(t, collectionType, w.None(collectionType), config)
			errs, warnings := plan.Diagnostics.Errors(), plan.Diagnostics.Warnings()
			if len(errs) != c.errors || len(warnings) != c.warnings {
				t.Errorf("%s: errors %q, warnings %q", checks, errs, warnings)
			}
			for _, text := range append(errs, warnings...) {
				if !strings.Contains(text, "3 replicas of each shard") || !strings.Contains(text, "2 peers are alive") ||
					!strings.Contains(text, "(at replication_factor)") {
					t.Errorf("%s: %s", checks, text)
				}
			}
		}
	}
}

func TestAPlanTellsWhatMovesAndWhatFollowsFromIt(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 2, "replication_factor": 2, "write_consistency": "quorum"}))
	plan := w.Plan(t, collectionType, r, minimal(prototest.Config{"shard_number": 4, "replication_factor": 3, "write_consistency": "quorum"}))
	wantOne(t, "warnings", plan.Diagnostics.Warnings(), "2 -> 3 replicas, 2 -> 4 shards", "2 steps; about 2.0 GiB", "about 10s",
		"1 peer may fail and writes go on: 3 - 1 = 2 still hold a write", "4 shards cannot be spread evenly over 3 peers; 3 or 6 can", "(at shard_number)")
	again := w.Plan(t, collectionType, r, minimal(prototest.Config{"shard_number": 4, "replication_factor": 3, "write_consistency": "quorum"}))
	wantEqual(t, "warnings of a second plan", again.Diagnostics.Warnings(), nil)
	w.restart(t, nil)
	unrelated := w.Plan(t, collectionType, r, minimal(prototest.Config{"shard_number": 2, "replication_factor": 2, "write_consistency": "quorum", "on_disk_payload": false}))
	wantEqual(t, "warnings of an unrelated plan", unrelated.Diagnostics.Warnings(), nil)
}

func TestFindingsOfTheClusterStandAtTheirAttributes(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 2, "replication_factor": 2}))
	w.cluster.Find(
		&clusterpb.PlanFinding{Severity: clusterpb.PlanFinding_ERROR, Code: "disk_too_small", Text: "the disks are too small", Field: "shard_number"},
		&clusterpb.PlanFinding{Severity: clusterpb.PlanFinding_WARNING, Code: "two_voters", Text: "two peers vote"},
		&clusterpb.PlanFinding{Severity: clusterpb.PlanFinding_INFO, Code: "single_copy", Text: "never mind"},
	)
	plan := w.Plan(t, collectionType, r, minimal(prototest.Config{"shard_number": 4, "replication_factor": 2}))
	wantOne(t, "errors", plan.Diagnostics.Errors(), "Disk too small", "the disks are too small. To let such a plan pass", `plan_checks = "warn"`, "(at shard_number)")
	wantOne(t, "warnings", keep(plan.Diagnostics.Warnings(), "Two voters"), "two peers vote")
	wantEqual(t, "infos", keep(plan.Diagnostics.Warnings(), "never mind"), nil)
	w.restart(t, prototest.Config{"plan_checks": "warn"})
	plan = w.Plan(t, collectionType, r, minimal(prototest.Config{"shard_number": 4, "replication_factor": 2}))
	wantEqual(t, "errors", plan.Diagnostics.Errors(), nil)
	wantOne(t, "warnings", keep(plan.Diagnostics.Warnings(), "Disk too small"), "(at shard_number)")
}

// TestLostWritesBlockOnlyWhatNeedsWrites: fewer copies for a write to count, more copies, and healing are what brings them back.
func TestLostWritesBlockOnlyWhatNeedsWrites(t *testing.T) {
	w := newWorld(t, 3, nil)
	config := prototest.Config{"shard_number": 2, "replication_factor": 2, "write_consistency": "strong", "heal": true}
	r := w.apply(t, nil, minimal(config))
	w.cluster.Find(&clusterpb.PlanFinding{Severity: clusterpb.PlanFinding_ERROR, Code: "quorum_unreachable", Text: "no writes: bring the peers back"})
	for name, c := range map[string]struct {
		change prototest.Config
		errors int
	}{
		"a lower consistency": {prototest.Config{"write_consistency": "weak"}, 0},
		"a copy more":         {prototest.Config{"replication_factor": 3}, 0},
		"more shards":         {prototest.Config{"shard_number": 4}, 1},
	} {
		w.restart(t, nil)
		changed := minimal(config)
		for attribute, value := range c.change {
			changed[attribute] = value
		}
		plan := w.Plan(t, collectionType, r, changed)
		errors, warnings := keep(plan.Diagnostics.Errors(), "no writes"), keep(plan.Diagnostics.Warnings(), "no writes")
		if len(errors) != c.errors || len(errors)+len(warnings) != 1 {
			t.Errorf("%s: errors %q, warnings %q", name, errors, warnings)
		}
	}
	w.restart(t, nil)
	w.cluster.SetAlive(2)
	w.cluster.Freeze(true)
	r = w.refresh(t, r)
	plan := w.Plan(t, collectionType, r, minimal(config))
	wantEqual(t, "changes by healing", plan.Changes(), []string{"replication_factor", "unfinished"})
	wantEqual(t, "errors of healing", plan.Diagnostics.Errors(), nil)
}

func TestAPlanOfACollectionWithShardKeysIsAskedForAsSuch(t *testing.T) {
	w := newWorld(t, 3, nil)
	for method, custom := range map[string]bool{"custom": true, "auto": false} {
		w.Plan(t, collectionType, w.None(collectionType), minimal(prototest.Config{"sharding_method": method}))
		if asked := w.cluster.Planned(); asked == nil || asked.GetCustomSharding() != custom {
			t.Errorf("%s: asked for %v", method, asked)
		}
	}
}

func TestMissingCopiesAreToldOfAndWithHealAreAChange(t *testing.T) {
	w := newWorld(t, 3, nil)
	config := minimal(prototest.Config{"shard_number": 2, "replication_factor": 3})
	r := w.apply(t, nil, config)
	w.cluster.SetAlive(2)
	w.cluster.Freeze(true)
	seen := w.refresh(t, r)
	plan := w.Plan(t, collectionType, seen, config)
	wantEqual(t, "changes", plan.Changes(), nil)
	wantOne(t, "warnings", plan.Diagnostics.Warnings(), "Copies are missing", "shard 0: 3 replicas declared, 2 active", "heal = true", "(at replication_factor)")

	config["heal"] = true
	r, diags := w.Apply(t, w.Plan(t, collectionType, seen, config))
	wantOne(t, "errors of the apply that is the first to heal", diags.Errors(), "cannot be made", "2 peers are alive")
	r = w.refresh(t, r)
	if got := prototest.Get(r.State, "replication_factor"); got != "2" {
		t.Errorf("replication_factor is shown as %s, 2 copies are alive", got)
	}
	plan = w.Plan(t, collectionType, r, config)
	wantEqual(t, "changes", plan.Changes(), []string{"heal", "replication_factor", "unfinished"})
	_, diags = w.Apply(t, plan)
	wantOne(t, "errors while too few peers are there", diags.Errors(), "cannot be made", "2 peers are alive")

	w.cluster.SetAlive(3)
	w.cluster.Freeze(false)
	w.mustBeSettled(t, w.apply(t, r, config), config)
}

func TestTooFewPeersAreAcceptedWithAWarningWhenChecksAreOff(t *testing.T) {
	w := newWorld(t, 2, prototest.Config{"plan_checks": "off"})
	config := minimal(prototest.Config{"replication_factor": 3, "shard_number": 1})
	r, diags := w.Apply(t, w.Plan(t, collectionType, w.None(collectionType), config))
	wantEqual(t, "errors", diags.Errors(), nil)
	wantOne(t, "warnings", diags.Warnings(), "under-replicated", "2 peers are alive", "shard 0: 3 replicas declared, 2 active")
	w.mustBeSettled(t, r, config)
}

func TestADeadPeerDoesNotBlockUnrelatedChanges(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"replication_factor": 3}))
	w.cluster.SetAlive(1)
	w.apply(t, r, minimal(prototest.Config{"replication_factor": 3, "on_disk_payload": false}))
	plan := w.Plan(t, collectionType, r, minimal(prototest.Config{"replication_factor": 2}))
	wantEqual(t, "errors of a shrinking", plan.Diagnostics.Errors(), nil)
	bigger := minimal(prototest.Config{"replication_factor": 3, "sharding_method": "custom"})
	wantOne(t, "errors of a replacement", w.Plan(t, collectionType, r, bigger).Diagnostics.Errors(), "1 peer is alive")
	wantOne(t, "warnings of a shrinking", keep(plan.Diagnostics.Warnings(), "Replicas exceed"), "1 peer is alive")
}

func TestOneReplicaIsWarnedOfOncePerCollectionAndOnlyWhenItChanges(t *testing.T) {
	w := newWorld(t, 3, nil)
	plan := w.Plan(t, collectionType, w.None(collectionType), minimal(nil))
	wantOne(t, "warnings", plan.Diagnostics.Warnings(), "A lost node loses its data", "(at replication_factor)")
	again := w.Plan(t, collectionType, w.None(collectionType), minimal(nil))
	wantEqual(t, "warnings of a second plan", again.Diagnostics.Warnings(), nil)
	r, _ := w.Apply(t, again)
	w.restart(t, nil)
	unchanged := w.Plan(t, collectionType, r, minimal(nil))
	wantEqual(t, "warnings of an unchanged plan", unchanged.Diagnostics.Warnings(), nil)
	safe := w.Plan(t, collectionType, r, minimal(prototest.Config{"replication_factor": 2}))
	wantEqual(t, "warnings for two replicas", keep(safe.Diagnostics.Warnings(), "loses its data"), nil)
}

// A thousand collections must not be asked for one by one in each plan.
func TestManyCollectionsAreLookedAtTogether(t *testing.T) {
	w := newWorld(t, 3, nil)
	var all []*prototest.Resource
	config := func(i int) prototest.Config {
		return minimal(prototest.Config{"name": fmt.Sprintf("c%d", i), "shard_number": 2, "replication_factor": 2})
	}
	for i := range 30 {
		all = append(all, w.apply(t, nil, config(i)))
	}
	w.restart(t, nil)
	w.cluster.SetAlive(2)
	w.cluster.Freeze(true)
	asked := 0
	w.cluster.Inject(fakecluster.Fault{Method: "Cluster/GetPlacement", Do: func() { asked++ }})
	warned := 0
	for i, r := range all {
		warned += len(keep(w.Plan(t, collectionType, r, config(i)).Diagnostics.Warnings(), "Copies are missing"))
	}
	if asked > 10 || warned == 0 {
		t.Errorf("asked %d times for 30 collections, warned of %d", asked, warned)
	}
}

// A port on which somebody listens and never answers: the worst kind of unreachable.
func TestAnUnreachableClusterIsOneWarningAndNeverAnotherPlan(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	config := minimal(prototest.Config{"replication_factor": 2})
	reached := newWorld(t, 3, nil)
	want := reached.Plan(t, collectionType, reached.None(collectionType), config)

	p := prototest.New(t, provider.New("test"))
	wantEqual(t, "configure", p.Configure(t, prototest.Config{"endpoints": []any{silent.Addr().String()}}).Errors(), nil)
	plan := p.Plan(t, collectionType, p.None(collectionType), config)
	wantEqual(t, "errors", plan.Diagnostics.Errors(), nil)
	wantOne(t, "warnings", plan.Diagnostics.Warnings(), "could not be asked")
	wantEqual(t, "plans differ in", prototest.Diff(want.Planned, plan.Planned), nil)
	config["name"] = "other"
	second := p.Plan(t, collectionType, p.None(collectionType), config)
	wantEqual(t, "warnings of another collection", second.Diagnostics.Warnings(), nil)
}

func TestAPlainQdrantIsManagedWithoutPlacement(t *testing.T) {
	cluster, err := fakecluster.OpenPlain(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w := newWorldOf(t, cluster)
	config := minimal(prototest.Config{"replication_factor": 1, "metadata": prototest.Config{"a": "b"}})
	plan := w.Plan(t, collectionType, w.None(collectionType), config)
	wantOne(t, "warnings", keep(plan.Diagnostics.Warnings(), "plain Qdrant"), "not checked")
	r, diags := w.Apply(t, plan)
	wantEqual(t, "errors", diags.Errors(), nil)
	config["on_disk_payload"] = false
	w.mustBeSettled(t, w.apply(t, r, config), config)
	_, diags = w.ReadData(t, "ostraka_cluster", nil)
	wantOne(t, "data source", diags.Errors(), "Not an Ostraka cluster")
}

func TestSettingsThatAreNotManagedAreToldOnce(t *testing.T) {
	w := newWorld(t, 1, nil)
	r := w.apply(t, nil, minimal(nil))
	w.cluster.Edit("docs", func(c *qdrant.CollectionConfig) {
		c.StrictModeConfig = &qdrant.StrictModeConfig{MaxResidentMemoryPercent: qdrant.PtrOf(uint32(80))}
	})
	_, diags := w.Refresh(t, collectionType, r)
	wantOne(t, "warnings", diags.Warnings(), "max_resident_memory_percent")
	_, diags = w.Refresh(t, collectionType, r)
	wantEqual(t, "warnings of a second refresh", diags.Warnings(), nil)
}
