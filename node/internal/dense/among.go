package dense

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
)

// rescoreFactor is how many times as many rows as results are compared again with whole vectors, after those that look
// nearest in codes were chosen from all that match; and rescoreLeast how many at least.
const (
	rescoreFactor = 4
	rescoreLeast  = 64
)

func (s *search) rescored(n *net) int {
	most := max(rescoreFactor*s.query.Limit, rescoreLeast)
	switch {
	case n.config.Codes.coarse():
		most = max(most, s.ef())
	case n.config.Codes.Kind == Automatic:
		most = max(most, s.held(n))
	}
	if o := s.query.Params.Oversampling; o > 1 {
		most = max(most, int(min(o*float64(s.query.Limit), hnsw.MaxEf)))
	}
	return most
}

// amongCodes compares the query with the codes of labels' rows, and again with the nearest of them. What has no code yet, or
// whose code says nothing, is compared whole.
func (s *search) amongCodes(ctx context.Context, n *net, labels Labels) (err error) {
	s.ask(func(v []float32) quant.Scorer { return n.asking(false, v) })
	defer s.answered(func(by quant.Scorer) { n.done(by, false) })
	most := s.rescored(n)
	s.walked = s.walked[:0]
	bound := float32(math.Inf(1))
	var coded [wordRows]uint32
	nc, nw, groups := 0, 0, 0
	flush := func() error {
		nw, err = s.compareCodes(coded[:nc], bound, nw)
		if nc = 0; len(s.walked) >= 2*most {
			bound = s.cutWalked(most)
		}
		return err
	}
	labels.Iterate(func(label uint32) bool {
		row, ok := s.row(label)
		switch {
		case !ok:
			return true
		case n.graph.Has(row):
			coded[nc] = row
			nc++
		default:
			s.group[nw] = row
			nw++
		}
		if nc < wordRows && nw < wordRows {
			return true
		}
		if groups++; s.looks(groups) && ctx.Err() != nil {
			err = fmt.Errorf("search vectors: %w", ctx.Err())
			return false
		}
		if nc == wordRows {
			err = flush()
		} else if err = s.compare(nw); err == nil {
			nw = 0
		}
		return err == nil
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = s.compare(nw)
	}
	if err != nil {
		return err
	}
	s.cutWalked(most)
	s.exact = s.query.Params.KeepScores
	return s.visitWalked(s.rows, most)
}

// compareCodes compares the query with rows by their codes, and notes those that are nearer than bound. An estimate that overflowed
// says nothing: such a row is added to the n of the group that are to be compared whole, of which it returns the number.
func (s *search) compareCodes(rows []uint32, bound float32, n int) (int, error) {
	s.scorer.Score(rows, s.sums[:len(rows)])
	odd := 0
	for i, row := range rows {
		if sum := s.sums[i]; sum < bound && sum-sum == 0 {
			s.walked = append(s.walked, hnsw.Hit{Row: row, Score: sum})
		} else if sum-sum != 0 {
			rows[odd] = row
			odd++
		}
	}
	for _, row := range rows[:odd] {
		s.group[n] = row
		if n++; n == wordRows {
			if err := s.compare(n); err != nil {
				return 0, err
			}
			n = 0
		}
	}
	return n, nil
}

// cutWalked keeps the nearest of what was met, and returns the score of the furthest of them.
func (s *search) cutWalked(most int) float32 {
	slices.SortFunc(s.walked, func(a, b hnsw.Hit) int { return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Row, b.Row)) })
	s.walked = s.walked[:min(most, len(s.walked))]
	if len(s.walked) < most {
		return float32(math.Inf(1))
	}
	return s.walked[most-1].Score
}

// among compares the query with the rows of labels.
func (s *search) among(ctx context.Context, labels Labels) (err error) {
	n, groups := 0, 0
	labels.Iterate(func(label uint32) bool {
		row, ok := s.row(label)
		if !ok {
			return true
		}
		s.group[n] = row
		if n++; n < wordRows {
			return true
		}
		n = 0
		if groups++; s.looks(groups) && ctx.Err() != nil {
			err = fmt.Errorf("search vectors: %w", ctx.Err())
			return false
		}
		err = s.compare(wordRows)
		return err == nil
	})
	if err != nil {
		return err
	}
	return s.compare(n)
}
