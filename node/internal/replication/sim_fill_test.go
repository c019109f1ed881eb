package replication_test

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// snapshot is the state of a replica, on its way to a generation that begins with it.
type snapshot struct {
	from    peerID
	gen     uint64
	applied index
	term    termNo // of the entry at applied
	hash    uint64
	past    []place
}

// compact forgets some of what n has applied.
func (n *node) compact(w *world) {
	log := &n.disk.log
	through := log.base + 1 + index(w.rng.IntN(int(n.disk.applied-log.base)))
	for _, e := range log.entries[:through-log.base] {
		n.disk.past = append(n.disk.past, placeOf(e))
	}
	log.compact(through)
	w.say("peer %d forgets its log up to %d", n.id, through)
}

// rebuild wishes, as a primary, for a new generation of a replica that the log does not bring up to date.
func (w *world) rebuild(n *node) {
	if !n.lacking || !n.core.Leading() || w.cut[n.id][0] {
		return
	}
	st := n.core.Status()
	for _, id := range st.NeedSnapshot {
		gen := n.view.Generations[id]
		filling := w.meta.snapshot[gen] && n.heard[id] != gen
		if st.Change != nil || slices.Contains(n.view.Active, id) || slices.Contains(n.view.Retiring, id) || filling {
			continue
		}
		w.ask(proposal{change: replication.Change{Version: n.view.Version}, rebuild: id})
		return
	}
}

// fill begins or ends the passage of a snapshot from the primary, as far as n knows who that is, to n.
func (w *world) fill(n *node) {
	if !n.filling || n.down || n.view.Primary == 0 {
		return
	}
	p := w.nodes[n.view.Primary-1]
	lost := p.core == nil || p == n || p.gen != n.view.Generations[p.id] || w.cut[p.id][n.id] || w.cut[n.id][p.id]
	switch {
	case lost || n.source != nil && (n.source.from != p.id || n.source.gen != p.gen):
		n.source = nil
	case n.source == nil:
		if term, err := p.disk.log.Term(p.disk.applied); err == nil && p.disk.applied > 0 && p.core.Leading() && p.view.Generations[n.id] == n.gen {
			n.source = &snapshot{from: p.id, gen: p.gen, applied: p.disk.applied, term: term, hash: p.disk.hash, past: p.history()}
		}
	case p.disk.log.FirstIndex() > n.source.applied+1:
		n.source = nil // the log has gone on too far meanwhile
	default:
		n.filled(w)
	}
}

// history returns what stands at every index that n has applied.
func (n *node) history() []place {
	past := slices.Clone(n.disk.past)
	for _, e := range n.disk.log.entries[:n.disk.applied-n.disk.log.base] {
		past = append(past, placeOf(e))
	}
	return past
}

// filled makes what has arrived a replica.
func (n *node) filled(w *world) {
	s, d := n.source, &n.disk
	w.say("peer %d is filled from peer %d, up to %d", n.id, s.from, s.applied)
	n.source, n.filling = nil, false
	d.log, d.applied, d.hash, d.past = memLog{base: s.applied, baseTerm: s.term}, s.applied, s.hash, s.past
	w.applies[n.gen] = s.applied
	w.stats.snapshots++
	n.open(w)
	n.core.Learn(n.view)
	w.check(n)
}
