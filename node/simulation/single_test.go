package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// story runs one scripted test on a cluster in a bubble of its own, all nodes up and the collections made.
func story(t *testing.T, size int, tell func(c *cluster)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := newTimeline()
		source := func() *rand.Rand { return rand.New(rand.NewPCG(uint64(size), 1)) }
		c := newCluster(t, source(), source(), line, size)
		defer func() {
			if t.Failed() {
				line.report(t, t.Name(), 0)
			}
		}()
		finished := make(chan struct{})
		go watch(finished, line)
		c.startAll()
		tell(c)
		c.close()
		close(finished)
		alone(line)
	})
}

// Raft's leader tries ever more rarely to reach a follower that does not answer; one that returns is found at once all the same.
func TestANodeThatWasAwayForLongKnowsTheMetadataAtOnce(t *testing.T) {
	story(t, 3, func(c *cluster) {
		var gone *machine
		for _, m := range c.machines {
			if !m.server.LeadsMetadata() {
				gone = m
			}
		}
		c.crash(false, gone)
		_ = pass(context.Background(), time.Minute)
		if err := gone.start(); err != nil {
			c.t.Fatal(err)
		}
		back := time.Now()
		_, ok := c.eventually(30*time.Second, "the node knows the metadata", func(context.Context) error {
			_, known := gone.server.Metadata()
			for _, m := range c.machines {
				if _, index := m.server.Metadata(); index > known {
					return fmt.Errorf("%s has applied %d, %s %d", gone.name, known, m.name, index)
				}
			}
			if known == 0 {
				return errors.New("it knows nothing")
			}
			return nil
		})
		if took := time.Since(back); !ok || took > 1500*time.Millisecond {
			c.t.Errorf("it took %s", took)
		}
	})
}

// Who is the only voter hears of no leader, however long it waits for one.
func TestALoneNodeLeadsAtOnce(t *testing.T) {
	story(t, 1, func(c *cluster) {
		alone := c.machines[0]
		c.crash(false, alone)
		back := time.Now()
		if err := alone.start(); err != nil {
			c.t.Fatal(err)
		}
		_, ok := c.eventually(10*time.Second, "it leads", func(context.Context) error {
			if !alone.server.LeadsMetadata() {
				return errors.New("it does not")
			}
			return nil
		})
		if took := time.Since(back); !ok || took > 200*time.Millisecond {
			c.violate("it led after %s", took)
		}
	})
}

// used is a cluster with collections in which a few points stand, and connections to every node.
type used struct {
	c     *cluster
	conns map[*machine]*grpc.ClientConn
}

func use(c *cluster) *used {
	u := &used{c: c, conns: map[*machine]*grpc.ClientConn{}}
	for _, m := range c.machines {
		u.conns[m] = c.dial("c1", m, grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 10 * time.Millisecond, MaxDelay: 10 * time.Millisecond}}))
	}
	for _, g := range targets(len(c.machines)) {
		shards := uint32(2)
		u.must("collection "+g.name+" is made", func(ctx context.Context) error {
			_, err := qdrant.NewCollectionsClient(u.conns[c.machines[0]]).Create(ctx, &qdrant.CreateCollection{
				CollectionName: g.name, ShardNumber: &shards, ReplicationFactor: &g.factor, WriteConsistencyFactor: &g.quorum,
				VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: dimension, Distance: qdrant.Distance_Dot}),
			})
			if status.Code(err) == codes.AlreadyExists {
				return nil
			}
			return err
		})
		for _, m := range c.machines {
			u.must(g.name+" takes writes through "+m.name, func(ctx context.Context) error { return u.write(ctx, m, g.name) })
		}
	}
	return u
}

func (u *used) must(what string, f func(context.Context) error) time.Duration {
	took, ok := u.c.eventually(30*time.Second, what, f)
	if !ok {
		u.c.t.FailNow()
	}
	return took
}

// write changes points of both shards of a collection.
func (u *used) write(ctx context.Context, through *machine, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var points []*qdrant.PointStruct
	for id := range uint64(16) {
		points = append(points, &qdrant.PointStruct{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectorsDense(make([]float32, dimension))})
	}
	wait := true
	_, err := qdrant.NewPointsClient(u.conns[through]).Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: &wait, Points: points})
	return err
}

func (u *used) read(ctx context.Context, through *machine, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	resp, err := qdrant.NewPointsClient(u.conns[through]).Scroll(ctx, &qdrant.ScrollPoints{CollectionName: name})
	if err == nil && len(resp.GetResult()) == 0 {
		err = errors.New("no points")
	}
	return err
}

func (u *used) close() {
	for _, cc := range u.conns {
		_ = cc.Close()
	}
}

// A write or a read that begins once a node is gone succeeds within these bounds, through any other node, and whatever the lost
// one led. What they are made of: half a second until the death of a killed node is certain, two for one without power;
// a second, or up to two and a half, until another one leads Raft, if that was lost too; and a second more for a shard of
// which the only copy that has to hold a write may be lost.
func TestALostNodeHoldsUpWritesAndReadsForAMomentOnly(t *testing.T) {
	const reads = time.Second
	for _, of := range []struct {
		name   string
		power  bool
		leader bool
		writes map[string]time.Duration
	}{
		{"killed", false, false, map[string]time.Duration{"quorum": time.Second, "weak": 2 * time.Second}},
		{"killed leader", false, true, map[string]time.Duration{"quorum": 2 * time.Second, "weak": 2500 * time.Millisecond}},
		{"without power", true, false, map[string]time.Duration{"quorum": 3 * time.Second, "weak": 4 * time.Second}},
		{"leader without power", true, true, map[string]time.Duration{"quorum": 4500 * time.Millisecond, "weak": 5 * time.Second}},
	} {
		t.Run(of.name, func(t *testing.T) {
			story(t, 3, func(c *cluster) {
				u := use(c)
				defer u.close()
				// A node waits for what it has confirmed itself before it answers a read, and of a weak write the lost node may have
				// had the only copy.
				u.must("every copy has what was written", func(context.Context) error { return c.whole() })
				var gone *machine
				for _, m := range c.machines {
					if m.server.LeadsMetadata() == of.leader {
						gone = m
					}
				}
				c.crash(of.power, gone)
				var wg sync.WaitGroup
				for _, m := range c.machines {
					if m == gone {
						continue
					}
					for name, bound := range of.writes {
						wg.Go(func() {
							took := u.must("writes to "+name+" go on", func(ctx context.Context) error { return u.write(ctx, m, name) })
							c.t.Logf("writes to %s went on after %s", name, took.Round(time.Millisecond))
							if took > bound {
								c.violate("writes to %s through %s went on after %s, want %s", name, m.name, took, bound)
							}
						})
						wg.Go(func() {
							if took := u.must("reads of "+name+" go on", func(ctx context.Context) error { return u.read(ctx, m, name) }); took > reads {
								c.violate("reads of %s through %s went on after %s, want %s", name, m.name, took, reads)
							}
						})
					}
				}
				wg.Wait()
			})
		})
	}
}

// A primary that restarts before anybody misses it may not lead the term that it led (R7): it asks for another one at once.
func TestARestartedPrimaryLeadsAgainAtOnce(t *testing.T) {
	story(t, 3, func(c *cluster) {
		u := use(c)
		defer u.close()
		for _, m := range c.machines {
			if m.server.LeadsMetadata() {
				continue
			}
			c.crash(false, m)
			if err := m.start(); err != nil {
				c.t.Fatal(err)
			}
			for _, other := range c.machines {
				for _, name := range []string{"quorum", "weak", "strong"} {
					if took := u.must("writes go on", func(ctx context.Context) error { return u.write(ctx, other, name) }); took > time.Second {
						c.violate("%s restarted, and writes to %s through %s went on after %s", m.name, name, other.name, took)
					}
				}
			}
			_ = pass(context.Background(), 5*time.Second)
		}
	})
}

// Nothing is refused, and nothing waits for long, while nodes are shut down and started again one after the other by their
// readiness.
func TestPlannedRestartsHoldUpNothing(t *testing.T) {
	story(t, 3, func(c *cluster) {
		u := use(c)
		defer u.close()
		ctx, stop := context.WithCancel(context.Background())
		var down atomic.Pointer[machine]
		var wg sync.WaitGroup
		var longest atomic.Int64
		for _, m := range c.machines {
			for _, name := range []string{"quorum", "weak"} {
				wg.Go(func() {
					for pass(ctx, 40*time.Millisecond) == nil {
						begun, was := time.Now(), down.Load()
						if was == m {
							continue
						}
						err := errors.Join(u.write(context.Background(), m, name), u.read(context.Background(), m, name))
						if err != nil && down.Load() != m && !c.t.Failed() {
							c.violate("%s through %s, which is up: %v", name, m.name, err)
						}
						if err == nil {
							longest.Store(max(longest.Load(), int64(time.Since(begun))))
						}
					}
				})
			}
		}
		for _, m := range c.machines {
			down.Store(m)
			m.shutDown()
			m.ended()
			_ = pass(context.Background(), 2*time.Second)
			if err := m.start(); err != nil {
				c.t.Fatal(err)
			}
			u.must(m.name+" is ready", func(context.Context) error { return m.server.Ready() })
			_ = pass(context.Background(), 50*time.Millisecond) // its clients find it again
			down.Store(nil)
		}
		stop()
		wg.Wait()
		if d := time.Duration(longest.Load()); d > 500*time.Millisecond {
			c.violate("something took %s", d)
		}
	})
}
