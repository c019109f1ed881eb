package dense

import (
	"context"
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
)

// ef is how many candidates a walk keeps.
func (s *search) ef() int {
	ef := s.query.Params.Ef
	if ef == 0 {
		ef = s.config.EfConstruct
	}
	if q := s.query.Several; q != nil && q.Sides {
		ef *= sidesTimes
	}
	most := float64(s.query.Limit)
	if o := s.query.Params.Oversampling; o > 1 {
		most = min(most*o, hnsw.MaxEf)
	}
	return Part(min(max(ef, int(most)), hnsw.MaxEf), s.query.Params.Share)
}

// Part is how many of the nearest are in a part of all that holds a share of them, drawn by chance: the mean and three
// deviations more.
func Part(nearest int, share float64) int {
	if !(share > 0 && share < 1) {
		return nearest
	}
	mean := float64(nearest) * share
	return min(nearest, int(mean+3*math.Sqrt(mean*(1-share)))+1)
}

// efOn is how many candidates a walk on codes keeps, so that it finds what one on whole vectors would: codes put the
// nearest out of order, and links that were chosen by codes lead astray now and then.
func (s *search) efOn(n *net) int {
	ef := s.ef()
	if s.exact || n.config.Codes.Kind != Automatic {
		return ef
	}
	return min(max(ef, s.held(n))+ef/efShare+efMore, hnsw.MaxEf)
}

// held is how many of the first by code hold the nearest.
func (s *search) held(n *net) int {
	limit := Part(s.query.Limit, s.query.Params.Share)
	return limit + (int(n.wider.Load())*limit+judgedNear-1)/judgedNear
}

// compared is how many of what a walk found are compared with whole vectors: no more than it takes if those have to be read.
func (s *search) compared(n *net) int {
	if s.exact || n.config.Codes.Kind != Automatic || s.core.dir == "" || s.query.Several != nil { // the verdict is of single vectors
		return hnsw.MaxEf
	}
	return s.held(n) + efMore
}

// What a walk on codes keeps more than it is asked for: a share, and a few.
const (
	efShare = 16
	efMore  = 2
)

// walk searches the graph among rows below mark.
func (s *search) walk(ctx context.Context, n *net, mark uint32) error {
	whole := s.onWhole(n)
	s.exact = whole || s.query.Params.KeepScores // the walk's scores are the result's
	s.ask(func(v []float32) quant.Scorer { return n.asking(whole, v) })
	defer s.answered(func(by quant.Scorer) { n.done(by, whole) })
	if err := s.setStarts(ctx, n.graph); err != nil {
		return err
	}
	switch f := s.query.Filter; {
	case f == nil:
		return s.walkAll(ctx, n, mark)
	case f.Upper != nil && f.Accept == nil:
		return s.walkUnder(ctx, n, mark, hnsw.Filter{
			Accept: s.taken(mark, f.Upper), Bits: func() []uint64 { return s.takenRows(mark, f) }, Kept: f.Rows != nil, Count: f.Expected,
		})
	}
	to := s.rows
	if s.query.Params.IndexedOnly {
		to = mark
	}
	return s.walkAndAsk(asking{
		of: s.count, mark: mark,
		walk: func(ef int) error {
			return s.search(ctx, n.graph, ef, nil)
		},
		beside: func() error { return s.scan(ctx, mark, to) },
		all:    func() error { return s.scan(ctx, 0, to) },
	})
}

// search walks a graph, and leaves in walked what it met.
func (s *search) search(ctx context.Context, g *hnsw.Graph, ef int, f *hnsw.Filter) (err error) {
	s.walked, err = g.SearchFrom(ctx, s.scorer, s.starts, ef, f, s.walked[:0])
	s.addDoubtful()
	return err
}

// walkAll walks through all rows alike, keeps as many more as have died since they were linked, and leaves those out.
func (s *search) walkAll(ctx context.Context, n *net, mark uint32) error {
	ef := s.efOn(n)
	if dead := float64(s.core.dead.Load()) / float64(s.rows); dead > 0 {
		ef = min(int(float64(ef)/(1-min(dead, 0.9)))+1, hnsw.MaxEf)
	}
	if err := s.search(ctx, n.graph, ef, nil); err != nil {
		return err
	}
	if s.found(mark) < min(s.query.Limit, s.ef()) && s.core.dead.Load() > 0 { // the dead are about the query
		return s.walkUnder(ctx, n, mark, hnsw.Filter{Accept: func(row uint32) bool { return row < mark && s.visible(row) }, Count: s.count})
	}
	return s.visitWalked(mark, s.compared(n))
}

// found counts what a walk met that the snapshot shows.
func (s *search) found(mark uint32) (n int) {
	for _, h := range s.walked {
		if h.Row < mark && s.visible(h.Row) {
			n++
		}
	}
	return n
}

// walkUnder keeps only rows below a mark that may be found.
func (s *search) walkUnder(ctx context.Context, n *net, mark uint32, f hnsw.Filter) error {
	f.Wanted = Part(s.query.Limit, s.query.Params.Share)
	if err := s.search(ctx, n.graph, s.efOn(n), &f); err != nil {
		return err
	}
	return s.visitWalked(mark, s.compared(n))
}

// asking is a walk through so many rows alike, and comparisons with what it does not reach, or with everything.
type asking struct {
	of          int
	walk        func(ef int) error
	mark        uint32 // the rows below are those that it reaches
	beside, all func() error
}

// walkAndAsk asks the filter about the nearest, until enough are accepted. It keeps ever more; when that becomes as much work as
// comparing with every vector, it does that.
func (s *search) walkAndAsk(a asking) error {
	for ef := 2 * s.ef(); ef < min(a.of/scanShare, hnsw.MaxEf); ef *= 4 {
		if err := a.walk(ef); err != nil {
			return err
		}
		s.forget()
		if err := a.beside(); err != nil {
			return err
		}
		if err := s.visitWalked(a.mark, hnsw.MaxEf); err != nil {
			return err
		}
		if s.best.Full() {
			return nil
		}
	}
	s.forget()
	s.all = true
	return a.all()
}

// visitWalked visits the first rows that a walk met, after comparing the query with them again if the walk's scores are
// estimates.
func (s *search) visitWalked(mark uint32, most int) error {
	n := 0
	for _, h := range s.walked {
		if h.Row >= mark || !s.visible(h.Row) {
			continue
		}
		if most--; most < 0 {
			break
		}
		if s.exact {
			if err := s.visit(Hit{Label: s.core.label(h.Row), Score: scoreOf(s.order, h.Score)}); err != nil {
				return err
			}
			continue
		}
		s.group[n] = h.Row
		if n++; n == wordRows {
			if err := s.compare(n); err != nil {
				return err
			}
			n = 0
		}
	}
	return s.compare(n)
}
