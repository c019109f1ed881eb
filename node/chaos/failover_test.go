//go:build chaos

package chaos_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

var (
	failoverKills  = flag.Int("failover.kills", 10, "how many nodes are killed, one after the other; every second one leads Raft")
	failoverNodes  = flag.Int("failover.nodes", 3, "how many nodes")
	failoverWrites = flag.Duration("failover.writes", 3*time.Second, "when writes to each shard go on after a kill, at the 99th percentile; 0: whenever they like")
	failoverReads  = flag.Duration("failover.reads", time.Second, "when reads do")
)

// attempts are the calls of one kind on one shard through one client.
type attempts struct {
	what string
	mu   struct {
		sync.Mutex
		done []interval
	}
}

// failovers watches how soon after a kill every shard serves again, as each of several programs sees it: through the Go client,
// which knows all nodes, and each of which was with another node.
type failoverBench struct {
	clients []*client.Client
	all     []*attempts
}

// The collections that it uses: each of one shard, so that it is known which shard a call is for.
const (
	quorumShards = 4
	weakShards   = 2
)

func newFailoverBench(ctx context.Context, t *testing.T, nodes []*node) *failoverBench {
	t.Helper()
	w := newTraffic(t, nodes)
	b := &failoverBench{clients: w.clients}
	n := uint32(len(nodes))
	for i := range quorumShards {
		w.declare(ctx, t, fmt.Sprintf("quorum-%d", i), 1, n, n/2+1)
	}
	for i := range weakShards {
		w.declare(ctx, t, fmt.Sprintf("weak-%d", i), 1, n, 1)
	}
	eventually(ctx, t, "the collections are there", func() error { return whole(ctx, nodes[0]) })
	return b
}

// run makes calls until ctx ends.
func (b *failoverBench) run(ctx context.Context) *sync.WaitGroup {
	var wg sync.WaitGroup
	for _, c := range b.clients {
		for i := range quorumShards + weakShards {
			name, kind := fmt.Sprintf("quorum-%d", i), "quorum"
			if i >= quorumShards {
				name, kind = fmt.Sprintf("weak-%d", i-quorumShards), "weak"
			}
			write := func(ctx context.Context) error {
				id := 1 + rand.Uint64N(64)
				_, err := c.Upsert(ctx, name, []client.Point{{ID: client.Num(id), Vectors: client.Vectors{"": vectorOf(id, 0)}}}, client.WriteOptions{Wait: true})
				return err
			}
			get := func(c *client.Client) func(context.Context) error {
				return func(ctx context.Context) error {
					_, err := c.Get(ctx, name, client.GetRequest{IDs: []client.PointID{client.Num(1)}})
					return err
				}
			}
			b.repeat(ctx, &wg, kind+" writes", write)
			b.repeat(ctx, &wg, "reads", get(c))
			if kind == "quorum" {
				b.repeat(ctx, &wg, "strong reads", get(c.Reading(client.Strong)))
			}
		}
	}
	return &wg
}

// repeat makes a call all the time; several are under way, so that one that hangs does not hide that others succeed.
func (b *failoverBench) repeat(ctx context.Context, wg *sync.WaitGroup, what string, f func(context.Context) error) {
	a := &attempts{what: what}
	b.all = append(b.all, a)
	const atOnce, every = 2, 100 * time.Millisecond
	for range atOnce {
		wg.Go(func() {
			for rest(ctx, rand.N(2*every)) {
				bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
				began := time.Now()
				err := f(bounded)
				cancel()
				if err == nil {
					a.mu.Lock()
					a.mu.done = append(a.mu.done, interval{began, time.Now()})
					a.mu.Unlock()
				}
			}
		})
	}
}

// after returns how long after each kill it took until a call that began later had succeeded, by kind of call.
func (b *failoverBench) after(kills []time.Time) map[string][]time.Duration {
	took := map[string][]time.Duration{}
	for _, a := range b.all {
		a.mu.Lock()
		for _, kill := range kills {
			first := time.Duration(-1)
			for _, s := range a.mu.done {
				if s.from.After(kill) && (first < 0 || s.to.Sub(kill) < first) {
					first = s.to.Sub(kill)
				}
			}
			if first >= 0 {
				took[a.what] = append(took[a.what], first)
			}
		}
		a.mu.Unlock()
	}
	return took
}

// lost counts how often calls of a kind never succeeded again, on one shard through one client, after a kill: that is no short
// time, and must not be left out.
func (b *failoverBench) lost(what string, kills []time.Time) (n int) {
	for _, a := range b.all {
		if a.what == what {
			n += len(kills)
		}
	}
	return n - len(b.after(kills)[what])
}

// verdict is one line about a bound; the test fails where it is not kept.
func verdict(t *testing.T, kept bool, format string, args ...any) string {
	t.Helper()
	if !kept {
		t.Errorf(format, args...)
	}
	return map[bool]string{true: "met:     ", false: "NOT MET: "}[kept] + fmt.Sprintf(format, args...) + "\n"
}

// TestFailoverIsFast kills nodes, every second time the one that leads Raft, and measures how soon each shard serves again.
func TestFailoverIsFast(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+*failoverKills)*2*time.Minute)
	defer cancel()
	bin, nodes := build(t), newNodes(t, *failoverNodes)
	for _, n := range nodes {
		must(t, n.start(bin))
	}
	allReady(ctx, t, nodes)
	b := newFailoverBench(ctx, t, nodes)
	own := watchMachine(t, t.TempDir())
	loading, stop := context.WithCancel(ctx)
	defer stop()
	clients := b.run(loading)
	var kills []time.Time
	for i := range *failoverKills {
		rest(ctx, 2*time.Second)
		victim, leads := chooseVictim(ctx, t, nodes, i%2 == 0)
		kills = append(kills, time.Now())
		must(t, victim.kill())
		rest(ctx, 6*time.Second)
		must(t, victim.start(bin))
		eventually(ctx, t, victim.name+" is ready again", func() error { return victim.ready(ctx) })
		eventually(ctx, t, "the cluster is whole again", func() error { return whole(ctx, nodes[0]) })
		t.Logf("kill %d: %s (led Raft: %t), whole again %s after the kill", i+1, victim.name, leads, time.Since(kills[i]).Round(time.Millisecond))
	}
	rest(ctx, time.Second)
	stop()
	clients.Wait()
	b.judge(t, kills, own.text())
	if t.Failed() {
		keepLogs(t, nodes)
	}
}

// chooseVictim returns the node that leads Raft, or one that does not.
func chooseVictim(ctx context.Context, t *testing.T, nodes []*node, leader bool) (victim *node, leads bool) {
	t.Helper()
	var name string
	eventually(ctx, t, "somebody leads", func() error {
		got, err := clusterpb.NewClusterClient(nodes[0].dial()).GetCluster(ctx, &clusterpb.GetClusterRequest{})
		if err != nil {
			return err
		}
		for _, p := range got.GetPeers() {
			if p.GetLeader() {
				name = p.GetName()
				return nil
			}
		}
		return fmt.Errorf("no leader among %d peers", len(got.GetPeers()))
	})
	order := rand.Perm(len(nodes))
	for _, i := range order {
		if (nodes[i].name == name) == leader {
			return nodes[i], leader
		}
	}
	return nodes[order[0]], nodes[order[0]].name == name
}

func (b *failoverBench) judge(t *testing.T, kills []time.Time, own string) {
	t.Helper()
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(out, "first success after a kill\tmeasured\tp50\tp99\tmax")
	took := b.after(kills)
	var verdicts []string
	for _, what := range []string{"quorum writes", "weak writes", "strong reads", "reads"} {
		times := took[what]
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\n", what, len(times), quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1))
		bound := *failoverWrites
		if what == "reads" {
			bound = *failoverReads
		}
		p99 := quantile(times, 0.99)
		verdicts = append(verdicts, verdict(t, len(times) > 0, "%s go on after a kill (%d measured)", what, len(times)))
		if bound > 0 {
			verdicts = append(verdicts, verdict(t, p99 <= bound, "%s go on %s after a kill (p99), want at most %s", what, p99, bound))
		}
		if never := b.lost(what, kills); never > 0 {
			verdicts = append(verdicts, verdict(t, false, "%s: %d times nothing succeeded any more on a shard through a client", what, never))
		}
	}
	_ = out.Flush()
	t.Logf("%d kills of %d nodes\n%s%s\n%s", len(kills), len(b.clients), text.String(), own, strings.Join(verdicts, ""))
}
