package fakecluster

import (
	"context"
	"fmt"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// Points lets every replica hold so many points.
func (c *Cluster) Points(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.points = n
}

func ours(k *qdrant.ShardKey) *clusterpb.ShardKey {
	if word, ok := k.GetKey().(*qdrant.ShardKey_Keyword); ok {
		return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: word.Keyword}}
	}
	return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: k.GetNumber()}}
}

func theirs(k *clusterpb.ShardKey) *qdrant.ShardKey {
	if word, ok := k.GetKey().(*clusterpb.ShardKey_Keyword); ok {
		return qdrant.NewShardKeyKeyword(word.Keyword)
	}
	return qdrant.NewShardKeyNum(k.GetNumber())
}

func (c *collection) find(key *clusterpb.ShardKey) *shardKey {
	for _, k := range c.keys {
		if proto.Equal(k.key, key) {
			return k
		}
	}
	return nil
}

// count returns how many shards a key has.
func (c *collection) count(k *shardKey) uint32 {
	n := uint32(0)
	for _, s := range c.shards {
		if s.key == k {
			n++
		}
	}
	return n
}

// stepKeys makes or drops one shard of each key.
func (c *collection) stepKeys(peers []*clusterpb.Peer) {
	for _, k := range c.keys {
		switch n := c.count(k); {
		case n < k.shards:
			c.addShard(k, peers)
		case n > k.shards:
			last := 0
			for i, s := range c.shards {
				if s.key == k {
					last = i
				}
			}
			c.shards = slices.Delete(c.shards, last, last+1)
		}
	}
}

func (c *collection) addShard(k *shardKey, peers []*clusterpb.Peer) {
	config := proto.Clone(c.config).(*qdrant.CollectionConfig)
	config.Params.ReplicationFactor = &k.replicas
	if len(k.placement) > 0 {
		peers = slices.DeleteFunc(slices.Clone(peers), func(p *clusterpb.Peer) bool { return !slices.Contains(k.placement, p.GetId()) })
	}
	s := newShard(len(c.shards), config, peers)
	s.key = k
	c.shards = append(c.shards, s)
}

func (s *collectionsService) CreateShardKey(_ context.Context, r *qdrant.CreateShardKeyRequest) (*qdrant.CreateShardKeyResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.mu.collections[r.GetCollectionName()]
	if !ok {
		return nil, missing(r.GetCollectionName())
	}
	p := found.config.GetParams()
	if p.GetShardingMethod() != qdrant.ShardingMethod_Custom {
		return nil, wrong("Shard Key cannot be created with Auto sharding method")
	}
	want := r.GetRequest()
	k := &shardKey{key: ours(want.GetShardKey()), shards: p.GetShardNumber(), replicas: p.GetReplicationFactor(), placement: want.GetPlacement()}
	if want.ShardsNumber != nil {
		k.shards = want.GetShardsNumber()
	}
	if want.ReplicationFactor != nil {
		k.replicas = want.GetReplicationFactor()
	}
	if found.find(k.key) != nil {
		return nil, wrong("Sharding key %s already exists", k.key)
	}
	found.keys = append(found.keys, k)
	for range k.shards {
		found.addShard(k, c.mu.peers)
	}
	c.mu.log = append(c.mu.log, fmt.Sprintf("key %s %s%d", found.name, k.key.GetKeyword(), k.key.GetNumber()))
	return &qdrant.CreateShardKeyResponse{Result: true}, nil
}

func (s *collectionsService) DeleteShardKey(_ context.Context, r *qdrant.DeleteShardKeyRequest) (*qdrant.DeleteShardKeyResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.mu.collections[r.GetCollectionName()]
	if !ok {
		return nil, missing(r.GetCollectionName())
	}
	k := found.find(ours(r.GetRequest().GetShardKey()))
	if k == nil {
		return nil, wrong("Sharding key does not exist")
	}
	found.keys = slices.DeleteFunc(found.keys, func(other *shardKey) bool { return other == k })
	found.shards = slices.DeleteFunc(found.shards, func(s *shard) bool { return s.key == k })
	return &qdrant.DeleteShardKeyResponse{Result: true}, nil
}

func (s *collectionsService) ListShardKeys(_ context.Context, r *qdrant.ListShardKeysRequest) (*qdrant.ListShardKeysResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.mu.collections[r.GetCollectionName()]
	if !ok {
		return nil, missing(r.GetCollectionName())
	}
	out := &qdrant.ListShardKeysResponse{}
	for _, k := range found.keys {
		out.ShardKeys = append(out.ShardKeys, &qdrant.ShardKeyDescription{Key: theirs(k.key)})
	}
	return out, nil
}

// KeyReplicas changes how many replicas a key has behind everybody's back.
func (c *Cluster) KeyReplicas(name, word string, n uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.mu.collections[name].keys {
		if k.key.GetKeyword() == word {
			k.replicas = n
		}
	}
}

// DropKey deletes a key behind everybody's back.
func (c *Cluster) DropKey(name, word string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.mu.collections[name]
	found.keys = slices.DeleteFunc(found.keys, func(k *shardKey) bool { return k.key.GetKeyword() == word })
	found.shards = slices.DeleteFunc(found.shards, func(s *shard) bool { return s.key != nil && s.key.key.GetKeyword() == word })
}

func (c *Cluster) reshardKeyLocked(found *collection, r *clusterpb.ReshardRequest) (*clusterpb.ReshardResponse, error) {
	k := found.find(r.GetShardKey())
	if k == nil {
		return nil, wrong("Sharding key does not exist")
	}
	from := found.count(k)
	if k.shards != r.GetShardNumber() {
		c.mu.log = append(c.mu.log, fmt.Sprintf("reshard %s/%s%d %d->%d", found.name, k.key.GetKeyword(), k.key.GetNumber(), k.shards, r.GetShardNumber()))
	}
	k.shards = r.GetShardNumber()
	if from == k.shards {
		return &clusterpb.ReshardResponse{}, nil
	}
	return &clusterpb.ReshardResponse{Operation: c.beginLocked(&operation{
		said: &clusterpb.Operation{Kind: "reshard", Collection: found.name, ShardKey: k.key, FromShardNumber: from, ToShardNumber: k.shards},
		done: func() (int, int) {
			left := int(k.shards) - int(found.count(k))
			return 10 - max(left, -left), 10
		},
		step: func() { found.step(c.mu.peers) },
	})}, nil
}

func (k *shardKey) allows(peer uint64) bool {
	return len(k.placement) == 0 || slices.Contains(k.placement, peer)
}

// leave moves or drops a copy that is where its key may not be, and reports whether there is one.
func (s *shard) leave(peers []*clusterpb.Peer) bool {
	for i, peer := range s.replicas {
		if s.key.allows(peer) {
			continue
		}
		s.replicas = slices.Delete(s.replicas, i, i+1)
		for _, p := range peers {
			if p.GetAlive() && s.key.allows(p.GetId()) && !slices.Contains(s.replicas, p.GetId()) && len(s.replicas) < int(s.key.replicas) {
				s.replicas = append(s.replicas, p.GetId())
				break
			}
		}
		return true
	}
	return false
}

func (s *clusterService) UpdateShardKey(_ context.Context, r *clusterpb.UpdateShardKeyRequest) (*clusterpb.UpdateShardKeyResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.mu.collections[r.GetCollection()]
	if !ok {
		return nil, missing(r.GetCollection())
	}
	k := found.find(r.GetShardKey())
	if k == nil {
		return nil, missing(r.GetShardKey().String())
	}
	text := fmt.Sprintf("update %s/%s%d", found.name, k.key.GetKeyword(), k.key.GetNumber())
	if r.ReplicationFactor != nil {
		text += fmt.Sprintf(" replicas %d->%d", k.replicas, r.GetReplicationFactor())
		k.replicas = r.GetReplicationFactor()
	}
	if r.Placement != nil {
		k.placement = slices.Sorted(slices.Values(r.GetPlacement().GetPeers()))
		text += fmt.Sprintf(" on %d", k.placement)
	}
	c.mu.log = append(c.mu.log, text)
	return &clusterpb.UpdateShardKeyResponse{ShardKey: &clusterpb.ShardKeyPlacement{
		Key: k.key, ShardNumber: found.count(k), TargetShardNumber: k.shards, ReplicationFactor: k.replicas, Placement: k.placement,
	}}, nil
}
