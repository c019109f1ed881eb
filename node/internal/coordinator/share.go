package coordinator

import (
	"context"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// shares says which part of the points each shard is to hold: points are in slots by a hash of their ids.
type shares map[catalog.ShardID]float64

// sharesOf returns nil where one shard has all.
func sharesOf(owners []*catalog.Shard) shares {
	if len(owners) < 2 {
		return nil
	}
	all := 0
	for _, sh := range owners {
		all += slot.Total(sh.Slots)
	}
	parts := make(shares, len(owners))
	for _, sh := range owners {
		parts[sh.ID] = float64(slot.Total(sh.Slots)) / float64(all)
	}
	return parts
}

// searchParts has each shard search its part, and those again that turn out to hold more than their share of the nearest.
func (c *Coordinator) searchParts(ctx context.Context, col *catalog.Collection, queries []Query, reqs []shard.SearchRequest, o ReadOptions) ([][]shard.Scored, error) {
	owners := col.Owners()
	if several(col) { // one shard key may have many more points than another
		perShard, err := c.searchShards(ctx, col, owners, nil, reqs, o)
		if err != nil {
			return nil, err
		}
		return mergeAll(col, queries, perShard), nil
	}
	perShard, err := c.searchShards(ctx, col, owners, sharesOf(owners), reqs, o)
	if err != nil {
		return nil, err
	}
	results := mergeAll(col, queries, perShard)
	again := lopsided(queries, reqs, owners, perShard, results)
	if len(again) == 0 {
		return results, nil
	}
	more, err := c.searchShards(ctx, col, again, nil, reqs, o)
	if err != nil {
		return nil, err
	}
	for i, sh := range again {
		perShard[slices.Index(owners, sh)] = more[i]
	}
	return mergeAll(col, queries, perShard), nil
}

// searchShards has shards search, each as the share that it has of all points asks for.
func (c *Coordinator) searchShards(
	ctx context.Context, col *catalog.Collection, shards []*catalog.Shard, parts shares, reqs []shard.SearchRequest, o ReadOptions,
) ([][][]shard.Scored, error) {
	perShard, err := fanOut(ctx, c, col, shards, question[[][]shard.Scored]{opts: o, kind: kindSearch, version: newestHit,
		read: func(ctx context.Context, s source) ([][]shard.Scored, uint64, error) {
			if parts == nil {
				return s.search(ctx, reqs)
			}
			own := slices.Clone(reqs)
			for i := range own {
				own[i].Share = parts[s.ref.Shard]
			}
			return s.search(ctx, own)
		},
	})
	if err == nil {
		keyedHits(shards, perShard)
	}
	return perShard, err
}

// mergeAll merges what the shards found for each query.
func mergeAll(col *catalog.Collection, queries []Query, perShard [][][]shard.Scored) [][]shard.Scored {
	results := make([][]shard.Scored, len(queries))
	for i := range queries {
		lists := make([][]shard.Scored, len(perShard))
		for j, r := range perShard {
			lists[j] = r[i]
		}
		results[i] = mergeHits(col, &queries[i], lists)
	}
	return results
}

// lopsided returns the shards that are to be asked again, for all that they have: those of which a result holds the last hit that they
// gave, though they may have more. That happens where more of the nearest are in one shard than chance lets expect.
func lopsided(
	queries []Query, reqs []shard.SearchRequest, owners []*catalog.Shard, perShard [][][]shard.Scored, results [][]shard.Scored,
) (again []*catalog.Shard) {
	parts := sharesOf(owners)
	if parts == nil {
		return nil
	}
	for j, sh := range owners {
		for i := range queries {
			list := perShard[j][i]
			req := reqs[i]
			req.Share = parts[sh.ID]
			if req.Order != nil || req.Sample != nil || req.Sparse != nil || uint64(len(list)) >= req.Limit || len(list) < req.LeastHits() {
				continue
			}
			last := list[len(list)-1].ID
			if slices.ContainsFunc(results[i], func(h shard.Scored) bool { return h.ID == last }) {
				again = append(again, sh)
				break
			}
		}
	}
	return again
}
