package replica

import "github.com/ostraka/terraform-provider-ostraka/node/internal/replication"

// logBounds says how large a log may grow: to soft for certain, to hard for the sake of a replica that still needs it.
type logBounds struct {
	softBytes, hardBytes     int
	softEntries, hardEntries int
}

// spansPerBound is how finely a log is cut: a compaction forgets a whole span, so each frees this part of the bound.
const spansPerBound = 16

// bound is one of those that a log is held to.
type bound int

const (
	soft bound = iota
	hard
	tight // a span of soft: while the disk is full
)

func (b logBounds) of(which bound) (bytes, entries int) {
	switch which {
	case hard:
		return b.hardBytes, b.hardEntries
	case tight:
		return b.softBytes / spansPerBound, b.softEntries / spansPerBound
	case soft:
	}
	return b.softBytes, b.softEntries
}

// extent knows, without keeping a number per entry, what a log takes: consecutive entries are counted together in spans.
type extent struct {
	bounds  logBounds
	before  replication.Index // the last index in front of the first span
	spans   []span
	bytes   int // of all spans
	grownBy int // bytes since tending was last due
	grownTo replication.Index
	tended  replication.Index
}

// span is the entries up to last, from the span before.
type span struct {
	last  replication.Index
	bytes int
}

func newExtent(first replication.Index, bounds logBounds) extent {
	return extent{bounds: bounds, before: first - 1, grownTo: first - 1, tended: first - 1}
}

func (x *extent) last() replication.Index {
	if n := len(x.spans); n > 0 {
		return x.spans[n-1].last
	}
	return x.before
}

// grow counts bytes of the entry at i, which is the last or the one behind it.
func (x *extent) grow(i replication.Index, bytes int) {
	x.bytes += bytes
	x.grownBy += bytes
	x.grownTo = i
	if n := len(x.spans); n > 0 {
		s := &x.spans[n-1]
		full := s.bytes >= x.bounds.softBytes/spansPerBound || int(s.last-x.start(n-1)) > x.bounds.softEntries/spansPerBound
		if i == s.last || !full {
			s.last, s.bytes = i, s.bytes+bytes
			return
		}
	}
	x.spans = append(x.spans, span{last: i, bytes: bytes})
}

// start is the first index of a span.
func (x *extent) start(n int) replication.Index {
	if n == 0 {
		return x.before + 1
	}
	return x.spans[n-1].last + 1
}

// truncate forgets the entries from an index on. A span that is cut keeps its share.
func (x *extent) truncate(from replication.Index) {
	for n := len(x.spans) - 1; n >= 0 && x.spans[n].last >= from; n-- {
		s, start := &x.spans[n], x.start(n)
		if start < from {
			kept := int(uint64(s.bytes) * uint64(from-start) / uint64(s.last+1-start))
			x.bytes -= s.bytes - kept
			s.last, s.bytes = from-1, kept
			break
		}
		x.bytes -= s.bytes
		x.spans = x.spans[:n]
	}
	x.grownTo, x.tended = min(x.grownTo, from-1), min(x.tended, from-1)
}

// compact forgets the spans that end at or before an index.
func (x *extent) compact(through replication.Index) {
	n := 0
	for n < len(x.spans) && x.spans[n].last <= through {
		x.bytes -= x.spans[n].bytes
		n++
	}
	x.spans, x.before = append([]span(nil), x.spans[n:]...), through
}

// due reports whether the log has grown enough since the last time for looking at its bounds again.
func (x *extent) due() bool {
	if x.grownBy <= x.bounds.softBytes/spansPerBound && int(x.grownTo-x.tended) <= x.bounds.softEntries/spansPerBound {
		return false
	}
	x.grownBy, x.tended = 0, x.grownTo
	return true
}

// surplus returns the last entry that has to go for the log to keep a bound, at the end of a span, none beyond limit, and about
// atMost entries at once; 0 if none has to or may.
func (x *extent) surplus(which bound, limit replication.Index, atMost int) replication.Index {
	maxBytes, maxEntries := x.bounds.of(which)
	bytes, through := x.bytes, replication.Index(0)
	for n := range x.spans {
		over := bytes > maxBytes || int(x.last()+1-x.start(n)) > maxEntries
		enough := n > 0 && int(x.spans[n].last-x.before) > atMost
		if !over || enough || x.spans[n].last > limit {
			break
		}
		through = x.spans[n].last
		bytes -= x.spans[n].bytes
	}
	return through
}
