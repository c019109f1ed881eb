package api

import (
	"context"
	"errors"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/strictmode"
)

// pointsService serves qdrant.Points. The write ordering of a request is honoured without being looked at: every
// write of a shard passes its primary's log, so weak, medium and strong ordering are all the total order.
type pointsService struct {
	qdrant.UnimplementedPointsServer
	*core
}

// writeRequest is what all requests that change points share.
type writeRequest interface {
	GetCollectionName() string
	GetWait() bool
}

// keyedWrite is a writeRequest that makes one change.
type keyedWrite interface {
	writeRequest
	keyed
}

// write checks and sends one operation whose conversion may have failed with err.
func (s *pointsService) write(ctx context.Context, r keyedWrite, timeout *uint64, op point.Op, sizes shapes, err error) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	if err != nil {
		return nil, err
	}
	keys, err := keysFrom(r.GetShardKeySelector())
	if err != nil {
		return nil, err
	}
	results, err := s.writeAll(ctx, r, timeout, []point.Op{op}, []*coordinator.Keys{keys}, sizes)
	if err != nil {
		return nil, err
	}
	return &qdrant.PointsOperationResponse{Result: results[0], Time: since(start)}, nil
}

// writeAll checks all operations before it sends the first, then sends one after the other. keys[i] are those of ops[i].
func (s *pointsService) writeAll(ctx context.Context, r writeRequest, timeout *uint64, ops []point.Op, keys []*coordinator.Keys, sizes shapes) ([]*qdrant.UpdateResult, error) {
	found, ctx, cancel, err := s.bounded(ctx, r.GetCollectionName(), timeout)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if err := sizes.check(&found.Config); err != nil {
		return nil, err
	}
	for i, op := range ops {
		if err := checkOp(op, &found.Config); err != nil {
			return nil, numbered(err, i, len(ops), "nothing of the batch is applied")
		}
	}
	if err := s.checkKeys(ctx, r.GetCollectionName(), keys); err != nil {
		return nil, err
	}
	if err := s.strict.Write(ctx, found, strictmode.Write{Timeout: timeout, Ops: ops}); err != nil {
		return nil, err
	}
	results := make([]*qdrant.UpdateResult, len(ops))
	for i, op := range ops {
		result, err := s.Points.Write(ctx, r.GetCollectionName(), op, coordinator.WriteOptions{Wait: r.GetWait(), Keys: keys[i]})
		if err != nil {
			return nil, half(numbered(err, i, len(ops), "those before it are applied"), i)
		}
		results[i] = updateResult(result, r.GetWait())
	}
	return results, nil
}

// checkKeys refuses writes for shard keys that the collection does not have, or for none where it has some.
func (c *core) checkKeys(ctx context.Context, collection string, keys []*coordinator.Keys) error {
	found, known := c.Metadata.State().Lookup(collection)
	if !known {
		return nil // whether it exists is for the coordinator to say
	}
	current := false
	for i := 0; i < len(keys); i++ {
		err := keys[i].Check(found, true)
		if (fault.Is(err, fault.NotFound) || fault.Is(err, fault.FailedPrecondition)) && !current {
			if err := c.CatchUp(ctx); err != nil {
				return within(err, "a shard key is not known here")
			}
			if found, known = c.Metadata.State().Lookup(collection); !known {
				return catalog.ErrMissingCollection(collection)
			}
			current = true
			i--
			continue
		}
		if err != nil {
			return numbered(err, i, len(keys), "nothing of the batch is applied")
		}
	}
	return nil
}

// checkShapes compares the sizes of vectors of multivectors with what the collection declares, which only the API can.
func (c *core) checkShapes(ctx context.Context, collection string, sizes shapes) error {
	if len(sizes) == 0 {
		return nil
	}
	_, found, err := c.find(ctx, collection)
	if err != nil {
		return err
	}
	return sizes.check(&found.Config)
}

// numbered says which of several operations failed, and what became of the others.
func numbered(err error, i, n int, others string) error {
	if n == 1 {
		return err
	}
	return within(err, "operation %d of %d (%s)", i+1, n, others)
}

// half marks an error of a batch of which i operations are applied, so that no client takes the batch for one that
// changed nothing and sends it again.
func half(err error, i int) error {
	var e *fault.Error
	if i == 0 || !errors.As(err, &e) {
		return err
	}
	return e.With(fault.HintOutcome, fault.OutcomeUnknown)
}

// updateResult says what became of a write: acknowledged means stored by as many replicas as declared, completed
// that they show it. A write that was to be completed but only got acknowledged ran out of time on the way.
func updateResult(r coordinator.WriteResult, wait bool) *qdrant.UpdateResult {
	id := r.OperationID
	out := &qdrant.UpdateResult{OperationId: &id, Status: qdrant.UpdateStatus_Acknowledged}
	switch {
	case wait && r.Completed:
		out.Status = qdrant.UpdateStatus_Completed
	case wait:
		out.Status = qdrant.UpdateStatus_WaitTimeout
	}
	return out
}

// Upsert stores points.
func (s *pointsService) Upsert(ctx context.Context, r *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	var sizes shapes
	op, err := upsertFrom(r, &sizes)
	return s.write(ctx, r, r.Timeout, op, sizes, err)
}

// Delete removes points.
func (s *pointsService) Delete(ctx context.Context, r *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	op, err := deleteFrom(r.GetPoints())
	return s.write(ctx, r, r.Timeout, op, nil, err)
}

// UpdateVectors replaces named vectors of existing points.
func (s *pointsService) UpdateVectors(ctx context.Context, r *qdrant.UpdatePointVectors) (*qdrant.PointsOperationResponse, error) {
	var sizes shapes
	op, err := updateVectorsFrom(r, &sizes)
	return s.write(ctx, r, r.Timeout, op, sizes, err)
}

// DeleteVectors removes vectors by name.
func (s *pointsService) DeleteVectors(ctx context.Context, r *qdrant.DeletePointVectors) (*qdrant.PointsOperationResponse, error) {
	op, err := deleteVectorsFrom(r)
	return s.write(ctx, r, r.Timeout, op, nil, err)
}

// SetPayload merges into payloads.
func (s *pointsService) SetPayload(ctx context.Context, r *qdrant.SetPayloadPoints) (*qdrant.PointsOperationResponse, error) {
	op, err := setPayloadFrom(r, r.Key)
	return s.write(ctx, r, r.Timeout, op, nil, err)
}

// OverwritePayload replaces payloads.
func (s *pointsService) OverwritePayload(ctx context.Context, r *qdrant.SetPayloadPoints) (*qdrant.PointsOperationResponse, error) {
	op, err := overwritePayloadFrom(r, r.Key)
	return s.write(ctx, r, r.Timeout, op, nil, err)
}

// DeletePayload removes keys from payloads.
func (s *pointsService) DeletePayload(ctx context.Context, r *qdrant.DeletePayloadPoints) (*qdrant.PointsOperationResponse, error) {
	op, err := deletePayloadFrom(r)
	return s.write(ctx, r, r.Timeout, op, nil, err)
}

// ClearPayload empties payloads.
func (s *pointsService) ClearPayload(ctx context.Context, r *qdrant.ClearPayloadPoints) (*qdrant.PointsOperationResponse, error) {
	op, err := clearPayloadFrom(r.GetPoints())
	return s.write(ctx, r, r.Timeout, op, nil, err)
}

// UpdateBatch applies operations in order, one result each. All are checked before the first is sent.
func (s *pointsService) UpdateBatch(ctx context.Context, r *qdrant.UpdateBatchPoints) (*qdrant.UpdateBatchResponse, error) {
	start := time.Now()
	if err := s.checkBatch(len(r.GetOperations())); err != nil {
		return nil, err
	}
	var sizes shapes
	ops, keys := make([]point.Op, len(r.GetOperations())), make([]*coordinator.Keys, len(r.GetOperations()))
	for i, u := range r.GetOperations() {
		var err error
		if ops[i], err = updateFrom(u, &sizes); err == nil {
			keys[i], err = keysOf(u)
		}
		if err != nil {
			return nil, numbered(err, i, len(ops), "nothing of the batch is applied")
		}
	}
	results, err := s.writeAll(ctx, r, r.Timeout, ops, keys, sizes)
	if err != nil {
		return nil, err
	}
	return &qdrant.UpdateBatchResponse{Result: results, Time: since(start)}, nil
}

// checkBatch bounds the number of operations or queries in a request.
func (c *core) checkBatch(n int) error {
	if n == 0 {
		return invalid("Empty batch: no operations are given")
	}
	if n > c.MaxBatch {
		return invalid("a batch of %d: at most %d are allowed", n, c.MaxBatch)
	}
	return nil
}
