package dense

import (
	"context"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
)

// within is the graph of a value, for a search of which the filter lets hardly anything else through.
type within struct {
	*shown
	upper  *roaring.Bitmap // what the filter lets through
	inside uint64          // of that, what is in labels
	cost   float64         // rows that are compared about
}

// within returns the graph of one of the filter's values, or nil if there is none. The caller releases it.
func (s *search) newWithin() *within {
	f := s.query.Filter
	upper, ok := f.Upper.(*roaring.Bitmap)
	if !ok || s.query.Params.Exact {
		return nil
	}
	var best *shown
	for _, value := range f.Values {
		v := s.core.subs.all()[value]
		if v != nil && v.places > 0 && v.seq <= s.seq && (best == nil || v.places < best.places) {
			best = v
		}
	}
	if best == nil || !best.users.acquire() {
		return nil
	}
	w := &within{shown: best, upper: upper, inside: upper.AndCardinality(best.labels)}
	beside := upper.GetCardinality() - w.inside + uint64(s.rows-best.mark)
	w.cost = s.walkCost(float64(w.inside)/float64(best.places), best.shape.m) + float64(beside)
	return w
}

// walkWithin searches the graph of a value, and compares what is not in it.
func (s *search) walkWithin(ctx context.Context, w *within) error {
	n := w.shape.net
	whole := n == nil || s.onWhole(n)
	s.exact = whole || s.query.Params.KeepScores
	s.ask(func(v []float32) quant.Scorer { return w.asking(s.core, whole, v) })
	defer s.answered(func(by quant.Scorer) { w.done(s.core, by.(*placed)) })
	if err := s.setStarts(ctx, w.graph); err != nil {
		return err
	}
	walk := func(ef int, f *hnsw.Filter) error {
		err := s.search(ctx, w.graph, ef, f)
		s.placesToRows(w)
		return err
	}
	taken := s.taken(s.rows, w.upper)
	if s.query.Filter.Accept != nil {
		return s.walkAndAsk(asking{
			of: int(w.inside), mark: w.mark,
			walk:   func(ef int) error { return walk(ef, nil) },
			beside: func() error { return s.beside(ctx, w, taken) },
			all:    func() error { return s.among(ctx, w.upper) },
		})
	}
	if err := s.beside(ctx, w, taken); err != nil {
		return err
	}
	rows := *w.rows.Load()
	f := hnsw.Filter{
		Accept: func(place uint32) bool { return place < w.places && taken(rows[place]) },
		Count:  int(w.inside), Wanted: Part(s.query.Limit, s.query.Params.Share),
	}
	if err := walk(s.efOn(n), &f); err != nil {
		return err
	}
	return s.visitWalked(w.mark, s.compared(n))
}

// placesToRows turns what a walk met into rows, without those that came to the graph after it was shown.
func (s *search) placesToRows(w *within) {
	rows, kept := *w.rows.Load(), s.walked[:0]
	for _, h := range s.walked {
		if h.Row < w.places {
			kept = append(kept, hnsw.Hit{Row: rows[h.Row], Score: h.Score})
		}
	}
	s.walked = kept
}

// beside compares the query with what may be found and is not in the graph of a value: other labels, and newer rows. It does
// nothing where only what is in a graph is wanted.
func (s *search) beside(ctx context.Context, w *within, taken func(row uint32) bool) error {
	if s.query.Params.IndexedOnly {
		return nil
	}
	if w.inside < w.upper.GetCardinality() {
		if err := s.among(ctx, roaring.AndNot(w.upper, w.labels)); err != nil {
			return err
		}
	}
	n := 0
	for row := w.mark; row < s.rows; row++ {
		if taken(row) && w.labels.Contains(s.core.label(row)) {
			s.group[n] = row
			n++
		}
		if n < wordRows && row+1 < s.rows {
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("search vectors: %w", ctx.Err())
		}
		if err := s.compare(n); err != nil {
			return err
		}
		n = 0
	}
	return nil
}
