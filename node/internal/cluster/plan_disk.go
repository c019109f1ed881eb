package cluster

import (
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
)

// load is what a plan brings to a peer's disk, and takes from it.
type load struct {
	copies, slots, leaves uint64
}

// disks tells of peers whose disks are too small for what comes to them. The reconciler looks at each copy by itself when its turn
// comes, and would stop half-way; here they are summed up. What leaves a peer makes room for what comes.
func (q *question) disks(f reconcile.Forecast) {
	loads := map[catalog.PeerID]*load{}
	of := func(id catalog.PeerID) *load {
		if loads[id] == nil {
			loads[id] = &load{}
		}
		return loads[id]
	}
	each := func(ref catalog.ShardRef, do func(*load)) { // peer with a copy
		if _, sh, ok := f.State.Shard(ref); ok {
			for _, r := range sh.Replicas {
				do(of(r.Peer))
			}
		}
	}
	for _, step := range f.Steps {
		ref, about := step.Shard()
		switch {
		case !about || step.Failover != nil:
		case step.Kind() == "move_slots":
			source := catalog.ShardRef{Collection: ref.Collection, Shard: step.Change.ChangeMove.Begin.Source}
			each(ref, func(l *load) { l.slots += step.Bytes })
			each(source, func(l *load) { l.leaves += step.Bytes })
		case step.Kind() == "drop_replica":
			of(step.From).leaves += q.obs.Bytes[ref]
		case step.To != 0:
			of(step.To).copies += step.Bytes
		}
	}
	for _, id := range slices.Sorted(maps.Keys(loads)) {
		l, h := *loads[id], q.obs.Peers[id]
		comes := l.copies + l.slots
		if comes <= l.leaves || !h.Alive || h.Room(comes-l.leaves) {
			continue
		}
		q.found(clusterpb.PlanFinding_ERROR, "disk_too_small", q.diskField(l),
			"peer %s would need %s more and has %s to spare (%s are free, some of which stays so for what is written): enlarge its disk, or add peers",
			name(q.state, id), disk.Size(comes-l.leaves), disk.Size(h.Spare()), disk.Size(h.DiskFree))
	}
}

// diskField is the attribute that brings most of a load.
func (q *question) diskField(l load) string {
	switch {
	case q.peer != nil:
		return "state"
	case q.collection == nil:
		return ""
	case l.slots > l.copies:
		return "shard_number"
	}
	return "replication_factor"
}

// stuck tells of copies that cannot leave a peer that is to be drained, because no other disk has room for them.
func (q *question) stuck(f reconcile.Forecast) {
	id := catalog.PeerID(q.peer.GetPeer()) // 0: none
	if p, ok := f.State.Peers[id]; !ok || p.State != catalog.Draining {
		return
	}
	stay, largest := 0, uint64(0)
	for ref, sh := range f.State.Shards() {
		if _, held := sh.Replica(id); held && q.cramped(f.State, sh, q.obs.Bytes[ref]) {
			stay, largest = stay+1, max(largest, q.obs.Bytes[ref])
		}
	}
	if stay > 0 {
		q.found(clusterpb.PlanFinding_ERROR, "disk_too_small", "state", "%s cannot leave %s: no other disk has room (the largest needs %s): add peers or enlarge their disks",
			count(stay, "replica"), name(f.State, id), disk.Size(largest))
	}
}

// uncut tells of shards that cannot be cut, because no disk has room for what would move.
func (q *question) uncut(f reconcile.Forecast, cols []*catalog.Collection) {
	for _, col := range cols {
		end, ok := f.State.Collections[col.ID]
		if !ok {
			continue
		}
		for _, g := range end.Groups() {
			owners, largest := uint64(g.Owning()), uint64(0)
			for _, sh := range g.Shards {
				if sh.Owns() > 0 {
					largest = max(largest, q.obs.Bytes[catalog.ShardRef{Collection: end.ID, Shard: sh.ID}])
				}
			}
			if owners == 0 || owners >= uint64(g.Number) {
				continue
			}
			part := largest * owners / uint64(g.Number)
			if slices.ContainsFunc(serving(f.State), func(p *catalog.Peer) bool { h := q.obs.Peers[p.ID]; return h.Alive && !h.Room(part) }) {
				q.found(clusterpb.PlanFinding_ERROR, "disk_too_small", "shard_number",
					"%s stays at %s of %d: too few disks have room for another (about %s each): add peers or enlarge their disks",
					end.Name, count(int(owners), "shard"), g.Number, disk.Size(part))
			}
		}
	}
}
