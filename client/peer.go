package client

import (
	"context"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// PeerUpdate changes what is declared of a peer. Nil keeps what there is.
type PeerUpdate struct {
	Zone   *string
	Labels map[string]string // all of them, when not nil
	State  *PeerState
}

// UpdatePeer changes what is declared of a peer. A drain is an operation; else that is nil. ClassNotFound: there is no such
// peer.
func (c *Client) UpdatePeer(ctx context.Context, peer PeerID, u PeerUpdate) (Peer, *Operation, error) {
	op := operation{kind: idempotent, ddl: true, method: clusterService + "UpdatePeer"}
	request := &clusterpb.UpdatePeerRequest{Peer: uint64(peer), Zone: u.Zone}
	if u.Labels != nil {
		request.Labels = &clusterpb.LabelMap{Labels: u.Labels}
	}
	if u.State != nil {
		state, err := u.State.wire()
		if err != nil {
			return Peer{}, nil, named(err, op)
		}
		request.State = &state
	}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.UpdatePeerResponse, error) {
		return e.cluster.UpdatePeer(ctx, request)
	})
	if err != nil {
		return Peer{}, nil, c.explain(ctx, err)
	}
	return peerOf(reply.GetPeer()), operationOf(reply.GetOperation()), nil
}

// RemovePeer removes a peer for good. ClassFailedPrecondition: it holds replicas that others lack. Lose names shards, each as
// COLLECTION/SHARD, of which it holds the last copy and which may be lost; what was lost is returned.
func (c *Client) RemovePeer(ctx context.Context, peer PeerID, lose ...string) (lost []string, err error) {
	op := operation{kind: once, ddl: true, method: clusterService + "RemovePeer"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.RemovePeerResponse, error) {
		return e.cluster.RemovePeer(ctx, &clusterpb.RemovePeerRequest{Peer: uint64(peer), Lose: lose})
	})
	return reply.GetLost(), c.explain(ctx, err)
}

// Settings say how the cluster keeps what is declared. Nil, in an update, keeps what there is.
type Settings struct {
	ReplicaReplaceAfter    *time.Duration // in whole seconds; 0: never
	Paused                 *bool          // nothing but failover is done
	TransfersPerPeer       *uint32        // in each direction
	TransfersPerCluster    *uint32
	TransferBytesPerSecond *uint64 // per peer and direction
	Balance                *bool   // move replicas to even things out
}

// Settings returns how the cluster keeps what is declared.
func (c *Client) Settings(ctx context.Context) (Settings, error) {
	op := operation{kind: read, method: clusterService + "GetSettings"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.GetSettingsResponse, error) {
		return e.cluster.GetSettings(ctx, &clusterpb.GetSettingsRequest{})
	})
	return settingsOf(reply.GetSettings()), c.explain(ctx, err)
}

// UpdateSettings changes how the cluster keeps what is declared, and returns what is then in force.
func (c *Client) UpdateSettings(ctx context.Context, s Settings) (Settings, error) {
	op := operation{kind: idempotent, ddl: true, method: clusterService + "UpdateSettings"}
	wire := &clusterpb.Settings{
		Paused: s.Paused, TransfersPerPeer: s.TransfersPerPeer, TransfersPerCluster: s.TransfersPerCluster,
		TransferBytesPerSecond: s.TransferBytesPerSecond, Balance: s.Balance,
	}
	if s.ReplicaReplaceAfter != nil {
		if *s.ReplicaReplaceAfter < 0 {
			return Settings{}, named(invalid("replica_replace_after %s: must not be negative", *s.ReplicaReplaceAfter), op)
		}
		seconds := uint64(s.ReplicaReplaceAfter.Seconds())
		wire.ReplicaReplaceAfterSeconds = &seconds
	}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.UpdateSettingsResponse, error) {
		return e.cluster.UpdateSettings(ctx, &clusterpb.UpdateSettingsRequest{Settings: wire})
	})
	return settingsOf(reply.GetSettings()), c.explain(ctx, err)
}

func settingsOf(s *clusterpb.Settings) Settings {
	if s == nil {
		return Settings{}
	}
	out := Settings{
		Paused: s.Paused, TransfersPerPeer: s.TransfersPerPeer, TransfersPerCluster: s.TransfersPerCluster,
		TransferBytesPerSecond: s.TransferBytesPerSecond, Balance: s.Balance,
	}
	if s.ReplicaReplaceAfterSeconds != nil {
		after := time.Duration(s.GetReplicaReplaceAfterSeconds()) * time.Second
		out.ReplicaReplaceAfter = &after
	}
	return out
}
