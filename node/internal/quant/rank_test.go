package quant_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// clustered are vectors around some centres, with components of different spreads and means.
func clustered(r *rand.Rand, d vec.Distance, n, size int) [][]float32 {
	const centres = 30
	spread, mean := make([]float64, size), make([]float64, size)
	for i := range spread {
		spread[i], mean[i] = 0.2+r.Float64(), r.NormFloat64()/2
	}
	around := make([][]float64, centres)
	for i := range around {
		around[i] = make([]float64, size)
		for j := range around[i] {
			around[i][j] = mean[j] + spread[j]*r.NormFloat64()
		}
	}
	all := make([][]float32, n)
	for i := range all {
		v := make([]float32, size)
		for j := range v {
			v[j] = float32(around[i%centres][j] + spread[j]*r.NormFloat64())
		}
		all[i] = d.Stored(v)
	}
	return all
}

// found is the share of the 10 nearest rows that are among the first some by a scorer's scores.
func found(score func(rows []uint32, out []float32), truth func(row uint32) float64, n, some int) float64 {
	rows, out := make([]uint32, n), make([]float32, n)
	for i := range rows {
		rows[i] = uint32(i)
	}
	score(rows, out)
	guess, want := slices.Clone(rows), slices.Clone(rows)
	slices.SortStableFunc(guess, func(a, b uint32) int { return int(math.Copysign(1, float64(out[a]-out[b]))) })
	slices.SortStableFunc(want, func(a, b uint32) int { return int(math.Copysign(1, truth(a)-truth(b))) })
	hits := 0
	for _, row := range want[:10] {
		if slices.Contains(guess[:some], row) {
			hits++
		}
	}
	return float64(hits) / 10
}

// least is how many of the 10 nearest of 600 must be among the first 60 by code, and between rows.
func least(name string) float64 {
	switch {
	case name == "full", name == "half", name == "scalar", name == "product 4":
		return 0.99
	case name == "product 8", name == "packed":
		return 0.97
	case name == "product 16":
		return 0.9
	case name == "product 32":
		return 0.75
	case name == "product 64":
		return 0.5
	case strings.HasPrefix(name, "binary 2") && (strings.HasSuffix(name, "2") || strings.HasSuffix(name, "3")):
		return 0.95
	case strings.HasPrefix(name, "binary 1.5") && (strings.HasSuffix(name, "2") || strings.HasSuffix(name, "3")):
		return 0.85
	}
	return 0.7
}

func TestCodesRankRowsNearlyAsTheirVectorsDo(t *testing.T) {
	const n, size, queries = 600, 64, 8
	for _, d := range distances {
		if raced && d != vec.Euclid {
			continue
		}
		r := rand.New(rand.NewPCG(uint64(d), 9))
		all := clustered(r, d, n+queries, size)
		all, asked := all[:n], all[n:]
		for name, c := range codecs(t, d, size, all) {
			s := c.NewScorer(encode(t, c, all))
			var score, between float64
			for i, q := range asked {
				s.Query(q)
				row := uint32(70 * i)
				between += found(func(rows []uint32, out []float32) { s.Between(row, rows, out) },
					func(r uint32) float64 { return exact(d, all[row], all[r]) }, n, 60) / queries
				score += found(s.Score, func(r uint32) float64 { return exact(d, q, all[r]) }, n, 60) / queries
			}
			if score < least(name) || between < least(name)-0.2 {
				t.Errorf("%s, %s: %.3f are found, %.3f between rows, want %.2f", d, name, score, between, least(name))
			}
		}
	}
}

// Estimates of binary codes are of the scores themselves, not only of their order. Those for Manhattan are too small.
func TestBinaryEstimatesAreOfTheScores(t *testing.T) {
	const n, size = 1000, 256
	for _, d := range []vec.Distance{vec.Cosine, vec.Euclid, vec.Dot} {
		r := rand.New(rand.NewPCG(uint64(d), 10))
		all := clustered(r, d, n, size)
		c, err := quant.TrainBinary(d, size, quant.TwoBits, quant.QueryScalar8, all)
		if err != nil {
			t.Fatal(err)
		}
		s := c.NewScorer(encode(t, c, all))
		rows, out := make([]uint32, n), make([]float32, n)
		for i := range rows {
			rows[i] = uint32(i)
		}
		q := all[77]
		s.Query(q)
		s.Score(rows, out)
		var mean, err2, spread float64
		for i := range rows {
			mean += exact(d, q, all[i]) / n
		}
		for i := range rows {
			want := exact(d, q, all[i])
			err2 += (float64(out[i]) - want) * (float64(out[i]) - want)
			spread += (want - mean) * (want - mean)
		}
		if share := math.Sqrt(err2 / spread); share > 0.4 {
			t.Errorf("%s: estimates err by %.2f of the spread of scores", d, share)
		}
	}
}

func TestBytesHoldBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 11))
	const n, size = 200, 37
	all := make([][]float32, n)
	for i := range all {
		all[i] = make([]float32, size)
		for j := range all[i] {
			all[i][j] = float32(r.IntN(256))
		}
	}
	clear(all[5])
	for _, d := range distances {
		c, err := quant.NewBytes(d, size)
		if err != nil {
			t.Fatal(err)
		}
		want := func(a, b []float32) float64 {
			if d != vec.Cosine {
				return exact(d, a, b)
			}
			length := math.Sqrt(exact(vec.Dot, a, a) * exact(vec.Dot, b, b))
			return exact(vec.Dot, a, b) / max(length, 1)
		}
		s := c.NewScorer(encode(t, c, all))
		rows, out, again := []uint32{0, 5, 9, 199, 3}, make([]float32, 5), make([]float32, 5)
		for _, q := range []uint32{1, 5, 77} {
			s.Query(all[q])
			s.Score(rows, out)
			s.Between(q, rows, again)
			for i, row := range rows {
				if w := want(all[q], all[row]); math.Abs(float64(out[i])-w) > 1e-6*math.Abs(w) || out[i] != again[i] {
					t.Errorf("%s, rows %d and %d: %v and %v, want %v", d, q, row, out[i], again[i], w)
				}
			}
		}
		back := make([]float32, size)
		row := make([]byte, c.Bytes())
		c.Encode([]float32{-7, 1.4, 1.6, 300, 255, 0, 37: 0}[:size], row)
		c.Decode(row, back)
		if !slices.Equal(back[:6], []float32{0, 1, 2, 255, 255, 0}) {
			t.Errorf("%v", back[:6])
		}
	}
}

func TestHalvesAreRoundedAndBounded(t *testing.T) {
	c, err := quant.NewHalf(vec.Dot, 4)
	if err != nil {
		t.Fatal(err)
	}
	row, back := make([]byte, c.Bytes()), make([]float32, 4)
	c.Encode([]float32{1, 2049, 1e9, -1e9}, row)
	if c.Decode(row, back); !slices.Equal(back, []float32{1, 2048, 65504, -65504}) {
		t.Error(back)
	}
}

func TestTrainingOnLittleOrNothing(t *testing.T) {
	for _, sample := range [][][]float32{nil, {{1, 2, 3}}, {{1, 2, 3}, {1, 2, 3}}, {{math.MaxFloat32, -math.MaxFloat32, 0}, {0, 0, 0}}} {
		for _, d := range distances {
			for name, c := range codecs(t, d, 3, sample) {
				s := c.NewScorer(encode(t, c, [][]float32{{1, 2, 3}, {-1, 5, 0}}))
				out := make([]float32, 2)
				s.Query([]float32{1, 2, 3})
				s.Score([]uint32{0, 1}, out)
				if len(sample) == 2 && sample[0][0] == 1 && (out[0] != out[0] || out[1] != out[1]) {
					t.Errorf("%s, %s: %v", d, name, out)
				}
				s.Between(0, []uint32{0, 1}, out)
			}
		}
	}
}

func TestProductTrainingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := quant.TrainProduct(ctx, vec.Dot, 8, 16, [][]float32{make([]float32, 8)}, 1, 0); !fault.Is(err, fault.Canceled) {
		t.Error(err)
	}
	for _, compression := range []int{0, 5, 128} {
		if _, err := quant.TrainProduct(context.Background(), vec.Dot, 8, compression, nil, 1, 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("%d: %v", compression, err)
		}
	}
	if _, err := quant.TrainBinary(vec.Dot, 8, 3, 0, nil); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func TestProductTrainingDependsOnSampleAndSeedAlone(t *testing.T) {
	sample := vectors(rand.New(rand.NewPCG(1, 12)), vec.Dot, 600, 10, 0)
	train := func(threads int, seed uint64) []byte {
		c, err := quant.TrainProduct(context.Background(), vec.Dot, 10, 16, sample, threads, seed)
		if err != nil {
			t.Fatal(err)
		}
		return c.Marshal(nil)
	}
	if !slices.Equal(train(1, 5), train(3, 5)) || slices.Equal(train(1, 5), train(1, 6)) {
		t.Error("the outcome depends on the number of threads, or not on the seed")
	}
}

// BenchmarkScore reports nanoseconds per row of 100,000 rows of 784 components in random order, 32 at a time.
func BenchmarkScore(b *testing.B) {
	const n, size = 100_000, 784
	sample := clustered(rand.New(rand.NewPCG(1, 1)), vec.Euclid, 1000, size)
	for name, c := range codecs(b, vec.Euclid, size, sample) {
		b.Run(strings.ReplaceAll(name, ", ", "-"), func(b *testing.B) {
			a, err := arena.New(arena.Options{Stride: (c.Bytes() + 63) &^ 63})
			if err != nil {
				b.Fatal(err)
			}
			defer a.Close()
			if err := a.Grow(n); err != nil {
				b.Fatal(err)
			}
			for i := range n {
				if i < len(sample) {
					c.Encode(sample[i], a.Row(uint32(i)))
				} else {
					copy(a.Row(uint32(i)), a.Row(uint32(i%len(sample))))
				}
			}
			r := rand.New(rand.NewPCG(2, 2))
			rows := make([]uint32, 1<<14)
			for i := range rows {
				rows[i] = r.Uint32N(n)
			}
			s, out, done := c.NewScorer(a), make([]float32, 32), 0
			s.Query(sample[0])
			for b.Loop() {
				s.Score(rows[done%len(rows):][:32], out)
				done += 32
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(done), "ns/row")
			b.ReportMetric(0, "ns/op")
		})
	}
}
