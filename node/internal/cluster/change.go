package cluster

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
)

// Changes tells as events what happened between two states of the metadata, the earlier one first. States in between
// that nobody saw leave their outcome only.
func Changes(before, after *catalog.State) []event.Event {
	d := differ{before: before, after: after}
	d.peers()
	d.declared()
	for _, id := range slices.Sorted(maps.Keys(before.Collections)) {
		if _, ok := after.Collections[id]; !ok {
			name := before.Collections[id].Name
			d.add(event.CollectionDeleted, event.Info, event.Event{Collection: name, Text: "collection " + name + " was deleted"})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(after.Collections)) {
		if was, ok := before.Collections[id]; ok {
			d.collection(was, after.Collections[id])
			continue
		}
		col := after.Collections[id]
		d.add(event.CollectionCreated, event.Info, event.Event{Collection: col.Name, Text: fmt.Sprintf(
			"collection %s was created: %d shards, %d replicas, write consistency %d",
			col.Name, col.Config.ShardNumber, col.Config.ReplicationFactor, col.Config.WriteConsistencyFactor)})
	}
	return d.events
}

type differ struct {
	before, after *catalog.State
	events        []event.Event
}

func (d *differ) add(kind event.Kind, severity event.Severity, e event.Event) {
	e.Kind, e.Severity = kind, severity
	d.events = append(d.events, e)
}

// name names a peer; one that is gone by the later state is still known from the earlier one.
func (d *differ) name(id catalog.PeerID) string {
	if _, ok := d.after.Peers[id]; ok {
		return name(d.after, id)
	}
	return name(d.before, id)
}

func (d *differ) peers() {
	all := map[catalog.PeerID]bool{}
	for _, s := range []*catalog.State{d.before, d.after} {
		for id := range s.Peers {
			all[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		was, known := d.before.Peers[id]
		now, member := d.after.Peers[id]
		e := event.Event{Peer: uint64(id)}
		switch {
		case !known && member:
			e.Text = fmt.Sprintf("%s (%s) joined the cluster", now.Name, now.PeerAddr)
			d.add(event.PeerJoined, event.Info, e)
		case known && !member && !was.Removed:
			e.Text = was.Name + " is no member any more"
			d.add(event.PeerRemoved, event.Warn, e)
		case !known || !member:
		case !was.Removed && now.Removed:
			e.Text = was.Name + " was removed for good: what it held is made anew elsewhere"
			d.add(event.PeerRemoved, event.Warn, e)
		case !was.Replaced && now.Replaced:
			e.Text = fmt.Sprintf("%s came back with an empty disk, as another peer: what peer %d held is lost", now.Name, id)
			d.add(event.PeerReplaced, event.Error, e)
		}
	}
}

func (d *differ) collection(was, now *catalog.Collection) {
	if was == now {
		return
	}
	old := make(map[catalog.ShardID]*catalog.Shard, len(was.Shards))
	for _, sh := range was.Shards {
		old[sh.ID] = sh
	}
	for _, sh := range now.Shards {
		if before, ok := old[sh.ID]; ok && before.Version != sh.Version {
			d.shard(now, before, sh)
		}
	}
	d.cut(was, now, old)
}

func (d *differ) shard(col *catalog.Collection, was, now *catalog.Shard) {
	about := func(peer catalog.PeerID, format string, args ...any) event.Event {
		text := fmt.Sprintf("shard %d of %s: ", now.ID, col.Name) + fmt.Sprintf(format, args...)
		return event.Event{Collection: col.Name, Shard: uint32(now.ID), HasShard: true, Peer: uint64(peer), Text: text}
	}
	if now.Term != was.Term {
		kind, severity, how := event.Promotion, event.Info, ""
		if now.UnsafePromotions > was.UnsafePromotions {
			kind, severity, how = event.UnsafePromotion, event.Error, ", chosen with too few answers: acknowledged writes may be lost"
		}
		e := about(now.Primary, "%s leads term %d%s", d.name(now.Primary), now.Term, how)
		if lostAll(was, now) {
			kind = event.ShardLost
			e = about(now.Primary, "all its copies were given up: it begins anew, empty, on %s, in term %d", d.name(now.Primary), now.Term)
		} else if was.Primary != now.Primary {
			e = about(now.Primary, "%s leads term %d in place of %s%s", d.name(now.Primary), now.Term, d.name(was.Primary), how)
		}
		d.add(kind, severity, e)
	}
	for _, r := range now.Replicas {
		before, had := was.Replica(r.Peer)
		who := "the replica on " + d.name(r.Peer)
		switch {
		case !had:
			d.add(event.ReplicaAdded, event.Info, about(r.Peer, "a replica is being made on %s", d.name(r.Peer)))
		case before.Generation != r.Generation:
			d.add(event.ReplicaRebuilt, event.Info, about(r.Peer, "%s begins anew", who))
		case before.State == r.State:
		case r.State == catalog.Dead:
			d.add(event.Demotion, event.Warn, about(r.Peer, "%s counts no more", who))
		case r.State == catalog.Partial:
			d.add(event.Transfer, event.Info, about(r.Peer, "%s is being brought up to date", who))
		case r.State == catalog.Active:
			d.add(event.Activation, event.Info, about(r.Peer, "%s is complete and counts", who))
		}
	}
	for _, r := range was.Replicas {
		if _, still := now.Replica(r.Peer); !still {
			d.add(event.ReplicaDropped, event.Info, about(r.Peer, "the replica on %s was dropped", d.name(r.Peer)))
		}
	}
}

// short lists the shards of each collection that have fewer working copies than declared: active ones on live peers.
func short(state *catalog.State, alive func(catalog.PeerID) bool) map[catalog.CollectionID][]catalog.ShardID {
	all := map[catalog.CollectionID][]catalog.ShardID{}
	for id, col := range state.Collections {
		for _, sh := range col.Shards {
			working := 0
			for _, r := range sh.Replicas {
				if r.State == catalog.Active && !r.Retiring && !state.Gone(r.Peer) && alive(r.Peer) {
					working++
				}
			}
			if working < col.Factor(sh) {
				all[id] = append(all[id], sh.ID)
			}
		}
	}
	return all
}

// shortChanges tells which shards came to have too few copies, and which have them again; one event per collection and
// number of copies that is declared, however many shards a lost node takes along.
func shortChanges(state *catalog.State, was, now map[catalog.CollectionID][]catalog.ShardID) (events []event.Event) {
	for _, id := range slices.Sorted(maps.Keys(state.Collections)) {
		col := state.Collections[id]
		for _, c := range []struct {
			in, out  []catalog.ShardID
			kind     event.Kind
			severity event.Severity
			text     string
		}{
			{now[id], was[id], event.UnderReplicated, event.Warn, "%s of %s: fewer than the declared %d copies work"},
			{was[id], now[id], event.FullyReplicated, event.Info, "%s of %s: all %d declared copies work again"},
		} {
			fresh := byFactor(col, slices.DeleteFunc(slices.Clone(c.in), func(sh catalog.ShardID) bool { return slices.Contains(c.out, sh) }))
			for _, factor := range slices.Sorted(maps.Keys(fresh)) {
				events = append(events, event.Event{
					Kind: c.kind, Severity: c.severity, Collection: col.Name,
					Text: fmt.Sprintf(c.text, list(fresh[factor], len(col.Shards)), col.Name, factor),
				})
			}
		}
	}
	return events
}

// byFactor sorts shards by how many copies of them are declared, which shard keys and placements by hand may have of their own.
// Those that are gone have none.
func byFactor(col *catalog.Collection, ids []catalog.ShardID) map[int][]catalog.ShardID {
	by := map[int][]catalog.ShardID{}
	for _, id := range ids {
		if sh, ok := col.Shard(id); ok {
			by[col.Factor(sh)] = append(by[col.Factor(sh)], id)
		}
	}
	return by
}
