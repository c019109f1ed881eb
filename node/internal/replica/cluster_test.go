package replica_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// cluster is several managers with real stores, joined by a network in memory and one catalog without Raft.
type cluster struct {
	t   *testing.T
	dir string
	mu  struct {
		sync.Mutex
		state   *catalog.State
		changed chan struct{}
		live    chan struct{} // closed when a peer starts or stops
		up      map[catalog.PeerID]*member
		dropped int // messages for peers that are down
	}
	wg     sync.WaitGroup
	disk   map[catalog.PeerID]*brake                               // of the peers whose disk a test stops
	warden *disk.Warden                                            // of the disk of every peer that is started; nil: nobody watches it
	frozen atomic.Bool                                             // Propose fails
	tune   func(*replica.Options)                                  // of every manager that is started
	line   func(to catalog.PeerID, c *replica.SnapshotChunk) error // what happens to a chunk on its way; nil: nothing
}

// member is one peer at work.
type member struct {
	id      catalog.PeerID
	c       *cluster
	store   *kv.Store
	manager *replica.Manager
	inbox   chan envelope
	stop    chan struct{}
}

type envelope struct {
	ref catalog.ShardRef
	gen catalog.Generation
	msg replication.Message
}

func newCluster(t *testing.T, peers int) *cluster {
	t.Helper()
	return newTunedCluster(t, peers, func(*replica.Options) {})
}

func newTunedCluster(t *testing.T, peers int, tune func(*replica.Options)) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), tune: tune}
	c.mu.state, c.mu.changed, c.mu.live = catalog.Empty(), make(chan struct{}), make(chan struct{})
	c.mu.up = map[catalog.PeerID]*member{}
	for i := range peers {
		id := catalog.PeerID(i + 1)
		c.apply(catalog.Command{RegisterPeer: &catalog.Peer{
			ID: id, Name: fmt.Sprintf("node-%d", id), GRPCAddr: "127.0.0.1:1", PeerAddr: fmt.Sprintf("127.0.0.1:%d", 100+id), HTTPAddr: "127.0.0.1:1",
		}})
		c.start(id)
	}
	t.Cleanup(func() {
		for _, m := range c.members() {
			c.stop(m.id)
		}
		c.wg.Wait()
	})
	return c
}

func (c *cluster) members() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*member
	for _, m := range c.mu.up {
		all = append(all, m)
	}
	return all
}

func (c *cluster) storeDir(id catalog.PeerID) string { return filepath.Join(c.dir, fmt.Sprint(id)) }

// start opens a peer's store and manager.
func (c *cluster) start(id catalog.PeerID) *member {
	c.t.Helper()
	store, err := kv.Open(kv.Options{Dir: c.storeDir(id), Logger: hclog.NewNullLogger(), BeforeWrite: c.disk[id].wait, Warden: c.warden})
	if err != nil {
		c.t.Fatal(err)
	}
	m := &member{id: id, c: c, store: store, inbox: make(chan envelope, 4096), stop: make(chan struct{})}
	opts := replica.Options{
		Self: id, Store: store, Metadata: c, Sender: m, Liveness: c, Promoter: m, Tick: 10 * time.Millisecond, ReadWait: 100 * time.Millisecond,
		Snapshots: m, Transfers: replica.TransferLimits{RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond},
	}
	c.tune(&opts)
	m.manager, err = replica.NewManager(opts)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.mu.up[id] = m
	c.turnLocked()
	c.mu.Unlock()
	c.wg.Go(m.deliver)
	return m
}

// brake stops a disk while it is held. A nil brake never does.
type brake struct{ sync.RWMutex }

func (b *brake) wait() {
	if b != nil {
		b.RLock()
		defer b.RUnlock()
	}
}

// hold stops a disk until the test lets it go on or ends: a held disk would keep its peer from being closed.
func (c *cluster) hold(b *brake) (release func()) {
	b.Lock()
	release = sync.OnceFunc(b.Unlock)
	c.t.Cleanup(release)
	return release
}

// unblocks returns what closes a channel that something waits for, which happens when the test ends at the latest.
func unblocks(t *testing.T, waits chan struct{}) (release func()) {
	release = sync.OnceFunc(func() { close(waits) })
	t.Cleanup(release)
	return release
}

// receive waits for what has to come.
func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case got := <-from:
		return got
	case <-deadline.C:
		t.Fatalf("waited in vain until %s", what)
		panic("unreachable")
	}
}

// stop takes a peer away, with everything in flight to it.
func (c *cluster) stop(id catalog.PeerID) {
	c.t.Helper()
	c.mu.Lock()
	m := c.mu.up[id]
	delete(c.mu.up, id)
	c.turnLocked()
	c.mu.Unlock()
	if m == nil {
		return
	}
	close(m.stop)
	if err := errors.Join(m.manager.Close(), m.store.Close()); err != nil {
		c.t.Errorf("close peer %d: %v", id, err)
	}
}

func (m *member) deliver() {
	for {
		select {
		case <-m.stop:
			return
		case e := <-m.inbox:
			m.manager.Step(e.ref, e.gen, e.msg)
		}
	}
}

// Send is the network: it loses what is for a peer that is down.
func (m *member) Send(to catalog.PeerID, ref catalog.ShardRef, gen catalog.Generation, msg replication.Message) {
	m.c.mu.Lock()
	dst := m.c.mu.up[to]
	if dst == nil {
		m.c.mu.dropped++
	}
	m.c.mu.Unlock()
	if dst == nil {
		return
	}
	select {
	case dst.inbox <- envelope{ref, gen, msg}:
	default:
	}
}

// WantPromotion does what the Raft leader does: fence, choose, promote.
func (m *member) WantPromotion(ref catalog.ShardRef, term uint64) {
	m.c.wg.Go(func() { m.c.promote(ref) })
}

func (c *cluster) promote(ref catalog.ShardRef) {
	state, _ := c.Watch()
	_, sh, ok := state.Shard(ref)
	if !ok {
		return
	}
	var answers []replication.FenceAnswer
	for _, id := range sh.Active() {
		c.mu.Lock()
		m := c.mu.up[id]
		c.mu.Unlock()
		if m == nil {
			continue
		}
		rep, _ := sh.Replica(id)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		a, err := m.manager.Fence(ctx, ref, rep.Generation, sh.Term+1, false)
		cancel()
		if err == nil {
			answers = append(answers, replication.FenceAnswer{
				Peer: replication.PeerID(id), Promised: replication.Term(a.Promised),
				LastTerm: replication.Term(a.LastTerm), LastIndex: replication.Index(a.LastIndex),
			})
		}
	}
	best, ok, _ := replication.Choose(replication.Term(sh.Term+1), len(sh.Active()), int(sh.WriteQuorum), answers)
	if ok {
		c.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{
			Ref: ref, Version: sh.Version, Promote: &catalog.Promote{Term: sh.Term + 1, Candidate: catalog.PeerID(best.Peer)},
		}})
	}
}

func (c *cluster) apply(cmd catalog.Command) catalog.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, result := catalog.Apply(c.mu.state, cmd)
	if next != c.mu.state {
		c.mu.state = next
		close(c.mu.changed)
		c.mu.changed = make(chan struct{})
	}
	return result
}

func (c *cluster) Watch() (*catalog.State, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.state, c.mu.changed
}

func (c *cluster) Propose(_ context.Context, cmds ...catalog.Command) ([]catalog.Result, error) {
	if c.frozen.Load() {
		return nil, fault.New(fault.Unavailable, "no leader")
	}
	results := make([]catalog.Result, len(cmds))
	for i, cmd := range cmds {
		results[i] = c.apply(cmd)
	}
	return results, results[0].Err
}

func (c *cluster) Alive(id catalog.PeerID) bool {
	if c.frozen.Load() {
		return true // as far as anybody knows
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.up[id] != nil
}

// turnLocked tells who watches that a peer has come or gone.
func (c *cluster) turnLocked() {
	close(c.mu.live)
	c.mu.live = make(chan struct{})
}

func (c *cluster) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.live
}

// create declares a collection of one shard with two-dimensional points on peers, the first of them its primary.
func (c *cluster) create(quorum uint32, peers ...catalog.PeerID) catalog.ShardRef {
	c.t.Helper()
	return c.createNamed("c", quorum, peers...)
}

func (c *cluster) createNamed(name string, quorum uint32, peers ...catalog.PeerID) catalog.ShardRef {
	c.t.Helper()
	config, err := catalog.Config{
		Vectors:     map[string]catalog.VectorParams{"": {Size: 2, Distance: vec.Dot}},
		ShardNumber: 1, ReplicationFactor: uint32(len(peers)), WriteConsistencyFactor: quorum,
	}.Normalized(len(peers))
	if err != nil {
		c.t.Fatal(err)
	}
	r := c.apply(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: name, Config: config, Placement: [][]catalog.PeerID{peers}}})
	if r.Err != nil {
		c.t.Fatal(r.Err)
	}
	return catalog.ShardRef{Collection: r.Collection}
}

func (c *cluster) shard(ref catalog.ShardRef) *catalog.Shard {
	c.t.Helper()
	state, _ := c.Watch()
	_, sh, ok := state.Shard(ref)
	if !ok {
		c.t.Fatalf("shard %v is gone", ref)
	}
	return sh
}

func upsert(ids ...uint64) []byte {
	op := point.Upsert{}
	for _, id := range ids {
		op.Points = append(op.Points, point.Point{
			ID: point.Num(id), Vectors: point.Vectors{"": {float32(id), 1}}, Payload: point.Payload{"id": int64(id)},
		})
	}
	return point.EncodeOp(op)
}

// write sends an operation to the primary, trying until one takes it.
func (c *cluster) write(ref catalog.ShardRef, op []byte) uint64 {
	c.t.Helper()
	var index uint64
	c.eventually("a primary takes the write", func() error {
		sh := c.shard(ref)
		c.mu.Lock()
		m := c.mu.up[sh.Primary]
		c.mu.Unlock()
		if m == nil {
			c.promote(ref)
			return fmt.Errorf("primary %d is down", sh.Primary)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		i, completed, err := m.manager.Write(ctx, ref, sh.Term, 0, op, true)
		if err == nil && !completed {
			return errors.New("acknowledged, not completed")
		}
		index = i
		return err
	})
	return index
}

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// eventually tries until f succeeds, for a while.
func (c *cluster) eventually(what string, f func() error) {
	c.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			c.t.Fatalf("waited in vain until %s: %v", what, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// equal waits until the replicas on all of peers are active, as their nodes know too, and hold the same.
func (c *cluster) equal(ref catalog.ShardRef, peers ...catalog.PeerID) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("replicas on %v are active and equal", peers), func() error {
		if active := c.shard(ref).Active(); len(active) != len(peers) {
			return fmt.Errorf("active: %v", active)
		}
		var first uint64
		for i, id := range peers {
			digest, applied, err := c.mu.up[id].manager.Digest(context.Background(), ref)
			if err == nil {
				_, err = c.has(ref, id, 0)
			}
			if err != nil {
				return err
			}
			if applied == 0 {
				return fmt.Errorf("peer %d has not applied the first entry of its log", id)
			}
			if i == 0 {
				first = digest
			} else if digest != first {
				return fmt.Errorf("peer %d has digest %x, peer %d has %x", peers[0], first, id, digest)
			}
		}
		return nil
	})
}
