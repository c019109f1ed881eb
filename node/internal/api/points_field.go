package api

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// CreateFieldIndex declares a payload index. Queries use it where it is complete; what they return does not depend on
// that.
func (s *pointsService) CreateFieldIndex(ctx context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	index, err := fieldIndexFrom(r)
	if err != nil {
		return nil, err
	}
	return s.declareField(ctx, r, r.Timeout, func(c *catalog.Collection) catalog.Command {
		return catalog.Command{CreateFieldIndex: &catalog.CreateFieldIndex{Name: c.Name, ID: c.ID, Field: r.GetFieldName(), Index: index}}
	})
}

// DeleteFieldIndex drops a payload index; where there is none it is done already.
func (s *pointsService) DeleteFieldIndex(ctx context.Context, r *qdrant.DeleteFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	return s.declareField(ctx, r, r.Timeout, func(c *catalog.Collection) catalog.Command {
		return catalog.Command{DeleteFieldIndex: &catalog.DeleteFieldIndex{Name: c.Name, ID: c.ID, Field: r.GetFieldName()}}
	})
}

// declareField changes the declaration of a field of the collection that has the name when the change is made.
func (s *pointsService) declareField(ctx context.Context, r writeRequest, timeout *uint64, command func(*catalog.Collection) catalog.Command) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	ctx, cancel := deadline(ctx, timeout, s.MetadataTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		_, found, err := s.find(ctx, r.GetCollectionName())
		if err != nil {
			return nil, err
		}
		c := command(found)
		if err := c.Check(); err != nil {
			return nil, err
		}
		_, err = s.Metadata.Propose(ctx, c)
		if err == nil {
			break
		}
		if !fault.Is(err, fault.Conflict) || attempt == changeAttempts {
			return nil, err
		}
	}
	s.settle(ctx)
	result := &qdrant.UpdateResult{Status: qdrant.UpdateStatus_Acknowledged}
	if r.GetWait() {
		result.Status = qdrant.UpdateStatus_Completed
	}
	return &qdrant.PointsOperationResponse{Result: result, Time: since(start)}, nil
}
