package dense_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// shapes are ways that vectors may lie: evenly, where all are about as far from a query as its nearest; about centres,
// with lengths that differ; and with few components that outweigh the others.
func shapes(seed uint64, size int) map[string]func() []float32 {
	rnd := rand.New(rand.NewPCG(seed, 99))
	c := newCloud(seed, size, 40)
	each := func(next func() float32) func() []float32 {
		return func() []float32 {
			v := make([]float32, size)
			for i := range v {
				v[i] = next()
			}
			return v
		}
	}
	return map[string]func() []float32{
		"even":    each(rnd.Float32),
		"centres": func() []float32 { return c.draw(vec.Euclid) },
		"heavy": each(func() float32 {
			x := float32(rnd.NormFloat64())
			return x * x * x
		}),
	}
}

// pair is an index as it is by default, and one that is walked on whole vectors.
type pair struct {
	bytes, whole *dense.Index
	queries      [][]float32
	exact        [][]dense.Hit
}

func newPair(t *testing.T, d vec.Distance, size int) *pair {
	config := graphConfig
	config.Threads = 1 // the same graph in every run
	// One thread has to do for everything: who holds it while waiting for another would wait for ever.
	p := &pair{bytes: newIndex(t, dense.Options{Size: size, Distance: d, Config: config, Pool: dense.NewPool(1)})}
	config.Codes.Kind = dense.Whole
	p.whole = newIndex(t, dense.Options{Size: size, Distance: d, Config: config})
	return p
}

func (p *pair) fill(t *testing.T, d vec.Distance, from, to uint32, draw func() []float32) {
	for l := from; l < to; l++ {
		v := d.Stored(draw())
		put(t, p.bytes, l, v...)
		put(t, p.whole, l, v...)
	}
	p.bytes.Publish()
	p.whole.Publish()
	settle(t, p.bytes)
	settle(t, p.whole)
}

func (p *pair) ask(t *testing.T, d vec.Distance, queries int, draw func() []float32) {
	p.queries = nil
	for range queries {
		p.queries = append(p.queries, d.Stored(draw()))
	}
	p.exact = p.search(t, p.whole, dense.Params{Exact: true})
}

func (p *pair) search(t *testing.T, x *dense.Index, params dense.Params) (all [][]dense.Hit) {
	s := x.Snapshot()
	defer s.Release()
	for _, q := range p.queries {
		hits, err := s.Search(context.Background(), dense.Query{Vector: q, Limit: 10, Before: ascending, Params: params})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, hits)
	}
	return all
}

func (p *pair) recall(t *testing.T, x *dense.Index, ef int) float64 {
	found := 0
	for i, hits := range p.search(t, x, dense.Params{Ef: ef}) {
		for _, h := range p.exact[i] {
			if slices.Contains(hits, h) {
				found++
			}
		}
	}
	return float64(found) / float64(10*len(p.exact))
}

func (p *pair) close(t *testing.T) {
	closeIndex(t, p.bytes)
	closeIndex(t, p.whole)
}

// With the candidates that are asked for, the default finds no less than a walk on whole vectors. Two graphs of the same
// vectors differ by a little, either way: so much is allowed for a single case, and nothing for all of a distance.
func TestBytesFindWhatWholeVectorsFind(t *testing.T) {
	count, queries, allowed := uint32(3000), 300, 0.005
	if raced {
		count, queries, allowed = 400, 30, 0.03
	}
	for _, d := range distances {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			gained := 0.0
			for _, name := range []string{"even", "centres", "heavy"} {
				for _, size := range []int{12, 48} {
					draw := shapes(uint64(size), size)[name]
					p := newPair(t, d, size)
					p.fill(t, d, 0, count, draw)
					p.ask(t, d, queries, draw)
					for _, ef := range []int{10, 16, 32, 64, 128} {
						bytes, whole := p.recall(t, p.bytes, ef), p.recall(t, p.whole, ef)
						gained += bytes - whole
						if bytes < whole-allowed {
							t.Errorf("%s, size %d, ef %d: recall %.4f, on whole vectors %.4f", name, size, ef, bytes, whole)
						}
					}
					p.close(t)
				}
			}
			t.Logf("recall on bytes less that on whole vectors, mean: %.4f", gained/30)
			if gained < 0 && !raced {
				t.Errorf("recall is less by %.4f on average", -gained/30)
			}
		})
	}
}

// Vectors come that lie so close to one another that bytes cannot tell them apart: the index notices.
func TestBytesGiveWay(t *testing.T) {
	const size = 8
	few, many := uint32(1000), uint32(6000)
	if raced {
		few, many = 200, 1200
	}
	for _, d := range []vec.Distance{vec.Euclid, vec.Cosine} {
		p := newPair(t, d, size)
		rnd := rand.New(rand.NewPCG(3, 3))
		wide := func() []float32 {
			v := make([]float32, size)
			for i := range v {
				v[i] = rnd.Float32() - 0.5
			}
			return v
		}
		centres := make([][]float32, 40)
		for i := range centres {
			centres[i] = wide()
		}
		close := func() []float32 {
			v := slices.Clone(centres[rnd.IntN(len(centres))])
			for i := range v {
				v[i] += 1e-4 * float32(rnd.NormFloat64())
			}
			return v
		}
		p.fill(t, d, 0, few, wide)
		p.ask(t, d, 100, wide)
		if bytes := p.recall(t, p.bytes, 64); bytes < 0.97 {
			t.Errorf("%s: recall %.4f of vectors far apart", d, bytes)
		}
		p.fill(t, d, few, many, close)
		p.ask(t, d, 100, close)
		if bytes, whole := p.recall(t, p.bytes, 64), p.recall(t, p.whole, 64); bytes < whole-0.02 {
			t.Errorf("%s: recall %.4f, on whole vectors %.4f", d, bytes, whole)
		}
		p.close(t)
	}
}
