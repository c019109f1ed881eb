package replication_test

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// place identifies what stands at an index.
type place struct {
	term  termNo
	value uint64
}

func placeOf(e entry) place { return place{e.Term, value(e)} }

// spot is an index and the term of what stands there: by the way logs are compared, everything up to it is the same wherever
// it is.
type spot struct {
	index index
	term  termNo
}

// ledger is what an all-seeing observer writes down, to hold every replica against it.
type ledger struct {
	committed []place           // by index-1: what was ever committed there
	during    []termNo          // by index-1: the term in whose time it was
	states    map[spot]uint64   // the state after applying it
	committer map[termNo]peerID // who committed in a term
	leaders   []leader          // by term, as they were seen to start leading
	applies   map[uint64]index  // by generation: how far it has ever applied

	unsafe []termNo      // the terms of promotions with too few answers
	lost   map[spot]bool // what was committed, and lost by such promotions
}

func newLedger() ledger {
	return ledger{committer: map[termNo]peerID{}, states: map[spot]uint64{}, applies: map[uint64]index{}, lost: map[spot]bool{}}
}

type leader struct {
	term termNo
	log  []place
}

func (l leader) has(i index, p place) bool { return int(i) <= len(l.log) && l.log[i-1] == p }

// check holds n's Core against the ledger after every call.
func (w *world) check(n *node) {
	if n.core == nil || w.failure != nil {
		return
	}
	term, last := replication.TermAndLast(n.core)
	if term != 0 && term != n.led {
		w.checkLeader(n, term, last)
	}
	n.led = term
	if commit := n.core.CommitIndex(); commit > n.seen {
		w.checkCommit(n, term, commit)
		n.seen = commit
	}
	if done := n.core.CompletedIndex(); done > n.done && w.without.name == "" {
		w.checkCompleted(n, done)
		n.done = done
	}
	w.checkReads(n)
	if i := replication.Diverged(n.core); i != 0 && len(w.unsafe) == 0 {
		w.fail("peer %d has committed %d, and its primary has something else there", n.id, i)
	}
}

// gambled reports whether an unsafe promotion to a term after a and up to b may be why b's primary lacks what a's committed.
func (w *world) gambled(a, b termNo) bool {
	for _, t := range w.unsafe {
		if a < t && t <= b {
			return true
		}
	}
	return false
}

// lose takes out of the ledger what stands from i on.
func (w *world) lose(i index) {
	for j := i; int(j) <= len(w.committed); j++ {
		w.lost[spot{j, w.committed[j-1].term}] = true
	}
	w.committed, w.during = w.committed[:i-1], w.during[:i-1]
}

// checkLeader: a new primary's log has everything that was committed, at its place.
func (w *world) checkLeader(n *node, term termNo, last index) {
	w.say("peer %d leads term %d", n.id, term)
	w.stats.terms++
	l := leader{term: term, log: append(make([]place, 0, last), n.disk.past...)}
	for i := index(len(l.log) + 1); i <= last; i++ {
		e, _ := replication.EntryAt(n.core, i)
		l.log = append(l.log, placeOf(e))
	}
	for i, p := range w.committed {
		if w.during[i] >= term || l.has(index(i+1), p) { // a late old primary may lack it: it will commit nothing
			continue
		}
		if !w.gambled(w.during[i], term) {
			w.fail("peer %d leads term %d without the committed entry %d of term %d", n.id, term, i+1, p.term)
			return
		}
		w.lose(index(i + 1))
		break
	}
	for i := len(w.committed); i < len(l.log) && w.lost[spot{index(i + 1), l.log[i].term}]; i++ { // another such promotion brought it back
		delete(w.lost, spot{index(i + 1), l.log[i].term})
		w.committed, w.during = append(w.committed, l.log[i]), append(w.during, l.log[i].term)
	}
	w.leaders = append(w.leaders, l)
}

// checkCommit: what is committed at an index is the same for all and for ever, also in the logs of later primaries; one
// replica at most commits in a term; and nobody commits what no primary has.
func (w *world) checkCommit(n *node, term termNo, commit index) {
	if term != 0 {
		if by, ok := w.committer[term]; ok && by != n.id {
			w.fail("peers %d and %d both commit in term %d", by, n.id, term)
		}
		w.committer[term] = n.id
	}
	for i := n.seen + 1; i <= commit && w.failure == nil; i++ {
		e, ok := replication.EntryAt(n.core, i)
		if !ok {
			w.fail("peer %d commits %d and does not have it", n.id, i)
			return
		}
		if p := placeOf(e); !w.lost[spot{i, p.term}] && w.agrees(n, term, i, p) {
			w.committed, w.during = append(w.committed, p), append(w.during, term)
		}
	}
}

// agrees reports whether n is the first to commit p at i, and that it contradicts nothing.
func (w *world) agrees(n *node, term termNo, i index, p place) bool {
	if int(i) <= len(w.committed) {
		have := w.committed[i-1]
		switch {
		case have == p:
			return false
		case w.gambled(p.term, have.term):
			w.lost[spot{i, p.term}] = true
			return false
		case !w.gambled(have.term, p.term):
			w.fail("peer %d commits another entry at %d: term %d, not %d", n.id, i, p.term, have.term)
			return false
		}
		w.lose(i)
	}
	for _, l := range w.leaders {
		if l.term <= term || term == 0 || l.has(i, p) {
			continue
		}
		if w.gambled(term, l.term) {
			w.lost[spot{i, p.term}] = true
			return false
		}
		w.fail("peer %d commits %d in term %d, but the primary of term %d lacks it", n.id, i, term, l.term)
	}
	if term == 0 && w.without.name == "" {
		w.fail("peer %d takes %d for committed, but no primary has committed it", n.id, i)
	}
	if int(i) != len(w.committed)+1 && w.failure == nil {
		w.fail("peer %d commits %d, but %d are committed", n.id, i, len(w.committed))
	}
	return w.failure == nil
}

// checkCompleted: W active replicas have really applied it.
func (w *world) checkCompleted(n *node, done index) {
	applied := 0
	for _, id := range n.view.Active {
		if w.applies[n.view.Generations[id]] >= done {
			applied++
		}
	}
	if need := n.view.WriteQuorum; applied < need {
		w.fail("peer %d says %d is completed, but %d of %d have applied it", n.id, done, applied, need)
	}
}

// applied: replicas that have applied the same index hold the same state.
func (w *world) applied(n *node, e entry) {
	at := spot{e.Index, e.Term}
	have, known := w.states[at]
	switch {
	case !w.lost[at] && (int(e.Index) > len(w.committed) || w.committed[e.Index-1] != placeOf(e)):
		w.fail("peer %d applies %d, which is not committed", n.id, e.Index)
	case known && have != n.disk.hash:
		w.fail("peer %d has another state after applying %d", n.id, e.Index)
	}
	w.states[at] = n.disk.hash
	w.applies[n.gen] = max(w.applies[n.gen], e.Index)
}

// read begins a linearizable read at n.
func (w *world) read(n *node) {
	round, err := n.core.Confirm()
	w.say("peer %d begins a read: round %d %v, %d are committed", n.id, round, err, len(w.committed))
	if err == nil && len(n.reads) < 10 {
		n.reads = append(n.reads, reading{round, index(len(w.committed))})
	}
}

// checkReads: a read that is confirmed sees everything that was committed, wherever, before it began.
func (w *world) checkReads(n *node) {
	round, until := n.core.Confirmed()
	for len(n.reads) > 0 && n.reads[0].round <= round {
		r := n.reads[0]
		n.reads = n.reads[1:]
		w.stats.reads++
		w.say("peer %d confirms round %d: it sees %d", n.id, r.round, until)
		if until < r.must && (w.without.name == "" || w.without.reads) {
			w.fail("peer %d answers a read with what stood at %d, though %d was committed when it began", n.id, until, r.must)
		}
	}
}
