package hnsw

import "sync/atomic"

// visited is the set of rows that a walk has seen: a bit each, and a note of the words to clear for the next walk.
type visited struct {
	words   []uint64
	touched []uint32
}

// reset empties the set and makes room for rows.
func (v *visited) reset(rows int) {
	for _, w := range v.touched {
		v.words[w] = 0
	}
	v.touched = v.touched[:0]
	if n := (rows + 63) / 64; n > len(v.words) {
		v.words = make([]uint64, n+n/4)
	}
}

// add reports whether the row is new to the set. Rows that were inserted after reset may be beyond it: not new, so that
// the walk leaves them out.
func (v *visited) add(row uint32) bool {
	i, bit := row/64, uint64(1)<<(row%64)
	if int(i) >= len(v.words) {
		return false
	}
	w := v.words[i]
	if w&bit != 0 {
		return false
	}
	if w == 0 {
		v.touched = append(v.touched, i)
	}
	v.words[i] = w | bit
	return true
}

// bitmap is a set of rows that many read and write at once. It grows by replacing its words, under the graph's lock;
// set and clear take that lock too, so that no change gets lost.
type bitmap struct {
	words atomic.Pointer[[]atomic.Uint64]
}

func (b *bitmap) has(row uint32) bool {
	words := b.words.Load()
	return words != nil && int(row/64) < len(*words) && (*words)[row/64].Load()&(1<<(row%64)) != 0
}

func (b *bitmap) set(row uint32)   { (*b.words.Load())[row/64].Or(1 << (row % 64)) }
func (b *bitmap) clear(row uint32) { (*b.words.Load())[row/64].And(^uint64(1 << (row % 64))) }

func (b *bitmap) grow(rows int) {
	n := (rows + 63) / 64
	old := b.words.Load()
	if old != nil && len(*old) >= n {
		return
	}
	words := make([]atomic.Uint64, n+n/4)
	if old != nil {
		for i := range *old {
			words[i].Store((*old)[i].Load())
		}
	}
	b.words.Store(&words)
}

// copy returns the members.
func (b *bitmap) copy() marks {
	words := b.words.Load()
	if words == nil {
		return nil
	}
	m := make(marks, len(*words))
	for i := range *words {
		m[i] = (*words)[i].Load()
	}
	return m
}

// marks is a set of rows that does not change.
type marks []uint64

func (m marks) has(row uint32) bool { return int(row/64) < len(m) && m[row/64]&(1<<(row%64)) != 0 }
