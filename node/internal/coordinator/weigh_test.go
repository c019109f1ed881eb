package coordinator_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// What is rare in all shards together weighs more; what has no modifier is searched for as it is.
func TestSparseQueriesAreWeighedByWhatAllShardsHold(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.mu.state.Collections[5].Config.SparseVectors = map[string]catalog.SparseParams{"words": {IDF: true}, "plain": {}}
		w.facet = func(_ context.Context, c call, req shard.FacetRequest) ([]payload.Facet, error) {
			if req.Sparse == nil || *req.Sparse != "words" || !slices.Equal(req.Indices, []uint32{2, 5, 9}) || req.Epoch != 1 {
				t.Errorf("%+v", req)
			}
			return [][]payload.Facet{
				{{Value: true, Count: 6}, {Value: int64(2), Count: 5}}, {{Value: true, Count: 4}, {Value: int64(2), Count: 3}, {Value: int64(9), Count: 1}},
			}[c.shard], nil
		}
		var asked []shard.SearchRequest
		w.search = func(_ context.Context, c call, reqs []shard.SearchRequest) ([][]shard.Scored, error) {
			if c.shard == 0 {
				asked = reqs
			}
			hit := shard.Scored{Score: float32(1 + c.shard), Record: point.Record{Point: point.Point{ID: point.Num(uint64(c.shard))}}}
			return [][]shard.Scored{{hit}, {hit}, {hit}}, nil
		}
		sparse := func(using string, values []float32, indices ...uint32) coordinator.Query {
			return coordinator.Query{SearchRequest: shard.SearchRequest{Using: using, Limit: 3, Sparse: &point.Sparse{Indices: indices, Values: values}}}
		}
		queries := []coordinator.Query{sparse("words", []float32{1, 3}, 2, 5), sparse("plain", []float32{7}, 2), sparse("words", []float32{math.MaxFloat32}, 9)}
		hits, err := w.c.Search(context.Background(), col, queries, coordinator.ReadOptions{})
		if err != nil || len(hits) != 3 || hits[0][0].ID != point.Num(1) || hits[0][1].ID != point.Num(0) { // more is better
			t.Fatalf("%v, %v", hits, err)
		}
		idf := func(df float64) float64 { return math.Log(1 + (10-df+0.5)/(df+0.5)) }
		want := [][]float32{{float32(idf(8)), float32(3 * idf(0))}, {7}, {math.MaxFloat32}}
		for i := range want {
			if !slices.Equal(asked[i].Sparse.Values, want[i]) {
				t.Errorf("query %d: weights %v, want %v", i, asked[i].Sparse.Values, want[i])
			}
		}
		if queries[0].Sparse.Values[0] != 1 {
			t.Error("the caller's query changed")
		}
		for name, q := range map[string]coordinator.Query{
			"dense": sparse("far", []float32{1}, 1), "none": sparse("nobody", []float32{1}, 1),
			"twice": sparse("words", []float32{1, 1}, 1, 1), "NaN": sparse("words", []float32{float32(math.NaN())}, 1),
			"vector": {SearchRequest: shard.SearchRequest{Using: "words", Limit: 1, Vector: []float32{1}}},
		} {
			if _, err := w.c.Search(context.Background(), col, []coordinator.Query{q}, coordinator.ReadOptions{}); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}, ids{1}, ids{2})
}
