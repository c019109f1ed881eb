package shard

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// clustered draws vectors about centres.
type clustered struct {
	rnd     *rand.Rand
	centres [][]float32
	d       vec.Distance
}

func newClustered(d vec.Distance, size, centres int) *clustered {
	c := &clustered{rnd: rand.New(rand.NewPCG(11, 7)), d: d}
	for range centres {
		v := make([]float32, size)
		for i := range v {
			v[i] = float32(c.rnd.NormFloat64())
		}
		c.centres = append(c.centres, v)
	}
	return c
}

func (c *clustered) draw() []float32 {
	v := slices.Clone(c.centres[c.rnd.IntN(len(c.centres))])
	for i := range v {
		v[i] += 0.5 * float32(c.rnd.NormFloat64())
	}
	return c.d.Stored(v)
}

func (c *clustered) some(n int) (out [][]float32) {
	for range n {
		out = append(out, c.draw())
	}
	return out
}

// index returns one of so many drawn vectors, all of them linked.
func (c *clustered) index(t testing.TB, count int, config dense.Config) *dense.Index {
	t.Helper()
	x, err := dense.New(dense.Options{Size: len(c.centres[0]), Distance: c.d, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	for l := range count {
		if err := x.Put(uint32(l), c.draw()); err != nil {
			t.Fatal(err)
		}
	}
	x.Publish()
	if err := x.Settled(context.Background()); err != nil {
		t.Fatal(err)
	}
	if st := x.Status(); st.Problem != nil || st.Indexed != count {
		t.Fatalf("%+v", st)
	}
	return x
}

var walked = dense.Config{M: 16, EfConstruct: 100, IndexingBytes: 1, DeletedThreshold: 0.2, VacuumMinVectors: 1000, Threads: 1}

func queryOf(x *Explore, d vec.Distance, p dense.Params) dense.Query {
	return dense.Query{Several: x.asked(d, x.several()), Limit: 10, Before: func(a, b uint32) bool { return a < b }, Params: p}
}

// explorations are what the walks are tried with.
var explorations = map[string]struct {
	kind               ExploreKind
	positive, negative int
	recall             float64 // at least
}{
	"best score": {BestScore, 3, 2, 0.95}, "best score of many": {BestScore, 10, 0, 0.95}, "best score, unlike": {BestScore, 0, 3, 1},
	"sum of scores": {SumScores, 3, 2, 0.95}, "sum of scores, as many unlike": {SumScores, 2, 2, 0.92}, "sum of scores, more unlike": {SumScores, 1, 3, 0.95},
	"discovery": {Discover, 1, 1, 0.95}, "discovery among three pairs": {Discover, 3, 3, 0.92},
	"context": {Context, 1, 1, 0}, "context of three pairs": {Context, 3, 3, 0}, "context of six pairs": {Context, 6, 6, 0},
}

func (c *clustered) explore(kind ExploreKind, positive, negative int) *Explore {
	x := &Explore{Kind: kind, Positive: c.some(positive), Negative: c.some(negative)}
	if kind == Discover {
		x.Target = c.draw()
	}
	return x
}

// What walks by a score find is nearly what comparing all finds; of contexts, where many score the same, it scores as well.
func TestWalksByScoresFindWhatComparingAllFinds(t *testing.T) {
	count, queries := 20_000, 40
	if testing.Short() {
		count = 8000
	}
	if raced {
		count, queries = 1000, 5
	}
	for _, d := range []vec.Distance{vec.Cosine, vec.Euclid} {
		c := newClustered(d, 32, 200)
		s := c.index(t, count, walked).Snapshot()
		for _, name := range slices.Sorted(maps.Keys(explorations)) {
			e := explorations[name]
			found, sum, best := 0, 0.0, 0.0
			for range queries {
				x := c.explore(e.kind, e.positive, e.negative)
				near, err := s.Search(context.Background(), queryOf(x, d, dense.Params{Ef: 128}))
				if err != nil || len(near) != 10 {
					t.Fatal(near, err)
				}
				exact, err := s.Search(context.Background(), queryOf(x, d, dense.Params{Exact: true}))
				if err != nil {
					t.Fatal(err)
				}
				for i, h := range exact {
					if slices.Contains(near, h) {
						found++
					}
					sum, best = sum+float64(near[i].Score), best+float64(h.Score)
				}
			}
			recall := float64(found) / float64(10*queries)
			if e.kind == Context && math.Abs(sum-best) > 0.01*math.Abs(best) {
				t.Errorf("%s, %s: scores of %v in all, want %v", d, name, sum, best)
			}
			if recall < e.recall {
				t.Errorf("%s, %s: recall %v", d, name, recall)
			}
		}
		s.Release()
	}
}

// BenchmarkWalkByScores compares walks with comparing all.
func BenchmarkWalkByScores(b *testing.B) {
	const count = 50_000
	c := newClustered(vec.Cosine, 128, 200)
	s := c.index(b, count, walked).Snapshot()
	defer s.Release()
	for _, name := range slices.Sorted(maps.Keys(explorations)) {
		e := explorations[name]
		for way, p := range map[string]dense.Params{"walk": {Ef: 128}, "exact": {Exact: true}} {
			b.Run(name+"/"+way, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Search(context.Background(), queryOf(c.explore(e.kind, e.positive, e.negative), c.d, p)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
