package api_test

import (
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

const third = catalog.PeerID(103)

// byHand returns a collection with one shard, on self alone, in a cluster of three.
func byHand(t *testing.T, factor uint32) (*local, func() *catalog.Shard) {
	t.Helper()
	l := newLocal(t)
	if _, err := l.cluster.Propose(t.Context(), catalog.Command{RegisterPeer: &catalog.Peer{ID: third, Name: "c", PeerAddr: "c:1"}}); err != nil {
		t.Fatal(err)
	}
	create := declare("n")
	create.ShardNumber, create.ReplicationFactor = new(uint32(1)), &factor
	l.must("Collections.Create", create)
	return l, func() *catalog.Shard {
		found, _ := l.State().Lookup("n")
		return found.Shards[0]
	}
}

// changed makes a change of the shard as its primary or the reconciler would.
func (l *local) changed(sh *catalog.Shard, c catalog.ChangeShard) {
	l.t.Helper()
	c.Ref, c.Version = catalog.ShardRef{Collection: 1}, sh.Version
	if _, err := l.cluster.Propose(l.t.Context(), catalog.Command{ChangeShard: &c}); err != nil {
		l.t.Fatal(err)
	}
}

func setupOf(operation any) *qdrant.UpdateCollectionClusterSetupRequest {
	r := &qdrant.UpdateCollectionClusterSetupRequest{CollectionName: "n"}
	switch o := operation.(type) {
	case *qdrant.MoveShard:
		r.Operation = &qdrant.UpdateCollectionClusterSetupRequest_MoveShard{MoveShard: o}
	case *qdrant.ReplicateShard:
		r.Operation = &qdrant.UpdateCollectionClusterSetupRequest_ReplicateShard{ReplicateShard: o}
	case *qdrant.Replica:
		r.Operation = &qdrant.UpdateCollectionClusterSetupRequest_DropReplica{DropReplica: o}
	case *qdrant.AbortShardTransfer:
		r.Operation = &qdrant.UpdateCollectionClusterSetupRequest_AbortTransfer{AbortTransfer: o}
	case *qdrant.RestartTransfer:
		r.Operation = &qdrant.UpdateCollectionClusterSetupRequest_RestartTransfer{RestartTransfer: o}
	case *qdrant.ReplicatePoints:
		r.Operation = &qdrant.UpdateCollectionClusterSetupRequest_ReplicatePoints{ReplicatePoints: o}
	case *qdrant.CreateShardKey:
		r.Operation = &qdrant.UpdateCollectionClusterSetupRequest_CreateShardKey{CreateShardKey: o}
	case *qdrant.DeleteShardKey:
		r.Operation = &qdrant.UpdateCollectionClusterSetupRequest_DeleteShardKey{DeleteShardKey: o}
	}
	return r
}

const setupMethod = "Collections.UpdateCollectionClusterSetup"

func (l *local) setup(operation any) {
	l.t.Helper()
	if got := l.must(setupMethod, setupOf(operation)).(*qdrant.UpdateCollectionClusterSetupResponse); !got.GetResult() {
		l.t.Fatalf("%v", got)
	}
}

// running counts the operations that run.
func (l *local) running() (n int) {
	for _, o := range l.State().Operations {
		if o.State == catalog.Running {
			n++
		}
	}
	return n
}

func TestCopiesArePlacedByHand(t *testing.T) {
	l, shard := byHand(t, 1)
	from := uint64(shard().Primary)
	to := uint64(third)
	more := &qdrant.ReplicateShard{FromPeerId: from, ToPeerId: to, Method: new(qdrant.ShardTransferMethod_Snapshot)}
	want := []catalog.PeerID{shard().Primary, third}
	slices.Sort(want)
	for range 2 { // once more changes nothing
		if l.setup(more); !slices.Equal(shard().Pinned, want) || l.running() != 1 {
			t.Fatalf("pinned %d, %d operations", shard().Pinned, l.running())
		}
	}
	drop := &qdrant.Replica{PeerId: from}
	l.refused(setupMethod, setupOf(drop), codes.FailedPrecondition, "at least one active replica")
	l.changed(shard(), catalog.ChangeShard{AddReplica: new(third)})
	l.changed(shard(), catalog.ChangeShard{Activate: new(third)})
	for range 2 {
		if l.setup(drop); !slices.Equal(shard().Pinned, []catalog.PeerID{third}) {
			t.Fatalf("pinned %d", shard().Pinned)
		}
	}
	back := &qdrant.MoveShard{FromPeerId: to, ToPeerId: from}
	for range 2 {
		if l.setup(back); !slices.Equal(shard().Pinned, []catalog.PeerID{catalog.PeerID(from)}) {
			t.Fatalf("pinned %d", shard().Pinned)
		}
	}
}

func TestAPlacementByHandIsTakenBack(t *testing.T) {
	l, shard := byHand(t, 1)
	from := uint64(shard().Primary)
	abort := &qdrant.AbortShardTransfer{FromPeerId: from, ToPeerId: uint64(third)}
	l.refused(setupMethod, setupOf(abort), codes.NotFound, "no transfer")
	l.setup(&qdrant.MoveShard{FromPeerId: from, ToPeerId: uint64(third)})
	if l.setup(abort); len(shard().Pinned) > 0 || l.running() != 0 {
		t.Fatalf("pinned %d, %d operations", shard().Pinned, l.running())
	}
	l.refused(setupMethod, setupOf(abort), codes.NotFound, "no transfer")
	l.changed(shard(), catalog.ChangeShard{AddReplica: new(third)})
	l.refused(setupMethod, setupOf(abort), codes.FailedPrecondition, "the cluster itself makes this copy")
}

func TestATransferIsRestarted(t *testing.T) {
	l, shard := byHand(t, 1)
	restart := &qdrant.RestartTransfer{FromPeerId: uint64(shard().Primary), ToPeerId: uint64(third), Method: qdrant.ShardTransferMethod_Snapshot}
	l.refused(setupMethod, setupOf(restart), codes.NotFound, "no transfer")
	l.changed(shard(), catalog.ChangeShard{AddReplica: new(third)})
	before, _ := shard().Replica(third)
	l.setup(restart)
	if after, _ := shard().Replica(third); after.State != catalog.Partial || after.Generation <= before.Generation || after.Previous != before.Generation {
		t.Errorf("%+v became %+v", before, after)
	}
	l.changed(shard(), catalog.ChangeShard{Activate: new(third)})
	l.refused(setupMethod, setupOf(restart), codes.NotFound, "no transfer")
}

func TestWhatCannotBePlacedByHandChangesNothing(t *testing.T) {
	l, shard := byHand(t, 2)
	has := shard().Active()
	if has[0] != shard().Primary {
		has[0], has[1] = has[1], has[0]
	}
	free := uint64(self + other + third - has[0] - has[1])
	a, b := uint64(has[0]), uint64(has[1])
	before := l.State()
	for _, c := range []struct {
		operation any
		code      codes.Code
		text      string
	}{
		{&qdrant.MoveShard{ShardId: 1, FromPeerId: a, ToPeerId: free}, codes.InvalidArgument, "Shard 1 of n does not exist"},
		{&qdrant.MoveShard{FromPeerId: a, ToPeerId: 9}, codes.InvalidArgument, "Peer 9 does not exist"},
		{&qdrant.MoveShard{FromPeerId: a}, codes.InvalidArgument, "Peer 0 does not exist"},
		{&qdrant.MoveShard{FromPeerId: a, ToPeerId: a}, codes.InvalidArgument, "are both"},
		{&qdrant.MoveShard{FromPeerId: free, ToPeerId: a}, codes.InvalidArgument, "does not have a replica"},
		{&qdrant.MoveShard{FromPeerId: a, ToPeerId: b}, codes.InvalidArgument, "already replicated"},
		{&qdrant.MoveShard{FromPeerId: a, ToPeerId: free, ToShardId: new(uint32(1))}, codes.Unimplemented, "to_shard_id"},
		{&qdrant.MoveShard{FromPeerId: a, ToPeerId: free, Method: new(qdrant.ShardTransferMethod_ReshardingStreamRecords)}, codes.InvalidArgument, "transfer method"},
		{&qdrant.MoveShard{FromPeerId: a, ToPeerId: free, Method: new(qdrant.ShardTransferMethod(77))}, codes.InvalidArgument, "77"},
		{&qdrant.ReplicateShard{FromPeerId: a, ToPeerId: b}, codes.InvalidArgument, "already replicated"},
		{&qdrant.Replica{PeerId: free}, codes.InvalidArgument, "does not have a replica"},
		{&qdrant.Replica{PeerId: 9}, codes.InvalidArgument, "Peer 9 does not exist"},
		{&qdrant.AbortShardTransfer{FromPeerId: a, ToPeerId: free}, codes.NotFound, "no transfer"},
		{&qdrant.RestartTransfer{FromPeerId: a, ToPeerId: b}, codes.NotFound, "no transfer"},
		{&qdrant.ReplicatePoints{}, codes.InvalidArgument, "from_shard_key"},
		{&qdrant.ReplicatePoints{FromShardKey: word}, codes.InvalidArgument, "to_shard_key"},
		{&qdrant.ReplicatePoints{FromShardKey: word, ToShardKey: word}, codes.InvalidArgument, "Auto sharding method"},
	} {
		l.refused(setupMethod, setupOf(c.operation), c.code, c.text)
	}
	unknown := setupOf(&qdrant.Replica{PeerId: a})
	unknown.CollectionName = "none"
	l.refused(setupMethod, unknown, codes.NotFound, "doesn't exist")
	if l.State() != before {
		t.Error("a refused request changed the metadata")
	}
}

func TestADrainingPeerIsGivenNothingByHand(t *testing.T) {
	l, shard := byHand(t, 1)
	state := catalog.Draining
	if _, err := l.cluster.Propose(t.Context(), catalog.Command{UpdatePeer: &catalog.UpdatePeer{ID: third, State: &state}}); err != nil {
		t.Fatal(err)
	}
	l.refused(setupMethod, setupOf(&qdrant.MoveShard{FromPeerId: uint64(shard().Primary), ToPeerId: uint64(third)}), codes.FailedPrecondition, "draining")
}
