package dense_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// What is built anew is linked in the order of its labels, whichever were replaced, and in whatever order.
func TestWhatIsBuiltAnewIsInTheOrderOfItsLabels(t *testing.T) {
	const size, count = 4, 700
	rnd := rand.New(rand.NewPCG(8, 8))
	config := graphConfig
	config.DeletedThreshold, config.VacuumMinVectors = 1, 1
	x := newIndex(t, dense.Options{Size: size, Distance: vec.Euclid, Config: config})
	defer closeIndex(t, x)
	vectors := map[uint32][]float32{}
	store := func(l uint32) {
		vectors[l] = []float32{rnd.Float32(), rnd.Float32(), rnd.Float32(), rnd.Float32()}
		put(t, x, l, vectors[l]...)
	}
	for l := range uint32(count) {
		store(l)
	}
	x.Publish()
	for range 2 * count { // some of them more than once
		l := rnd.Uint32N(count)
		if store(l); l%7 == 0 {
			x.Remove(l)
			delete(vectors, l)
		}
		if l%5 == 0 {
			x.Publish()
		}
	}
	x.Publish()
	settle(t, x)
	config.DeletedThreshold = 0.2
	x.SetConfig(config)
	settle(t, x)
	got := x.Labels()
	if len(got) != len(vectors) || x.Len() != len(vectors) || !slices.IsSorted(got) {
		t.Fatalf("%d rows of %d vectors, sorted: %v", len(got), len(vectors), slices.IsSorted(got))
	}
	for l, v := range vectors {
		if hits, err := now(x, v, 1, nil); err != nil || len(hits) != 1 || hits[0] != (dense.Hit{Label: l}) {
			t.Fatalf("label %d: found %v, %v", l, hits, err)
		}
	}
}
