package vec_test

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

var distances = []vec.Distance{vec.Cosine, vec.Euclid, vec.Dot, vec.Manhattan}

// reference computes a score in float64, one component after the other, and the sum of the magnitudes that went
// into it, to which rounding errors are proportional.
func reference(d vec.Distance, a, b []float32) (score, magnitude float64) {
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		var term float64
		switch d {
		case vec.Cosine, vec.Dot:
			term = x * y
		case vec.Euclid:
			term = (x - y) * (x - y)
		case vec.Manhattan:
			term = math.Abs(x - y)
		}
		score += term
		magnitude += math.Abs(term)
	}
	if d == vec.Euclid {
		score = math.Sqrt(score)
		magnitude = score
	}
	return score, magnitude
}

// A float32 sum of n terms is off by at most about n/4+4 roundings of 2^-24 each (four accumulators), here doubled;
// the subnormal end of float32 adds an absolute error.
func tolerance(n int, magnitude float64) float64 {
	return float64(n/4+4)*magnitude/(1<<23) + float64(n+1)*1e-22
}

func agrees(t interface{ Fatalf(string, ...any) }, a, b []float32) {
	for _, d := range distances {
		want, magnitude := reference(d, a, b)
		got := float64(d.Score(a, b))
		if math.Abs(got-want) > tolerance(len(a), magnitude) {
			t.Fatalf("%v of %d components: got %v, want %v", d, len(a), got, want)
		}
	}
}

func TestKernelsAgreeWithTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 70).Draw(t, "n")
		components := rapid.SliceOfN(rapid.Float32Range(-1e6, 1e6), n, n)
		agrees(t, components.Draw(t, "a"), components.Draw(t, "b"))
	})
}

func FuzzKernelsAgreeWithTheReference(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("eight bytes make one pair of components, and so on and on, past the step of the kernels"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a, b []float32
		for ; len(data) >= 8; data = data[8:] {
			a = append(a, moderate(data))
			b = append(b, moderate(data[4:]))
		}
		agrees(t, a, b)
	})
}

// moderate keeps magnitudes at which no square leaves float32.
func moderate(data []byte) float32 {
	x := math.Float32frombits(binary.LittleEndian.Uint32(data))
	if x-x != 0 || math.Abs(float64(x)) > 1e15 {
		return 1
	}
	return x
}

func TestScoresAreThoseOfTheAPI(t *testing.T) {
	a, b := []float32{1, 2, 3}, []float32{4, 6, 3}
	for d, want := range map[vec.Distance]float32{vec.Cosine: 25, vec.Dot: 25, vec.Euclid: 5, vec.Manhattan: 7} {
		if got := d.Score(a, b); got != want {
			t.Errorf("%v: got %v, want %v", d, got, want)
		}
	}
	if got := vec.Distance(0).Score(a, b); got == got {
		t.Errorf("the unknown distance scored %v", got)
	}
}

func TestKernelsAllocateNothing(t *testing.T) {
	a, b := make([]float32, 101), make([]float32, 101)
	for _, d := range distances {
		if n := testing.AllocsPerRun(100, func() { d.Score(a, b) }); n != 0 {
			t.Errorf("%v allocates %v times", d, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = vec.CheckFinite(a) }); n != 0 {
		t.Errorf("CheckFinite allocates %v times", n)
	}
}

func TestNormalizeGivesLengthOneAndKeepsWhatHasIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32), 1, 40).Draw(t, "v")
		once := vec.Normalize(v)
		var sum, input float64
		for i, x := range once {
			sum += float64(x) * float64(x)
			input += math.Abs(float64(v[i]))
			if x != 0 && math.Signbit(float64(x)) != math.Signbit(float64(v[i])) {
				t.Fatalf("component %d turned from %v to %v", i, v[i], x)
			}
		}
		if input != 0 && math.Abs(sum-1) > 1e-6 {
			t.Fatalf("squared length %v of %v", sum, v)
		}
		if twice := vec.Normalize(once); !sameBits(twice, once) {
			t.Fatalf("normalising again changed %v to %v", once, twice)
		}
	})
}

func TestNormalizeKeepsZeroAndNearlyUnitVectorsBitForBit(t *testing.T) {
	for _, v := range [][]float32{{}, {0, 0}, {float32(math.Copysign(0, -1)), 0}, {1, 0}, {0.6, 0.8}, {1.0000002, 0}} {
		got := vec.Normalize(v)
		if !sameBits(got, v) {
			t.Errorf("%v became %v", v, got)
		}
		if len(v) > 0 {
			if got[0] = 9; v[0] == 9 {
				t.Error("the result shares memory with its argument")
			}
		}
	}
	if got := vec.Normalize([]float32{3e-45, 0}); got[0] != 1 {
		t.Errorf("the shortest vectors have a direction too: got %v", got)
	}
	if got := vec.Normalize([]float32{math.MaxFloat32, math.MaxFloat32}); math.Abs(float64(got[0])-math.Sqrt2/2) > 1e-6 {
		t.Errorf("got %v", got)
	}
}

func sameBits(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestOnlyCosineStoresAnotherVector(t *testing.T) {
	v := []float32{3, 4}
	for _, d := range distances {
		want := v
		if d == vec.Cosine {
			want = []float32{0.6, 0.8}
		}
		if got := d.Stored(v); !sameBits(got, want) || &got[0] == &v[0] {
			t.Errorf("%v: got %v, want %v as a copy", d, got, want)
		}
	}
}

func TestCheckFiniteNamesTheComponent(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, bad := range []float32{inf, -inf, float32(math.NaN())} {
		err := vec.CheckFinite([]float32{0, 1, bad, bad})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "component 2") {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := vec.CheckFinite([]float32{math.MaxFloat32, -math.MaxFloat32, 1e-45}); err != nil {
		t.Error(err)
	}
}

func TestBetterFollowsTheDistanceAndPutsNaNLast(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		d    vec.Distance
		a, b float32
		want bool
	}{
		{vec.Cosine, 2, 1, true}, {vec.Cosine, 1, 2, false}, {vec.Dot, 1, 1, false},
		{vec.Euclid, 1, 2, true}, {vec.Manhattan, 2, 1, false},
		{vec.Dot, -inf, nan, true}, {vec.Euclid, inf, nan, true}, {vec.Dot, nan, 1, false}, {vec.Euclid, nan, nan, false},
	} {
		if got := c.d.Better(c.a, c.b); got != c.want {
			t.Errorf("%v: %v better than %v: got %v", c.d, c.a, c.b, got)
		}
	}
}

func TestCompareOrdersAllScoresThatThereAre(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for d, want := range map[vec.Distance][]float32{vec.Dot: {inf, 2, 0, -1, -inf, nan}, vec.Manhattan: {0, 1, 2, inf, nan}} {
		for i, a := range want {
			for j, b := range want {
				if got := d.Compare(a, b); got != cmp.Compare(i, j) {
					t.Errorf("%v: %v and %v: %d", d, a, b, got)
				}
			}
		}
	}
}

func TestDistanceNamesComeBack(t *testing.T) {
	for _, d := range distances {
		if got, err := vec.ParseDistance(d.String()); got != d || err != nil {
			t.Errorf("%v: got %v, %v", d, got, err)
		}
	}
	for _, bad := range []string{"", "Unknown", "cosine"} {
		if _, err := vec.ParseDistance(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if vec.Distance(0).Valid() || vec.Distance(5).Valid() || vec.Distance(5).String() != "Unknown" {
		t.Error("0 and 5 are no distances")
	}
}

func BenchmarkDot768(b *testing.B) {
	x, y := make([]float32, 768), make([]float32, 768)
	for b.Loop() {
		vec.DotProduct(x, y)
	}
}

// TestFiniteFindsTheFirstThatIsNot puts numbers that are not finite anywhere among those that are, of all sizes.
func TestFiniteFindsTheFirstThatIsNot(t *testing.T) {
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	good := []float32{0, 1, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32}
	for n := range 20 {
		v := make([]float32, n)
		for i := range v {
			v[i] = good[i%len(good)]
		}
		if _, ok := vec.Finite(v); !ok {
			t.Errorf("%v: not finite", v)
		}
		for first := range v {
			for second := first; second < n; second++ {
				w := slices.Clone(v)
				w[first], w[second] = bad[(first+n)%3], bad[second%3]
				if at, ok := vec.Finite(w); ok || at != first {
					t.Errorf("%v: %d, %v", w, at, ok)
				}
			}
		}
	}
}
