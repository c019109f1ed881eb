package multi_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/multi"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const size = 3

type oracle map[uint32][]float32

// score reads as the definition does: for each vector of the query, the best among those of the point.
func score(d vec.Distance, query, v []float32) float32 {
	var sum float32
	for q := 0; q < len(query); q += size {
		best := float32(math.Inf(-1))
		for at := 0; at < len(v); at += size {
			var s float32
			for i := range size {
				a, b := query[q+i], v[at+i]
				switch d {
				case vec.Euclid:
					s -= (a - b) * (a - b)
				case vec.Manhattan:
					s -= float32(math.Abs(float64(a - b)))
				default:
					s += a * b
				}
			}
			best = max(best, s)
		}
		sum += best
	}
	switch d {
	case vec.Euclid:
		return float32(math.Sqrt(float64(-sum)))
	case vec.Manhattan:
		return -sum
	}
	return sum
}

func (o oracle) search(d vec.Distance, q []float32, k int, accept func(uint32) bool) (hits []multi.Hit) {
	for l, v := range o {
		if accept(l) {
			hits = append(hits, multi.Hit{Label: l, Score: score(d, q, v)})
		}
	}
	slices.SortFunc(hits, func(a, b multi.Hit) int {
		switch {
		case d.Better(a.Score, b.Score):
			return -1
		case d.Better(b.Score, a.Score):
			return 1
		}
		return int(a.Label) - int(b.Label)
	})
	return hits[:min(k, len(hits))]
}

// Whole numbers, so that sums are exact in any order.
func drawn(rnd *rand.Rand) []float32 {
	v := make([]float32, size*(1+rnd.IntN(4)))
	for i := range v {
		v[i] = float32(rnd.IntN(5) - 2)
	}
	return v
}

func TestEverySnapshotAnswersAsTheOracleOfItsMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		d := rapid.SampledFrom([]vec.Distance{vec.Euclid, vec.Dot, vec.Manhattan}).Draw(t, "distance")
		x, err := multi.New(size, d)
		if err != nil {
			t.Fatal(err)
		}
		type moment struct {
			multi.Snapshot
			want oracle
		}
		labels := rapid.SampledFrom([]int{2, 30, 700}).Draw(t, "labels")
		o, moments := oracle{}, []moment{{x.Snapshot(), oracle{}}}
		for range rapid.SampledFrom([]int{50, 500, 6000}).Draw(t, "changes") {
			label := uint32(rnd.IntN(labels))
			switch rnd.IntN(12) {
			case 0, 1:
				x.Remove(label)
				delete(o, label)
			case 2:
				x.Publish()
				if rnd.IntN(20) == 0 || len(moments) < 3 {
					moments = append(moments, moment{x.Snapshot(), maps.Clone(o)})
				}
			default:
				o[label] = drawn(rnd)
				if err := x.Put(label, o[label]); err != nil {
					t.Fatal(err)
				}
			}
		}
		x.Publish()
		moments = append(moments, moment{x.Snapshot(), o})
		if x.Len() != len(o) {
			t.Fatalf("%d, want %d", x.Len(), len(o))
		}
		for _, m := range moments {
			q, k, modulus := drawn(rnd), 1+rnd.IntN(40), uint32(1+rnd.IntN(3))
			accept := func(l uint32) bool { return l%modulus == 0 }
			query := multi.Query{Vectors: q, Limit: k, Before: func(a, b uint32) bool { return a < b }, Accept: func(l uint32) (bool, error) { return accept(l), nil }}
			if rnd.IntN(2) == 0 {
				query.Only = accept
			}
			hits, err := m.Search(context.Background(), query)
			if want := m.want.search(d, q, k, accept); err != nil || !slices.Equal(hits, want) {
				t.Fatalf("%v: %v, %v; want %v", d, hits, err, want)
			}
		}
	})
}

func TestBadMultivectorsAndContexts(t *testing.T) {
	if _, err := multi.New(0, vec.Dot); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	x, err := multi.New(size, vec.Dot)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 2, 4} {
		if err := x.Put(1, make([]float32, n)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%d components: %v", n, err)
		}
		if _, err := x.Snapshot().Search(context.Background(), multi.Query{Vectors: make([]float32, n), Limit: 1}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a query of %d components: %v", n, err)
		}
	}
	if err := x.Put(1, make([]float32, size)); err != nil {
		t.Fatal(err)
	}
	x.Publish()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := x.Snapshot().Search(ctx, multi.Query{Vectors: make([]float32, size), Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	cause := errors.New("no")
	q := multi.Query{Vectors: make([]float32, size), Limit: 1, Accept: func(uint32) (bool, error) { return false, cause }}
	if _, err := x.Snapshot().Search(context.Background(), q); !errors.Is(err, cause) {
		t.Error(err)
	}
}
