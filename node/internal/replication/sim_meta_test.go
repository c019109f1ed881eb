package replication_test

import (
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// metadata is the model of what Raft keeps of the shard: a view, changed by compare-and-set.
type metadata struct {
	history  []viewInfo // every version there was, oldest first
	nextGen  uint64
	snapshot map[uint64]bool // the generations that begin with a snapshot and have not counted yet
	unbound  bool            // promotions are not bound to a version: a fault on purpose
}

func newMetadata(n, w int) *metadata {
	v := viewInfo{Version: 1, Term: 1, Primary: 1, WriteQuorum: w, Generations: map[peerID]uint64{}}
	m := &metadata{nextGen: 1, snapshot: map[uint64]bool{}}
	for i := 1; i <= n; i++ {
		v.Active = append(v.Active, peerID(i))
		v.Generations[peerID(i)] = m.nextGen
		m.nextGen++
	}
	m.history = []viewInfo{v}
	return m
}

func (m *metadata) view() viewInfo { return m.history[len(m.history)-1] }

// proposal is a command on its way to the metadata; exactly one of its wishes is set.
type proposal struct {
	change  replication.Change
	promote replication.FenceAnswer // Peer, and in Promised the new term
	unsafe  bool                    // with fewer answers than R6 asks for
	add     peerID
	drop    peerID
	retire  peerID
	rebuild peerID // Dead or Partial -> Partial in a new generation, to begin with a snapshot
}

// apply does what the real metadata's state machine does: refuse unless the version is current and the change allowed.
func (m *metadata) apply(p proposal) bool {
	old := m.view()
	if p.change.Version != old.Version && (!m.unbound || p.promote.Peer == 0) {
		return false
	}
	v := old
	v.Version++
	v.Active, v.Partial = slices.Clone(old.Active), slices.Clone(old.Partial)
	v.Dead, v.Retiring = slices.Clone(old.Dead), slices.Clone(old.Retiring)
	if !m.change(&v, p) {
		return false
	}
	m.history = append(m.history, v)
	return true
}

func (m *metadata) change(v *viewInfo, p proposal) bool {
	switch c := p.change; {
	case p.promote.Peer != 0:
		v.Term, v.Primary = p.promote.Promised, p.promote.Peer
		take(&v.Retiring, p.promote.Peer)
		return p.promote.Promised > m.view().Term && slices.Contains(v.Active, p.promote.Peer)
	case c.Demote != 0:
		last := len(v.Active) == 1 && v.Active[0] == c.Demote
		ok := c.Demote != v.Primary && !last && (take(&v.Active, c.Demote) || take(&v.Partial, c.Demote))
		v.Dead = append(v.Dead, c.Demote)
		return ok
	case c.Receive != 0:
		v.Partial = append(v.Partial, c.Receive)
		return take(&v.Dead, c.Receive)
	case c.Activate != 0:
		v.Active = append(v.Active, c.Activate)
		if slices.Contains(v.Retiring, c.Activate) || !take(&v.Partial, c.Activate) {
			return false
		}
		delete(m.snapshot, v.Generations[c.Activate])
		return true
	case c.SetWriteQuorum != 0:
		v.WriteQuorum = c.SetWriteQuorum
		return true
	case p.add != 0:
		return m.add(v, p.add)
	case p.drop != 0:
		v.Generations = maps.Clone(v.Generations)
		delete(v.Generations, p.drop)
		take(&v.Retiring, p.drop)
		return take(&v.Dead, p.drop) || take(&v.Partial, p.drop)
	case p.rebuild != 0:
		return m.rebuild(v, p.rebuild)
	case p.retire != 0:
		ok := p.retire != v.Primary && v.Generations[p.retire] != 0 && !slices.Contains(v.Retiring, p.retire)
		v.Retiring = append(v.Retiring, p.retire)
		return ok
	}
	return false
}

func (m *metadata) add(v *viewInfo, p peerID) bool {
	if v.Generations[p] != 0 {
		return false
	}
	v.Generations = maps.Clone(v.Generations)
	v.Generations[p] = m.nextGen
	m.nextGen++
	v.Partial = append(v.Partial, p)
	return true
}

func (m *metadata) rebuild(v *viewInfo, p peerID) bool {
	if slices.Contains(v.Retiring, p) || !take(&v.Dead, p) && !take(&v.Partial, p) {
		return false
	}
	v.Generations = maps.Clone(v.Generations)
	v.Generations[p] = m.nextGen
	m.snapshot[m.nextGen] = true
	m.nextGen++
	v.Partial = append(v.Partial, p)
	return true
}

// take removes p from peers and reports whether it was there.
func take(peers *[]peerID, p peerID) bool {
	i := slices.Index(*peers, p)
	if i >= 0 {
		*peers = slices.Delete(*peers, i, i+1)
	}
	return i >= 0
}

// attempt is one try of some Raft leader to replace the primary. Several may run at once, slow ones too: only the
// compare-and-set orders them.
type attempt struct {
	id      peerID
	view    viewInfo
	answers []replication.FenceAnswer
}

func (a *attempt) term() termNo { return a.view.Term + 1 }

// answered keeps the answers of the replicas that count in the attempt's view.
func (a *attempt) answered(m message) {
	if slices.Contains(a.view.Active, m.From) && (a.view.Generations[m.From] == m.Generation || m.Generation == 0) {
		a.answers = append(a.answers, replication.FenceAnswer{
			Peer: m.From, Promised: m.Term, LastTerm: m.LastTerm, LastIndex: m.LastIndex,
		})
	}
}

// outcome returns the promotion that the answers allow, or false. unsafe: also one with too few of them, where W = 1.
func (a *attempt) outcome(without mutation, unsafe bool) (proposal, bool) {
	activeCount, w := len(a.view.Active), a.view.WriteQuorum
	best, ok, safe := replication.Choose(a.term(), activeCount, w, a.answers)
	switch without.bent {
	case fewAnswers:
		best, ok, safe = replication.Choose(a.term(), activeCount, w+1, a.answers)
	case anyLog:
		best = a.other(best)
	case longestLog:
		best = a.longest(best)
	}
	best.Promised = a.term()
	return proposal{change: replication.Change{Version: a.view.Version}, promote: best, unsafe: !safe}, safe || ok && unsafe
}

// other is the last that answered, a fault on purpose.
func (a *attempt) other(best replication.FenceAnswer) replication.FenceAnswer {
	for _, f := range a.answers {
		if f.Promised >= a.term() {
			best = f
		}
	}
	return best
}

// longest is the one with the longest log, whatever its last term: a fault on purpose.
func (a *attempt) longest(best replication.FenceAnswer) replication.FenceAnswer {
	for _, f := range a.answers {
		if f.Promised >= a.term() && f.LastIndex > best.LastIndex {
			best = f
		}
	}
	return best
}
