package api

import (
	"context"
	"slices"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// UpdateCollectionClusterSetup changes by hand where the copies of a shard are to be, and shard keys. What it asks for stands in the
// metadata once it returns; the copies follow, by the same steps and limits as all others.
func (s *collectionsService) UpdateCollectionClusterSetup(ctx context.Context, r *qdrant.UpdateCollectionClusterSetupRequest) (*qdrant.UpdateCollectionClusterSetupResponse, error) {
	start := time.Now()
	if r.GetOperation() == nil {
		return nil, invalid("cluster setup: the operation is empty or of a kind that this server does not know")
	}
	err := s.propose(ctx, r.Timeout, func() (*catalog.Command, error) {
		state, found, err := s.find(ctx, r.GetCollectionName())
		if err != nil {
			return nil, err
		}
		return setup{state, found, s.Now().UnixMilli()}.command(r)
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.UpdateCollectionClusterSetupResponse{Result: true, Time: since(start)}, nil
}

// setup reads what is to be done to a collection by hand.
type setup struct {
	state *catalog.State
	col   *catalog.Collection
	now   int64 // Unix milliseconds
}

// command returns nil if things are as they are wanted already.
func (s setup) command(r *qdrant.UpdateCollectionClusterSetupRequest) (*catalog.Command, error) {
	switch o := r.GetOperation().(type) {
	case *qdrant.UpdateCollectionClusterSetupRequest_MoveShard:
		m := o.MoveShard
		return s.transfer(ends{m.GetShardId(), m.GetFromPeerId(), m.GetToPeerId(), m.ToShardId}, m.GetMethod(), true)
	case *qdrant.UpdateCollectionClusterSetupRequest_ReplicateShard:
		m := o.ReplicateShard
		return s.transfer(ends{m.GetShardId(), m.GetFromPeerId(), m.GetToPeerId(), m.ToShardId}, m.GetMethod(), false)
	case *qdrant.UpdateCollectionClusterSetupRequest_DropReplica:
		return s.drop(o.DropReplica.GetShardId(), catalog.PeerID(o.DropReplica.GetPeerId()))
	case *qdrant.UpdateCollectionClusterSetupRequest_AbortTransfer:
		m := o.AbortTransfer
		return s.abort(ends{m.GetShardId(), m.GetFromPeerId(), m.GetToPeerId(), m.ToShardId})
	case *qdrant.UpdateCollectionClusterSetupRequest_RestartTransfer:
		m := o.RestartTransfer
		return s.restart(ends{m.GetShardId(), m.GetFromPeerId(), m.GetToPeerId(), m.ToShardId}, m.GetMethod())
	case *qdrant.UpdateCollectionClusterSetupRequest_CreateShardKey:
		return createKey(s.col, o.CreateShardKey)
	case *qdrant.UpdateCollectionClusterSetupRequest_DeleteShardKey:
		return deleteKey(s.col, o.DeleteShardKey)
	case *qdrant.UpdateCollectionClusterSetupRequest_ReplicatePoints:
		return s.fill(o.ReplicatePoints)
	}
	return nil, invalid("cluster setup: the operation is of a kind that this server does not know")
}

// fill begins to copy points from one shard key to another. What the filter says is settled now, by the indexes and names of this moment.
func (s setup) fill(r *qdrant.ReplicatePoints) (*catalog.Command, error) {
	cmd := &catalog.FillShardKey{Collection: s.col.ID, At: s.now}
	var err error
	if cmd.From, err = shardKeyFrom(r.GetFromShardKey()); err != nil {
		return nil, within(err, "from_shard_key")
	}
	if cmd.To, err = shardKeyFrom(r.GetToShardKey()); err != nil {
		return nil, within(err, "to_shard_key")
	}
	if r.Filter == nil {
		return &catalog.Command{FillShardKey: cmd}, nil
	}
	f, err := filterFrom(r.GetFilter())
	if err != nil {
		return nil, within(err, "filter")
	}
	if cmd.Filter, err = coordinator.Settled(s.col, f); err != nil {
		return nil, within(err, "filter")
	}
	return &catalog.Command{FillShardKey: cmd}, nil
}

// ends is what a transfer is from and to.
type ends struct {
	shard    uint32
	from, to uint64
	toShard  *uint32
}

// check finds the shard; both peers have to be members.
func (s setup) check(e ends) (*catalog.Shard, error) {
	sh, ok := s.col.Shard(catalog.ShardID(e.shard))
	if !ok {
		return nil, invalid("Shard %d of %s does not exist", e.shard, s.col.Name)
	}
	if e.toShard != nil && *e.toShard != e.shard {
		return nil, missing("transfers from one shard to another by hand", "to_shard_id")
	}
	for _, id := range []uint64{e.from, e.to} {
		if s.state.Gone(catalog.PeerID(id)) {
			return nil, invalid("Peer %d does not exist", id)
		}
	}
	return sh, nil
}

// method accepts every way to fill a copy: which is best is the primary's to say. Those of resharding fill none.
func method(m qdrant.ShardTransferMethod) error {
	if m == qdrant.ShardTransferMethod_ReshardingStreamRecords {
		return invalid("the transfer method %s is not one of whole shards", m)
	}
	return nil
}

func (s setup) place(sh *catalog.Shard, from, to catalog.PeerID) *catalog.Command {
	return &catalog.Command{PlaceShard: &catalog.PlaceShard{
		Ref: s.ref(sh), Version: sh.Version, From: from, To: to, At: s.now,
	}}
}

func (s setup) ref(sh *catalog.Shard) catalog.ShardRef {
	return catalog.ShardRef{Collection: s.col.ID, Shard: sh.ID}
}

// transfer places one more copy, or moves one.
func (s setup) transfer(e ends, m qdrant.ShardTransferMethod, move bool) (*catalog.Command, error) {
	sh, err := s.check(e)
	if err == nil {
		err = method(m)
	}
	if err != nil {
		return nil, err
	}
	from, to := catalog.PeerID(e.from), catalog.PeerID(e.to)
	if from == to {
		return nil, invalid("Source and target peer of a transfer are both %d", to)
	}
	places := sh.Places(s.state)
	there, source := slices.Contains(places, to), slices.Contains(places, from)
	switch {
	case there && len(sh.Pinned) > 0 && source != move:
		return nil, nil // it was asked for before
	case !source:
		return nil, invalid("Shard %d does not have a replica on peer %d", sh.ID, from)
	case there:
		return nil, invalid("Shard %d is already replicated on peer %d", sh.ID, to)
	case !move:
		from = 0
	}
	return s.place(sh, from, to), nil
}

// drop takes a copy away. The last that counts stays, whatever else there is.
func (s setup) drop(shard uint32, id catalog.PeerID) (*catalog.Command, error) {
	sh, err := s.check(ends{shard: shard, from: uint64(id), to: uint64(id)})
	if err != nil {
		return nil, err
	}
	places := sh.Places(s.state)
	if !slices.Contains(places, id) {
		if len(sh.Pinned) > 0 {
			return nil, nil // it was asked for before
		}
		return nil, invalid("Shard %d does not have a replica on peer %d", shard, id)
	}
	active := slices.DeleteFunc(sh.Active(), func(other catalog.PeerID) bool { return other == id || !slices.Contains(places, other) })
	if len(active) == 0 {
		return nil, fault.New(fault.FailedPrecondition, "Shard %d must have at least one active replica after removing the one on peer %d", shard, id)
	}
	return s.place(sh, id, 0), nil
}

// abort takes a placement by hand back. What the cluster does by itself it would only begin anew.
func (s setup) abort(e ends) (*catalog.Command, error) {
	sh, err := s.check(e)
	if err != nil {
		return nil, err
	}
	o, ok := s.state.RunningOperation(func(o *catalog.Operation) bool {
		p := o.Placement
		return p != nil && o.Collection == s.col.ID && p.Shard == sh.ID && p.To == catalog.PeerID(e.to) &&
			(p.From == 0 && s.feeds(sh, e.from) || p.From == catalog.PeerID(e.from) || uint64(sh.Primary) == e.from)
	})
	if ok {
		return &catalog.Command{CancelOperation: &catalog.CancelOperation{ID: o.ID, At: s.now}}, nil
	}
	if _, ok := s.copying(sh, e); ok {
		return nil, fault.New(fault.FailedPrecondition,
			"the cluster itself makes this copy, as replication_factor, a draining peer or balance demands: change what is declared, or pause the cluster")
	}
	return nil, noTransfer(e)
}

// feeds tells whether a peer holds a copy that another could be made from.
func (s setup) feeds(sh *catalog.Shard, id uint64) bool {
	r, ok := sh.Replica(catalog.PeerID(id))
	return ok && r.State == catalog.Active
}

// copying finds a copy that is being filled.
func (s setup) copying(sh *catalog.Shard, e ends) (catalog.Replica, bool) {
	r, ok := sh.Replica(catalog.PeerID(e.to))
	from := catalog.PeerID(e.from)
	return r, ok && r.State == catalog.Partial && !r.Retiring && (sh.Primary == from || r.Replaces == from)
}

func noTransfer(e ends) error {
	return fault.New(fault.NotFound, "There is no transfer of shard %d from peer %d to peer %d", e.shard, e.from, e.to)
}

// restart lets a copy that is being filled begin anew, with a snapshot.
func (s setup) restart(e ends, m qdrant.ShardTransferMethod) (*catalog.Command, error) {
	sh, err := s.check(e)
	if err == nil {
		err = method(m)
	}
	if err != nil {
		return nil, err
	}
	r, ok := s.copying(sh, e)
	if !ok {
		return nil, noTransfer(e)
	}
	return &catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: s.ref(sh), Version: sh.Version, Rebuild: &r.Peer}}, nil
}
