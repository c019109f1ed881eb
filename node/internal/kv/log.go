package kv

import (
	"context"
	"slices"
	"sort"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// logEnd is what is known of a log without reading it. It is immutable.
type logEnd struct {
	first, last uint64 // last = first-1: empty
	runs        []run  // ascending; the first also covers the base, first-1
	broken      error  // found damaged when the store was opened
}

// run says that from an index on, entries have a term, until the next run.
type run struct{ from, term uint64 }

func emptyLog(base, term uint64) *logEnd {
	return &logEnd{first: base + 1, last: base, runs: []run{{from: base, term: term}}}
}

// term returns the term at an index of base..last.
func (l *logEnd) term(index uint64) uint64 {
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].from > index })
	return l.runs[i-1].term
}

func (l *logEnd) appended(e LogEntry) (*logEnd, error) {
	if e.Index != l.last+1 {
		return nil, fault.New(fault.Internal, "append log entry %d: the log ends at %d", e.Index, l.last)
	}
	if t := l.term(l.last); e.Term < t {
		return nil, fault.New(fault.Internal, "append log entry %d: its term %d is below the log's, %d", e.Index, e.Term, t)
	}
	if len(e.Data) > MaxLogData {
		return nil, fault.New(fault.Invalid, "append log entry %d: %d bytes, at most %d are allowed", e.Index, len(e.Data), MaxLogData)
	}
	n := *l
	n.last = e.Index
	if n.term(e.Index) != e.Term {
		n.runs = append(slices.Clip(n.runs), run{e.Index, e.Term})
	}
	return &n, nil
}

func (l *logEnd) truncated(from uint64) (*logEnd, error) {
	if from < l.first {
		return nil, fault.New(fault.Internal, "truncate log at %d: it begins at %d", from, l.first)
	}
	n := *l
	n.last = from - 1
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].from >= from })
	n.runs = slices.Clip(n.runs[:max(i, 1)])
	return &n, nil
}

func (l *logEnd) compacted(through uint64) (*logEnd, error) {
	if through > l.last {
		return nil, fault.New(fault.Internal, "compact log through %d: it ends at %d", through, l.last)
	}
	n := *l
	n.first = through + 1
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].from > through })
	n.runs = slices.Clone(l.runs[i-1:])
	return &n, nil
}

// logEndOf returns what new views show of a log.
func (s *Store) logEndOf(generation uint64) (*logEnd, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logEndLocked(generation)
}

func (s *Store) logEndLocked(generation uint64) (*logEnd, error) {
	if s.mu.closed {
		return nil, s.errLocked()
	}
	l, ok := s.mu.logs[generation]
	if !ok {
		return emptyLog(0, 0), nil
	}
	return l, l.broken
}

// LogBounds returns the indexes of the first and last entry of a log; first is last+1 if it is empty. It reads nothing
// from the disk.
func (s *Store) LogBounds(generation uint64) (first, last uint64, err error) {
	l, err := s.logEndOf(generation)
	if err != nil {
		return 0, 0, err
	}
	return l.first, l.last, nil
}

// LogTerm returns the term of the entry at index, which may also be the one just before the first. It reads nothing
// from the disk.
func (s *Store) LogTerm(generation, index uint64) (uint64, error) {
	l, err := s.logEndOf(generation)
	if err != nil {
		return 0, err
	}
	if index+1 < l.first || index > l.last {
		return 0, fault.Wrap(fault.NotFound, ErrOutsideLog, "term of entry %d (the log holds %d to %d)", index, l.first, l.last)
	}
	return l.term(index), nil
}

// ReadLog returns the entries from lo up to, not including, hi: at least one, then as long as their data takes
// at most maxBytes together. An index outside of the log is an error with ErrOutsideLog.
func (s *Store) ReadLog(generation, lo, hi uint64, maxBytes int) ([]LogEntry, error) {
	s.mu.Lock()
	l, err := s.logEndLocked(generation)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	v := s.viewLocked() // under the same lock: it shows what l says
	s.mu.Unlock()
	defer v.Close()
	if lo < l.first || hi > l.last+1 || lo > hi {
		return nil, fault.Wrap(fault.NotFound, ErrOutsideLog, "read entries %d to %d (the log holds %d to %d)", lo, hi, l.first, l.last)
	}
	if lo == hi {
		return nil, nil
	}
	r := logReader{next: lo, end: hi, left: maxBytes}
	err = v.scan(context.Background(), keyField(generation, fieldLog), keyLog(generation, lo, 0), r.read)
	if err == nil && len(r.entries) == 0 {
		err = damaged("log of generation %d: entry %d is missing", generation, lo)
	}
	return r.entries, err
}

// logReader puts entries together from the items of a scan.
type logReader struct {
	next, end uint64
	left      int // bytes
	entries   []LogEntry
	header    entryHeader
	data      []byte
	part      int // the next part of the entry at next
}

func (r *logReader) read(it iterator) (more bool, err error) {
	index, part, err := cutLogKey(it.Key())
	if err != nil {
		return false, err
	}
	if index != r.next || int(part) != r.part {
		return false, damaged("log: found part %d of entry %d instead of part %d of entry %d", part, index, r.part, r.next)
	}
	value, err := it.value()
	if err == nil {
		err = r.add(value)
	}
	if err != nil || r.part < r.header.parts() {
		return err == nil, err
	}
	return r.finish()
}

func (r *logReader) add(value []byte) error {
	if r.part == 0 {
		h, err := openEntryHeader(r.next, value)
		if err != nil {
			return err
		}
		r.header = h
		r.data = append(make([]byte, 0, min(h.length, 2*partSize)), h.data...)
	} else {
		r.data = append(r.data, value...)
	}
	r.part++
	return nil
}

func (r *logReader) finish() (more bool, err error) {
	h := r.header
	if len(r.data) != h.length || entryCRC(r.next, h.term, h.kind, r.data) != h.crc {
		return false, damaged("log entry %d: wrong checksum", r.next)
	}
	if r.left -= len(r.data); r.left < 0 && len(r.entries) > 0 {
		return false, nil
	}
	r.entries = append(r.entries, LogEntry{Index: r.next, Term: h.term, Kind: h.kind, Data: r.data})
	r.next, r.part = r.next+1, 0
	return r.next < r.end && r.left > 0, nil
}

// LogSizes calls fn with each entry of a log, from the first, and the bytes that it takes, without reading it.
func (s *Store) LogSizes(ctx context.Context, generation uint64, fn func(index uint64, bytes int)) error {
	s.mu.Lock()
	l, err := s.logEndLocked(generation)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	v := s.viewLocked()
	s.mu.Unlock()
	defer v.Close()
	return v.scan(ctx, keyField(generation, fieldLog), keyLog(generation, l.first, 0), func(it iterator) (bool, error) {
		index, _, err := cutLogKey(it.Key())
		if err != nil || index > l.last {
			return false, err
		}
		value := it.LazyValue()
		fn(index, value.Len())
		return true, nil
	})
}
