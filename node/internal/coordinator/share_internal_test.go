package coordinator

import (
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

func scoredFrom(id uint64, n int) (hits []shard.Scored) {
	for i := range uint64(n) {
		h := shard.Scored{Score: float32(i)}
		h.ID = point.Num(id + i)
		hits = append(hits, h)
	}
	return hits
}

// A shard that gave fewer hits than it was asked for, all of which are among the results, is asked again.
func TestAShardThatHoldsMoreThanItsShareIsAskedAgain(t *testing.T) {
	spread := slot.Spread(4)
	var owners []*catalog.Shard
	for i, r := range spread {
		owners = append(owners, &catalog.Shard{ID: catalog.ShardID(i + 1), Slots: []slot.Range{r}})
	}
	query := Query{SearchRequest: shard.SearchRequest{Limit: 10}}
	sample := query
	sample.Sample = new(uint64)
	for name, c := range map[string]struct {
		query  Query
		counts [4]int
		owners []*catalog.Shard
		want   int
	}{
		"as expected":             {query, [4]int{3, 3, 2, 2}, owners, 0},
		"one has all its hits in": {query, [4]int{8, 1, 1, 0}, owners, 1},
		"one gave all":            {query, [4]int{10, 0, 0, 0}, owners, 0},
		"not the nearest":         {sample, [4]int{8, 1, 1, 0}, owners, 0},
		"one shard":               {query, [4]int{8}, owners[:1], 0},
	} {
		var perShard [][][]shard.Scored
		var result []shard.Scored
		for i := range c.owners {
			hits := scoredFrom(uint64(100*i), c.counts[i])
			perShard = append(perShard, [][]shard.Scored{hits})
			result = append(result, hits...)
		}
		again := lopsided([]Query{c.query}, []shard.SearchRequest{c.query.SearchRequest}, c.owners, perShard, [][]shard.Scored{result})
		if len(again) != c.want || c.want == 1 && again[0] != c.owners[0] {
			t.Errorf("%s: asked again: %v", name, again)
		}
	}
}
