package dense

import (
	"context"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// everybody has the same value.
type everybody struct{ labels *roaring.Bitmap }

func (e everybody) Large(_ bool, _ uint64, yield func(Value, uint64)) {
	yield(Value{Of: true}, e.labels.GetCardinality())
}

func (e everybody) Having(Value) *roaring.Bitmap { return e.labels.Clone() }

// nearest searches for what is nearest to a number, by the graph of the value.
func nearest(t *testing.T, x *Index, all everybody, to uint32) {
	t.Helper()
	s := x.Snapshot()
	defer s.Release()
	q := Query{
		Vector: []float32{float32(to)}, Limit: 3, Before: func(a, b uint32) bool { return a < b }, Params: Params{Ef: 3},
		Filter: &Filter{Upper: all.labels.Clone(), Expected: int(all.labels.GetCardinality()), Values: []Value{{Of: true}}},
	}
	for _, accept := range []func(uint32) (bool, error){nil, func(uint32) (bool, error) { return true, nil }} {
		q.Filter.Accept = accept
		hits, err := s.Search(context.Background(), q)
		if err != nil || len(hits) != 3 || hits[0].Label != to || hits[1].Label != to-1 || hits[2].Label != to+1 {
			t.Errorf("%v, %v", hits, err)
		}
	}
}

// A graph to which rows were added that nobody counts is not added to again.
func TestAGraphThatWasLeftHalfDoneIsBuiltAnew(t *testing.T) {
	all := everybody{roaring.New()}
	config := Config{PayloadM: 4, EfConstruct: 8, IndexingBytes: 1, DeletedThreshold: 1}
	x, err := New(Options{Size: 1, Distance: vec.Euclid, Config: config, Values: all})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}()
	x.leastSub = 1
	for l := range uint32(2000) {
		if err := x.Put(l, []float32{float32(l)}); err != nil {
			t.Fatal(err)
		}
	}
	x.Publish()
	b := &x.mu.core.subs
	step := func() { // nobody else does: there was no review
		if err := x.stepSubs(x.state.Load()); err != nil {
			t.Fatal(err)
		}
	}
	finish := func() *shown {
		for step(); b.growing != nil || len(b.todo) > 0; {
			step()
		}
		return b.all()[Value{Of: true}]
	}
	all.labels.AddRange(0, 200)
	first := finish()
	all.labels.AddRange(200, 2000)
	step() // looks
	step() // begins
	step() // adds some
	if b.growing == nil || b.growing.next.sub != first.sub {
		t.Fatalf("%+v", b.growing)
	}
	nearest(t, x, all, 300)
	config.PayloadM = 8
	x.SetConfig(config)
	step() // looks again
	config.PayloadM = 4
	x.SetConfig(config)
	last := finish()
	seen := map[uint32]bool{}
	for _, row := range (*last.rows.Load())[:last.places] {
		if seen[row] {
			t.Fatalf("row %d has two places", row)
		}
		seen[row] = true
	}
	if last.sub == first.sub || len(seen) != 2000 {
		t.Errorf("the same graph: %v, of %d rows", last.sub == first.sub, len(seen))
	}
}
