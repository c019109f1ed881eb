package sparse_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/sparse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type oracle map[uint32]point.Sparse

// score adds up in ascending order of indices; ok tells whether any is shared.
func score(q, v point.Sparse) (sum float32, ok bool) {
	for i, index := range q.Indices {
		if at, found := slices.BinarySearch(v.Indices, index); found {
			sum += float32(q.Values[i] * v.Values[at])
			ok = true
		}
	}
	return sum, ok
}

func (o oracle) search(q point.Sparse, k int, accept func(uint32) bool) (hits []sparse.Hit) {
	for l, v := range o {
		if s, ok := score(q, v); ok && accept(l) {
			hits = append(hits, sparse.Hit{Label: l, Score: s})
		}
	}
	slices.SortFunc(hits, func(a, b sparse.Hit) int {
		nan := func(x float32) int {
			if x != x {
				return 1
			}
			return 0
		}
		return cmp.Or(nan(a.Score)-nan(b.Score), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Label, b.Label))
	})
	return hits[:min(k, len(hits))]
}

func (o oracle) frequencies(indices []uint32) []uint64 {
	df := make([]uint64, len(indices))
	for _, v := range o {
		for i, index := range indices {
			if slices.Contains(v.Indices, index) {
				df[i]++
			}
		}
	}
	return df
}

// drawn is a vector of few components, some indices much more often than others. A few are so large that products leave float32.
func drawn(rnd *rand.Rand) point.Sparse {
	m := map[uint32]float32{}
	for range rnd.IntN(6) {
		x := float32(rnd.IntN(9)-3) / 3
		if rnd.IntN(16) == 0 {
			x *= 1e38
		}
		m[uint32(rnd.IntN(1+rnd.IntN(20)))] = x
	}
	var s point.Sparse
	for _, index := range slices.Sorted(maps.Keys(m)) {
		s.Indices, s.Values = append(s.Indices, index), append(s.Values, m[index])
	}
	return s
}

// moment is a search that has begun, and what it is to find.
type moment struct {
	sparse.Snapshot
	query sparse.Query
	want  []sparse.Hit
}

func begin(x *sparse.Index, o oracle, rnd *rand.Rand) moment {
	q, k, modulus := drawn(rnd), 1+rnd.IntN(30), uint32(1+rnd.IntN(4))
	accept := func(l uint32) bool { return l%modulus == 0 }
	var only sparse.Labels
	if rnd.IntN(2) == 0 {
		bm := roaring.New()
		for l := range uint32(3000) {
			if accept(l) {
				bm.Add(l)
			}
		}
		only = bm
	}
	query := sparse.Query{
		Vector: q, Limit: k, Before: func(a, b uint32) bool { return a < b }, Accept: func(l uint32) (bool, error) { return accept(l), nil },
	}
	return moment{x.Begin(q, only), query, o.search(q, k, accept)}
}

func (m *moment) check(t interface{ Fatalf(string, ...any) }) {
	hits, err := m.Search(context.Background(), m.query)
	if err != nil || !slices.EqualFunc(hits, m.want, func(a, b sparse.Hit) bool { return a.Label == b.Label && cmp.Compare(a.Score, b.Score) == 0 }) {
		t.Fatalf("%+v, limit %d: %v, %v; want %v", m.query.Vector, m.query.Limit, hits, err, m.want)
	}
}

func TestEverySearchAnswersAsTheOracleOfItsMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		labels := rapid.SampledFrom([]int{3, 40, 400}).Draw(t, "labels")
		x, o, shown := sparse.New(), oracle{}, oracle{}
		var open []moment
		for range rapid.IntRange(0, 600).Draw(t, "changes") {
			label := uint32(rnd.IntN(labels))
			switch rnd.IntN(10) {
			case 0, 1:
				x.Remove(label)
				delete(o, label)
			case 2:
				x.Publish()
				shown = maps.Clone(o)
			case 3: // what is staged is not seen
				open = append(open, begin(x, shown, rnd))
			default:
				o[label] = drawn(rnd)
				x.Put(label, o[label])
			}
		}
		for i := range open {
			open[i].check(t)
		}
		x.Publish()
		indices := []uint32{0, 1, 7, 99}
		if df, n := x.Frequencies(indices); !slices.Equal(df, o.frequencies(indices)) || n != uint64(len(o)) || x.Len() != len(o) {
			t.Fatalf("frequencies %v of %d, want %v of %d", df, n, o.frequencies(indices), len(o))
		}
	})
}

// Long lists, many of them dead, with windows that are left out, and everything written anew on the way.
func TestLargeIndexesAnswerAsTheOracle(t *testing.T) {
	rnd, x, o := rand.New(rand.NewPCG(1, 2)), sparse.New(), oracle{}
	var held []moment
	for round := range 8 {
		for range 6000 {
			label := uint32(rnd.IntN(3000))
			if rnd.IntN(5) == 0 {
				x.Remove(label)
				delete(o, label)
				continue
			}
			o[label] = drawn(rnd)
			x.Put(label, o[label])
		}
		x.Publish()
		if round%4 == 0 {
			held = append(held, begin(x, o, rnd))
		}
		for range 20 {
			m := begin(x, o, rnd)
			m.check(t)
		}
	}
	for i := range held {
		held[i].check(t)
	}
	if rows := x.Rows(); rows > 40_000 {
		t.Errorf("%d rows are held for %d vectors", rows, len(o))
	}
}

func TestSearchesRunBesideChanges(t *testing.T) {
	x := sparse.New()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var publishing sync.RWMutex // as a shard's lock: nobody begins beside a Publish
	for worker := range 3 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(worker), 7))
			for {
				select {
				case <-stop:
					return
				default:
				}
				q := drawn(rnd)
				publishing.RLock()
				s := x.Begin(q, nil)
				publishing.RUnlock()
				hits, err := s.Search(context.Background(), sparse.Query{Vector: q, Limit: 10, Before: func(a, b uint32) bool { return a < b }})
				if err != nil || len(hits) > 10 {
					t.Error(hits, err)
				}
			}
		})
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for i := range 20_000 {
		x.Put(uint32(rnd.IntN(500)), drawn(rnd))
		if i%50 == 0 {
			publishing.Lock()
			x.Publish()
			publishing.Unlock()
		}
	}
	close(stop)
	wg.Wait()
}

func TestSearchesEndWithTheirContextAndTheirFilter(t *testing.T) {
	x := sparse.New()
	v := point.Sparse{Indices: []uint32{1}, Values: []float32{1}}
	for l := range uint32(100) {
		x.Put(l, v)
	}
	x.Publish()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := x.Begin(v, nil)
	if _, err := s.Search(ctx, sparse.Query{Vector: v, Limit: 5}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	cause := errors.New("no")
	if _, err := s.Search(context.Background(), sparse.Query{Vector: v, Limit: 5, Accept: func(uint32) (bool, error) { return false, cause }}); !errors.Is(err, cause) {
		t.Error(err)
	}
}
