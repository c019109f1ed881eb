package hnsw

import "sync/atomic"

// visited is the set of rows that a walk has seen: a bit each, and a note of the words to clear for the next walk.
type visited struct {
	words   []uint64
	touched []uint32 // as many as there are words, and one more
	noted   int      // how many of them count
}

// reset empties the set and makes room for rows.
func (v *visited) reset(rows int) {
	for _, w := range v.touched[:v.noted] {
		v.words[w] = 0
	}
	v.noted = 0
	if n := (rows + 63) / 64; n > len(v.words) {
		v.words = make([]uint64, n+n/4)
		v.touched = make([]uint32, len(v.words)+1)
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
		v.touched[v.noted] = i
		v.noted++
	}
	v.words[i] = w | bit
	return true
}

// has reports whether add would not find the row new.
func (v *visited) has(row uint32) bool {
	return int(row/64) >= len(v.words) || v.words[row/64]&(1<<(row%64)) != 0
}

// fresh adds the links of a list, and returns those that were new.
//
// No processor can guess which those are. So each is written where the next of them belongs, and that moves on if it is one.
func (v *visited) fresh(list []uint32, batch *[batchCap]uint32) []uint32 {
	words, touched, noted, n := v.words, v.touched, uint(v.noted), uint(0)
	for i := range list {
		link := atomic.LoadUint32(&list[i])
		if link == 0 {
			break
		}
		row := link - 1
		at := row / 64
		if int(at) >= len(words) {
			continue
		}
		word := words[at]
		words[at] = word | 1<<(row%64)
		batch[n%batchCap] = row
		n += uint(^word >> (row % 64) & 1)
		touched[noted] = at
		if word == 0 {
			noted++
		}
	}
	v.noted = int(noted)
	return batch[:n]
}
