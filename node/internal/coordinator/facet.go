package coordinator

import (
	"context"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

func (s source) facet(ctx context.Context, req shard.FacetRequest) ([]payload.Facet, uint64, error) {
	if s.local() {
		return s.c.opts.Local.Facet(ctx, s.ref, s.minIndex, req)
	}
	return s.c.opts.Remote.Facet(ctx, s.peer, s.ref, s.minIndex, req)
}

// Facet returns the values at a path with the most points that match, and how many have each: those of more points
// first, equal ones by value.
func (c *Coordinator) Facet(ctx context.Context, collection string, req shard.FacetRequest, limit uint64, o ReadOptions) ([]payload.Facet, error) {
	if limit == 0 {
		return nil, fault.New(fault.Invalid, "limit must be at least 1")
	}
	return consistently(ctx, c, collection, o, func(ctx context.Context, col *catalog.Collection) ([]payload.Facet, error) {
		facets, err := c.facetOnce(ctx, col, req, o)
		return facets[:min(uint64(len(facets)), limit)], err
	})
}

func (c *Coordinator) facetOnce(ctx context.Context, col *catalog.Collection, req shard.FacetRequest, o ReadOptions) ([]payload.Facet, error) {
	if !replica.FieldOf(col.PayloadSchema[req.Path]).Faceted() {
		return nil, shard.ErrNotFaceted(req.Path)
	}
	req.Look, req.Filter = o.look(col), req.Filter.Tokenized(col.Tokenizers)
	if err := checkFilter(req.Filter); err != nil {
		return nil, err
	}
	req.Filter = innerOf(col).filter(req.Filter)
	lists, err := fanOut(ctx, c, col, col.Owners(), question[[]payload.Facet]{opts: o, kind: kindFacet, version: func([]payload.Facet) uint64 { return 0 },
		read: func(ctx context.Context, s source) ([]payload.Facet, uint64, error) { return s.facet(ctx, req) },
	})
	if err != nil {
		return nil, err
	}
	return addFacets(lists), nil
}

func addFacets(lists [][]payload.Facet) []payload.Facet {
	if len(lists) == 1 {
		return lists[0]
	}
	total := map[any]uint64{}
	for _, list := range lists {
		for _, f := range list {
			total[f.Value] += f.Count
		}
	}
	facets := make([]payload.Facet, 0, len(total))
	for v, n := range total {
		facets = append(facets, payload.Facet{Value: v, Count: n})
	}
	slices.SortFunc(facets, payload.CompareFacets)
	return facets
}
