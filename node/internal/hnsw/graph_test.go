package hnsw_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// points are vectors that are compared exactly.
type points struct {
	vectors [][]float32
	kernel  vec.Kernel[float32, float32, float32]
	query   []float32
}

func newPoints(vectors [][]float32) *points {
	return &points{vectors: vectors, kernel: vec.ForFloat32(vec.Euclid)}
}

func (p *points) at(query []float32) *points {
	c := *p
	c.query = query
	return &c
}

func (p *points) Score(rows []uint32, out []float32) {
	for i, r := range rows {
		out[i] = p.kernel.One(p.query, p.vectors[r])
	}
}

func (p *points) Between(row uint32, rows []uint32, out []float32) {
	for i, r := range rows {
		out[i] = p.kernel.One(p.vectors[row], p.vectors[r])
	}
}

func (p *points) space() hnsw.Space { return p.at(nil) }

// nearest are the k nearest of the rows that live, by comparing all.
func (p *points) nearest(query []float32, k int, live func(uint32) bool) []uint32 {
	type scored struct {
		row   uint32
		score float32
	}
	var all []scored
	for r := range p.vectors {
		if live == nil || live(uint32(r)) {
			all = append(all, scored{uint32(r), p.kernel.One(query, p.vectors[r])})
		}
	}
	slices.SortFunc(all, func(a, b scored) int {
		if a.score != b.score {
			if a.score < b.score {
				return -1
			}
			return 1
		}
		return int(a.row) - int(b.row)
	})
	rows := make([]uint32, 0, k)
	for _, s := range all[:min(k, len(all))] {
		rows = append(rows, s.row)
	}
	return rows
}

func random(r *rand.Rand, n, size int) [][]float32 {
	vectors := make([][]float32, n)
	for i := range vectors {
		vectors[i] = make([]float32, size)
		for j := range vectors[i] {
			vectors[i][j] = float32(r.NormFloat64())
		}
	}
	return vectors
}

func newGraph(t testing.TB, o hnsw.Options) *hnsw.Graph {
	t.Helper()
	g, err := hnsw.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func build(t testing.TB, g *hnsw.Graph, p *points, from, to int) {
	t.Helper()
	if err := g.Build(context.Background(), uint32(from), uint32(to), 2, p.space); err != nil {
		t.Fatal(err)
	}
}

func search(t testing.TB, g *hnsw.Graph, p *points, query []float32, k, ef int, f *hnsw.Filter) []uint32 {
	t.Helper()
	hits, err := g.Search(context.Background(), p.at(query), max(k, ef), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]uint32, 0, k)
	for i, h := range hits {
		if i > 0 && hits[i-1].Score > h.Score {
			t.Fatalf("hit %d is nearer than the one before", i)
		}
		if i < k {
			rows = append(rows, h.Row)
		}
	}
	return rows
}

// recall is the share of the k nearest that a search with ef finds. Rows at the distance of the k-th count as good.
func recall(t testing.TB, g *hnsw.Graph, p *points, queries [][]float32, k, ef int, live func(uint32) bool, f *hnsw.Filter) float64 {
	t.Helper()
	good, all := 0, 0
	for _, q := range queries {
		want := p.nearest(q, k, live)
		if len(want) == 0 {
			continue
		}
		furthest := p.kernel.One(q, p.vectors[want[len(want)-1]])
		for _, r := range search(t, g, p, q, k, ef, f) {
			if live != nil && !live(r) {
				t.Fatalf("row %d may not be found", r)
			}
			if p.kernel.One(q, p.vectors[r]) <= furthest {
				good++
			}
		}
		all += len(want)
	}
	return float64(good) / float64(all)
}

func TestFindsTheNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := newPoints(random(r, few(5000), 16))
	g := newGraph(t, hnsw.Options{})
	build(t, g, p, 0, few(5000))
	if got := recall(t, g, p, random(r, 100, 16), 10, 100, nil, nil); got < 0.97 {
		t.Errorf("recall %.3f", got)
	}
	if g.Len() != few(5000) {
		t.Errorf("%d rows", g.Len())
	}
}

func TestAnEmptyGraphFindsNothing(t *testing.T) {
	g := newGraph(t, hnsw.Options{})
	if rows := search(t, g, newPoints(nil), nil, 10, 10, nil); len(rows) != 0 {
		t.Error(rows)
	}
	if g.Has(0) || g.Len() != 0 {
		t.Error("a row is there")
	}
}

func TestARowIsInsertedOnce(t *testing.T) {
	p := newPoints(random(rand.New(rand.NewPCG(3, 4)), 100, 4))
	g := newGraph(t, hnsw.Options{})
	build(t, g, p, 0, 100)
	for _, row := range []uint32{0, 50, 99} {
		if err := g.Insert(row, p.space()); !fault.Is(err, fault.Exists) {
			t.Errorf("row %d: %v", row, err)
		}
	}
	if err := g.Insert(hnsw.MaxRows, p.space()); !fault.Is(err, fault.Exhausted) {
		t.Error(err)
	}
	if g.Len() != 100 {
		t.Error(g.Len())
	}
}

func TestAFilterIsHeld(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	n := few(4000)
	p := newPoints(random(r, n, 16))
	g := newGraph(t, hnsw.Options{})
	build(t, g, p, 0, n)
	queries := random(r, 50, 16)
	for _, modulus := range []int{1, 2, 10, 50} {
		live := func(row uint32) bool { return int(row)%modulus == 0 }
		for _, count := range []int{n / modulus, n, 0, -1} { // what it is, and what it is not
			f := &hnsw.Filter{Accept: live, Count: count}
			if got := recall(t, g, p, queries, 10, 100, live, f); got < 0.95 {
				t.Errorf("one of %d, said to be %d: recall %.3f", modulus, count, got)
			}
		}
	}
	none := &hnsw.Filter{Accept: func(uint32) bool { return false }, Count: n}
	if rows := search(t, g, p, queries[0], 10, 100, none); len(rows) != 0 {
		t.Error(rows)
	}
}

// What a filter takes may lie together, far from the query.
func TestAFilterMayHaveToDoWithTheVectors(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	n := few(4000)
	p := newPoints(random(r, n, 16))
	g := newGraph(t, hnsw.Options{})
	build(t, g, p, 0, n)
	queries := random(r, 50, 16)
	for _, modulus := range []int{2, 5, 10, 25} {
		taken := map[uint32]bool{}
		for _, row := range p.nearest(queries[0], n/modulus, nil) {
			taken[row] = true
		}
		live := func(row uint32) bool { return taken[row] }
		f := &hnsw.Filter{Accept: live, Count: len(taken)}
		if got := recall(t, g, p, queries, 10, 100, live, f); got < 0.95 {
			t.Errorf("one of %d: recall %.3f", modulus, got)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []hnsw.Options{{M: 1}, {M: hnsw.MaxM + 1}, {M: -3}, {EfConstruct: -1}, {EfConstruct: hnsw.MaxEf + 1}} {
		if _, err := hnsw.New(o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	g := newGraph(t, hnsw.Options{})
	for _, ef := range []int{0, -1, hnsw.MaxEf + 1} {
		if _, err := g.Search(context.Background(), newPoints(nil), ef, nil, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("ef %d: %v", ef, err)
		}
	}
}

func TestRowsOfAllLevelsAreLinkedAlike(t *testing.T) {
	n := few(3000)
	p := newPoints(random(rand.New(rand.NewPCG(11, 12)), n, 16))
	g := newGraph(t, hnsw.Options{})
	build(t, g, p, 0, n)
	var links, rows [2]int
	for row := range uint32(n) {
		high := min(g.Level(row), 1)
		rows[high]++
		links[high] += len(g.Links(row, 0))
	}
	low, high := float64(links[0])/float64(rows[0]), float64(links[1])/float64(rows[1])
	if rows[1] < n/60 || rows[1] > n/8 || high < 0.7*low {
		t.Errorf("%d rows of level 0 have %.1f links, %d higher ones %.1f", rows[0], low, rows[1], high)
	}
}
