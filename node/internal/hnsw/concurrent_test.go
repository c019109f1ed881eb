package hnsw_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Searches, inserts and saves run side by side; at the end the graph is as good as one that was made in peace.
func TestAllAtOnce(t *testing.T) {
	const size = 8
	n := few(3000)
	r := rand.New(rand.NewPCG(1, 2))
	p := newPoints(random(r, n, size))
	g := newGraph(t, hnsw.Options{M: 8, EfConstruct: 60})
	build(t, g, p, 0, n/3)

	filters := []*hnsw.Filter{nil, {Accept: func(row uint32) bool { return row%2 == 0 }, Count: -1}, {Accept: func(row uint32) bool { return row%30 == 0 }, Count: n / 30}}
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for i := range 2 {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(3, uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				f := filters[r.IntN(len(filters))]
				for _, row := range search(t, g, p, random(r, 1, size)[0], 10, 40, f) {
					if f != nil && !f.Accept(row) {
						t.Errorf("row %d may not be found", row)
					}
				}
			}
		})
	}
	writers.Go(func() { build(t, g, p, n/3, 2*n/3) })
	writers.Go(func() { build(t, g, p, 2*n/3, n) })
	writers.Go(func() {
		for range 3 {
			var b bytes.Buffer
			if err := g.Save(&b); err != nil {
				t.Error(err)
			}
			load(t, b.Bytes())
		}
	})
	writers.Wait()
	close(stop)
	readers.Wait()

	if g.Len() != n {
		t.Errorf("%d rows, want %d", g.Len(), n)
	}
	if got := recall(t, g, p, random(r, 60, size), 10, 80, nil, nil); got < 0.97 {
		t.Errorf("recall %.3f", got)
	}
}

func TestSearchesEndWithTheirContext(t *testing.T) {
	p := newPoints(random(rand.New(rand.NewPCG(5, 6)), 200, 4))
	g := newGraph(t, hnsw.Options{})
	build(t, g, p, 0, 200)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := g.Search(ctx, p.at(p.vectors[0]), 10, nil, nil); err == nil {
		t.Error("a search went on")
	}
	if err := g.Build(ctx, 200, 300, 1, p.space); err == nil {
		t.Error("a build went on")
	}
}

func TestSearchesAllocateNothing(t *testing.T) {
	p := newPoints(random(rand.New(rand.NewPCG(7, 8)), few(2000), 8))
	g := newGraph(t, hnsw.Options{})
	build(t, g, p, 0, few(2000))
	s := p.at(p.vectors[7])
	hits := make([]hnsw.Hit, 0, 100)
	f := &hnsw.Filter{Accept: func(row uint32) bool { return row%3 > 0 }, Count: few(1300)}
	for name, filter := range map[string]*hnsw.Filter{"all": nil, "filtered": f} {
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := g.Search(context.Background(), s, 100, filter, hits); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > 0 && !raced {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
