package shard

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/multi"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Explore asks for points by how they compare with several vectors, instead of those nearest to one. Larger scores are better. Vectors
// are as the schema has Using, which is not sparse; not yet normalised for Cosine.
type Explore struct {
	Kind     ExploreKind
	Target   []float32   // of Discover
	Positive [][]float32 // of Discover and Context, Positive[i] and Negative[i] are a pair
	Negative [][]float32
}

// ExploreKind says what a score is made of: similarities, which are products, or distances negated, for Euclid squared.
type ExploreKind uint8

// The kinds, scored as in Qdrant.
const (
	// BestScore: that of the most similar example, between 0 and 1 if it is a positive one, negated if it is a negative one.
	BestScore ExploreKind = 1 + iota
	// SumScores: the similarities to positive examples without those to negative ones.
	SumScores
	// Discover: how many pairs it is on the right side of, less those it is on the wrong side of, and the similarity to the target,
	// between 0 and 1.
	Discover
	// Context: 0 if it is on the right side of all pairs, and the less the more it is on the wrong side of some.
	Context
)

// Valid reports whether it is a question that can be answered.
func (x *Explore) Valid() bool {
	pairs := len(x.Positive) == len(x.Negative)
	switch x.Kind {
	case BestScore, SumScores:
		return len(x.Positive)+len(x.Negative) > 0
	case Discover:
		return pairs && x.Target != nil
	case Context:
		return pairs && len(x.Positive) > 0
	}
	return false
}

// score combines similarities.
func (x *Explore) score(similarity func([]float32) float64) float64 {
	switch x.Kind {
	case BestScore:
		best := func(examples [][]float32) float64 {
			most := math.Inf(-1)
			for _, e := range examples {
				most = max(most, similarity(e))
			}
			return most
		}
		positive, negative := best(x.Positive), best(x.Negative)
		switch {
		case positive > negative:
			return sigmoid(positive)
		case positive <= negative:
			return -sigmoid(negative)
		}
		return math.NaN()
	case SumScores:
		sum := 0.0
		for _, e := range x.Positive {
			sum += similarity(e)
		}
		for _, e := range x.Negative {
			sum -= similarity(e)
		}
		return sum
	case Discover:
		rank := 0
		for i := range x.Positive {
			rank += cmp.Compare(similarity(x.Positive[i]), similarity(x.Negative[i]))
		}
		return float64(rank) + sigmoid(similarity(x.Target))
	case Context:
	}
	loss := 0.0
	for i := range x.Positive {
		positive, negative := similarity(x.Positive[i]), similarity(x.Negative[i])
		by := -margin // of two that are equal, infinite ones too
		if positive != negative {
			by += positive - negative
		}
		if !(by >= 0) {
			loss += squashed(by)
		}
	}
	return loss
}

// margin is how much more similar the positive of a pair has to be.
const margin = 0x1p-23

// sigmoid brings a similarity between 0 and 1.
func sigmoid(x float64) float64 { return 0.5 * (squashed(x) + 1) }

// squashed brings a number between -1 and 1, to which it brings infinite ones.
func squashed(x float64) float64 {
	if math.IsInf(x, 0) {
		return math.Copysign(1, x)
	}
	return x / (1 + math.Abs(x))
}

// setExplore brings the vectors into the form in which they are compared.
func (q *searcher) setExplore() error {
	x := q.req.Explore
	if q.schema.Kind == Sparse || !x.Valid() {
		return fault.New(fault.Invalid, "vector %q cannot be explored so", q.req.Using)
	}
	q.explore = &Explore{Kind: x.Kind}
	for _, l := range []struct {
		from [][]float32
		to   *[][]float32
	}{{x.Positive, &q.explore.Positive}, {x.Negative, &q.explore.Negative}} {
		for _, v := range l.from {
			stored, err := q.schema.stored(v)
			if err != nil {
				return err
			}
			*l.to = append(*l.to, q.schema.indexed(stored))
		}
	}
	if x.Kind == Discover {
		stored, err := q.schema.stored(x.Target)
		if err != nil {
			return err
		}
		q.explore.Target = q.schema.indexed(stored)
	}
	return nil
}

// explored is the score of a vector as it is compared.
func (q *searcher) explored(v []float32) float32 {
	return float32(q.explore.score(func(e []float32) float64 { return q.similarity(e, v) }))
}

func (q *searcher) similarity(e, v []float32) float64 {
	if q.schema.Kind == Multi {
		s := float64(multi.Score(q.schema.Distance, q.schema.Size, e, v))
		switch q.schema.Distance {
		case vec.Euclid:
			return -s * s
		case vec.Manhattan:
			return -s
		case vec.Dot, vec.Cosine:
		}
		return s
	}
	switch q.schema.Distance {
	case vec.Euclid:
		return -float64(vec.EuclidSquared(e, v))
	case vec.Manhattan:
		return -float64(vec.ManhattanSum(e, v))
	case vec.Dot, vec.Cosine:
	}
	return float64(vec.DotProduct(e, v))
}

// runExplore compares with all vectors that a filter may let through, and asks it about the best.
func (q *searcher) runExplore(ctx context.Context) ([]found, error) {
	type hit struct {
		label uint32
		score float32
	}
	var hits []hit
	f := q.filter()
	visit := func(label uint32, v []float32) {
		if f == nil || f.Upper == nil || f.Upper.Contains(label) {
			hits = append(hits, hit{label, q.explored(v)})
		}
	}
	each := q.dense.Each
	if q.schema.Kind == Multi {
		each = q.multi.Each
	}
	if err := each(ctx, visit); err != nil {
		return nil, err
	}
	slices.SortFunc(hits, func(a, b hit) int {
		switch order := vec.Dot.Compare(a.score, b.score); {
		case order != 0:
			return order
		case q.r.rows.before(a.label, b.label):
			return -1
		}
		return 1
	})
	kept := hits[:0]
	for _, h := range hits {
		if len(kept) == q.limit {
			break
		}
		ok, err := true, error(nil)
		if f != nil {
			ok, err = passes(f, h.label)
		}
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, h)
		}
	}
	return q.found(len(kept), func(i int) (uint32, float32) { return kept[i].label, kept[i].score })
}
