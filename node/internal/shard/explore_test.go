package shard_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

var exploredSchema = shard.Schema{
	Vectors: map[string]shard.VectorSchema{
		"v": {Size: 8, Distance: vec.Euclid, Index: dense.Config{M: 8, EfConstruct: 48, IndexingBytes: 1, DeletedThreshold: 0.2, VacuumMinVectors: 1000, Threads: 1}},
		"u": {Size: 8, Distance: vec.Cosine, Datatype: vec.ByteType, Index: dense.Config{M: 8, EfConstruct: 48, IndexingBytes: 1, DeletedThreshold: 0.2, VacuumMinVectors: 1000, Threads: 1}},
		"h": {Size: 8, Distance: vec.Dot, Datatype: vec.HalfType, Index: dense.Config{M: 8, EfConstruct: 48, IndexingBytes: 1, DeletedThreshold: 0.2, VacuumMinVectors: 1000, Threads: 1}},
	},
	Fields: payload.Schema{"third": {Kind: payload.Integer}},
}

// Walks for what is like some examples find what comparing all finds, or nearly, with the same scores: whatever the vectors are held as, under
// filters, without the points that are examples, and one by one, from the store.
func TestExplorationsOfAGraph(t *testing.T) {
	n := newNode(t)
	s := n.open2(t, exploredSchema)
	rnd := rand.NewPCG(8, 8)
	draw := func(using string) []float32 {
		v := make([]float32, 8)
		for i := range v {
			if v[i] = float32(rand.New(rnd).IntN(200)); using == "h" {
				v[i] = (v[i] - 100) / 16 // products that float32 tells apart, once they are brought below 1
			}
		}
		return v
	}
	const count = 2400
	for from := uint64(0); from < count; from += 400 {
		var ps []point.Point
		for i := from; i < from+400; i++ {
			ps = append(ps, point.Point{ID: point.Num(i), Vectors: point.Vectors{"v": draw("v"), "u": draw("u"), "h": draw("h")}, Payload: point.Payload{"third": int64(i % 3), "more": int64(i % 2)}})
		}
		apply(t, s, upsert(ps...))
	}
	settled(t, s, 3*count)
	is := func(key string, v int64) filter.Condition {
		return filter.Condition{Field: &filter.Field{Key: key, Match: &filter.Match{Integer: &v}}}
	}
	for name, f := range map[string]*filter.Filter{
		"no filter": nil, "an index": {Must: []filter.Condition{is("third", 1)}}, "payloads": {Must: []filter.Condition{is("third", 1), is("more", 1)}},
	} {
		rnd.Seed(9, 9)
		for _, using := range []string{"v", "u", "h"} {
			for kind := shard.BestScore; kind <= shard.Context; kind++ {
				found, all := 0, 0
				for i := range uint64(6) {
					req := shard.SearchRequest{
						Explore: &shard.Explore{Kind: kind, Positive: [][]float32{draw(using), draw(using)}, Negative: [][]float32{draw(using), draw(using)}, Target: draw(using)},
						Using:   using, Limit: 8, HNSWEf: 16, Filter: f, Exclude: []point.ID{point.Num(i), point.Num(3*i + 1)},
					}
					near, err := s.Search(ctx, req)
					exactly := req
					exactly.Exact = true
					exact, err2 := s.Search(ctx, exactly)
					if err != nil || err2 != nil || len(near) != 8 || len(exact) != 8 {
						t.Fatal(near, err, exact, err2)
					}
					var ids []point.ID
					for at, h := range near {
						if slices.Contains(req.Exclude, h.ID) {
							t.Fatalf("%v is an example", h)
						}
						if ids = append(ids, h.ID); kind == shard.Context && h.Score == exact[at].Score || slices.ContainsFunc(exact, func(o shard.Scored) bool { return o.ID == h.ID }) {
							found++
						}
						all++
					}
					exactly.Filter = &filter.Filter{Must: []filter.Condition{{HasID: &filter.HasID{IDs: ids}}}}
					stored, err := s.Search(ctx, exactly)
					if err != nil || !slices.EqualFunc(stored, near, func(a, b shard.Scored) bool { return a.ID == b.ID && a.Score == b.Score && a.Version == b.Version }) {
						t.Fatalf("%s, %q, kind %d: found %v, from the store %v, %v", name, using, kind, near, stored, err)
					}
				}
				if recall := float64(found) / float64(all); recall < 0.8 {
					t.Errorf("%s, %q, kind %d: recall %v", name, using, kind, recall)
				}
			}
		}
	}
	closeShard(t, s)
}
