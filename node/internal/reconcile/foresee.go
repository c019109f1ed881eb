package reconcile

import (
	"maps"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// maxForeseen bounds the rounds that Foresee looks ahead: with no limits at work, few are needed.
const maxForeseen = 500

// Forecast is what Plan will do, step after step, if nothing else happens.
type Forecast struct {
	Steps []Foreseen
	State *catalog.State // when all is done
	Rest  bool           // it comes to rest; else there were more rounds than anybody looks ahead
}

// Foreseen is a step to come.
type Foreseen struct {
	Step
	From  catalog.PeerID // whose copy or office it takes; 0: nobody's
	To    catalog.PeerID // who gets it; 0: nobody
	Bytes uint64         // that go over the network for it
}

// Foresee runs Plan on a model of the cluster until nothing is left to do: the primaries do their part at once, peers stay as
// they are, nothing waits for a limit, and it has been calm for long. With only, nothing is planned but for that collection.
func Foresee(s *catalog.State, o Observations, only catalog.CollectionID) Forecast {
	o.Unlimited = true
	o.Peers = calmed(o.Peers)
	m := &imagined{state: s, obs: o}
	f := Forecast{}
	for range maxForeseen {
		steps := plan(m.state, m.obs, only)
		f.Steps = append(f.Steps, m.do(steps)...)
		if !m.settle(only) && len(steps) == 0 {
			f.Rest = true
			break
		}
	}
	f.State = m.state
	return f
}

func calmed(peers map[catalog.PeerID]Health) map[catalog.PeerID]Health {
	calm := make(map[catalog.PeerID]Health, len(peers))
	for id, h := range peers {
		if h.Alive {
			h.AliveFor = max(h.AliveFor, calmAfter)
		} else {
			h.DeadFor = max(h.DeadFor, time.Duration(1))
		}
		calm[id] = h
	}
	return calm
}

// imagined is a cluster in which everything that may succeed does.
type imagined struct {
	state *catalog.State
	obs   Observations
}

// apply makes changes, each on what the ones before it left, and tells which were taken.
func (m *imagined) apply(cmds []catalog.Command) []bool {
	next, results := catalog.ApplyAll(m.state, cmds)
	m.state = next
	taken := make([]bool, len(cmds))
	for i, r := range results {
		taken[i] = r.Err == nil
	}
	return taken
}

// do makes the effects of a round's steps, and tells of them what people want to know; some are not worth telling.
func (m *imagined) do(steps []Step) []Foreseen {
	var told, seen []Foreseen
	var cmds []catalog.Command
	for _, step := range steps {
		f := Foreseen{Step: step}
		switch {
		case step.RemoveVoter != 0:
			m.removeVoter(step.RemoveVoter)
			f.From = step.RemoveVoter
			told = append(told, f)
			continue
		case step.Failover != nil:
			cmd, ok := m.failover(&f)
			if !ok {
				continue
			}
			cmds = append(cmds, cmd)
		default:
			if c := step.Change.ChangeShard; c != nil {
				f.From, f.To, f.Bytes = m.ends(c)
			}
			if c := step.Change.ChangeMove; c != nil && c.Begin != nil {
				f.From, f.To, f.Bytes = m.sides(c.Collection, *c.Begin)
			}
			cmds = append(cmds, *step.Change)
		}
		seen = append(seen, f)
	}
	for i, taken := range m.apply(cmds) {
		if taken && seen[i].told() {
			told = append(told, seen[i])
		}
	}
	return told
}

func (m *imagined) removeVoter(id catalog.PeerID) {
	voters := maps.Clone(m.obs.Voters)
	delete(voters, id)
	m.obs.Voters = voters
}

// told tells whether a step is one that people want to read of.
func (s Step) told() bool {
	if s.Change == nil || s.Change.ChangeShard == nil {
		return s.Change == nil || s.Change.EndOperation == nil && (s.Change.ChangeMove == nil || s.Change.ChangeMove.Begin != nil)
	}
	return s.Change.ChangeShard.Handover == nil && s.Change.ChangeShard.Settle == nil
}

// ends tells between whom a change of a shard moves a copy.
func (m *imagined) ends(c *catalog.ChangeShard) (from, to catalog.PeerID, bytes uint64) {
	switch {
	case c.AddReplica != nil:
		return 0, *c.AddReplica, m.obs.Bytes[c.Ref]
	case c.Replace != nil:
		return c.Replace.Of, c.Replace.Peer, m.obs.Bytes[c.Ref]
	case c.Retire != nil:
		return *c.Retire, 0, 0
	case c.DropReplica != nil:
		return *c.DropReplica, 0, 0
	}
	return 0, 0, 0
}

// failover chooses who is promoted, if anybody may be.
func (m *imagined) failover(f *Foreseen) (catalog.Command, bool) {
	_, sh, ok := m.state.Shard(f.Failover.Ref)
	if !ok {
		return catalog.Command{}, false
	}
	f.From = sh.Primary
	for _, id := range sh.Active() {
		if !m.obs.alive(id) || m.state.Gone(id) || f.Failover.Drain && id == sh.Primary {
			continue
		}
		if heirs := f.Failover.Heirs; len(heirs) == 0 || slices.Contains(heirs, id) {
			f.To = id
			break
		}
	}
	promote := &catalog.Promote{Term: f.Failover.Term, Candidate: f.To}
	return catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: f.Failover.Ref, Version: sh.Version, Promote: promote}}, f.To != 0
}

// settle lets every primary that works do its part, and reports whether any changed something.
func (m *imagined) settle(only catalog.CollectionID) bool {
	moved := false
	for {
		p := &planner{state: m.state, obs: m.obs}
		var cmds []catalog.Command
		for ref, sh := range m.state.Shards() {
			if only != 0 && ref.Collection != only {
				continue
			}
			l := p.look(ref, sh)
			if !l.led(p) {
				continue
			}
			if c, ok := m.part(l); ok {
				c.Ref, c.Version = ref, sh.Version
				cmds = append(cmds, catalog.Command{ChangeShard: &c})
			}
		}
		if len(cmds) == 0 {
			cmds = m.moves(p, only)
		}
		if len(cmds) == 0 || !slices.Contains(m.apply(cmds), true) {
			return moved
		}
		moved = true
	}
}

// part is what a primary does next with its replicas, if anything.
func (m *imagined) part(l look) (catalog.ChangeShard, bool) {
	active := 0
	for _, r := range l.sh.Replicas {
		if r.State == catalog.Active && m.obs.alive(r.Peer) && !m.state.Gone(r.Peer) {
			active++
		}
	}
	for _, r := range l.sh.Replicas {
		away := !m.obs.alive(r.Peer) || m.state.Gone(r.Peer) || r.Retiring
		switch {
		case r.Peer == l.sh.Primary || r.State == catalog.Dead && away || r.State == catalog.Active && !away:
		case away:
			return catalog.ChangeShard{Demote: &r.Peer}, true
		case r.State == catalog.Dead:
			return catalog.ChangeShard{Receive: &r.Peer}, true
		default:
			return catalog.ChangeShard{Activate: &r.Peer}, true
		}
	}
	if w := uint32(l.col.WantedQuorum(l.sh)); w != l.sh.WriteQuorum && (w < l.sh.WriteQuorum || int(w) <= active) {
		return catalog.ChangeShard{SetWriteQuorum: &w}, true
	}
	return catalog.ChangeShard{}, false
}
