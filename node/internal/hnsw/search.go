package hnsw

import (
	"context"
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Hit is a row that a search has found.
type Hit struct {
	Row   uint32
	Score float32
}

// Filter says which rows a search may find.
type Filter struct {
	// Accept is asked by the searching goroutine, about many rows and about some more than once: it should be quick.
	Accept func(row uint32) bool
	// Bits, if not nil, returns the rows that Accept accepts, a bit each, or nil. It is called once, by a search that would
	// have to ask about very many.
	Bits func() []uint64
	// Kept says that Bits returns what was found out before.
	Kept bool
	// Count is about how many rows of the graph Accept would accept; below 0 it is not known. If they are few, less than
	// one in a hundred, the graph hardly connects them, and to compare them all is faster.
	Count int
	// Wanted is how many of the nearest matter; 0 means that this is not known.
	Wanted int
}

// Search appends the nearest rows that it finds to hits, nearest first, at most ef, and returns them. The larger ef, the
// more of the nearest are among them and the longer it takes. Rows that filter does not accept are not found; filter may
// be nil.
func (g *Graph) Search(ctx context.Context, s Scorer, ef int, filter *Filter, hits []Hit) ([]Hit, error) {
	return g.SearchFrom(ctx, s, nil, ef, filter, hits)
}

// SearchFrom is a Search that begins at some rows too, besides those that it comes to from the top: for a Scorer whose best rows may
// lie in several places, between which all are worse.
func (g *Graph) SearchFrom(ctx context.Context, s Scorer, starts []uint32, ef int, filter *Filter, hits []Hit) ([]Hit, error) {
	if ef < 1 || ef > MaxEf {
		return hits, fault.New(fault.Invalid, "hnsw: ef is %d, want 1 to %d", ef, MaxEf)
	}
	if ctx.Err() != nil {
		return hits, fmt.Errorf("walk graph: %w", ctx.Err())
	}
	w := g.walker()
	defer g.walkers.Put(w)
	w.starts = starts
	defer func() { w.starts = nil }()
	from, ok := w.descend(g, s, 0)
	if !ok {
		return hits, nil
	}
	if filter != nil {
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
