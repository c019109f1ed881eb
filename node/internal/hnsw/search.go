package hnsw

import (
	"context"
	"fmt"
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Hit is a row that a search has found.
type Hit struct {
	Row   uint32
	Score float32
}

// Filter says which rows a search may find.
type Filter struct {
	// Accept is asked once per row at most, by the searching goroutine.
	Accept func(row uint32) bool
	// Count is about how many rows of the graph Accept would accept; below 0 it is not known.
	Count int
}

// Search appends the nearest rows that it finds to hits, nearest first, at most ef, and returns them. The larger ef, the
// more of the nearest are among them and the longer it takes. Rows that were removed are not found, nor those that filter
// does not accept; filter may be nil.
func (g *Graph) Search(ctx context.Context, s Scorer, ef int, filter *Filter, hits []Hit) ([]Hit, error) {
	if ef < 1 || ef > MaxEf {
		return hits, fault.New(fault.Invalid, "hnsw: ef is %d, want 1 to %d", ef, MaxEf)
	}
	if ctx.Err() != nil {
		return hits, fmt.Errorf("walk graph: %w", ctx.Err())
	}
	w := g.walker()
	defer g.walkers.Put(w)
	from, ok := w.descend(g, s, 0)
	if !ok {
		return hits, nil
	}
	if filter != nil || g.gone.Load() > 0 {
		return w.filtered(ctx, g, s, from, ef, filter, hits)
	}
	if err := w.level(ctx, g, s, from, 0, ef, equalFound(ef)); err != nil {
		return hits, err
	}
	for _, c := range w.pool.found() {
		hits = append(hits, Hit{Row: c.row(), Score: c.score()})
	}
	return hits, nil
}

// equalFound is how many candidates of a search may score the same without being set aside: a quarter, so that there are
// others too among all that may be copies.
func equalFound(ef int) int { return max(ef/4, equalInserted) }

// filtered walks level 0 through all rows and keeps those that may be found: the walk ends when the nearest row that is
// not expanded is further than the furthest of ef rows found.
func (w *walker) filtered(
	ctx context.Context, g *Graph, s Scorer, from candidate, ef int, filter *Filter, hits []Hit,
) ([]Hit, error) {
	found := func(row uint32) bool {
		return !g.removed.has(row) && (filter == nil || filter.Accept(row))
	}
	w.seen.reset(g.links.capacity())
	w.pool.reset(ef, equalFound(ef))
	w.open.items = w.open.items[:0]
	w.seen.add(from.row())
	w.open.push(from)
	if found(from.row()) {
		w.pool.add(from)
	}
	for n := 1; len(w.open.items) > 0; n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return hits, fmt.Errorf("walk graph: %w", ctx.Err())
		}
		c := w.open.pop()
		limit := w.pool.limit()
		if c.score() > limit {
			break
		}
		rows := w.fresh(g.links.list(c.row(), 0), &w.batch)
		s.Score(rows, w.scores[:len(rows)])
		for i, row := range rows {
			if score := w.scores[i]; score < limit || limit == float32(math.Inf(1)) {
				c := newCandidate(score, row)
				w.open.push(c)
				if found(row) {
					w.pool.add(c)
					limit = w.pool.limit()
				}
			}
		}
	}
	for _, c := range w.pool.found() {
		hits = append(hits, Hit{Row: c.row(), Score: c.score()})
	}
	return hits, nil
}
