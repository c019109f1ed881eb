package dense

import (
	"context"
	"fmt"
)

// Snapshot is an index as it was published at one moment. It is a value, and good until Release.
type Snapshot struct {
	x *Index
	*state
}

// Snapshot returns what is published now. The index must be open.
func (x *Index) Snapshot() Snapshot {
	s, ok := x.snapshot()
	if !ok {
		panic("dense: a snapshot of an index that was closed")
	}
	return s
}

// snapshot is Snapshot of an index that may have been closed: then there is none.
func (x *Index) snapshot() (s Snapshot, ok bool) {
	for {
		if s := x.state.Load(); s.core.users.acquire() {
			return Snapshot{x: x, state: s}, true
		}
		x.mu.Lock() // another core is in place now, unless it was the last
		closed := x.mu.closed
		x.mu.Unlock()
		if closed {
			return Snapshot{}, false
		}
	}
}

// Release lets go of a snapshot. The zero Snapshot needs none.
func (s Snapshot) Release() {
	if s.state == nil {
		return
	}
	if err := s.core.release(); err != nil {
		s.x.log.Warn("cannot give the memory of vectors back", "error", err)
	}
}

// Len returns the number of vectors.
func (s Snapshot) Len() int { return s.count }

// Has tells whether a label had a vector.
func (s Snapshot) Has(label uint32) bool {
	_, ok := s.row(label)
	return ok
}

// Each visits all vectors, in no order, in the form that vec.Distance.Stored gives them. What it passes is nobody's to change or keep. ctx is looked at every few thousand.
func (s Snapshot) Each(ctx context.Context, visit func(label uint32, v []float32)) error {
	buffer := s.core.form.buffer()
	for row := range s.rows {
		if row%(wordRows*ctxEvery) == 0 && ctx.Err() != nil {
			return fmt.Errorf("visit vectors: %w", ctx.Err())
		}
		if s.visible(row) {
			visit(s.core.label(row), s.core.vector(row, buffer))
		}
	}
	return nil
}

// row returns the row that a label had.
func (s *state) row(label uint32) (row uint32, ok bool) {
	at := s.core.rowOf.get(label)
	for at > s.rows { // newer than the snapshot
		b, i := s.core.place(at - 1)
		at = b.before[i]
	}
	return at - 1, at != 0 && s.visible(at-1)
}

// visible reports whether a row is one that the snapshot counts and that lived then.
func (s *state) visible(row uint32) bool {
	if row >= s.rows {
		return false
	}
	b, at := s.core.place(row)
	died := b.died[at].Load()
	return died == 0 || died > s.seq
}
