package api

import (
	"cmp"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// fusion says how the results of several queries become one. A point's score is the sum of what each of the lists that have it
// gives; points of equal scores are in the order of their ids.
type fusion struct {
	byScore bool    // DBSF; else RRF
	k       float64 // of RRF
}

// defaultK is what Qdrant's RRF has if none is given.
const defaultK = 2

// list is a result to be fused. Better scores come first.
type list struct {
	hits   []shard.Scored
	larger bool // larger scores are better
}

// fuse returns all points of the lists, best first.
func (f fusion) fuse(lists []list) []shard.Scored {
	sums, versions := map[point.ID]float64{}, map[point.ID]uint64{}
	for _, l := range lists {
		give := f.byRank
		if f.byScore {
			give = byDistribution(l)
		}
		for rank, h := range l.hits {
			sums[h.ID] += give(rank, h.Score)
			versions[h.ID] = max(versions[h.ID], h.Version)
		}
	}
	out := make([]shard.Scored, 0, len(sums))
	for id, sum := range sums {
		out = append(out, shard.Scored{Record: point.Record{Point: point.Point{ID: id}, Version: versions[id]}, Score: float32(sum)})
	}
	slices.SortFunc(out, func(a, b shard.Scored) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), a.ID.Compare(b.ID))
	})
	return out
}

// byRank is reciprocal rank fusion (G. Cormack, C. Clarke, S. Büttcher, SIGIR 2009), with ranks from 0.
func (f fusion) byRank(rank int, _ float32) float64 { return 1 / (f.k + float64(rank)) }

// byDistribution gives a score its place between three standard deviations below and above the mean of its list: about 0..1. Where all
// scores are equal, each is in the middle. Those that are infinite or no number, of sums that have left float32, have no part in the mean, and
// get 1 if they are the best there can be, else 0.
func byDistribution(l list) func(int, float32) float64 {
	var finite []float64
	for _, h := range l.hits {
		if h.Score-h.Score == 0 {
			finite = append(finite, float64(h.Score))
		}
	}
	n := float64(len(finite))
	var mean, square float64
	for _, s := range finite {
		mean += s / n
	}
	for _, s := range finite {
		square += (s - mean) * (s - mean)
	}
	deviation := math.Sqrt(square / max(n-1, 1))
	return func(_ int, score float32) float64 {
		switch {
		case score-score != 0:
			if math.IsInf(float64(score), 1) && l.larger || math.IsInf(float64(score), -1) && !l.larger {
				return 1
			}
			return 0
		case deviation == 0 || n < 2:
			return 0.5
		}
		at := (float64(score) - mean) / (6 * deviation)
		if !l.larger {
			at = -at
		}
		return 0.5 + at
	}
}
