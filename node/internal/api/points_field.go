package api

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// CreateFieldIndex declares a payload index. Queries use it where it is complete, and what they return does not depend
// on that; with wait, it returns once the index is complete on every replica that can be read.
func (s *pointsService) CreateFieldIndex(ctx context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	index, err := fieldIndexFrom(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := deadline(ctx, r.Timeout, s.Timeout)
	defer cancel()
	declared, err := s.declareField(ctx, r.GetCollectionName(), func(c *catalog.Collection) catalog.Command {
		return catalog.Command{CreateFieldIndex: &catalog.CreateFieldIndex{Name: c.Name, ID: c.ID, Field: r.GetFieldName(), Index: index}}
	})
	if err != nil {
		return nil, err
	}
	status := qdrant.UpdateStatus_Acknowledged
	if r.GetWait() {
		path, _ := catalog.FieldPath(r.GetFieldName()) // the command was checked
		status = s.awaitField(ctx, declared, path)
	}
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{Status: status}, Time: since(start)}, nil
}

// DeleteFieldIndex drops a payload index; where there is none it is done already.
func (s *pointsService) DeleteFieldIndex(ctx context.Context, r *qdrant.DeleteFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	ctx, cancel := deadline(ctx, r.Timeout, s.MetadataTimeout)
	defer cancel()
	_, err := s.declareField(ctx, r.GetCollectionName(), func(c *catalog.Collection) catalog.Command {
		return catalog.Command{DeleteFieldIndex: &catalog.DeleteFieldIndex{Name: c.Name, ID: c.ID, Field: r.GetFieldName()}}
	})
	if err != nil {
		return nil, err
	}
	status := qdrant.UpdateStatus_Acknowledged
	if r.GetWait() {
		status = qdrant.UpdateStatus_Completed // queries do without
	}
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{Status: status}, Time: since(start)}, nil
}

// declareField changes the declaration of a field of the collection that has the name when the change is made, and
// returns that collection's own name.
func (s *pointsService) declareField(ctx context.Context, collection string, command func(*catalog.Collection) catalog.Command) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.MetadataTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		_, found, err := s.find(ctx, collection)
		if err != nil {
			return "", err
		}
		c := command(found)
		if err := c.Check(); err != nil {
			return "", err
		}
		_, err = s.Metadata.Propose(ctx, c)
		if err == nil {
			s.settle(ctx)
			return found.Name, nil
		}
		if !fault.Is(err, fault.Conflict) || attempt == changeAttempts {
			return "", err
		}
	}
}

// The pauses between two looks at whether a payload index is complete.
const (
	shortestLook = 10 * time.Millisecond
	longestLook  = 500 * time.Millisecond
)

// awaitField waits until a payload index is complete, or is no longer declared. The index is declared in any case: one
// that takes longer than there is time for is completed afterwards.
func (s *pointsService) awaitField(ctx context.Context, collection, path string) qdrant.UpdateStatus {
	for pause := shortestLook; ; pause = min(2*pause, longestLook) {
		info, err := s.Inspector.Info(ctx, collection)
		if fault.Is(err, fault.NotFound) {
			return qdrant.UpdateStatus_Completed
		}
		if field, declared := info.Fields[path]; err == nil && (field.Ready || !declared) {
			return qdrant.UpdateStatus_Completed
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return qdrant.UpdateStatus_WaitTimeout
		}
	}
}
