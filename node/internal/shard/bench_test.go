package shard_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// BenchmarkOpen opens a shard of 100,000 x 128 whose index is saved; ns/point times a million is what a shard of a
// million points takes.
func BenchmarkOpen(b *testing.B) {
	const count, size, batch = 100_000, 128, 1000
	store, err := kv.Open(kv.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	o := shard.Options{Store: store, Generation: 1, Dir: b.TempDir(), Schema: shard.Schema{Vectors: map[string]shard.VectorSchema{
		"": {Size: size, Distance: vec.Euclid, Index: dense.Config{M: 16, EfConstruct: 16, IndexingBytes: 1, DeletedThreshold: 1, VacuumMinVectors: 1000}},
	}}}
	s, err := shard.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for n := range uint64(count / batch) {
		ps := make([]point.Point, batch)
		for i := range ps {
			v := make([]float32, size)
			for j := range v {
				v[j] = rnd.Float32()
			}
			ps[i] = point.Point{ID: point.Num(n*batch + uint64(i)), Vectors: point.Vectors{"": v}, Payload: point.Payload{"n": int64(i)}}
		}
		if _, err := s.Apply(context.Background(), []shard.Entry{{Index: n + 1, Op: point.Upsert{Points: ps}}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Settled(context.Background()); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := shard.Open(o)
		if err != nil {
			b.Fatal(err)
		}
		if x := s.Indexes(); x.Indexed != count {
			b.Fatalf("%+v", x)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/point")
}
