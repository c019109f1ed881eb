package api

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"
)

// Discover returns the points on the right side of pairs of examples, those most similar to a target first.
func (s *pointsService) Discover(ctx context.Context, r *qdrant.DiscoverPoints) (*qdrant.DiscoverResponse, error) {
	start := time.Now()
	q, err := s.discoverFrom(r)
	if err != nil {
		return nil, err
	}
	result, err := s.runOne(ctx, requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, q)
	return &qdrant.DiscoverResponse{Result: result, Time: since(start)}, err
}

// DiscoverBatch answers several discoveries of one collection, in order. An empty batch has an empty answer.
func (s *pointsService) DiscoverBatch(ctx context.Context, r *qdrant.DiscoverBatchPoints) (*qdrant.DiscoverBatchResponse, error) {
	start := time.Now()
	parts := make([]batchPart, len(r.GetDiscoverPoints()))
	for i, p := range r.GetDiscoverPoints() {
		parts[i] = batchPart{requestHead{p.GetCollectionName(), p.Timeout, p.GetReadConsistency()}, func() (query, error) { return s.discoverFrom(p) }}
	}
	results, err := s.runBatch(ctx, requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, parts)
	return &qdrant.DiscoverBatchResponse{Result: results, Time: since(start)}, err
}

// discoverFrom reads a Discover. Without a target it is a context query.
func (c *core) discoverFrom(r *qdrant.DiscoverPoints) (query, error) {
	q, err := c.searchBase(r, r.GetUsing(), nil, r.GetLimit(), r.GetOffset())
	if err != nil {
		return query{}, err
	}
	around := &qdrant.ContextInput{}
	for _, p := range r.GetContext() {
		positive, err := inputFrom(p.GetPositive())
		if err != nil {
			return query{}, err
		}
		negative, err := inputFrom(p.GetNegative())
		if err != nil {
			return query{}, err
		}
		around.Pairs = append(around.Pairs, &qdrant.ContextInputPair{Positive: positive, Negative: negative})
	}
	if r.GetTarget() == nil {
		err = q.setContext(around)
	} else {
		var target *qdrant.VectorInput
		if target, err = inputFrom(r.GetTarget().GetSingle()); err == nil {
			err = q.setDiscover(&qdrant.DiscoverInput{Target: target, Context: around})
		}
	}
	return q, first(err, c.checkQuery(q))
}

// inputFrom writes an example in its newer form.
func inputFrom(e *qdrant.VectorExample) (*qdrant.VectorInput, error) {
	var ids []*qdrant.PointId
	var vectors []*qdrant.Vector
	switch v := e.GetExample().(type) {
	case *qdrant.VectorExample_Id:
		ids = append(ids, v.Id)
	case *qdrant.VectorExample_Vector:
		vectors = append(vectors, v.Vector)
	default:
		return nil, invalid("example: neither an id nor a vector is given")
	}
	inputs, err := inputsFrom(ids, vectors)
	if err != nil {
		return nil, err
	}
	return inputs[0], nil
}
