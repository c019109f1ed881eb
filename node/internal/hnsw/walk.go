package hnsw

import (
	"context"
	"fmt"
	"math"
)

// walker is what one walk needs, used again by later ones.
type walker struct {
	seen    visited
	pool    pool
	open    nearest // of walks under a filter: candidates to expand
	rows    []uint32
	scores  [batchCap]float32
	batch   [batchCap]uint32
	kept    [batchCap]uint32
	between betweenScorer
	build   building
}

func (g *Graph) walker() *walker {
	if w, ok := g.walkers.Get().(*walker); ok {
		return w
	}
	return new(walker)
}

// betweenScorer is a Scorer of one row of a Space.
type betweenScorer struct {
	space Space
	row   uint32
}

func (b *betweenScorer) Score(rows []uint32, out []float32) { b.space.Between(b.row, rows, out) }

// descend follows the nearest neighbour from the entry down to, but not into, a level, and returns where it came.
func (w *walker) descend(g *Graph, s Scorer, to int) (candidate, bool) {
	row, level, ok := g.top()
	if !ok {
		return 0, false
	}
	w.batch[0] = row
	s.Score(w.batch[:1], w.scores[:1])
	best := newCandidate(w.scores[0], row)
	for ; level > to; level-- {
		for {
			rows := read(g.links.list(best.row(), level), w.batch[:0])
			s.Score(rows, w.scores[:len(rows)])
			before := best
			for i, r := range rows {
				best = min(best, newCandidate(w.scores[i], r))
			}
			if best == before {
				break
			}
		}
	}
	return best, true
}

// level walks one level from a starting candidate; the pool then holds the nearest ef rows it has found.
func (w *walker) level(ctx context.Context, g *Graph, s Scorer, from candidate, level, ef int) error {
	w.seen.reset(g.links.capacity())
	w.pool.reset(ef)
	w.seen.add(from.row())
	w.pool.add(from &^ expanded)
	for n := 1; ; n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return fmt.Errorf("walk graph: %w", ctx.Err())
		}
		c, ok := w.pool.pop()
		if !ok {
			return nil
		}
		rows := w.fresh(g.links.list(c.row(), level))
		if len(rows) == 0 {
			continue
		}
		s.Score(rows, w.scores[:len(rows)])
		limit := w.pool.limit()
		for i, row := range rows {
			if score := w.scores[i]; score < limit || limit == float32(math.Inf(1)) {
				w.pool.add(newCandidate(score, row))
				limit = w.pool.limit()
			}
		}
	}
}

// fresh returns the links of a list that the walk has not seen.
func (w *walker) fresh(list []uint32) []uint32 {
	n := 0
	for _, row := range read(list, w.batch[:0]) {
		if w.seen.add(row) {
			w.batch[n] = row
			n++
		}
	}
	return w.batch[:n]
}
