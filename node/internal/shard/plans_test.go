package shard_test

import (
	"context"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Plans are kept of filters that come again, no more than a few, and none of what was before a change.
func TestPlansOfFiltersThatComeAgainAreKept(t *testing.T) {
	store, err := kv.Open(kv.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s, err := shard.Open(shard.Options{Store: store, Generation: 1, Schema: shard.Schema{
		Vectors: map[string]shard.VectorSchema{"": {Size: 1, Distance: vec.Euclid, Index: dense.Config{M: 8, EfConstruct: 16, IndexingBytes: 1, FullScanBytes: 1, DeletedThreshold: 1}}},
		Fields:  payload.Schema{"n": {Kind: payload.Integer}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeShard(t, s)
	applied := uint64(0)
	upsert := func(from, to int, n func(i int) int) {
		t.Helper()
		var ps []point.Point
		for i := from; i < to; i++ {
			ps = append(ps, point.Point{ID: point.Num(uint64(i)), Vectors: point.Vectors{"": {float32(i)}}, Payload: point.Payload{"n": int64(n(i))}})
		}
		applied++
		if _, err := s.Apply(context.Background(), []shard.Entry{{Index: applied, Op: point.Upsert{Points: ps}}}); err != nil {
			t.Fatal(err)
		}
	}
	upsert(0, 3000, func(i int) int { return i })
	if err := s.Settled(context.Background()); err != nil {
		t.Fatal(err)
	}
	nearest := func(below float64, exclude ...point.ID) point.ID {
		t.Helper()
		f := &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "n", Range: &filter.Range{LT: &below}}}}}
		hits, err := s.Search(context.Background(), shard.SearchRequest{Vector: []float32{3000}, Limit: 1, HNSWEf: 64, Filter: f, Exclude: exclude})
		if err != nil || len(hits) != 1 {
			t.Fatal(hits, err)
		}
		return hits[0].ID
	}
	for i, want := range []int{0, 1, 1} {
		if got := nearest(2000); got != point.Num(1999) || s.KeptPlans() != want {
			t.Fatalf("search %d: %v, %d plans kept", i, got, s.KeptPlans())
		}
	}
	if got := nearest(2000, point.Num(1999)); got != point.Num(1998) {
		t.Errorf("without the nearest: %v", got)
	}
	if got := nearest(2000); got != point.Num(1999) {
		t.Errorf("after one was excluded: %v", got)
	}
	for range 3 {
		nearest(100)
	}
	if s.KeptPlans() != 1 {
		t.Errorf("%d plans are kept, one of few labels among them", s.KeptPlans())
	}
	for below := range 20 {
		for range 2 {
			nearest(float64(2000 + below))
		}
	}
	if s.KeptPlans() != shard.MostPlans {
		t.Errorf("%d plans are kept", s.KeptPlans())
	}
	upsert(1990, 2000, func(int) int { return 5000 })
	if got := nearest(2019); got != point.Num(2018) || s.KeptPlans() != 0 {
		t.Errorf("after a change: %v, %d plans kept", got, s.KeptPlans())
	}
	if got := nearest(2000); got != point.Num(1989) {
		t.Errorf("after a change: %v", got)
	}
}
