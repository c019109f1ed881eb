package api

import (
	"context"
	"slices"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// CreateShardKey declares a shard key. Its shards are there, empty, once it returns.
func (s *collectionsService) CreateShardKey(ctx context.Context, r *qdrant.CreateShardKeyRequest) (*qdrant.CreateShardKeyResponse, error) {
	start := time.Now()
	err := s.propose(ctx, r.Timeout, func() (*catalog.Command, error) {
		_, found, err := s.find(ctx, r.GetCollectionName())
		if err != nil {
			return nil, err
		}
		return createKey(found, r.GetRequest())
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.CreateShardKeyResponse{Result: true, Time: since(start)}, nil
}

// DeleteShardKey removes a shard key and its points.
func (s *collectionsService) DeleteShardKey(ctx context.Context, r *qdrant.DeleteShardKeyRequest) (*qdrant.DeleteShardKeyResponse, error) {
	start := time.Now()
	err := s.propose(ctx, r.Timeout, func() (*catalog.Command, error) {
		_, found, err := s.find(ctx, r.GetCollectionName())
		if err != nil {
			return nil, err
		}
		return deleteKey(found, r.GetRequest())
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.DeleteShardKeyResponse{Result: true, Time: since(start)}, nil
}

// ListShardKeys lists none for a collection that is sharded by the ids of its points.
func (s *collectionsService) ListShardKeys(ctx context.Context, r *qdrant.ListShardKeysRequest) (*qdrant.ListShardKeysResponse, error) {
	start := time.Now()
	_, found, err := s.find(ctx, r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	resp := &qdrant.ListShardKeysResponse{}
	for _, k := range found.Keys {
		resp.ShardKeys = append(resp.ShardKeys, &qdrant.ShardKeyDescription{Key: shardKeyTo(&k.Key)})
	}
	resp.Time = since(start)
	return resp, nil
}

func createKey(found *catalog.Collection, r *qdrant.CreateShardKey) (*catalog.Command, error) {
	key, err := shardKeyFrom(r.GetShardKey())
	if err != nil {
		return nil, err
	}
	state := qdrant.ReplicaState_Active
	if r.InitialState != nil {
		state = r.GetInitialState()
	}
	if state != qdrant.ReplicaState_Active && state != qdrant.ReplicaState_Partial {
		return nil, invalid("initial_state: a shard key cannot begin as %s", state)
	}
	cmd := &catalog.CreateShardKey{Collection: found.ID, ShardKey: catalog.ShardKey{
		Key: key, ShardNumber: r.GetShardsNumber(), ReplicationFactor: r.GetReplicationFactor(),
		Partial: state == qdrant.ReplicaState_Partial,
	}}
	for _, id := range r.GetPlacement() {
		cmd.Peers = append(cmd.Peers, catalog.PeerID(id))
	}
	slices.Sort(cmd.Peers)
	cmd.Peers = slices.Compact(cmd.Peers)
	return &catalog.Command{CreateShardKey: cmd}, nil
}

func deleteKey(found *catalog.Collection, r *qdrant.DeleteShardKey) (*catalog.Command, error) {
	key, err := shardKeyFrom(r.GetShardKey())
	if err != nil {
		return nil, err
	}
	return &catalog.Command{DeleteShardKey: &catalog.DeleteShardKey{Collection: found.ID, Key: key, At: time.Now().UnixMilli()}}, nil
}
