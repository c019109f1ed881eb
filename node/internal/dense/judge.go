package dense

import (
	"context"
	"errors"
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Whether bytes do instead of whole vectors is judged by what they are for: a walk keeps a few candidates more than it
// was asked for, and the true nearest must be among them. The more vectors there are, the closer they lie: so it is
// judged when the codes are learned, by a sample, and again when all rows that are there then are linked, and each time
// that there are four times as many.
const (
	judgedNear    = 10  // the true nearest
	mostDisplaced = 20  // that they may come so much later by codes
	mostPacked    = 54  // by packed ones, which save memory and not time
	missedShare   = 300 // all but one in so many
	judgedGrowth  = 4
	judgedQueries = 128
	judgedScores  = 32 << 20 // bounds how many rows are compared in all
	leastJudged   = 100
)

// unjudged reports whether the codes, if nobody declared them, are to be judged of the rows that are linked.
func (n *net) unjudged(linked uint32) bool {
	return n.codec != nil && n.config.Codes.Kind == Automatic && linked >= leastJudged && linked/judgedGrowth >= n.judged.Load()
}

// judge compares codes with whole vectors. If they do not do, it begins to build without them: or with others, if these
// were learned of much less than there is now.
func (x *Index) judge() error {
	s := x.state.Load()
	c, n := s.core, s.core.net.Load()
	linked := min(c.linked.Load(), s.rows)
	wider, ok, err := x.verdict(c, n, linked)
	if err != nil {
		return err
	}
	first := n.judged.Swap(linked) == 0
	n.wider.Store(uint32(wider))
	if ok {
		return nil
	}
	switch {
	case packed(n.codec):
		x.coarsest.Store(byteForm)
	case first:
		x.coarsest.Store(wholeForm)
	}
	x.log.Info("codes do not tell these vectors apart: the graph is built anew", "vectors", linked, "packed", packed(n.codec), "first", first)
	x.mu.Lock()
	x.worker.judging = false
	x.mu.Unlock()
	return x.rebuild()
}

// verdict is displaced of the rows that are linked, on one of the pool's threads.
func (x *Index) verdict(c *core, n *net, linked uint32) (wider int, ok bool, err error) {
	if _, err := x.pool.take(x.worker.ctx, 1); err != nil {
		return 0, false, err
	}
	defer x.pool.done(1) // before anything is built, which takes some itself
	queries := c.sample(linked, min(judgedQueries, max(16, judgedScores/max(linked, 1))))
	var living []uint32
	for row := range linked {
		if b, at := c.place(row); b.died[at].Load() == 0 && n.graph.Has(row) {
			living = append(living, row)
		}
	}
	byCode, exact := n.scorer(false), n.scorer(true)
	defer n.done(byCode, false)
	defer n.done(exact, true)
	most := mostDisplaced
	if packed(n.codec) {
		most = mostPacked
	}
	return displaced(x.worker.ctx, byCode, exact, c.vectors.Fetch, queries, living, most)
}

// displacement is displaced of a sample among itself: whether that is no more than most.
func displacement(codec quant.Codec, d vec.Distance, size int, sample [][]float32, most int) (ok bool, err error) {
	if len(sample) < leastJudged {
		return true, nil
	}
	whole, err := quant.NewFull(d, size)
	if err != nil {
		return false, err
	}
	rows := make([]uint32, len(sample))
	for i := range rows {
		rows[i] = uint32(i)
	}
	byCode, done, err := scorerOf(codec, sample)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, done()) }()
	exact, done2, err := scorerOf(whole, sample)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, done2()) }()
	var queries [][]float32
	for i := 0; i < len(sample); i += max(1, len(sample)/judgedQueries) {
		queries = append(queries, sample[i])
	}
	_, ok, err = displaced(context.Background(), byCode, exact, unfetched, queries, rows, most)
	return ok, err
}

// unfetched is for rows that are in memory.
func unfetched([]uint32) {}

// scorerOf encodes vectors.
func scorerOf(codec quant.Codec, vectors [][]float32) (s quant.Scorer, done func() error, err error) {
	a, err := arena.New(arena.Options{Stride: stride(codec.Bytes())})
	if err != nil {
		return nil, nil, err
	}
	if err := a.Grow(len(vectors)); err != nil {
		return nil, nil, errors.Join(err, a.Close())
	}
	for i, v := range vectors {
		codec.Encode(v, a.Row(uint32(i)))
	}
	return codec.NewScorer(a), a.Close, nil
}

// displaced returns how many candidates more than the true nearest are to be kept by codes for those to be among them,
// and whether that is no more than most. fetch is arena.Arena.Fetch of whole vectors.
func displaced(ctx context.Context, byCode, exact quant.Scorer, fetch func([]uint32), queries [][]float32, rows []uint32, most int) (wider int, ok bool, err error) {
	nearest, err := nearestBy(ctx, exact, fetch, queries, rows, judgedNear)
	if err != nil {
		return 0, false, err
	}
	byCodes, err := nearestBy(ctx, byCode, unfetched, queries, rows, judgedNear+most)
	if err != nil {
		return 0, false, err
	}
	missed := make([]int, most+1)
	total := 0
	for i, near := range nearest {
		coded := byCodes[i]
		total += len(near)
		for _, h := range near {
			place := 0
			for place < len(coded) && coded[place].Row != h.Row {
				place++
			}
			for w := range missed {
				if place >= judgedNear+w {
					missed[w]++
				}
			}
		}
	}
	for w, n := range missed {
		if n*missedShare <= total {
			return w, true, nil
		}
	}
	return most, false, nil
}

// nearestBy returns, for each query, the k rows of the best scores, best first. Rows are read once, and compared with all queries
// while they are at hand: they may lie in a file that has no room in memory.
func nearestBy(ctx context.Context, s quant.Scorer, fetch func([]uint32), queries [][]float32, rows []uint32, k int) ([][]hnsw.Hit, error) {
	var scores [wordRows * ctxEvery]float32
	best := make([][]hnsw.Hit, len(queries))
	for len(rows) > 0 {
		n := min(len(rows), len(scores))
		fetch(rows[:n])
		for i, q := range queries {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("judge codes: %w", ctx.Err())
			}
			s.Query(q)
			s.Score(rows[:n], scores[:n])
			best[i] = keepBest(best[i], k, rows[:n], scores[:n])
		}
		rows = rows[n:]
	}
	return best, nil
}

// keepBest adds rows to the k best so far.
func keepBest(best []hnsw.Hit, k int, rows []uint32, scores []float32) []hnsw.Hit {
	for i, row := range rows {
		if len(best) == k && !(scores[i] < best[k-1].Score) {
			continue
		}
		if len(best) < k {
			best = append(best, hnsw.Hit{})
		}
		at := len(best) - 1
		for ; at > 0 && best[at-1].Score > scores[i]; at-- {
			best[at] = best[at-1]
		}
		best[at] = hnsw.Hit{Row: row, Score: scores[i]}
	}
	return best
}
