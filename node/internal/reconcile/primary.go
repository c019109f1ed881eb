package reconcile

import (
	"fmt"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// failover plans a new primary if the shard needs one, and reports whether nothing else can be done meanwhile.
func (p *planner) failover(l *look) bool {
	why := p.whyFailover(l)
	if why == "" {
		return p.handOver(l)
	}
	f := p.newFailover(l)
	live, enough := p.answerers(l.sh)
	if live < enough {
		f.Unsafe = l.sh.WriteQuorum == 1 && live > 0 && !f.Whole && p.deadLongEnough(l.sh)
		if !f.Unsafe {
			return true // R6: nobody may be promoted; reads go on
		}
	}
	p.add(Step{Failover: f, Why: why})
	return true
}

func (p *planner) newFailover(l *look) *Failover {
	return &Failover{Ref: l.ref, Version: l.sh.Version, Term: max(l.sh.Term+1, p.obs.Promised[l.ref]), Whole: p.single(l)}
}

// single tells whether one copy is declared and none of those that count is gone for ever. A second copy that is there for a
// move is then no reason to lose what only the first one has: a primary that is away is waited for.
func (p *planner) single(l *look) bool {
	return l.want == 1 && !slices.ContainsFunc(l.sh.Active(), p.state.Gone)
}

// whyFailover tells why the shard has no primary that can lead.
func (p *planner) whyFailover(l *look) string {
	id := l.sh.Primary
	switch wish, wished := p.obs.Wishes[l.ref]; {
	case p.state.Gone(id):
		return fmt.Sprintf("its primary, peer %d, %s", id, p.fate(id))
	case !p.obs.alive(id):
		return fmt.Sprintf("its primary, peer %d, is dead", id)
	case wished && wish >= l.sh.Term:
		return fmt.Sprintf("its primary, peer %d, cannot lead in term %d", id, l.sh.Term)
	}
	return ""
}

// handOver plans that a primary which leads gives way to another copy, if it is to and there is one, and reports whether it does.
func (p *planner) handOver(l *look) bool {
	why, urgent := p.whyLeave(l)
	if why == "" {
		return false
	}
	l.handing = true
	if p.state.Settings.IsPaused() && !urgent {
		return false
	}
	heirs := p.heirs(l)
	if len(heirs) == 0 {
		return false
	}
	p.hand(l, heirs, false, why)
	return true
}

// whyLeave tells why the primary is to be another copy; urgently, if its node goes or its copy is bad.
func (p *planner) whyLeave(l *look) (why string, urgent bool) {
	id := l.sh.Primary
	primary, _ := l.sh.Replica(id)
	state := p.state.Peers[id].State
	switch {
	case p.obs.Peers[id].Draining:
		return fmt.Sprintf("its primary, peer %d, is draining", id), true
	case p.obs.Peers[id].DiskFull:
		return fmt.Sprintf("the disk of its primary, peer %d, is full", id), true
	case p.obs.leaving(l.ref, id):
		return fmt.Sprintf("the copy of its primary, peer %d, differs from the others", id), true
	case state == catalog.Maintenance:
		return fmt.Sprintf("%s, which leads it, is in maintenance", p.peer(id)), false
	case state == catalog.Draining:
		return fmt.Sprintf("%s, which leads it, is to hold nothing", p.peer(id)), false
	case p.misplacement(l, primary) != "":
		return fmt.Sprintf("%s, which leads it, is to hold no copy", p.peer(id)), false
	}
	for _, r := range l.members {
		if r.Replaces == id && p.serves(r) {
			return fmt.Sprintf("the copy on %s takes the place of its primary's", p.peer(r.Peer)), false
		}
	}
	return "", false
}

// heirs lists who may lead in place of the primary: copies that count and are to stay where they are; if there is none, those
// whose place another is about to take.
func (p *planner) heirs(l *look) []catalog.PeerID {
	var heirs, passing []catalog.PeerID
	for _, r := range l.members {
		switch {
		case r.Peer == l.sh.Primary || !p.serves(r) || !p.usable(r.Peer) || p.misplacement(l, r) != "":
		case l.replaced(r.Peer):
			passing = append(passing, r.Peer)
		default:
			heirs = append(heirs, r.Peer)
		}
	}
	if len(heirs) == 0 {
		return passing
	}
	return heirs
}

// canLeave tells whether another copy could take over from the primary.
func (p *planner) canLeave(l *look) bool { return len(p.heirs(l)) > 0 }

// hand plans the next step of handing a shard over. Where one copy suffices for a write, the others may always be a little
// behind, so that nobody could ever take over without loss: there the primary first makes sure that two hold a write.
func (p *planner) hand(l *look, heirs []catalog.PeerID, balance bool, why string) {
	active := l.sh.Active()
	l.done = true
	if l.sh.WriteQuorum < 2 && len(active) >= 2 {
		if !l.sh.Handover {
			on := true
			p.change(l, catalog.ChangeShard{Handover: &on}, "%s", why)
		}
		return // the primary is about to raise W
	}
	live, enough := p.answerers(l.sh)
	if live-1 < enough {
		return // the fence would end the primary's term and find nobody else; who is dead is about to be demoted
	}
	f := p.newFailover(l)
	f.Drain, f.Heirs, f.Balance = true, heirs, balance
	p.add(Step{Failover: f, Why: why})
}

// answerers counts the active replicas that can answer a fence, and how many R6 asks for.
func (p *planner) answerers(sh *catalog.Shard) (live, enough int) {
	active := sh.Active()
	for _, id := range active {
		if p.obs.alive(id) && !p.state.Gone(id) {
			live++
		}
	}
	return live, max(len(active)-int(sh.WriteQuorum)+1, 1)
}

func (p *planner) deadLongEnough(sh *catalog.Shard) bool {
	return !slices.ContainsFunc(sh.Active(), func(id catalog.PeerID) bool {
		return !p.state.Gone(id) && !p.obs.alive(id) && p.obs.Peers[id].DeadFor < unsafeGrace
	})
}
