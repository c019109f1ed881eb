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
func Plan(s *catalog.State, o Observations) []Step {
	p := planner{state: s, obs: o}
	p.replacedPeers()
	for ref, sh := range s.Shards() {
		p.shard(ref, sh)
	}
	return p.steps
}

type planner struct {
	state  *catalog.State
	obs    Observations
	steps  []Step
	placer *catalog.Placer        // made when first needed
	fills  map[catalog.PeerID]int // with placer: replicas that are being filled
}

func (p *planner) add(s Step) { p.steps = append(p.steps, s) }

func (p *planner) change(ref catalog.ShardRef, sh *catalog.Shard, c catalog.ChangeShard, format string, args ...any) {
	c.Ref, c.Version = ref, sh.Version
	p.add(Step{Change: &catalog.Command{ChangeShard: &c}, Why: fmt.Sprintf(format, args...)})
}

// replacedPeers forgets peers whose disk is gone: first as voters, once their successor votes, then altogether, once
// they hold nothing.
func (p *planner) replacedPeers() {
	if p.obs.Voters == nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(p.state.Peers)) {
		peer := p.state.Peers[id]
		if !peer.Replaced {
			continue
		}
		_, votes := p.obs.Voters[id]
		switch {
		case votes && p.successorVotes(peer):
			p.add(Step{RemoveVoter: id, Why: fmt.Sprintf("%s came back as another peer", peer.Name)})
		case !votes && p.state.ReplicasOn(id) == 0:
			p.add(Step{Change: &catalog.Command{RemovePeer: &id}, Why: "it was replaced and holds nothing"})
		}
	}
}

func (p *planner) successorVotes(old *catalog.Peer) bool {
	for id, peer := range p.state.Peers {
		if _, votes := p.obs.Voters[id]; votes && peer.Name == old.Name && !peer.Replaced {
			return true
		}
	}
	return false
}

func (p *planner) shard(ref catalog.ShardRef, sh *catalog.Shard) {
	if p.failover(ref, sh) || p.drop(ref, sh) {
		return
	}
	want := int(p.state.Collections[ref.Collection].Config.ReplicationFactor)
	declared := 0
	for _, r := range sh.Replicas {
		if p.declared(r) {
			declared++
		}
	}
	switch {
	case declared < want:
		p.addReplica(ref, sh, declared, want)
	case declared > want:
		p.retire(ref, sh, want)
	}
}

// declared tells whether a replica is one of those that the collection asks for. One on a peer that is merely dead is:
// the peer may come back with all its data, and to copy a shard at each restart of a node would cost more than it saves.
func (p *planner) declared(r catalog.Replica) bool { return !r.Retiring && !p.state.Gone(r.Peer) }

// failover plans a new primary if the shard needs one, and reports whether it does for want of a working one.
func (p *planner) failover(ref catalog.ShardRef, sh *catalog.Shard) bool {
	why, drain := p.whyFailover(ref, sh)
	if why == "" {
		return false
	}
	f := &Failover{Ref: ref, Version: sh.Version, Term: max(sh.Term+1, p.obs.Promised[ref]), Drain: drain}
	if drain && !p.canLeave(sh) {
		return false
	}
	live, enough := p.answerers(sh)
	if live < enough {
		f.Unsafe = sh.WriteQuorum == 1 && live > 0 && p.deadLongEnough(sh)
		if !f.Unsafe {
			return !drain // R6: nobody may be promoted; reads go on
		}
	}
	p.add(Step{Failover: f, Why: why})
	return true
}

func (p *planner) whyFailover(ref catalog.ShardRef, sh *catalog.Shard) (why string, drain bool) {
	switch wish, wished := p.obs.Wishes[ref]; {
	case p.state.Gone(sh.Primary):
		return fmt.Sprintf("the disk of its primary, peer %d, is gone", sh.Primary), false
	case !p.obs.alive(sh.Primary):
		return fmt.Sprintf("its primary, peer %d, is dead", sh.Primary), false
	case wished && wish >= sh.Term:
		return fmt.Sprintf("its primary, peer %d, cannot lead in term %d", sh.Primary, sh.Term), false
	case p.obs.Peers[sh.Primary].Draining:
		return fmt.Sprintf("its primary, peer %d, is draining", sh.Primary), true
	case p.obs.leaving(ref, sh.Primary):
		return fmt.Sprintf("the copy of its primary, peer %d, differs from the others", sh.Primary), true
	}
	return "", false
}

// canLeave tells whether another replica could take over from a draining primary.
func (p *planner) canLeave(sh *catalog.Shard) bool {
	return slices.ContainsFunc(sh.Active(), func(id catalog.PeerID) bool {
		return id != sh.Primary && !p.state.Gone(id) && p.obs.usable(id)
	})
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
	for _, id := range sh.Active() {
		if !p.state.Gone(id) && !p.obs.alive(id) && p.obs.Peers[id].DeadFor < unsafeGrace {
			return false
		}
	}
	return true
}

// drop removes a copy that no longer counts and is not to come back.
func (p *planner) drop(ref catalog.ShardRef, sh *catalog.Shard) bool {
	for _, r := range sh.Replicas {
		if r.Peer == sh.Primary || r.State == catalog.Active || p.declared(r) {
			continue
		}
		why := "it was retired and counts no more"
		if p.state.Gone(r.Peer) {
			why = "the disk of its peer is gone"
		}
		p.change(ref, sh, catalog.ChangeShard{DropReplica: &r.Peer}, "%s", why)
		return true
	}
	return false
}

func (p *planner) addReplica(ref catalog.ShardRef, sh *catalog.Shard, declared, want int) {
	if p.placer == nil {
		p.prepare()
	}
	id, ok := p.placer.Replica(sh)
	if !ok || p.fills[id] >= maxFills {
		return
	}
	p.fills[id]++
	p.change(ref, sh, catalog.ChangeShard{AddReplica: &id}, "%d of %d declared replicas exist", declared, want)
}

// prepare counts what the peers hold and fill.
func (p *planner) prepare() {
	p.placer, p.fills = catalog.NewPlacer(p.state, p.obs.usable), map[catalog.PeerID]int{}
	for _, sh := range p.state.Shards() {
		for _, id := range sh.In(catalog.Partial) {
			p.fills[id]++
		}
	}
}

// retire marks one replica that is too many, if as many as declared are active, on live peers, without it.
func (p *planner) retire(ref catalog.ShardRef, sh *catalog.Shard, want int) {
	if p.placer == nil {
		p.prepare()
	}
	var candidates []catalog.Replica
	active := 0
	zones := map[string]int{}
	for _, r := range sh.Replicas {
		if !p.declared(r) {
			continue
		}
		zones[p.state.Peers[r.Peer].Zone]++
		if p.serves(r) {
			active++
		}
		if r.Peer != sh.Primary {
			candidates = append(candidates, r)
		}
	}
	if len(candidates) == 0 {
		return
	}
	victim := slices.MinFunc(candidates, func(a, b catalog.Replica) int { return p.lessWanted(a, b, zones) })
	if p.serves(victim) {
		active--
	}
	if active < want {
		return
	}
	p.change(ref, sh, catalog.ChangeShard{Retire: &victim.Peer}, "only %d declared", want)
}

func (p *planner) serves(r catalog.Replica) bool {
	return r.State == catalog.Active && p.obs.alive(r.Peer)
}

// lessWanted orders replicas: first those that do not count, then those on dead and draining peers, in the zone with the
// most copies, on the fullest peer.
func (p *planner) lessWanted(a, b catalog.Replica, zones map[string]int) int {
	return cmp.Or(
		falseFirst(a.State == catalog.Active, b.State == catalog.Active),
		falseFirst(p.obs.alive(a.Peer), p.obs.alive(b.Peer)),
		falseFirst(p.obs.usable(a.Peer), p.obs.usable(b.Peer)),
		cmp.Compare(zones[p.state.Peers[b.Peer].Zone], zones[p.state.Peers[a.Peer].Zone]),
		cmp.Compare(p.placer.Load(b.Peer), p.placer.Load(a.Peer)),
		cmp.Compare(b.Peer, a.Peer),
	)
}

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
