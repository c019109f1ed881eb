package api

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// collectionsService serves qdrant.Collections.
type collectionsService struct {
	qdrant.UnimplementedCollectionsServer
	*core
}

// settleTimeout bounds how long a change waits for the other peers to show it: within the five seconds after which
// the Python client gives up.
const settleTimeout = 2 * time.Second

// changeAttempts bounds how often a change is made anew because somebody else changed the collection, or the peers,
// first.
const changeAttempts = 10

// change proposes one command and answers that it was done.
func (s *collectionsService) change(ctx context.Context, timeout *uint64, command func() (catalog.Command, error)) (*qdrant.CollectionOperationResponse, error) {
	start := time.Now()
	err := s.propose(ctx, timeout, func() (*catalog.Command, error) {
		c, err := command()
		return &c, err
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.CollectionOperationResponse{Result: true, Time: since(start)}, nil
}

// propose makes one change, and makes it anew while somebody else is faster. No command means that nothing is to be done.
func (s *collectionsService) propose(ctx context.Context, timeout *uint64, command func() (*catalog.Command, error)) error {
	ctx, cancel := deadline(ctx, timeout, s.MetadataTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		c, err := command()
		if err != nil || c == nil {
			return err
		}
		_, err = s.Metadata.Propose(ctx, *c)
		if err == nil {
			break
		}
		if !fault.Is(err, fault.Conflict) || attempt == changeAttempts {
			return err
		}
	}
	s.settle(ctx)
	return nil
}

// settle gives the other peers a moment to show the change. It is done whether or not they do.
func (c *core) settle(ctx context.Context) {
	if c.Settle == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := c.Settle(ctx); err != nil {
		c.Logger.Warn("not every peer shows the metadata yet", "error", err)
	}
}

// Create declares a collection. Where its replicas go is decided by the cluster's leader.
func (s *collectionsService) Create(ctx context.Context, r *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	return s.change(ctx, r.Timeout, func() (catalog.Command, error) {
		if err := catalog.CheckName(r.GetCollectionName()); err != nil {
			return catalog.Command{}, err
		}
		declared, err := configFrom(r)
		if err != nil {
			return catalog.Command{}, err
		}
		declared, err = declared.Normalized(s.Metadata.State().Members())
		return catalog.Command{CreateCollection: &catalog.CreateCollection{Name: r.GetCollectionName(), Config: declared}}, err
	})
}

// Update merges what is given into the collection's declaration.
func (s *collectionsService) Update(ctx context.Context, r *qdrant.UpdateCollection) (*qdrant.CollectionOperationResponse, error) {
	return s.change(ctx, r.Timeout, func() (catalog.Command, error) {
		state, found, err := s.find(ctx, r.GetCollectionName())
		if err != nil {
			return catalog.Command{}, err
		}
		declared, err := updated(found.Config, r)
		if err != nil {
			return catalog.Command{}, err
		}
		declared, err = declared.Normalized(state.Members())
		return catalog.Command{UpdateCollection: &catalog.UpdateCollection{
			Name: found.Name, ID: found.ID, Base: found.Config, Config: declared,
		}}, err
	})
}

// Delete removes a collection and its aliases. A missing one is no error, but a result of false.
func (s *collectionsService) Delete(ctx context.Context, r *qdrant.DeleteCollection) (*qdrant.CollectionOperationResponse, error) {
	start := time.Now()
	name := r.GetCollectionName()
	resp, err := s.change(ctx, r.Timeout, func() (catalog.Command, error) {
		return catalog.Command{DeleteCollection: &name}, nil
	})
	if fault.Is(err, fault.NotFound) {
		return &qdrant.CollectionOperationResponse{Time: since(start)}, nil
	}
	return resp, err
}

// List names the collections that this node knows, in order. A node that is cut off may lack the newest: whether one exists is
// for CollectionExists to say.
func (s *collectionsService) List(context.Context, *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	start := time.Now()
	resp := &qdrant.ListCollectionsResponse{}
	for _, c := range s.Metadata.State().Sorted() {
		resp.Collections = append(resp.Collections, &qdrant.CollectionDescription{Name: c.Name})
	}
	resp.Time = since(start)
	return resp, nil
}

// CollectionExists reports whether a name or alias leads to a collection.
func (s *collectionsService) CollectionExists(ctx context.Context, r *qdrant.CollectionExistsRequest) (*qdrant.CollectionExistsResponse, error) {
	start := time.Now()
	_, _, err := s.find(ctx, r.GetCollectionName())
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	return &qdrant.CollectionExistsResponse{Result: &qdrant.CollectionExists{Exists: err == nil}, Time: since(start)}, nil
}
