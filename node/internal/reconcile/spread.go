package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// missing plans the copies that are declared and do not exist, of the shards with the fewest that serve first.
func (p *planner) missing() {
	var short []*look
	for i := range p.looks {
		if l := &p.looks[i]; !l.done && l.base < l.want && l.led(p) {
			short = append(short, l)
		}
	}
	slices.SortStableFunc(short, func(a, b *look) int { return cmp.Compare(a.serving, b.serving) })
	for _, l := range short {
		id, ok := p.choose(l, 0)
		if !ok || !p.limit.take(l.sh.Primary, id, p.light(l.ref)) {
			continue
		}
		p.loads.move(0, id, p.obs.Bytes[l.ref])
		p.change(l, catalog.ChangeShard{AddReplica: &id}, "%d of %d declared replicas exist", l.base, l.want)
	}
}

// misplaced plans new copies in the place of those that should be elsewhere for one reason.
func (p *planner) misplaced(why catalog.Reason) {
	for i := range p.looks {
		l := &p.looks[i]
		if l.done || l.base > l.want || !l.led(p) {
			continue
		}
		for _, r := range l.members {
			if l.moving(r) || p.misplacement(l, r) != why {
				continue
			}
			if id, ok := p.choose(l, r.Peer); ok && p.replace(l, r.Peer, id, why, "%s", p.because(l, r.Peer, why)) {
				break
			}
		}
	}
}

// because tells for people why a copy is to leave a peer.
func (p *planner) because(l *look, id catalog.PeerID, why catalog.Reason) string {
	switch why {
	case catalog.ForPlacement:
		return fmt.Sprintf("shard key %s may not be on %s", l.sh.Key, p.peer(id))
	case catalog.ForDrain:
		return p.peer(id) + " is draining"
	case catalog.ForHealing:
		return fmt.Sprintf("%s has been away for longer than %s", p.peer(id), p.state.Settings.ReplaceAfter())
	default:
		return "it was placed elsewhere by hand"
	}
}

// replace plans a copy on a peer in the place of another, if the limits allow.
func (p *planner) replace(l *look, from, to catalog.PeerID, why catalog.Reason, format string, args ...any) bool {
	if !p.limit.take(l.sh.Primary, to, p.light(l.ref)) {
		return false
	}
	p.loads.move(from, to, p.obs.Bytes[l.ref])
	p.change(l, catalog.ChangeShard{Replace: &catalog.Replace{Peer: to, Of: from, Reason: why}}, format, args...)
	return true
}

// zones plans the moves that spread the copies of a shard over more zones. Each makes the numbers of copies per zone more equal,
// so that they come to an end.
func (p *planner) zones() {
	if p.oneZone() {
		return
	}
	for i := range p.looks {
		l := &p.looks[i]
		if l.done || !l.atRest || l.pinned() || l.base != l.want || l.want < 2 {
			continue
		}
		p.spread(l)
	}
}

// oneZone tells whether there is nothing to spread over.
func (p *planner) oneZone() bool {
	zone, found := "", false
	for _, peer := range p.state.Peers {
		if found && peer.Zone != zone {
			return false
		}
		zone, found = peer.Zone, true
	}
	return true
}

func (p *planner) spread(l *look) {
	crowded := slices.MinFunc(l.members, func(a, b catalog.Replica) int {
		return cmp.Or(
			cmp.Compare(l.inZone(p, p.zone(b.Peer)), l.inZone(p, p.zone(a.Peer))),
			falseFirst(a.Peer == l.sh.Primary, b.Peer == l.sh.Primary), // to move another costs no pause
			cmp.Compare(p.loads.replicas[b.Peer], p.loads.replicas[a.Peer]),
			cmp.Compare(b.Peer, a.Peer),
		)
	})
	from := p.zone(crowded.Peer)
	high := l.inZone(p, from)
	if high < 2 {
		return
	}
	to, ok := p.choose(l, 0)
	if !ok || high-l.inZone(p, p.zone(to)) < 2 {
		return
	}
	p.replace(l, crowded.Peer, to, catalog.ForZones, "zone %q has %d of %d copies, zone %q has %d",
		from, high, l.want, p.zone(to), l.inZone(p, p.zone(to)))
}
