package client

import (
	"context"
	"errors"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

const clusterService = "ostraka.cluster.v1.Cluster/"

// Cluster returns the members as the answering node sees them. ErrNotOstraka: the server is a plain Qdrant.
func (c *Client) Cluster(ctx context.Context) (*Cluster, error) {
	op := operation{kind: read, method: clusterService + "GetCluster"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.GetClusterResponse, error) {
		return e.cluster.GetCluster(ctx, &clusterpb.GetClusterRequest{})
	})
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	return clusterOf(reply), nil
}

// Placement returns where collections were declared to live and where they live: of those named, or of all.
// ClassNotFound: a name is unknown. ErrNotOstraka: the server is a plain Qdrant.
func (c *Client) Placement(ctx context.Context, names ...string) ([]CollectionPlacement, error) {
	op := operation{kind: read, method: clusterService + "GetPlacement"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.GetPlacementResponse, error) {
		return e.cluster.GetPlacement(ctx, &clusterpb.GetPlacementRequest{Collections: names})
	})
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	out := make([]CollectionPlacement, len(reply.GetCollections()))
	for i, p := range reply.GetCollections() {
		out[i] = placementOf(p)
	}
	return out, nil
}

// HealthCheck asks a server for its version.
func (c *Client) HealthCheck(ctx context.Context) (Health, error) {
	op := operation{kind: read, method: "qdrant.Qdrant/HealthCheck"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.HealthCheckReply, error) {
		return e.qdrant.HealthCheck(ctx, &qdrant.HealthCheckRequest{})
	})
	return Health{Title: reply.GetTitle(), Version: reply.GetVersion(), Commit: reply.GetCommit()}, err
}

// explain turns "no such method" from a server without our service into a *NotOstrakaError. A node's own UNSUPPORTED
// carries an ErrorInfo and stays what it is.
func (c *Client) explain(ctx context.Context, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Class != ClassUnsupported || e.fromNode {
		return err
	}
	if e.Method != clusterService+"GetCluster" { // a node that is older than the method?
		if _, clusterErr := c.Cluster(ctx); clusterErr == nil {
			return err
		}
	}
	health, herr := c.HealthCheck(ctx)
	if herr != nil {
		health.Version = ""
	}
	return &NotOstrakaError{Endpoint: e.Endpoint, Version: health.Version}
}

func clusterOf(r *clusterpb.GetClusterResponse) *Cluster {
	out := &Cluster{
		ID: r.GetClusterId(), AnsweringPeer: PeerID(r.GetAnsweringPeer()), Leader: PeerID(r.GetLeader()),
		Term: r.GetTerm(), AppliedIndex: r.GetAppliedIndex(), Version: r.GetVersion(),
	}
	for _, p := range r.GetPeers() {
		out.Peers = append(out.Peers, peerOf(p))
	}
	return out
}

func peerOf(p *clusterpb.Peer) Peer {
	peer := Peer{
		ID: PeerID(p.GetId()), Name: p.GetName(), GRPCAddress: p.GetGrpcAddress(), PeerAddress: p.GetPeerAddress(),
		HTTPAddress: p.GetHttpAddress(), Zone: p.GetZone(), Version: p.GetVersion(), Alive: p.GetAlive(),
		Voter: p.GetVoter(), Leader: p.GetLeader(), Replaced: p.GetReplaced(), Replicas: p.GetReplicas(),
		State: peerStateOf(p.GetState()), Labels: p.GetLabels(), Primaries: p.GetPrimaries(), Bytes: p.GetBytes(),
		DiskFree: p.GetDiskFreeBytes(), DiskTotal: p.GetDiskTotalBytes(), Problem: p.GetProblem(),
	}
	if ms := p.GetLastSeenUnixMs(); ms != 0 {
		peer.LastSeen = time.UnixMilli(ms)
	}
	return peer
}

func peerStateOf(s clusterpb.PeerState) PeerState {
	switch s {
	case clusterpb.PeerState_PEER_STATE_ACTIVE:
		return PeerActive
	case clusterpb.PeerState_PEER_STATE_DRAINING:
		return PeerDraining
	case clusterpb.PeerState_PEER_STATE_MAINTENANCE:
		return PeerMaintenance
	}
	return PeerState("unknown")
}

func (s PeerState) wire() (clusterpb.PeerState, *Error) {
	for wire := range clusterpb.PeerState_name {
		if state := clusterpb.PeerState(wire); peerStateOf(state) == s {
			return state, nil
		}
	}
	return 0, invalid("peer state %q: want active, draining or maintenance", s)
}

func placementOf(p *clusterpb.CollectionPlacement) CollectionPlacement {
	out := CollectionPlacement{
		Collection: p.GetCollection(), ShardNumber: p.GetShardNumber(), ReplicationFactor: p.GetReplicationFactor(),
		WriteConsistencyFactor: p.GetWriteConsistencyFactor(), Warnings: p.GetWarnings(),
		TargetShardNumber: p.GetTargetShardNumber(), Epoch: p.GetEpoch(), Bytes: p.GetBytes(), Points: p.GetPoints(), Operations: p.GetOperations(),
	}
	for _, k := range p.GetShardKeys() {
		out.ShardKeys = append(out.ShardKeys, keyPlacementOf(k))
	}
	for _, m := range p.GetMoves() {
		out.Moves = append(out.Moves, SlotMove{
			ID: m.GetId(), Source: m.GetSourceShard(), Target: m.GetTargetShard(), Slots: m.GetSlots(), Phase: m.GetPhase(),
			Points: m.GetPoints(), TotalPoints: m.GetTotalPoints(), Bytes: m.GetBytes(), Problem: m.GetProblem(), Fill: m.GetFill(),
		})
	}
	for _, s := range p.GetShards() {
		shard := ShardPlacement{
			ID: s.GetShardId(), DeclaredReplicas: s.GetDeclaredReplicas(), ActiveReplicas: s.GetActiveReplicas(),
			Primary: PeerID(s.GetPrimary()), Term: s.GetTerm(), WriteQuorum: s.GetWriteQuorum(), Writable: s.GetWritable(),
			Problem: s.GetProblem(), Version: s.GetVersion(), UnsafePromotions: s.GetUnsafePromotions(), Slots: s.GetSlots(), Pinned: s.GetPinned(),
		}
		if s.ShardKey != nil {
			key := shardKeyOf(s.ShardKey)
			shard.Key = &key
		}
		for _, r := range s.GetReplicas() {
			shard.Replicas = append(shard.Replicas, ReplicaPlacement{
				Peer: PeerID(r.GetPeer()), State: replicaStateOf(r.GetState()), Alive: r.GetAlive(),
				LastIndex: r.GetLastIndex(), AppliedIndex: r.GetAppliedIndex(), Points: r.GetPoints(), Generation: r.GetGeneration(), Differs: r.GetDiffers(),
				Bytes: r.GetBytes(), Transfer: transferOf(r.GetTransfer()),
			})
		}
		out.Shards = append(out.Shards, shard)
	}
	return out
}

func keyPlacementOf(k *clusterpb.ShardKeyPlacement) ShardKeyPlacement {
	key := ShardKeyPlacement{
		Key: shardKeyOf(k.GetKey()), ShardNumber: k.GetShardNumber(), TargetShardNumber: k.GetTargetShardNumber(), ReplicationFactor: k.GetReplicationFactor(), Partial: k.GetPartial(),
	}
	for _, peer := range k.GetPlacement() {
		key.Placement = append(key.Placement, PeerID(peer))
	}
	return key
}

func transferOf(t *clusterpb.Transfer) *Transfer {
	if t == nil {
		return nil
	}
	out := &Transfer{From: PeerID(t.GetFrom()), Bytes: t.GetBytes(), TotalBytes: t.GetTotalBytes(), Problem: t.GetProblem()}
	if ms := t.GetStartedUnixMs(); ms != 0 {
		out.Started = time.UnixMilli(ms)
	}
	return out
}

func replicaStateOf(s clusterpb.ReplicaState) ReplicaState {
	switch s {
	case clusterpb.ReplicaState_ACTIVE:
		return ReplicaActive
	case clusterpb.ReplicaState_DEAD:
		return ReplicaDead
	case clusterpb.ReplicaState_PARTIAL:
		return ReplicaPartial
	}
	return ReplicaState("unknown")
}
