package replication

// Log is the durable log as the driver keeps it. A Core reads from it only what no outstanding Ready is about to
// change, so the driver may write an outstanding Ready while the Core reads.
type Log interface {
	// FirstIndex is the first entry still there; LastIndex()+1 when there is none.
	FirstIndex() Index
	// LastIndex is the last entry; FirstIndex()-1 when there is none.
	LastIndex() Index
	// Term answers for FirstIndex()-1 up to LastIndex(). Term(0) is 0.
	Term(Index) (Term, error)
	// Entries returns entries from lo on, below hi, at least one, and no more than maxBytes of data unless the first is larger.
	Entries(lo, hi Index, maxBytes int) ([]Entry, error)
}

// tail is the log as the Core sees it: the durable log below from, and what is not known to be durable from there on.
//
// Three borders move up: everything below from is durable; up to handed, a Ready has carried it; the rest waits for
// the next Ready. A cut moves them down again, also while a Ready is outstanding: what that Ready still appends beyond
// the cut is cut away by the next one, and meanwhile the Core reads the new entries from here.
type tail struct {
	log     Log
	from    Index   // index of entries[0]; everything below is read from log
	entries []Entry // consecutive
	handed  Index
	cut     Index // the next Ready must cut the durable log from here on; 0: nothing to cut
}

func newTail(log Log) tail {
	last := log.LastIndex()
	return tail{log: log, from: last + 1, handed: last}
}

func (t *tail) last() Index { return t.from + Index(len(t.entries)) - 1 }

// durable is the last index that is known to be durable and to stay.
func (t *tail) durable() Index { return t.from - 1 }

// term returns the term of the entry at i, or false if the log does not reach there (any more).
func (t *tail) term(i Index) (Term, bool) {
	switch {
	case i == 0:
		return 0, true
	case i > t.last():
		return 0, false
	case i >= t.from:
		return t.entries[i-t.from].Term, true
	}
	term, err := t.log.Term(i)
	return term, err == nil
}

// end returns the term and index of the last entry, which decide who may become primary.
func (t *tail) end() (Term, Index) {
	term, _ := t.term(t.last())
	return term, t.last()
}

func (t *tail) append(entries ...Entry) { t.entries = append(t.entries, entries...) }

// truncate drops everything from i on.
func (t *tail) truncate(i Index) {
	if i <= t.handed {
		// The durable log has it, or will once the outstanding Ready is durable.
		t.handed = i - 1
		if t.cut == 0 || i < t.cut {
			t.cut = i
		}
	}
	if i < t.from {
		t.from, t.entries = i, nil
		return
	}
	n := i - t.from
	t.entries = t.entries[:n:n] // a Ready may still hold the rest: never write over it
}

// waiting reports whether a Ready has something to carry.
func (t *tail) waiting() bool { return t.cut != 0 || t.handed < t.last() }

// take hands out what the durable log lacks.
func (t *tail) take() (cut Index, entries []Entry) {
	cut, t.cut = t.cut, 0
	if n := len(t.entries); t.handed < t.last() {
		entries = t.entries[t.handed+1-t.from : n : n]
		t.handed = t.last()
	}
	return cut, entries
}

// advance notes that what was handed out is durable.
func (t *tail) advance() {
	if t.handed < t.from {
		return
	}
	t.entries = t.entries[t.handed+1-t.from:]
	if len(t.entries) == 0 {
		t.entries = nil
	}
	t.from = t.handed + 1
}

// read returns entries from lo on, up to hi, at least one unless lo > hi, and at most maxBytes unless the first is larger.
// It stops at the border between the durable part and the rest: the caller comes again.
func (t *tail) read(lo, hi Index, maxBytes int) ([]Entry, error) {
	switch {
	case lo > hi:
		return nil, nil
	case lo < t.from:
		return t.log.Entries(lo, min(hi+1, t.from), maxBytes)
	}
	all := t.entries[lo-t.from : hi+1-t.from]
	n, bytes := 0, 0
	for n < len(all) && (n == 0 || bytes+len(all[n].Data) <= maxBytes) {
		bytes += len(all[n].Data)
		n++
	}
	return all[:n:n], nil
}
