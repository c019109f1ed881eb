package replication_test

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simWalks   = flag.Uint64("sim.walks", simDefault, "random walks of TestSimulation")
	simSeed    = flag.Uint64("sim.seed", 0, "replay this one walk")
	simWithout = flag.String("sim.without", "", "the mutation (a name in TestRemovalOfEachRuleIsCaught) with which it is replayed")
	simTrace   = flag.Bool("sim.trace", false, "print every step of the walk that is replayed")
)

// TestSimulation walks at random through what may happen to a shard, and holds every state against the invariants.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		replay(t, *simSeed)
		return
	}
	start := time.Now()
	r := search(*simWalks, mutation{})
	if f := r.failure; f != nil {
		t.Fatalf("seed %d: %s\nreplay: go test ./node/internal/replication -run TestSimulation -sim.seed=%d -sim.trace -v", r.seed, f.text, r.seed)
	}
	t.Logf("%d walks without violation in %v%s", r.walks, time.Since(start).Round(time.Millisecond), summary(r.stats))
}

// TestWalksThatFoundFaults walks again where faults were found: a replica that had compacted what contradicted its primary's log after
// an unsafe promotion took part as if it agreed (7665), or was never made anew if a snapshot had filled it shortly before (12290).
func TestWalksThatFoundFaults(t *testing.T) {
	for _, seed := range []uint64{7665, 12290} {
		if f, _ := walkOnce(seed, mutation{}); f != nil {
			t.Errorf("seed %d: %s", seed, f.text)
		}
	}
}

func replay(t *testing.T, seed uint64) {
	var without mutation
	for _, m := range mutations() {
		if m.name == *simWithout {
			without = m
		}
	}
	if without.name != *simWithout {
		t.Fatalf("there is no mutation %q", *simWithout)
	}
	w := newWorld(seed, without)
	if *simTrace {
		w.trace = t.Logf
	}
	f := w.walk()
	t.Logf("%+v", w.stats)
	if f != nil {
		t.Fatalf("seed %d: %s", seed, f.text)
	}
}

// result is what a search has found.
type result struct {
	walks   uint64
	seed    uint64   // of the failure
	failure *failure // nil: none
	stats   []stats
}

// search walks with the seeds 1..walks on all cores until one fails, and returns that one. With a fault on purpose only lost or
// differing data counts: a shard that merely does not recover proves nothing.
func search(walks uint64, without mutation) result {
	var next atomic.Uint64
	var stop atomic.Bool
	var mu sync.Mutex
	var wg sync.WaitGroup
	var r result
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for s := next.Add(1); s <= walks && !stop.Load(); s = next.Add(1) {
				bad, walked := walkOnce(s, without)
				mu.Lock()
				r.walks++
				r.stats = append(r.stats, walked)
				if bad != nil && (without.name == "" || !bad.mild) {
					if r.failure == nil || s < r.seed {
						r.seed, r.failure = s, bad
					}
					stop.Store(true)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return r
}

// walkOnce walks with one seed. A panic of the Core is a failure like any other, so that its seed is known.
func walkOnce(seed uint64, without mutation) (f *failure, walked stats) {
	w := newWorld(seed, without)
	defer func() {
		if p := recover(); p != nil {
			f = &failure{text: fmt.Sprint("panic: ", p), mild: without.name != ""}
		}
		walked = w.stats
	}()
	return w.walk(), w.stats
}
