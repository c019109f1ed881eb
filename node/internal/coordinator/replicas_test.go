package coordinator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

func versioned(id, version uint64) point.Record {
	r := record(id)
	r.Version = version
	return r
}

// stuck never answers, as a stopped process does.
func stuck(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestSeveralReplicasAreAskedAndTheNewestAnswerCounts(t *testing.T) {
	all := coordinator.ReadOptions{Consistency: coordinator.All}
	w := newWorld(t, ids{1, 2, 3})
	index := map[catalog.PeerID]uint64{1: 4, 2: 9, 3: 7}
	w.applied = func(c call) uint64 { return index[c.peer] }
	w.get = func(_ context.Context, c call, _ shard.GetRequest) ([]point.Record, error) {
		if c.peer == 2 { // it has applied the deletion of 5
			return []point.Record{versioned(6, 3)}, nil
		}
		return []point.Record{versioned(5, 4), versioned(6, 3)}, nil
	}
	got, err := w.c.Get(context.Background(), col, shard.GetRequest{IDs: []point.ID{point.Num(5), point.Num(6)}}, all)
	if err != nil || !slices.Equal(numbers(got), []uint64{6}) {
		t.Errorf("got %v, %v: point 5 was deleted", numbers(got), err)
	}
	w.scroll = func(_ context.Context, c call, _ shard.ScrollRequest) ([]point.Record, error) {
		if c.peer == 3 { // its version tells that it is newer than it says
			return []point.Record{versioned(1, 12)}, nil
		}
		return []point.Record{versioned(1, 3)}, nil
	}
	page, _, err := w.c.Scroll(context.Background(), col, shard.ScrollRequest{Limit: 1}, all)
	if err != nil || len(page) != 1 || page[0].Version != 12 {
		t.Errorf("got %v, %v", page, err)
	}
	w.search = func(_ context.Context, c call, _ []shard.SearchRequest) ([][]shard.Scored, error) {
		return [][]shard.Scored{{{Record: versioned(uint64(c.peer), 1), Score: 1}}}, nil
	}
	hits, err := w.c.Search(context.Background(), col, []coordinator.Query{{SearchRequest: shard.SearchRequest{Vector: []float32{1, 2}, Limit: 1}}}, all)
	if err != nil || hits[0][0].ID.Number() != 2 {
		t.Errorf("got %v, %v", hits, err)
	}
	w.count = func(_ context.Context, c call) (uint64, error) { return uint64(c.peer) * 100, nil }
	if n, err := w.c.Count(context.Background(), col, nil, all); err != nil || n != 200 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestADeadMinorityFailsAllButNotAQuorum(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.kill(3)
		w.count = func(_ context.Context, c call) (uint64, error) { return 1, nil }
		for _, o := range []coordinator.ReadOptions{
			{Consistency: coordinator.Quorum}, {Consistency: coordinator.Majority}, {Consistency: coordinator.Factor, Factor: 2},
		} {
			synctest.Wait()
			w.mu.calls = nil
			if n, err := w.c.Count(context.Background(), col, nil, o); err != nil || n != 1 {
				t.Errorf("%+v: %d, %v", o, n, err)
			}
			if asked := w.peers(); len(asked) != 2 || slices.Contains(asked, 3) {
				t.Errorf("%+v: asked %v", o, asked)
			}
		}
		start := time.Now()
		_, err := w.c.Count(context.Background(), col, nil, coordinator.ReadOptions{Consistency: coordinator.All})
		want := "shard 0: the read needs the answers of 3 of 3 replicas, 2 are there (active: node-1 (peer 1), node-2 (peer 2), node-3 (peer 3) does not answer)"
		if !fault.Is(err, fault.Unavailable) || err.Error() != want || time.Since(start) != 0 {
			t.Errorf("got  %v after %v\nwant %s", err, time.Since(start), want)
		}
		w.kill(2)
		if _, err = w.c.Count(context.Background(), col, nil, coordinator.ReadOptions{Consistency: coordinator.Majority}); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "2 of 3 replicas, 1 is there") {
			t.Errorf("got %v", err)
		}
	}, ids{1, 2, 3})
}

// What people chose does not shrink with the cluster: an under-replicated shard cannot answer for all.
func TestWhatIsDeclaredCountsNotWhatThereIs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.change(0, func(s *catalog.Shard) {
			s.Replicas = slices.Clone(s.Replicas)
			s.Replicas[2].State = catalog.Dead
		})
		w.count = func(context.Context, call) (uint64, error) { return 1, nil }
		if _, err := w.c.Count(context.Background(), col, nil, coordinator.ReadOptions{Consistency: coordinator.All}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("all: %v", err)
		}
		if n, err := w.c.Count(context.Background(), col, nil, coordinator.ReadOptions{Consistency: coordinator.Quorum}); err != nil || n != 1 {
			t.Errorf("quorum: %d, %v", n, err)
		}
	}, ids{1, 2, 3})
}

func TestAFailedReplicaIsReplacedByTheNext(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.count = func(_ context.Context, c call) (uint64, error) {
			if c.peer == 1 {
				return 0, fault.New(fault.Unavailable, "being opened")
			}
			return 5, nil
		}
		start := time.Now()
		if n, err := w.c.Count(context.Background(), col, nil, coordinator.ReadOptions{Consistency: coordinator.Quorum}); err != nil || n != 5 || time.Since(start) != 0 {
			t.Errorf("got %d, %v after %v", n, err, time.Since(start))
		}
		_, err := w.c.Count(context.Background(), col, nil, coordinator.ReadOptions{Consistency: coordinator.All})
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "needs the answers of 3 replicas, too many of the 3 that can be asked failed, the last one: node-1 (peer 1): being opened") {
			t.Errorf("got %v", err)
		}
	}, ids{1, 2, 3})
}

func TestAStoppedReplicaHoldsNoRead(t *testing.T) {
	for name, c := range map[string]struct {
		o       coordinator.ReadOptions
		stopped []catalog.PeerID
		declare *time.Duration
		factor  *uint32
		within  time.Duration
	}{
		"one":                   {coordinator.ReadOptions{}, ids{1}, nil, nil, 200 * time.Millisecond},
		"one, two stopped":      {coordinator.ReadOptions{}, ids{1, 2}, nil, nil, 400 * time.Millisecond},
		"quorum":                {coordinator.ReadOptions{Consistency: coordinator.Quorum}, ids{1}, nil, nil, 200 * time.Millisecond},
		"majority asks all":     {coordinator.ReadOptions{Consistency: coordinator.Majority}, ids{1}, nil, nil, 0},
		"a declared delay":      {coordinator.ReadOptions{}, ids{1}, new(7 * time.Millisecond), nil, 7 * time.Millisecond},
		"hedging is turned off": {coordinator.ReadOptions{}, ids{1}, new(time.Duration(0)), nil, time.Second},
		"a fan-out of one more": {coordinator.ReadOptions{}, ids{1}, nil, new(uint32(1)), 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.mu.state.Collections[5].Config.ReadFanOutDelay = c.declare
				w.mu.state.Collections[5].Config.ReadFanOutFactor = c.factor
				w.count = func(ctx context.Context, q call) (uint64, error) {
					if slices.Contains(c.stopped, q.peer) {
						return 0, stuck(ctx)
					}
					return 3, nil
				}
				start := time.Now()
				n, err := w.c.Count(context.Background(), col, nil, c.o)
				if took := time.Since(start); err != nil || n != 3 || took > c.within {
					t.Errorf("got %d, %v after %v", n, err, took)
				}
			}, ids{1, 2, 3})
		})
	}
}

// When everything is slow, asking twice would make it slower: the second questions are bounded.
func TestSecondQuestionsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.count = func(ctx context.Context, q call) (uint64, error) { return 0, stuck(ctx) }
		ctx, cancel := within(5 * time.Second)
		defer cancel()
		const readers = 300
		done := make(chan error)
		for range readers {
			go func() {
				_, err := w.c.Count(ctx, col, nil, one)
				done <- err
			}()
		}
		pass(4950 * time.Millisecond)
		if n := len(w.calls()); n != readers+64 {
			t.Errorf("%d reads made %d calls", readers, n)
		}
		for range readers {
			if err := <-done; !fault.Is(err, fault.Timeout) {
				t.Errorf("got %v", err)
			}
		}
	}, ids{1, 2, 3})
}

func TestALinearizableReadStandsOnThePrimarysProof(t *testing.T) {
	strong := coordinator.ReadOptions{Consistency: coordinator.Linearizable}
	bubble(t, func(t *testing.T, w *world) {
		w.count = func(_ context.Context, c call) (uint64, error) { return 1, nil }
		w.confirm = func(_ context.Context, c call) (uint64, error) { return 40 + uint64(c.shard), nil }
		if n, err := w.c.Count(context.Background(), col, nil, strong); err != nil || n != 2 {
			t.Fatalf("got %d, %v", n, err)
		}
		for _, c := range w.calls() {
			primary := catalog.PeerID(2 + c.shard)
			if c.peer != primary || c.proof && c.term != 1 || !c.proof && c.min != 40+uint64(c.shard) {
				t.Errorf("shard %d: %+v", c.shard, c)
			}
		}
		// A replica that is behind is passed over: whoever has applied the index will do.
		synctest.Wait()
		w.mu.calls = nil
		w.count = func(_ context.Context, c call) (uint64, error) {
			if c.peer != 1 {
				return 0, fault.New(fault.Unavailable, "has applied 3, the read needs %d", c.min)
			}
			return 1, nil
		}
		if n, err := w.c.Count(context.Background(), col, nil, strong); err != nil || n != 2 {
			t.Errorf("got %d, %v", n, err)
		}
	}, ids{2, 1}, ids{3, 1})
}

func TestALinearizableReadFollowsThePrimary(t *testing.T) {
	strong := coordinator.ReadOptions{Consistency: coordinator.Linearizable}
	t.Run("by a hint", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.count = func(context.Context, call) (uint64, error) { return 1, nil }
			w.confirm = func(_ context.Context, c call) (uint64, error) {
				if c.peer != 3 || c.term != 4 {
					return 0, notPrimary(3, 4)
				}
				return 9, nil
			}
			start := time.Now()
			if _, err := w.c.Count(context.Background(), col, nil, strong); err != nil || time.Since(start) != 0 {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		}, ids{1, 2, 3})
	})
	t.Run("when an old one is cut off", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.count = func(context.Context, call) (uint64, error) { return 1, nil }
			w.confirm = func(ctx context.Context, c call) (uint64, error) {
				if c.peer == 1 {
					return 0, stuck(ctx) // nobody answers it any more
				}
				return 9, nil
			}
			go func() {
				pass(1500 * time.Millisecond)
				w.change(0, func(s *catalog.Shard) { s.Primary, s.Term = 2, 2 })
			}()
			start := time.Now()
			if _, err := w.c.Count(context.Background(), col, nil, strong); err != nil || time.Since(start) > 3*time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		}, ids{1, 2, 3})
	})
	t.Run("until its time is over", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.confirm = func(ctx context.Context, c call) (uint64, error) { return 0, stuck(ctx) }
			ctx, cancel := within(4 * time.Second)
			defer cancel()
			start := time.Now()
			_, err := w.c.Count(ctx, col, nil, strong)
			if !fault.Is(err, fault.Timeout) || time.Since(start) != 4*time.Second || !strings.Contains(err.Error(), "shard 0: no primary proved in time that it leads") {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		}, ids{1, 2, 3})
	})
	t.Run("unless there can be none", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.kill(2, 3)
			_, err := w.c.Count(context.Background(), col, nil, strong)
			if !fault.Is(err, fault.Unavailable) || len(w.calls()) != 0 {
				t.Errorf("got %v", err)
			}
		}, ids{2, 3})
	})
}

func TestANameThatIsNotKnownIsLookedForAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.count = func(context.Context, call) (uint64, error) { return 1, nil }
		barriers := 0
		w.barrier = func(context.Context) error {
			if barriers++; barriers == 1 {
				w.rename("late")
			}
			return nil
		}
		if _, err := w.c.Count(context.Background(), "late", nil, one); err != nil || barriers != 1 {
			t.Errorf("got %v after %d barriers", err, barriers)
		}
		if _, err := w.c.Count(context.Background(), "late", nil, one); err != nil || barriers != 1 {
			t.Errorf("what is known needs no barrier: %v, %d", err, barriers)
		}
		if _, err := w.c.Count(context.Background(), "never", nil, one); !fault.Is(err, fault.NotFound) || barriers != 2 {
			t.Errorf("got %v after %d barriers", err, barriers)
		}
		if _, err := w.c.Write(context.Background(), "never", upsert(1), coordinator.WriteOptions{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("got %v", err)
		}
		w.barrier = func(ctx context.Context) error { return stuck(ctx) }
		start := time.Now()
		for name, f := range map[string]func() error{
			"count": func() error { _, err := w.c.Count(context.Background(), "never", nil, one); return err },
			"write": func() error {
				_, err := w.c.Write(context.Background(), "never", upsert(1), coordinator.WriteOptions{})
				return err
			},
			"info": func() error { _, err := w.c.Info(context.Background(), "never"); return err },
		} {
			if err := f(); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "never") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if took := time.Since(start); took > 7*time.Second {
			t.Errorf("took %v", took)
		}
	}, ids{1})
}

func TestAFloodOfMissesCostsOneBarrierAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		barriers := 0 // the turn is what guards it
		w.barrier = func(context.Context) error {
			barriers++
			pass(100 * time.Millisecond)
			return nil
		}
		const callers = 500
		done := make(chan error)
		start := time.Now()
		for i := range callers {
			go func() {
				_, err := w.c.Count(context.Background(), fmt.Sprint("nothing-", i), nil, one)
				done <- err
			}()
		}
		for range callers {
			if err := <-done; !fault.Is(err, fault.NotFound) {
				t.Errorf("got %v", err)
			}
		}
		if barriers > 2 || time.Since(start) > 250*time.Millisecond {
			t.Errorf("%d barriers in %v", barriers, time.Since(start))
		}
		// Who gives up speaks for himself only.
		barriers = 0
		w.barrier = func(ctx context.Context) error {
			if barriers++; barriers == 1 {
				return stuck(ctx)
			}
			return nil
		}
		impatient, cancel := within(10 * time.Millisecond)
		defer cancel()
		go func() {
			_, err := w.c.Count(impatient, "a", nil, one)
			done <- err
		}()
		pass(time.Millisecond)
		if _, err := w.c.Count(context.Background(), "b", nil, one); !fault.Is(err, fault.NotFound) {
			t.Errorf("the patient: %v", err)
		}
		if err := <-done; !fault.Is(err, fault.Unavailable) {
			t.Errorf("the impatient: %v", err)
		}
		// A failure of the barrier itself is everybody's who came before it began.
		barriers = 0
		w.barrier = func(context.Context) error {
			barriers++
			pass(50 * time.Millisecond)
			return fault.New(fault.Unavailable, "no leader")
		}
		for i := range callers {
			go func() {
				_, err := w.c.Count(context.Background(), fmt.Sprint("nothing-", i), nil, one)
				done <- err
			}()
		}
		for range callers {
			if err := <-done; !fault.Is(err, fault.Unavailable) {
				t.Errorf("got %v", err)
			}
		}
		if barriers > 2 {
			t.Errorf("%d barriers that fail", barriers)
		}
	}, ids{1})
}
