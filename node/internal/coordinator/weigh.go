package coordinator

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// weigh gives the indices of sparse queries their inverse document frequency, where that is declared: over all shards, so that
// scores do not depend on how points are spread. Each name is counted once, for all queries.
func (c *Coordinator) weigh(ctx context.Context, col *catalog.Collection, reqs []shard.SearchRequest, o ReadOptions) error {
	var wanted map[string][]uint32
	for i := range reqs {
		if q := &reqs[i]; q.Sparse != nil && col.Config.SparseVectors[q.Using].IDF {
			if wanted == nil {
				wanted = map[string][]uint32{}
			}
			wanted[q.Using] = append(wanted[q.Using], q.Sparse.Indices...)
		}
	}
	if wanted == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		indices := wanted[name]
		slices.Sort(indices)
		having, vectors, err := c.frequencies(ctx, col, name, slices.Compact(indices), o)
		if err != nil {
			return err
		}
		for i := range reqs {
			if q := &reqs[i]; q.Sparse != nil && q.Using == name {
				q.Sparse = weighed(*q.Sparse, having, vectors)
			}
		}
	}
	return nil
}

// weighed multiplies the weights of a query. A product that float32 cannot hold is the largest that it can.
func weighed(q point.Sparse, having map[uint32]uint64, vectors uint64) *point.Sparse {
	out := point.Sparse{Indices: q.Indices, Values: make([]float32, len(q.Values))}
	for i, index := range q.Indices {
		x := float64(q.Values[i]) * idf(having[index], vectors)
		out.Values[i] = float32(min(max(x, -math.MaxFloat32), math.MaxFloat32))
	}
	return &out
}

// idf is the inverse document frequency of BM25 (S. Robertson, H. Zaragoza, The Probabilistic Relevance Framework, 2009), with one
// added in the logarithm so that it is never negative.
func idf(having, vectors uint64) float64 {
	n := float64(min(having, vectors))
	return math.Log(1 + (float64(vectors)-n+0.5)/(n+0.5))
}

// frequencies counts the vectors of a name that have each of some indices, and all of them.
func (c *Coordinator) frequencies(ctx context.Context, col *catalog.Collection, name string, indices []uint32, o ReadOptions) (having map[uint32]uint64, vectors uint64, err error) {
	inner := col.Config.Inner(name)
	req := shard.FacetRequest{Look: o.look(col), Sparse: &inner, Indices: indices}
	lists, err := fanOut(ctx, c, col, col.Owners(), question[[]payload.Facet]{opts: o, kind: kindFacet, version: func([]payload.Facet) uint64 { return 0 },
		read: func(ctx context.Context, s source) ([]payload.Facet, uint64, error) { return s.facet(ctx, req) },
	})
	if err != nil {
		return nil, 0, err
	}
	having = make(map[uint32]uint64, len(indices))
	for _, f := range slices.Concat(lists...) {
		switch v := f.Value.(type) {
		case int64:
			having[uint32(v)] += f.Count
		case bool:
			vectors += f.Count
		}
	}
	return having, vectors, nil
}
