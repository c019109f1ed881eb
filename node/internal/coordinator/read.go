package coordinator

import (
	"context"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Query is one search: the Limit best after the Offset best.
type Query struct {
	shard.SearchRequest
	Offset uint64
}

// maxWindow bounds what one shard is asked for, so that offset plus limit cannot overflow.
const maxWindow = math.MaxInt32

// source is one replica to read: on this node, or on another peer.
type source struct {
	c        *Coordinator
	state    *catalog.State
	peer     catalog.PeerID
	ref      catalog.ShardRef
	minIndex uint64
}

func (s source) local() bool { return s.peer == s.c.opts.Self }

func (s source) name() string { return peerName(s.state, s.peer) }

func (s source) search(ctx context.Context, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error) {
	if s.local() {
		return s.c.opts.Local.Search(ctx, s.ref, s.minIndex, reqs)
	}
	return s.c.opts.Remote.Search(ctx, s.peer, s.ref, s.minIndex, reqs)
}

func (s source) scroll(ctx context.Context, req shard.ScrollRequest) ([]point.Record, uint64, error) {
	if s.local() {
		return s.c.opts.Local.Scroll(ctx, s.ref, s.minIndex, req)
	}
	return s.c.opts.Remote.Scroll(ctx, s.peer, s.ref, s.minIndex, req)
}

func (s source) get(ctx context.Context, req shard.GetRequest) ([]point.Record, uint64, error) {
	if s.local() {
		return s.c.opts.Local.Get(ctx, s.ref, s.minIndex, req)
	}
	return s.c.opts.Remote.Get(ctx, s.peer, s.ref, s.minIndex, req)
}

func (s source) count(ctx context.Context, req shard.CountRequest) (uint64, uint64, error) {
	if s.local() {
		return s.c.opts.Local.Count(ctx, s.ref, s.minIndex, req)
	}
	return s.c.opts.Remote.Count(ctx, s.peer, s.ref, s.minIndex, req)
}

// Search runs queries over all shards of a collection, all of them in one call per shard. The result for each query is
// sorted best first, equal scores by id.
func (c *Coordinator) Search(ctx context.Context, collection string, queries []Query, o ReadOptions) ([][]shard.Scored, error) {
	return consistently(ctx, c, collection, o, func(ctx context.Context, col *catalog.Collection) ([][]shard.Scored, error) {
		return c.searchOnce(ctx, col, queries, o)
	})
}

func (c *Coordinator) searchOnce(ctx context.Context, col *catalog.Collection, queries []Query, o ReadOptions) ([][]shard.Scored, error) {
	reqs := make([]shard.SearchRequest, len(queries))
	for i := range queries {
		if err := checkQuery(col, &queries[i]); err != nil {
			return nil, err
		}
		reqs[i] = queries[i].SearchRequest
		reqs[i].Filter = reqs[i].Filter.Tokenized(col.Tokenizers)
		reqs[i].Limit = window(queries[i].Limit, queries[i].Offset)
		reqs[i].Look = o.look(col)
	}
	if len(reqs) == 0 {
		return nil, nil
	}
	if err := c.weigh(ctx, col, reqs, o); err != nil {
		return nil, err
	}
	names := innerOf(col)
	for i := range reqs {
		if q := &reqs[i]; q.Order == nil && q.Sample == nil {
			q.Using = names.name(q.Using)
		}
		reqs[i].Filter, reqs[i].Vectors = names.filter(reqs[i].Filter), names.look(reqs[i].Vectors)
	}
	results, err := c.searchParts(ctx, col, queries, reqs, o)
	if err != nil {
		return nil, err
	}
	for i := range results {
		for j := range results[i] {
			names.show(&results[i][j].Record)
		}
	}
	return results, nil
}

// mergeHits merges what the shards found.
func mergeHits(col *catalog.Collection, q *Query, lists [][]shard.Scored) []shard.Scored {
	if q.Order != nil || q.Sample != nil {
		return mergeHit(col, lists, byRank(q.Order != nil && q.Order.Desc), q)
	}
	d := col.Config.Comparison(q.Using)
	if q.Explore != nil {
		d = vec.Dot
	}
	return cutScores(d, mergeHit(col, lists, byScore(d), q), q.ScoreThreshold)
}

func mergeHit(col *catalog.Collection, lists [][]shard.Scored, before func(a, b *shard.Scored) bool, q *Query) []shard.Scored {
	if several(col) {
		return mergeDistinct(lists, before, func(s *shard.Scored) point.ID { return s.ID }, q.Offset, q.Limit)
	}
	return merge(lists, before, q.Offset, q.Limit)
}

// window is how many results each shard must give so that limit results after offset are right.
func window(limit, offset uint64) uint64 {
	if limit > maxWindow || offset > maxWindow-limit {
		return maxWindow
	}
	return limit + offset
}

// Scroll returns points in the order of their ids, and the id that the next page starts with (nil at the end).
func (c *Coordinator) Scroll(ctx context.Context, collection string, req shard.ScrollRequest, o ReadOptions) ([]point.Record, *point.ID, error) {
	if req.Limit == 0 {
		if _, err := c.Lookup(ctx, collection); err != nil {
			return nil, nil, err
		}
		return nil, nil, fault.New(fault.Invalid, "limit must be at least 1")
	}
	limit := min(req.Limit, maxWindow-1)
	req.Limit = limit + 1 // one more tells whether, and where, another page starts
	page, err := consistently(ctx, c, collection, o, func(ctx context.Context, col *catalog.Collection) ([]point.Record, error) {
		return c.scrollOnce(ctx, col, req, o)
	})
	if err != nil || uint64(len(page)) <= limit {
		return page, nil, err
	}
	next := page[limit].ID
	return page[:limit], &next, nil
}

// scrollOnce returns the first req.Limit points of all shards.
func (c *Coordinator) scrollOnce(ctx context.Context, col *catalog.Collection, req shard.ScrollRequest, o ReadOptions) ([]point.Record, error) {
	req.Filter = req.Filter.Tokenized(col.Tokenizers)
	if err := checkRead(col, req.Filter, req.Vectors); err != nil {
		return nil, err
	}
	req.Look = o.look(col)
	names := innerOf(col)
	req.Filter, req.Vectors = names.filter(req.Filter), names.look(req.Vectors)
	lists, err := fanOut(ctx, c, col, col.Owners(), question[[]point.Record]{opts: o, kind: kindScroll, version: newestRecord,
		read: func(ctx context.Context, s source) ([]point.Record, uint64, error) { return s.scroll(ctx, req) },
	})
	if err != nil {
		return nil, err
	}
	keyed(col.Owners(), lists)
	var records []point.Record
	if several(col) {
		records = mergeDistinct(lists, byID, func(r *point.Record) point.ID { return r.ID }, 0, req.Limit)
	} else {
		records = merge(lists, byID, 0, req.Limit)
	}
	names.showAll(records)
	return records, nil
}

// Count returns how many points match; a nil filter matches all. Where several replicas have to answer, the count of each shard is
// that of the replica that had applied most.
func (c *Coordinator) Count(ctx context.Context, collection string, f *filter.Filter, o ReadOptions) (uint64, error) {
	return consistently(ctx, c, collection, o, func(ctx context.Context, col *catalog.Collection) (uint64, error) {
		return c.countOnce(ctx, col, f, o)
	})
}

func (c *Coordinator) countOnce(ctx context.Context, col *catalog.Collection, f *filter.Filter, o ReadOptions) (uint64, error) {
	req := shard.CountRequest{Look: o.look(col), Filter: f.Tokenized(col.Tokenizers)}
	if err := checkFilter(req.Filter); err != nil {
		return 0, err
	}
	req.Filter = innerOf(col).filter(req.Filter)
	counts, err := fanOut(ctx, c, col, col.Owners(), question[uint64]{opts: o, kind: kindCount, version: func(uint64) uint64 { return 0 },
		read: func(ctx context.Context, s source) (uint64, uint64, error) { return s.count(ctx, req) },
	})
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	return total, err
}

// Get returns points in the order asked for, as often as asked for; absent ones are left out.
func (c *Coordinator) Get(ctx context.Context, collection string, req shard.GetRequest, o ReadOptions) ([]point.Record, error) {
	return consistently(ctx, c, collection, o, func(ctx context.Context, col *catalog.Collection) ([]point.Record, error) {
		return c.getOnce(ctx, col, req, o)
	})
}

func (c *Coordinator) getOnce(ctx context.Context, col *catalog.Collection, req shard.GetRequest, o ReadOptions) ([]point.Record, error) {
	req.Look = o.look(col)
	if err := checkRead(col, nil, req.Vectors); err != nil {
		return nil, err
	}
	names := innerOf(col)
	req.Vectors = names.look(req.Vectors)
	var owners []*catalog.Shard // only these need to be readable
	wanted := map[catalog.ShardID][]point.ID{}
	for _, one := range byKey(col) {
		groups, err := group(one, distinct(req.IDs), func(id *point.ID) point.ID { return *id })
		if err != nil {
			return nil, err
		}
		for i, ids := range groups {
			if len(ids) > 0 {
				owners = append(owners, one.Shards[i])
				wanted[one.Shards[i].ID] = ids
			}
		}
	}
	lists, err := fanOut(ctx, c, col, owners, question[[]point.Record]{opts: o, kind: kindGet, version: newestRecord,
		read: func(ctx context.Context, s source) ([]point.Record, uint64, error) {
			part := req
			part.IDs = wanted[s.ref.Shard]
			return s.get(ctx, part)
		},
	})
	if err != nil {
		return nil, err
	}
	keyed(owners, lists)
	records := slices.Concat(lists...)
	names.showAll(records)
	return inOrder(req.IDs, records), nil
}

// newestHit and newestRecord return the newest version among points.
func newestHit(lists [][]shard.Scored) (version uint64) {
	for _, hits := range lists {
		for i := range hits {
			version = max(version, hits[i].Version)
		}
	}
	return version
}

func newestRecord(records []point.Record) (version uint64) {
	for i := range records {
		version = max(version, records[i].Version)
	}
	return version
}

// inOrder lists the records in the order of ids, one as often as its id is there.
func inOrder(ids []point.ID, found []point.Record) []point.Record {
	byID := make(map[point.ID]point.Record, len(found))
	for _, r := range found {
		if _, again := byID[r.ID]; !again {
			byID[r.ID] = r
		}
	}
	records := make([]point.Record, 0, len(found))
	for _, id := range ids {
		if r, ok := byID[id]; ok {
			records = append(records, r)
		}
	}
	return records
}

// distinct drops repeated ids and keeps the order.
func distinct(ids []point.ID) []point.ID {
	seen := make(map[point.ID]struct{}, len(ids))
	unique := make([]point.ID, 0, len(ids))
	for _, id := range ids {
		if _, ok := seen[id]; !ok {
			seen[id] = struct{}{}
			unique = append(unique, id)
		}
	}
	return unique
}

func checkRead(col *catalog.Collection, f *filter.Filter, v shard.VectorSelector) error {
	if err := checkFilter(f); err != nil {
		return err
	}
	return col.Config.CheckNames(v.Names)
}
