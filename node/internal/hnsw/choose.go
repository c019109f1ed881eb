package hnsw

import "slices"

func sortCandidates(c []candidate) { slices.Sort(c) }

// choose appends to chosen at most m of the candidates, which are in order: each that is nearer to the row than to all
// chosen before it, so that links lead in different directions (the paper's algorithm 4); then, while there is room, the
// nearest of the others.
func (w *walker) choose(g *Graph, space Space, row uint32, candidates []candidate, m int, chosen []uint32) []uint32 {
	doomed := g.doomed.Load()
	for _, c := range candidates {
		if len(chosen) == m {
			break
		}
		r := c.row()
		if r == row || doomed != nil && doomed.has(r) {
			continue
		}
		if len(chosen) > 0 && w.nearOne(space, c, chosen) {
			continue
		}
		chosen = append(chosen, r)
	}
	return chosen
}

// nearOne reports whether c is nearer to one of the chosen than its own score.
func (w *walker) nearOne(space Space, c candidate, chosen []uint32) bool {
	const some = 8
	score := c.score()
	for len(chosen) > 0 {
		n := min(some, len(chosen))
		space.Between(c.row(), chosen[:n], w.scores[:n])
		for _, s := range w.scores[:n] {
			if s < score {
				return true
			}
		}
		chosen = chosen[n:]
	}
	return false
}
