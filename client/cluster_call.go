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
		peer := Peer{
			ID: PeerID(p.GetId()), Name: p.GetName(), GRPCAddress: p.GetGrpcAddress(), PeerAddress: p.GetPeerAddress(),
			HTTPAddress: p.GetHttpAddress(), Zone: p.GetZone(), Version: p.GetVersion(), Alive: p.GetAlive(),
			Voter: p.GetVoter(), Leader: p.GetLeader(), Replaced: p.GetReplaced(), Replicas: p.GetReplicas(),
		}
		if ms := p.GetLastSeenUnixMs(); ms != 0 {
			peer.LastSeen = time.UnixMilli(ms)
		}
		out.Peers = append(out.Peers, peer)
	}
	return out
}

func placementOf(p *clusterpb.CollectionPlacement) CollectionPlacement {
	out := CollectionPlacement{
		Collection: p.GetCollection(), ShardNumber: p.GetShardNumber(), ReplicationFactor: p.GetReplicationFactor(),
		WriteConsistencyFactor: p.GetWriteConsistencyFactor(), Warnings: p.GetWarnings(),
	}
	for _, s := range p.GetShards() {
		shard := ShardPlacement{
			ID: s.GetShardId(), DeclaredReplicas: s.GetDeclaredReplicas(), ActiveReplicas: s.GetActiveReplicas(),
			Primary: PeerID(s.GetPrimary()), Term: s.GetTerm(), WriteQuorum: s.GetWriteQuorum(), Writable: s.GetWritable(),
			Problem: s.GetProblem(), Version: s.GetVersion(), UnsafePromotions: s.GetUnsafePromotions(),
		}
		for _, r := range s.GetReplicas() {
			shard.Replicas = append(shard.Replicas, ReplicaPlacement{
				Peer: PeerID(r.GetPeer()), State: replicaStateOf(r.GetState()), Alive: r.GetAlive(),
				LastIndex: r.GetLastIndex(), AppliedIndex: r.GetAppliedIndex(), Points: r.GetPoints(), Generation: r.GetGeneration(), Differs: r.GetDiffers(),
			})
		}
		out.Shards = append(out.Shards, shard)
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
