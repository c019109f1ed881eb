package client

import (
	"context"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
)

// ReplicaLocation is a replica of a shard as Qdrant's own API tells it.
type ReplicaLocation struct {
	Shard uint32
	Peer  PeerID
	State string // of Qdrant's: "active", "dead", "partial", "initializing", ...
	Key   *ShardKey
}

// ShardTransfer is a copy of a shard that is being made.
type ShardTransfer struct {
	Shard    uint32
	From, To PeerID
}

// CollectionSetup is where the replicas of a collection are, by Qdrant's own API, which every server has.
type CollectionSetup struct {
	AnsweringPeer PeerID
	Replicas      []ReplicaLocation // ordered by shard, then peer
	Transfers     []ShardTransfer
}

// Setup returns where the replicas of a collection are. Unlike Placement it works on a plain Qdrant, and tells less.
func (c *Client) Setup(ctx context.Context, collection string) (*CollectionSetup, error) {
	op := operation{kind: read, method: collectionsService + "CollectionClusterInfo"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.CollectionClusterInfoResponse, error) {
		return e.collections.CollectionClusterInfo(ctx, &qdrant.CollectionClusterInfoRequest{CollectionName: collection})
	})
	if err != nil {
		return nil, err
	}
	out := &CollectionSetup{AnsweringPeer: PeerID(reply.GetPeerId())}
	add := func(shard uint32, peer uint64, state qdrant.ReplicaState, key *qdrant.ShardKey) {
		r := ReplicaLocation{Shard: shard, Peer: PeerID(peer), State: strings.ToLower(state.String())}
		if key != nil {
			r.Key = &ShardKey{Keyword: key.GetKeyword(), Number: key.GetNumber()}
		}
		out.Replicas = append(out.Replicas, r)
	}
	for _, s := range reply.GetLocalShards() {
		add(s.GetShardId(), reply.GetPeerId(), s.GetState(), s.ShardKey)
	}
	for _, s := range reply.GetRemoteShards() {
		add(s.GetShardId(), s.GetPeerId(), s.GetState(), s.ShardKey)
	}
	slices.SortFunc(out.Replicas, func(a, b ReplicaLocation) int {
		if a.Shard != b.Shard {
			return int(a.Shard) - int(b.Shard)
		}
		return compare(a.Peer, b.Peer)
	})
	for _, t := range reply.GetShardTransfers() {
		out.Transfers = append(out.Transfers, ShardTransfer{Shard: t.GetShardId(), From: PeerID(t.GetFrom()), To: PeerID(t.GetTo())})
	}
	return out, nil
}

func compare(a, b PeerID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ReplicateShard begins to copy a shard from one peer to another, which then holds one more replica of it.
func (c *Client) ReplicateShard(ctx context.Context, collection string, t ShardTransfer) error {
	return c.setup(ctx, &qdrant.UpdateCollectionClusterSetupRequest{
		CollectionName: collection,
		Operation: &qdrant.UpdateCollectionClusterSetupRequest_ReplicateShard{ReplicateShard: &qdrant.ReplicateShard{
			ShardId: t.Shard, FromPeerId: uint64(t.From), ToPeerId: uint64(t.To),
		}},
	})
}

// MoveShard begins to move a replica of a shard from one peer to another.
func (c *Client) MoveShard(ctx context.Context, collection string, t ShardTransfer) error {
	return c.setup(ctx, &qdrant.UpdateCollectionClusterSetupRequest{
		CollectionName: collection,
		Operation: &qdrant.UpdateCollectionClusterSetupRequest_MoveShard{MoveShard: &qdrant.MoveShard{
			ShardId: t.Shard, FromPeerId: uint64(t.From), ToPeerId: uint64(t.To),
		}},
	})
}

// DropReplica removes the replica of a shard from a peer.
func (c *Client) DropReplica(ctx context.Context, collection string, shard uint32, peer PeerID) error {
	return c.setup(ctx, &qdrant.UpdateCollectionClusterSetupRequest{
		CollectionName: collection,
		Operation: &qdrant.UpdateCollectionClusterSetupRequest_DropReplica{
			DropReplica: &qdrant.Replica{ShardId: shard, PeerId: uint64(peer)},
		},
	})
}

func (c *Client) setup(ctx context.Context, request *qdrant.UpdateCollectionClusterSetupRequest) error {
	op := operation{kind: once, ddl: true, method: collectionsService + "UpdateCollectionClusterSetup"}
	_, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.UpdateCollectionClusterSetupResponse, error) {
		return e.collections.UpdateCollectionClusterSetup(ctx, request)
	})
	return err
}
