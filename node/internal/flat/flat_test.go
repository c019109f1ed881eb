package flat_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/flat"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

var distances = []vec.Distance{vec.Cosine, vec.Euclid, vec.Dot, vec.Manhattan}

func newIndex(t testing.TB, size int, d vec.Distance) *flat.Index {
	t.Helper()
	x, err := flat.New(flat.Options{Size: size, Distance: d})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func ascending(a, b uint32) bool { return a < b }

type oracle map[uint32][]float32

// search sorts everything: by score, then by label.
func (o oracle) search(d vec.Distance, q []float32, k int, accept func(uint32) (bool, error)) (labels []uint32, scores []float32) {
	for l := range o {
		if ok, _ := accept(l); ok {
			labels = append(labels, l)
		}
	}
	slices.SortFunc(labels, func(a, b uint32) int {
		sa, sb := d.Score(q, o[a]), d.Score(q, o[b])
		switch {
		case d.Better(sa, sb):
			return -1
		case d.Better(sb, sa):
			return 1
		}
		return int(a) - int(b)
	})
	labels = labels[:min(k, len(labels))]
	for _, l := range labels {
		scores = append(scores, d.Score(q, o[l]))
	}
	return labels, scores
}

func TestAnswersAsTheOracleAfterAnyChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(distances).Draw(t, "distance")
		size := rapid.SampledFrom([]int{1, 2, 9, 300}).Draw(t, "size")
		x, err := flat.New(flat.Options{Size: size, Distance: d})
		if err != nil {
			t.Fatal(err)
		}
		want := oracle{}
		// few values, so that many scores are equal
		vector := func(name string) []float32 {
			rnd := rand.New(rand.NewPCG(rapid.Uint64Range(0, 20).Draw(t, name), 1))
			v := make([]float32, size)
			for i := range v {
				v[i] = float32(rnd.IntN(3) - 1)
			}
			return d.Stored(v)
		}
		for range rapid.IntRange(0, 300).Draw(t, "changes") {
			label := rapid.Uint32Range(0, 150).Draw(t, "label")
			if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				x.Remove(label)
				delete(want, label)
				continue
			}
			v := vector("vector")
			if err := x.Add(label, v); err != nil {
				t.Fatal(err)
			}
			want[label] = v
		}
		modulus := rapid.Uint32Range(1, 4).Draw(t, "modulus")
		accept := func(l uint32) (bool, error) { return l%modulus == 0, nil }
		q, k := vector("query"), rapid.IntRange(0, 200).Draw(t, "k")
		labels, scores, err := x.Search(context.Background(), q, k, accept, ascending)
		wantLabels, wantScores := want.search(d, q, k, accept)
		if err != nil || !slices.Equal(labels, wantLabels) || !slices.Equal(scores, wantScores) {
			t.Fatalf("labels %v, scores %v, %v; want %v, %v", labels, scores, err, wantLabels, wantScores)
		}
		if x.Len() != len(want) {
			t.Fatalf("%d vectors, want %d", x.Len(), len(want))
		}
	})
}

func fill(t testing.TB, n, size int) *flat.Index {
	x := newIndex(t, size, vec.Euclid)
	rnd := rand.New(rand.NewPCG(1, 2))
	v := make([]float32, size)
	for l := range n {
		for i := range v {
			v[i] = rnd.Float32()
		}
		if err := x.Add(uint32(l), v); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func TestSearchAllocatesNothingPerVector(t *testing.T) {
	allocs := func(n int) float64 {
		x, q := fill(t, n, 32), make([]float32, 32)
		accept := func(l uint32) (bool, error) { return l%2 == 0, nil }
		return testing.AllocsPerRun(5, func() {
			if _, _, err := x.Search(context.Background(), q, 10, accept, ascending); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := allocs(100), allocs(20_000)
	if few != many || many > 8 {
		t.Errorf("%v allocations among 100 vectors, %v among 20000", few, many)
	}
}

func TestRemovedRowsAreUsedAgain(t *testing.T) {
	x := fill(t, 5000, 8)
	for l := range uint32(5000) {
		x.Remove(l)
	}
	before := x.Rows()
	for l := range uint32(5000) {
		if err := x.Add(10_000+l, make([]float32, 8)); err != nil {
			t.Fatal(err)
		}
	}
	if x.Rows() != before {
		t.Errorf("%d rows, %d before", x.Rows(), before)
	}
}

func TestScoresThatAreNoNumbersComeLast(t *testing.T) {
	x := newIndex(t, 2, vec.Dot)
	big := float32(math.MaxFloat32)
	for l, v := range [][]float32{{big, -big}, {1, 1}, {-big, -big}, {2, 2}} {
		if err := x.Add(uint32(l), v); err != nil {
			t.Fatal(err)
		}
	}
	labels, _, err := x.Search(context.Background(), []float32{big, big}, 4, nil, ascending)
	if err != nil || !slices.Equal(labels[2:], []uint32{2, 0}) && !slices.Equal(labels[2:], []uint32{0, 2}) {
		t.Errorf("%v, %v", labels, err)
	}
}

func TestErrorsEndTheSearch(t *testing.T) {
	x := fill(t, 10_000, 4)
	ctx, cancel := context.WithCancel(context.Background())
	asked := 0
	_, _, err := x.Search(ctx, make([]float32, 4), 10_000, func(uint32) (bool, error) {
		if asked++; asked == 10 {
			cancel()
		}
		return true, nil
	}, ascending)
	if !errors.Is(err, context.Canceled) || asked > 5000 {
		t.Errorf("%v after %d vectors", err, asked)
	}
	cause := errors.New("disk")
	_, _, err = x.Search(context.Background(), make([]float32, 4), 1, func(uint32) (bool, error) { return false, cause }, ascending)
	if !errors.Is(err, cause) {
		t.Error(err)
	}
}

func TestWrongSizesAreInvalid(t *testing.T) {
	x := newIndex(t, 4, vec.Dot)
	if err := x.Add(1, make([]float32, 3)); !fault.Is(err, fault.Invalid) || err.Error() != "Vector dimension error: expected dim: 4, got 3" {
		t.Error(err)
	}
	if _, _, err := x.Search(context.Background(), make([]float32, 5), 1, nil, ascending); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	for _, o := range []flat.Options{{Size: 0, Distance: vec.Dot}, {Size: 3}} {
		if _, err := flat.New(o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
