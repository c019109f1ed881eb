package api

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/strictmode"
)

// Facet counts the values of a field that has an index for that, the most frequent first.
func (s *pointsService) Facet(ctx context.Context, r *qdrant.FacetCounts) (*qdrant.FacetResponse, error) {
	start := time.Now()
	path, err := catalog.FieldPath(r.GetKey())
	if err != nil {
		return nil, err
	}
	f, err := filterFrom(r.GetFilter())
	if err != nil {
		return nil, err
	}
	limit := uint64(defaultLimit)
	if r.Limit != nil {
		limit = r.GetLimit()
	}
	if err := s.checkLimit(limit, 0); err != nil {
		return nil, err
	}
	o, err := readOptions(ctx, r.GetReadConsistency(), r.GetShardKeySelector())
	if err != nil {
		return nil, err
	}
	ask := strictmode.Query{Limit: limit, Filter: f, Exact: r.GetExact()}
	ctx, cancel, err := s.begin(ctx, r.GetCollectionName(), strictmode.Read{Timeout: r.Timeout, Queries: []strictmode.Query{ask}})
	if err != nil {
		return nil, err
	}
	defer cancel()
	facets, err := s.Points.Facet(ctx, r.GetCollectionName(), shard.FacetRequest{Path: path, Filter: f, Exact: r.GetExact()}, limit, o)
	if err != nil {
		return nil, err
	}
	hits := make([]*qdrant.FacetHit, len(facets))
	for i, f := range facets {
		hits[i] = &qdrant.FacetHit{Value: facetValueTo(f), Count: f.Count}
	}
	return &qdrant.FacetResponse{Hits: hits, Time: since(start)}, nil
}

func facetValueTo(f payload.Facet) *qdrant.FacetValue {
	switch v := f.Value.(type) {
	case string:
		return &qdrant.FacetValue{Variant: &qdrant.FacetValue_StringValue{StringValue: v}}
	case int64:
		return &qdrant.FacetValue{Variant: &qdrant.FacetValue_IntegerValue{IntegerValue: v}}
	case bool:
		return &qdrant.FacetValue{Variant: &qdrant.FacetValue_BoolValue{BoolValue: v}}
	}
	return nil
}
