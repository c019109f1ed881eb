//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	seed     = flag.Uint64("chaos.seed", 0, "decides the faults; 0 draws one")
	duration = flag.Duration("chaos.duration", 10*time.Minute, "how long faults and load go on")
	size     = flag.Int("chaos.nodes", 3, "how many nodes the cluster starts with")
	fullDisk = flag.Bool("chaos.disk", true, "also fill the disk of a node")
	only     = flag.String("chaos.faults", "", "only these kinds of fault, separated by commas; without it, all that can be had")
	joining  = flag.Bool("chaos.join", true, "let one more node join, be drained or killed, and be removed, again and again")
	evidence = flag.String("chaos.out", "", "directory for logs, timeline and pictures; they are kept there. Without it, they are kept only if the test fails")
)

// restAnswers is how long one look at the cluster may take, until it is given up and said so: no answer may hang.
const restAnswers = 15 * time.Second

// atRestWithin bounds how long the cluster may take to be whole again once nothing is wrong any more: it is generous,
// since the machine may be busy with other things.
const atRestWithin = 3 * time.Minute

// readWithin bounds how long it may take to read everything through every node. It says nothing of the cluster: after half an hour
// there is much to read, and others may use the machine.
const readWithin = 10 * time.Minute

func TestFaultsOfEveryKindLoseNothing(t *testing.T) {
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *duration+3*atRestWithin+3*readWithin)
	defer cancel()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	logs, line := logsDir(t), newTimeline(t)
	line.say("seed %d, %d nodes, %s; to see these decisions again: -chaos.seed=%d -chaos.nodes=%d -chaos.duration=%s", *seed, *size, *duration, *seed, *size, *duration)
	c := newCluster(ctx, t, *size, logs, line)
	w := newWorkloads(ctx, t, c)
	w.run(ctx, func(ctx context.Context) { newNemesis(c, *seed, min(8*time.Second, *duration/5)).run(ctx) })
	line.say("no more faults, no more load")
	w.check(ctx, t)
	line.say("checked")
	report := fmt.Sprintf("\nseed %d, %d nodes, %s\nfaults: %s\nnot available: %s\noperations: %s\n%s%s", *seed, *size, *duration, line.faults(), c.missing(),
		w.fig.sum(), w.fig.table(w.began), w.probe.table(line.cleanKills(), w.began))
	t.Log(report)
	must(t, os.WriteFile(filepath.Join(logs, "timeline.txt"), []byte(line.text()+report), 0o600))
}

// logsDir is where logs, timeline and pictures go.
func logsDir(t *testing.T) string {
	t.Helper()
	dir := *evidence
	if dir == "" {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-logs", ours, os.Getpid()))
	}
	must(t, os.MkdirAll(dir, 0o700))
	t.Cleanup(func() {
		if t.Failed() || *evidence != "" {
			t.Logf("the logs are in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

// dataDir is where the nodes' data goes. It is removed in the end, and so are those of runs that died; their logs stay.
func dataDir(t *testing.T) string {
	t.Helper()
	others, _ := filepath.Glob(filepath.Join(os.TempDir(), ours+"*"))
	for _, dir := range others {
		if name := filepath.Base(dir); leftover(name) && !strings.HasSuffix(name, "-logs") {
			_ = os.RemoveAll(dir)
		}
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("%s%d", ours, os.Getpid()))
	must(t, os.Mkdir(dir, 0o700))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// workloads are all clients of one run.
type workloads struct {
	*load
	registers []*registers
	sets      []*set
	sessions  []*session
	names     *names
	alias     *alias
	probe     *probe
}

// newWorkloads declares the collections and waits until they are there on every node.
func newWorkloads(ctx context.Context, t *testing.T, c *cluster) *workloads {
	t.Helper()
	l := &load{c: c, fig: newFigures(), began: time.Now()}
	w := &workloads{load: l, names: newNames(l), probe: newProbe(l)}
	all := uint32(len(c.nodes))
	declare := func(name string, shards, quorum uint32) string {
		must(t, create(ctx, c.nodes[0], name, shards, all, quorum))
		c.names = append(c.names, name)
		return name
	}
	half := all/2 + 1
	for _, of := range []struct {
		consistency string
		quorum      uint32
	}{{"quorum", half}, {"strong", all}} {
		w.registers = append(w.registers, newRegisters(l, declare("register-"+of.consistency, 2, of.quorum)))
		w.sets = append(w.sets, newSet(l, declare("set-"+of.consistency, 3, of.quorum)))
	}
	w.sets = append(w.sets, newSet(l, declare("erase-quorum", 3, half)))
	declare("session-quorum", 2, half)
	for i := range 3 {
		w.sessions = append(w.sessions, &session{load: l, name: "session-quorum", key: uint64(i + 1), late: map[int64]bool{}})
	}
	for i := range probedShards {
		declare(probeName(i), 1, half)
	}
	w.alias = &alias{load: l, name: "alias", targets: []string{"set-quorum", "set-strong"}}
	bounded, cancel := context.WithTimeout(ctx, atRestWithin)
	defer cancel()
	eventually(bounded, t, "the collections are there", func() error { return c.whole(bounded) })
	var err error
	if l.strong, err = supportsStrong(ctx, c.nodes[0], "register-strong"); err != nil {
		t.Errorf("whether the nodes serve linearizable reads could not be found out: %v", err)
	}
	if !l.strong {
		c.line.say("the nodes do not know %s: NO LINEARIZABLE READS ARE CHECKED, only writes and what is there at rest", consistencyKey)
	}
	l.began = time.Now()
	return w
}

// run lets all clients work while hurt goes on, and returns when both are over.
func (w *workloads) run(ctx context.Context, hurt func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, *duration)
	defer cancel()
	var clients, nemesis sync.WaitGroup
	loading, enough := context.WithCancel(context.WithoutCancel(ctx))
	for i := range 3 {
		for _, r := range w.registers {
			clients.Go(func() { r.run(loading, i) })
		}
		clients.Go(func() { w.sessions[i].run(loading) })
	}
	for _, s := range w.sets[:2] {
		clients.Go(func() { s.grow(loading) })
		clients.Go(func() { s.look(loading) })
	}
	clients.Go(func() { w.sets[2].erase(loading, 1) })
	clients.Go(func() { w.sets[2].erase(loading, 2) })
	clients.Go(func() { w.names.run(loading, 0) })
	clients.Go(func() { w.names.run(loading, 1) })
	clients.Go(func() { w.alias.run(loading) })
	for i := range probedShards {
		clients.Go(func() { w.probe.read(loading, i) })
		clients.Go(func() { w.probe.write(loading, i) })
	}
	nemesis.Go(func() { hurt(ctx) })
	if *joining {
		m := &members{workloads: w, rnd: rand.New(rand.NewPCG(*seed, 0xda3e39cb94b95bdb)), stay: min(20*time.Second, *duration/6)}
		nemesis.Go(func() { m.run(ctx) })
	}
	nemesis.Wait() // everything is healed, under load
	enough()
	clients.Wait()
}

// check waits until the cluster is at rest and holds what every node shows against what the clients know.
func (w *workloads) check(ctx context.Context, t *testing.T) {
	t.Helper()
	if ctx.Err() != nil {
		t.Fatal("interrupted")
	}
	must(t, w.c.revive())
	began := time.Now()
	for attempt := 1; ; attempt++ {
		before := w.rest(ctx, t)
		if attempt == 1 {
			w.c.line.say("at rest %.1fs after the last fault", time.Since(began).Seconds())
		}
		seen := w.look(ctx, t)
		// A write whose client has given up may come late. What was read while one did is no picture of one moment.
		if maps.Equal(before, w.rest(ctx, t)) {
			w.judge(t, seen)
			w.c.compare(ctx, t)
			return
		}
		w.c.line.say("something was still applied; everything is read again")
	}
}

func (w *workloads) rest(ctx context.Context, t *testing.T) (applied map[string]uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, atRestWithin)
	defer cancel()
	eventually(ctx, t, "the cluster is whole, nothing is to move, and every replica has applied its shard's log", func() (err error) {
		once, cancel := context.WithTimeout(ctx, restAnswers)
		defer cancel()
		if applied, err = w.c.atRest(once); once.Err() != nil && ctx.Err() == nil {
			w.c.line.say("no answer within %s: %v", restAnswers, err)
		}
		return err
	})
	return applied
}

// sight is what one node shows of everything.
type sight struct {
	n       *node
	call    int64 // when the looking began
	points  map[string]contents
	counted map[string]int
	names   map[string]bool
	alias   int64
}

// look reads everything through every node. A node reads its own replicas if it has them.
func (w *workloads) look(ctx context.Context, t *testing.T) []sight {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	var seen []sight
	for _, n := range w.c.all() {
		s := sight{n: n, call: w.now(), points: map[string]contents{}, counted: map[string]int{}}
		for _, name := range w.c.names {
			var err error
			s.points[name], err = scrollAll(ctx, n, name)
			must(t, err)
			s.counted[name], err = countAll(ctx, n, name)
			must(t, err)
		}
		var err error
		s.names, err = listed(ctx, n)
		must(t, err)
		s.alias, err = w.alias.shownBy(ctx, n)
		must(t, err)
		seen = append(seen, s)
	}
	return seen
}

// judge holds what the nodes show against each other, and against what the clients know.
func (w *workloads) judge(t *testing.T, seen []sight) {
	t.Helper()
	first := seen[0]
	for i, s := range seen {
		for name, points := range s.points {
			if s.counted[name] != len(points) {
				t.Errorf("%s counts %d points in %s and shows %d", s.n.name, s.counted[name], name, len(points))
			}
			if ids := differences(first.points[name], points); len(ids) > 0 {
				t.Errorf("%s and %s differ in %d points of %s, such as %d: %+v and %+v", first.n.name, s.n.name, len(ids), name, ids[0],
					first.points[name][ids[0]], points[ids[0]])
			}
		}
		for _, set := range w.sets {
			if demanded := set.check(t, s.n, s.points[set.name]); i == 0 {
				t.Logf("%s: %d points are there, %d of which were confirmed and had to be", set.name, len(s.points[set.name]), demanded)
			}
		}
		for _, r := range w.registers {
			r.finish(100+i, s.call, s.points[r.name])
		}
		w.names.finish(100+i, s.call, s.names)
		w.alias.finish(100+i, s.call, s.alias)
	}
	for _, r := range w.registers {
		r.check(t, w.c.logs)
	}
	w.names.check(t, w.c.logs)
	w.alias.check(t, w.c.logs)
}

// differences lists the points that are not the same in both.
func differences(a, b contents) []uint64 {
	var ids []uint64
	for id, p := range a {
		if q, ok := b[id]; !ok || q != p {
			ids = append(ids, id)
		}
	}
	for id := range b {
		if _, ok := a[id]; !ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func isDamage(err error) bool { return errors.Is(err, errDamaged) }
