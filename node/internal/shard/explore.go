package shard

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
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

// several returns all vectors, those that points should be near to first.
func (x *Explore) several() (vectors [][]float32) {
	if x.Kind == Discover {
		vectors = append(vectors, x.Target)
	}
	vectors = append(vectors, x.Positive...)
	return append(vectors, x.Negative...)
}

// score combines similarities, in the order of several.
func (x *Explore) score(alike []float64) float64 {
	target := 0.0
	if x.Kind == Discover {
		target, alike = alike[0], alike[1:]
	}
	toPositive, toNegative := alike[:len(x.Positive)], alike[len(x.Positive):]
	switch x.Kind {
	case BestScore:
		best := func(alike []float64) float64 {
			most := math.Inf(-1)
			for _, s := range alike {
				most = max(most, s)
			}
			return most
		}
		positive, negative := best(toPositive), best(toNegative)
		switch {
		case positive > negative:
			return sigmoid(positive)
		case positive <= negative:
			return -sigmoid(negative)
		}
		return math.NaN()
	case SumScores:
		sum := 0.0
		for _, s := range toPositive {
			sum += s
		}
		for _, s := range toNegative {
			sum -= s
		}
		return sum
	case Discover:
		rank := 0
		for i, positive := range toPositive {
			rank += cmp.Compare(positive, toNegative[i])
		}
		return float64(rank) + sigmoid(target)
	case Context:
	}
	loss := 0.0
	for i, positive := range toPositive {
		negative := toNegative[i]
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

// asked is what an index of a distance is asked for, of vectors in the form in which they are compared.
func (x *Explore) asked(d vec.Distance, vectors [][]float32) *dense.Several {
	s := &dense.Several{Vectors: vectors, Toward: len(vectors) - len(x.Negative), Combine: x.score}
	switch x.Kind {
	case SumScores:
		if !d.LargerIsBetter() && len(x.Negative) > len(x.Positive) {
			s.Toward = 0 // best is what is far from all
		}
	case Discover:
		s.Sides, s.Lead, s.Right = true, true, float32(len(x.Positive))
	case Context:
		s.Sides = true
	case BestScore:
	}
	return s
}

// exploration is an Explore as a search compares it.
type exploration struct {
	*Explore
	vectors [][]float32 // in the form in which they are compared, as several orders them
	alike   []float64
}

// setExplore brings the vectors into the form in which they are compared.
func (q *searcher) setExplore() error {
	x := q.req.Explore
	if q.schema.Kind == Sparse || !x.Valid() {
		return fault.New(fault.Invalid, "vector %q cannot be explored so", q.req.Using)
	}
	q.explore = &exploration{Explore: x}
	q.explore.vectors = x.several()
	q.explore.alike = make([]float64, len(q.explore.vectors))
	for i, v := range q.explore.vectors {
		var err error
		if q.explore.vectors[i], err = q.schema.sought(v); err != nil {
			return err
		}
	}
	return nil
}

// explored is the score of a stored vector.
func (q *searcher) explored(stored []float32) float32 {
	if q.schema.Kind == Multi {
		return q.exploredMulti(q.schema.indexed(stored))
	}
	for i, e := range q.explore.vectors {
		q.explore.alike[i] = dense.Alike(q.schema.Datatype, q.schema.Distance, e, stored)
	}
	return float32(q.explore.score(q.explore.alike))
}

// exploredMulti is the score of a multivector as it is compared.
func (q *searcher) exploredMulti(v []float32) float32 {
	for i, e := range q.explore.vectors {
		s := float64(multi.Score(q.schema.Distance, q.schema.Size, e, v))
		switch q.schema.Distance {
		case vec.Euclid:
			s = -s * s
		case vec.Manhattan:
			s = -s
		case vec.Dot, vec.Cosine:
		}
		q.explore.alike[i] = s
	}
	return float32(q.explore.score(q.explore.alike))
}

// runExplore compares with all multivectors that a filter may let through, and asks it about the best.
func (q *searcher) runExplore(ctx context.Context) ([]found, error) {
	type hit struct {
		label uint32
		score float32
	}
	var hits []hit
	f := q.filter()
	err := q.multi.Each(ctx, func(label uint32, v []float32) {
		if f == nil || f.Upper == nil || f.Upper.Contains(label) {
			hits = append(hits, hit{label, q.exploredMulti(v)})
		}
	})
	if err != nil {
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
