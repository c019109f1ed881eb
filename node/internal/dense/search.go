package dense

import (
	"context"
	"fmt"
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Query asks for the vectors nearest to one.
type Query struct {
	Vector []float32 // in the stored form
	Limit  int
	// Accept, which may be nil, is only asked about vectors whose scores are among the best so far, because it may read
	// payloads; its error ends the search.
	Accept func(label uint32) (bool, error)
	// Before orders the points of equal scores.
	Before func(a, b uint32) bool
}

// Hit is one result of a search.
type Hit struct {
	Label uint32
	Score float32
}

// Search returns the best vectors of the snapshot, best first. ctx is looked at every few thousand vectors.
func (s Snapshot) Search(ctx context.Context, q Query) ([]Hit, error) {
	if len(q.Vector) != s.x.size {
		return nil, fault.New(fault.Invalid, "Vector dimension error: expected dim: %d, got %d", s.x.size, len(q.Vector))
	}
	q.Limit = min(q.Limit, s.count)
	if q.Limit <= 0 {
		return nil, nil
	}
	r := search{
		state: s.state, query: q, distance: s.x.distance, kernel: vec.ForFloat32(s.x.distance),
		best: heap{hits: make([]hit, 0, q.Limit), distance: s.x.distance, before: q.Before},
	}
	if err := r.scan(ctx, 0, s.rows); err != nil {
		return nil, err
	}
	return r.best.sorted(), nil
}

// search is one search under way.
type search struct {
	*state
	query    Query
	distance vec.Distance
	kernel   vec.Kernel[float32, float32, float32] // chosen once for a whole search
	best     heap

	rows    [wordRows]uint32
	offsets [wordRows]int
	sums    [wordRows]float32
}

// ctxEvery is how many groups of rows are done between two looks at the context.
const ctxEvery = 32

// scan compares the query with all rows from..to-1.
func (s *search) scan(ctx context.Context, from, to uint32) error {
	blocks := *s.core.blocks.Load()
	for n := 0; from < to; n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return fmt.Errorf("search vectors: %w", ctx.Err())
		}
		end := min(to, from/wordRows*wordRows+wordRows)
		if err := s.compare(blocks[int(from)/s.core.perBlock], from, end); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// compare visits rows of one block, whose vectors memory fetches ahead of the kernel.
func (s *search) compare(b *block, from, to uint32) error {
	n, anyDead := 0, b.dead.Load() != 0
	for row := from; row < to; row++ {
		at := int(row) % s.core.perBlock
		if anyDead {
			if died := b.died[at].Load(); died != 0 && died <= s.seq {
				continue
			}
		}
		s.rows[n], s.offsets[n] = row, at*s.core.size
		n++
	}
	s.kernel.Rows(s.query.Vector, b.vectors, s.offsets[:n], s.sums[:n])
	for i, row := range s.rows[:n] {
		score := s.sums[i]
		if s.distance == vec.Euclid { // the kernel's is squared
			score = float32(math.Sqrt(float64(score)))
		}
		if err := s.visit(hit{label: b.labels[int(row)%s.core.perBlock], score: score}); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) visit(h hit) error {
	if !s.best.wants(h) {
		return nil
	}
	if s.query.Accept != nil {
		if ok, err := s.query.Accept(h.label); !ok || err != nil {
			return err
		}
	}
	s.best.add(h)
	return nil
}
