package replica

import (
	"context"
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// tailBytes bounds the entries that a replica keeps in memory for its followers and its applier. Older ones are
// read from disk: only a replica that was away needs them.
const tailBytes = 4 << 20

// entryLog is a replica's durable log with its newest entries in memory. It belongs to the runner's goroutine.
type entryLog struct {
	store       *kv.Store
	generation  uint64
	first, last replication.Index
	tail        []replication.Entry // contiguous, ends at last; may be empty
	bytes       int                 // of tail
	extent      extent              // what all entries take, on disk
}

func openLog(store *kv.Store, generation uint64, bounds logBounds) (*entryLog, error) {
	first, last, err := store.LogBounds(generation)
	if err != nil {
		return nil, fmt.Errorf("open log of generation %d: %w", generation, err)
	}
	l := &entryLog{store: store, generation: generation, first: replication.Index(first), last: replication.Index(last)}
	l.extent = newExtent(l.first, bounds)
	err = store.LogSizes(context.Background(), generation, func(index uint64, bytes int) {
		l.extent.grow(replication.Index(index), bytes)
	})
	if err != nil {
		return nil, fmt.Errorf("measure log of generation %d: %w", generation, err)
	}
	return l, nil
}

// FirstIndex returns the oldest index that is kept.
func (l *entryLog) FirstIndex() replication.Index { return l.first }

// LastIndex returns the newest index, 0 for an empty log.
func (l *entryLog) LastIndex() replication.Index { return l.last }

func (l *entryLog) tailStart() replication.Index {
	return l.last + 1 - replication.Index(len(l.tail))
}

// Term returns the term of the entry at i, 0 for index 0. The store answers without reading the disk.
func (l *entryLog) Term(i replication.Index) (replication.Term, error) {
	if i == 0 {
		return 0, nil
	}
	if i+1 < l.first { // the store may still have it, while a compaction is under way
		return 0, fault.Wrap(fault.NotFound, kv.ErrOutsideLog, "term of entry %d (the log begins at %d)", i, l.first)
	}
	term, err := l.store.LogTerm(l.generation, uint64(i))
	return replication.Term(term), err
}

// Entries returns the entries [lo, hi), at least one and then as many as fit maxBytes.
func (l *entryLog) Entries(lo, hi replication.Index, maxBytes int) ([]replication.Entry, error) {
	if lo < l.first || hi > l.last+1 || lo >= hi {
		return nil, fault.New(fault.Internal, "log of generation %d: range %d..%d is outside %d..%d", l.generation, lo, hi, l.first, l.last+1)
	}
	if start := l.tailStart(); lo >= start {
		return cut(l.tail[lo-start:hi-start], maxBytes), nil
	}
	stored, err := l.store.ReadLog(l.generation, uint64(lo), uint64(hi), maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read log of generation %d: %w", l.generation, err)
	}
	entries := make([]replication.Entry, len(stored))
	for i, e := range stored {
		entries[i] = replication.Entry{
			Term: replication.Term(e.Term), Index: replication.Index(e.Index),
			Kind: replication.EntryKind(e.Kind), Data: e.Data,
		}
	}
	return entries, nil
}

func cut(entries []replication.Entry, maxBytes int) []replication.Entry {
	size := 0
	for i, e := range entries {
		if size += entrySize(e); size > maxBytes && i > 0 {
			return entries[:i:i]
		}
	}
	return entries[:len(entries):len(entries)]
}

func entrySize(e replication.Entry) int { return len(e.Data) + 32 }

// stage writes what a Ready wants durable into one batch.
func (l *entryLog) stage(rd replication.Ready) *kv.Batch {
	b := &kv.Batch{Urgent: len(rd.Append) == 0}
	if rd.TruncateFrom != 0 && rd.TruncateFrom <= l.last {
		b.TruncateLog(l.generation, uint64(rd.TruncateFrom))
	}
	for _, e := range rd.Append {
		b.AppendLog(l.generation, kv.LogEntry{Index: uint64(e.Index), Term: uint64(e.Term), Kind: uint8(e.Kind), Data: e.Data})
	}
	if rd.State != nil {
		b.SetHardState(l.generation, kv.HardState{Promised: uint64(rd.State.Promised), Led: uint64(rd.State.Led)})
	}
	return b
}

// staged takes note that the batch of stage is durable.
func (l *entryLog) staged(rd replication.Ready) {
	if from := rd.TruncateFrom; from != 0 && from <= l.last {
		l.truncate(from)
	}
	for _, e := range rd.Append {
		l.tail = append(l.tail, e)
		l.bytes += entrySize(e)
		l.last = e.Index
		l.extent.grow(e.Index, entrySize(e))
	}
	l.trim()
}

// compact makes a batch that forgets the entries up to through, which nobody may ask for any more from now on.
func (l *entryLog) compact(through replication.Index) *kv.Batch {
	l.first = through + 1
	l.extent.compact(through)
	if start := l.tailStart(); start <= through {
		gone := min(int(through+1-start), len(l.tail))
		for _, e := range l.tail[:gone] {
			l.bytes -= entrySize(e)
		}
		l.tail = append([]replication.Entry(nil), l.tail[gone:]...)
	}
	b := &kv.Batch{Urgent: true}
	b.CompactLog(l.generation, uint64(through))
	return b
}

func (l *entryLog) truncate(from replication.Index) {
	start := l.tailStart()
	l.last = from - 1
	l.extent.truncate(from)
	if from <= start {
		l.tail, l.bytes = nil, 0
		return
	}
	for _, e := range l.tail[from-start:] {
		l.bytes -= entrySize(e)
	}
	l.tail = l.tail[: from-start : from-start]
}

// trim drops the oldest entries beyond tailBytes. It copies once the dropped part is half of the array, so that the
// memory goes too and the cost stays constant per entry.
func (l *entryLog) trim() {
	drop := 0
	for l.bytes > tailBytes && drop < len(l.tail)-1 {
		l.bytes -= entrySize(l.tail[drop])
		drop++
	}
	if drop > 0 {
		l.tail = append([]replication.Entry(nil), l.tail[drop:]...)
	}
}
