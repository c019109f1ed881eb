package hnsw

import (
	"context"
	"fmt"
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// walker is what one walk needs, used again by later ones.
type walker struct {
	seen    visited
	pool    pool
	rows    []uint32
	scores  [batchCap]float32
	batch   [batchCap]uint32
	turns   [2][batchCap]uint32
	kept    [batchCap]uint32
	between betweenScorer
	build   building

	copies []uint32 // of choose
	behind []uint32 // of bridge: rows that a filter does not take, the first of aside
	aside  [2 * batchCap]uint32
	starts []uint32 // where a search begins besides
	salt   uint32   // mixed into the rows of candidates in the pool, so that of equal ones each insert takes others
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

func (b *betweenScorer) Hint(rows []uint32) {
	if h, ok := b.space.(Hinter); ok {
		h.Hint(rows)
	}
}

func (b *betweenScorer) Score(rows []uint32, out []float32) { b.space.Between(b.row, rows, out) }

// descend follows the nearest neighbour from the entry down to, but not into, a level, and returns where it came. What it has compared
// once was further away than what it came to, and is left out from then on.
func (w *walker) descend(g *Graph, s Scorer, to int) (candidate, bool) {
	row, level, ok := g.top()
	if !ok {
		return 0, false
	}
	w.batch[0] = row
	s.Score(w.batch[:1], w.scores[:1])
	best := newCandidate(w.scores[0], row)
	w.seen.reset(g.links.capacity())
	w.seen.add(row)
	for ; level > to; level-- {
		for {
			rows := w.seen.fresh(g.links.list(best.row(), level), &w.batch)
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

// level walks one level from a starting candidate; the pool then holds the nearest ef rows it has found, of those that
// score the same no more than equal.
//
// It is always one step ahead: the rows that the next candidate leads to are on their way from memory while those of the
// one before are compared, though those may turn out to be nearer and would have had their turn first.
func (w *walker) level(ctx context.Context, g *Graph, s Scorer, from candidate, level, ef, equal int) error {
	w.seen.reset(g.links.capacity())
	w.pool.reset(ef, equal)
	w.seen.add(from.row())
	w.pool.add(newCandidate(from.score(), from.row()^w.salt))
	if len(w.starts) > 0 {
		w.begin(g, s, nil)
	}
	hint, _ := s.(Hinter)
	rows := w.step(g, level, hint, 0)
	for n := 1; len(rows) > 0; n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return fmt.Errorf("walk graph: %w", ctx.Err())
		}
		next := w.step(g, level, hint, n%2)
		w.score(s, rows)
		if rows = next; len(rows) == 0 {
			rows = w.step(g, level, hint, n%2)
		}
	}
	return nil
}

// begin compares the rows that a search begins at besides, of which a filter, if there is one, takes some.
func (w *walker) begin(g *Graph, s Scorer, a *acceptor) {
	rows := w.turns[0][:0]
	for _, row := range w.starts {
		if !g.links.has(row) || a != nil && !a.takes(row) || !w.seen.add(row) {
			continue
		}
		if rows = append(rows, row); len(rows) == batchCap {
			w.score(s, rows)
			rows = rows[:0]
		}
	}
	if len(rows) > 0 {
		w.score(s, rows)
	}
}

// step expands the best candidate that leads to rows which the walk has not seen.
func (w *walker) step(g *Graph, level int, hint Hinter, turn int) []uint32 {
	for {
		c, ok := w.pool.pop()
		if !ok {
			return nil
		}
		if next, ok := w.pool.peek(); ok {
			vec.Prefetch(g.links.list(next.row()^w.salt, level))
		}
		if rows := w.seen.fresh(g.links.list(c.row()^w.salt, level), &w.turns[turn]); len(rows) > 0 {
			if hint != nil {
				hint.Hint(rows)
			}
			return rows
		}
	}
}

// score compares rows and keeps the best.
func (w *walker) score(s Scorer, rows []uint32) {
	s.Score(rows, w.scores[:len(rows)])
	limit := w.pool.limit()
	for i, row := range rows {
		if score := w.scores[i]; score < limit || limit == float32(math.Inf(1)) {
			w.pool.add(newCandidate(score, row^w.salt))
			limit = w.pool.limit()
		}
	}
}
