package reconcile

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// look is one shard in one round.
type look struct {
	ref     catalog.ShardRef
	col     *catalog.Collection
	sh      *catalog.Shard
	members []catalog.Replica // that are to stay, as things stand: not retiring, not on a disk that is gone
	want    int               // how many there are to be
	base    int               // how many there will be once every copy that takes another's place has done so
	serving int               // members that count and whose peer answers
	atRest  bool              // every copy is a member, serves, and takes nobody's place
	handing bool              // its primary is to be somewhere else
	done    bool              // nothing more in this round
}

func (p *planner) look(ref catalog.ShardRef, sh *catalog.Shard) look {
	col := p.state.Collections[ref.Collection]
	l := look{ref: ref, col: col, sh: sh, want: col.Factor(sh), members: sh.Replicas}
	leaves := func(r catalog.Replica) bool { return r.Retiring || p.state.Gone(r.Peer) }
	if slices.ContainsFunc(sh.Replicas, leaves) {
		l.members = slices.DeleteFunc(slices.Clone(sh.Replicas), leaves)
	}
	l.atRest = len(l.members) == len(sh.Replicas)
	for _, r := range l.members {
		if p.serves(r) {
			l.serving++
		}
		l.atRest = l.atRest && p.serves(r) && r.Replaces == 0
		if !l.replaced(r.Peer) {
			l.base++
		}
	}
	return l
}

// inZone counts the members in a zone, those apart that another takes the place of.
func (l *look) inZone(p *planner, zone string) int {
	n := 0
	for _, r := range l.members {
		if p.zone(r.Peer) == zone && !l.replaced(r.Peer) {
			n++
		}
	}
	return n
}

// replaced tells whether a copy is to take the place of the one on a peer.
func (l *look) replaced(id catalog.PeerID) bool {
	return slices.ContainsFunc(l.members, func(r catalog.Replica) bool { return r.Replaces == id })
}

// moving tells whether a copy takes another's place, or another, be it lost, takes its.
func (l *look) moving(r catalog.Replica) bool {
	return r.Replaces != 0 || slices.ContainsFunc(l.sh.Replicas, func(by catalog.Replica) bool { return by.Replaces == r.Peer })
}

func (l *look) pinned() bool { return len(l.sh.Pinned) > 0 }

// led tells whether the shard's primary can fill other copies.
func (l *look) led(p *planner) bool {
	primary, ok := l.sh.Replica(l.sh.Primary)
	wish, wished := p.obs.Wishes[l.ref]
	return ok && p.serves(primary) && !p.state.Gone(primary.Peer) && (!wished || wish < l.sh.Term)
}

func (l *look) servingWithout(p *planner, r catalog.Replica) int {
	if p.serves(r) {
		return l.serving - 1
	}
	return l.serving
}

func (p *planner) serves(r catalog.Replica) bool {
	return r.State == catalog.Active && p.obs.alive(r.Peer)
}

func (p *planner) zone(id catalog.PeerID) string {
	if peer, ok := p.state.Peers[id]; ok {
		return peer.Zone
	}
	return ""
}

// misplacement tells why a copy should be on another peer, "" if it is well where it is. What only evens things out is no
// misplacement.
func (p *planner) misplacement(l *look, r catalog.Replica) catalog.Reason {
	peer, ok := p.state.Peers[r.Peer]
	switch {
	case !ok:
		return ""
	case peer.State == catalog.Draining:
		return catalog.ForDrain
	case p.away(peer):
		return catalog.ForHealing
	case !l.col.Allows(l.sh, r.Peer):
		return catalog.ForPlacement
	case l.pinned() && !slices.Contains(l.sh.Pinned, r.Peer) && (l.base > l.want || len(p.openPins(l)) > 0 || l.yields(r.Peer)):
		return catalog.ForHand
	}
	return ""
}

// yields tells whether the copy on a peer gives way to one that was placed by hand.
func (l *look) yields(id catalog.PeerID) bool {
	return slices.ContainsFunc(l.members, func(r catalog.Replica) bool { return r.Replaces == id && slices.Contains(l.sh.Pinned, r.Peer) })
}

// away tells whether a peer has not answered for so long that its copies are to be made anew elsewhere. One that is
// merely dead may come back with all its data, and to copy a shard at each restart of a node would cost more than it saves.
func (p *planner) away(peer *catalog.Peer) bool {
	after, h := p.state.Settings.ReplaceAfter(), p.obs.Peers[peer.ID]
	return after > 0 && !h.Alive && h.DeadFor >= after && peer.State != catalog.Maintenance
}

// openPins lists the peers on which a copy was placed by hand and where there is none yet, although there could be.
func (p *planner) openPins(l *look) []catalog.PeerID {
	var open []catalog.PeerID
	for _, id := range l.sh.Pinned {
		if _, has := l.sh.Replica(id); !has && p.usable(id) {
			open = append(open, id)
		}
	}
	return open
}
