package dense_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// One vector has a component that is so large that products of bounds overflow: what codes say of a query is no number then,
// of some vectors or of all. They are compared whole.
func TestVectorsOfWhichCodesSayNothingAreFound(t *testing.T) {
	const size, count = 1024, 1700 // more bytes than are compared whole, in the first place
	rnd := rand.New(rand.NewPCG(4, 4))
	draw := func() []float32 {
		v := make([]float32, size)
		for i := range v {
			v[i] = float32(rnd.NormFloat64())
		}
		return v
	}
	config := dense.Config{
		M: 4, EfConstruct: 4, IndexingBytes: 1, FullScanBytes: 1 << 30, DeletedThreshold: 1, Codes: dense.Codes{Kind: dense.Scalar},
	}
	x := newIndex(t, dense.Options{Size: size, Distance: vec.Dot, Config: config})
	defer closeIndex(t, x)
	all := labels{}
	for l := range uint32(count) {
		v := draw()
		if all[l] = true; l == 7 {
			v[0] = -1e30
		}
		put(t, x, l, v...)
	}
	x.Publish()
	settle(t, x)
	s := x.Snapshot()
	defer s.Release()
	for _, scale := range []float32{1, 1e7, 1e9, 1e10} {
		q := draw()
		for i := range q {
			q[i] *= scale
		}
		q[0] = 0
		query := dense.Query{Vector: q, Limit: 10, Before: ascending, Filter: &dense.Filter{Lower: all, Upper: all, Expected: count}}
		got, err := s.Search(context.Background(), query)
		if err != nil {
			t.Fatal(err)
		}
		query.Params.Exact = true
		want, err := s.Search(context.Background(), query)
		if err != nil || len(want) != 10 {
			t.Fatal(want, err)
		}
		if len(got) != 10 || scale > 1e8 && !slices.Equal(got, want) {
			t.Errorf("components of about %g: found %v, exactly %v", scale, got, want)
		}
	}
}
