//go:build chaos

package chaos_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// traffic is what programs that use the Go client do to a cluster: every kind of call, at a steady rate, through clients
// that know all nodes and each prefer another one. A call is timed from when it was due, so that one that is held up
// counts for those that had to wait behind it.
type traffic struct {
	clients []*client.Client
	began   time.Time
	mu      struct {
		sync.Mutex
		kinds map[string]*stream
	}
}

// stream is what became of the calls of one kind.
type stream struct {
	took   []time.Duration
	failed []failure
	slow   []failure // succeeded, but later than slowCall
	last   time.Time
	gap    time.Duration // the longest time between two successes
}

// failure is one call that failed, or was slow.
type failure struct {
	at   time.Duration // since the traffic began
	took time.Duration
	err  error
}

const slowCall = 500 * time.Millisecond

// trafficPoints is how many points the calls go about.
const trafficPoints = 4096

// newTraffic makes the clients, each of which begins with another node.
func newTraffic(t *testing.T, nodes []*node) *traffic {
	t.Helper()
	w := &traffic{began: time.Now()}
	w.mu.kinds = map[string]*stream{}
	for i := range nodes {
		var endpoints []string
		for j := range nodes {
			endpoints = append(endpoints, nodes[(i+j)%len(nodes)].grpc)
		}
		c, err := client.New(client.Config{Endpoints: endpoints, UserAgent: "traffic"})
		must(t, err)
		t.Cleanup(func() { must(t, c.Close()) })
		w.clients = append(w.clients, c)
	}
	return w
}

// declare makes a collection with a replica on each of so many nodes, through the Go client.
func (w *traffic) declare(ctx context.Context, t *testing.T, name string, shards, replicas, quorum uint32) {
	t.Helper()
	must(t, w.clients[0].CreateCollection(ctx, client.CollectionSpec{
		Name: name, ShardNumber: &shards, ReplicationFactor: &replicas, WriteConsistencyFactor: &quorum,
		Vectors: map[string]client.VectorParams{"": {Size: dimension, Distance: client.Dot}},
	}))
}

// action is one kind of call, made so often.
type trafficKind struct {
	name  string
	every time.Duration
	call  func(ctx context.Context, c *client.Client) error
}

// kinds are the calls on one collection. Those that need more than half of the replicas are not made where one may be away
// and two are declared.
func (w *traffic) kinds(collection string, replicas uint32, every time.Duration) []trafficKind {
	some := func() client.PointID { return client.Num(1 + rand.Uint64N(trafficPoints)) }
	point := func() client.Point {
		id := some()
		n, _ := id.Number()
		return client.Point{ID: id, Vectors: client.Vectors{"": vectorOf(n, 0)}, Payload: map[string]any{"group": int64(n % 64)}}
	}
	group := func() client.Selector {
		return client.Selector{Filter: &client.Filter{Must: []client.Condition{{Key: "group", Equals: rand.IntN(64)}}}}
	}
	wait := client.WriteOptions{Wait: true}
	of := func(what string, times int, f func(ctx context.Context, c *client.Client) error) trafficKind {
		return trafficKind{name: collection + " " + what, every: time.Duration(times) * every, call: f}
	}
	kinds := []trafficKind{
		of("upsert", 1, func(ctx context.Context, c *client.Client) error {
			_, err := c.Upsert(ctx, collection, []client.Point{point()}, wait)
			return err
		}),
		of("upsert of 16", 4, func(ctx context.Context, c *client.Client) error {
			batch := make([]client.Point, 16)
			for i := range batch {
				batch[i] = point()
			}
			_, err := c.Upsert(ctx, collection, batch, client.WriteOptions{})
			return err
		}),
		of("get", 1, func(ctx context.Context, c *client.Client) error {
			_, err := c.Get(ctx, collection, client.GetRequest{IDs: []client.PointID{some()}, WithPayload: true})
			return err
		}),
		of("strong get", 2, func(ctx context.Context, c *client.Client) error {
			_, err := c.Reading(client.Strong).Get(ctx, collection, client.GetRequest{IDs: []client.PointID{some()}})
			return err
		}),
		of("query", 2, func(ctx context.Context, c *client.Client) error {
			_, err := c.Query(ctx, collection, client.QueryRequest{Vector: vectorOf(rand.Uint64N(trafficPoints), 0), Limit: 10})
			return err
		}),
		of("set payload by filter", 4, func(ctx context.Context, c *client.Client) error {
			_, err := c.SetPayload(ctx, collection, group(), map[string]any{"seen": time.Now().UnixNano()}, wait)
			return err
		}),
		of("delete by filter", 8, func(ctx context.Context, c *client.Client) error {
			_, err := c.DeletePoints(ctx, collection, group(), wait)
			return err
		}),
	}
	if replicas > 2 {
		kinds = append(kinds, of("quorum count", 4, func(ctx context.Context, c *client.Client) error {
			_, err := c.Reading(client.Quorum).Count(ctx, collection, group().Filter)
			return err
		}))
	}
	return kinds
}

// declarations are calls that change the metadata: collections that come and go under names that nobody else uses.
func (w *traffic) declarations(every time.Duration) trafficKind {
	one, all, made := uint32(1), uint32(len(w.clients)), ""
	return trafficKind{name: "create and delete collection", every: every, call: func(ctx context.Context, c *client.Client) error {
		if made != "" {
			name := made
			made = ""
			existed, err := c.DeleteCollection(ctx, name)
			if err == nil && !existed {
				err = errors.New("the collection that was made was not there any more")
			}
			return err
		}
		name := fmt.Sprintf("passing-%d", time.Now().UnixNano())
		err := c.CreateCollection(ctx, client.CollectionSpec{
			Name: name, ShardNumber: &one, ReplicationFactor: &all,
			Vectors: map[string]client.VectorParams{"": {Size: dimension, Distance: client.Dot}},
		})
		if err == nil {
			made = name
		}
		return err
	}}
}

// run makes the calls of one kind through one client until ctx ends.
func (w *traffic) run(ctx context.Context, c *client.Client, k trafficKind) {
	due := time.Now().Add(rand.N(k.every))
	for ; rest(ctx, time.Until(due)); due = due.Add(k.every) {
		began := due
		err := k.call(context.WithoutCancel(ctx), c)
		w.note(k.name, began, err)
	}
}

func (w *traffic) note(kind string, began time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.mu.kinds[kind]
	if s == nil {
		s = &stream{}
		w.mu.kinds[kind] = s
	}
	now := time.Now()
	f := failure{at: began.Sub(w.began), took: now.Sub(began), err: err}
	if err != nil {
		s.failed = append(s.failed, f)
		return
	}
	s.took = append(s.took, f.took)
	if f.took > slowCall {
		s.slow = append(s.slow, f)
	}
	if !s.last.IsZero() {
		s.gap = max(s.gap, now.Sub(s.last))
	}
	s.last = now
}

// traffic lets every client make every kind of call until ctx ends.
func (w *traffic) all(ctx context.Context, kinds []trafficKind) {
	var wg sync.WaitGroup
	for _, c := range w.clients {
		for _, k := range kinds {
			wg.Go(func() { w.run(ctx, c, k) })
		}
	}
	wg.Wait()
}

// summary is all of it.
type summary struct {
	calls, failed int
	p999, max     time.Duration
	text          string
}

func (w *traffic) summary() summary {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(out, "call\tok\tfailed\tp50\tp99\tp99.9\tmax\tlongest without")
	var all []time.Duration
	var failed, slow []failure
	sum := summary{}
	for _, name := range slices.Sorted(maps.Keys(w.mu.kinds)) {
		s := w.mu.kinds[name]
		fmt.Fprintf(out, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", name, len(s.took), len(s.failed),
			quantile(s.took, 0.5), quantile(s.took, 0.99), quantile(s.took, 0.999), quantile(s.took, 1), s.gap.Round(time.Millisecond))
		all = append(all, s.took...)
		for _, f := range s.failed {
			failed = append(failed, failure{f.at, f.took, fmt.Errorf("%s: %w", name, f.err)})
		}
		for _, f := range s.slow {
			slow = append(slow, failure{f.at, f.took, errors.New(name)})
		}
	}
	sum.failed = len(failed)
	sum.calls, sum.p999, sum.max = len(all)+sum.failed, quantile(all, 0.999), quantile(all, 1)
	fmt.Fprintf(out, "all\t%d\t%d\t%s\t%s\t%s\t%s\t\n", len(all), sum.failed, quantile(all, 0.5), quantile(all, 0.99), sum.p999, sum.max)
	_ = out.Flush()
	list(&b, "failed", failed)
	list(&b, "slow", slow)
	sum.text = b.String()
	return sum
}

// list tells of the first of some calls.
func list(b *strings.Builder, what string, calls []failure) {
	slices.SortFunc(calls, func(x, y failure) int { return cmp.Compare(x.at, y.at) })
	for i, f := range calls {
		if i == 20 {
			fmt.Fprintf(b, "... and %d more %s\n", len(calls)-i, what)
			return
		}
		fmt.Fprintf(b, "%s: at %.3fs, after %dms: %v\n", what, f.at.Seconds(), f.took.Milliseconds(), f.err)
	}
}
