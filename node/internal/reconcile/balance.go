package reconcile

import (
	"cmp"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

const (
	// slack is the part of the mean, 1/slack, by which peers may differ before replicas or primaries move: to even out less is
	// not worth the work, and who moves for little never comes to rest. With few it is two.
	slack = 20
	// byteSlack is the same of bytes; sizes change all the time.
	byteSlack    = 4
	minByteSlack = 256 << 20
	// handsAtOnce bounds the primaries that are moved in one round for the sake of balance: each costs a moment without writes.
	handsAtOnce = 4
)

// balance evens out what the peers hold: replicas, then bytes, then primaries. It begins when all else is done and no
// peer has come or gone for a while; each move makes the peers more alike by more than a little, so that it comes to rest.
func (p *planner) balance() {
	if len(p.steps) == 0 && len(p.loads.peers) > 1 && p.quiet() && p.obs.calm(p.state) {
		if !p.evenReplicas() && !p.evenBytes() {
			p.evenPrimaries()
		}
	}
	for i := range p.looks {
		if l := &p.looks[i]; !l.done {
			p.stay(l)
		}
	}
}

// quiet tells whether no copy is on its way for another reason than balance.
func (p *planner) quiet() bool {
	for i := range p.looks {
		l := &p.looks[i]
		for _, r := range l.members {
			if r.State == catalog.Partial && r.Reason != catalog.ForBalance && p.obs.alive(r.Peer) && l.led(p) {
				return false
			}
		}
	}
	return true
}

// balances tells whether the copies of a collection are to be evened out.
func (p *planner) balances(id catalog.CollectionID) bool {
	return p.state.Settings.Balances() || p.rebalancing(id)
}

func (p *planner) rebalancing(id catalog.CollectionID) bool {
	_, ok := p.state.RunningOperation(func(o *catalog.Operation) bool {
		return o.Kind == catalog.Rebalance && (o.Collection == 0 || o.Collection == id)
	})
	return ok
}

// threshold is by how much two peers must differ before something moves.
func (p *planner) threshold(of map[catalog.PeerID]int) int {
	if p.rebalancing(0) {
		return 2
	}
	sum := 0
	for _, id := range p.loads.peers {
		sum += of[id]
	}
	return max(2, sum/len(p.loads.peers)/slack)
}

// ordered returns the peers that may be given something, those with the least first.
func ordered[N cmp.Ordered](peers []catalog.PeerID, of map[catalog.PeerID]N) []catalog.PeerID {
	sorted := slices.Clone(peers)
	slices.SortStableFunc(sorted, func(a, b catalog.PeerID) int { return cmp.Compare(of[a], of[b]) })
	return sorted
}

// pairs yields the pairs of peers that differ by at least so much, the least alike first, until one is told to end.
func pairs[N cmp.Ordered](peers []catalog.PeerID, of map[catalog.PeerID]N, differ func(high, low N) bool, yield func(from, to catalog.PeerID) bool) bool {
	sorted := ordered(peers, of)
	for i := len(sorted) - 1; i > 0; i-- {
		for _, to := range sorted[:i] {
			if !differ(of[sorted[i]], of[to]) {
				break
			}
			if yield(sorted[i], to) {
				return true
			}
		}
	}
	return false
}

// movable lists the shards with a copy on one peer that may move to another: no worse for its zones, and with room.
func (p *planner) movable(from, to catalog.PeerID) []*look {
	var list []*look
	for i := range p.looks {
		l := &p.looks[i]
		if l.done || !l.atRest || l.pinned() || l.base != l.want || !p.balances(l.ref.Collection) || len(l.col.Moves) > 0 {
			continue
		}
		_, leaves := l.sh.Replica(from)
		_, has := l.sh.Replica(to)
		if leaves && !has && l.col.Allows(l.sh, to) && l.crowd(p, from, to)+1 <= l.inZone(p, p.zone(from)) && p.room(to, p.obs.Bytes[l.ref]) {
			list = append(list, l)
		}
	}
	return list
}

// evenReplicas moves copies from the peers with the most to those with the fewest, as many at once as the limits allow.
func (p *planner) evenReplicas() bool {
	threshold, any := p.threshold(p.loads.replicas), false
	differ := func(high, low int) bool { return high-low >= threshold }
	for pairs(p.loads.peers, p.loads.replicas, differ, p.moveOne) {
		any = true
	}
	return any || p.balancing()
}

// balancing tells whether copies are on their way for the sake of balance.
func (p *planner) balancing() bool {
	return slices.ContainsFunc(p.looks, func(l look) bool {
		return slices.ContainsFunc(l.members, func(r catalog.Replica) bool { return r.Reason == catalog.ForBalance })
	})
}

// moveOne moves the copy that makes the two peers most alike in bytes, rather one that does not lead.
func (p *planner) moveOne(from, to catalog.PeerID) bool {
	list := p.movable(from, to)
	if len(list) == 0 {
		return false
	}
	gap := int64(p.loads.bytes[from]) - int64(p.loads.bytes[to])
	left := func(l *look) int64 {
		d := gap - 2*int64(p.obs.Bytes[l.ref])
		return max(d, -d)
	}
	slices.SortStableFunc(list, func(a, b *look) int {
		return cmp.Or(cmp.Compare(left(a), left(b)), falseFirst(a.sh.Primary == from, b.sh.Primary == from))
	})
	high, low := p.loads.replicas[from], p.loads.replicas[to]
	for _, l := range list {
		if p.replace(l, from, to, catalog.ForBalance, "%s holds %d replicas, %s %d", p.peer(from), high, p.peer(to), low) {
			return true
		}
	}
	return false
}

// evenBytes exchanges a large copy of one peer for a small one of another, where the peers' numbers of replicas are alike.
func (p *planner) evenBytes() bool {
	var sum uint64
	for _, id := range p.loads.peers {
		sum += p.loads.bytes[id]
	}
	threshold := max(sum/uint64(len(p.loads.peers))/byteSlack, minByteSlack)
	differ := func(high, low uint64) bool { return high-low > threshold }
	return pairs(p.loads.peers, p.loads.bytes, differ, func(from, to catalog.PeerID) bool { return p.exchange(from, to, threshold) })
}

// exchange plans both moves of the exchange that makes two peers most alike, if that is more than a little.
func (p *planner) exchange(from, to catalog.PeerID, threshold uint64) bool {
	gap := p.loads.bytes[from] - p.loads.bytes[to]
	var large, small *look
	best := gap
	for _, a := range p.movable(from, to) {
		for _, b := range p.movable(to, from) {
			x, y := p.obs.Bytes[a.ref], p.obs.Bytes[b.ref]
			if x <= y {
				continue
			}
			left := max(gap, 2*(x-y)) - min(gap, 2*(x-y))
			if left < best {
				large, small, best = a, b, left
			}
		}
	}
	if large == nil || gap-best < threshold/2 || !p.both(large, to, small, from) {
		return false // half of an exchange would make things worse
	}
	text := "%s holds %d bytes, %s %d"
	high, low := p.loads.bytes[from], p.loads.bytes[to]
	return p.replace(large, from, to, catalog.ForBalance, text, p.peer(from), high, p.peer(to), low) &&
		p.replace(small, to, from, catalog.ForBalance, text, p.peer(from), high, p.peer(to), low)
}

// evenPrimaries lets copies on peers that lead few shards take over from those on peers that lead many.
func (p *planner) evenPrimaries() {
	for range handsAtOnce {
		threshold := p.threshold(p.loads.primaries)
		if !pairs(p.loads.peers, p.loads.primaries, func(high, low int) bool { return high-low >= threshold }, p.handOne) {
			return
		}
	}
}

// slotsMove tells whether slots are on their way from or to the shard. Another primary would begin anew with what this one is about, or
// make a pause of writes longer.
func (l *look) slotsMove() bool {
	return slices.ContainsFunc(l.col.Moves, func(m *catalog.Move) bool {
		return m.Running() && m.About(l.ref.Shard)
	})
}

func (p *planner) handOne(from, to catalog.PeerID) bool {
	var chosen *look
	for i := range p.looks {
		l := &p.looks[i]
		if l.done || !l.atRest || l.sh.Primary != from || !p.balances(l.ref.Collection) || l.slotsMove() {
			continue
		}
		if heir, has := l.sh.Replica(to); has && p.misplacement(l, heir) == "" && (chosen == nil || l.sh.Handover && !chosen.sh.Handover) {
			chosen = l // one that is being handed over already goes on
		}
	}
	if chosen == nil {
		return false
	}
	high, low := p.loads.primaries[from], p.loads.primaries[to]
	p.loads.primaries[from]--
	p.loads.primaries[to]++
	chosen.handing = true
	p.hand(chosen, []catalog.PeerID{to}, true, sprint("%s leads %d shards, %s %d", p.peer(from), high, p.peer(to), low))
	return true
}
