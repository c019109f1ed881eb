package reconcile

import (
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
		for _, step := range steps {
			if seen, ok := m.do(step); ok {
				f.Steps = append(f.Steps, seen)
			}
		}
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

func (m *imagined) apply(cmd catalog.Command) bool {
	next, r := catalog.Apply(m.state, cmd)
	m.state = next
	return r.Err == nil
}

// do makes a step's effect, and tells of it what people want to know; some steps are not worth telling.
func (m *imagined) do(step Step) (Foreseen, bool) {
	f := Foreseen{Step: step}
	switch {
	case step.RemoveVoter != 0:
		voters := map[catalog.PeerID]string{}
		for id, addr := range m.obs.Voters {
			if id != step.RemoveVoter {
				voters[id] = addr
			}
		}
		m.obs.Voters = voters
		f.From = step.RemoveVoter
		return f, true
	case step.Failover != nil:
		return m.failover(f)
	}
	if c := step.Change.ChangeShard; c != nil {
		f.From, f.To, f.Bytes = m.ends(c)
	}
	ok := m.apply(*step.Change)
	return f, ok && step.told()
}

// told tells whether a step is one that people want to read of.
func (s Step) told() bool {
	if s.Change == nil || s.Change.ChangeShard == nil {
		return s.Change == nil || s.Change.EndOperation == nil
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

func (m *imagined) failover(f Foreseen) (Foreseen, bool) {
	_, sh, ok := m.state.Shard(f.Failover.Ref)
	if !ok {
		return f, false
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
	if f.To == 0 {
		return f, false
	}
	change := &catalog.ChangeShard{Ref: f.Failover.Ref, Version: sh.Version, Promote: &catalog.Promote{Term: f.Failover.Term, Candidate: f.To}}
	return f, m.apply(catalog.Command{ChangeShard: change})
}

// settle lets every primary that works do its part, and reports whether any changed something.
func (m *imagined) settle(only catalog.CollectionID) bool {
	p := &planner{state: m.state, obs: m.obs}
	moved := false
	for ref, sh := range m.state.Shards() {
		if only != 0 && ref.Collection != only {
			continue
		}
		l := p.look(ref, sh)
		for l.led(p) {
			c, ok := m.part(l)
			if !ok {
				break
			}
			c.Ref, c.Version = ref, l.sh.Version
			if !m.apply(catalog.Command{ChangeShard: &c}) {
				break
			}
			moved = true
			_, next, _ := m.state.Shard(ref)
			p.state = m.state
			l = p.look(ref, next)
		}
	}
	return moved
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
