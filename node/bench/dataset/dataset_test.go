package dataset_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func TestTruthIsWhatComparingAllGives(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, d := range []vec.Distance{vec.Euclid, vec.Cosine} {
		const size, n, queries = 5, 900, 70
		s := &dataset.Set{Distance: d, Size: size}
		for range n {
			s.Base = append(s.Base, d.Stored([]float32{r.Float32(), r.Float32(), r.Float32(), r.Float32(), r.Float32()})...)
		}
		s.Queries = s.Base[100*size : (100+queries)*size]
		for _, accept := range []func(uint32) bool{nil, func(row uint32) bool { return row%3 == 0 }, func(row uint32) bool { return row < 7 }} {
			truth, err := dataset.Truth(context.Background(), s, accept)
			if err != nil {
				t.Fatal(err)
			}
			for q := range queries {
				var want []uint32
				for row := range uint32(n) {
					if accept == nil || accept(row) {
						want = append(want, row)
					}
				}
				slices.SortStableFunc(want, func(a, b uint32) int {
					x, y := d.Score(s.Query(q), s.Vector(int(a))), d.Score(s.Query(q), s.Vector(int(b)))
					switch {
					case d.Better(x, y):
						return -1
					case d.Better(y, x):
						return 1
					}
					return 0
				})
				for len(want) < dataset.TruthK {
					want = append(want, 1<<32-1)
				}
				if got := truth[q*dataset.TruthK : (q+1)*dataset.TruthK]; !slices.Equal(got, want[:dataset.TruthK]) {
					t.Fatalf("%v, query %d: %v, want %v", d, q, got[:10], want[:10])
				}
			}
		}
	}
}

func TestUnknownSetsAreRefused(t *testing.T) {
	if _, err := dataset.Load(context.Background(), t.TempDir(), "nothing", t.Logf); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}
