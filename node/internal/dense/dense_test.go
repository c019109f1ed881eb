package dense_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

var distances = []vec.Distance{vec.Cosine, vec.Euclid, vec.Dot, vec.Manhattan}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unraced leaves a test out under the race detector, which takes ten times as long to tell how much is found, and has the same code
// in other tests.
func unraced(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("how much is found is told without the race detector")
	}
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func newIndex(t fataler, o dense.Options) *dense.Index {
	t.Helper()
	x, err := dense.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func put(t fataler, x *dense.Index, label uint32, v ...float32) {
	t.Helper()
	if err := x.Put(label, v); err != nil {
		t.Fatal(err)
	}
}

func search(x dense.Snapshot, q []float32, k int, accept func(uint32) (bool, error)) ([]dense.Hit, error) {
	query := dense.Query{Vector: q, Limit: k, Before: ascending, Params: dense.Params{Exact: true}}
	if accept != nil {
		query.Filter = &dense.Filter{Accept: accept}
	}
	return x.Search(context.Background(), query)
}

// now searches what is published.
func now(x *dense.Index, q []float32, k int, accept func(uint32) (bool, error)) ([]dense.Hit, error) {
	s := x.Snapshot()
	defer s.Release()
	return search(s, q, k, accept)
}

func settle(t fataler, x *dense.Index) {
	t.Helper()
	if err := x.Settled(context.Background()); err != nil {
		t.Fatal(err)
	}
	if st := x.Status(); st.Problem != nil || st.Busy {
		t.Fatal(st)
	}
}

func closeIndex(t fataler, x *dense.Index) {
	t.Helper()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

func ascending(a, b uint32) bool { return a < b }

type oracle map[uint32][]float32

// search sorts everything: by score, then by label.
func (o oracle) search(d vec.Distance, q []float32, k int, accept func(uint32) (bool, error)) (hits []dense.Hit) {
	for l := range o {
		if ok, _ := accept(l); ok {
			hits = append(hits, dense.Hit{Label: l, Score: d.Score(q, o[l])})
		}
	}
	slices.SortFunc(hits, func(a, b dense.Hit) int {
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

// moment is a snapshot and what it is to show.
type moment struct {
	dense.Snapshot
	want oracle
}

// Few values, so that many scores are equal.
func drawVector(t *rapid.T, d vec.Distance, size int) []float32 {
	rnd := rand.New(rand.NewPCG(rapid.Uint64Range(0, 20).Draw(t, "vector"), 1))
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(rnd.IntN(3) - 1)
	}
	return d.Stored(v)
}

func (m moment) check(t *rapid.T, d vec.Distance, size int) {
	modulus := rapid.Uint32Range(1, 4).Draw(t, "modulus")
	accept := func(l uint32) (bool, error) { return l%modulus == 0, nil }
	q, k := drawVector(t, d, size), rapid.IntRange(0, 200).Draw(t, "k")
	hits, err := search(m.Snapshot, q, k, accept)
	want := m.want.search(d, q, k, accept)
	if err != nil || !slices.Equal(hits, want) {
		t.Fatalf("%v, %v; want %v", hits, err, want)
	}
	m.checkWalk(t, d, q, k, modulus)
	if m.Len() != len(m.want) {
		t.Fatalf("%d vectors, want %d", m.Len(), len(m.want))
	}
	for l := range uint32(160) {
		_, there := m.want[l]
		if has := m.Has(l); has != there {
			t.Fatalf("label %d: %v, want %v", l, has, there)
		}
	}
}

type labels map[uint32]bool

func (l labels) Contains(label uint32) bool { return l[label] }
func (l labels) GetCardinality() uint64     { return uint64(len(l)) }
func (l labels) Iterate(visit func(uint32) bool) {
	for label := range l {
		if !visit(label) {
			return
		}
	}
}

// checkWalk searches as the index likes: it finds as many as there are, with their true scores, in order.
func (m moment) checkWalk(t *rapid.T, d vec.Distance, q []float32, k int, modulus uint32) {
	accept := func(l uint32) (bool, error) { return l%modulus == 0, nil }
	match := labels{}
	for l := range uint32(200) {
		if l%modulus == 0 {
			match[l] = true
		}
	}
	query := dense.Query{Vector: q, Limit: k, Before: ascending, Params: dense.Params{
		Ef: rapid.IntRange(0, 100).Draw(t, "ef"), IgnoreCodes: rapid.Bool().Draw(t, "ignore"),
	}}
	switch rapid.IntRange(0, 2).Draw(t, "filter") {
	case 0:
		query.Filter = &dense.Filter{Accept: accept}
	case 1:
		query.Filter = &dense.Filter{Lower: match, Upper: match, Expected: len(match)}
	default:
		if modulus != 1 {
			return
		}
	}
	hits, err := m.Search(context.Background(), query)
	if err != nil || len(hits) != len(m.want.search(d, q, k, accept)) {
		t.Fatalf("%d hits, %v; want %d", len(hits), err, len(m.want.search(d, q, k, accept)))
	}
	for i, h := range hits {
		v, ok := m.want[h.Label]
		if !ok || h.Label%modulus != 0 || h.Score != d.Score(q, v) {
			t.Fatalf("hit %d: %+v, vector %v", i, h, v)
		}
		if p := hits[max(i-1, 0)]; i > 0 && (d.Better(h.Score, p.Score) || h.Score == p.Score && h.Label <= p.Label) {
			t.Fatalf("%+v comes before %+v", p, h)
		}
	}
}

func TestEverySnapshotAnswersAsTheOracleOfItsMoment(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(distances).Draw(t, "distance")
		size := rapid.SampledFrom([]int{1, 2, 9, 300}).Draw(t, "size")
		config := func() dense.Config {
			return dense.Config{
				M: rapid.SampledFrom([]int{0, 4, 16}).Draw(t, "m"), EfConstruct: 20,
				Codes:            dense.Codes{Kind: rapid.SampledFrom([]dense.CodeKind{dense.Automatic, dense.Whole, dense.Scalar}).Draw(t, "codes")},
				OnDisk:           rapid.Bool().Draw(t, "on disk"),
				GraphOnDisk:      rapid.Bool().Draw(t, "graph on disk"),
				IndexingBytes:    rapid.SampledFrom([]int64{0, 1, 1000}).Draw(t, "indexing"),
				FullScanBytes:    rapid.SampledFrom([]int64{0, 500}).Draw(t, "full scan"),
				DeletedThreshold: rapid.Float64Range(0, 1).Draw(t, "threshold"),
				VacuumMinVectors: rapid.IntRange(0, 100).Draw(t, "min"),
			}
		}
		x := newIndex(t, dense.Options{Size: size, Distance: d, Config: config(), Dir: filepath.Join(dir, "index")})
		want, moments := oracle{}, []moment{}
		for range rapid.IntRange(0, 300).Draw(t, "changes") {
			label := rapid.Uint32Range(0, 150).Draw(t, "label")
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1, 2:
				x.Remove(label)
				delete(want, label)
			case 3, 4:
				x.Publish()
				moments = append(moments, moment{x.Snapshot(), maps.Clone(want)})
				switch rapid.IntRange(0, 5).Draw(t, "then") {
				case 0:
					x.SetConfig(config())
				case 1:
					settle(t, x)
				}
			default:
				v := drawVector(t, d, size)
				put(t, x, label, v...)
				want[label] = v
			}
		}
		x.Publish()
		moments = append(moments, moment{x.Snapshot(), want})
		if rapid.Bool().Draw(t, "settle") {
			settle(t, x)
		}
		for i, m := range moments {
			if i > len(moments)-5 {
				m.check(t, d, size)
			}
			m.Release()
		}
		closeIndex(t, x)
		if left, err := filepath.Glob(filepath.Join(dir, "index", "*")); err != nil || len(left) != 0 {
			t.Fatalf("files are left: %v, %v", left, err)
		}
	})
}

func fill(t fataler, n, size int) *dense.Index {
	x := newIndex(t, dense.Options{Size: size, Distance: vec.Euclid, Config: dense.Config{DeletedThreshold: 0.2, VacuumMinVectors: 1000}})
	rnd := rand.New(rand.NewPCG(1, 2))
	v := make([]float32, size)
	for l := range n {
		for i := range v {
			v[i] = rnd.Float32()
		}
		put(t, x, uint32(l), v...)
	}
	x.Publish()
	return x
}

func TestSearchAllocatesNothingPerVector(t *testing.T) {
	allocs := func(n int) float64 {
		x, q := fill(t, n, 32), make([]float32, 32)
		accept := func(l uint32) (bool, error) { return l%2 == 0, nil }
		defer closeIndex(t, x)
		return testing.AllocsPerRun(5, func() {
			if _, err := now(x, q, 10, accept); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := allocs(100), allocs(20_000)
	if few != many && !raced || many > 12 {
		t.Errorf("%v allocations among 100 vectors, %v among 20000", few, many)
	}
}

func TestTheDeadAreClearedAwayWhileChangesGoOn(t *testing.T) {
	x := fill(t, 3000, 8)
	before := x.Snapshot()
	for round := range 20 {
		for l := range uint32(3000) {
			put(t, x, l, make([]float32, 8)...)
			if l%100 == 99 {
				x.Publish()
			}
		}
		if n := x.Len(); n != 3000 {
			t.Fatalf("round %d: %d vectors", round, n)
		}
	}
	settle(t, x)
	if rows := x.Rows(); rows > 20_000 {
		t.Errorf("%d rows are held for 3000 vectors after 60000 changes", rows)
	}
	hits, err := search(before, make([]float32, 8), 3000, nil)
	if err != nil || len(hits) != 3000 || hits[0].Score == 0 {
		t.Errorf("the snapshot of before has %d hits, %v", len(hits), err)
	}
	before.Release()
	hits, err = now(x, make([]float32, 8), 5000, nil)
	if err != nil || len(hits) != 3000 || hits[2999].Score != 0 {
		t.Errorf("the snapshot of now has %d hits, %v", len(hits), err)
	}
	closeIndex(t, x)
}

func TestSearchesRunBesideChanges(t *testing.T) {
	x := fill(t, 2000, 4)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// Each change gives all labels one vector.
				hits, err := now(x, []float32{0, 0, 0, 0}, 10, nil)
				if err != nil || len(hits) != 10 {
					t.Errorf("%d hits, %v", len(hits), err)
					return
				}
			}
		})
	}
	for n := range 50 {
		for l := range uint32(2000) {
			put(t, x, l, float32(n), 1, 1, 1)
		}
		x.Publish()
	}
	close(stop)
	wg.Wait()
	closeIndex(t, x)
}

func TestScoresThatAreNoNumbersComeLast(t *testing.T) {
	x := newIndex(t, dense.Options{Size: 2, Distance: vec.Dot})
	big := float32(math.MaxFloat32)
	for l, v := range [][]float32{{big, -big}, {1, 1}, {-big, -big}, {2, 2}} {
		put(t, x, uint32(l), v...)
	}
	x.Publish()
	defer closeIndex(t, x)
	hits, err := now(x, []float32{big, big}, 4, nil)
	if err != nil || len(hits) != 4 || hits[0].Label%2 != 1 || hits[1].Label%2 != 1 {
		t.Errorf("%v, %v", hits, err)
	}
}

func TestErrorsEndTheSearch(t *testing.T) {
	x := fill(t, 10_000, 4)
	ctx, cancel := context.WithCancel(context.Background())
	asked := 0
	defer closeIndex(t, x)
	s := x.Snapshot()
	defer s.Release()
	f := &dense.Filter{Accept: func(uint32) (bool, error) {
		if asked++; asked == 10 {
			cancel()
		}
		return true, nil
	}}
	_, err := s.Search(ctx, dense.Query{Vector: make([]float32, 4), Limit: 10_000, Before: ascending, Filter: f})
	if !errors.Is(err, context.Canceled) || asked > 5000 {
		t.Errorf("%v after %d vectors", err, asked)
	}
	cause := errors.New("disk")
	_, err = search(s, make([]float32, 4), 1, func(uint32) (bool, error) { return false, cause })
	if !errors.Is(err, cause) {
		t.Error(err)
	}
}

func TestWrongSizesAreInvalid(t *testing.T) {
	x := newIndex(t, dense.Options{Size: 4, Distance: vec.Dot})
	if err := x.Put(1, make([]float32, 3)); !fault.Is(err, fault.Invalid) || err.Error() != "Vector dimension error: expected dim: 4, got 3" {
		t.Error(err)
	}
	defer closeIndex(t, x)
	if _, err := now(x, make([]float32, 5), 1, nil); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	for _, o := range []dense.Options{{Size: 0, Distance: vec.Dot}, {Size: 3}} {
		if _, err := dense.New(o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
