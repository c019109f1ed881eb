package reconcile

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// loads is what the peers hold once all that has begun is done, what was planned in this round included.
type loads struct {
	peers     []catalog.PeerID // that may be given something, ordered by id
	replicas  map[catalog.PeerID]int
	primaries map[catalog.PeerID]int
	bytes     map[catalog.PeerID]uint64
	coming    map[catalog.PeerID]uint64 // bytes of copies that are not on the disk yet
}

func newLoads(p *planner) *loads {
	n := len(p.state.Peers)
	ls := &loads{
		replicas: make(map[catalog.PeerID]int, n), primaries: make(map[catalog.PeerID]int, n),
		bytes: make(map[catalog.PeerID]uint64, n), coming: make(map[catalog.PeerID]uint64, n),
	}
	for _, id := range slices.Sorted(maps.Keys(p.state.Peers)) {
		if p.usable(id) {
			ls.peers = append(ls.peers, id)
		}
	}
	for i := range p.looks {
		l := &p.looks[i]
		ls.primaries[l.sh.Primary]++
		for _, r := range l.members {
			if !l.replaced(r.Peer) {
				ls.replicas[r.Peer]++
				ls.bytes[r.Peer] += p.obs.Bytes[l.ref]
			}
			if r.State == catalog.Partial {
				ls.coming[r.Peer] += p.obs.Bytes[l.ref]
			}
		}
	}
	return ls
}

// move notes that a copy will be on one peer and not on another; 0 is none.
func (ls *loads) move(from, to catalog.PeerID, bytes uint64) {
	ls.replicas[to]++
	ls.bytes[to] += bytes
	ls.coming[to] += bytes
	if from != 0 {
		ls.replicas[from]--
		ls.bytes[from] -= min(bytes, ls.bytes[from])
	}
}

// room tells whether a peer's disk has room for so many bytes more, as far as it is known.
func (p *planner) room(id catalog.PeerID, bytes uint64) bool {
	return p.obs.Peers[id].Room(p.loads.coming[id] + bytes)
}

// choose finds the best peer for one more copy of a shard, in the place of the one on a peer (0: of none): in the zone with
// the fewest copies, with the fewest replicas, bytes, primaries, the lowest id. Where the shard was placed by hand, those places
// come first.
func (p *planner) choose(l *look, of catalog.PeerID) (catalog.PeerID, bool) {
	bytes := p.obs.Bytes[l.ref]
	candidates := p.openPins(l)
	if len(candidates) == 0 {
		candidates = p.loads.peers
	}
	best, found := catalog.PeerID(0), false
	for _, id := range candidates {
		if _, has := l.sh.Replica(id); has || !l.col.Allows(l.sh, id) || !p.room(id, bytes) {
			continue
		}
		if !found || p.better(l, of, id, best) {
			best, found = id, true
		}
	}
	return best, found
}

func (p *planner) better(l *look, of, a, b catalog.PeerID) bool {
	return cmp.Or(
		cmp.Compare(l.crowd(p, of, a), l.crowd(p, of, b)),
		cmp.Compare(p.loads.replicas[a], p.loads.replicas[b]),
		cmp.Compare(p.loads.bytes[a], p.loads.bytes[b]),
		cmp.Compare(p.loads.primaries[a], p.loads.primaries[b]),
		cmp.Compare(a, b),
	) < 0
}

// crowd counts the copies in a peer's zone, without the one that goes.
func (l *look) crowd(p *planner, of, id catalog.PeerID) int {
	zone := p.zone(id)
	n := l.inZone(p, zone)
	if of != 0 && !l.replaced(of) && p.zone(of) == zone {
		n--
	}
	return n
}
