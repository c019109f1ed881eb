package replica_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

var errDown = errors.New("the peer is down")

// Snapshot is the network for snapshots: it loses them with either peer, and does to chunks what the test wants.
func (m *member) Snapshot(ctx context.Context, from catalog.PeerID, req replica.SnapshotRequest, receive func(replica.SnapshotChunk) error) error {
	m.c.mu.Lock()
	src := m.c.mu.up[from]
	m.c.mu.Unlock()
	if src == nil {
		return fault.Wrap(fault.Unavailable, errDown, "peer %d", from)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return src.manager.SendSnapshot(ctx, req, func(c replica.SnapshotChunk) error {
		if m.c.line != nil {
			if err := m.c.line(m.id, &c); err != nil {
				return err
			}
		}
		select {
		case <-m.stop:
			return errDown
		case <-src.stop:
			return errDown
		default:
			return receive(c)
		}
	})
}

// small makes logs and chunks so small that tests get far with few points.
func small(o *replica.Options) {
	o.LogEntries, o.LogBytes, o.LogHold = 32, 1<<20, 100
	o.Transfers.ChunkBytes = 1 << 10
}

func deleteOver(n int64) []byte {
	f := &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "id", Range: &filter.Range{GTE: ptr(float64(n))}}}}}
	return point.EncodeOp(point.Delete{Selector: point.Selector{Filter: filter.Encode(f)}})
}

func ptr[T any](v T) *T { return &v }

func (c *cluster) state(ref catalog.ShardRef, peer catalog.PeerID) catalog.Replica {
	c.t.Helper()
	rep, ok := c.shard(ref).Replica(peer)
	if !ok {
		c.t.Fatalf("peer %d has no replica", peer)
	}
	return rep
}

// away stops a peer until its replica is demoted and the log has gone on without it.
func (c *cluster) away(ref catalog.ShardRef, peer catalog.PeerID, writes uint64) {
	c.t.Helper()
	c.stop(peer)
	c.write(ref, upsert(1))
	c.eventually("the replica is demoted", func() error {
		if s := c.state(ref, peer).State; s != catalog.Dead {
			return fmt.Errorf("%s", s)
		}
		return nil
	})
	for i := range writes {
		c.write(ref, upsert(100+i, 10_000+i, 20_000+i))
	}
}

func (c *cluster) status(peer catalog.PeerID) replica.Status {
	c.t.Helper()
	c.mu.Lock()
	m := c.mu.up[peer]
	c.mu.Unlock()
	return m.manager.Status(nil)[0]
}

func TestAReplicaThatTheLogDoesNotReachBackToIsFilledFromASnapshot(t *testing.T) {
	c := newTunedCluster(t, 3, small)
	ref := c.create(2, 1, 2, 3)
	for i := range uint64(50) {
		c.write(ref, upsert(i))
	}
	c.equal(ref, 1, 2, 3)
	old := c.state(ref, 3).Generation
	c.away(ref, 3, 100)
	if first := c.status(1).FirstIndex; first < 50 {
		t.Fatalf("the log begins at %d: nothing was forgotten", first)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() { // writes go on meanwhile, deletes by filter among them
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			op := upsert(i%97, 30_000+i)
			if i%10 == 9 {
				op = deleteOver(int64(30_000 + i - 5))
			}
			c.write(ref, op)
		}
	})
	c.start(3)
	c.eventually("the replica counts again", func() error {
		if rep := c.state(ref, 3); rep.State != catalog.Active || rep.Generation == old || rep.Previous != 0 {
			return fmt.Errorf("%+v", rep)
		}
		return nil
	})
	close(stop)
	wg.Wait()
	c.equal(ref, 1, 2, 3)
	c.eventually("the data of the replica that was replaced is gone", func() error {
		gens, err := c.mu.up[3].store.Generations()
		if err == nil && len(gens) != 1 {
			err = fmt.Errorf("generations %v", gens)
		}
		return err
	})
}

func TestANewReplicaOfAShardWithACutLogIsFilledFromASnapshot(t *testing.T) {
	c := newTunedCluster(t, 3, small)
	ref := c.create(2, 1, 2)
	for i := range uint64(100) {
		c.write(ref, upsert(i, 1000+i))
	}
	third := catalog.PeerID(3)
	r := c.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: c.shard(ref).Version, AddReplica: &third}})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	c.equal(ref, 1, 2, 3)
	for i := range uint64(20) {
		c.write(ref, upsert(5000+i))
	}
	c.equal(ref, 1, 2, 3)
}

// Whoever restarts while a snapshot is on its way, it goes on, and what arrived before is not sent again.
func TestASnapshotGoesOnAfterARestartOfEitherSide(t *testing.T) {
	for _, victim := range []catalog.PeerID{1, 3} {
		t.Run(fmt.Sprintf("peer %d", victim), func(t *testing.T) {
			c := newTunedCluster(t, 3, small)
			ref := c.create(2, 1, 2, 3)
			c.equal(ref, 1, 2, 3)
			c.away(ref, 3, 300)
			var sent, before atomic.Int64
			held := make(chan struct{})
			c.line = func(_ catalog.PeerID, chunk *replica.SnapshotChunk) error {
				if sent.Add(int64(len(chunk.Data))) > 15_000 && before.CompareAndSwap(0, sent.Load()) {
					close(held)
				}
				if before.Load() != 0 && sent.Load() < 2*before.Load() {
					return errDown
				}
				return nil
			}
			c.start(3)
			receive(t, "the first chunks come", held)
			c.stop(victim)
			c.start(victim)
			sent.Store(1 << 40)
			c.write(ref, upsert(7))
			c.equal(ref, 1, 2, 3)
			st := c.status(1)
			total := int64(st.Bytes + 34*st.Points)
			if again := sent.Load() - 1<<40; again > total-before.Load()/2 {
				t.Errorf("%d bytes were sent in all after %d had arrived of %d", again, before.Load(), total)
			}
		})
	}
}

func TestASnapshotGoesOnAtTheNextPrimary(t *testing.T) {
	c := newTunedCluster(t, 3, small)
	ref := c.create(2, 1, 2, 3)
	c.equal(ref, 1, 2, 3)
	c.away(ref, 3, 200)
	var sent atomic.Int64
	held, released := make(chan struct{}), make(chan struct{})
	release := unblocks(t, released)
	c.line = func(_ catalog.PeerID, chunk *replica.SnapshotChunk) error {
		if sent.Add(int64(len(chunk.Data))); sent.Load() > 10_000 {
			select {
			case <-held:
			default:
				close(held)
			}
			<-released
		}
		return nil
	}
	c.start(3)
	receive(t, "the first chunks come", held)
	c.promoteTo(ref, 2)
	c.eventually("the transfer names the next primary", func() error {
		for _, tr := range c.mu.up[3].manager.Transfers() {
			if tr.From == 2 {
				return nil
			}
		}
		release()
		if c.state(ref, 3).State == catalog.Active {
			return nil
		}
		return errors.New("it does not")
	})
	c.write(ref, upsert(7))
	c.equal(ref, 1, 2, 3)
}

// promoteTo hands a shard over.
func (c *cluster) promoteTo(ref catalog.ShardRef, to catalog.PeerID) {
	c.t.Helper()
	c.eventually("the shard is handed over", func() error {
		sh := c.shard(ref)
		if sh.Primary == to {
			return nil
		}
		for _, id := range sh.Active() {
			rep, _ := sh.Replica(id)
			if _, err := c.mu.up[id].manager.Fence(context.Background(), ref, rep.Generation, sh.Term+1, false); err != nil {
				return err
			}
		}
		return c.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{
			Ref: ref, Version: sh.Version, Promote: &catalog.Promote{Term: sh.Term + 1, Candidate: to},
		}}).Err
	})
}

func TestADamagedChunkIsFoundAndSentAgain(t *testing.T) {
	c := newTunedCluster(t, 2, small)
	ref := c.create(1, 1, 2)
	c.equal(ref, 1, 2)
	c.away(ref, 2, 100)
	var hurt atomic.Int64
	c.line = func(_ catalog.PeerID, chunk *replica.SnapshotChunk) error {
		if n := len(chunk.Data); n > 0 && hurt.Add(1) < 4 {
			chunk.Data = append([]byte(nil), chunk.Data...)
			chunk.Data[rand.IntN(n)] ^= 1 << rand.IntN(8)
		}
		return nil
	}
	c.start(2)
	c.equal(ref, 1, 2)
	if hurt.Load() < 4 {
		t.Error("nothing was damaged")
	}
}

// A source that sends what it does not have, with checksums that fit, is found out by the digest.
func TestAChunkThatLiesIsFoundByTheDigest(t *testing.T) {
	c := newTunedCluster(t, 2, small)
	ref := c.create(1, 1, 2)
	c.equal(ref, 1, 2)
	c.away(ref, 2, 100)
	var lies atomic.Int64
	c.line = func(_ catalog.PeerID, chunk *replica.SnapshotChunk) error {
		if len(chunk.Data) > 0 && lies.Add(1) == 2 {
			chunk.Data, chunk.CRC = nil, 0 // a chunk is missing
		}
		return nil
	}
	c.start(2)
	c.eventually("the failure shows, or is over", func() error {
		if tr := c.mu.up[2].manager.Transfers(); len(tr) == 0 || tr[0].Failures == 0 {
			if c.state(ref, 2).State == catalog.Active {
				return nil
			}
			return fmt.Errorf("%+v", tr)
		}
		return nil
	})
	c.equal(ref, 1, 2)
}

func TestSnapshotsOnTheirWayAreBounded(t *testing.T) {
	c := newTunedCluster(t, 2, func(o *replica.Options) {
		small(o)
		o.Transfers.In, o.Transfers.Out = 2, 2
	})
	var refs []catalog.ShardRef
	for range 5 {
		refs = append(refs, c.createNamed(fmt.Sprint("c", len(refs)), 1, 1))
	}
	for _, ref := range refs {
		for i := range uint64(60) {
			c.write(ref, upsert(i))
		}
	}
	var at, most atomic.Int64
	var running sync.Map
	c.line = func(_ catalog.PeerID, chunk *replica.SnapshotChunk) error {
		for _, tr := range c.mu.up[1].manager.Transfers() {
			running.Store(tr.Ref, true)
		}
		n := int64(len(c.mu.up[1].manager.Transfers()))
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		at.Add(1)
		return nil
	}
	second := catalog.PeerID(2)
	for _, ref := range refs {
		if r := c.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: c.shard(ref).Version, AddReplica: &second}}); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	for _, ref := range refs {
		c.equal(ref, 1, 2)
	}
	if most.Load() < 1 || most.Load() > 2 {
		t.Errorf("%d snapshots were on their way at once, want at most 2", most.Load())
	}
}

func TestALogStaysBoundedWhileAllReplicasAreWell(t *testing.T) {
	c := newTunedCluster(t, 3, small)
	ref := c.create(2, 1, 2, 3)
	for i := range uint64(400) {
		c.write(ref, upsert(i%10))
	}
	c.equal(ref, 1, 2, 3)
	for _, id := range []catalog.PeerID{1, 2, 3} {
		c.eventually(fmt.Sprintf("the log of peer %d is short", id), func() error {
			st := c.status(id)
			if n := st.LastIndex + 1 - st.FirstIndex; n > 32+32/16+3 {
				return fmt.Errorf("%d entries", n)
			}
			first, last, err := c.mu.up[id].store.LogBounds(uint64(st.Generation))
			if err == nil && last-first > 40 {
				err = fmt.Errorf("%d entries on disk", last-first+1)
			}
			return err
		})
	}
	for _, id := range []catalog.PeerID{1, 2, 3} {
		c.stop(id)
	}
	for _, id := range []catalog.PeerID{1, 2, 3} {
		c.start(id)
	}
	c.write(ref, upsert(1000))
	c.equal(ref, 1, 2, 3)
}

// The log is kept for a replica that is being filled, up to the larger bound; beyond it another pass brings what has changed.
func TestALogThatGoesOnTooFarDuringASnapshotIsMadeUpFor(t *testing.T) {
	c := newTunedCluster(t, 2, func(o *replica.Options) {
		small(o)
		o.LogHold = 2
	})
	ref := c.create(1, 1, 2)
	c.equal(ref, 1, 2)
	c.away(ref, 2, 100)
	var once sync.Once
	c.line = func(_ catalog.PeerID, chunk *replica.SnapshotChunk) error {
		if len(chunk.Data) > 0 {
			once.Do(func() {
				for i := range uint64(200) {
					c.write(ref, upsert(i%10, 50_000+i))
				}
			})
		}
		return nil
	}
	c.start(2)
	c.equal(ref, 1, 2)
	if st := c.status(1); st.LastIndex+1-st.FirstIndex > 80 {
		t.Errorf("the log holds %d entries, its larger bound is 64", st.LastIndex+1-st.FirstIndex)
	}
}

// A half-received generation is no replica: it is not read, not fenced, and still there after a restart.
func TestAReplicaThatIsBeingFilledDoesNotCount(t *testing.T) {
	c := newTunedCluster(t, 2, small)
	ref := c.create(1, 1, 2)
	c.equal(ref, 1, 2)
	c.away(ref, 2, 100)
	var blocked atomic.Bool
	blocked.Store(true)
	var taken atomic.Int64
	c.line = func(_ catalog.PeerID, chunk *replica.SnapshotChunk) error {
		if blocked.Load() && taken.Add(1) > 5 {
			return errDown
		}
		return nil
	}
	c.start(2)
	for range 2 {
		c.eventually("a transfer shows its failures", func() error {
			tr := c.mu.up[2].manager.Transfers()
			if len(tr) != 1 || tr[0].Failures == 0 || tr[0].Problem == "" {
				return fmt.Errorf("%+v", tr)
			}
			if gens, err := c.mu.up[2].store.Generations(); err != nil || len(gens) != 2 {
				return fmt.Errorf("generations %v, %w: the old one is to stay until the new one is complete", gens, err)
			}
			return nil
		})
		rep := c.state(ref, 2)
		if rep.State == catalog.Active || rep.Previous == 0 {
			t.Fatalf("%+v", rep)
		}
		if _, err := c.mu.up[2].manager.Fence(context.Background(), ref, rep.Generation, 99, false); !fault.Is(err, fault.Unavailable) {
			t.Errorf("fence: %v", err)
		}
		if _, err := c.has(ref, 2, 0, 1); !fault.Is(err, fault.Unavailable) {
			t.Errorf("read: %v", err)
		}
		st := c.status(2)
		if st.Transfer == nil || st.Problem != "" || st.Transfer.To != 2 {
			t.Errorf("status %+v", st)
		}
		c.stop(2)
		c.start(2)
	}
	blocked.Store(false)
	c.equal(ref, 1, 2)
}

// An unsafe promotion (W = 1) leaves the old primary with entries that nobody else has: its copy begins anew.
func TestADivergedReplicaBeginsAnew(t *testing.T) {
	c := newTunedCluster(t, 2, small)
	ref := c.create(1, 1, 2)
	c.equal(ref, 1, 2)
	c.frozen.Store(true) // the primary is cut off from the metadata: it cannot demote anybody
	c.stop(2)
	for i := range uint64(10) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		if _, _, err := c.mu.up[1].manager.Write(ctx, ref, 1, 0, upsert(900+i), true); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	c.stop(1)
	sh := c.shard(ref)
	c.frozen.Store(false)
	c.start(2)
	if r := c.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: sh.Version, Promote: &catalog.Promote{Term: 2, Candidate: 2, Unsafe: true}}}); r.Err != nil {
		t.Fatal(r.Err)
	}
	for i := range uint64(10) {
		c.write(ref, upsert(i))
	}
	old := c.state(ref, 1).Generation
	c.start(1)
	c.equal(ref, 1, 2)
	if c.state(ref, 1).Generation == old {
		t.Error("the replica that diverged was not made anew")
	}
	if n, err := c.has(ref, 1, 0, 900, 901); err != nil || n != 0 {
		t.Errorf("%d points that were lost are shown: %v", n, err)
	}
}

// A replica whose stored log is damaged is demoted, and begins anew.
func TestADamagedReplicaBeginsAnew(t *testing.T) {
	c := newTunedCluster(t, 3, small)
	ref := c.create(2, 1, 2, 3)
	for i := range uint64(20) {
		c.write(ref, upsert(i))
	}
	c.equal(ref, 1, 2, 3)
	gen := c.state(ref, 3).Generation
	c.stop(3)
	c.damage(3, uint64(gen))
	c.start(3)
	c.write(ref, upsert(99))
	c.eventually("the replica begins anew", func() error {
		if c.state(ref, 3).Generation == gen {
			return errors.New("not yet")
		}
		return nil
	})
	c.equal(ref, 1, 2, 3)
}

// damage makes a peer's applied index one that its log does not have.
func (c *cluster) damage(peer catalog.PeerID, gen uint64) {
	c.t.Helper()
	store, err := kv.Open(kv.Options{Dir: c.storeDir(peer)})
	if err != nil {
		c.t.Fatal(err)
	}
	b := &kv.Batch{}
	b.SetApplied(gen, 1<<40)
	if err := errors.Join(store.Commit(context.Background(), b), store.Close()); err != nil {
		c.t.Fatal(err)
	}
}

func TestATransferEndsWhenItsShardIsGone(t *testing.T) {
	c := newTunedCluster(t, 2, small)
	ref := c.create(1, 1, 2)
	c.equal(ref, 1, 2)
	c.away(ref, 2, 100)
	held := make(chan struct{})
	var once sync.Once
	released := make(chan struct{})
	release := unblocks(t, released)
	c.line = func(_ catalog.PeerID, chunk *replica.SnapshotChunk) error {
		if len(chunk.Data) > 0 {
			once.Do(func() { close(held) })
			<-released
		}
		return nil
	}
	c.start(2)
	receive(t, "the first chunks come", held)
	name := "c"
	if r := c.apply(catalog.Command{DeleteCollection: &name}); r.Err != nil {
		t.Fatal(r.Err)
	}
	c.eventually("the source is closed although its receiver takes nothing", func() error {
		if st := c.mu.up[1].manager.Status(nil); len(st) != 0 {
			return fmt.Errorf("%+v", st)
		}
		gens, err := c.mu.up[1].store.Generations()
		if err == nil && len(gens) != 0 {
			err = fmt.Errorf("generations %v", gens)
		}
		return err
	})
	release()
	c.eventually("nothing is left of what was received", func() error {
		gens, err := c.mu.up[2].store.Generations()
		if err == nil && len(gens)+len(c.mu.up[2].manager.Transfers()) != 0 {
			err = fmt.Errorf("generations %v", gens)
		}
		return err
	})
}

// Damage that a reader finds makes the replica begin anew, also if it is the primary.
func TestAReplicaWhosePointsAreDamagedBeginsAnew(t *testing.T) {
	for _, peer := range []catalog.PeerID{1, 3} {
		t.Run(fmt.Sprintf("peer %d", peer), func(t *testing.T) {
			c := newTunedCluster(t, 3, small)
			ref := c.create(2, 1, 2, 3)
			for i := range uint64(60) {
				c.write(ref, upsert(i))
			}
			c.equal(ref, 1, 2, 3)
			gen := c.state(ref, peer).Generation
			b := &kv.Batch{}
			b.PutPayload(uint64(gen), point.Num(7), 8, []byte{1, 0xff}, kv.Refs{})
			if err := c.mu.up[peer].store.Commit(context.Background(), b); err != nil {
				t.Fatal(err)
			}
			req := shard.GetRequest{IDs: []point.ID{point.Num(7)}, Payload: shard.PayloadSelector{Enable: true}}
			if _, _, err := c.mu.up[peer].manager.Get(context.Background(), ref, 0, req); !fault.Is(err, fault.Corrupt) {
				t.Fatalf("a damaged point: %v", err)
			}
			c.write(ref, upsert(99))
			c.eventually("the replica begins anew", func() error {
				c.write(ref, upsert(100))
				if c.state(ref, peer).Generation == gen {
					return errors.New("not yet")
				}
				return nil
			})
			c.equal(ref, 1, 2, 3)
		})
	}
}

// With no other copy, what is not damaged is still served.
func TestTheOnlyReplicaServesWhatIsNotDamaged(t *testing.T) {
	c := newTunedCluster(t, 1, small)
	ref := c.create(1, 1)
	c.write(ref, upsert(1, 2))
	b := &kv.Batch{}
	b.PutPayload(uint64(c.state(ref, 1).Generation), point.Num(1), 8, []byte{1, 0xff}, kv.Refs{})
	if err := c.mu.up[1].store.Commit(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	get := func(id uint64) error {
		req := shard.GetRequest{IDs: []point.ID{point.Num(id)}, Payload: shard.PayloadSelector{Enable: true}}
		_, _, err := c.mu.up[1].manager.Get(context.Background(), ref, 0, req)
		return err
	}
	if err := get(1); !fault.Is(err, fault.Corrupt) {
		t.Fatalf("a damaged point: %v", err)
	}
	c.write(ref, upsert(3))
	if err := errors.Join(get(2), get(3)); err != nil {
		t.Error(err)
	}
}
