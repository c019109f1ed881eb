package shard_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// TestWhatMatchesArrives: whatever is changed at the source, and however passes are interrupted and restarted, the target has in the end what matches
// there, and nothing else of the slots.
func TestWhatMatchesArrives(t *testing.T) {
	n := newNode(t)
	rapid.Check(t, func(t *rapid.T) {
		x := newTransit(t, n)
		defer x.close()
		f := x.src.filter()
		only, err := filter.Compile(f)
		if err != nil {
			t.Fatal(err)
		}
		x.only = only
		x.wander()
		want := map[point.ID]string{}
		for id, text := range x.rows(x.source, true) {
			if matches(f, x.origin.points[id]) {
				want[id] = text
			}
		}
		x.same("what matches", x.rows(x.a, true), want)
		x.same("the target's own", x.rows(x.a, false), ownRows(x.own, func(id point.ID) bool { return !x.slots.Has(slot.Of(id)) }))
		x.equal()
	})
}

// A seal of a fill ends with a drop of nothing: it takes no row, and no slots are sealed any more.
func TestADropOfNothingDropsNothing(t *testing.T) {
	s, _ := newShard(t)
	var points []point.Point
	for i := range uint64(50) {
		points = append(points, point.Point{ID: point.Num(i), Payload: point.Payload{"n": int64(i)}})
	}
	apply(t, s, upsert(points...))
	next := func(op move.Op) {
		t.Helper()
		if errs, err := s.Apply(ctx, []shard.Entry{{Index: s.Applied() + 1, Move: op}}); err != nil || errs[0] != nil {
			t.Fatal(err, errs)
		}
	}
	next(move.Seal{Move: theMove, Version: 3, Slots: moved()})
	next(move.Drop{Move: theMove, Epoch: 4})
	moves := s.Moves()
	if len(moves.Sealed) != 0 || len(moves.Drops) != 0 || moves.Epoch != 4 {
		t.Errorf("%s", moves.Encode())
	}
	if n, err := s.Count(ctx, shard.CountRequest{}); err != nil || n != 50 {
		t.Errorf("%d points, %v", n, err)
	}
}
