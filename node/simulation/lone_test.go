package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// Where one copy is declared, a write is acknowledged by one node. While the copy moves there are two for a moment; if the first
// one's node dies then, the second may lack what was acknowledged: it must not take over.
func TestALoneCopyOnTheMoveLosesNothingWhenItsNodeDies(t *testing.T) {
	story(t, 3, func(c *cluster) {
		conns := map[*machine]*grpc.ClientConn{}
		for _, m := range c.machines {
			conns[m] = c.dial("c1", m)
			defer conns[m].Close()
		}
		one, w := uint32(1), newLoneWriter(c, conns)
		c.eventually(30*time.Second, "the collection is made", func(ctx context.Context) error {
			_, err := qdrant.NewCollectionsClient(conns[c.machines[0]]).Create(ctx, &qdrant.CreateCollection{
				CollectionName: "solo", ShardNumber: &one, ReplicationFactor: &one, WriteConsistencyFactor: &one,
				VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: dimension, Distance: qdrant.Distance_Dot}),
			})
			return err
		})
		w.start()
		moved := 0
		for round := range 6 {
			holder := w.holder()
			c.timeline.event("round %d: %s is drained", round, holder.name)
			w.declare(holder, clusterpb.PeerState_PEER_STATE_DRAINING)
			if second := w.await(func(sh *catalog.Shard) bool { return len(sh.Active()) == 2 || sh.Primary != holder.server.Self() }); second {
				moved++
			}
			c.crash(true, holder)
			_ = pass(context.Background(), 5*time.Second)
			if err := holder.start(); err != nil {
				c.t.Fatal(err)
			}
			c.eventually(wholeWithin, "the cluster is as declared", func(context.Context) error { return c.whole() })
			w.declare(holder, clusterpb.PeerState_PEER_STATE_ACTIVE)
		}
		w.stop()
		_ = pass(context.Background(), time.Second) // until what was acknowledged is applied
		if moved == 0 {
			c.t.Error("no copy was ever on the move")
		}
		if n := w.shard().UnsafePromotions; n > 0 {
			c.violate("%d times the second copy took over without the first one's word", n)
		}
		w.verify()
	})
}

// loneWriter writes one point after the other through whichever node takes it, and remembers those that were acknowledged.
type loneWriter struct {
	c      *cluster
	conns  map[*machine]*grpc.ClientConn
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	acked  []uint64
}

func newLoneWriter(c *cluster, conns map[*machine]*grpc.ClientConn) *loneWriter {
	return &loneWriter{c: c, conns: conns}
}

// start lets several clients write, so that there is always something that only one disk has.
func (w *loneWriter) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	for i := range uint64(8) {
		w.wg.Go(func() {
			for id := i << 32; ctx.Err() == nil; id++ {
				m := w.c.machines[id%uint64(len(w.c.machines))]
				bounded, done := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
				_, err := qdrant.NewPointsClient(w.conns[m]).Upsert(bounded, &qdrant.UpsertPoints{
					CollectionName: "solo", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectors(1, 2, 3, 4)}},
				})
				done()
				if err == nil {
					w.mu.Lock()
					w.acked = append(w.acked, id)
					w.mu.Unlock()
				}
				_ = pass(ctx, time.Millisecond)
			}
		})
	}
}

func (w *loneWriter) stop() {
	w.cancel()
	w.wg.Wait()
}

// shard is the collection's only one, as the first node that is up knows it.
func (w *loneWriter) shard() *catalog.Shard {
	for _, m := range w.c.machines {
		if m.server == nil {
			continue
		}
		state, _ := m.server.Metadata()
		if col, ok := state.Lookup("solo"); ok {
			return col.Shards[0]
		}
	}
	return &catalog.Shard{}
}

func (w *loneWriter) holder() *machine {
	id := w.shard().Primary
	for _, m := range w.c.machines {
		if m.server.Self() == id {
			return m
		}
	}
	w.c.t.Fatalf("peer %d is nobody", id)
	return nil
}

// await looks every millisecond until the shard is so, and reports whether it still was with two copies then.
func (w *loneWriter) await(is func(*catalog.Shard) bool) bool {
	for range 20_000 {
		if sh := w.shard(); is(sh) {
			return len(sh.Active()) == 2
		}
		_ = pass(context.Background(), time.Millisecond)
	}
	w.c.violate("the copy does not move: %s", w.shard())
	return false
}

func (w *loneWriter) declare(m *machine, state clusterpb.PeerState) {
	id := uint64(m.server.Self())
	w.c.eventually(30*time.Second, "a peer is declared", func(ctx context.Context) error {
		for _, other := range w.c.machines {
			if other == m {
				continue
			}
			ctx, cancel := context.WithTimeout(ctx, requestTimeout)
			defer cancel()
			_, err := clusterpb.NewClusterClient(w.conns[other]).UpdatePeer(ctx, &clusterpb.UpdatePeerRequest{Peer: id, State: &state})
			return err
		}
		return errors.New("nobody to ask")
	})
}

func (w *loneWriter) verify() {
	held := map[uint64]bool{}
	w.c.eventually(30*time.Second, "all points are read", func(ctx context.Context) error {
		clear(held)
		var offset *qdrant.PointId
		for {
			resp, err := qdrant.NewPointsClient(w.conns[w.c.machines[0]]).Scroll(ctx, &qdrant.ScrollPoints{CollectionName: "solo", Limit: qdrant.PtrOf(uint32(10_000)), Offset: offset})
			if err != nil {
				return err
			}
			for _, p := range resp.GetResult() {
				held[p.GetId().GetNum()] = true
			}
			if offset = resp.GetNextPageOffset(); offset == nil {
				return nil
			}
		}
	})
	lost := 0
	for _, id := range w.acked {
		if !held[id] {
			lost++
		}
	}
	if lost > 0 {
		w.c.violate("%d of %d acknowledged points are lost", lost, len(w.acked))
	}
	w.c.timeline.event("%s", fmt.Sprint(len(w.acked), " points were acknowledged"))
}
