package quant_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

var distances = []vec.Distance{vec.Cosine, vec.Euclid, vec.Dot, vec.Manhattan}

// exact is the score of two vectors in the order of this package.
func exact(d vec.Distance, a, b []float32) float64 {
	var dot, squares, sum float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot -= x * y
		squares += (x - y) * (x - y)
		sum += math.Abs(x - y)
	}
	switch d {
	case vec.Euclid:
		return squares
	case vec.Manhattan:
		return sum
	}
	return dot
}

func vectors(r *rand.Rand, d vec.Distance, n, size int, shift float64) [][]float32 {
	all := make([][]float32, n)
	for i := range all {
		v := make([]float32, size)
		for j := range v {
			v[j] = float32(r.NormFloat64() + shift)
		}
		all[i] = d.Stored(v)
	}
	return all
}

func encode(t testing.TB, c quant.Codec, all [][]float32) *arena.Arena {
	t.Helper()
	a, err := arena.New(arena.Options{Stride: (c.Bytes() + 63) &^ 63})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if err := a.Grow(len(all)); err != nil {
		t.Fatal(err)
	}
	for i, v := range all {
		c.Encode(v, a.Row(uint32(i)))
	}
	return a
}

// agree compares what a codec says of queries and rows with what is exact.
func agree(t *testing.T, d vec.Distance, c quant.Codec, all, queries [][]float32, within func(want float64) float64) {
	t.Helper()
	a := encode(t, c, all)
	s := c.NewScorer(a)
	rows, out := make([]uint32, len(all)), make([]float32, len(all))
	for i := range rows {
		rows[i] = uint32((i * 7) % len(all))
	}
	verify := func(what string, q []float32) {
		t.Helper()
		for i, row := range rows {
			want := exact(d, q, all[row])
			if got := float64(out[i]); !(math.Abs(got-want) <= within(want)) {
				t.Fatalf("%s, row %d: %v, want %v", what, row, got, want)
			}
		}
	}
	for i, q := range queries {
		s.Query(q)
		other := uint32(i % len(all))
		s.Between(other, rows, out)
		verify(fmt.Sprintf("row %d", other), all[other])
		s.Score(rows, out)
		verify(fmt.Sprintf("query %d", i), q)
	}
}

func TestFullIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, d := range distances {
		for _, size := range []int{1, 7, 100} {
			c, err := quant.NewFull(d, size)
			if err != nil {
				t.Fatal(err)
			}
			all := vectors(r, d, 150, size, 0)
			agree(t, d, c, all, vectors(r, d, 10, size, 0), func(float64) float64 { return 1e-3 })
		}
	}
}

func TestScalarIsNearTheTruth(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, d := range distances {
		for _, size := range []int{1, 3, 64, 101} {
			for _, shift := range []float64{0, 5} { // one-sided components too
				all, queries := vectors(r, d, 150, size, shift), vectors(r, d, 10, size, shift)
				c, err := quant.TrainScalar(d, size, 1, append(all, queries...))
				if err != nil {
					t.Fatal(err)
				}
				var largest float64
				for _, v := range append(all, queries...) {
					for _, x := range v {
						largest = max(largest, math.Abs(float64(x)))
					}
				}
				step := 2 * largest / 127 // of rows and queries, at most
				agree(t, d, c, all, queries, func(want float64) float64 {
					switch d {
					case vec.Euclid:
						return float64(size)*step*step + 2*step*math.Sqrt(want*float64(size)) + 1e-3
					case vec.Manhattan:
						return float64(size)*step + 1e-3
					}
					return float64(size)*largest*step + 1e-3
				})
			}
		}
	}
}

func TestBytesAreExactAsScalars(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	all := make([][]float32, 200)
	for i := range all {
		all[i] = make([]float32, 50)
		for j := range all[i] {
			all[i][j] = float32(r.IntN(256))
		}
	}
	all[0][0], all[0][1] = 0, 255
	for _, d := range []vec.Distance{vec.Euclid, vec.Manhattan} {
		c, err := quant.TrainScalar(d, 50, 1, all)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, d, c, all, all[:10], func(float64) float64 { return 0 })
	}
}

func TestAQuantileLeavesOutTheExtremes(t *testing.T) {
	sample := make([][]float32, 1000)
	for i := range sample {
		sample[i] = []float32{float32(i)}
	}
	sample[999][0] = 1e9
	c, err := quant.TrainScalar(vec.Euclid, 1, 0.98, sample)
	if err != nil {
		t.Fatal(err)
	}
	all := [][]float32{{100}, {104}, {1e9}}
	s := c.NewScorer(encode(t, c, all))
	out := make([]float32, 3)
	s.Query([]float32{100})
	s.Score([]uint32{0, 1, 2}, out)
	if out[0] != 0 || out[1] < 9 || out[1] > 36 || out[2] < 800*800 || out[2] > 1e6 {
		t.Error(out)
	}
}

func TestSamplesOfNothingAndOfOneValue(t *testing.T) {
	for _, sample := range [][][]float32{nil, {{3, 3}, {3, 3}}, {{math.MaxFloat32, -math.MaxFloat32}}} {
		for _, d := range distances {
			c, err := quant.TrainScalar(d, 2, 0.99, sample)
			if err != nil {
				t.Fatal(err)
			}
			s := c.NewScorer(encode(t, c, [][]float32{{3, 3}, {-9, 4}}))
			out := make([]float32, 2)
			s.Query([]float32{3, 3})
			s.Score([]uint32{0, 1}, out)
			if out[0] != out[0] || out[1] != out[1] {
				t.Errorf("%v %v: %v", d, sample, out)
			}
		}
	}
}

func codecs(t testing.TB, d vec.Distance, size int, sample [][]float32) map[string]quant.Codec {
	t.Helper()
	all := map[string]quant.Codec{}
	add := func(name string, c quant.Codec, err error) {
		if err != nil {
			t.Fatal(name, err)
		}
		all[name] = c
	}
	full, err := quant.NewFull(d, size)
	add("full", full, err)
	half, err := quant.NewHalf(d, size)
	add("half", half, err)
	scalar, err := quant.TrainScalar(d, size, 0.999, sample)
	add("scalar", scalar, err)
	packed, err := quant.TrainPacked(d, size, 0.999, sample)
	add("packed", packed, err)
	for _, compression := range quant.Compressions() {
		if raced && compression != 64 {
			continue // training takes long
		}
		product, err := quant.TrainProduct(context.Background(), d, size, compression, sample, 2, 1)
		add(fmt.Sprintf("product %d", compression), product, err)
	}
	for bits, name := range []string{"1", "2", "1.5"} {
		for query := range quant.BinaryQuery(4) {
			binary, err := quant.TrainBinary(d, size, quant.BinaryBits(bits), query, sample)
			add(fmt.Sprintf("binary %s, query %d", name, query), binary, err)
		}
	}
	return all
}

// A packed row is compared as the row of bytes that it stands for, to the last bit, and holds the nearest that it can.
func TestPackedRowsStandForBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, d := range distances {
		for _, size := range []int{1, 7, 8, 15, 16, 17, 64, 101} {
			bounds := [][]float32{make([]float32, size), make([]float32, size)}
			bounds[1][0] = 255
			plain, err := quant.TrainScalar(d, size, 1, bounds)
			if err != nil {
				t.Fatal(err)
			}
			packed, err := quant.TrainPacked(d, size, 1, bounds)
			if err != nil {
				t.Fatal(err)
			}
			all, near := make([][]float32, 150), make([][]float32, 150)
			for i := range all {
				all[i], near[i] = make([]float32, size), make([]float32, size)
				for j := range size {
					near[i][j] = float32(17 * r.IntN(16))
					all[i][j] = near[i][j] + 16*r.Float32() - 8
				}
			}
			query := make([]float32, size)
			for j := range query {
				query[j] = float32(r.IntN(256))
			}
			rows := make([]uint32, len(all))
			for i := range rows {
				rows[i] = uint32((i * 7) % len(all))
			}
			got, want := make([]float32, len(all)), make([]float32, len(all))
			p, b := packed.NewScorer(encode(t, packed, all)), plain.NewScorer(encode(t, plain, near))
			p.Query(query)
			b.Query(query)
			p.Score(rows, got)
			b.Score(rows, want)
			if !slices.Equal(got, want) {
				t.Errorf("%s, size %d: %v, want %v", d, size, got, want)
			}
			p.Between(3, rows, got)
			b.Between(3, rows, want)
			if !slices.Equal(got, want) {
				t.Errorf("%s, size %d, between rows: %v, want %v", d, size, got, want)
			}
			if most := size/2 + 36; packed.Bytes() > most {
				t.Errorf("%s, size %d: %d bytes, want at most %d", d, size, packed.Bytes(), most)
			}
		}
	}
}

func TestCodecsAreReadAsTheyWereWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, d := range distances {
		all := vectors(r, d, 300, 24, 1)
		for name, c := range codecs(t, d, 24, all) {
			b := c.Marshal([]byte("before"))[6:]
			again, err := quant.Unmarshal(b)
			if err != nil {
				t.Fatal(name, err)
			}
			if !bytes.Equal(again.Marshal(nil), b) || again.Bytes() != c.Bytes() {
				t.Errorf("%s is written differently again", name)
			}
			row, same := make([]byte, c.Bytes()), make([]byte, c.Bytes())
			for _, v := range all {
				c.Encode(v, row)
				again.Encode(v, same)
				if !bytes.Equal(row, same) {
					t.Fatalf("%s encodes differently", name)
				}
			}
			for i := 0; i < len(b); i += 1 + i/32 {
				bad := bytes.Clone(b)
				bad[i] ^= 1
				if _, err := quant.Unmarshal(bad); !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.Unsupported) {
					t.Fatalf("%s, byte %d changed: %v", name, i, err)
				}
				if _, err := quant.Unmarshal(b[:i]); !fault.Is(err, fault.Corrupt) {
					t.Fatalf("%s, cut after %d bytes: %v", name, i, err)
				}
			}
		}
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	for _, quantile := range []float32{0.5, 1.1, -1, float32(math.NaN())} {
		if _, err := quant.TrainScalar(vec.Dot, 3, quantile, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("quantile %v: %v", quantile, err)
		}
	}
	for _, size := range []int{0, -1, quant.MaxSize + 1} {
		if _, err := quant.NewFull(vec.Dot, size); !fault.Is(err, fault.Invalid) {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if _, err := quant.NewFull(0, 3); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func FuzzUnmarshalNeverPanics(f *testing.F) {
	all := vectors(rand.New(rand.NewPCG(1, 1)), vec.Dot, 10, 4, 0)
	for _, c := range codecs(f, vec.Dot, 4, all) {
		f.Add(c.Marshal(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := quant.Unmarshal(b)
		if err == nil && !bytes.Equal(c.Marshal(nil), b) {
			t.Errorf("%x is written as %x", b, c.Marshal(nil))
		}
	})
}
