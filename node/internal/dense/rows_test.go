package dense_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// What is kept of a set's rows is that of one moment: searches of others, before and after, find what they find without it.
func TestKeptRowsChangeNothing(t *testing.T) {
	const size = 8
	const count = uint32(6000) // of fewer, all that a filter lets through are compared
	config := graphConfig
	config.Threads, config.FullScanBytes, config.DeletedThreshold = 1, 1, 1
	x := newIndex(t, dense.Options{Size: size, Distance: vec.Euclid, Config: config})
	defer closeIndex(t, x)
	c := newCloud(9, size, 20)
	rnd := rand.New(rand.NewPCG(9, 9))
	for l := range count {
		put(t, x, l, c.draw(vec.Euclid)...)
	}
	x.Publish()
	settle(t, x)
	sets := map[string]dense.Labels{"bits": bits{some(count, 12)}, "a set": some(count, 12), "half": bits{some(count, 2)}}
	kept := map[string]*dense.Rows{"bits": {}, "a set": {}, "half": {}}
	old := x.Snapshot()
	defer old.Release()
	narrow := 0
	find := func(s dense.Snapshot, name string, q []float32, rows *dense.Rows) []dense.Hit {
		f := &dense.Filter{Lower: sets[name], Upper: sets[name], Expected: int(sets[name].GetCardinality()), Rows: rows}
		hits, err := s.Search(context.Background(), dense.Query{Vector: q, Limit: 10, Before: ascending, Filter: f, Params: dense.Params{Ef: 12}})
		if err != nil {
			t.Fatal(err)
		}
		return hits
	}
	for step := range 30 {
		for range 20 {
			switch l := rnd.Uint32N(count); step % 3 {
			case 0:
				x.Remove(l)
			case 1:
				put(t, x, l, c.draw(vec.Euclid)...)
			}
		}
		if x.Publish(); step%2 == 0 {
			settle(t, x)
		}
		now := x.Snapshot()
		q := c.draw(vec.Euclid)
		for name, rows := range kept {
			for _, s := range []dense.Snapshot{now, old, now, now} {
				if step%2 == 0 {
					if got, want := find(s, name, q, rows), find(s, name, q, nil); !slices.Equal(got, want) {
						t.Errorf("step %d, %s: %v, without rows %v", step, name, got, want)
					}
				}
				for _, h := range find(s, name, q, rows) {
					if !sets[name].Contains(h.Label) || !s.Has(h.Label) {
						t.Errorf("step %d, %s: %v is not to be found", step, name, h)
					}
				}
			}
			if rows.Kept() {
				narrow++
			}
		}
		now.Release()
	}
	if narrow == 0 {
		t.Error("no search has kept rows")
	}
}
