package api

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/strictmode"
)

// Get returns points by id, in the order of the request; absent ones are left out.
func (s *pointsService) Get(ctx context.Context, r *qdrant.GetPoints) (*qdrant.GetResponse, error) {
	start := time.Now()
	req, err := s.getFrom(r)
	if err != nil {
		return nil, err
	}
	o, err := readOptions(ctx, r.GetReadConsistency(), r.GetShardKeySelector())
	if err != nil {
		return nil, err
	}
	ctx, cancel, err := s.begin(ctx, r.GetCollectionName(), strictmode.Read{Timeout: r.Timeout})
	if err != nil {
		return nil, err
	}
	defer cancel()
	records, err := s.Points.Get(ctx, r.GetCollectionName(), req, o)
	if err != nil {
		return nil, err
	}
	declared, _ := s.declared(r.GetCollectionName())
	result, err := retrievedTo(records, &declared)
	return &qdrant.GetResponse{Result: result, Time: since(start)}, err
}

func (s *pointsService) getFrom(r *qdrant.GetPoints) (shard.GetRequest, error) {
	v, err := viewFrom(r.GetWithPayload(), false, r.GetWithVectors())
	if err != nil {
		return shard.GetRequest{}, err
	}
	ids, err := idsFrom(r.GetIds())
	if err != nil {
		return shard.GetRequest{}, err
	}
	err = first(s.checkView(r.GetCollectionName(), v), s.checkLimit(uint64(len(ids)), 0))
	return shard.GetRequest{IDs: ids, Payload: v.payload, Vectors: v.vectors}, err
}

// Scroll returns points in the order of their ids and where the next page starts.
func (s *pointsService) Scroll(ctx context.Context, r *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	start := time.Now()
	req, err := s.scrollFrom(r)
	if err != nil {
		return nil, err
	}
	o, err := readOptions(ctx, r.GetReadConsistency(), r.GetShardKeySelector())
	if err != nil {
		return nil, err
	}
	ask := strictmode.Query{Limit: req.Limit, Filter: req.Filter}
	ctx, cancel, err := s.begin(ctx, r.GetCollectionName(), strictmode.Read{Timeout: r.Timeout, Queries: []strictmode.Query{ask}})
	if err != nil {
		return nil, err
	}
	defer cancel()
	if r.GetOrderBy() != nil {
		return s.scrollInOrder(ctx, r, req, o)
	}
	records, next, err := s.Points.Scroll(ctx, r.GetCollectionName(), req, o)
	if err != nil {
		return nil, err
	}
	resp := &qdrant.ScrollResponse{}
	if next != nil {
		resp.NextPageOffset = idTo(*next)
	}
	declared, _ := s.declared(r.GetCollectionName())
	resp.Result, err = retrievedTo(records, &declared)
	resp.Time = since(start)
	return resp, err
}

// scrollInOrder returns the first points by a payload value. There is no next page: start_from and a filter that leaves out
// what has been seen give it.
func (s *pointsService) scrollInOrder(ctx context.Context, r *qdrant.ScrollPoints, req shard.ScrollRequest, o coordinator.ReadOptions) (*qdrant.ScrollResponse, error) {
	start := time.Now()
	if r.Offset != nil {
		return nil, invalid("offset cannot be used with order_by: use its start_from, and a filter that leaves out the points that were seen")
	}
	order, err := orderFrom(r.GetOrderBy())
	if err != nil {
		return nil, err
	}
	found, err := s.Points.Search(ctx, r.GetCollectionName(), []coordinator.Query{{SearchRequest: shard.SearchRequest{
		Order: order, Filter: req.Filter, Limit: req.Limit, Payload: req.Payload, Vectors: req.Vectors,
	}}}, o)
	if err != nil {
		return nil, err
	}
	_, collection, err := s.find(ctx, r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	records := make([]point.Record, len(found[0]))
	for i, hit := range found[0] {
		records[i] = hit.Record
	}
	points, err := retrievedTo(records, &collection.Config)
	for i := range points {
		points[i].OrderValue = orderValueTo(collection, order, found[0][i].Rank)
	}
	return &qdrant.ScrollResponse{Result: points, Time: since(start)}, err
}

func (s *pointsService) scrollFrom(r *qdrant.ScrollPoints) (shard.ScrollRequest, error) {
	v, err := viewFrom(r.GetWithPayload(), true, r.GetWithVectors())
	if err != nil {
		return shard.ScrollRequest{}, err
	}
	req := shard.ScrollRequest{Limit: defaultLimit, Payload: v.payload, Vectors: v.vectors}
	if r.Limit != nil {
		req.Limit = uint64(r.GetLimit())
	}
	if r.Offset != nil {
		id, err := idFrom(r.GetOffset())
		if err != nil {
			return shard.ScrollRequest{}, err
		}
		req.From = &id
	}
	if req.Filter, err = filterFrom(r.GetFilter()); err != nil {
		return shard.ScrollRequest{}, err
	}
	return req, first(s.checkView(r.GetCollectionName(), v), s.checkLimit(req.Limit, 0))
}

// Count counts the points that match. The count is always exact, which is also good enough for an approximate one.
func (s *pointsService) Count(ctx context.Context, r *qdrant.CountPoints) (*qdrant.CountResponse, error) {
	start := time.Now()
	f, err := filterFrom(r.GetFilter())
	if err != nil {
		return nil, err
	}
	o, err := readOptions(ctx, r.GetReadConsistency(), r.GetShardKeySelector())
	if err != nil {
		return nil, err
	}
	ask := strictmode.Query{Filter: f, Exact: r.Exact == nil || r.GetExact()}
	ctx, cancel, err := s.begin(ctx, r.GetCollectionName(), strictmode.Read{Timeout: r.Timeout, Queries: []strictmode.Query{ask}})
	if err != nil {
		return nil, err
	}
	defer cancel()
	n, err := s.Points.Count(ctx, r.GetCollectionName(), f, o)
	return &qdrant.CountResponse{Result: &qdrant.CountResult{Count: n}, Time: since(start)}, err
}

// checkView refuses vector names that the collection, if it is known here, does not declare.
func (c *core) checkView(collection string, v view) error {
	declared, known := c.declared(collection)
	if !known {
		return nil
	}
	return declared.CheckNames(v.vectors.Names)
}
