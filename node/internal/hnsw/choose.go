package hnsw

import "slices"

// chooser is a choice of links for a row.
type chooser struct {
	row   uint32
	self  float32 // the row's score with itself, which is that of copies of its vector
	salt  uint32  // mixed into the rows of candidates, to order those that score the same
	limit int     // links
}

// choose appends to chosen at most limit of the candidates, which are in order: each that is nearer to the row than to all
// chosen before it, so that links lead in different directions (the paper's algorithm 4). Of copies of the row's vector the
// first alone takes part in that, the others get what room is left: else copies would link to nothing but copies, and
// nothing else to most of them.
func (w *walker) choose(space Space, o chooser, candidates []candidate, chosen []uint32) []uint32 {
	w.copies = w.copies[:0]
	for _, c := range candidates {
		if len(chosen) == o.limit {
			return chosen
		}
		r, score := c.row()^o.salt, c.score()
		if r == o.row {
			continue
		}
		if len(chosen) > 0 {
			if score == o.self {
				w.copies = append(w.copies, r)
				continue
			}
			if w.nearOne(space, r, score, chosen) {
				continue
			}
		}
		chosen = append(chosen, r)
	}
	return append(chosen, w.copies[:min(len(w.copies), o.limit-len(chosen))]...)
}

// nearOne reports whether a row is nearer to one of the chosen than score.
func (w *walker) nearOne(space Space, row uint32, score float32, chosen []uint32) bool {
	const some = 8
	for len(chosen) > 0 {
		n := min(some, len(chosen))
		space.Between(row, chosen[:n], w.scores[:n])
		for _, s := range w.scores[:n] {
			if s < score {
				return true
			}
		}
		chosen = chosen[n:]
	}
	return false
}

// rescore makes build.pairs of rows, mixed with salt, in the order of their nearness to a row, and returns that row's
// score with itself.
func (w *walker) rescore(space Space, to uint32, rows []uint32, salt uint32) (self float32) {
	var one [1]float32
	space.Between(to, []uint32{to}, one[:])
	w.build.pairs = w.build.pairs[:0]
	for len(rows) > 0 {
		n := min(len(rows), batchCap)
		space.Between(to, rows[:n], w.scores[:n])
		for i, r := range rows[:n] {
			w.build.pairs = append(w.build.pairs, newCandidate(w.scores[i], r^salt))
		}
		rows = rows[n:]
	}
	slices.Sort(w.build.pairs)
	return one[0]
}

// saltOf mixes two rows into a number below MaxRows.
func saltOf(a, b uint32) uint32 { return (a*0x9e3779b1 ^ b*0x85ebca77) >> 1 }
