package shard_test

import (
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// standing is that of a shard which owns slots since an epoch of its collection.
func standing(epoch, since, floor uint64, slots ...slot.Range) *move.Standing {
	sh := &catalog.Shard{ID: 1, Slots: slots, Epoch: since}
	if floor > 0 {
		sh.Floor = &catalog.Floor{Index: floor}
	}
	col := &catalog.Collection{ID: 1, Epoch: epoch, Shards: []*catalog.Shard{sh}}
	return move.StandingOf(&catalog.State{}, col, sh)
}

func TestReadersSeeTheSlotsThatTheShardOwns(t *testing.T) {
	s, _ := newShard(t)
	const count = 300
	lower := slot.Range{To: 2047}
	want := 0
	for i := range uint64(count) {
		if lower.Contains(slot.Of(point.Num(i))) {
			want++
		}
	}
	var points []point.Point
	for i := range uint64(count) {
		points = append(points, point.Point{ID: point.Num(i), Vectors: point.Vectors{"": {float32(i + 1), 1, 1}}, Payload: point.Payload{"n": int64(i)}})
	}
	apply(t, s, point.Upsert{Points: points[:count/2]})
	s.SetStanding(standing(3, 2, 0, lower))
	apply(t, s, point.Upsert{Points: points[count/2:]})
	all := func(list []point.ID) (n int) {
		for _, id := range list {
			if !lower.Contains(slot.Of(id)) {
				t.Errorf("point %s of slot %d is shown", id, slot.Of(id))
			}
			n++
		}
		return n
	}
	check := func(want int) {
		t.Helper()
		look := shard.Look{Epoch: 3}
		if n, err := s.Count(ctx, shard.CountRequest{Look: look}); err != nil || int(n) != want {
			t.Errorf("count: %d, %v; want %d", n, err, want)
		}
		if n := s.Info().Points; int(n) != want {
			t.Errorf("info: %d points, want %d", n, want)
		}
		var ids, found []point.ID
		records, err := s.Scroll(ctx, shard.ScrollRequest{Look: look, Limit: count})
		for _, r := range records {
			ids = append(ids, r.ID)
		}
		if err != nil || all(ids) != want {
			t.Errorf("scroll: %d, %v", len(ids), err)
		}
		hits, err := s.Search(ctx, shard.SearchRequest{Look: look, Vector: []float32{1, 1, 1}, Limit: count})
		for _, h := range hits {
			found = append(found, h.ID)
		}
		if err != nil || all(found) != want {
			t.Errorf("search: %d, %v", len(found), err)
		}
		sample := uint64(7)
		found = nil
		hits, err = s.Search(ctx, shard.SearchRequest{Look: look, Sample: &sample, Limit: count})
		for _, h := range hits {
			found = append(found, h.ID)
		}
		if err != nil || all(found) != want {
			t.Errorf("sample: %d, %v", len(found), err)
		}
		get := shard.GetRequest{Look: look}
		for _, p := range points {
			get.IDs = append(get.IDs, p.ID)
		}
		if got, err := s.Get(ctx, get); err != nil || len(got) != want {
			t.Errorf("get: %d, %v", len(got), err)
		}
	}
	check(want)
	s.SetStanding(standing(4, 2, 0, slot.Range{To: slot.Count - 1}))
	if n, err := s.Count(ctx, shard.CountRequest{Look: shard.Look{Epoch: 4}}); err != nil || n != count {
		t.Errorf("with all slots: %d, %v", n, err)
	}
	s.SetStanding(standing(5, 2, 0, lower))
	check(want)
	gone := 0
	var ids []point.ID
	for i := range uint64(40) {
		if ids = append(ids, point.Num(i)); lower.Contains(slot.Of(point.Num(i))) {
			gone++
		}
	}
	apply(t, s, point.Delete{Selector: point.Selector{IDs: ids}})
	check(want - gone)
}

func TestAShardIsReadByThoseWhoKnowItsSlots(t *testing.T) {
	s, _ := newShard(t)
	if _, err := s.Apply(ctx, []shard.Entry{{Index: 1}, {Index: 2}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		st     *move.Standing
		epoch  uint64
		class  fault.Class
		waits  bool
		serves bool
	}{
		{"nobody told", nil, 9, 0, false, true},
		{"the same", standing(3, 2, 2, slot.Range{}), 3, 0, false, true},
		{"an older one, of the same slots", standing(3, 2, 0, slot.Range{}), 2, 0, false, true},
		{"who does not ask", standing(3, 2, 0, slot.Range{}), 0, 0, false, true},
		{"an older one, of other slots", standing(3, 3, 0, slot.Range{}), 2, fault.StaleEpoch, false, false},
		{"a newer one", standing(3, 2, 0, slot.Range{}), 4, fault.StaleEpoch, true, false},
		{"before the floor", standing(3, 3, 3, slot.Range{}), 3, fault.Unavailable, true, false},
	} {
		if c.st != nil {
			s.SetStanding(c.st)
		}
		_, err := s.Count(ctx, shard.CountRequest{Look: shard.Look{Epoch: c.epoch}})
		if c.serves {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !fault.Is(err, c.class) || (fault.Hint(err, move.HintWait) != "") != c.waits {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Indexes know of points that are not shown, and no answer does.
func TestIndexesDoNotTellOfHiddenPoints(t *testing.T) {
	n := newNode(t)
	s := n.indexed(t, 1, payload.Schema{"n": {Kind: payload.Integer}, "k": {Kind: payload.Keyword}})
	t.Cleanup(func() { s.Close() })
	lower := slot.Range{To: 2047}
	var points []point.Point
	want := uint64(0)
	for i := range uint64(200) {
		points = append(points, point.Point{ID: point.Num(i), Payload: point.Payload{"n": int64(i), "k": "a"}})
		if lower.Contains(slot.Of(point.Num(i))) {
			want++
		}
	}
	apply(t, s, point.Upsert{Points: points})
	s.SetStanding(standing(3, 2, 0, lower))
	look, a := shard.Look{Epoch: 3}, "a"
	f := &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "k", Match: &filter.Match{Keyword: &a}}}}}
	for _, filter := range []*filter.Filter{nil, f} {
		facets, err := s.Facet(ctx, shard.FacetRequest{Look: look, Path: "k", Filter: filter})
		if err != nil || len(facets) != 1 || facets[0].Count != want {
			t.Errorf("facet: %v, %v, want %d", facets, err, want)
		}
		hits, err := s.Search(ctx, shard.SearchRequest{Look: look, Order: &payload.Order{Path: "n"}, Limit: 1000, Filter: filter})
		if err != nil || uint64(len(hits)) != want {
			t.Errorf("order: %d, %v, want %d", len(hits), err, want)
		}
		count, err := s.Count(ctx, shard.CountRequest{Look: look, Filter: filter})
		if err != nil || count != want {
			t.Errorf("count: %d, %v, want %d", count, err, want)
		}
	}
}
