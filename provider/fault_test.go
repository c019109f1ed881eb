package provider_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

// An error would taint the resource, and the next apply would delete a collection that is as declared.
func TestACreationWhoseReplicasAreLateIsKeptWithAWarning(t *testing.T) {
	w := newWorld(t, 3, prototest.Config{"plan_checks": "off"})
	w.cluster.SetAlive(1) // when it is created there is one peer,
	w.cluster.Freeze(true)
	w.cluster.Inject(fakecluster.Fault{Method: "Cluster/GetPlacement", Times: 1, Do: func() { w.cluster.SetAlive(3) }}) // then all
	config := minimal(prototest.Config{"replication_factor": 2, "timeouts": prototest.Config{"create": "700ms"}})
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
		"shard_number": 2, "replication_factor": 2, "write_consistency": "strong", "timeouts": prototest.Config{"update": "700ms"},
	})
	r, diags := w.Apply(t, w.Plan(t, collectionType, r, after))
	wantOne(t, "errors", diags.Errors(), "waiting for the placement", "0 of 2 shards", "shard 1: 2 replicas declared, 1 active")
	if got := prototest.Get(r.State, "replication_factor"); got != "2" {
		t.Errorf("replication_factor is %s", got)
	}
	w.cluster.Freeze(false)
	w.mustBeSettled(t, w.apply(t, r, after), after)
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
