//go:build chaos

package chaos_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var (
	restartRounds = flag.Int("restart.rounds", 3, "how many rolling restarts; each restarts every node in turn")
	restartNodes  = flag.Int("restart.nodes", 3, "how many nodes")
	restartEvery  = flag.Duration("restart.every", 60*time.Millisecond, "how often each client makes its most frequent calls")
	restartDown   = flag.Duration("restart.down", 0, "how long each node stays down, beside what it needs to end and start")
	restartPause  = flag.Duration("restart.pause", slowCall, "how long a call may take at the 99.9th percentile; 0: as long as it likes")
)

// TestRollingRestartCostsNothing restarts every node in turn, by SIGTERM, the next when it says that it is ready, while
// programs use the Go client: no call may fail, and none wait long.
func TestRollingRestartCostsNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+*restartRounds**restartNodes)*2*time.Minute)
	defer cancel()
	bin, nodes := build(t), newNodes(t, *restartNodes)
	for _, n := range nodes {
		must(t, n.start(bin))
	}
	allReady(ctx, t, nodes)
	w := newTraffic(t, nodes)
	all := uint32(*restartNodes)
	w.declare(ctx, t, "quorum", 4, all, all/2+1)
	w.declare(ctx, t, "weak", 2, min(2, all), 1)
	eventually(ctx, t, "the collections are there", func() error { return whole(ctx, nodes[0], "quorum", "weak") })

	own := watchMachine(t, t.TempDir())
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var clients sync.WaitGroup
	kinds := append(w.kinds("quorum", all, *restartEvery), w.kinds("weak", min(2, all), *restartEvery)...)
	clients.Go(func() { w.all(loading, append(kinds, w.declarations(40**restartEvery))) })
	w.began = time.Now()
	restartAll(ctx, t, w, bin, nodes)
	stop()
	clients.Wait()

	sum := w.summary()
	verdicts := verdict(t, sum.failed == 0, "%d of %d calls failed, want none", sum.failed, sum.calls)
	if *restartPause > 0 {
		verdicts += verdict(t, sum.p999 <= *restartPause, "calls took %s at the 99.9th percentile, want at most %s", sum.p999, *restartPause)
	}
	t.Logf("%d rolling restarts of %d nodes under load\n%s%s\n%s", *restartRounds, *restartNodes, sum.text, own.text(), verdicts)
	if t.Failed() {
		keepLogs(t, nodes)
	}
}

// restartAll restarts the nodes round after round.
func restartAll(ctx context.Context, t *testing.T, w *traffic, bin string, nodes []*node) {
	t.Helper()
	rest(ctx, 2*time.Second)
	for round := range *restartRounds {
		for _, n := range nodes {
			began := time.Now()
			must(t, n.stop())
			ended := time.Since(began)
			rest(ctx, *restartDown)
			must(t, n.start(bin))
			eventually(ctx, t, n.name+" is ready again", func() error { return n.ready(ctx) })
			t.Logf("%8.3fs round %d: %s ended in %s, was ready again after %s", began.Sub(w.began).Seconds(), round+1, n.name,
				ended.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		}
	}
	rest(ctx, 2*time.Second)
}

// keepLogs puts the nodes' logs where they stay.
func keepLogs(t *testing.T, nodes []*node) {
	t.Helper()
	dir := logsDir(t)
	for _, n := range nodes {
		raw, err := os.ReadFile(n.logFile)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, n.name+".log"), raw, 0o600))
	}
}
