package cluster

import (
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Standing is what Raft says at one moment.
type Standing struct {
	Leader  catalog.PeerID // 0 = none is known
	Term    uint64
	Applied uint64
	Voters  map[catalog.PeerID]string
}

// Members describes the cluster as self sees it.
func Members(state *catalog.State, self catalog.PeerID, version string, raft Standing, obs Observations) *clusterpb.GetClusterResponse {
	resp := &clusterpb.GetClusterResponse{
		ClusterId: state.ClusterID, AnsweringPeer: uint64(self), Leader: uint64(raft.Leader),
		Term: raft.Term, AppliedIndex: raft.Applied, Version: version,
	}
	primaries := map[catalog.PeerID]uint64{}
	for _, sh := range state.Shards() {
		primaries[sh.Primary]++
	}
	for _, p := range state.SortedPeers() {
		_, voter := raft.Voters[p.ID]
		gauge := obs.gauge(p.ID)
		peer := &clusterpb.Peer{
			State: peerStateToWire(p.State), Labels: p.Labels, Primaries: primaries[p.ID],
			Bytes: gauge.ReplicaBytes, DiskFreeBytes: gauge.DiskFree, DiskTotalBytes: gauge.DiskTotal,
			Id: uint64(p.ID), Name: p.Name, GrpcAddress: p.GRPCAddr, PeerAddress: p.PeerAddr, HttpAddress: p.HTTPAddr,
			Zone: p.Zone, Version: p.Version, Alive: obs.Alive(p.ID) && !p.Gone(), Voter: voter,
			Leader: p.ID == raft.Leader, Replaced: p.Gone(), Replicas: uint32(state.ReplicasOn(p.ID)),
		}
		if seen := obs.lastSeen(p.ID); !seen.IsZero() {
			peer.LastSeenUnixMs = seen.UnixMilli()
		}
		if err := gauge.Room().Refusal(p.Name); err != nil && peer.Alive {
			peer.Problem = err.Error()
		} else if p.State == catalog.Draining && !p.Gone() {
			peer.Problem = stuck(state, p.ID, obs.Alive)
		}
		resp.Peers = append(resp.Peers, peer)
	}
	return resp
}

// Placement describes where a collection is, declared and actual.
func Placement(state *catalog.State, col *catalog.Collection, obs Observations) *clusterpb.CollectionPlacement {
	p := &clusterpb.CollectionPlacement{
		Collection: col.Name, ShardNumber: uint32(len(col.Owners())), ReplicationFactor: col.Config.ReplicationFactor,
		WriteConsistencyFactor: col.Config.WriteConsistencyFactor, Warnings: Warnings(state, col, obs),
		Epoch: col.Epoch, TargetShardNumber: col.Config.ShardNumber,
	}
	showKeys(p, col)
	for _, sh := range col.Shards {
		l := look{state, col, sh, obs}
		p.Shards = append(p.Shards, shardPlacement(l))
		points, bytes := l.size()
		p.Points += points
		p.Bytes += bytes
	}
	for _, m := range col.Moves {
		p.Moves = append(p.Moves, slotMove(state, col, m, obs))
	}
	for _, o := range state.Operations {
		if o.State == catalog.Running && o.Collection == col.ID {
			p.Operations = append(p.Operations, uint64(o.ID))
		}
	}
	return p
}

// slotMove describes a move of slots; how far it is, the primary of its target knows.
func slotMove(state *catalog.State, col *catalog.Collection, m *catalog.Move, obs Observations) *clusterpb.SlotMove {
	w := &clusterpb.SlotMove{
		Id: uint64(m.ID), SourceShard: uint32(m.Source), TargetShard: uint32(m.Target), Slots: uint32(slot.Total(m.Slots)), Phase: string(m.Phase),
		Fill: m.Fill != 0,
	}
	target, ok := col.Shard(m.Target)
	if !ok || !m.Running() {
		return w
	}
	switch st, answered := (look{state, col, target, obs}).primary(); {
	case !answered:
		w.Problem = fmt.Sprintf("%s, which leads shard %d, does not answer", name(state, target.Primary), m.Target)
	case st.Moving != nil:
		w.Points, w.TotalPoints = min(st.Moving.Points, st.Moving.TotalPoints), st.Moving.TotalPoints
		w.Bytes, w.Problem = st.Moving.Bytes, st.Moving.Problem
	}
	return w
}

// showKeys shows what is declared of shard keys. A collection that has them is to have the shards of all.
func showKeys(p *clusterpb.CollectionPlacement, col *catalog.Collection) {
	if !col.Config.Custom() {
		return
	}
	p.TargetShardNumber = 0
	for _, g := range col.Groups() {
		p.TargetShardNumber += g.Number
		if g.Partial() {
			p.ShardNumber += uint32(g.Owning())
		}
		p.ShardKeys = append(p.ShardKeys, keyPlacement(col, g))
	}
}

func keyPlacement(col *catalog.Collection, g catalog.Group) *clusterpb.ShardKeyPlacement {
	k := g.Key
	peers := make([]uint64, len(k.Peers))
	for i, id := range k.Peers {
		peers[i] = uint64(id)
	}
	return &clusterpb.ShardKeyPlacement{
		Key: keyToWire(&k.Key), ShardNumber: uint32(g.Owning()), TargetShardNumber: k.ShardNumber,
		ReplicationFactor: uint32(col.Copies(k)), Placement: peers, Partial: k.Partial,
	}
}

// keyToWire returns nil for no key.
func keyToWire(k *point.ShardKey) *clusterpb.ShardKey {
	switch {
	case k == nil:
		return nil
	case k.Keyword != "":
		return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: k.Keyword}}
	}
	return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: k.Number}}
}

// keyFromWire is the other way round. An empty message names no key.
func keyFromWire(w *clusterpb.ShardKey) (*point.ShardKey, error) {
	if w == nil {
		return nil, nil
	}
	switch k := w.GetKey().(type) {
	case *clusterpb.ShardKey_Keyword:
		if len(k.Keyword) > catalog.MaxNameBytes {
			return nil, fault.New(fault.Invalid, "shard_key: it is %d bytes long, at most %d are allowed", len(k.Keyword), catalog.MaxNameBytes)
		}
		if k.Keyword != "" {
			return &point.ShardKey{Keyword: k.Keyword}, nil
		}
	case *clusterpb.ShardKey_Number:
		return &point.ShardKey{Number: k.Number}, nil
	}
	return nil, fault.New(fault.Invalid, "shard_key: a shard key is a word or a number, and this is neither")
}

// size is what the primary's copy holds, or, when it does not tell, the most that any copy does.
func (l look) size() (points, bytes uint64) {
	if st, ok := l.primary(); ok {
		return st.Points, st.Bytes
	}
	for _, r := range l.sh.Replicas {
		if st, ok := l.obs.status(l.ref(), r); ok {
			points, bytes = max(points, st.Points), max(bytes, st.Bytes)
		}
	}
	return points, bytes
}

func shardPlacement(l look) *clusterpb.ShardPlacement {
	p := &clusterpb.ShardPlacement{
		ShardId: uint32(l.sh.ID), DeclaredReplicas: uint32(l.col.Factor(l.sh)), Slots: uint32(l.sh.Owns()), Pinned: len(l.sh.Pinned) > 0, ActiveReplicas: uint32(l.active()),
		Primary: uint64(l.sh.Primary), Term: l.sh.Term, WriteQuorum: l.sh.WriteQuorum, Writable: l.writable(),
		Problem: l.problem(), Version: l.sh.Version, UnsafePromotions: l.sh.UnsafePromotions, ShardKey: keyToWire(l.sh.Key),
	}
	for _, r := range l.sh.Replicas {
		st, _ := l.obs.status(l.ref(), r)
		p.Replicas = append(p.Replicas, &clusterpb.ReplicaPlacement{
			Peer: uint64(r.Peer), State: stateToWire(r.State), Alive: l.obs.Alive(r.Peer) && !l.state.Gone(r.Peer),
			LastIndex: st.LastIndex, AppliedIndex: st.AppliedIndex, Points: st.Points, Generation: uint64(r.Generation),
			Transfer: transferToWire(st.Transfer),
			Differs:  st.Differs, Bytes: st.Bytes,
		})
	}
	return p
}

func transferToWire(t *replica.Transfer) *clusterpb.Transfer {
	if t == nil {
		return nil
	}
	return &clusterpb.Transfer{
		From: uint64(t.From), Records: t.Records, TotalRecords: t.TotalRecords, Bytes: t.Bytes, TotalBytes: t.TotalBytes,
		StartedUnixMs: t.Started.UnixMilli(), Failures: t.Failures, Problem: t.Problem,
	}
}

func stateToWire(s catalog.ReplicaState) clusterpb.ReplicaState {
	switch s {
	case catalog.Active:
		return clusterpb.ReplicaState_ACTIVE
	case catalog.Partial:
		return clusterpb.ReplicaState_PARTIAL
	default:
		return clusterpb.ReplicaState_DEAD
	}
}
