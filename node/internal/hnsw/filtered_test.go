package hnsw_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
)

// With as many candidates, a search under a filter finds about as many of the nearest as one without, whether what the filter takes
// lies anywhere or near one row, and whether it tells its rows or is asked.
func TestUnderAFilterAsManyAreFound(t *testing.T) {
	const size, ef = 32, 80
	r := rand.New(rand.NewPCG(23, 24))
	n := few(3000)
	p := newPoints(random(r, n, size))
	g := newGraph(t, hnsw.Options{})
	if err := g.Build(context.Background(), 0, uint32(n), 1, p.space); err != nil { // by one thread: the same graph in every run
		t.Fatal(err)
	}
	queries := random(r, few(500)/10, size)
	plain := recall(t, g, p, queries, 10, ef, nil, nil)
	near := p.nearest(p.vectors[0], n, nil)
	anywhere := slices.Clone(near)
	r.Shuffle(n, func(i, j int) { anywhere[i], anywhere[j] = anywhere[j], anywhere[i] })
	for name, order := range map[string][]uint32{"near one row": near, "anywhere": anywhere} {
		for _, percent := range []int{2, 3, 5, 10, 20, 50, 90} {
			count := max(n*percent/100, 10)
			bits := make([]uint64, (n+63)/64)
			for _, row := range order[:count] {
				bits[row/64] |= 1 << (row % 64)
			}
			live := func(row uint32) bool { return bits[row/64]&(1<<(row%64)) != 0 }
			for _, f := range []hnsw.Filter{
				{Accept: live, Count: count, Wanted: 10}, {Accept: live, Count: count, Wanted: 10, Kept: true, Bits: func() []uint64 { return bits }},
			} {
				if got := recall(t, g, p, queries, 10, ef, live, &f); got < plain-0.02 {
					t.Errorf("%d %% %s, told: %v: recall %.4f, without a filter %.4f", percent, name, f.Kept, got, plain)
				}
			}
		}
	}
}
