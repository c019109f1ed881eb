//go:build chaos

package chaos_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

var rounds = flag.Int("chaos.rounds", 10, "how many rounds; each kills every node in turn")

// The bounds that the test holds the cluster to.
const (
	writableWithin = time.Minute // bench-failover holds it to what is promised; here the machine may be busy
	caughtUpWithin = 60 * time.Second
	writers        = 4
	dimension      = 8
)

// collection is under test at one write consistency; acknowledged holds every id that a node confirmed.
type collection struct {
	name   string
	quorum uint32
	mu     struct {
		sync.Mutex
		acknowledged map[uint64]bool
		attempts     uint64
		last         time.Time
	}
}

func newCollection(name string, quorum uint32) *collection {
	c := &collection{name: name, quorum: quorum}
	c.mu.acknowledged = map[uint64]bool{}
	return c
}

func (c *collection) create(ctx context.Context, t *testing.T, n *node) {
	t.Helper()
	shards, factor := uint32(4), uint32(3)
	_, err := qdrant.NewCollectionsClient(n.dial()).Create(ctx, &qdrant.CreateCollection{
		CollectionName: c.name, ShardNumber: &shards, ReplicationFactor: &factor, WriteConsistencyFactor: &c.quorum,
		VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: dimension, Distance: qdrant.Distance_Dot}),
	})
	if err != nil {
		t.Fatalf("create %s: %v", c.name, err)
	}
}

// write upserts one new point through n and notes whether that was confirmed.
func (c *collection) write(ctx context.Context, n *node, id uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	vector := make([]float32, dimension)
	for i := range vector {
		vector[i] = rand.Float32()
	}
	wait := id%2 == 0
	_, err := qdrant.NewPointsClient(n.dial()).Upsert(ctx, &qdrant.UpsertPoints{
		CollectionName: c.name, Wait: &wait,
		Points: []*qdrant.PointStruct{{
			Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectorsDense(vector),
			Payload: qdrant.NewValueMap(map[string]any{"id": int64(id)}),
		}},
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.attempts++
	if err == nil {
		c.mu.acknowledged[id] = true
		c.mu.last = time.Now()
	}
	return err
}

// load writes through random nodes until ctx ends.
func (c *collection) load(ctx context.Context, nodes []*node, worker int) {
	for i := uint64(1); ctx.Err() == nil; i++ {
		_ = c.write(ctx, nodes[rand.IntN(len(nodes))], uint64(worker)<<40|i)
	}
}

func (c *collection) snapshot() map[uint64]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.mu.acknowledged)
}

// missing asks n for every point of want and returns those that it does not have.
func (c *collection) missing(ctx context.Context, n *node, acknowledged map[uint64]bool) ([]uint64, error) {
	want := maps.Clone(acknowledged)
	points := qdrant.NewPointsClient(n.dial())
	limit, offset := uint32(1000), (*qdrant.PointId)(nil)
	for {
		page, err := points.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: c.name, Limit: &limit, Offset: offset})
		if err != nil {
			return nil, err
		}
		for _, p := range page.GetResult() {
			id := p.GetId().GetNum()
			if got := p.GetPayload()["id"].GetIntegerValue(); got != int64(id) {
				return nil, fmt.Errorf("point %d has the payload of %d", id, got)
			}
			delete(want, id)
		}
		if offset = page.GetNextPageOffset(); offset == nil {
			return slices.Collect(maps.Keys(want)), nil
		}
	}
}

// whole returns nil once every replica of the collections (none: of all) counts, as n sees it.
func whole(ctx context.Context, n *node, collections ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	placement, err := clusterpb.NewClusterClient(n.dial()).GetPlacement(ctx, &clusterpb.GetPlacementRequest{Collections: collections})
	if err != nil {
		return err
	}
	for _, c := range placement.GetCollections() {
		for _, s := range c.GetShards() {
			if s.GetActiveReplicas() != c.GetReplicationFactor() || !s.GetWritable() {
				return fmt.Errorf("%s shard %d: %d active replicas: %s", c.GetCollection(), s.GetShardId(), s.GetActiveReplicas(), s.GetProblem())
			}
		}
	}
	return nil
}

// acrossShards writes one new point to every shard, with ids that nothing else uses.
func (c *collection) acrossShards(ctx context.Context, n *node) error {
	for range 24 {
		if err := c.write(ctx, n, 1<<60|rand.Uint64N(1<<50)); err != nil {
			return err
		}
	}
	return nil
}

func TestKilledNodesLoseNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*rounds)*3*2*time.Minute)
	defer cancel()
	bin := build(t)
	nodes := newNodes(t, 3)
	for _, n := range nodes {
		must(t, n.start(bin))
	}
	defer func() {
		for _, n := range nodes {
			if t.Failed() {
				t.Logf("%s said last:\n%s", n.name, n.tail())
			}
		}
	}()
	allReady(ctx, t, nodes)
	quorum, strong := newCollection("quorum", 2), newCollection("strong", 3)
	quorum.create(ctx, t, nodes[0])
	strong.create(ctx, t, nodes[1])

	loading, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { quorum.load(loading, nodes, w+1) })
		wg.Go(func() { strong.load(loading, nodes, w+1) })
	}
	var worst time.Duration
	for round := range *rounds {
		for i, victim := range nodes {
			worst = max(worst, killOne(ctx, t, bin, nodes, i, quorum))
			for _, c := range []*collection{quorum, strong} {
				for _, n := range nodes {
					checkNothingMissing(ctx, t, c, n)
				}
			}
			t.Logf("round %d: %s killed and back; %d quorum and %d strong writes acknowledged", round+1, victim.name, quorum.count(), strong.count())
		}
	}
	stop()
	wg.Wait()
	t.Logf("%d kills; writes paused %s at most; acknowledged and kept: %d quorum, %d strong", 3**rounds, worst.Round(time.Millisecond), quorum.count(), strong.count())
	killAll(ctx, t, bin, nodes, quorum, strong)
}

// allReady waits until each of the nodes says that it can serve.
func allReady(ctx context.Context, t *testing.T, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		eventually(ctx, t, n.name+" is ready", func() error { return n.ready(ctx) })
	}
}

func (c *collection) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.acknowledged)
}

// killOne kills a node, demands that every shard of c takes writes again, brings it back, and demands that it
// catches up by itself. It returns how long writes to some shard were impossible.
func killOne(ctx context.Context, t *testing.T, bin string, nodes []*node, i int, c *collection) time.Duration {
	t.Helper()
	victim, witness := nodes[i], nodes[(i+1)%len(nodes)]
	must(t, victim.kill())
	killed := time.Now()
	bounded, cancel := context.WithTimeout(ctx, writableWithin)
	eventually(bounded, t, "every shard takes quorum writes again after "+victim.name+" was killed", func() error {
		return c.acrossShards(bounded, witness)
	})
	cancel()
	pause := time.Since(killed)
	must(t, victim.start(bin))
	bounded, cancel = context.WithTimeout(ctx, caughtUpWithin)
	defer cancel()
	allReady(bounded, t, []*node{victim})
	eventually(bounded, t, victim.name+" has caught up", func() error { return whole(bounded, victim) })
	return pause
}

// checkNothingMissing demands that n shows everything that had been acknowledged when it was called. A node answers
// from its own replica, which may be a moment behind a quorum that it was not part of: it gets a moment.
func checkNothingMissing(ctx context.Context, t *testing.T, c *collection, n *node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	want := c.snapshot()
	eventually(ctx, t, fmt.Sprintf("%s shows all %d acknowledged points of %s", n.name, len(want), c.name), func() error {
		lost, err := c.missing(ctx, n, want)
		if err != nil {
			return err
		}
		if len(lost) > 0 {
			return fmt.Errorf("%d are missing, such as %d", len(lost), lost[0])
		}
		return nil
	})
}

// killAll kills all nodes at once: what was acknowledged stands on disk.
func killAll(ctx context.Context, t *testing.T, bin string, nodes []*node, collections ...*collection) {
	t.Helper()
	for _, n := range nodes {
		must(t, n.kill())
	}
	for _, n := range nodes {
		must(t, n.start(bin))
	}
	bounded, cancel := context.WithTimeout(ctx, caughtUpWithin)
	defer cancel()
	allReady(bounded, t, nodes)
	eventually(bounded, t, "the cluster is whole after all nodes were killed at once", func() error { return whole(bounded, nodes[0]) })
	for _, c := range collections {
		for _, n := range nodes {
			checkNothingMissing(ctx, t, c, n)
		}
	}
}
