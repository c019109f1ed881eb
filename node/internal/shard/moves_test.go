package shard_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

const theMove = catalog.MoveID(3)

// moved is the slots that move in these tests: about half of the ids that source draws.
func moved() (slots []slot.Range) {
	for from := 0; from < slot.Count; from += 128 {
		slots = append(slots, slot.Range{From: slot.Slot(from), To: slot.Slot(from + 63)})
	}
	return slots
}

// leaving is the standing of a source.
func leaving(phase catalog.MovePhase) *move.Standing {
	sh := &catalog.Shard{ID: 0, Slots: []slot.Range{{To: slot.Count - 1}}}
	col := &catalog.Collection{ID: 1, Epoch: 1, Shards: []*catalog.Shard{sh}, Moves: []*catalog.Move{
		{ID: theMove, Version: 1, Phase: phase, Source: 0, Target: 1, Slots: moved()},
	}}
	return move.StandingOf(&catalog.State{NextMove: theMove}, col, sh)
}

// transit is a source and two replicas of a target, the second of which applies the same log in other steps, and with crashes.
type transit struct {
	t      *rapid.T
	src    source
	n      *node
	source *shard.Shard
	from   uint64 // the source's generation
	a, b   *shard.Shard
	second uint64 // b's generation
	log    []shard.Entry
	slots  slot.Set
	own    *oracle         // of what is the target's own
	origin *oracle         // of the source
	only   *filter.Matcher // of what moves; nil: all
}

func newTransit(t *rapid.T, n *node) *transit {
	x := &transit{t: t, src: source{t}, n: n, slots: slot.SetOf(moved()...), own: newOracle(), origin: newOracle(), from: n.next.Add(1), second: n.next.Add(1)}
	x.source, x.a, x.b = n.shard(t, x.from), n.indexed(t, n.next.Add(1), x.src.fields()), n.shard(t, x.second)
	x.a.TrustIndexes()
	x.source.SetStanding(leaving(catalog.Copying))
	_ = x.origin.apply(1, nil)
	if _, err := x.source.Apply(context.Background(), []shard.Entry{{Index: 1}}); err != nil {
		t.Fatal(err)
	}
	_ = x.append(move.Open{Move: theMove, Slots: moved()})
	return x
}

func (x *transit) close() {
	for _, s := range []*shard.Shard{x.source, x.a, x.b} {
		closeShard(x.t, s)
	}
}

// append appends an entry to the target's log; a applies it at once.
func (x *transit) append(op move.Op) error {
	decoded, err := move.Decode(move.Encode(op))
	if err != nil {
		x.t.Fatal(err)
	}
	return x.entry(shard.Entry{Move: decoded})
}

func (x *transit) entry(e shard.Entry) error {
	e.Index = uint64(len(x.log)) + 1
	x.log = append(x.log, e)
	errs, err := x.a.Apply(context.Background(), []shard.Entry{e})
	if err != nil {
		x.t.Fatal(err)
	}
	x.own.applied = e.Index
	return errs[0]
}

// follow lets the second replica apply some of what it lacks, at times with a crash in between.
func (x *transit) follow(all bool) {
	rest := x.log[x.b.Applied():]
	if !all && len(rest) > 0 {
		rest = rest[:x.src.n(len(rest))]
	}
	x.b.SetPartBytes(rapid.SampledFrom([]int{1, 200, 1 << 20}).Draw(x.t, "part"))
	power := errors.New("power cut")
	left := -1
	if !all && x.src.oneIn(3) {
		left = x.src.n(6)
	}
	crashes := left >= 0
	x.b.SetCommit(func(b *kv.Batch) error {
		if left--; crashes && left < 0 {
			return power
		}
		return x.n.store.Commit(context.Background(), b)
	})
	if len(rest) > 0 {
		if _, err := x.b.Apply(context.Background(), rest); err != nil && !errors.Is(err, power) {
			x.t.Fatal(err)
		}
	}
	if crashes || x.src.oneIn(5) {
		closeShard(x.t, x.b)
		x.b = x.n.shard(x.t, x.second)
	}
}

// apply applies an operation at the source.
func (x *transit) apply(op point.Op) {
	op = recoded(op)
	_ = x.origin.apply(x.source.Applied()+1, op)
	if _, err := x.source.Apply(context.Background(), []shard.Entry{{Index: x.source.Applied() + 1, Op: op}}); err != nil {
		x.t.Fatal(err)
	}
}

// change makes a random change at the source, or at the target of what is its own.
func (x *transit) change() {
	op := recoded(x.src.op())
	switch x.src.n(5) {
	case 0, 1:
		op = point.ClearPayload{Selector: point.Selector{Filter: encoded(x.src.filter())}}
	case 2:
		op = point.Delete{Selector: point.Selector{IDs: append([]point.ID{}, x.src.ids(8)...)}}
	}
	if x.src.oneIn(2) {
		x.apply(op)
		return
	}
	if op == nil {
		return
	}
	if touched := move.Touched(op); touched != nil && touched.Meets(&x.slots) {
		return // the target's primary would not take it
	}
	_ = x.entry(shard.Entry{Op: op})
	_ = x.own.apply(uint64(len(x.log)), op)
}

// pass sends what a cut of the source has, or the beginning of it.
func (x *transit) pass(whole bool) {
	in, ok := x.a.Moves().Incoming(theMove)
	if !ok {
		x.t.Fatal("the target knows of no move")
	}
	c, err := x.source.CutSlots(theMove, in.Cursor)
	if err != nil {
		x.t.Fatal(err)
	}
	defer c.Close()
	c.Only(x.only)
	enough := errors.New("enough")
	budget := 1 << 30
	if !whole {
		budget = x.src.n(6)
	}
	send := func(op move.Op) error {
		if budget--; budget < 0 {
			return enough
		}
		if err := x.append(op); err != nil {
			x.t.Fatalf("%T: %v", op, err)
		}
		if x.src.oneIn(6) {
			_ = x.append(op) // repeated: it does nothing
		}
		return nil
	}
	if c.Full {
		if err := send(move.Begin{Move: theMove, Cut: c.Applied}); err != nil {
			return
		}
		err = c.All(context.Background(), shard.Have{Through: in.Through, Index: in.Since}, in.Full, 150, func(p shard.Piece) error {
			return send(move.Chunk{Move: theMove, Cut: c.Applied, From: p.From, To: p.To, Last: p.Last, Data: p.Data})
		})
	} else {
		d := move.Delta{Move: theMove, After: in.Cursor, To: c.Applied}
		err = c.Changes(context.Background(), 150, func(p shard.Piece) error {
			d.Data, d.Last = p.Data, p.Last
			err := send(d)
			d.Part++
			return err
		})
	}
	if err != nil && !errors.Is(err, enough) {
		x.t.Fatal(err)
	}
}

func (x *transit) restartSource() {
	closeShard(x.t, x.source)
	x.source = x.n.shard(x.t, x.from)
	x.source.SetStanding(leaving(catalog.Copying))
}

// rows returns the points of a shard that are among the moving slots, or are not, without their versions.
func (x *transit) rows(s *shard.Shard, moving bool) map[point.ID]string {
	records, err := s.Scroll(context.Background(), shard.ScrollRequest{
		Limit: 1000, Payload: shard.PayloadSelector{Enable: true}, Vectors: shard.VectorSelector{Enable: true},
	})
	if err != nil {
		x.t.Fatal(err)
	}
	rows := map[point.ID]string{}
	for _, r := range records {
		if x.slots.Has(slot.Of(r.ID)) == moving {
			rows[r.ID] = fmt.Sprint(r.Payload, r.Vectors)
		}
	}
	return rows
}

func (x *transit) same(what string, got, want map[point.ID]string) {
	x.t.Helper()
	if len(got)+len(want) > 0 && fmt.Sprint(got) != fmt.Sprint(want) {
		x.t.Fatalf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func ownRows(o *oracle, in func(point.ID) bool) map[point.ID]string {
	rows := map[point.ID]string{}
	for _, r := range o.scroll(shard.ScrollRequest{Limit: 1000, Payload: shard.PayloadSelector{Enable: true}, Vectors: shard.VectorSelector{Enable: true}}) {
		if in(r.ID) {
			rows[r.ID] = fmt.Sprint(r.Payload, r.Vectors)
		}
	}
	return rows
}

// wander changes both sides and makes passes, some of which are interrupted, in between, and two whole ones in the end.
func (x *transit) wander() {
	for range 3 {
		x.apply(point.Upsert{Points: x.src.points(12)})
	}
	for range 3 + x.src.n(12) {
		switch x.src.n(10) {
		case 0, 1, 2, 3, 4:
			x.change()
		case 5, 9:
			x.pass(false)
		case 6:
			x.pass(true)
		case 7:
			x.restartSource()
		default:
			x.follow(false)
		}
	}
	x.pass(true)
	x.pass(true)
}

// Whatever is changed meanwhile on both sides, however passes are interrupted, repeated and restarted: in the end the target has what the
// source has of the slots, its own points are as if nothing had moved, and its replicas are equal.
func TestSlotsArriveAsTheyAre(t *testing.T) {
	n := newNode(t)
	rapid.Check(t, func(t *rapid.T) {
		x := newTransit(t, n)
		defer x.close()
		x.wander()
		in, _ := x.a.Moves().Incoming(theMove)
		if in.Cursor != x.source.Applied() {
			t.Fatalf("the target is at %d, the source at %d", in.Cursor, x.source.Applied())
		}
		x.same("what moved", x.rows(x.a, true), x.rows(x.source, true))
		stays := func(id point.ID) bool { return !x.slots.Has(slot.Of(id)) }
		x.same("the target's own", x.rows(x.a, false), ownRows(x.own, stays))
		x.equal()
		if x.src.oneIn(3) {
			x.withdraw()
			return
		}
		_ = x.append(move.Accept{Move: theMove})
		clearing := point.ClearPayload{Selector: point.Selector{Filter: encoded(nil)}}
		within := slot.SetOf(slot.Range{To: 2000})
		_ = x.append(move.Within{Slots: within.Ranges(), Op: point.EncodeOp(clearing)})
		for id, text := range x.rows(x.a, true) {
			if cleared := len(text) > 4 && text[:5] == "map[]"; cleared != within.Has(slot.Of(id)) && x.rows(x.source, true)[id][:5] != "map[]" {
				t.Fatalf("point %s in slot %d: %s", id, slot.Of(id), text)
			}
		}
		x.dropSource()
		x.equal()
	})
}

// equal lets the second replica catch up: it must be equal to the bit.
func (x *transit) equal() {
	x.t.Helper()
	x.follow(true)
	da, err := x.a.Digest(context.Background())
	if err != nil {
		x.t.Fatal(err)
	}
	db, err := x.b.Digest(context.Background())
	if err != nil || da != db || string(x.a.Moves().Encode()) != string(x.b.Moves().Encode()) {
		x.t.Fatalf("digests %x and %x, %v; moves %s and %s", da, db, err, x.a.Moves().Encode(), x.b.Moves().Encode())
	}
}

// withdraw gives the move up: the target deletes what has come.
func (x *transit) withdraw() {
	for i := 0; ; i++ {
		if err := x.append(move.Drop{Move: theMove, Slots: moved(), Limit: uint32(1 + x.src.n(5))}); err != nil {
			x.t.Fatal(err)
		}
		if _, ok := x.a.Moves().Incoming(theMove); !ok {
			break
		}
		x.follow(false)
		if i > 100 {
			x.t.Fatal("it does not end")
		}
	}
	x.same("what was withdrawn", x.rows(x.a, true), nil)
	x.same("the target's own", x.rows(x.a, false), ownRows(x.own, func(id point.ID) bool { return !x.slots.Has(slot.Of(id)) }))
	x.equal()
}

// dropSource deletes what has moved.
func (x *transit) dropSource() {
	stays := func(id point.ID) bool { return !x.slots.Has(slot.Of(id)) }
	for i := 0; ; i++ {
		op := move.Drop{Move: theMove, Slots: moved(), Epoch: 2, Limit: uint32(1 + x.src.n(5))}
		errs, err := x.source.Apply(context.Background(), []shard.Entry{{Index: x.source.Applied() + 1, Move: op}})
		if err != nil || errs[0] != nil {
			x.t.Fatal(err, errs)
		}
		x.origin.applied++
		if _, dropping := x.source.Moves().Dropped(theMove); !dropping {
			break
		}
		if i > 100 {
			x.t.Fatal("it does not end")
		}
		if x.src.oneIn(5) {
			x.restartSource()
		}
	}
	if x.source.RowsIn(x.slots) != 0 || x.source.Moves().Epoch != 2 {
		x.t.Fatalf("%d rows are left; %s", x.source.RowsIn(x.slots), x.source.Moves().Encode())
	}
	x.same("what stays at the source", x.rows(x.source, false), ownRows(x.origin, stays))
	x.source.SetStanding(leaving(catalog.Moved))
	if _, err := x.source.Count(context.Background(), shard.CountRequest{Look: shard.Look{Epoch: 1}}); !fault.Is(err, fault.StaleEpoch) {
		x.t.Fatalf("a reader who may look for what was dropped: %v", err)
	}
}

func TestASealHoldsUpFreshReadersUntilTheCatalogTells(t *testing.T) {
	s, _ := newShard(t)
	s.SetStanding(leaving(catalog.Sealing))
	read := func(fresh bool) error {
		_, err := s.Count(ctx, shard.CountRequest{Look: shard.Look{Epoch: 1, Fresh: fresh}})
		return err
	}
	if err := read(true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(ctx, []shard.Entry{{Index: 1, Move: move.Seal{Move: theMove, Version: 1, Slots: moved()}}}); err != nil {
		t.Fatal(err)
	}
	if err := read(true); !fault.Is(err, fault.StaleEpoch) || fault.Hint(err, move.HintWait) == "" {
		t.Errorf("a fresh read: %v", err)
	}
	if err := read(false); err != nil {
		t.Errorf("another read: %v", err)
	}
	s.SetStanding(leaving(catalog.Withdrawn))
	if err := read(true); err != nil {
		t.Errorf("once it is withdrawn: %v", err)
	}
}

func TestAPointThatIsTooLargeToMoveIsNamed(t *testing.T) {
	s, _ := newShard(t)
	s.SetStanding(leaving(catalog.Copying))
	var id point.ID
	for i := uint64(0); ; i++ {
		if at := slot.Of(point.Num(i)); at%128 < 64 {
			id = point.Num(i)
			break
		}
	}
	large := make([]byte, 25<<20)
	for i := range large {
		large[i] = 'x'
	}
	apply(t, s, upsert(point.Point{ID: id, Payload: point.Payload{"a": string(large)}}))
	c, err := s.CutSlots(theMove, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.All(ctx, shard.Have{}, false, 1000, func(shard.Piece) error { return nil })
	if !fault.Is(err, fault.FailedPrecondition) {
		t.Errorf("%v", err)
	}
}
