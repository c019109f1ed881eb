//go:build chaos

package chaos_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

var (
	reshardRounds = flag.Int("reshard.rounds", 10, "how often the collection is cut into 8 shards and then into 3")
	reshardNodes  = flag.Int("reshard.nodes", 3, "how many nodes")
	reshardPoints = flag.Int("reshard.points", 6000, "how many points the clients write at most")
	reshardEvery  = flag.Duration("reshard.every", 10*time.Millisecond, "how long each of the writers, two per node, rests between two calls")
	reshardPause  = flag.Duration("reshard.pause", 100*time.Millisecond, "for how long a flip may pause writes of its slots, at the 99th percentile; 0: as long as it likes")
)

const (
	cutName    = "cut"
	cutWriters = 2 // per node
	cutSpan    = 1_000_000
	cutBatch   = 8
)

// cutWriter writes, deletes by filter and counts points of its own, one call after the other, so that it knows which ones there are.
type cutWriter struct {
	t      *testing.T
	w      *traffic
	c      *client.Client
	id     int64
	span   uint64           // it writes so many different points
	round  int64            // the value of what is written
	points map[uint64]int64 // value by id
}

func (o *cutWriter) own(more ...client.Condition) *client.Filter {
	return &client.Filter{Must: append([]client.Condition{{Key: "owner", Equals: o.id}}, more...)}
}

// call makes a call until it succeeds; each that fails counts as failed.
func (o *cutWriter) call(ctx context.Context, what string, f func(ctx context.Context) error) bool {
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
		began := time.Now()
		err := f(bounded)
		cancel()
		o.w.note(what, began, err)
		if err == nil {
			return true
		}
		rest(ctx, 50*time.Millisecond)
	}
	return false
}

// write writes some points with a new value.
func (o *cutWriter) write(ctx context.Context, what string, ids []uint64) bool {
	o.round++
	points := make([]client.Point, len(ids))
	for i, id := range ids {
		points[i] = client.Point{ID: client.Num(id), Vectors: client.Vectors{"": vectorOf(id, o.round)}, Payload: map[string]any{"v": o.round, "owner": o.id}}
		o.points[id] = o.round
	}
	return o.call(ctx, what, func(ctx context.Context) error {
		_, err := o.c.Upsert(ctx, cutName, points, client.WriteOptions{Wait: true})
		return err
	})
}

func (o *cutWriter) fill(ctx context.Context) {
	for at := uint64(0); at < o.span; at += 100 {
		var ids []uint64
		for i := at; i < min(at+100, o.span); i++ {
			ids = append(ids, uint64(o.id)*cutSpan+i)
		}
		o.write(ctx, "filling", ids)
	}
}

// step writes, and now and then deletes what was written some rounds ago, by a filter, and counts what there is.
func (o *cutWriter) step(ctx context.Context) {
	ids := map[uint64]bool{}
	for len(ids) < cutBatch {
		ids[uint64(o.id)*cutSpan+rand.Uint64N(o.span)] = true
	}
	if !o.write(ctx, "upsert", slices.Collect(maps.Keys(ids))) || o.round%5 != 0 {
		return
	}
	victim := o.round - 7
	ok := o.call(ctx, "delete by filter", func(ctx context.Context) error {
		_, err := o.c.DeletePoints(ctx, cutName, client.Selector{Filter: o.own(client.Condition{Key: "v", Equals: victim})}, client.WriteOptions{Wait: true})
		return err
	})
	if !ok {
		return
	}
	maps.DeleteFunc(o.points, func(_ uint64, v int64) bool { return v == victim })
	var n uint64
	ok = o.call(ctx, "strong count", func(ctx context.Context) (err error) {
		n, err = o.c.Reading(client.Strong).Count(ctx, cutName, o.own())
		return err
	})
	if ok && n != uint64(len(o.points)) {
		o.t.Errorf("writer %d counted %d points in round %d, there are %d", o.id, n, o.round, len(o.points))
	}
}

// cutReads makes reads through one client until ctx ends.
func (w *traffic) cutReads(ctx context.Context, c *client.Client) {
	for rest(ctx, 20*time.Millisecond) {
		began := time.Now()
		_, err := c.Query(context.WithoutCancel(ctx), cutName, client.QueryRequest{Vector: vectorOf(rand.Uint64N(cutSpan), 0), Limit: 10})
		w.note("query", began, err)
		began = time.Now()
		id := client.Num(cutSpan*(1+rand.Uint64N(uint64(len(w.clients)*cutWriters))) + rand.Uint64N(1000))
		_, err = c.Get(context.WithoutCancel(ctx), cutName, client.GetRequest{IDs: []client.PointID{id}})
		w.note("get", began, err)
	}
}

// TestReshardingPausesBriefly cuts a collection anew, again and again, while programs write, delete and read, and measures for how
// long writes of slots wait when these change their shard: as the nodes tell it, and as the programs see it.
func TestReshardingPausesBriefly(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+*reshardRounds)*3*time.Minute)
	defer cancel()
	bin, nodes := build(t), newNodes(t, *reshardNodes)
	for _, n := range nodes {
		must(t, n.start(bin))
	}
	allReady(ctx, t, nodes)
	w := newTraffic(t, nodes)
	n := uint32(len(nodes))
	w.declare(ctx, t, cutName, 4, min(3, n), min(3, n)/2+1)
	eventually(ctx, t, "the collection is there", func() error { return whole(ctx, nodes[0], cutName) })
	var writers []*cutWriter
	for i := range len(w.clients) * cutWriters {
		o := &cutWriter{t: t, w: w, c: w.clients[i%len(w.clients)], id: int64(i + 1), points: map[uint64]int64{}}
		o.span = uint64(*reshardPoints / (len(w.clients) * cutWriters))
		o.fill(ctx)
		writers = append(writers, o)
	}
	own := watchMachine(t, t.TempDir())
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var clients sync.WaitGroup
	for _, o := range writers {
		clients.Go(func() {
			for rest(loading, *reshardEvery) {
				o.step(ctx)
			}
		})
	}
	for _, c := range w.clients {
		clients.Go(func() { w.cutReads(loading, c) })
	}
	w.began = time.Now()
	for round := range *reshardRounds {
		for _, shards := range []uint32{8, 3} {
			cutInto(ctx, t, w, round, shards)
		}
	}
	stop()
	clients.Wait()
	compareCut(ctx, t, nodes, writers)
	judgeCut(t, w, nodes, own.text())
	if t.Failed() {
		keepLogs(t, nodes)
	}
}

// longest is how long the slowest successful call of some kinds took.
func (w *traffic) longest(kinds ...string) (most time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range kinds {
		if s := w.mu.kinds[kind]; s != nil {
			most = max(most, quantile(s.took, 1))
		}
	}
	return most
}

// cutInto cuts the collection and waits until it is done.
func cutInto(ctx context.Context, t *testing.T, w *traffic, round int, shards uint32) {
	t.Helper()
	began := time.Now()
	op, err := w.clients[0].Reshard(ctx, cutName, shards, nil)
	must(t, err)
	if op == nil {
		t.Fatalf("round %d: there is nothing to do for %d shards", round+1, shards)
	}
	end, err := w.clients[0].WatchOperation(ctx, op.ID, nil)
	must(t, err)
	if end.State != client.OperationDone {
		t.Fatalf("round %d: cutting into %d shards ended as %s: %s", round+1, shards, end.State, end.Problem)
	}
	t.Logf("%8.3fs round %d: %d shards after %s", began.Sub(w.began).Seconds(), round+1, shards, time.Since(began).Round(time.Millisecond))
}

// compareCut holds what every node shows against what the writers know.
func compareCut(ctx context.Context, t *testing.T, nodes []*node, writers []*cutWriter) {
	t.Helper()
	want := contents{}
	for _, o := range writers {
		for id, v := range o.points {
			want[id] = shown{value: v}
		}
	}
	for _, n := range nodes {
		// A replica may show what it has applied so far: it catches up as soon as nobody writes.
		eventually(ctx, t, n.name+" shows what was written, and nothing else", func() error {
			got, err := scrollAll(ctx, n, cutName)
			if err != nil {
				return err
			}
			if ids := differences(want, got); len(ids) > 0 {
				return fmt.Errorf("%d points differ, such as %d: %+v is shown, %+v was written", len(ids), ids[0], got[ids[0]], want[ids[0]])
			}
			counted, err := countAll(ctx, n, cutName)
			if err == nil && counted != len(want) {
				err = fmt.Errorf("%d points are counted, %d were written", counted, len(want))
			}
			return err
		})
	}
	t.Logf("%d points are as they were written, on every node", len(want))
}

// cutPauses are the pauses that the nodes tell of in their logs: of flips, whose steps are told apart, and of attempts in vain, which paused
// writes as well.
type cutPauses struct {
	flips, vain []time.Duration
	steps       map[string][]time.Duration
}

var pauseField = regexp.MustCompile(`\b([a-z_]+)="?([0-9.]+(?:ns|µs|ms|s))\b`)

func pausesOf(t *testing.T, nodes []*node) cutPauses {
	t.Helper()
	p := cutPauses{steps: map[string][]time.Duration{}}
	for _, n := range nodes {
		raw, err := os.ReadFile(n.logFile)
		must(t, err)
		for line := range strings.Lines(string(raw)) {
			flip, vain := strings.Contains(line, "slots have changed their shard"), strings.Contains(line, "the last pass did not end in time")
			if !flip && !vain {
				continue
			}
			told := false
			for _, field := range pauseField.FindAllStringSubmatch(line, -1) {
				d, err := time.ParseDuration(field[2])
				must(t, err)
				switch {
				case field[1] != "pause":
					if flip {
						p.steps[field[1]] = append(p.steps[field[1]], d)
					}
					continue
				case flip:
					p.flips = append(p.flips, d)
				default:
					p.vain = append(p.vain, d)
				}
				told = true
			}
			if !told {
				t.Errorf("%s does not tell how long a pause took: %s", n.name, line)
			}
		}
	}
	return p
}

func judgeCut(t *testing.T, w *traffic, nodes []*node, own string) {
	t.Helper()
	p, sum := pausesOf(t, nodes), w.summary()
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	row := func(what string, times []time.Duration) {
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\n", what, len(times), quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1))
	}
	fmt.Fprintln(out, "writes of slots wait\tmeasured\tp50\tp99\tmax")
	row("for a flip", p.flips)
	for _, step := range slices.Sorted(maps.Keys(p.steps)) {
		row("- "+step, p.steps[step])
	}
	row("for an attempt in vain", p.vain)
	_ = out.Flush()
	longest := w.longest("upsert", "delete by filter")

	all := append(slices.Clone(p.flips), p.vain...)
	p99 := quantile(all, 0.99)
	verdicts := verdict(t, len(p.flips) > 0, "slots changed their shard %d times", len(p.flips)) +
		verdict(t, sum.failed == 0, "%d of %d calls failed, want none", sum.failed, sum.calls)
	if *reshardPause > 0 {
		verdicts += verdict(t, p99 < *reshardPause, "writes of slots waited %s at the 99th percentile, want less than %s", p99, *reshardPause)
	}
	t.Logf("%d rounds of 8 and 3 shards on %d nodes under load; the longest wait of any program's write: %s\n%s\n%s%s\n%s",
		*reshardRounds, len(nodes), longest, text.String(), sum.text, own, verdicts)
}
