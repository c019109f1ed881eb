package dense_test

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// most is how alike the most alike is.
func most(alike []float64) float64 { return slices.Max(alike) }

// nearerTo is best on the second's side of the third, and there near the first.
func nearerTo(alike []float64) float64 {
	return float64(cmp.Compare(alike[1], alike[2])) + 0.5 + 0.5*alike[0]/(1+math.Abs(alike[0]))
}

// severals draws queries by several vectors.
var severals = map[string]func(c *cloud, d vec.Distance) *dense.Several{
	"most alike": func(c *cloud, d vec.Distance) *dense.Several {
		return &dense.Several{Vectors: [][]float32{c.draw(d), c.draw(d), c.draw(d)}, Toward: 3, Combine: most}
	},
	"sides": func(c *cloud, d vec.Distance) *dense.Several {
		return &dense.Several{
			Vectors: [][]float32{c.draw(d), c.draw(d), c.draw(d)}, Toward: 2, Combine: nearerTo, Sides: true, Lead: true, Right: 1,
		}
	},
}

// all is the exact answer among labels that are let through, best first.
func (o oracle) all(d vec.Distance, q *dense.Several, accept func(uint32) bool) (hits []dense.Hit) {
	alike := make([]float64, len(q.Vectors))
	for l, v := range o {
		if !accept(l) {
			continue
		}
		for i, e := range q.Vectors {
			alike[i] = dense.Alike(vec.Float32, d, e, v)
		}
		hits = append(hits, dense.Hit{Label: l, Score: float32(q.Combine(alike))})
	}
	slices.SortFunc(hits, func(a, b dense.Hit) int {
		return cmp.Or(vec.Dot.Compare(a.Score, b.Score), cmp.Compare(a.Label, b.Label))
	})
	return hits
}

// explored is an index that counts what it compares, and what it holds.
type explored struct {
	x        *dense.Index
	o        oracle
	c        *cloud
	d        vec.Distance
	compared atomic.Int64
	least    float64 // recall
}

func newExplored(t *testing.T, d vec.Distance, config dense.Config) *explored {
	config.Threads = 1 // the same graph in every run
	e := &explored{x: newIndex(t, dense.Options{Size: 16, Distance: d, Config: config, Dir: t.TempDir()}), o: oracle{}, c: newCloud(5, 16, 30), d: d, least: 0.9}
	e.x.CountScores(&e.compared)
	t.Cleanup(func() { closeIndex(t, e.x) })
	e.put(t, 0, exploredCount())
	settle(t, e.x)
	return e
}

func exploredCount() uint32 {
	if raced {
		return 1600
	}
	return 2500
}

func (e *explored) put(t *testing.T, from, to uint32) {
	for l := from; l < to; l++ {
		e.o[l] = e.c.draw(e.d)
		put(t, e.x, l, e.o[l]...)
	}
	e.x.Publish()
}

// check compares walks with the exact answer: what they find scores the same, nearly all is found, and less is compared for it.
func (e *explored) check(t *testing.T, p dense.Params, f *dense.Filter, accept func(uint32) bool) {
	t.Helper()
	const limit = 5
	queries := 20
	if raced {
		queries = 4
	}
	s := e.x.Snapshot()
	defer s.Release()
	for _, name := range slices.Sorted(maps.Keys(severals)) {
		draw := severals[name]
		found, compared := 0, int64(0)
		for range queries {
			q := dense.Query{Several: draw(e.c, e.d), Limit: limit, Before: ascending, Filter: f, Params: p}
			all := e.o.all(e.d, q.Several, accept)
			before := e.compared.Load()
			near, err := s.Search(context.Background(), q)
			if err != nil || len(near) != min(limit, len(all)) {
				t.Fatalf("%s: %d hits, %v", name, len(near), err)
			}
			compared += e.compared.Load() - before
			at := 0
			for _, h := range near { // each stands in the exact answer, in that order
				for at < len(all) && all[at] != h {
					at++
				}
				at++
			}
			if at > len(all) {
				t.Fatalf("%s: %v is not part of the exact answer", name, near)
			}
			for _, h := range all[:len(near)] {
				if slices.Contains(near, h) {
					found++
				}
			}
			q.Params.Exact = true
			if exact, err := s.Search(context.Background(), q); err != nil || !slices.Equal(exact, all[:len(near)]) {
				t.Fatalf("%s: exactly %v, %v, want %v", name, exact, err, all[:len(near)])
			}
		}
		if recall := float64(found) / float64(queries*limit); recall < e.least && !raced {
			t.Errorf("%s: recall %v", name, recall)
		}
		if all := int64(3 * len(e.o) * queries); compared > all*3/4 && !raced {
			t.Errorf("%s: %d vectors compared, of %d", name, compared, all)
		}
	}
}

func every(uint32) bool { return true }

func TestSearchesBySeveralVectors(t *testing.T) {
	of := distances
	if raced {
		of = []vec.Distance{vec.Euclid}
	}
	for _, d := range of {
		t.Run(d.String(), func(t *testing.T) {
			e, count := newExplored(t, d, graphConfig), exploredCount()
			third := roaring.New()
			for l := uint32(0); l < count; l += 3 {
				third.Add(l)
			}
			few := int(third.GetCardinality())
			ofThree := func(l uint32) bool { return l%3 == 0 }
			e.check(t, dense.Params{Ef: 16}, nil, every)
			e.check(t, dense.Params{Ef: 16, IgnoreCodes: true}, nil, every)
			e.check(t, dense.Params{Ef: 16}, &dense.Filter{Lower: third, Upper: third, Expected: few}, ofThree)
			e.check(t, dense.Params{Ef: 16}, &dense.Filter{Accept: func(l uint32) (bool, error) { return l%3 == 0, nil }, Expected: few}, ofThree)
			for l := range uint32(200) { // they die, and others come that are not linked
				delete(e.o, l)
				e.x.Remove(l)
			}
			e.put(t, count, count+100)
			e.check(t, dense.Params{Ef: 16}, nil, every)
		})
	}
}

// However vectors are held and whatever they are walked on, scores are those of whole ones, unless it was said that they need not be.
func TestSearchesBySeveralVectorsOnCodes(t *testing.T) {
	kinds := map[string]func(*dense.Config){
		"on disk": func(c *dense.Config) { c.OnDisk = true },
		"scalar":  func(c *dense.Config) { c.Codes = dense.Codes{Kind: dense.Scalar, Quantile: 0.99} },
		"product": func(c *dense.Config) { c.Codes = dense.Codes{Kind: dense.Product, Compression: 4} },
		"whole":   func(c *dense.Config) { c.Codes = dense.Codes{Kind: dense.Whole} },
	}
	if raced {
		delete(kinds, "scalar")
		delete(kinds, "whole")
	}
	for name, change := range kinds {
		t.Run(name, func(t *testing.T) {
			config := graphConfig
			change(&config)
			e := newExplored(t, vec.Euclid, config)
			if config.Codes.Kind != dense.Whole {
				e.least = 0.8 // who walks on codes alone takes some vectors to be on other sides than they are
			}
			e.check(t, dense.Params{Ef: 24}, nil, every)
			if name != "product" {
				return
			}
			q := dense.Query{Several: severals["most alike"](e.c, e.d), Limit: 5, Before: ascending, Params: dense.Params{Ef: 24, KeepScores: true}}
			s := e.x.Snapshot()
			defer s.Release()
			near, err := s.Search(context.Background(), q)
			if err != nil || len(near) != 5 || slices.Equal(near, e.o.all(e.d, q.Several, every)[:5]) {
				t.Errorf("estimates: %v, %v", near, err)
			}
		})
	}
}

// A graph of a value is walked for several vectors as for one.
func TestSearchesBySeveralVectorsWithinAValue(t *testing.T) {
	n := newTenancy(t, dense.Options{Config: tenantConfig})
	defer closeIndex(t, n.x)
	n.x.Review()
	settle(t, n.x)
	s := n.x.Snapshot()
	defer s.Release()
	queries := 20
	if raced {
		queries = 4
	}
	for _, name := range slices.Sorted(maps.Keys(severals)) {
		draw := severals[name]
		found := 0
		n.scores.Store(0)
		for range queries {
			q := dense.Query{Several: draw(n.cloud, vec.Euclid), Limit: 5, Before: ascending, Filter: n.filter(1), Params: dense.Params{Ef: 16}}
			near, err := s.Search(context.Background(), q)
			if err != nil || len(near) != 5 {
				t.Fatal(near, err)
			}
			before := n.scores.Load()
			q.Params.Exact = true
			exact, err := s.Search(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			n.scores.Store(before)
			for _, h := range exact {
				if slices.Contains(near, h) {
					found++
				}
			}
		}
		if recall := float64(found) / float64(5*queries); recall < 0.9 && !raced {
			t.Errorf("%s: recall %v", name, recall)
		}
		if all := int64(queries * n.count / 3 * 3); n.scores.Load() > all && !raced {
			t.Errorf("%s: %d vectors compared, of %d", name, n.scores.Load(), all)
		}
	}
}

// Where a graph does not lead to what scores well, or for more vectors than it is walked for, all are compared.
func TestSearchesBySeveralVectorsThatCompareAll(t *testing.T) {
	e := newExplored(t, vec.Euclid, graphConfig)
	s := e.x.Snapshot()
	defer s.Release()
	far := func(alike []float64) float64 { return -most(alike) }
	many := &dense.Several{Combine: most, Toward: 65}
	for range many.Toward {
		many.Vectors = append(many.Vectors, e.c.draw(e.d))
	}
	v := e.c.draw(e.d)
	for name, q := range map[string]*dense.Several{
		"far from all":   {Vectors: many.Vectors[:2], Combine: far},
		"many":           many,
		"on no side":     {Vectors: [][]float32{v, v, v}, Toward: 2, Combine: nearerTo, Sides: true, Lead: true, Right: 1},
		"not a number":   {Vectors: many.Vectors[:2], Toward: 1, Combine: func([]float64) float64 { return math.NaN() }, Sides: true},
		"all of a score": {Vectors: many.Vectors[:2], Combine: func([]float64) float64 { return 0 }},
	} {
		near, err := s.Search(context.Background(), dense.Query{Several: q, Limit: 5, Before: ascending, Params: dense.Params{Ef: 16}})
		same := func(a, b dense.Hit) bool { return a.Label == b.Label && vec.Dot.Compare(a.Score, b.Score) == 0 }
		if want := e.o.all(e.d, q, every)[:5]; err != nil || !slices.EqualFunc(near, want, same) {
			t.Errorf("%s: %v, %v, want %v", name, near, err, want)
		}
	}
	for _, q := range []*dense.Several{
		{Combine: most}, {Vectors: [][]float32{v, v[1:]}, Toward: 1, Combine: most}, {Vectors: [][]float32{v}, Toward: 2, Combine: most}, {Vectors: [][]float32{v}, Toward: -1, Combine: most},
	} {
		if _, err := s.Search(context.Background(), dense.Query{Several: q, Limit: 5, Before: ascending}); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%d vectors, toward %d: %v", len(q.Vectors), q.Toward, err)
		}
	}
}
