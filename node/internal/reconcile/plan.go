package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// Plan returns what to do next: at most one step per shard, because each makes the shard's version another. It
// returns nothing when everything is as declared, or cannot be made so with the peers there are.
//
// What is more urgent comes first, and takes what the limits leave: a primary that leads; then copies that are too many
// go and moves under way are brought to their end; then copies that lack are made, of the shards with the fewest first; then slots
// begin to move; then those that are in the wrong place move: peers that are away, placement by hand, peers that a shard key may not be on, draining, zones; balance last, when
// all else is done.
func Plan(s *catalog.State, o Observations) []Step { return plan(s, o, 0) }

// plan is Plan, of the shards of one collection alone if only is not 0.
func plan(s *catalog.State, o Observations, only catalog.CollectionID) []Step {
	p := newPlanner(s, o)
	p.replacedPeers()
	if !s.Settings.IsPaused() {
		p.slots(only)
	}
	for i := range p.looks {
		switch l := &p.looks[i]; {
		case only != 0 && l.ref.Collection != only:
			l.done = true
		case !l.done:
			p.settle(l)
		}
	}
	if !s.Settings.IsPaused() {
		p.missing()
		p.beginMoves()
		for _, why := range []catalog.Reason{catalog.ForHealing, catalog.ForHand, catalog.ForPlacement, catalog.ForDrain} {
			p.misplaced(why)
		}
		p.zones()
		p.balance()
	}
	p.operations()
	return p.steps
}

type planner struct {
	state *catalog.State
	obs   Observations
	steps []Step
	looks []look
	loads *loads
	limit *limit
	moves []slotMove // of slots, that may begin
}

func newPlanner(s *catalog.State, o Observations) *planner {
	shards := 0
	for _, c := range s.Collections {
		shards += len(c.Shards)
	}
	p := &planner{state: s, obs: o, looks: make([]look, 0, shards)}
	for ref, sh := range s.Shards() {
		p.looks = append(p.looks, p.look(ref, sh))
	}
	p.loads, p.limit = newLoads(p), newLimit(p)
	return p
}

func (p *planner) add(s Step) { p.steps = append(p.steps, s) }

// change plans one change of a shard; there is none after it in this round.
func (p *planner) change(l *look, c catalog.ChangeShard, format string, args ...any) {
	c.Ref, c.Version = l.ref, l.sh.Version
	l.done = true
	p.add(Step{Change: &catalog.Command{ChangeShard: &c}, Why: fmt.Sprintf(format, args...)})
}

// usable tells whether a peer may be given replicas.
func (p *planner) usable(id catalog.PeerID) bool {
	return p.obs.usable(id) && !p.state.Gone(id) && p.state.Peers[id].State == catalog.InService
}

// peer names a peer for people.
func (p *planner) peer(id catalog.PeerID) string {
	if known, ok := p.state.Peers[id]; ok && known.Name != "" {
		return known.Name
	}
	return fmt.Sprintf("peer %d", id)
}

// replacedPeers forgets peers whose disk is gone or that were removed: first as voters, of a replaced one once its successor votes, then
// altogether, once they hold nothing.
func (p *planner) replacedPeers() {
	if p.obs.Voters == nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(p.state.Peers)) {
		peer := p.state.Peers[id]
		if !peer.Gone() {
			continue
		}
		_, votes := p.obs.Voters[id]
		switch {
		case votes && peer.Removed:
			p.add(Step{RemoveVoter: id, Why: fmt.Sprintf("%s was removed", peer.Name)})
		case votes && p.successorVotes(peer):
			p.add(Step{RemoveVoter: id, Why: fmt.Sprintf("%s came back as another peer", peer.Name)})
		case !votes && p.state.ReplicasOn(id) == 0:
			p.add(Step{Change: &catalog.Command{RemovePeer: &id}, Why: "it was " + gone(peer) + " and holds nothing"})
		}
	}
}

// fate says what became of a peer that is gone.
func (p *planner) fate(id catalog.PeerID) string {
	if peer, ok := p.state.Peers[id]; ok && !peer.Removed {
		return "came back as another one, without its disk"
	}
	return "was removed"
}

// gone says what became of a peer.
func gone(p *catalog.Peer) string {
	if p.Removed {
		return "removed"
	}
	return "replaced"
}

func (p *planner) successorVotes(old *catalog.Peer) bool {
	for id, peer := range p.state.Peers {
		if _, votes := p.obs.Voters[id]; votes && peer.Name == old.Name && !peer.Gone() {
			return true
		}
	}
	return false
}

// settle plans what a shard needs for itself: a primary, an end of what has begun, no more copies than declared.
func (p *planner) settle(l *look) {
	if p.failover(l) || p.state.Settings.IsPaused() {
		l.done = true
		return
	}
	_ = p.drop(l) || p.giveUp(l) || p.complete(l) || p.surplus(l)
}

// drop removes a copy that no longer counts and is not to come back. While no copy serves, one that was merely retired
// stays: it may be all that is left.
func (p *planner) drop(l *look) bool {
	for _, r := range l.sh.Replicas {
		gone := p.state.Gone(r.Peer)
		if r.Peer == l.sh.Primary || r.State == catalog.Active || !r.Retiring && !gone || !gone && l.serving == 0 {
			continue
		}
		why := "it was retired and counts no more"
		if gone {
			why = "its peer " + p.fate(r.Peer)
		}
		p.change(l, catalog.ChangeShard{DropReplica: pointer(r.Peer)}, "%s", why)
		return true
	}
	return false
}

// giveUp lets both copies stay where one was to take the place of the other and there are too few; else it retires the one that
// was to take the place, if that is no longer wanted and it does not count yet.
func (p *planner) giveUp(l *look) bool {
	for _, r := range l.members {
		old, _ := l.sh.Replica(r.Replaces)
		switch {
		case r.Replaces == 0:
			continue
		case l.base < l.want && p.misplacement(l, old) == "" && !old.Retiring && !p.state.Gone(old.Peer):
			p.change(l, catalog.ChangeShard{Settle: pointer(r.Peer)}, "%d of %d declared replicas exist, and the copy on %s can stay", l.base, l.want, p.peer(old.Peer))
			return true
		case r.State == catalog.Active:
			if p.misplacement(l, r) == "" || p.misplacement(l, old) != "" && old.Peer != l.sh.Primary || old.Retiring {
				continue
			}
			p.change(l, catalog.ChangeShard{Settle: pointer(r.Peer)}, "%s is no place for it any more", p.peer(r.Peer))
			return true
		}
		if why := p.whyGiveUp(l, r); why != "" {
			p.change(l, catalog.ChangeShard{Retire: pointer(r.Peer)}, "%s", why)
			return true
		}
	}
	return false
}

func (p *planner) whyGiveUp(l *look, r catalog.Replica) string {
	old, _ := l.sh.Replica(r.Replaces)
	switch {
	case l.base > l.want:
		return fmt.Sprintf("only %d copies are declared", l.want)
	case p.misplacement(l, r) != "":
		return fmt.Sprintf("%s is no place for it any more", p.peer(r.Peer))
	case !p.obs.alive(r.Peer) && p.obs.Peers[r.Peer].DeadFor >= fillPatience:
		return fmt.Sprintf("%s went away while the copy was being made", p.peer(r.Peer))
	case old.Retiring || p.state.Gone(old.Peer):
		return "" // there is no way back
	}
	stays := p.misplacement(l, old) == "" && p.serves(old)
	switch r.Reason {
	case catalog.ForBalance:
		if !p.balances(l.ref.Collection) {
			return "nothing is to be evened out any more"
		}
	case catalog.ForZones:
		if l.pinned() {
			return "it was placed by hand"
		}
	default:
		if stays {
			return fmt.Sprintf("the copy on %s can stay", p.peer(old.Peer))
		}
	}
	return ""
}

// complete retires copies whose successor counts, and those that are misplaced where there are enough without. The copies that
// serve never become fewer than W by that.
func (p *planner) complete(l *look) bool {
	for _, r := range l.members {
		old, ok := l.sh.Replica(r.Replaces)
		if r.Replaces == 0 || !ok || old.Retiring || old.Peer == l.sh.Primary || !p.serves(r) {
			continue
		}
		if left := l.servingWithout(p, old); p.serves(old) && left < int(l.sh.WriteQuorum) {
			continue
		}
		p.change(l, catalog.ChangeShard{Retire: pointer(old.Peer)}, "the copy on %s has taken its place", p.peer(r.Peer))
		return true
	}
	return false
}

// stay takes back that a primary is to go.
func (p *planner) stay(l *look) bool {
	if !l.sh.Handover || l.handing {
		return false
	}
	off := false
	p.change(l, catalog.ChangeShard{Handover: &off}, "%s may lead on", p.peer(l.sh.Primary))
	return true
}

// surplus retires one copy that is too many, if as many as declared serve without it, or if it counts no more and its peer is away.
func (p *planner) surplus(l *look) bool {
	if l.base <= l.want {
		return false
	}
	var candidates []catalog.Replica
	for _, r := range l.members {
		if r.Peer != l.sh.Primary && !l.moving(r) {
			candidates = append(candidates, r)
		}
	}
	primary, _ := l.sh.Replica(l.sh.Primary)
	if len(candidates) == 0 || p.misplacement(l, primary) != "" && p.canLeave(l) {
		return false // it is the primary's copy that has to go
	}
	slices.SortFunc(candidates, func(a, b catalog.Replica) int { return p.lessWanted(l, a, b) })
	for _, victim := range candidates {
		left := l.servingWithout(p, victim)
		lost := victim.State != catalog.Active && !p.obs.alive(victim.Peer) && left > 0
		if !lost && (left < l.want || p.serves(victim) && left < int(l.sh.WriteQuorum)) {
			continue
		}
		p.change(l, catalog.ChangeShard{Retire: &victim.Peer}, "only %d declared", l.want)
		return true
	}
	return false
}

// lessWanted orders copies: first those in the wrong place, those that do not count, then those on dead and unusable peers, in
// the zone with the most copies, on the fullest peer.
func (p *planner) lessWanted(l *look, a, b catalog.Replica) int {
	return cmp.Or(
		falseFirst(p.misplacement(l, a) == "", p.misplacement(l, b) == ""),
		falseFirst(a.State == catalog.Active, b.State == catalog.Active),
		falseFirst(p.obs.alive(a.Peer), p.obs.alive(b.Peer)),
		falseFirst(p.usable(a.Peer), p.usable(b.Peer)),
		cmp.Compare(l.inZone(p, p.zone(b.Peer)), l.inZone(p, p.zone(a.Peer))),
		cmp.Compare(p.loads.replicas[b.Peer], p.loads.replicas[a.Peer]),
		cmp.Compare(b.Peer, a.Peer),
	)
}

// pointer keeps what a loop goes over from being copied to the heap for the sake of one that is rarely needed.
func pointer(id catalog.PeerID) *catalog.PeerID { return &id }

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// deadFor is how long ago a peer died, at least 1 so that it differs from alive.
func deadFor(died, now time.Time) time.Duration { return max(now.Sub(died), 1) }
