package hnsw_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
)

// hills compares with two queries, of which the better one counts.
type hills struct {
	*points
	other []float32
	lower float32 // what the other query is better by
}

func (h hills) Score(rows []uint32, out []float32) {
	for i, r := range rows {
		out[i] = min(h.kernel.One(h.query, h.vectors[r]), h.kernel.One(h.other, h.vectors[r])-h.lower)
	}
}

// Of two islands, one has what scores best: whichever that is, a search that begins there too finds it, also what only a filter of half
// of the rows, or of few, lets through.
func TestSearchesBeginWhereTheyAreTold(t *testing.T) {
	const each, apart = 500, 50
	vectors := random(rand.New(rand.NewPCG(3, 1)), 2*each, 8)
	for _, v := range vectors[each:] {
		v[0] += apart
	}
	p := newPoints(vectors)
	g := newGraph(t, hnsw.Options{M: 8, EfConstruct: 40})
	build(t, g, p, 0, 2*each)
	centres := [2][]float32{make([]float32, 8), {apart, 0, 0, 0, 0, 0, 0, 0}}
	missed := 0
	for island, base := range []uint32{0, each} {
		s := hills{p.at(centres[1-island]), centres[island], 2}
		for every, f := range map[uint32]*hnsw.Filter{
			1:  nil,
			2:  {Accept: func(row uint32) bool { return row%2 == 0 }, Count: each},
			50: {Accept: func(row uint32) bool { return row%50 == 0 }, Count: each / 25},
		} {
			want := p.nearest(centres[island], 1, func(row uint32) bool { return row >= base && row < base+each && row%every == 0 })[0]
			hits, err := g.SearchFrom(context.Background(), s, []uint32{base + 100, base + 100, base + 101, 1 << 20}, 8, f, nil)
			if err != nil || len(hits) == 0 || hits[0].Row != want {
				t.Errorf("island %d, one row in %d: %v, %v, want %d", island, every, hits, err, want)
			}
			for _, h := range hits {
				if h.Row%every != 0 {
					t.Errorf("island %d, one row in %d: found %d", island, every, h.Row)
				}
			}
			if hits, err = g.Search(context.Background(), s, 8, f, nil); err != nil || len(hits) == 0 || hits[0].Row != want {
				missed++
			}
		}
	}
	if missed == 0 {
		t.Error("both islands are found from the top: this tests nothing")
	}
}
