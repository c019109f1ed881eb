package api

import (
	"context"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// evaluation answers queries that were checked. Each level of prefetches is one search of the whole collection, so what is fused does
// not depend on how points are spread over shards; it is of a moment of its own.
type evaluation struct {
	s          *pointsService
	collection string
	o          coordinator.ReadOptions
	declared   catalog.Config
}

// all answers queries, results[i] of queries[i].
func (e *evaluation) all(ctx context.Context, queries []query) ([][]shard.Scored, error) {
	if err := e.prefetch(ctx, queries); err != nil {
		return nil, err
	}
	results := make([][]shard.Scored, len(queries))
	if err := e.searches(ctx, queries, results); err != nil {
		return nil, err
	}
	for i := range queries {
		var err error
		switch q := &queries[i]; {
		case q.fusion != nil:
			results[i], err = e.fused(ctx, q)
		case q.scroll:
			results[i], err = e.scroll(ctx, q)
		}
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// prefetch answers the prefetches of queries, all together.
func (e *evaluation) prefetch(ctx context.Context, queries []query) error {
	var inner []query
	for i := range queries {
		inner = append(inner, queries[i].prefetch...)
	}
	if len(inner) == 0 {
		return nil
	}
	results, err := e.all(ctx, inner)
	if err != nil {
		return err
	}
	for i := range queries {
		q := &queries[i]
		if len(q.prefetch) == 0 {
			continue
		}
		for j := range q.prefetch {
			q.lists = append(q.lists, list{results[j], e.order(&q.prefetch[j]).LargerIsBetter()})
		}
		results = results[len(q.prefetch):]
		if q.fusion == nil {
			q.limitTo(q.lists)
		}
	}
	return nil
}

// order tells how the scores of a query are ordered: as those of that distance.
func (e *evaluation) order(q *query) vec.Distance {
	if q.fusion != nil || q.unscored() || q.Explore != nil {
		return vec.Dot
	}
	return e.declared.Comparison(q.Using)
}

// limitTo makes a query one about the points of some lists.
func (q *query) limitTo(lists []list) {
	seen := map[point.ID]bool{}
	ids := []point.ID{}
	for _, l := range lists {
		for _, h := range l.hits {
			if !seen[h.ID] {
				seen[h.ID] = true
				ids = append(ids, h.ID)
			}
		}
	}
	q.nothing = len(ids) == 0
	among := &filter.Filter{Must: []filter.Condition{{HasID: &filter.HasID{IDs: ids}}}}
	if q.Filter != nil {
		among.Must = append(among.Must, filter.Condition{Filter: q.Filter})
	}
	q.Filter = among
}

// searches answers those of queries that are searches, in one call.
func (e *evaluation) searches(ctx context.Context, queries []query, results [][]shard.Scored) error {
	var searches []coordinator.Query
	var places []int
	for i := range queries {
		if q := &queries[i]; !q.scroll && q.fusion == nil && !q.nothing {
			searches, places = append(searches, q.Query), append(places, i)
		}
	}
	if len(searches) == 0 {
		return nil
	}
	found, err := e.s.Points.Search(ctx, e.collection, searches, e.o)
	if err != nil {
		return err
	}
	if len(found) != len(searches) {
		return fault.New(fault.Internal, "%d searches have %d results", len(searches), len(found))
	}
	for i, scored := range found {
		results[places[i]] = scored
	}
	return nil
}

// scroll answers a query without a target as Qdrant does: by id, with a score of 1 and no version.
func (e *evaluation) scroll(ctx context.Context, q *query) ([]shard.Scored, error) {
	records, _, err := e.s.Points.Scroll(ctx, e.collection, q.scrollRequest(), e.o)
	if err != nil {
		return nil, err
	}
	records = records[min(q.Offset, uint64(len(records))):]
	scored := make([]shard.Scored, len(records))
	for i, r := range records {
		r.Version = 0
		scored[i] = shard.Scored{Record: r, Score: 1}
	}
	return scored, nil
}

// fused answers a query that is a fusion.
func (e *evaluation) fused(ctx context.Context, q *query) ([]shard.Scored, error) {
	hits := q.fusion.fuse(q.lists)
	if t := q.ScoreThreshold; t != nil {
		hits = slices.DeleteFunc(hits, func(h shard.Scored) bool { return !(h.Score > *t) })
	}
	hits = hits[min(q.Offset, uint64(len(hits))):]
	hits = hits[:min(q.Limit, uint64(len(hits)))]
	return e.filled(ctx, hits, q.Payload, q.Vectors)
}

// filled reads what is returned of points. Those that are gone meanwhile are left out.
func (e *evaluation) filled(ctx context.Context, hits []shard.Scored, p shard.PayloadSelector, v shard.VectorSelector) ([]shard.Scored, error) {
	if len(hits) == 0 || !p.Enable && !v.Enable {
		return hits, nil
	}
	req := shard.GetRequest{Payload: p, Vectors: v}
	for _, h := range hits {
		req.IDs = append(req.IDs, h.ID)
	}
	records, err := e.s.Points.Get(ctx, e.collection, req, e.o)
	if err != nil {
		return nil, err
	}
	byID := make(map[point.ID]point.Record, len(records))
	for _, r := range records {
		byID[r.ID] = r
	}
	out := make([]shard.Scored, 0, len(hits))
	for _, h := range hits {
		if r, ok := byID[h.ID]; ok {
			out = append(out, shard.Scored{Record: r, Score: h.Score})
		}
	}
	return out, nil
}
