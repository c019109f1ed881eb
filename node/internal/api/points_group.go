package api

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/strictmode"
)

// Recommend returns the points nearest to what positive examples have in common and negative ones lack.
func (s *pointsService) Recommend(ctx context.Context, r *qdrant.RecommendPoints) (*qdrant.RecommendResponse, error) {
	start := time.Now()
	q, err := s.recommendFrom(r)
	if err != nil {
		return nil, err
	}
	result, err := s.runOne(ctx, requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, q)
	return &qdrant.RecommendResponse{Result: result, Time: since(start)}, err
}

// RecommendBatch answers several recommendations of one collection, in order. An empty batch has an empty answer.
func (s *pointsService) RecommendBatch(ctx context.Context, r *qdrant.RecommendBatchPoints) (*qdrant.RecommendBatchResponse, error) {
	start := time.Now()
	parts := make([]batchPart, len(r.GetRecommendPoints()))
	for i, p := range r.GetRecommendPoints() {
		parts[i] = batchPart{requestHead{p.GetCollectionName(), p.Timeout, p.GetReadConsistency()}, func() (query, error) { return s.recommendFrom(p) }}
	}
	results, err := s.runBatch(ctx, requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, parts)
	return &qdrant.RecommendBatchResponse{Result: results, Time: since(start)}, err
}

// recommendFrom reads a Recommend.
func (c *core) recommendFrom(r *qdrant.RecommendPoints) (query, error) {
	return c.recommended(r, r.ScoreThreshold, r.GetLimit(), r.GetOffset())
}

// recommendRequest is what Recommend and RecommendGroups share.
type recommendRequest interface {
	examples
	searchRequest
	GetStrategy() qdrant.RecommendStrategy
	GetUsing() string
}

// examples are points and vectors to be near to and far from.
type examples interface {
	GetPositive() []*qdrant.PointId
	GetNegative() []*qdrant.PointId
	GetPositiveVectors() []*qdrant.Vector
	GetNegativeVectors() []*qdrant.Vector
}

// searchRequest is what searches of old share.
type searchRequest interface {
	GetFilter() *qdrant.Filter
	GetWithPayload() *qdrant.WithPayloadSelector
	GetWithVectors() *qdrant.WithVectorsSelector
	GetParams() *qdrant.SearchParams
	keyed
}

func (c *core) recommended(r recommendRequest, threshold *float32, limit, offset uint64) (query, error) {
	q, err := c.searchBase(r, r.GetUsing(), threshold, limit, offset)
	if err != nil {
		return query{}, err
	}
	input := &qdrant.RecommendInput{Strategy: r.GetStrategy().Enum()}
	if input.Positive, err = inputsFrom(r.GetPositive(), r.GetPositiveVectors()); err != nil {
		return query{}, err
	}
	if input.Negative, err = inputsFrom(r.GetNegative(), r.GetNegativeVectors()); err != nil {
		return query{}, err
	}
	if err := q.setRecommend(input); err != nil {
		return query{}, err
	}
	return q, c.checkQuery(q)
}

// inputsFrom writes examples in their newer form.
func inputsFrom(ids []*qdrant.PointId, vectors []*qdrant.Vector) ([]*qdrant.VectorInput, error) {
	var out []*qdrant.VectorInput
	for _, id := range ids {
		out = append(out, qdrant.NewVectorInputID(id))
	}
	for _, v := range vectors {
		var sizes shapes
		dense, sparse, err := vectorFrom("", v, &sizes)
		switch {
		case err != nil:
			return nil, err
		case len(sizes) > 0:
			return nil, missing("recommendation among multivectors", "RecommendPoints.positive_vectors")
		case sparse != nil:
			out = append(out, qdrant.NewVectorInputSparse(sparse.Indices, sparse.Values))
		default:
			out = append(out, qdrant.NewVectorInputDense(dense))
		}
	}
	return out, nil
}

// searchBase reads what all searches of old say.
func (c *core) searchBase(r searchRequest, using string, threshold *float32, limit, offset uint64) (query, error) {
	v, err := viewFrom(r.GetWithPayload(), false, r.GetWithVectors())
	if err != nil {
		return query{}, err
	}
	q := query{Query: coordinator.Query{Offset: offset}}
	q.Using, q.Limit, q.Payload, q.Vectors = using, limit, v.payload, v.vectors
	q.setParams(r.GetParams())
	q.ScoreThreshold = threshold
	if q.keys, err = keysFrom(r.GetShardKeySelector()); err != nil {
		return query{}, err
	}
	q.own, err = filterFrom(r.GetFilter())
	q.Filter = q.own
	return q, err
}

// SearchGroups returns the points nearest to a vector, by groups.
func (s *pointsService) SearchGroups(ctx context.Context, r *qdrant.SearchPointGroups) (*qdrant.SearchGroupsResponse, error) {
	start := time.Now()
	q, err := s.searchBase(r, r.GetVectorName(), r.ScoreThreshold, 1, 0)
	if err != nil {
		return nil, err
	}
	if q.Vector = r.GetVector(); r.SparseIndices != nil {
		if q.Sparse, err = sparseFrom(r.SparseIndices.GetData(), q.Vector); err != nil {
			return nil, err
		}
		q.Vector = nil
	}
	if err := first(finite(q.Vector), s.checkQuery(q)); err != nil {
		return nil, err
	}
	result, err := s.inGroups(ctx, groupsRequest{requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, r.GetGroupBy(), uint64(r.GetLimit()), uint64(r.GetGroupSize())}, q)
	return &qdrant.SearchGroupsResponse{Result: result, Time: since(start)}, err
}

// RecommendGroups is Recommend by groups.
func (s *pointsService) RecommendGroups(ctx context.Context, r *qdrant.RecommendPointGroups) (*qdrant.RecommendGroupsResponse, error) {
	start := time.Now()
	q, err := s.recommended(r, r.ScoreThreshold, 1, 0)
	if err != nil {
		return nil, err
	}
	result, err := s.inGroups(ctx, groupsRequest{requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, r.GetGroupBy(), uint64(r.GetLimit()), uint64(r.GetGroupSize())}, q)
	return &qdrant.RecommendGroupsResponse{Result: result, Time: since(start)}, err
}

// QueryGroups is Query by groups.
func (s *pointsService) QueryGroups(ctx context.Context, r *qdrant.QueryPointGroups) (*qdrant.QueryGroupsResponse, error) {
	start := time.Now()
	q, err := s.queryFrom(&qdrant.QueryPoints{
		Prefetch: r.GetPrefetch(), Query: r.GetQuery(), Using: r.Using, Filter: r.GetFilter(), Params: r.GetParams(), ScoreThreshold: r.ScoreThreshold,
		WithPayload: r.GetWithPayload(), WithVectors: r.GetWithVectors(),
		ShardKeySelector: r.GetShardKeySelector(),
	})
	if err != nil {
		return nil, err
	}
	if q.unscored() {
		return nil, invalid("groups need a query that scores: points in order or at random have no scores")
	}
	limit, size := uint64(defaultGroups), uint64(defaultGroupSize)
	setValue(&limit, r.Limit)
	setValue(&size, r.GroupSize)
	result, err := s.inGroups(ctx, groupsRequest{requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, r.GetGroupBy(), limit, size}, q)
	return &qdrant.QueryGroupsResponse{Result: result, Time: since(start)}, err
}

// groupsRequest is what all requests for groups share.
type groupsRequest struct {
	requestHead
	by          string
	limit, size uint64
}

func (s *pointsService) inGroups(ctx context.Context, r groupsRequest, q query) (*qdrant.GroupsResult, error) {
	by, err := s.groupingFrom(r.by, r.limit, r.size)
	if err != nil {
		return nil, err
	}
	queries := []query{q}
	asks := asked(queries)
	last := &asks[len(asks)-1]
	last.Limit, last.GroupBy = r.limit*r.size, by.path.String()
	ctx, cancel, err := s.begin(ctx, r.collection, strictmode.Read{Timeout: r.timeout, Queries: asks})
	if err != nil {
		return nil, err
	}
	defer cancel()
	e, err := s.prepare(ctx, r.collection, r.consistency, queries)
	if err != nil {
		return nil, err
	}
	groups, err := e.groups(ctx, queries[0], by)
	if err != nil {
		return nil, err
	}
	return groupsTo(e, groups)
}
