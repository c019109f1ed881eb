package simulation_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds    = flag.Int("sim.seeds", 250, "how many schedules, of the seeds from sim.seed on")
	begin    = flag.Duration("sim.for", time.Minute, "begin no further schedule after this time; 0: begin all")
	seed     = flag.Uint64("sim.seed", 1, "the first seed; with sim.seeds=1 the only one")
	first    = flag.Bool("sim.first", false, "begin no further schedule after one that failed")
	logLevel = flag.String("sim.log", "info", "what nodes log into the timeline of a failure: error, warn, info, debug, trace")
)

const (
	clients    = 4 // the last of them changes metadata
	shortSeeds = 6 // schedules of a short test, such as that under the race detector
)

// totals is what all schedules together did.
type totals struct {
	sync.Mutex
	schedules, answered, failed, points, certain int
	virtual, healing, worst                      time.Duration
	counts                                       map[string]int
	broken                                       atomic.Bool // a schedule failed
}

// TestMain collects garbage less often than usual: heaps are small, and processors are what schedules need.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

func TestClustersKeepTheirPromises(t *testing.T) {
	sum := &totals{counts: map[string]int{}}
	begun := time.Now()
	count := *seeds
	if testing.Short() {
		count = min(count, shortSeeds)
	}
	t.Run("seed", func(t *testing.T) {
		for i := range count {
			s := *seed + uint64(i)
			t.Run(fmt.Sprint(s), func(t *testing.T) {
				t.Parallel()
				if *begin > 0 && time.Since(begun) > *begin || *first && sum.broken.Load() {
					return // the report tells how many schedules there were
				}
				synctest.Test(t, func(t *testing.T) { simulate(t, s, sum) })
			})
		}
	})
	t.Logf("%d schedules in %s; %s of clusters' lives; requests: %d answered, %d failed; %d points, %d of them promised; whole again after %s on average, %s at most",
		sum.schedules, time.Since(begun).Round(time.Millisecond), sum.virtual.Round(time.Second), sum.answered, sum.failed, sum.points, sum.certain,
		(sum.healing / time.Duration(max(1, sum.schedules))).Round(time.Millisecond), sum.worst.Round(time.Millisecond))
	t.Logf("faults: %v", sum.counts)
}

// simulate runs one schedule in a bubble of its own.
func simulate(t *testing.T, seed uint64, sum *totals) {
	random := rand.New(rand.NewPCG(seed, 0x6f737472616b61))
	line := newTimeline()
	sizes := []int{3, 3, 3, 3, 3, 3, 3, 5, 5, 2, 1}
	size := sizes[random.IntN(len(sizes))]
	// A source for each: the network draws from its own in an order that goroutines decide.
	source := func() *rand.Rand { return rand.New(rand.NewPCG(random.Uint64(), 0)) }
	c := newCluster(t, source(), source(), line, size)
	defer func() {
		if t.Failed() {
			sum.broken.Store(true)
			line.report(t, "TestClustersKeepTheirPromises", seed)
		}
	}()
	line.event("seed %d: %d nodes", seed, size)
	finished := make(chan struct{})
	go watch(finished, line)
	c.startAll()
	w := newWorkload(c, source(), clients, targets(size))
	for _, g := range w.targets {
		if _, ok := c.eventually(30*time.Second, "collection "+g.name+" is made", func(ctx context.Context) error { return w.create(ctx, g) }); !ok {
			break // what follows says more
		}
	}
	n := &nemesis{c: c, random: source()}
	w.start()
	n.run(3 + random.IntN(8))
	_ = pass(context.Background(), n.between(0, 500*time.Millisecond)) // writes go on while it heals
	w.stop()
	line.event("healed")
	took := w.verify()
	line.event("verified")
	w.close()
	c.close()
	close(finished)
	alone(line)
	sum.add(w, n, took, time.Since(line.start))
}

// targets are the collections of a cluster of size nodes: one per write consistency.
func targets(size int) []*target {
	factor := uint32(min(size, 3))
	return []*target{
		{name: "weak", factor: factor, quorum: 1},
		{name: "quorum", factor: factor, quorum: factor/2 + 1},
		{name: "strong", factor: min(factor, 2), quorum: min(factor, 2)},
	}
}

func (s *totals) add(w *workload, n *nemesis, took, virtual time.Duration) {
	s.Lock()
	defer s.Unlock()
	s.schedules++
	s.virtual += virtual
	s.healing += took
	s.worst = max(s.worst, took)
	for _, k := range w.clients {
		s.answered += k.done[0]
		s.failed += k.done[1]
	}
	for _, g := range w.targets {
		all, certain := g.points.count()
		s.points += all
		s.certain += certain
	}
	for name, count := range n.counts {
		s.counts[name] += count
	}
}

// A schedule ends within tooLong of virtual time, or something waits for ever.
const tooLong = 10 * time.Minute

// watch ends the process if a schedule does not end: virtual time would pass for ever.
func watch(finished <-chan struct{}, line *timeline) {
	timer := time.NewTimer(tooLong)
	defer timer.Stop()
	select {
	case <-finished:
	case <-timer.C:
		panic(fmt.Sprintf("after %s something waits still:\n%s\n\n%s", tooLong, strings.Join(others(), "\n\n"), line))
	}
}

// alone demands that no goroutine of this bubble is left but this one. A leaked one that waits for time would keep
// the bubble going for ever, so this ends the process.
func alone(line *timeline) {
	_ = pass(context.Background(), 20*time.Second) // gRPC's last timers
	synctest.Wait()
	if left := others(); len(left) > 0 {
		panic(fmt.Sprintf("%d goroutines are left of a cluster that was closed:\n%s\n\n%s", len(left), strings.Join(left, "\n\n"), line))
	}
}

// others returns the stacks of this bubble's goroutines but this one and the test's own.
func others() []string {
	buf := make([]byte, 8<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	_, bubble, found := strings.Cut(strings.SplitN(all[0], "\n", 2)[0], "synctest bubble ")
	if !found {
		panic("not in a bubble: " + all[0])
	}
	bubble, _, _ = strings.Cut(bubble, "]")
	var left []string
	for _, g := range all[1:] {
		head, _, _ := strings.Cut(g, "\n")
		if strings.Contains(head, "synctest bubble "+bubble+"]") && !strings.Contains(g, "testing/synctest.") {
			left = append(left, g)
		}
	}
	return left
}

// report prints the schedule, and leaves the nodes' logs in a file.
func (l *timeline) report(t *testing.T, test string, seed uint64) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("ostraka-sim-%d.log", seed))
	if err := os.WriteFile(path, []byte(l.String()), 0o600); err != nil {
		path = err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("seed %d, in seconds of virtual time (with the nodes' logs: %s):\n%s", seed, path, strings.Join(l.events, "\n"))
	t.Logf("try again: go test ./node/simulation -run %s -sim.seeds=1 -sim.seed=%d (goroutines may interleave otherwise this time)", test, seed)
}
