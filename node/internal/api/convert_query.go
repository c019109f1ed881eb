package api

import (
	"math"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// defaultLimit is how many points a query returns that does not say.
const defaultLimit = 10

// query is a read in the making. At most one of search and scroll is to be run.
type query struct {
	coordinator.Query           // the search
	byID              *point.ID // the search's vector is this point's, which the result leaves out
	sizes             shapes    // of a multivector that is searched for
	scroll            bool      // no search: points in the order of their ids
}

// unscored tells whether points are compared with nothing.
func (q *query) unscored() bool { return q.scroll || q.Order != nil || q.Sample != nil }

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
	if q.Filter, err = filterFrom(r.GetFilter()); err != nil {
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
	if q.Filter, err = filterFrom(r.GetFilter()); err != nil {
		return query{}, err
	}
	if err := c.setTarget(&q, r.GetQuery()); err != nil {
		return query{}, err
	}
	return q, c.checkQuery(q)
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
	}
	return invalid("query: it is empty or of a kind that this server does not know")
}

func (q *query) setNearest(n *qdrant.VectorInput) (err error) {
	switch v := n.GetVariant().(type) {
	case *qdrant.VectorInput_Dense:
		q.Vector = v.Dense.GetData()
		return finite(q.Vector)
	case *qdrant.VectorInput_Sparse:
		q.Sparse, err = sparseFrom(v.Sparse.GetIndices(), v.Sparse.GetValues())
		return err
	case *qdrant.VectorInput_MultiDense:
		q.Vector, err = multiFrom(q.Using, v.MultiDense, &q.sizes)
		return err
	case *qdrant.VectorInput_Id:
		id, err := idFrom(v.Id)
		q.byID = &id
		q.Exclude = []point.ID{id}
		return err
	}
	return invalid("query: the vector is empty or of a kind that this server does not know")
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
