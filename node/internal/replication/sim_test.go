package replication_test

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

var (
	simWalks = flag.Uint64("sim.walks", 3000, "random walks of TestSimulation")
	simSeed  = flag.Uint64("sim.seed", 0, "replay this one walk")
	simRule  = flag.Uint("sim.rule", 0, "waive rule R1..R7 (8: L1, 9: L2) in the walk that is replayed")
	simTrace = flag.Bool("sim.trace", false, "print every step of the walk that is replayed")
)

// TestSimulation walks at random through what may happen to a shard, and holds every state against the invariants.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		replay(t, *simSeed, replication.Rule(*simRule))
		return
	}
	start := time.Now()
	seed, f, walks := search(*simWalks, 0, func(done uint64) {
		t.Logf("%d walks in %v", done, time.Since(start).Round(time.Second))
	})
	if f != nil {
		t.Fatalf("seed %d: %s\nreplay: go test ./node/internal/replication -run TestSimulation -sim.seed=%d -sim.trace -v", seed, f.text, seed)
	}
	t.Logf("%d walks without violation in %v", walks, time.Since(start).Round(time.Millisecond))
}

// TestRemovalOfEachRuleIsCaught proves that the simulation is able to see, and that no rule is idle: without any one of them a
// committed write is lost within a few walks.
func TestRemovalOfEachRuleIsCaught(t *testing.T) {
	for rule := replication.Rule(1); rule <= 7; rule++ {
		t.Run(fmt.Sprintf("R%d", rule), func(t *testing.T) {
			start := time.Now()
			seed, f, walks := search(30000, rule, func(uint64) {})
			if f == nil {
				t.Fatalf("%d walks without rule R%d, and nothing was lost", walks, rule)
			}
			t.Logf("after %d walks, %v: seed %d: %s", walks, time.Since(start).Round(time.Millisecond), seed, f.text)
		})
	}
}

// TestStaleReadsAreSeen proves the same of the rules of linearizable reads: without either, a read misses a committed write.
func TestStaleReadsAreSeen(t *testing.T) {
	for rule, name := range map[replication.Rule]string{replication.L1: "L1", replication.L2: "L2"} {
		t.Run(name, func(t *testing.T) {
			seed, f, walks := search(30000, rule, func(uint64) {})
			if f == nil || !strings.Contains(f.text, "answers a read") {
				t.Fatalf("%d walks without rule %s: %v", walks, name, f)
			}
			t.Logf("after %d walks: seed %d: %s", walks, seed, f.text)
		})
	}
}

func replay(t *testing.T, seed uint64, waived replication.Rule) {
	w := newWorld(seed, waived)
	if *simTrace {
		w.trace = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	}
	if f := w.walk(); f != nil {
		t.Fatalf("seed %d: %s", seed, f.text)
	}
}

// search walks with the seeds 1..walks on all cores until one fails, and returns that one. Where a rule is waived only lost or
// differing data counts: a shard that merely does not recover proves nothing.
func search(walks uint64, waived replication.Rule, progress func(done uint64)) (seed uint64, f *failure, done uint64) {
	var next, finished atomic.Uint64
	var stop atomic.Bool
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for s := next.Add(1); s <= walks && !stop.Load(); s = next.Add(1) {
				bad := walkOnce(s, waived)
				if n := finished.Add(1); n%10000 == 0 {
					progress(n)
				}
				if bad == nil || (waived != 0 && bad.mild) {
					continue
				}
				mu.Lock()
				if f == nil || s < seed {
					seed, f = s, bad
				}
				mu.Unlock()
				stop.Store(true)
			}
		})
	}
	wg.Wait()
	return seed, f, finished.Load()
}

// walkOnce walks with one seed. A panic of the Core is a failure like any other, so that its seed is known.
func walkOnce(seed uint64, waived replication.Rule) (f *failure) {
	defer func() {
		if p := recover(); p != nil {
			f = &failure{text: fmt.Sprint("panic: ", p), mild: waived != 0}
		}
	}()
	return newWorld(seed, waived).walk()
}
