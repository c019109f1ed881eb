package coordinator_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

var wait = coordinator.WriteOptions{Wait: true}

func TestWriteGoesToEachShardsPrimaryWithItsTerm(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.change(1, func(s *catalog.Shard) { s.Term = 4 })
		w.write = func(_ context.Context, _ int, c call) (uint64, bool, error) {
			return 10 + uint64(c.shard), c.shard != 1, nil
		}
		r, err := w.c.Write(context.Background(), "alias", upsert(100), wait)
		if err != nil || r != (coordinator.WriteResult{OperationID: 12, Completed: false}) {
			t.Fatalf("got %+v, %v", r, err)
		}
		primaries, total := map[catalog.ShardID]catalog.PeerID{0: 1, 1: 2, 2: 3}, 0
		for _, c := range w.calls() {
			if c.peer != primaries[c.shard] || !c.wait || (c.term == 4) != (c.shard == 1) {
				t.Errorf("call %+v", c)
			}
			last := -1
			for _, p := range c.op.(point.Upsert).Points {
				if r := slot.Spread(3)[c.shard]; !r.Contains(slot.Of(p.ID)) {
					t.Errorf("point %s went to shard %d", p.ID, c.shard)
				}
				if int(p.ID.Number()) <= last {
					t.Error("the order within a shard is lost")
				}
				last = int(p.ID.Number())
				total++
			}
		}
		if total != 100 {
			t.Errorf("%d of 100 points were sent", total)
		}
	}, ids{1, 2}, ids{2, 3}, ids{3, 1})
}

func TestLargeBatchesAreCutAndKeepTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.write = func(_ context.Context, n int, c call) (uint64, bool, error) {
			if n == 3 {
				return 0, false, fault.New(fault.NotFound, "no point with id 7")
			}
			return uint64(n), true, nil
		}
		_, err := w.c.Write(context.Background(), col, upsert(500), wait)
		if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "operation 3 of ") || !strings.Contains(err.Error(), "no point with id 7") {
			t.Errorf("got %v", err)
		}
		if n := len(w.calls()); n != 3 {
			t.Errorf("%d operations were sent after the failure of the third", n-3)
		}
		w.write = func(_ context.Context, n int, c call) (uint64, bool, error) { return uint64(n), true, nil }
		w.mu.calls = nil
		r, err := w.c.Write(context.Background(), col, upsert(500), wait)
		if err != nil || r.OperationID != uint64(len(w.calls())) || len(w.calls()) < 10 {
			t.Fatalf("got %+v, %v after %d calls", r, err, len(w.calls()))
		}
		next := uint64(0)
		for _, c := range w.calls() {
			for _, p := range c.op.(point.Upsert).Points {
				if p.ID.Number() != next {
					t.Fatalf("point %s comes where %d belongs", p.ID, next)
				}
				next++
			}
		}
	}, ids{1})
}

func TestSelectedOperationsGoWhereTheirPointsAre(t *testing.T) {
	byID := point.Selector{IDs: []point.ID{point.Num(1)}}
	byFilter := point.Selector{Filter: []byte(nil)}
	payload := point.Payload{"a": int64(1)}
	for name, c := range map[string]struct {
		one, all point.Op
	}{
		"delete":         {point.Delete{Selector: byID}, point.Delete{Selector: byFilter}},
		"set payload":    {point.SetPayload{Selector: byID, Payload: payload, Key: "k"}, point.SetPayload{Selector: byFilter, Payload: payload, Key: "k"}},
		"overwrite":      {point.OverwritePayload{Selector: byID, Payload: payload}, point.OverwritePayload{Selector: byFilter, Payload: payload}},
		"delete payload": {point.DeletePayload{Selector: byID, Keys: []string{"a"}}, point.DeletePayload{Selector: byFilter, Keys: []string{"a"}}},
		"clear payload":  {point.ClearPayload{Selector: byID}, point.ClearPayload{Selector: byFilter}},
		"delete vectors": {point.DeleteVectors{Selector: byID, Names: []string{"far"}}, point.DeleteVectors{Selector: byFilter, Names: []string{"far"}}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.write = func(context.Context, int, call) (uint64, bool, error) { return 1, true, nil }
				if _, err := w.c.Write(context.Background(), col, c.one, wait); err != nil {
					t.Fatal(err)
				}
				calls := w.calls()
				if len(calls) != 1 || !slot.Spread(3)[calls[0].shard].Contains(slot.Of(point.Num(1))) || !reflect.DeepEqual(calls[0].op, c.one) {
					t.Errorf("by id: %+v", calls)
				}
				w.mu.calls = nil
				if _, err := w.c.Write(context.Background(), col, c.all, wait); err != nil {
					t.Fatal(err)
				}
				if calls = w.calls(); len(calls) != 3 || !reflect.DeepEqual(calls[0].op, c.all) {
					t.Errorf("by filter: %+v", calls)
				}
			}, ids{1}, ids{2}, ids{3})
		})
	}
}

func TestWrongWritesReachNoShard(t *testing.T) {
	one := func(v point.Vectors) point.Op {
		good := upsert(3)
		good.Points = append(good.Points, point.Point{ID: point.Num(9), Vectors: v})
		return good
	}
	for text, op := range map[string]point.Op{
		"Vector dimension error: expected dim: 2, got 3": one(point.Vectors{"": {1, 2, 3}}),
		"Vector dimension error: expected dim: 1, got 0": one(point.Vectors{"far": {}}),
		"Not existing vector name error: nope":           one(point.Vectors{"nope": {1}}),
		"NaN":                                            one(point.Vectors{"": {1, float32(math.NaN())}}),
		"Inf":                                            one(point.Vectors{"": {1, float32(math.Inf(1))}}),
		"Not existing vector name error: x":              point.DeleteVectors{Selector: point.Selector{IDs: []point.ID{point.Num(1)}}, Names: []string{"far", "x"}},
		"filter":                                         point.Delete{Selector: point.Selector{Filter: []byte("junk")}},
		"Vector dimension error: expected dim: 2, got 1": point.UpdateVectors{Points: []point.Point{{Vectors: point.Vectors{"": {1}}}}},
	} {
		t.Run(text, func(t *testing.T) {
			w := newWorld(t, ids{1}, ids{2})
			w.write = func(context.Context, int, call) (uint64, bool, error) { return 1, true, nil }
			_, err := w.c.Write(context.Background(), col, op, wait)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), text) {
				t.Errorf("got %v: %v", fault.ClassOf(err), err)
			}
			if len(w.calls()) != 0 {
				t.Error("a shard was reached")
			}
		})
	}
	w := newWorld(t, ids{1})
	_, err := w.c.Write(context.Background(), "nope", upsert(1), wait)
	if !fault.Is(err, fault.NotFound) || err.Error() != "Collection `nope` doesn't exist!" {
		t.Errorf("unknown collection: %v", err)
	}
	w.write = func(context.Context, int, call) (uint64, bool, error) { return 1, true, nil }
	if _, err := w.c.Write(context.Background(), col, one(point.Vectors{"far": {1}}), wait); err != nil {
		t.Errorf("a point without some of the vectors: %v", err)
	}
}

// The table in Write's doc, row by row.
func TestWriteIsSentAgainOnlyIfItWasSurelyNotApplied(t *testing.T) {
	unknownOutcome := fault.New(fault.Unavailable, "its primary was replaced").With(fault.HintOutcome, fault.OutcomeUnknown)
	for name, c := range map[string]struct {
		err   error
		again bool
	}{
		"not primary":             {notPrimary(2, 1), true},
		"stale epoch":             {fault.New(fault.StaleEpoch, "no replica here"), true},
		"unavailable":             {fault.New(fault.Unavailable, "being opened"), true},
		"exhausted":               {fault.New(fault.Exhausted, "queue full"), true},
		"unavailable, unknown":    {unknownOutcome, false},
		"stale epoch, unknown":    {fault.New(fault.StaleEpoch, "x").With(fault.HintOutcome, fault.OutcomeUnknown), false},
		"timeout":                 {fault.New(fault.Timeout, "x"), false},
		"canceled":                {fault.New(fault.Canceled, "x"), false},
		"too few active replicas": {fault.New(fault.FailedPrecondition, "needs 2 of 2 replicas, 1 is active"), false},
		"the operation's own":     {fault.New(fault.NotFound, "No point with id 7 found"), false},
		"invalid":                 {fault.New(fault.Invalid, "too large"), false},
		"internal":                {errors.New("a bug"), false},
		"corrupt":                 {fault.New(fault.Corrupt, "checksum"), false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.write = func(_ context.Context, n int, _ call) (uint64, bool, error) {
					if n <= 3 {
						return 0, false, c.err
					}
					return 9, true, nil
				}
				start := time.Now()
				r, err := w.c.Write(context.Background(), col, upsert(1), wait)
				if c.again {
					if err != nil || r.OperationID != 9 || len(w.calls()) != 4 {
						t.Errorf("got %+v, %v after %d calls", r, err, len(w.calls()))
					}
					if pause := time.Since(start); pause < 15*time.Millisecond || pause > time.Second {
						t.Errorf("three retries took %v", pause)
					}
					return
				}
				if err == nil || len(w.calls()) != 1 {
					t.Fatalf("got %v after %d calls", err, len(w.calls()))
				}
				if fault.ClassOf(err) != fault.ClassOf(c.err) {
					t.Errorf("class %v became %v", fault.ClassOf(c.err), fault.ClassOf(err))
				}
				switch fault.ClassOf(c.err) {
				case fault.Timeout, fault.Canceled, fault.Unavailable, fault.Internal, fault.Corrupt:
					if !unknown(err) || !strings.Contains(err.Error(), "may still be committed") || !strings.Contains(err.Error(), "2 replicas") || !strings.HasPrefix(err.Error(), "shard 0: ") {
						t.Errorf("the unknown outcome is not told: %v", err)
					}
				default: // the error itself says all
				}
			}, ids{2, 3})
		})
	}
}

func TestWriteFollowsAHintAtOnceAndNewsOfTheCatalog(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.write = func(_ context.Context, n int, c call) (uint64, bool, error) {
			if c.peer == 3 && c.term == 7 {
				return 1, true, nil
			}
			return 0, false, notPrimary(3, 7)
		}
		start := time.Now()
		if _, err := w.c.Write(context.Background(), col, upsert(1), wait); err != nil || time.Since(start) != 0 {
			t.Errorf("hint: %v after %v", err, time.Since(start))
		}
		if got := w.peers(); !reflect.DeepEqual(got, ids{2, 3}) {
			t.Errorf("asked %v", got)
		}
		w.write = func(_ context.Context, n int, c call) (uint64, bool, error) {
			if c.peer == 1 && c.term == 8 {
				return 1, true, nil
			}
			return 0, false, notPrimary(2, 1) // knows no better
		}
		go func() {
			pass(10 * time.Second)
			w.change(0, func(s *catalog.Shard) { s.Primary, s.Term, s.Version = 1, 8, 2 })
		}()
		start = time.Now()
		if _, err := w.c.Write(context.Background(), col, upsert(1), wait); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 10*time.Second || took > 10*time.Second+5*time.Millisecond {
			t.Errorf("it took %v to notice the catalog's news", took)
		}
	}, ids{2, 3})
}

func TestWriteWaitsForADeadPrimarysSuccessor(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.kill(2)
		w.write = func(_ context.Context, n int, c call) (uint64, bool, error) { return 1, true, nil }
		go func() {
			pass(3 * time.Second)
			w.change(0, func(s *catalog.Shard) { s.Primary, s.Term = 3, 2 })
		}()
		if _, err := w.c.Write(context.Background(), col, upsert(1), wait); err != nil {
			t.Fatal(err)
		}
		if got := w.peers(); !reflect.DeepEqual(got, ids{3}) {
			t.Errorf("asked %v", got)
		}
	}, ids{2, 3})
}

func TestWriteFailsAtOnceWhenNobodyCouldSucceedTheDeadPrimary(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.kill(2, 3)
		start := time.Now()
		_, err := w.c.Write(context.Background(), col, upsert(1), wait)
		if !fault.Is(err, fault.Unavailable) || unknown(err) || time.Since(start) != 0 {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		for _, part := range []string{"shard 0", "node-2 (peer 2)", "node-3 (peer 3) does not answer", "nothing was sent"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q misses %q", err, part)
			}
		}
	}, ids{2, 3})
}

func TestWriteGivesUpAtItsDeadlineAndSaysThatNothingWasApplied(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.write = func(context.Context, int, call) (uint64, bool, error) { return 0, false, notPrimary(2, 1) }
		start := time.Now()
		_, err := w.c.Write(context.Background(), col, upsert(1), wait)
		if !fault.Is(err, fault.Timeout) || unknown(err) || time.Since(start) != 30*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if !strings.Contains(err.Error(), "nothing was applied") || !strings.Contains(err.Error(), "not the primary") {
			t.Errorf("got %v", err)
		}
		if n := len(w.calls()); n < 40 || n > 200 {
			t.Errorf("%d attempts in 30 s", n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		go func() { pass(time.Second); cancel() }()
		start = time.Now()
		if _, err = w.c.Write(ctx, col, upsert(1), wait); !fault.Is(err, fault.Canceled) || unknown(err) || time.Since(start) != time.Second {
			t.Errorf("canceled: %v after %v", err, time.Since(start))
		}
	}, ids{2, 3})
}

func TestSomeFailedShardsAreNamedAndCounted(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.write = func(_ context.Context, _ int, c call) (uint64, bool, error) {
			switch c.shard {
			case 1:
				return 0, false, fault.New(fault.FailedPrecondition, "needs 2 of 2 replicas, 1 is active")
			case 3:
				return 0, false, fault.New(fault.Timeout, "shard 3: late; it may still be committed").With(fault.HintOutcome, fault.OutcomeUnknown)
			}
			return 5, true, nil
		}
		_, err := w.c.Write(context.Background(), col, upsert(200), wait)
		want := "2 of 4 shards failed: shard 1: needs 2 of 2 replicas, 1 is active; shard 3: late; it may still be committed"
		if err == nil || err.Error() != want || !fault.Is(err, fault.FailedPrecondition) || !unknown(err) {
			t.Errorf("got %v (%v)\nwant %v", err, fault.ClassOf(err), want)
		}
	}, ids{1}, ids{2}, ids{3}, ids{1})
}

// A client may send again what was surely not applied; what was applied in part it may not.
func TestAWriteThatSomeShardsRefuseIsNotTakenForRefused(t *testing.T) {
	for name, refusing := range map[string][]catalog.ShardID{"some": {1}, "all": {0, 1, 2}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ids{1}, ids{2}, ids{3})
			w.write = func(_ context.Context, _ int, c call) (uint64, bool, error) {
				if slices.Contains(refusing, c.shard) {
					return 0, false, fault.New(fault.FailedPrecondition, "refused")
				}
				return 5, true, nil
			}
			_, err := w.c.Write(context.Background(), col, upsert(200), wait)
			if !fault.Is(err, fault.FailedPrecondition) || unknown(err) != (name == "some") {
				t.Errorf("got %v, its outcome unknown: %t", err, unknown(err))
			}
		})
	}
}

// What this node knows to be refused is tried first: a write of several shards is refused before any of it is applied.
func TestAWriteThatAShardRefusesIsAppliedToNone(t *testing.T) {
	refusal := fault.New(fault.FailedPrecondition, "needs 2 of 2 replicas of shard 1, 1 is active")
	demoted := func(w *world) {
		w.change(1, func(s *catalog.Shard) {
			s.Replicas = slices.Clone(s.Replicas)
			s.Replicas[1].State = catalog.Dead
		})
	}
	t.Run("refused", func(t *testing.T) {
		w := newWorld(t, ids{1, 2}, ids{1, 2}, ids{1, 2})
		demoted(w)
		w.write = func(_ context.Context, _ int, c call) (uint64, bool, error) {
			if c.shard != 1 {
				t.Errorf("shard %d was written", c.shard)
			}
			return 0, false, refusal
		}
		_, err := w.c.Write(context.Background(), col, upsert(100), coordinator.WriteOptions{})
		if !fault.Is(err, fault.FailedPrecondition) || err.Error() != refusal.Error() || len(w.calls()) != 1 {
			t.Errorf("got %v after %d calls", err, len(w.calls()))
		}
	})
	t.Run("refused by two of three", func(t *testing.T) {
		w := newWorld(t, ids{1, 2}, ids{1, 2}, ids{1, 2})
		demoted(w)
		w.change(2, func(s *catalog.Shard) { s.WriteQuorum = 3 })
		w.write = func(_ context.Context, _ int, c call) (uint64, bool, error) { return 0, false, refusal }
		_, err := w.c.Write(context.Background(), col, upsert(100), coordinator.WriteOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), "2 of 3 shards failed and the others were not tried: needs 2 of 2 replicas of shard 1, 1 is active; shard 2: ") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the primary knows better", func(t *testing.T) {
		w := newWorld(t, ids{1, 2}, ids{1, 2}, ids{1, 2})
		demoted(w)
		first := catalog.ShardID(99)
		w.write = func(_ context.Context, n int, c call) (uint64, bool, error) {
			if n == 1 {
				first = c.shard
			}
			return 7, true, nil
		}
		r, err := w.c.Write(context.Background(), col, upsert(100), coordinator.WriteOptions{Wait: true})
		if err != nil || !r.Completed || first != 1 || len(w.calls()) != 3 {
			t.Errorf("got %+v, %v after %d calls, the first to shard %d", r, err, len(w.calls()), first)
		}
	})
}

// The primary waits for W to be lowered: that ends by itself unless too few peers answer for the metadata to change.
func TestAWriteThatWaitsForTheMetadataIsRefusedWhenTheyCannotChange(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.write = func(_ context.Context, n int, _ call) (uint64, bool, error) {
			if n == 2 {
				return 7, true, nil
			}
			return 0, false, fault.New(fault.Unavailable, "needs 2 replicas until the metadata show that 1 will do, 1 count; nothing was logged").
				With(replication.HintMetadata, "true")
		}
		w.kill(2)
		if r, err := w.c.Write(context.Background(), col, upsert(1), wait); err != nil || r.OperationID != 7 {
			t.Fatalf("two of three answer: %+v, %v", r, err)
		}
		w.kill(3)
		before, calls := time.Now(), len(w.calls())
		_, err := w.c.Write(context.Background(), col, upsert(1), wait)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "needs 2 replicas") ||
			!strings.Contains(err.Error(), "the metadata cannot change while 1 of 3 peers answer") || fault.Hint(err, fault.HintOutcome) != "" {
			t.Errorf("one of three answers: %v", err)
		}
		if n := len(w.calls()) - calls; n != 1 || time.Since(before) > 0 {
			t.Errorf("%d tries, %s", n, time.Since(before))
		}
	}, ids{1, 2})
}
