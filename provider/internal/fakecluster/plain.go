package fakecluster

import (
	"context"
	"fmt"
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

// CollectionClusterInfo shows where the replicas are, as the first peer answers. What is being copied is there at the next look.
func (s *collectionsService) CollectionClusterInfo(_ context.Context, r *qdrant.CollectionClusterInfoRequest) (*qdrant.CollectionClusterInfoResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.mu.collections[r.GetCollectionName()]
	if !ok {
		return nil, missing(r.GetCollectionName())
	}
	self := c.mu.peers[0].GetId()
	out := &qdrant.CollectionClusterInfoResponse{PeerId: self, ShardCount: uint64(len(found.shards))}
	for i, shard := range found.shards {
		for _, peer := range shard.replicas {
			state := qdrant.ReplicaState_Active
			if slices.Contains(shard.copying, peer) {
				state = qdrant.ReplicaState_Partial
				out.ShardTransfers = append(out.ShardTransfers, &qdrant.ShardTransferInfo{ShardId: uint32(i), From: shard.replicas[0], To: peer, Sync: true})
			}
			if peer == self {
				out.LocalShards = append(out.LocalShards, &qdrant.LocalShardInfo{ShardId: uint32(i), State: state})
				continue
			}
			out.RemoteShards = append(out.RemoteShards, &qdrant.RemoteShardInfo{ShardId: uint32(i), PeerId: peer, State: state})
		}
		if !c.mu.frozen {
			shard.copying = nil
		}
	}
	return out, nil
}

// UpdateCollectionClusterSetup makes and drops single copies.
func (s *collectionsService) UpdateCollectionClusterSetup(_ context.Context, r *qdrant.UpdateCollectionClusterSetupRequest) (*qdrant.UpdateCollectionClusterSetupResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.mu.collections[r.GetCollectionName()]
	if !ok {
		return nil, missing(r.GetCollectionName())
	}
	switch o := r.GetOperation().(type) {
	case *qdrant.UpdateCollectionClusterSetupRequest_ReplicateShard:
		shard := found.shards[o.ReplicateShard.GetShardId()]
		to := o.ReplicateShard.GetToPeerId()
		if slices.Contains(shard.replicas, to) || !slices.Contains(shard.replicas, o.ReplicateShard.GetFromPeerId()) || c.findLocked(to) == nil {
			return nil, wrong("shard %d cannot be replicated to %d", o.ReplicateShard.GetShardId(), to)
		}
		shard.replicas, shard.copying = append(shard.replicas, to), append(shard.copying, to)
		c.mu.log = append(c.mu.log, fmt.Sprintf("replicate %s/%d to %d", found.name, o.ReplicateShard.GetShardId(), to))
	case *qdrant.UpdateCollectionClusterSetupRequest_DropReplica:
		shard := found.shards[o.DropReplica.GetShardId()]
		if len(shard.replicas) == 1 {
			return nil, wrong("the last replica")
		}
		shard.replicas = slices.DeleteFunc(shard.replicas, func(p uint64) bool { return p == o.DropReplica.GetPeerId() })
		c.mu.log = append(c.mu.log, fmt.Sprintf("drop %s/%d from %d", found.name, o.DropReplica.GetShardId(), o.DropReplica.GetPeerId()))
	default:
		return nil, wrong("operation %T", o)
	}
	return &qdrant.UpdateCollectionClusterSetupResponse{Result: true}, nil
}
