package api

import (
	"context"
	"maps"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// CreateVectorName adds a vector to a collection; its points have none of that name yet. With wait, it returns once most replicas of
// each shard know it.
func (s *pointsService) CreateVectorName(ctx context.Context, r *qdrant.CreateVectorNameRequest) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	add, err := vectorCreationFrom(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := deadline(ctx, r.Timeout, s.Timeout)
	defer cancel()
	_, found, err := s.declareVectors(ctx, r.GetCollectionName(), add)
	if err != nil {
		return nil, err
	}
	status := qdrant.UpdateStatus_Acknowledged
	if r.GetWait() {
		status = s.awaitVector(ctx, found.Name, r.GetVectorName())
	}
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{Status: status}, Time: since(start)}, nil
}

// vectorCreationFrom reads what is added to a declaration.
func vectorCreationFrom(r *qdrant.CreateVectorNameRequest) (func(*catalog.Config) error, error) {
	name := r.GetVectorName()
	switch v := r.GetVectorConfig().(type) {
	case *qdrant.CreateVectorNameRequest_DenseConfig:
		dense := v.DenseConfig
		params, err := oneVectorParamsFrom(name, &qdrant.VectorParams{
			Size: dense.GetSize(), Distance: dense.GetDistance(), Datatype: dense.Datatype, MultivectorConfig: dense.GetMultivectorConfig(),
		})
		return func(c *catalog.Config) error {
			if c.Has(name) {
				return errVectorExists(name)
			}
			c.Vectors = with(c.Vectors, name, params)
			return nil
		}, err
	case *qdrant.CreateVectorNameRequest_SparseConfig:
		datatype, err := datatypeFrom(v.SparseConfig.GetDatatype(), "SparseVectorCreationConfig.datatype")
		params := catalog.SparseParams{IDF: v.SparseConfig.GetModifier() == qdrant.Modifier_Idf, Datatype: datatype}
		return func(c *catalog.Config) error {
			if c.Has(name) {
				return errVectorExists(name)
			}
			c.SparseVectors = with(c.SparseVectors, name, params)
			return nil
		}, err
	}
	return nil, invalid("vector_config: neither a dense_config nor a sparse_config is given")
}

func errVectorExists(name string) error {
	return fault.New(fault.Exists, "Vector with name `%.255s` already exists", name)
}

// with returns a copy of a map with one more entry.
func with[T any](m map[string]T, name string, value T) map[string]T {
	out := make(map[string]T, len(m)+1)
	maps.Copy(out, m)
	out[name] = value
	return out
}

// without returns a copy of a map that lacks an entry.
func without[T any](m map[string]T, name string) map[string]T {
	out := maps.Clone(m)
	delete(out, name)
	return out
}

// DeleteVectorName removes a vector from a collection and from all of its points. Nobody sees it from then on; what points hold of it
// is removed before this returns, if all shards can be written to.
func (s *pointsService) DeleteVectorName(ctx context.Context, r *qdrant.DeleteVectorNameRequest) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	name := r.GetVectorName()
	ctx, cancel := deadline(ctx, r.Timeout, s.Timeout)
	defer cancel()
	before, found, err := s.declareVectors(ctx, r.GetCollectionName(), func(c *catalog.Config) error {
		if !c.Has(name) {
			return catalog.ErrNoVector(name)
		}
		c.Vectors = without(c.Vectors, name)
		if c.SparseVectors = without(c.SparseVectors, name); len(c.SparseVectors) == 0 {
			c.SparseVectors = nil
		}
		c.Strict = c.Strict.Without(name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	status := qdrant.UpdateStatus_Completed
	if err := s.Points.Forget(ctx, found.Name, before.Inner(name)); err != nil {
		s.Logger.Warn("points still hold a vector that was removed", "collection", found.Name, "vector", name, "error", err)
		status = qdrant.UpdateStatus_Acknowledged
	}
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{Status: status}, Time: since(start)}, nil
}

// declareVectors changes the vectors that a collection declares, and returns what it declared before, and the collection.
func (s *pointsService) declareVectors(ctx context.Context, collection string, change func(*catalog.Config) error) (catalog.Config, *catalog.Collection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.MetadataTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		state, found, err := s.find(ctx, collection)
		if err != nil {
			return catalog.Config{}, nil, err
		}
		declared := found.Config
		if err := change(&declared); err != nil {
			return catalog.Config{}, nil, err
		}
		if declared, err = declared.Normalized(state.Members()); err != nil {
			return catalog.Config{}, nil, err
		}
		_, err = s.Metadata.Propose(ctx, catalog.Command{UpdateCollection: &catalog.UpdateCollection{
			Name: found.Name, ID: found.ID, Base: found.Config, Config: declared,
		}})
		if err == nil {
			s.settle(ctx)
			return found.Config, found, nil
		}
		if !fault.Is(err, fault.Conflict) || attempt == changeAttempts {
			return catalog.Config{}, nil, err
		}
	}
}

// awaitVector waits until most replicas of each shard know a vector, or it is no longer declared. It is declared in any case.
func (s *pointsService) awaitVector(ctx context.Context, collection, name string) qdrant.UpdateStatus {
	look := shard.ScrollRequest{Limit: 1, Vectors: shard.VectorSelector{Enable: true, Names: []string{name}}}
	for pause := shortestLook; ; pause = min(2*pause, longestLook) {
		_, _, err := s.Points.Scroll(ctx, collection, look, coordinator.ReadOptions{Consistency: coordinator.Quorum})
		if err == nil || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
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
