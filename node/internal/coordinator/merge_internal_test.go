package coordinator

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func scored(id int, score float32) shard.Scored {
	return shard.Scored{Record: point.Record{Point: point.Point{ID: point.Num(uint64(id))}}, Score: score}
}

// scores tie often, and some are of sums that have left float32.
var scores = []float32{-3, -2, -1, 0, 1, 2, 3, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}

// However results are spread over shards, and however far each shard looked beyond the page, the page is that of one
// sorted list.
func TestMergeEqualsOneSortedListForAnySplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]vec.Distance{vec.Cosine, vec.Dot, vec.Euclid, vec.Manhattan}).Draw(t, "distance")
		offset := rapid.Uint64Max(8).Draw(t, "offset")
		limit := rapid.Uint64Range(1, 8).Draw(t, "limit")
		lists := make([][]shard.Scored, rapid.IntRange(1, 5).Draw(t, "shards"))
		var all []shard.Scored
		for id := range rapid.IntRange(0, 30).Draw(t, "points") {
			p := scored(id, rapid.SampledFrom(scores).Draw(t, "score"))
			all = append(all, p)
			at := rapid.IntRange(0, len(lists)-1).Draw(t, "shard")
			lists[at] = append(lists[at], p)
		}
		compare := func(a, b shard.Scored) int {
			return cmp.Or(cmp.Compare(rank(d, a), rank(d, b)), a.ID.Compare(b.ID))
		}
		for i := range lists {
			slices.SortFunc(lists[i], compare)
			if n := window(limit, offset); uint64(len(lists[i])) > n {
				lists[i] = lists[i][:n] // a shard gives no more than it was asked for
			}
		}
		slices.SortFunc(all, compare)
		want := all[min(offset, uint64(len(all))):min(offset+limit, uint64(len(all)))]
		got := merge(lists, byScore(d), offset, limit)
		if !slices.EqualFunc(got, want, func(a, b shard.Scored) bool { return a.ID == b.ID }) {
			t.Fatalf("got %v\nwant %v", got, want)
		}
	})
}

// rank is the place of a score among scores, the best first, those that are no number last.
func rank(d vec.Distance, s shard.Scored) float64 {
	const infinite, none = 1e39, 1e40
	at := float64(s.Score)
	switch {
	case math.IsNaN(at):
		return none
	case d.LargerIsBetter():
		at = -at
	}
	return min(max(at, -infinite), infinite)
}

func TestBetterScoresComeFirstAndTiesById(t *testing.T) {
	lists := [][]shard.Scored{{scored(5, 2), scored(1, 1)}, {scored(3, 2), scored(9, 0)}}
	order := func(results []shard.Scored) (ids []uint64) {
		for _, r := range results {
			ids = append(ids, r.ID.Number())
		}
		return ids
	}
	if got := order(merge(lists, byScore(vec.Dot), 0, 10)); !slices.Equal(got, []uint64{3, 5, 1, 9}) {
		t.Errorf("larger is better: %v", got)
	}
	lists = [][]shard.Scored{{scored(1, 1), scored(5, 2)}, {scored(9, 0), scored(3, 2)}}
	if got := order(merge(lists, byScore(vec.Euclid), 0, 10)); !slices.Equal(got, []uint64{9, 1, 3, 5}) {
		t.Errorf("smaller is better: %v", got)
	}
}

func TestThresholdIsStrict(t *testing.T) {
	one := float32(1)
	if got := cutScores(vec.Dot, []shard.Scored{scored(1, 2), scored(2, 1), scored(3, 0)}, &one); len(got) != 1 {
		t.Errorf("dot: %v", got)
	}
	if got := cutScores(vec.Euclid, []shard.Scored{scored(1, 0), scored(2, 1), scored(3, 2)}, &one); len(got) != 1 {
		t.Errorf("euclid: %v", got)
	}
	if got := cutScores(vec.Dot, []shard.Scored{scored(1, 2)}, nil); len(got) != 1 {
		t.Errorf("none: %v", got)
	}
}

func TestWindowNeverOverflows(t *testing.T) {
	const top = ^uint64(0)
	for _, c := range [][3]uint64{{10, 5, 15}, {top, 0, maxWindow}, {0, top, maxWindow}, {top, top, maxWindow}, {maxWindow, 1, maxWindow}} {
		if got := window(c[0], c[1]); got != c[2] {
			t.Errorf("window(%d, %d) = %d", c[0], c[1], got)
		}
	}
}
