package shard_test

import (
	"context"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// BenchmarkSweep deletes by a filter that no index answers and that no point matches; ns/point is what each point costs. A count asks
// the same of a view.
func BenchmarkSweep(b *testing.B) {
	const count, batch = 2_000, 100
	store, err := kv.Open(kv.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	s, err := shard.Open(shard.Options{Store: store, Generation: 1, Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	ctx, index := context.Background(), uint64(0)
	apply := func(op point.Op) {
		index++
		if _, err := s.Apply(ctx, []shard.Entry{{Index: index, Op: op}}); err != nil {
			b.Fatal(err)
		}
	}
	for n := range uint64(count / batch) {
		ps := make([]point.Point, batch)
		for i := range ps {
			ps[i] = point.Point{ID: point.Num(n*batch + uint64(i)), Payload: point.Payload{"owner": int64(i % 6), "v": int64(i) << 8, "text": "as long as a title"}}
		}
		apply(point.Upsert{Points: ps})
	}
	is := func(key string, v int64) filter.Condition {
		return filter.Condition{Field: &filter.Field{Key: key, Match: &filter.Match{Integer: &v}}}
	}
	f := &filter.Filter{Must: []filter.Condition{is("owner", 3), is("v", 1)}}
	perPoint := func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/point")
	}
	b.Run("delete", func(b *testing.B) {
		for b.Loop() {
			apply(point.Delete{Selector: point.Selector{Filter: filter.Encode(f)}})
		}
		perPoint(b)
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			if n, err := s.Count(ctx, shard.CountRequest{Filter: f}); n != 0 || err != nil {
				b.Fatal(n, err)
			}
		}
		perPoint(b)
	})
}
