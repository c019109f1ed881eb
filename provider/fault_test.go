package provider_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

var errLost = status.Error(codes.Unavailable, "the connection broke")

func TestALostReplyOfACreationIsLookedAfter(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Create", Err: errLost, After: true, Times: 1})
	r := w.apply(t, nil, minimal(nil))
	wantEqual(t, "log", w.cluster.Log(), []string{"create docs"})
	w.mustBeSettled(t, r, minimal(nil))
}

func TestACreationThatDidNotArriveIsRepeated(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Create", Err: errLost, Times: 2})
	w.apply(t, nil, minimal(nil))
	wantEqual(t, "log", w.cluster.Log(), []string{"create docs"})
}

func TestACollectionThatSomebodyElseMadeMeanwhileIsNotTaken(t *testing.T) {
	w := newWorld(t, 1, nil)
	theirs := minimal(prototest.Config{"on_disk_payload": false})
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Create", Err: errLost, Times: 1, Do: func() {
		other := newWorldOf(t, w.cluster)
		other.apply(t, nil, theirs)
	}})
	plan := w.Plan(t, collectionType, w.None(collectionType), minimal(nil))
	out, diags := w.Apply(t, plan)
	wantOne(t, "errors", diags.Errors(), "another configuration appeared meanwhile")
	if out.Exists() {
		t.Error("the foreign collection is in the state")
	}
}

func TestARefusedCreationLeavesNothingInTheState(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Create", Err: status.Error(codes.InvalidArgument, "Wrong input: no")})
	plan := w.Plan(t, collectionType, w.None(collectionType), minimal(nil))
	out, diags := w.Apply(t, plan)
	wantOne(t, "errors", diags.Errors(), "Wrong input: no")
	if out.Exists() {
		t.Error("a refused collection is in the state")
	}
}

// Neither may what a creation cannot say.
func TestACreationWithoutItsReadFanOutIsKeptWithAWarning(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Update", Err: status.Error(codes.InvalidArgument, "Wrong input: no")})
	config := minimal(prototest.Config{"read_fan_out_delay_ms": 70})
	plan := w.Plan(t, collectionType, w.None(collectionType), config)
	r, diags := w.Apply(t, plan)
	wantEqual(t, "errors", diags.Errors(), nil)
	wantOne(t, "warnings", diags.Warnings(), "read fan-out could not be set", "Wrong input: no")
	w.cluster.Heal()
	r, _ = w.Refresh(t, collectionType, r)
	r = w.apply(t, r, config)
	w.mustBeSettled(t, r, config)
}

// An error would taint the resource, and the next apply would delete a collection that is as declared.
func TestACreationWhoseReplicasAreLateIsKeptWithAWarning(t *testing.T) {
	w := newWorld(t, 3, prototest.Config{"plan_checks": "off"})
	w.cluster.SetAlive(1) // when it is created there is one peer,
	w.cluster.Freeze(true)
	w.cluster.Inject(fakecluster.Fault{Method: "Cluster/GetPlacement", Times: 1, Do: func() { w.cluster.SetAlive(3) }}) // then all
	config := minimal(prototest.Config{"replication_factor": 2, "timeouts": prototest.Config{"create": "3s"}})
	plan := w.Plan(t, collectionType, w.None(collectionType), config)
	r, diags := w.Apply(t, plan)
	wantEqual(t, "errors", diags.Errors(), nil)
	wantOne(t, "warnings", diags.Warnings(), "Replicas are not all in place yet", "shard 0: 2 replicas declared, 1 active")
	w.mustBeSettled(t, r, config)
}

func TestACancelledCreationKeepsWhatExists(t *testing.T) {
	w := newWorld(t, 3, prototest.Config{"plan_checks": "off"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Create", Err: errLost, After: true, Times: 1, Do: cancel})
	plan := w.Plan(t, collectionType, w.None(collectionType), minimal(nil))
	r, diags := w.ApplyContext(ctx, t, plan)
	wantEqual(t, "errors", diags.Errors(), nil)
	if !r.Exists() {
		t.Fatal("the collection exists, but not in the state")
	}
	w.mustBeSettled(t, r, minimal(nil))
}

func TestACreationThatCannotBeReadBackIsInTheState(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Get", Err: status.Error(codes.PermissionDenied, "no reading")})
	plan := w.Plan(t, collectionType, w.None(collectionType), minimal(nil))
	r, diags := w.Apply(t, plan)
	wantEqual(t, "errors", diags.Errors(), nil)
	wantOne(t, "warnings", keep(diags.Warnings(), "read back"), "no reading")
	w.cluster.Heal()
	w.mustBeSettled(t, w.refresh(t, r), minimal(nil))
}

// Writes stay possible all along: the consistency never asks for more replicas than there are.
func TestReplicasAndConsistencyChangeInASafeOrder(t *testing.T) {
	config := func(replicas, factor int) prototest.Config {
		return minimal(prototest.Config{"replication_factor": replicas, "write_consistency_factor": factor, "shard_number": 1})
	}
	for _, c := range []struct {
		from, to [2]int
		log      []string
	}{
		{[2]int{1, 1}, [2]int{3, 3}, []string{"replicas 1->3", "consistency 1->3 with 3 replicas"}},
		{[2]int{3, 3}, [2]int{1, 1}, []string{"consistency 3->1 with 3 replicas", "replicas 3->1"}},
		{[2]int{3, 1}, [2]int{2, 2}, []string{"replicas 3->2", "consistency 1->2 with 2 replicas"}},
		{[2]int{2, 2}, [2]int{3, 1}, []string{"consistency 2->1 with 2 replicas", "replicas 2->3"}},
	} {
		w := newWorld(t, 3, nil)
		r := w.apply(t, nil, config(c.from[0], c.from[1]))
		w.cluster.Log()
		r = w.apply(t, r, config(c.to[0], c.to[1]))
		var want []string
		for _, line := range c.log {
			want = append(want, "update docs "+line)
		}
		wantEqual(t, fmt.Sprintf("%v to %v", c.from, c.to), w.cluster.Log(), want)
		w.mustBeSettled(t, r, config(c.to[0], c.to[1]))
	}
}

func TestAnInterruptedUpdateKeepsWhatItReachedAndGoesOn(t *testing.T) {
	w := newWorld(t, 3, nil)
	before := minimal(prototest.Config{"replication_factor": 1})
	after := minimal(prototest.Config{
		"replication_factor": 3, "write_consistency": "strong", "on_disk_payload": false, "deletion_protection": true,
	})
	r := w.apply(t, nil, before)
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Update", Err: status.Error(codes.FailedPrecondition, "not now"), Pass: 2})
	r, diags := w.Apply(t, w.Plan(t, collectionType, r, after))
	wantOne(t, "errors", diags.Errors(), "step 3 of 3, raise the write consistency: not now", "goes on from there")
	for path, want := range map[string]string{
		"replication_factor": "3", "write_consistency_factor": "1", "on_disk_payload": "false", "deletion_protection": "false",
	} {
		if got := prototest.Get(r.State, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	w.cluster.Heal()
	w.cluster.Log()
	plan := w.Plan(t, collectionType, r, after)
	wantEqual(t, "what is left", plan.Changes(), []string{"deletion_protection", "write_consistency", "write_consistency_factor"})
	r, diags = w.Apply(t, plan)
	wantEqual(t, "errors", diags.Errors(), nil)
	wantEqual(t, "log", w.cluster.Log(), []string{"update docs consistency 1->3 with 3 replicas"})
	w.mustBeSettled(t, r, after)
}

func TestAnUpdateThatRunsOutOfTimeSaysHowFarItGot(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 2}))
	w.cluster.Freeze(true)
	after := minimal(prototest.Config{
		"shard_number": 2, "replication_factor": 2, "write_consistency": "strong",
	})
	r = w.cutShort(t, collectionType, r, after, "waiting for the placement", "0 of 2 shards", "shard 1: 2 replicas declared, 1 active")
	// What was reached is shown until the rest is there, so that the next apply has something to wait for.
	for range 2 {
		if got := prototest.Get(r.State, "replication_factor"); got != "1" {
			t.Errorf("replication_factor is %s, one copy is there", got)
		}
		r = w.refresh(t, r)
	}
	plan := w.Plan(t, collectionType, r, after)
	wantEqual(t, "what is left", keep(plan.Changes(), "replication_factor"), []string{"replication_factor"})
	w.cluster.Log()
	w.cluster.Freeze(false)
	r = w.apply(t, r, after)
	wantEqual(t, "log", w.cluster.Log(), []string{"update docs consistency 1->2 with 2 replicas"})
	w.mustBeSettled(t, r, after)
}

func TestShardsChangeInPlaceBothWays(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 4}))
	w.cluster.Log()
	for _, shards := range []int{8, 3} {
		config := minimal(prototest.Config{"shard_number": shards})
		plan := w.Plan(t, collectionType, r, config)
		wantEqual(t, "replaced because of", plan.Replace, nil)
		r = w.apply(t, r, config)
		w.mustBeSettled(t, r, config)
	}
	wantEqual(t, "log", w.cluster.Log(), []string{"reshard docs 4->8", "reshard docs 8->3"})
}

func TestReplicasComeBeforeShardsAreCutAndGoAfterIt(t *testing.T) {
	w := newWorld(t, 3, nil)
	config := func(shards, replicas int, word string) prototest.Config {
		return minimal(prototest.Config{"shard_number": shards, "replication_factor": replicas, "write_consistency": word})
	}
	r := w.apply(t, nil, config(2, 1, "strong"))
	w.cluster.Log()
	r = w.apply(t, r, config(4, 3, "strong"))
	wantEqual(t, "growth", w.cluster.Log(), []string{
		"update docs replicas 1->3", "reshard docs 2->4", "update docs consistency 1->3 with 3 replicas",
	})
	w.apply(t, r, config(2, 1, "strong"))
	wantEqual(t, "shrinking", w.cluster.Log(), []string{
		"update docs consistency 3->1 with 3 replicas", "reshard docs 4->2", "update docs replicas 3->1",
	})
}

func TestAReshardThatRunsOutOfTimeIsJoinedByTheNextApply(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 4}))
	w.cluster.Log()
	w.cluster.Freeze(true)
	after := minimal(prototest.Config{"shard_number": 8})
	r = w.cutShort(t, collectionType, r, after, "cut into 8 shards instead of 4", "reshard 4 -> 8 shards, 6 of 10", "goes on from there")
	if got := prototest.Get(r.State, "shard_number"); got != "4" {
		t.Errorf("shard_number is %s, there are 4", got)
	}
	w.restart(t, nil)
	plan := w.Plan(t, collectionType, r, after)
	wantOne(t, "warnings", keep(plan.Diagnostics.Warnings(), "moving between shards"), "into 8 shards; there are 4 so far", "(at shard_number)")
	w.cluster.Freeze(false)
	r = w.apply(t, r, after)
	wantEqual(t, "log", w.cluster.Log(), []string{"reshard docs 4->8"})
	w.mustBeSettled(t, r, after)
}

// cutShort gives a change that the cluster does not make so little time that it only begins, which it fails with an error of these
// parts, and returns what a refresh shows then. Afterwards config has time enough.
func (w *world) cutShort(t *testing.T, typ string, r *prototest.Resource, config prototest.Config, failure ...string) *prototest.Resource {
	t.Helper()
	for patience := 300 * time.Millisecond; ; patience *= 2 { // on a machine that is busy, time may run out before it has begun
		config["timeouts"] = prototest.Config{"update": patience.String()}
		var diags prototest.Diagnostics
		r, diags = w.Apply(t, w.Plan(t, typ, r, config))
		r = w.refreshOf(t, typ, r)
		begun := len(failure) > 0 || prototest.Get(r.State, "unfinished") != "null"
		for _, part := range failure {
			begun = begun && len(keep(diags.Errors(), part)) > 0
		}
		if begun || patience > 20*time.Second {
			wantOne(t, "errors", diags.Errors(), failure...)
			config["timeouts"] = prototest.Config{"update": "1m"}
			return r
		}
	}
}

// What the state shows of a change that was cut short may be what was there before it. To declare that again is a change nevertheless.
func TestAChangeThatWasCutShortIsTakenBack(t *testing.T) {
	w := newWorld(t, 3, nil)
	before := minimal(prototest.Config{"shard_number": 4, "replication_factor": 2})
	r := w.apply(t, nil, before)
	for attribute, c := range map[string]struct {
		to   int
		left string
		log  []string
	}{
		"shard_number":       {8, "8 shards are declared, there are 4", []string{"reshard docs 4->8", "reshard docs 8->4"}},
		"replication_factor": {3, "3 replicas are declared, there are 2", []string{"update docs replicas 2->3", "update docs replicas 3->2"}},
	} {
		w.cluster.Log()
		w.cluster.Freeze(true)
		after := minimal(prototest.Config{"shard_number": 4, "replication_factor": 2})
		after[attribute] = c.to
		r = w.cutShort(t, collectionType, r, after)
		if got := prototest.Get(r.State, "unfinished"); got != c.left {
			t.Errorf("unfinished: %s", got)
		}
		plan := w.Plan(t, collectionType, r, before)
		wantEqual(t, "changes", plan.Changes(), []string{"unfinished"})
		wantEqual(t, "errors", plan.Diagnostics.Errors(), nil)
		w.cluster.Freeze(false)
		r = w.apply(t, r, before)
		wantEqual(t, "log", w.cluster.Log(), c.log)
		w.mustBeSettled(t, r, before)
	}
}

func TestAReshardThatWasCutShortGoesOnWhereNoNumberIsDeclared(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 4}))
	w.cluster.Freeze(true)
	r = w.cutShort(t, collectionType, r, minimal(prototest.Config{"shard_number": 8}))
	w.cluster.Log()
	w.cluster.Freeze(false)
	r = w.apply(t, r, minimal(nil))
	wantEqual(t, "log", w.cluster.Log(), nil)
	if got := prototest.Get(r.State, "shard_number"); got != "8" {
		t.Errorf("shard_number is %s", got)
	}
	w.mustBeSettled(t, r, minimal(nil))
}

func TestACancelledReshardIsAnErrorAndItsOppositeTurnsItRound(t *testing.T) {
	w := newWorld(t, 3, nil)
	before := minimal(prototest.Config{"shard_number": 4})
	r := w.apply(t, nil, before)
	w.cluster.Freeze(true)
	w.cluster.Inject(fakecluster.Fault{Method: "Cluster/Reshard", Times: 1, Do: func() {
		go w.cluster.EndWhenBegun(clusterpb.OperationState_OPERATION_STATE_CANCELLED, "somebody cancelled it")
	}})
	r, diags := w.Apply(t, w.Plan(t, collectionType, r, minimal(prototest.Config{"shard_number": 8})))
	wantOne(t, "errors", diags.Errors(), "ended as cancelled", "somebody cancelled it")
	w.cluster.Freeze(false)
	r = w.apply(t, r, before)
	w.mustBeSettled(t, r, before)
}

func TestCtrlCKeepsWhatWasReached(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 2}))
	w.cluster.Freeze(true)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.cluster.Inject(fakecluster.Fault{Method: "Cluster/GetPlacement", Times: 1, Pass: 2, Do: cancel})
	after := minimal(prototest.Config{"shard_number": 2, "replication_factor": 3})
	r, diags := w.ApplyContext(ctx, t, w.Plan(t, collectionType, r, after))
	wantOne(t, "errors", diags.Errors(), "change the number of replicas", "goes on from there")
	if got := prototest.Get(w.refresh(t, r).State, "replication_factor"); got != "1" {
		t.Errorf("replication_factor is %s, one copy is there", got)
	}
	w.cluster.Freeze(false)
	w.mustBeSettled(t, w.apply(t, r, after), after)
}

func TestVectorsComeAndGoInPlace(t *testing.T) {
	w := newWorld(t, 1, nil)
	config := func(vectors, sparse prototest.Config) prototest.Config {
		return prototest.Config{"name": "docs", "vectors": vectors, "sparse_vectors": sparse}
	}
	dense := func(size int, more prototest.Config) prototest.Config {
		v := prototest.Config{"size": size, "distance": "Dot"}
		for key, value := range more {
			v[key] = value
		}
		return v
	}
	r := w.apply(t, nil, config(prototest.Config{"a": dense(2, nil)}, nil))
	w.cluster.Log()
	tuned := prototest.Config{"on_disk": true, "hnsw": prototest.Config{"m": 4}, "quantization": prototest.Config{"binary": prototest.Config{}}}
	next := config(prototest.Config{"b": dense(3, tuned)}, prototest.Config{"words": prototest.Config{"modifier": "Idf", "on_disk": true}})
	r = w.apply(t, r, next)
	w.mustBeSettled(t, r, next)
	wantEqual(t, "log", w.cluster.Log(), []string{
		"remove vector docs/a", "add vector docs/b", "add sparse vector docs/words", "update docs",
	})
	swapped := config(prototest.Config{"words": dense(3, nil)}, prototest.Config{"b": prototest.Config{}})
	w.mustBeSettled(t, w.apply(t, r, swapped), swapped)
}

// What a server cannot do in place is planned as a replacement, and said so.
func TestServersThatCannotChangeInPlaceReplace(t *testing.T) {
	unimplemented := status.Error(codes.Unimplemented, "method not implemented")
	for name, c := range map[string]struct {
		method   string
		next     prototest.Config
		replaces []string
		says     string
	}{
		"shards": {"Cluster/Reshard", minimal(prototest.Config{"shard_number": 5}), []string{"shard_number"}, "of a version that cannot change the number of shards"},
		"vectors": {"Points/CreateVectorName", minimal(prototest.Config{"vectors": prototest.Config{
			"": prototest.Config{"size": 4, "distance": "Cosine"}, "more": prototest.Config{"size": 4, "distance": "Cosine"},
		}}), []string{"vectors"}, "cannot add or remove a vector"},
	} {
		w := newWorld(t, 1, nil)
		r := w.apply(t, nil, minimal(nil))
		w.cluster.Inject(fakecluster.Fault{Method: c.method, Err: unimplemented})
		plan := w.Plan(t, collectionType, r, c.next)
		wantEqual(t, name+": replaced because of", plan.Replace, c.replaces)
		wantOne(t, name, keep(plan.Diagnostics.Warnings(), "replaces the collection"), c.says, "(at "+c.replaces[0]+")")
	}
}

func TestATransientRefusalOfAnUpdateIsRetried(t *testing.T) {
	w := newWorld(t, 1, nil)
	r := w.apply(t, nil, minimal(nil))
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Update", Err: errLost, After: true, Times: 1})
	changed := minimal(prototest.Config{"on_disk_payload": false, "metadata": prototest.Config{"a": "b"}})
	w.mustBeSettled(t, w.apply(t, r, changed), changed)
}

func TestACollectionThatIsGoneCannotBeUpdated(t *testing.T) {
	w := newWorld(t, 1, nil)
	r := w.apply(t, nil, minimal(nil))
	plan := w.Plan(t, collectionType, r, minimal(prototest.Config{"on_disk_payload": false}))
	w.cluster.Drop("docs")
	_, diags := w.Apply(t, plan)
	if errs := diags.Errors(); len(errs) == 0 || !strings.Contains(errs[0], "doesn't exist") {
		t.Errorf("errors: %q", errs)
	}
}

func keep(texts []string, part string) []string {
	var out []string
	for _, text := range texts {
		if strings.Contains(text, part) {
			out = append(out, text)
		}
	}
	return out
}
