package shard

import (
	"math"
	"testing"
)

// Products of large components overflow: such a similarity is the most or the least there can be, and only what has none at all
// has no score.
func TestScoresOfInfiniteSimilarities(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	same := -margin / (1 + margin)
	for _, c := range []struct {
		kind               ExploreKind
		target             float32
		positive, negative []float32
		want               float64
	}{
		{kind: BestScore, positive: []float32{1, inf}, want: 1},
		{kind: BestScore, positive: []float32{-inf}, want: 0},
		{kind: BestScore, positive: []float32{-inf, 1}, negative: []float32{-inf}, want: 0.75},
		{kind: BestScore, positive: []float32{1}, negative: []float32{inf}, want: -1},
		{kind: BestScore, positive: []float32{inf}, negative: []float32{inf}, want: -1},
		{kind: BestScore, positive: []float32{1, nan}, want: math.NaN()},
		{kind: BestScore, positive: []float32{1}, negative: []float32{nan}, want: math.NaN()},
		{kind: Discover, target: inf, want: 1},
		{kind: Discover, target: -inf, positive: []float32{1}, negative: []float32{0}, want: 1},
		{kind: Discover, target: 1, positive: []float32{inf}, negative: []float32{0}, want: 1.75},
		{kind: Discover, target: 1, positive: []float32{inf}, negative: []float32{inf}, want: 0.75},
		{kind: Discover, target: nan, want: math.NaN()},
		{kind: Context, positive: []float32{inf}, negative: []float32{1}, want: 0},
		{kind: Context, positive: []float32{1}, negative: []float32{inf}, want: -1},
		{kind: Context, positive: []float32{-inf, 0}, negative: []float32{inf, 1}, want: -1.5},
		{kind: Context, positive: []float32{1}, negative: []float32{1}, want: same},
		{kind: Context, positive: []float32{-inf}, negative: []float32{-inf}, want: same},
		{kind: Context, positive: []float32{nan}, negative: []float32{1}, want: math.NaN()},
	} {
		x := &Explore{Kind: c.kind, Target: []float32{c.target}}
		for _, s := range c.positive {
			x.Positive = append(x.Positive, []float32{s})
		}
		for _, s := range c.negative {
			x.Negative = append(x.Negative, []float32{s})
		}
		vectors := x.several()
		alike := make([]float64, len(vectors))
		for i, v := range vectors {
			alike[i] = float64(v[0])
		}
		got := x.score(alike)
		if !(math.Abs(got-c.want) < 1e-6) && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("kind %d, target %v, %v against %v: %v, want %v", c.kind, c.target, c.positive, c.negative, got, c.want)
		}
	}
}
