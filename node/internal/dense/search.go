package dense

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/best"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Query asks for the vectors nearest to one, or for those that compare best with several.
type Query struct {
	Vector  []float32 // in the stored form
	Several *Several  // instead of it
	Limit   int
	Filter  *Filter // nil: none
	// Before orders the points of equal scores.
	Before func(a, b uint32) bool
	Params Params
}

// Params say how to search.
type Params struct {
	Exact       bool // compare with every vector
	Ef          int  // candidates of a walk through the graph; 0 means the configuration's ef_construct
	IndexedOnly bool // leave out what is not in the graph yet
	// IgnoreCodes walks the graph on whole vectors.
	IgnoreCodes bool
	// KeepScores returns the estimates of the codes as scores, instead of comparing again with whole vectors.
	KeepScores bool
	// Oversampling is how many times as many candidates as results a walk keeps at least; below 1 it says nothing.
	Oversampling float64
	// Share is which part of what is searched in all this index is to hold: then a walk keeps only as many candidates as are
	// to be found here, and may return fewer than Limit. 0 means all.
	Share float64
}

// Hit is one result of a search.
type Hit struct {
	Label uint32
	Score float32
}

// Search returns the best vectors of the snapshot, best first. ctx is looked at every few thousand vectors.
func (s Snapshot) Search(ctx context.Context, q Query) ([]Hit, error) {
	if err := q.check(s.x.form.size); err != nil {
		return nil, err
	}
	q.Limit = min(q.Limit, s.count)
	if q.Limit <= 0 {
		return nil, nil
	}
	s.x.pool.searches.Add(1)
	r := searches.Get().(*search)
	defer r.end()
	r.state, r.query, r.config = s.state, q, s.x.full.Load()
	whole := s.core.scorer()
	defer s.core.done(whole)
	r.setWhole(whole)
	r.best.Reset(q.Limit, nil)
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return append(make([]Hit, 0, q.Limit), r.best.Sorted()...), nil
}

func (q *Query) check(size int) error {
	if q.Several != nil {
		return q.Several.check(size)
	}
	return checkSize(size, q.Vector)
}

func checkSize(size int, v []float32) error {
	if len(v) != size {
		return fault.New(fault.Invalid, "Vector dimension error: expected dim: %d, got %d", size, len(v))
	}
	return nil
}

// search is one search under way.
type search struct {
	*state
	query  Query
	config *Config
	whole  scorer       // compares with vectors
	order  vec.Distance // of scores
	best   best.Few[Hit]

	group    [wordRows]uint32
	sums     [wordRows]float32
	walked   []hnsw.Hit
	bits     []uint64 // of the labels that the filter's Upper holds, once they are asked for
	rowBits  []uint64 // of the rows that it takes
	scorer   scorer   // compares as the graph is walked
	starts   []uint32 // where walks begin besides
	doubtful int      // how many of them, the first, are to be compared whole
	right    int      // hits that score at least Several.Right
	all      bool     // everything that may be found was compared whole
	exact    bool     // the scores of the walk are good as they are
}

var searches = sync.Pool{New: func() any {
	s := new(search)
	s.best.Reset(1, s.better)
	return s
}}

// better is a total order, as long as Query.Before is one.
func (s *search) better(a, b Hit) bool {
	d := s.order
	if d.Better(a.Score, b.Score) {
		return true
	}
	return !d.Better(b.Score, a.Score) && s.query.Before(a.Label, b.Label)
}

// forget lets go of what was found.
func (s *search) forget() {
	s.best.Clear()
	s.right = 0
}

// end gives a search's memory to a later one.
func (s *search) end() {
	s.state, s.query, s.config, s.scorer, s.whole, s.bits, s.starts = nil, Query{}, nil, nil, nil, s.bits[:0], s.starts[:0]
	s.right, s.all = 0, false
	if s.best.Cap() > maxKept || cap(s.walked) > maxKept || cap(s.starts) > maxKept {
		return
	}
	searches.Put(s)
}

// maxKept bounds what is kept of a search that asked for much.
const maxKept = 1 << 16

// wordRows is how many rows are compared at a time.
const wordRows = 64

// ctxEvery is how many groups of rows are done between two looks at the context.
const ctxEvery = 32

// looks reports whether to look at the context after so many groups: the sooner, the longer it takes to compare one.
func (s *search) looks(groups int) bool { return groups%max(ctxEvery/s.times(), 1) == 0 }

func (s *search) run(ctx context.Context) error {
	if err := s.choose(ctx); err != nil || s.all || !s.misses() {
		return err
	}
	s.forget()
	if f := s.query.Filter; f != nil && f.Upper != nil {
		return s.among(ctx, f.Upper)
	}
	to := s.rows
	if s.query.Params.IndexedOnly {
		to = min(s.core.linked.Load(), s.rows)
	}
	return s.scan(ctx, 0, to)
}

// choose compares with all vectors that may be found, which it notes, or walks.
func (s *search) choose(ctx context.Context) (err error) {
	n := s.core.net.Load()
	if f := s.query.Filter; f != nil && f.Upper != nil {
		count := f.Upper.GetCardinality()
		w := s.newWithin()
		if w != nil {
			defer func() { err = errors.Join(err, w.release()) }()
		}
		if s.cheap(count, w) || (n == nil && w == nil || s.query.Params.Exact) && count*scanAll <= uint64(s.count*s.times()) {
			much := int64(count)*int64(s.core.form.bytes()) > byCodeBytes
			if n != nil && n.codec != nil && much && f.Accept == nil && !s.query.Params.Exact && !s.onWhole(n) {
				return s.amongCodes(ctx, n, f.Upper)
			}
			s.all = true
			return s.among(ctx, f.Upper)
		}
		if w != nil && (n == nil || w.cost <= s.walkCost(float64(count)/float64(s.count), s.config.M)) {
			return s.walkWithin(ctx, w)
		}
	}
	if n == nil || s.query.Params.Exact || s.scans() {
		s.all = true
		return s.scan(ctx, 0, s.rows)
	}
	mark := min(s.core.linked.Load(), s.rows) // before the walk: what is linked since, it may or may not meet
	if !s.query.Params.IndexedOnly {
		if err := s.scan(ctx, mark, s.rows); err != nil {
			return err
		}
	}
	return s.walk(ctx, n, mark)
}

// scanAll: where all may be compared, one in so many of all rows are better picked out than passed by; more, where to compare one
// takes several times as long.
const scanAll = 2

// scanShare: a walk that keeps so large a share of all rows as candidates costs as much as comparing with all of them.
const scanShare = 16

// scans reports whether a search without a filter compares with every vector.
func (s *search) scans() bool {
	return int64(s.count)*int64(s.core.form.bytes()) < s.config.FullScanBytes || s.ef()*s.walks() > s.count/scanShare
}

// cheap reports whether so many vectors, all that a filter lets through, are better compared one by one than by a walk.
func (s *search) cheap(count uint64, w *within) bool {
	if int64(count)*int64(s.core.form.bytes()) < s.config.FullScanBytes || count <= uint64(s.query.Limit) {
		return true
	}
	cost := s.walkCost(float64(count)/float64(s.count), s.config.M)
	if w != nil && (s.config.M == 0 || w.cost < cost) {
		cost = w.cost
	}
	return float64(count) < cost
}

// walkCost is about how many rows a walk compares, in a graph of which a filter lets a share through. It compares about 2m for each
// candidate that it keeps, and costs more under a filter.
func (s *search) walkCost(share float64, m int) float64 {
	ef := s.ef()
	f := hnsw.Filter{Wanted: Part(s.query.Limit, s.query.Params.Share)}
	return 2 * float64(m) * f.Cost(ef, share) * float64(s.walks())
}

// byCodeBytes: less than so many bytes of vectors are compared whole, rather than by code and the best of them again.
const byCodeBytes = 6 << 20

// scan compares the query with all rows from..to-1.
func (s *search) scan(ctx context.Context, from, to uint32) error {
	for n := 0; from < to; n++ {
		if s.looks(n) && ctx.Err() != nil {
			return fmt.Errorf("search vectors: %w", ctx.Err())
		}
		end := min(to, from/wordRows*wordRows+wordRows)
		if err := s.compareRange(from, end); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// compareRange visits rows of one block.
func (s *search) compareRange(from, to uint32) error {
	b, at := s.core.place(from)
	n, anyDead := 0, b.dead.Load() != 0
	for row := from; row < to; row++ {
		if anyDead {
			if died := b.died[at].Load(); died != 0 && died <= s.seq {
				at++
				continue
			}
		}
		at++
		s.group[n] = row
		n++
	}
	return s.compare(n)
}

// compare visits the first n of a group, whose vectors memory fetches ahead.
func (s *search) compare(n int) error {
	s.core.vectors.Fetch(s.group[:n])
	s.whole.Score(s.group[:n], s.sums[:n])
	for i, row := range s.group[:n] {
		if err := s.visit(Hit{Label: s.core.label(row), Score: scoreOf(s.order, s.sums[i])}); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) visit(h Hit) error {
	if s.best.Full() && s.order.Better(s.best.Worst().Score, h.Score) || !s.best.Wants(h) { // the first of them is quick
		return nil
	}
	if s.query.Filter != nil {
		if ok, err := s.query.Filter.accepts(h.Label); !ok || err != nil {
			return err
		}
	}
	if q := s.query.Several; q != nil && h.Score >= q.Right {
		s.right++
	}
	s.best.Add(h)
	return nil
}
