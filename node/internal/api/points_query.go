package api

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/strictmode"
)

// batchFactor is how many times the limit of one query all queries of a batch may ask for.
const batchFactor = 10

// Query returns the points nearest to a vector or a point, or points in the order of their ids.
func (s *pointsService) Query(ctx context.Context, r *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	start := time.Now()
	q, err := s.queryFrom(r)
	if err != nil {
		return nil, err
	}
	result, err := s.runOne(ctx, requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, q)
	return &qdrant.QueryResponse{Result: result, Time: since(start)}, err
}

// QueryBatch answers several queries of one collection, in order. An empty batch has an empty answer.
func (s *pointsService) QueryBatch(ctx context.Context, r *qdrant.QueryBatchPoints) (*qdrant.QueryBatchResponse, error) {
	start := time.Now()
	parts := make([]batchPart, len(r.GetQueryPoints()))
	for i, p := range r.GetQueryPoints() {
		parts[i] = batchPart{requestHead{p.GetCollectionName(), p.Timeout, p.GetReadConsistency()}, func() (query, error) { return s.queryFrom(p) }}
	}
	results, err := s.runBatch(ctx, requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, parts)
	return &qdrant.QueryBatchResponse{Result: results, Time: since(start)}, err
}

// Search returns the points nearest to a vector.
func (s *pointsService) Search(ctx context.Context, r *qdrant.SearchPoints) (*qdrant.SearchResponse, error) {
	start := time.Now()
	q, err := s.searchFrom(r)
	if err != nil {
		return nil, err
	}
	result, err := s.runOne(ctx, requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, q)
	return &qdrant.SearchResponse{Result: result, Time: since(start)}, err
}

// SearchBatch answers several searches of one collection, in order. An empty batch has an empty answer.
func (s *pointsService) SearchBatch(ctx context.Context, r *qdrant.SearchBatchPoints) (*qdrant.SearchBatchResponse, error) {
	start := time.Now()
	parts := make([]batchPart, len(r.GetSearchPoints()))
	for i, p := range r.GetSearchPoints() {
		parts[i] = batchPart{requestHead{p.GetCollectionName(), p.Timeout, p.GetReadConsistency()}, func() (query, error) { return s.searchFrom(p) }}
	}
	results, err := s.runBatch(ctx, requestHead{r.GetCollectionName(), r.Timeout, r.GetReadConsistency()}, parts)
	return &qdrant.SearchBatchResponse{Result: results, Time: since(start)}, err
}

// requestHead is what a request says beside its queries.
type requestHead struct {
	collection  string
	timeout     *uint64
	consistency *qdrant.ReadConsistency
}

// batchPart is one query of a batch, before its conversion.
type batchPart struct {
	requestHead
	convert func() (query, error)
}

// runOne answers a request of one query.
func (s *pointsService) runOne(ctx context.Context, head requestHead, q query) ([]*qdrant.ScoredPoint, error) {
	queries := []query{q}
	ctx, cancel, err := s.begin(ctx, head.collection, strictmode.Read{Timeout: head.timeout, Queries: asked(queries)})
	if err != nil {
		return nil, err
	}
	defer cancel()
	results, err := s.run(ctx, head.collection, head.consistency, queries)
	if err != nil {
		return nil, err
	}
	return results[0].GetResult(), nil
}

// runBatch answers the parts, which are all of the head's collection; the shortest of all timeouts counts. They are read
// together, so they have one read consistency: the head's, or the one that parts have and none contradicts.
func (s *pointsService) runBatch(ctx context.Context, head requestHead, parts []batchPart) ([]*qdrant.BatchResult, error) {
	if len(parts) == 0 {
		_, err := consistencyOptions(ctx, head.consistency)
		return nil, err
	}
	if err := s.checkBatch(len(parts)); err != nil {
		return nil, err
	}
	queries := make([]query, len(parts))
	var total uint64
	for i, p := range parts {
		if p.collection != "" && p.collection != head.collection {
			return nil, invalid("query %d of the batch names collection %.255q, the batch %.255q", i+1, p.collection, head.collection)
		}
		if p.timeout != nil && (head.timeout == nil || *p.timeout < *head.timeout) {
			head.timeout = p.timeout
		}
		if p.consistency != nil && head.consistency != nil && !proto.Equal(p.consistency, head.consistency) {
			return nil, invalid("query %d of the batch has another read_consistency than the rest: a batch has one", i+1)
		}
		if head.consistency == nil {
			head.consistency = p.consistency
		}
		q, err := p.convert()
		if err != nil {
			return nil, within(err, "query %d of %d", i+1, len(parts))
		}
		queries[i] = q
		total += q.Limit + q.Offset
	}
	if total > batchFactor*s.MaxLimit {
		return nil, invalid("the batch asks for %d points, at most %d are allowed", total, batchFactor*s.MaxLimit)
	}
	ctx, cancel, err := s.begin(ctx, head.collection, strictmode.Read{Timeout: head.timeout, Batch: true, Queries: asked(queries)})
	if err != nil {
		return nil, err
	}
	defer cancel()
	return s.run(ctx, head.collection, head.consistency, queries)
}

// run answers queries.
func (s *pointsService) run(ctx context.Context, collection string, consistency *qdrant.ReadConsistency, queries []query) ([]*qdrant.BatchResult, error) {
	if len(queries) == 1 {
		return s.runAlike(ctx, collection, consistency, queries)
	}
	results := make([]*qdrant.BatchResult, len(queries))
	for _, group := range byKeys(queries) {
		part := make([]query, len(group))
		for i, at := range group {
			part[i] = queries[at]
		}
		answers, err := s.runAlike(ctx, collection, consistency, part)
		if err != nil {
			return nil, err
		}
		for i, at := range group {
			results[at] = answers[i]
		}
	}
	return results, nil
}

// byKeys groups the places of queries that are for the same shard keys, in the order of their first.
func byKeys(queries []query) (groups [][]int) {
	known := map[string]int{}
	for i := range queries {
		name := queries[i].keys.String()
		at, ok := known[name]
		if !ok {
			at = len(groups)
			known[name], groups = at, append(groups, nil)
		}
		groups[at] = append(groups[at], i)
	}
	return groups
}

// runAlike answers queries that are for the same shard keys.
func (s *pointsService) runAlike(ctx context.Context, collection string, consistency *qdrant.ReadConsistency, queries []query) ([]*qdrant.BatchResult, error) {
	e, err := s.prepare(ctx, collection, consistency, queries)
	if err != nil {
		return nil, err
	}
	found, err := e.all(ctx, queries)
	if err != nil {
		return nil, err
	}
	results := make([]*qdrant.BatchResult, len(queries))
	for i, scored := range found {
		points, err := scoredTo(scored, &e.declared)
		if err != nil {
			return nil, err
		}
		if order := queries[i].Order; order != nil {
			if err := s.showOrder(ctx, collection, order, scored, points); err != nil {
				return nil, err
			}
		}
		results[i] = &qdrant.BatchResult{Result: points}
	}
	return results, nil
}

// prepare puts vectors in the place of ids, and checks queries, which are for the same shard keys.
func (s *pointsService) prepare(ctx context.Context, collection string, consistency *qdrant.ReadConsistency, queries []query) (*evaluation, error) {
	o, err := consistencyOptions(ctx, consistency)
	if err != nil {
		return nil, err
	}
	o.Keys = queries[0].keys
	all := make([]*query, 0, len(queries))
	for i := range queries {
		all = queries[i].appendAll(all)
	}
	if err := s.resolve(ctx, collection, all, o); err != nil {
		return nil, err
	}
	for _, q := range all {
		if err := s.checkShapes(ctx, collection, q.sizes); err != nil {
			return nil, err
		}
	}
	declared, known := s.declared(collection)
	for _, q := range all {
		if !known {
			break
		}
		if q.recommend != nil {
			if err := q.recommend.settle(q, &declared); err != nil {
				return nil, err
			}
		}
		if err := q.check(&declared); err != nil {
			return nil, err
		}
	}
	return &evaluation{s: s, collection: collection, o: o, declared: declared}, nil
}

// check compares a query with what the collection declares.
func (q *query) check(declared *catalog.Config) error {
	if err := declared.CheckNames(q.Vectors.Names); err != nil || q.unscored() || q.fusion != nil || q.Explore != nil {
		return err
	}
	if q.Sparse != nil {
		return declared.CheckSparse(q.Using)
	}
	return declared.CheckDense(q.Using, q.Vector)
}

// showOrder adds to points what they were ordered by.
func (s *pointsService) showOrder(ctx context.Context, collection string, order *payload.Order, scored []shard.Scored, points []*qdrant.ScoredPoint) error {
	_, found, err := s.find(ctx, collection)
	if err != nil {
		return err
	}
	for i := range points {
		points[i].OrderValue = orderValueTo(found, order, scored[i].Rank)
	}
	return nil
}

// resolve puts the vectors of points in the place of their ids, with one read for all queries.
func (s *pointsService) resolve(ctx context.Context, collection string, queries []*query, o coordinator.ReadOptions) error {
	req := shard.GetRequest{Vectors: shard.VectorSelector{Enable: true}}
	wanted, names := map[point.ID]bool{}, map[string]bool{}
	for _, q := range queries {
		for _, id := range q.lacking() {
			if !wanted[id] {
				wanted[id] = true
				req.IDs = append(req.IDs, id)
			}
			if !names[q.Using] {
				names[q.Using] = true
				req.Vectors.Names = append(req.Vectors.Names, q.Using)
			}
		}
	}
	if len(req.IDs) == 0 {
		return nil
	}
	if err := first(s.checkView(collection, view{vectors: req.Vectors}), s.checkLimit(uint64(len(req.IDs)), 0)); err != nil {
		return err
	}
	records, err := s.Points.Get(ctx, collection, req, o)
	if err != nil {
		return err
	}
	return substitute(queries, records)
}

// lacking lists the points whose vectors a query looks for.
func (q *query) lacking() (ids []point.ID) {
	if q.byID != nil {
		ids = append(ids, *q.byID)
	}
	for _, e := range q.examples() {
		if e.id != nil {
			ids = append(ids, *e.id)
		}
	}
	return ids
}

func substitute(queries []*query, records []point.Record) error {
	byID := make(map[point.ID]point.VectorSet, len(records))
	for _, r := range records {
		byID[r.ID] = r.VectorSet()
	}
	for _, q := range queries {
		examples := q.examples()
		if q.byID != nil {
			examples = append(examples, &example{id: q.byID})
		}
		for _, e := range examples {
			if e.id == nil {
				continue
			}
			set, ok := byID[*e.id]
			if !ok {
				return fault.New(fault.NotFound, "No point with id %s found", *e.id)
			}
			if err := e.take(*e.id, q.Using, set); err != nil {
				return err
			}
			if e.id == q.byID {
				q.Vector, q.Sparse = e.dense, e.sparse
			}
		}
	}
	return nil
}
