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
	out, hits := make([]*qdrant.ScoredPoint, len(results)), make([]hit, len(results))
	for i := range results {
		r, h := &results[i], &hits[i]
		payload, err := payloadTo(r.Payload)
		if err != nil {
			return nil, err
		}
		if r.ID.IsUUID() {
			h.point.Id = idTo(r.ID)
		} else {
			h.number.Num = r.ID.Number()
			h.id.PointIdOptions = &h.number
			h.point.Id = &h.id
		}
		h.point.Payload, h.point.Vectors, h.point.ShardKey = payload, vectorsTo(r.VectorSet(), declared), shardKeyTo(r.ShardKey)
		h.point.Score, h.point.Version = r.Score, r.Version
		out[i] = &h.point
	}
	return out, nil
}

// hit is the messages that one result of a search consists of at least: all of a result are made at once.
type hit struct {
	point  qdrant.ScoredPoint
	id     qdrant.PointId
	number qdrant.PointId_Num
}
