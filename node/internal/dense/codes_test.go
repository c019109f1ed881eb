package dense_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
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

// pair is an index as it is by default, in memory or on the disk, and one that is walked on whole vectors.
type pair struct {
	bytes, whole *dense.Index
	queries      [][]float32
	exact        [][]dense.Hit
}

func newPair(t *testing.T, d vec.Distance, size int, onDisk bool) *pair {
	config := graphConfig
	config.Threads = 1 // the same graph in every run
	config.OnDisk = onDisk
	// One thread has to do for everything: who holds it while waiting for another would wait for ever.
	p := &pair{bytes: newIndex(t, dense.Options{Size: size, Distance: d, Config: config, Pool: dense.NewPool(1), Dir: t.TempDir()})}
	config.OnDisk = false
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
	unraced(t)
	const count, queries, allowed = uint32(3000), 300, 0.005
	for _, d := range distances {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			gained := 0.0
			for _, name := range []string{"even", "centres", "heavy"} {
				for _, size := range []int{12, 48} {
					draw := shapes(uint64(size), size)[name]
					p := newPair(t, d, size, false)
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
			if gained < 0 {
				t.Errorf("recall is less by %.4f on average", -gained/30)
			}
		})
	}
}

// Vectors on the disk have codes of half the length, are compared again only as far as it takes, and are found all the same, after a
// restart too.
func TestHalvesOfBytesFindWhatWholeVectorsFind(t *testing.T) {
	unraced(t)
	const count, queries, allowed = uint32(2000), 200, 0.01
	for _, d := range distances {
		const size = 48
		draw := shapes(size, size)["even"]
		p := newPair(t, d, size, true)
		p.fill(t, d, 0, count, draw)
		p.ask(t, d, queries, draw)
		if got := p.bytes.CodeBytes(); got < size/2 || got > size/2+12 {
			t.Errorf("%s: codes of %d bytes for %d components", d, got, size)
		}
		wider := p.bytes.Wider()
		for _, ef := range []int{16, 64} {
			if bytes, whole := p.recall(t, p.bytes, ef), p.recall(t, p.whole, ef); bytes < whole-allowed {
				t.Errorf("%s, ef %d, wider %d: recall %.4f, on whole vectors %.4f", d, ef, wider, bytes, whole)
			}
		}
		p.restart(t, d, size)
		if again := p.bytes.Wider(); again != wider || p.bytes.CodeBytes() < size/2 || p.bytes.CodeBytes() > size/2+12 {
			t.Errorf("%s: after a restart codes of %d bytes, of which %d more hold the nearest, not %d", d, p.bytes.CodeBytes(), again, wider)
		}
		if bytes, whole := p.recall(t, p.bytes, 64), p.recall(t, p.whole, 64); bytes < whole-allowed {
			t.Errorf("%s, after a restart: recall %.4f, on whole vectors %.4f", d, bytes, whole)
		}
		p.close(t)
	}
}

// restart saves the index as it is by default, and goes on with another that was loaded from the files.
func (p *pair) restart(t *testing.T, d vec.Distance, size int) {
	t.Helper()
	dir := t.TempDir()
	save(t, p.bytes, dir, 1)
	closeIndex(t, p.bytes)
	config := graphConfig
	config.Threads, config.OnDisk = 1, true
	p.bytes = newIndex(t, dense.Options{Size: size, Distance: d, Config: config, Pool: dense.NewPool(1), Dir: t.TempDir()})
	if _, err := p.bytes.Load(dir, func(id point.ID, _ uint64) (uint32, bool) { return uint32(id.Number()), true }); err != nil {
		t.Fatal(err)
	}
	settle(t, p.bytes)
}

// Vectors come that lie so close to one another that codes cannot tell them apart: the index notices.
func TestCodesGiveWay(t *testing.T) {
	const size = 8
	few, many := uint32(1000), uint32(6000)
	if raced {
		few, many = 200, 1200
	}
	for _, c := range []struct {
		d      vec.Distance
		onDisk bool
	}{{vec.Euclid, false}, {vec.Cosine, false}, {vec.Euclid, true}} {
		d := c.d
		p := newPair(t, d, size, c.onDisk)
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
