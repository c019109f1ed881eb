package coordinator

import (
	"reflect"
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
			p := scored(id, float32(rapid.IntRange(-3, 3).Draw(t, "score"))) // many ties
			all = append(all, p)
			at := rapid.IntRange(0, len(lists)-1).Draw(t, "shard")
			lists[at] = append(lists[at], p)
		}
		cmp := func(a, b shard.Scored) int {
			before := byScore(d)
			if before(&a, &b) {
				return -1
			}
			return 1
		}
		for i := range lists {
			slices.SortFunc(lists[i], cmp)
			if n := window(limit, offset); uint64(len(lists[i])) > n {
				lists[i] = lists[i][:n] // a shard gives no more than it was asked for
			}
		}
		slices.SortFunc(all, cmp)
		want := all[min(offset, uint64(len(all))):min(offset+limit, uint64(len(all)))]
		got := merge(lists, byScore(d), offset, limit)
		if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v\nwant %v", got, want)
		}
	})
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
