package api

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
)

// The methods of Points that are not built, each naming what is missing.

// SearchMatrixPairs is not built.
func (s *pointsService) SearchMatrixPairs(context.Context, *qdrant.SearchMatrixPoints) (*qdrant.SearchMatrixPairsResponse, error) {
	return nil, missing("distance matrices", "Points.SearchMatrixPairs")
}

// SearchMatrixOffsets is not built.
func (s *pointsService) SearchMatrixOffsets(context.Context, *qdrant.SearchMatrixPoints) (*qdrant.SearchMatrixOffsetsResponse, error) {
	return nil, missing("distance matrices", "Points.SearchMatrixOffsets")
}
