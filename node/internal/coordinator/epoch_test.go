package coordinator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// moving is what moves from shard 0 to shard 1 in these tests.
var moving = slot.Range{From: 1000, To: 2047}

// inMoving returns n ids of points whose slots move, others n whose do not.
func inMoving(n int) (list, others []point.ID) {
	for i := uint64(0); len(list) < n || len(others) < n; i++ {
		id := point.Num(i)
		switch s := slot.Of(id); {
		case moving.Contains(s) && len(list) < n:
			list = append(list, id)
		case s < 1000 && len(others) < n:
			others = append(others, id)
		}
	}
	return list, others
}

func tooOld(epoch uint64) error {
	return fault.New(fault.StaleEpoch, "its slots changed in epoch %d", epoch).With(move.HintEpoch, fmt.Sprint(epoch))
}

func TestAReadBeginsAnewWhenSlotsHaveMoved(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.count = func(_ context.Context, c call) (uint64, error) {
			if c.shard == 1 && c.look.Epoch == 1 {
				return 0, tooOld(2) // this replica knows the flip already
			}
			return 10, nil
		}
		go func() {
			pass(300 * time.Millisecond)
			w.flip(0, 1, moving)
		}()
		begun := time.Now()
		n, err := w.c.Count(context.Background(), col, nil, one)
		if err != nil || n != 20 || time.Since(begun) != 300*time.Millisecond {
			t.Fatalf("%d, %v after %s", n, err, time.Since(begun))
		}
		var epochs []uint64
		for _, c := range w.calls() {
			epochs = append(epochs, c.look.Epoch)
		}
		if !slices.Contains(epochs, 2) || epochs[len(epochs)-1] != 2 || epochs[len(epochs)-2] != 2 {
			t.Errorf("epochs asked for: %v", epochs)
		}
	}, ids{1}, ids{2})
}

func TestAReadThatCannotLearnOfAFlipSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.count = func(context.Context, call) (uint64, error) { return 0, tooOld(9) }
		ctx, cancel := within(2 * time.Second)
		defer cancel()
		_, err := w.c.Count(ctx, col, nil, one)
		if !fault.Is(err, fault.Timeout) || !strings.Contains(err.Error(), "which shards own which slots") {
			t.Errorf("%v", err)
		}
	}, ids{1})
}

func TestOnlyReadsThatPromiseItAreFresh(t *testing.T) {
	for _, c := range []struct {
		o     coordinator.ReadOptions
		fresh bool
	}{
		{coordinator.ReadOptions{}, false}, {coordinator.ReadOptions{Consistency: coordinator.Factor, Factor: 2}, false},
		{coordinator.ReadOptions{Consistency: coordinator.Quorum}, true}, {coordinator.ReadOptions{Consistency: coordinator.Majority}, true},
		{coordinator.ReadOptions{Consistency: coordinator.All}, true}, {coordinator.ReadOptions{Consistency: coordinator.Linearizable}, true},
	} {
		bubble(t, func(t *testing.T, w *world) {
			w.count = func(context.Context, call) (uint64, error) { return 1, nil }
			w.confirm = func(context.Context, call) (uint64, error) { return 1, nil }
			w.applied = func(call) uint64 { return 1 }
			if _, err := w.c.Count(context.Background(), col, nil, c.o); err != nil {
				t.Fatal(err)
			}
			for _, asked := range w.calls() {
				if !asked.proof && asked.look != (shard.Look{Epoch: 1, Fresh: c.fresh}) {
					t.Errorf("%v: asked %+v", c.o, asked.look)
				}
			}
		}, ids{1, 2, 3})
	}
}

func TestShardsWithoutSlotsAreNotAsked(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.flip(1, 0, slot.Range{From: 2048, To: 4095})
		w.count = func(_ context.Context, c call) (uint64, error) { return 1, nil }
		w.write = func(context.Context, int, call) (uint64, bool, error) { return 1, true, nil }
		if n, err := w.c.Count(context.Background(), col, nil, one); err != nil || n != 1 {
			t.Fatalf("%d, %v", n, err)
		}
		op := point.Delete{Selector: point.Selector{Filter: filter.Encode(nil)}}
		if _, err := w.c.Write(context.Background(), col, op, coordinator.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, c := range w.calls() {
			if c.shard != 0 {
				t.Errorf("asked %+v", c)
			}
		}
	}, ids{1}, ids{2})
}

// sealed refuses what is written to shard 0 until the slots have moved, 200 ms later.
func sealed(w *world, taken *[]call) {
	w.write = func(_ context.Context, _ int, c call) (uint64, bool, error) {
		if c.shard == 0 && c.epoch == 1 {
			return 0, false, fault.New(fault.StaleEpoch, "slots are being handed over").With(move.HintEpoch, "1")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		*taken = append(*taken, c)
		return uint64(10 + c.shard), true, nil
	}
	go func() {
		pass(200 * time.Millisecond)
		w.flip(0, 1, moving)
	}()
}

func TestAWriteIsSplitAgainWhenSlotsHaveMoved(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var taken []call
		sealed(w, &taken)
		moved, stay := inMoving(3)
		op := point.Delete{Selector: point.Selector{IDs: slices.Concat(moved, stay)}}
		begun := time.Now()
		r, err := w.c.Write(context.Background(), col, op, coordinator.WriteOptions{Wait: true})
		if err != nil || !r.Completed || r.OperationID != 11 {
			t.Fatalf("%+v, %v", r, err)
		}
		if took := time.Since(begun); took < 200*time.Millisecond || took > 210*time.Millisecond {
			t.Errorf("took %s: it should go on as soon as the slots have moved", took)
		}
		got := map[catalog.ShardID][]point.ID{}
		for _, c := range taken {
			if c.epoch != 2 {
				t.Errorf("taken in epoch %d", c.epoch)
			}
			got[c.shard] = append(got[c.shard], c.op.(point.Delete).IDs...)
		}
		if !slices.Equal(got[0], stay) || !slices.Equal(got[1], moved) {
			t.Errorf("got %v, want %v and %v", got, stay, moved)
		}
	}, ids{1}, ids{2})
}

// Shard 1 has done its part before the slots moved: of what moved to it later, and of that alone, it does the operation again.
func TestAnOperationWithAFilterIsDoneOncePerSlot(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var taken []call
		sealed(w, &taken)
		op := point.ClearPayload{Selector: point.Selector{Filter: filter.Encode(nil)}}
		if _, err := w.c.Write(context.Background(), col, op, coordinator.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		var did [2]slot.Set
		for _, c := range taken {
			in := c.within
			if in.Empty() {
				state, _ := w.Watch()
				sh, _ := state.Collections[5].Shard(c.shard)
				if in = sh.Owned(); c.epoch == 1 {
					in = in.Minus(slot.SetOf(moving))
				}
			}
			if did[0].Meets(&in) || did[1].Meets(&in) {
				t.Errorf("%+v: some slots for the second time", c)
			}
			did[c.shard] = did[c.shard].Or(in)
		}
		want := slot.SetOf(moving, slot.Range{From: 2048, To: 4095})
		if did[1] != want || did[0] != slot.SetOf(slot.Range{To: 999}) {
			t.Errorf("shard 0 did it for %v, shard 1 for %v", did[0].Ranges(), did[1].Ranges())
		}
		if last := taken[len(taken)-1]; taken[0].shard != 1 || !taken[0].within.Empty() || len(taken) != 3 || last.epoch != 2 {
			t.Errorf("taken: %+v", taken)
		}
	}, ids{1}, ids{2})
}

// A batch of which some operations are done goes on with the others.
func TestWhatIsDoneOfABatchIsNotDoneAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var points []point.Point
		moved, _ := inMoving(60)
		for _, id := range moved {
			points = append(points, point.Point{ID: id, Vectors: point.Vectors{"": {1, 2}}})
		}
		counts := map[point.ID]int{}
		refusing := false
		w.write = func(_ context.Context, n int, c call) (uint64, bool, error) {
			if c.shard == 0 && n > 1 {
				if !refusing {
					refusing = true
					go func() {
						pass(50 * time.Millisecond)
						w.flip(0, 1, moving)
					}()
				}
				return 0, false, tooOld(1)
			}
			for _, p := range c.op.(point.Upsert).Points {
				counts[p.ID]++
			}
			return uint64(n), true, nil
		}
		if _, err := w.c.Write(context.Background(), col, point.Upsert{Points: points}, coordinator.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, id := range moved {
			if counts[id] != 1 {
				t.Errorf("point %s was sent %d times", id, counts[id])
			}
		}
	}, ids{1}, ids{2})
}

// Shard 1 has done its part when the slots move, and what is left is refused for good: the write as a whole is not refused.
func TestAWriteOfWhichAPartIsDoneIsNotRefused(t *testing.T) {
	for what, end := range map[string]func(w *world){
		"its shard":      func(w *world) { w.flip(0, 1, moving) },
		"its collection": func(w *world) { w.drop() },
	} {
		bubble(t, func(t *testing.T, w *world) {
			w.write = func(_ context.Context, _ int, c call) (uint64, bool, error) {
				switch {
				case c.shard == 1 && c.epoch == 1:
					return 7, true, nil
				case c.shard == 0 && c.epoch == 1:
					return 0, false, tooOld(2)
				}
				return 0, false, fault.New(fault.FailedPrecondition, "needs 2 of 2 replicas, 1 is active")
			}
			go func() {
				pass(50 * time.Millisecond)
				end(w)
			}()
			op := point.Delete{Selector: point.Selector{Filter: filter.Encode(nil)}}
			if _, err := w.c.Write(context.Background(), col, op, coordinator.WriteOptions{}); err == nil || !unknown(err) {
				t.Errorf("%s: %v", what, err)
			}
		}, ids{1}, ids{2})
	}
}
