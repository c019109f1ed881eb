package replication_test

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// place identifies what stands at an index.
type place struct {
	term  termNo
	value uint64
}

func placeOf(e entry) place { return place{e.Term, value(e)} }

// ledger is what an all-seeing observer writes down, to hold every replica against it.
type ledger struct {
	committed []place           // by index-1: what was ever committed there
	during    []termNo          // by index-1: the term in whose time it was
	hashes    []uint64          // by index-1: the state after applying it
	committer map[termNo]peerID // who committed in a term
	leaders   []leader          // by term, as they were seen to start leading
}

type leader struct {
	term termNo
	log  []place
}

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
	if done := n.core.CompletedIndex(); done > n.done && w.plan.waived == 0 {
		w.checkCompleted(n, done)
		n.done = done
	}
	w.checkReads(n)
	if i := replication.Diverged(n.core); i != 0 {
		w.fail("peer %d has committed %d, and its primary has something else there", n.id, i)
	}
}

// checkLeader: a new primary's log has everything that was committed, at its place.
func (w *world) checkLeader(n *node, term termNo, last index) {
	w.say("peer %d leads term %d", n.id, term)
	l := leader{term: term, log: make([]place, 0, last)}
	for i := index(1); i <= last; i++ {
		e, _ := replication.EntryAt(n.core, i)
		l.log = append(l.log, placeOf(e))
	}
	for i, p := range w.committed {
		if w.during[i] < term && (i >= len(l.log) || l.log[i] != p) { // a late old primary may lack it: it will commit nothing
			w.fail("peer %d leads term %d without the committed entry %d of term %d", n.id, term, i+1, p.term)
			return
		}
	}
	w.leaders = append(w.leaders, l)
}

// checkCommit: what is committed at an index is the same for all and for ever, also in the logs of later primaries; and one
// replica at most commits in a term.
func (w *world) checkCommit(n *node, term termNo, commit index) {
	if term != 0 {
		if by, ok := w.committer[term]; ok && by != n.id {
			w.fail("peers %d and %d both commit in term %d", by, n.id, term)
		}
		w.committer[term] = n.id
	}
	for i := n.seen + 1; i <= commit; i++ {
		e, ok := replication.EntryAt(n.core, i)
		if !ok {
			w.fail("peer %d commits %d and does not have it", n.id, i)
			return
		}
		p := placeOf(e)
		if int(i) <= len(w.committed) {
			if w.committed[i-1] != p {
				w.fail("peer %d commits another entry at %d: term %d, not %d", n.id, i, p.term, w.committed[i-1].term)
			}
			continue
		}
		w.committed, w.during = append(w.committed, p), append(w.during, term)
		for _, l := range w.leaders {
			if l.term > term && term != 0 && (int(i) > len(l.log) || l.log[i-1] != p) {
				w.fail("peer %d commits %d in term %d, but the primary of term %d lacks it", n.id, i, term, l.term)
			}
		}
	}
}

// checkCompleted: W active replicas have really applied it.
func (w *world) checkCompleted(n *node, done index) {
	applied := 0
	for _, other := range w.nodes {
		if other.disk.applied >= done && slices.Contains(n.view.Active, other.id) {
			applied++
		}
	}
	if need := n.view.WriteQuorum; applied < need {
		w.fail("peer %d says %d is completed, but %d of %d have applied it", n.id, done, applied, need)
	}
}

// applied: replicas that have applied the same index hold the same state.
func (w *world) applied(n *node) {
	i := int(n.disk.applied)
	switch {
	case i > len(w.hashes)+1 || i > len(w.committed):
		w.fail("peer %d applies %d, which is not committed", n.id, i)
	case i == len(w.hashes)+1:
		w.hashes = append(w.hashes, n.disk.hash)
	case w.hashes[i-1] != n.disk.hash:
		w.fail("peer %d has another state after applying %d", n.id, i)
	}
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
		w.say("peer %d confirms round %d: it sees %d", n.id, r.round, until)
		if until < r.must && (w.plan.waived == 0 || w.plan.waived >= replication.L1) {
			w.fail("peer %d answers a read with what stood at %d, though %d was committed when it began", n.id, until, r.must)
		}
	}
}
