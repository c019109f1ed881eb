package client

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
)

const pointsService = "qdrant.Points/"

// Upsert stores points; a stored point is replaced as a whole.
func (c *Client) Upsert(ctx context.Context, collection string, points []Point, o WriteOptions) (WriteResult, error) {
	op := operation{kind: idempotent, method: pointsService + "Upsert"}
	request, err := upsertRequest(collection, points, o)
	if err != nil {
		return WriteResult{}, named(err, op)
	}
	return c.write(ctx, op, func(ctx context.Context, e *endpoint) (*qdrant.PointsOperationResponse, error) {
		return e.points.Upsert(ctx, request)
	})
}

// DeletePoints removes points. Absent ones are no error.
func (c *Client) DeletePoints(ctx context.Context, collection string, s Selector, o WriteOptions) (WriteResult, error) {
	op := operation{kind: s.kind(), method: pointsService + "Delete"}
	selector, err := s.wire()
	if err != nil {
		return WriteResult{}, named(err, op)
	}
	return c.write(ctx, op, func(ctx context.Context, e *endpoint) (*qdrant.PointsOperationResponse, error) {
		return e.points.Delete(ctx, &qdrant.DeletePoints{CollectionName: collection, Wait: &o.Wait, Points: selector})
	})
}

// SetPayload merges payload into the payloads of the selected points.
func (c *Client) SetPayload(ctx context.Context, collection string, s Selector, payload map[string]any, o WriteOptions) (WriteResult, error) {
	op := operation{kind: s.kind(), method: pointsService + "SetPayload"}
	selector, err := s.wire()
	if err != nil {
		return WriteResult{}, named(err, op)
	}
	fields, err := toPayload(payload)
	if err != nil {
		return WriteResult{}, named(invalid("payload %v", err), op)
	}
	return c.write(ctx, op, func(ctx context.Context, e *endpoint) (*qdrant.PointsOperationResponse, error) {
		return e.points.SetPayload(ctx, &qdrant.SetPayloadPoints{
			CollectionName: collection, Wait: &o.Wait, Payload: fields, PointsSelector: selector,
		})
	})
}

func (c *Client) write(
	ctx context.Context, op operation, f func(context.Context, *endpoint) (*qdrant.PointsOperationResponse, error),
) (WriteResult, error) {
	reply, err := call(ctx, c, op, f)
	if err != nil {
		return WriteResult{}, err
	}
	return WriteResult{
		OperationID: reply.GetResult().GetOperationId(),
		Completed:   reply.GetResult().GetStatus() == qdrant.UpdateStatus_Completed,
	}, nil
}

// Query returns the nearest points, nearest first.
func (c *Client) Query(ctx context.Context, collection string, r QueryRequest) ([]Scored, error) {
	op := operation{kind: read, method: pointsService + "Query"}
	request, err := queryRequest(collection, r)
	if err != nil {
		return nil, named(err, op)
	}
	ctx, request.ReadConsistency = c.reads(ctx)
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.QueryResponse, error) {
		return e.points.Query(ctx, request)
	})
	return scoredOf(reply.GetResult()), err
}

func queryRequest(collection string, r QueryRequest) (*qdrant.QueryPoints, error) {
	filter, err := r.Filter.wire()
	if err != nil {
		return nil, err
	}
	request := &qdrant.QueryPoints{
		CollectionName: collection,
		Filter:         filter,
		ScoreThreshold: r.ScoreThreshold,
		WithPayload:    qdrant.NewWithPayload(r.WithPayload),
		WithVectors:    qdrant.NewWithVectors(r.WithVectors),
	}
	switch {
	case r.Vector != nil && r.ID != nil:
		return nil, invalid("query: give a vector or an id, not both")
	case r.ID != nil:
		request.Query = qdrant.NewQueryID(r.ID.wire())
	case r.Vector != nil:
		request.Query = qdrant.NewQueryDense(r.Vector)
	default:
		return nil, invalid("query: give a vector or an id")
	}
	if r.Using != "" {
		request.Using = &r.Using
	}
	if r.Limit != 0 {
		request.Limit = &r.Limit
	}
	if r.Offset != 0 {
		request.Offset = &r.Offset
	}
	return request, nil
}

// Scroll returns one page of points in the order of their ids (numbers before UUIDs), and the id from which the next
// page starts; nil: there is none.
func (c *Client) Scroll(ctx context.Context, collection string, r ScrollRequest) ([]Record, *PointID, error) {
	op := operation{kind: read, method: pointsService + "Scroll"}
	filter, err := r.Filter.wire()
	if err != nil {
		return nil, nil, named(err, op)
	}
	request := &qdrant.ScrollPoints{
		CollectionName: collection, Filter: filter,
		WithPayload: qdrant.NewWithPayload(r.WithPayload), WithVectors: qdrant.NewWithVectors(r.WithVectors),
	}
	if r.From != nil {
		request.Offset = r.From.wire()
	}
	if r.Limit != 0 {
		request.Limit = &r.Limit
	}
	ctx, request.ReadConsistency = c.reads(ctx)
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.ScrollResponse, error) {
		return e.points.Scroll(ctx, request)
	})
	if err != nil {
		return nil, nil, err
	}
	var next *PointID
	if reply.GetNextPageOffset() != nil {
		id := idOf(reply.GetNextPageOffset())
		next = &id
	}
	return recordsOf(reply.GetResult()), next, nil
}

// Count returns how many points match; a nil filter counts all.
func (c *Client) Count(ctx context.Context, collection string, f *Filter) (uint64, error) {
	op := operation{kind: read, method: pointsService + "Count"}
	filter, err := f.wire()
	if err != nil {
		return 0, named(err, op)
	}
	exact := true
	ctx, consistency := c.reads(ctx)
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.CountResponse, error) {
		return e.points.Count(ctx, &qdrant.CountPoints{
			CollectionName: collection, Filter: filter, Exact: &exact, ReadConsistency: consistency,
		})
	})
	return reply.GetResult().GetCount(), err
}

// Get returns points by id, in the order of the request. Absent ones are left out.
func (c *Client) Get(ctx context.Context, collection string, r GetRequest) ([]Record, error) {
	op := operation{kind: read, method: pointsService + "Get"}
	ctx, consistency := c.reads(ctx)
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.GetResponse, error) {
		return e.points.Get(ctx, &qdrant.GetPoints{
			CollectionName: collection, Ids: wireIDs(r.IDs),
			WithPayload: qdrant.NewWithPayload(r.WithPayload), WithVectors: qdrant.NewWithVectors(r.WithVectors),
			ReadConsistency: consistency,
		})
	})
	return recordsOf(reply.GetResult()), err
}
