package fakecluster

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// collection is one collection and where its replicas really are.
type collection struct {
	name   string
	config *qdrant.CollectionConfig
	schema map[string]*qdrant.PayloadSchemaInfo
	shards []*shard
	keys   []*shardKey
}

type shard struct {
	replicas []uint64 // peers, the primary first
	quorum   uint32
	key      *shardKey // nil without custom sharding
	copying  []uint64  // the replicas that are not complete yet
}

// shardKey is one key and what was declared of it.
type shardKey struct {
	key       *clusterpb.ShardKey
	shards    uint32
	replicas  uint32
	placement []uint64
}

// newCollection places what a node places at once: every replica for which there is a peer alive.
func newCollection(name string, config *qdrant.CollectionConfig, peers []*clusterpb.Peer) *collection {
	c := &collection{name: name, config: config, schema: map[string]*qdrant.PayloadSchemaInfo{}}
	if config.GetParams().GetShardingMethod() == qdrant.ShardingMethod_Custom {
		return c // shards come with shard keys
	}
	for i := range int(config.GetParams().GetShardNumber()) {
		c.shards = append(c.shards, newShard(i, config, peers))
	}
	return c
}

func newShard(i int, config *qdrant.CollectionConfig, peers []*clusterpb.Peer) *shard {
	s := &shard{quorum: config.GetParams().GetWriteConsistencyFactor()}
	for j := range peers {
		p := peers[(i+j)%len(peers)]
		if p.GetAlive() && len(s.replicas) < int(config.GetParams().GetReplicationFactor()) {
			s.replicas = append(s.replicas, p.GetId())
		}
	}
	return s
}

// describe tells an update as the log shows it: what the replicas were, and what is asked for.
func (c *collection) describe(next *qdrant.CollectionConfig) string {
	fewest := 1 << 10
	for _, s := range c.shards {
		fewest = min(fewest, len(s.replicas))
	}
	text := fmt.Sprintf("update %s", c.name)
	was, is := c.config.GetParams(), next.GetParams()
	if was.GetReplicationFactor() != is.GetReplicationFactor() {
		text += fmt.Sprintf(" replicas %d->%d", was.GetReplicationFactor(), is.GetReplicationFactor())
	}
	if was.GetWriteConsistencyFactor() != is.GetWriteConsistencyFactor() {
		text += fmt.Sprintf(" consistency %d->%d with %d replicas", was.GetWriteConsistencyFactor(), is.GetWriteConsistencyFactor(), fewest)
	}
	return text
}

// step makes or drops one replica of each shard and one shard, and puts the declared write quorum in force once it can be
// met.
func (c *collection) step(peers []*clusterpb.Peer) {
	if c.config.GetParams().GetShardingMethod() != qdrant.ShardingMethod_Custom {
		switch n := int(c.config.GetParams().GetShardNumber()); {
		case len(c.shards) < n:
			c.shards = append(c.shards, newShard(len(c.shards), c.config, peers))
		case len(c.shards) > n:
			c.shards = c.shards[:len(c.shards)-1]
		}
	}
	c.stepKeys(peers)
	for i, s := range c.shards {
		declared := int(c.config.GetParams().GetReplicationFactor())
		if s.key != nil {
			declared = int(s.key.replicas)
		}
		if s.key != nil && s.leave(peers) {
			continue
		}
		switch {
		case len(s.replicas) > declared:
			s.replicas = s.replicas[:len(s.replicas)-1]
		case len(s.replicas) < declared:
			for j := range peers {
				p := peers[(i+j)%len(peers)]
				if p.GetAlive() && !slices.Contains(s.replicas, p.GetId()) && (s.key == nil || s.key.allows(p.GetId())) {
					s.replicas = append(s.replicas, p.GetId())
					break
				}
			}
		}
		s.quorum = c.config.GetParams().GetWriteConsistencyFactor()
	}
}

type clusterService struct {
	clusterpb.UnimplementedClusterServer
	cluster *Cluster
}

func (s *clusterService) GetCluster(context.Context, *clusterpb.GetClusterRequest) (*clusterpb.GetClusterResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &clusterpb.GetClusterResponse{
		ClusterId: "fake", AnsweringPeer: c.mu.peers[0].GetId(), Leader: c.mu.peers[0].GetId(), Term: 3, AppliedIndex: 7, Version: "0.1.0",
	}
	for _, p := range c.mu.peers {
		out.Peers = append(out.Peers, c.peerLocked(p))
	}
	return out, nil
}

// peerLocked is a peer with how many replicas it holds.
func (c *Cluster) peerLocked(p *clusterpb.Peer) *clusterpb.Peer {
	out := proto.Clone(p).(*clusterpb.Peer)
	out.Replicas = 0
	for _, found := range c.mu.collections {
		for _, s := range found.shards {
			if slices.Contains(s.replicas, p.GetId()) {
				out.Replicas++
			}
		}
	}
	return out
}

func (s *clusterService) GetPlacement(_ context.Context, r *clusterpb.GetPlacementRequest) (*clusterpb.GetPlacementResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	names := r.GetCollections()
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(c.mu.collections))
	}
	out := &clusterpb.GetPlacementResponse{}
	for _, name := range names {
		found, ok := c.mu.collections[name]
		if !ok {
			return nil, missing(name)
		}
		out.Collections = append(out.Collections, c.placementLocked(found))
		if !c.mu.frozen {
			found.step(c.mu.peers) // seen at the next look
		}
	}
	return out, nil
}

func (c *Cluster) placementLocked(found *collection) *clusterpb.CollectionPlacement {
	p := found.config.GetParams()
	out := &clusterpb.CollectionPlacement{
		Collection: found.name, ShardNumber: uint32(len(found.shards)), TargetShardNumber: p.GetShardNumber(), ReplicationFactor: p.GetReplicationFactor(),
		WriteConsistencyFactor: p.GetWriteConsistencyFactor(),
	}
	for _, k := range found.keys {
		out.ShardKeys = append(out.ShardKeys, &clusterpb.ShardKeyPlacement{
			Key: k.key, ShardNumber: found.count(k), TargetShardNumber: k.shards, ReplicationFactor: k.replicas, Placement: k.placement,
		})
	}
	for i, s := range found.shards {
		declared := p.GetReplicationFactor()
		if s.key != nil {
			declared = s.key.replicas
		}
		sp := c.shardLocked(uint32(i), s, declared)
		out.Shards = append(out.Shards, sp)
		if sp.GetProblem() != "" {
			out.Warnings = append(out.Warnings, fmt.Sprintf("shard %d: %s", i, sp.GetProblem()))
		}
	}
	return out
}

func (c *Cluster) shardLocked(id uint32, s *shard, declared uint32) *clusterpb.ShardPlacement {
	out := &clusterpb.ShardPlacement{
		ShardId: id, DeclaredReplicas: declared, WriteQuorum: s.quorum, Term: 1, Version: 1, Primary: s.replicas[0],
	}
	for _, peer := range slices.Sorted(slices.Values(s.replicas)) {
		alive := slices.ContainsFunc(c.mu.peers, func(p *clusterpb.Peer) bool { return p.GetId() == peer && p.GetAlive() })
		if alive {
			out.ActiveReplicas++
		}
		out.Replicas = append(out.Replicas, &clusterpb.ReplicaPlacement{
			Peer: peer, State: clusterpb.ReplicaState_ACTIVE, Alive: alive, Points: c.mu.points,
		})
	}
	if s.key != nil {
		out.ShardKey = s.key.key
	}
	for _, peer := range s.replicas {
		if s.key != nil && !s.key.allows(peer) {
			out.Problem = fmt.Sprintf("the replica on %d is to go", peer)
		}
	}
	out.Writable = out.GetActiveReplicas() >= s.quorum
	if out.GetActiveReplicas() != declared {
		out.Problem = fmt.Sprintf("%d replicas declared, %d active", declared, out.GetActiveReplicas())
	}
	return out
}
