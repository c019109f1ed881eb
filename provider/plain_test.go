package provider_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

func newPlainWorld(t *testing.T, peers int) *world {
	t.Helper()
	cluster, err := fakecluster.OpenPlain(peers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return newWorldOf(t, cluster)
}

func TestCopiesAreMadeAndDroppedByHandOnAPlainQdrant(t *testing.T) {
	w := newPlainWorld(t, 3)
	config := func(replicas int) prototest.Config {
		return minimal(prototest.Config{"shard_number": 3, "replication_factor": replicas, "write_consistency": "strong"})
	}
	r := w.apply(t, nil, config(1))
	w.cluster.Log()
	r = w.apply(t, r, config(2))
	w.mustBeSettled(t, r, config(2))
	wantEqual(t, "log", w.cluster.Log(), []string{
		"update docs replicas 1->2", "replicate docs/0 to 1002", "replicate docs/1 to 1001", "replicate docs/2 to 1001", "update docs consistency 1->2 with 2 replicas",
	})
	r = w.apply(t, r, config(1))
	w.mustBeSettled(t, r, config(1))
	if log := w.cluster.Log(); len(log) != 5 || log[0] != "update docs consistency 2->1 with 2 replicas" || log[1] != "update docs replicas 2->1" {
		t.Errorf("log: %q", log)
	}
}

func TestMoreCopiesThanKnownPeersOnAPlainQdrant(t *testing.T) {
	w := newPlainWorld(t, 2)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 2}))
	config := minimal(prototest.Config{"shard_number": 2, "replication_factor": 3})
	r, diags := w.Apply(t, w.Plan(t, collectionType, r, config))
	wantEqual(t, "errors", diags.Errors(), nil)
	wantOne(t, "warnings", keep(diags.Warnings(), "under-replicated"), "only 2 peers are known")
	w.mustBeSettled(t, r, config)
}

func TestCopiesByHandThatRunOutOfTimeAreGoneOnWith(t *testing.T) {
	w := newPlainWorld(t, 3)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 3}))
	w.cluster.Freeze(true)
	config := minimal(prototest.Config{"shard_number": 3, "replication_factor": 2})
	r = w.cutShort(t, collectionType, r, config, "shard 0: 2 copies of 2 declared, 1 active")
	wantEqual(t, "what is left", keep(w.Plan(t, collectionType, r, config).Changes(), "replication_factor"), []string{"replication_factor"})
	w.cluster.Freeze(false)
	w.mustBeSettled(t, w.apply(t, r, config), config)
}

// A node of ours whose cluster service is not reached makes the copies by itself, and may refuse to be told.
func TestCopiesThatTheServerMakesByItselfAreWaitedFor(t *testing.T) {
	w := newPlainWorld(t, 3)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 3}))
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/UpdateCollectionClusterSetup", Err: status.Error(codes.Unimplemented, "not built"), Times: 3, Do: func() {}})
	config := minimal(prototest.Config{"shard_number": 3, "replication_factor": 2})
	w.mustBeSettled(t, w.apply(t, r, config), config)
}

func TestShardsOfAPlainQdrantReplaceTheCollection(t *testing.T) {
	w := newPlainWorld(t, 1)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 2}))
	plan := w.Plan(t, collectionType, r, minimal(prototest.Config{"shard_number": 4}))
	wantEqual(t, "replaced because of", plan.Replace, []string{"shard_number"})
	wantOne(t, "warnings", keep(plan.Diagnostics.Warnings(), "replaces the collection"), "A plain Qdrant cannot change the number of shards", "(at shard_number)")
}
