package cluster

import (
	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// create declares the collection that does not exist yet. One with custom sharding has no shards before it has shard keys: one of
// those is created with it, if it is named.
func (q *question) create() (*catalog.State, bool) {
	c := q.collection
	if c.GetWriteConsistencyFactor() > c.GetReplicationFactor() {
		q.found(clusterpb.PlanFinding_ERROR, "quorum_unreachable", "write_consistency_factor",
			"a write of %s would need %d of %d copies, and could never succeed: declare write_consistency_factor %d at most",
			c.GetCollection(), c.GetWriteConsistencyFactor(), c.GetReplicationFactor(), c.GetReplicationFactor())
		return q.state, false
	}
	config := catalog.Config{
		ShardNumber: c.GetShardNumber(), ReplicationFactor: c.GetReplicationFactor(), WriteConsistencyFactor: c.GetWriteConsistencyFactor(),
	}
	if c.GetCustomSharding() {
		config.Sharding = catalog.CustomSharding
	}
	s, r, ok := q.apply(q.state, catalog.Command{CreateCollection: &catalog.CreateCollection{Name: c.GetCollection(), Config: config}}, "")
	if !ok {
		return s, false
	}
	q.col = s.Collections[r.Collection]
	switch {
	case c.GetShardKey() != nil:
		key, err := keyFromWire(c.GetShardKey())
		if err != nil {
			return q.refused("shard_key", err)
		}
		return q.createKey(s, *key)
	case config.Custom():
		q.found(clusterpb.PlanFinding_INFO, "no_shard_keys", "",
			"%s has no shards until it has shard keys: each comes with %s, unless it says otherwise", q.col.Name, count(int(c.GetShardNumber()), "shard"))
	}
	q.newShards(s)
	return s, true
}

// newShards tells where shards are that come with what is created.
func (q *question) newShards(s *catalog.State) {
	for _, sh := range q.within(q.col).Shards {
		shard, why := uint32(sh.ID), "new"
		if sh.Key != nil {
			why += ", of shard key " + sh.Key.String()
		}
		where := make([]string, len(sh.Replicas))
		for i, r := range sh.Replicas {
			where[i] = name(s, r.Peer)
		}
		q.add(&clusterpb.PlannedStep{
			Kind: "create_shard", Collection: q.col.Name, ShardId: &shard, ToPeer: uint64(sh.Primary), Why: why + ", on " + listed(where),
		})
	}
	q.full(s)
}
