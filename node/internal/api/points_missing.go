package api

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
)

// The methods of Points that are not built, each naming what is missing.

// SearchGroups is not built.
func (s *pointsService) SearchGroups(context.Context, *qdrant.SearchPointGroups) (*qdrant.SearchGroupsResponse, error) {
	return nil, missing("grouping of results", "Points.SearchGroups")
}

// QueryGroups is not built.
func (s *pointsService) QueryGroups(context.Context, *qdrant.QueryPointGroups) (*qdrant.QueryGroupsResponse, error) {
	return nil, missing("grouping of results", "Points.QueryGroups")
}

// Recommend is not built.
func (s *pointsService) Recommend(context.Context, *qdrant.RecommendPoints) (*qdrant.RecommendResponse, error) {
	return nil, missing("recommendation", "Points.Recommend")
}

// RecommendBatch is not built.
func (s *pointsService) RecommendBatch(context.Context, *qdrant.RecommendBatchPoints) (*qdrant.RecommendBatchResponse, error) {
	return nil, missing("recommendation", "Points.RecommendBatch")
}

// RecommendGroups is not built.
func (s *pointsService) RecommendGroups(context.Context, *qdrant.RecommendPointGroups) (*qdrant.RecommendGroupsResponse, error) {
	return nil, missing("recommendation", "Points.RecommendGroups")
}

// Discover is not built.
func (s *pointsService) Discover(context.Context, *qdrant.DiscoverPoints) (*qdrant.DiscoverResponse, error) {
	return nil, missing("discovery", "Points.Discover")
}

// DiscoverBatch is not built.
func (s *pointsService) DiscoverBatch(context.Context, *qdrant.DiscoverBatchPoints) (*qdrant.DiscoverBatchResponse, error) {
	return nil, missing("discovery", "Points.DiscoverBatch")
}

// SearchMatrixPairs is not built.
func (s *pointsService) SearchMatrixPairs(context.Context, *qdrant.SearchMatrixPoints) (*qdrant.SearchMatrixPairsResponse, error) {
	return nil, missing("distance matrices", "Points.SearchMatrixPairs")
}

// SearchMatrixOffsets is not built.
func (s *pointsService) SearchMatrixOffsets(context.Context, *qdrant.SearchMatrixPoints) (*qdrant.SearchMatrixOffsetsResponse, error) {
	return nil, missing("distance matrices", "Points.SearchMatrixOffsets")
}
