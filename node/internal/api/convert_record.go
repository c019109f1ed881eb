package api

import (
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// retrievedTo writes the points of a Get or Scroll.
func retrievedTo(records []point.Record, declared *catalog.Config) ([]*qdrant.RetrievedPoint, error) {
	out := make([]*qdrant.RetrievedPoint, len(records))
	for i, r := range records {
		payload, err := payloadTo(r.Payload)
		if err != nil {
			return nil, err
		}
		out[i] = &qdrant.RetrievedPoint{Id: idTo(r.ID), Payload: payload, Vectors: vectorsTo(r.VectorSet(), declared), ShardKey: shardKeyTo(r.ShardKey)}
	}
	return out, nil
}

// scoredTo writes the points of a search.
func scoredTo(results []shard.Scored, declared *catalog.Config) ([]*qdrant.ScoredPoint, error) {
	out := make([]*qdrant.ScoredPoint, len(results))
	for i, r := range results {
		payload, err := payloadTo(r.Payload)
		if err != nil {
			return nil, err
		}
		out[i] = &qdrant.ScoredPoint{
			Id: idTo(r.ID), Payload: payload, Vectors: vectorsTo(r.VectorSet(), declared), Score: r.Score, Version: r.Version,
			ShardKey: shardKeyTo(r.ShardKey),
		}
	}
	return out, nil
}
