package api

import (
	"math"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// defaultLimit is how many points a query returns that does not say.
const defaultLimit = 10

// query is a read in the making. At most one of search and scroll is to be run.
//
// With prefetches, it is about the points that these find, and nothing else: they are fused, or searched.
type query struct {
	prefetch  []query
	recommend *recommendation
	fusion    *fusion // of the prefetches; nil: they are searched
	lists     []list  // what the prefetches found
	nothing   bool    // they are searched, and there are none

	own               *filter.Filter // what the request says of itself; the search's filter may be narrower
	coordinator.Query                // the search
	byID              *point.ID      // the search's vector is this point's, which the result leaves out
	sizes             shapes         // of a multivector that is searched for
	scroll            bool           // no search: points in the order of their ids
	keys              *coordinator.Keys
}

// unscored tells whether points are compared with nothing.
func (q *query) unscored() bool { return q.scroll || q.Order != nil || q.Sample != nil }

// appendAll appends a query and all of its prefetches, the query itself last.
func (q *query) appendAll(to []*query) []*query {
	for i := range q.prefetch {
		to = q.prefetch[i].appendAll(to)
	}
	return append(to, q)
}

// searchFrom reads a Search.
func (c *core) searchFrom(r *qdrant.SearchPoints) (query, error) {
	v, err := viewFrom(r.GetWithPayload(), false, r.GetWithVectors())
	if err != nil {
		return query{}, err
	}
	q := query{Query: coordinator.Query{Offset: r.GetOffset()}}
	q.Vector, q.Using, q.Limit = r.GetVector(), r.GetVectorName(), r.GetLimit()
	q.Payload, q.Vectors, q.ScoreThreshold = v.payload, v.vectors, r.ScoreThreshold
	q.setParams(r.GetParams())
	if q.own, err = filterFrom(r.GetFilter()); err != nil {
		return query{}, err
	}
	q.Filter = q.own
	if q.keys, err = keysFrom(r.GetShardKeySelector()); err != nil {
		return query{}, err
	}
	if r.SparseIndices != nil {
		if q.Sparse, err = sparseFrom(r.SparseIndices.GetData(), q.Vector); err != nil {
			return query{}, err
		}
		q.Vector = nil
	}
	return q, first(finite(q.Vector), c.checkQuery(q))
}

// queryFrom reads a Query.
func (c *core) queryFrom(r *qdrant.QueryPoints) (query, error) {
	v, err := viewFrom(r.GetWithPayload(), false, r.GetWithVectors())
	if err != nil {
		return query{}, err
	}
	q := query{Query: coordinator.Query{Offset: r.GetOffset()}}
	q.Using, q.Limit = r.GetUsing(), defaultLimit
	if r.Limit != nil {
		q.Limit = r.GetLimit()
	}
	q.Payload, q.Vectors, q.ScoreThreshold = v.payload, v.vectors, r.ScoreThreshold
	q.setParams(r.GetParams())
	if q.own, err = filterFrom(r.GetFilter()); err != nil {
		return query{}, err
	}
	q.Filter = q.own
	if q.keys, err = keysFrom(r.GetShardKeySelector()); err != nil {
		return query{}, err
	}
	if err := c.setTarget(&q, r.GetQuery()); err != nil {
		return query{}, err
	}
	budget := maxPrefetches
	if q.prefetch, err = c.prefetchesFrom(r.GetPrefetch(), q.Filter, 1, &budget); err != nil {
		return query{}, err
	}
	return q, c.checkQuery(q)
}

// Limits of prefetches.
const (
	maxPrefetches    = 64 // of one query, of all levels together
	maxPrefetchDepth = 8
)

// prefetchesFrom reads prefetches. A filter of what is made of them holds for them too, as in Qdrant.
func (c *core) prefetchesFrom(list []*qdrant.PrefetchQuery, outer *filter.Filter, level int, budget *int) ([]query, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if *budget -= len(list); *budget < 0 {
		return nil, invalid("a query has more than %d prefetches", maxPrefetches)
	}
	if level > maxPrefetchDepth {
		return nil, invalid("prefetches are nested more than %d levels deep", maxPrefetchDepth)
	}
	out := make([]query, len(list))
	for i, p := range list {
		q := &out[i]
		q.Using, q.Limit, q.ScoreThreshold = p.GetUsing(), defaultLimit, p.ScoreThreshold
		if p.Limit != nil {
			q.Limit = p.GetLimit()
		}
		q.setParams(p.GetParams())
		var err error
		if q.own, err = filterFrom(p.GetFilter()); err != nil {
			return nil, err
		}
		q.Filter = both(q.own, outer)
		if err := c.setTarget(q, p.GetQuery()); err != nil {
			return nil, err
		}
		if q.prefetch, err = c.prefetchesFrom(p.GetPrefetch(), q.Filter, level+1, budget); err != nil {
			return nil, err
		}
		if err := c.checkQuery(*q); err != nil {
			return nil, within(err, "prefetch %d of %d", i+1, len(list))
		}
	}
	return out, nil
}

// both matches what both filters match; nil matches all.
func both(a, b *filter.Filter) *filter.Filter {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &filter.Filter{Must: []filter.Condition{{Filter: a}, {Filter: b}}}
}

// setTarget reads what the result is to be near to; without it, the query is a scroll.
func (c *core) setTarget(q *query, t *qdrant.Query) (err error) {
	if t == nil {
		q.scroll = true
		return nil
	}
	switch v := t.GetVariant().(type) {
	case *qdrant.Query_Nearest:
		return q.setNearest(v.Nearest)
	case *qdrant.Query_OrderBy:
		q.Order, err = orderFrom(v.OrderBy)
		return err
	case *qdrant.Query_Sample:
		seed := c.Random()
		q.Sample = &seed
		return nil
	case *qdrant.Query_Recommend:
		return q.setRecommend(v.Recommend)
	case *qdrant.Query_Discover:
		return q.setDiscover(v.Discover)
	case *qdrant.Query_Context:
		return q.setContext(v.Context)
	case *qdrant.Query_Fusion:
		q.fusion = &fusion{byScore: v.Fusion == qdrant.Fusion_DBSF, k: defaultK}
		return nil
	case *qdrant.Query_Rrf:
		q.fusion = &fusion{k: defaultK}
		if v.Rrf.K != nil {
			q.fusion.k = float64(v.Rrf.GetK())
		}
		return nil
	}
	return invalid("query: it is empty or of a kind that this server does not know")
}

func (q *query) setNearest(n *qdrant.VectorInput) error {
	e, err := q.exampleFrom(n)
	if err == nil {
		q.byID, q.Vector, q.Sparse = e.id, e.dense, e.sparse
	}
	return err
}

// setParams reads how to search. ACORN is a way to walk a graph under a filter, which searches choose by themselves where it
// pays.
func (q *query) setParams(p *qdrant.SearchParams) {
	q.Exact, q.HNSWEf, q.IndexedOnly = p.GetExact(), p.GetHnswEf(), p.GetIndexedOnly()
	o := p.GetQuantization()
	q.Quantization.Ignore, q.Quantization.Oversampling = o.GetIgnore(), o.GetOversampling()
	if o != nil {
		q.Quantization.Rescore = o.Rescore
	}
}

// checkQuery checks what does not depend on the collection.
func (c *core) checkQuery(q query) error {
	switch {
	case q.fusion != nil && len(q.prefetch) == 0:
		return invalid("query: there is nothing to fuse without prefetches")
	case q.fusion != nil && q.fusion.k < 1:
		return invalid("query: k of reciprocal rank fusion must be at least 1")
	case q.fusion != nil && q.Using != "":
		return invalid("using %.255q: a fusion compares with no vector; its prefetches do", q.Using)
	case q.scroll && len(q.prefetch) > 0:
		return invalid("query: what is prefetched needs a query that says what becomes of it")
	}
	if q.ScoreThreshold != nil {
		if math.IsNaN(float64(*q.ScoreThreshold)) {
			return invalid("score_threshold is not a number")
		}
		if q.unscored() {
			return invalid("score_threshold needs a query that scores: points in order or at random have no scores")
		}
	}
	if q.unscored() && q.Using != "" {
		return invalid("using %.255q needs a query that scores: points in order or at random are compared with nothing", q.Using)
	}
	if o := q.Quantization.Oversampling; o != 0 && !(o >= 1 && o <= maxOversampling) {
		return invalid("oversampling is %v: it must be within 1..%d", o, maxOversampling)
	}
	return c.checkLimit(q.Limit, q.Offset)
}

// maxOversampling bounds how many times as many candidates as results a search can be asked to gather.
const maxOversampling = 1000

// checkLimit bounds what one query can make the cluster gather.
func (c *core) checkLimit(limit, offset uint64) error {
	if limit > c.MaxLimit || offset > c.MaxLimit-limit {
		return invalid("limit %d and offset %d are more than %d points together: read in pages with Scroll", limit, offset, c.MaxLimit)
	}
	return nil
}

// scrollRequest is the scroll that a query without a target stands for.
func (q *query) scrollRequest() shard.ScrollRequest {
	return shard.ScrollRequest{Filter: q.Filter, Limit: q.Offset + q.Limit, Payload: q.Payload, Vectors: q.Vectors}
}
