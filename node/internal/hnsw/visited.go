package hnsw

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

// has reports whether add would not find the row new.
func (v *visited) has(row uint32) bool {
	return int(row/64) >= len(v.words) || v.words[row/64]&(1<<(row%64)) != 0
}
