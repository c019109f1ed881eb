package cluster

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
)

// changeKey declares a shard key of a collection that exists, or changes what is declared of one.
func (q *question) changeKey() (*catalog.State, bool) {
	c := q.collection
	key, err := keyFromWire(c.GetShardKey())
	if err != nil {
		return q.refused("shard_key", err)
	}
	q.key = key
	if c.WriteConsistencyFactor != nil && c.GetWriteConsistencyFactor() != q.col.Config.WriteConsistencyFactor {
		q.found(clusterpb.PlanFinding_ERROR, "refused", "write_consistency_factor",
			"the change would be refused: the write_consistency_factor of shard key %s is that of %s", key, q.col.Name)
		return q.state, false
	}
	if _, exists := q.col.ShardKey(*key); !exists {
		return q.createKey(q.state, *key)
	}
	return q.updateKey(*key)
}

// updateKey changes the copies and the peers of a shard key, and cuts its shards anew.
func (q *question) updateKey(key point.ShardKey) (*catalog.State, bool) {
	c, s, ok := q.collection, q.state, true
	g, err := q.col.Group(&key)
	if err != nil {
		return q.refused("shard_key", err)
	}
	if c.ReplicationFactor != nil || c.Placement != nil {
		change := keyChange(q.col.ID, key, c.ReplicationFactor, c.Placement)
		next := *g.Key
		if c.ReplicationFactor != nil {
			next.ReplicationFactor = c.GetReplicationFactor()
		}
		if c.Placement != nil {
			next.Peers = *change.Peers
		}
		if s, _, ok = q.apply(s, catalog.Command{UpdateShardKey: change}, q.keyField(&next)); !ok {
			return s, false
		}
	}
	if c.ShardNumber != nil && c.GetShardNumber() != g.Number {
		reshard := &catalog.Reshard{Collection: q.col.ID, Key: &key, ShardNumber: c.GetShardNumber(), At: q.view.Now.UnixMilli()}
		s, _, ok = q.apply(s, catalog.Command{Reshard: reshard}, "shard_number")
	}
	return s, ok
}

// createKey declares a shard key of q.col, which is the first of a collection that is new in s.
func (q *question) createKey(s *catalog.State, key point.ShardKey) (*catalog.State, bool) {
	c := q.collection
	declared := catalog.ShardKey{Key: key, ShardNumber: c.GetShardNumber(), Peers: peersFromWire(c.GetPlacement())}
	if q.key != nil { // else the number is the collection's, and stays so
		declared.ReplicationFactor = c.GetReplicationFactor()
	}
	s, _, ok := q.apply(s, catalog.Command{CreateShardKey: &catalog.CreateShardKey{Collection: q.col.ID, ShardKey: declared}}, q.keyField(&declared))
	if !ok {
		return s, false
	}
	q.col = s.Collections[q.col.ID]
	q.newShards(s)
	return s, true
}

// keyField is the attribute because of which a shard key would be refused, if it is.
func (q *question) keyField(k *catalog.ShardKey) string {
	switch n := q.col.Copies(k); {
	case !q.col.Config.Custom():
		return "shard_key"
	case slices.ContainsFunc(k.Peers, q.state.Gone):
		return "placement"
	case n < int(q.col.Config.WriteConsistencyFactor), n > catalog.MaxReplicas:
		return "replication_factor"
	case len(k.Peers) > 0 && n > len(k.Peers), len(k.Peers) > catalog.MaxKeyPeers:
		return "placement"
	case k.ShardNumber > 0:
		return "shard_number"
	}
	return "shard_key"
}

// peersFromWire orders the peers, each once.
func peersFromWire(w *clusterpb.PeerSet) []catalog.PeerID {
	var peers []catalog.PeerID
	for _, id := range w.GetPeers() {
		peers = append(peers, catalog.PeerID(id))
	}
	slices.Sort(peers)
	return slices.Compact(peers)
}

// within narrows a collection to the shard key that is asked about.
func (q *question) within(col *catalog.Collection) *catalog.Collection {
	if q.key == nil {
		return col
	}
	part, err := col.Within(*q.key)
	if err != nil {
		return &catalog.Collection{ID: col.ID, Name: col.Name, Config: col.Config}
	}
	return part
}

// about leaves out what is foreseen of other shard keys than the one that is asked about.
func (q *question) about(f reconcile.Forecast) reconcile.Forecast {
	if q.key == nil {
		return f
	}
	f.Steps = slices.DeleteFunc(f.Steps, func(step reconcile.Foreseen) bool {
		ref, ok := step.Shard()
		_, sh, there := f.State.Shard(ref)
		if !there {
			_, sh, there = q.state.Shard(ref)
		}
		return !ok || there && !sh.Key.Same(q.key)
	})
	return f
}

// full tells of peers that new shards would be placed on although their disks have no room for points.
func (q *question) full(s *catalog.State) {
	told := map[catalog.PeerID]bool{}
	for _, sh := range q.within(q.col).Shards {
		for _, r := range sh.Replicas {
			h := q.obs.Peers[r.Peer]
			if told[r.Peer] || h.Room(1) && !h.DiskFull {
				continue
			}
			told[r.Peer] = true
			q.found(clusterpb.PlanFinding_WARNING, "disk_too_small", "",
				"peer %s is to hold new shards and has no room for points (%s are free, a tenth of the disk, 8 GiB at most, stays so): enlarge its disk, or add peers",
				name(s, r.Peer), disk.Size(h.DiskFree))
		}
	}
}
