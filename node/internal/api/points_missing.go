package api

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
)

// The methods of Points that are not built, each naming what is missing.

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
