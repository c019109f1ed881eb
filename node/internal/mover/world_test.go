package mover_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mover"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// world is some nodes with real stores, replicas and movers, joined by a network in memory and one catalog without Raft. It
// begins the moves that the catalog's plan wants, as the reconciler does.
type world struct {
	t    *testing.T
	dir  string
	seal time.Duration                                       // mover.Options.SealFor
	feed func(to catalog.PeerID, c *replica.FeedChunk) error // what happens to a chunk on its way; nil: nothing
	mu   struct {
		sync.Mutex
		state   *catalog.State
		changed chan struct{}
		live    chan struct{} // closed when a node starts or stops
		up      map[catalog.PeerID]*node
		held    bool                       // no move is begun or ended
		denied  func(catalog.Command) bool // what nobody can propose
		full    map[catalog.PeerID]error   // whose disks are full
	}
	wg   sync.WaitGroup
	stop chan struct{}
}

type node struct {
	id      catalog.PeerID
	w       *world
	store   *kv.Store
	manager *replica.Manager
	mover   *mover.Mover
	inbox   chan envelope
	stop    chan struct{}
}

type envelope struct {
	ref catalog.ShardRef
	gen catalog.Generation
	msg replication.Message
}

func newWorld(t *testing.T, nodes int) *world {
	t.Helper()
	return newPatientWorld(t, nodes, 0)
}

// newPatientWorld makes a world whose last passes have so much time, 0: as much as usual.
func newPatientWorld(t *testing.T, nodes int, seal time.Duration) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), stop: make(chan struct{}), seal: seal}
	w.mu.state, w.mu.changed, w.mu.live = catalog.Empty(), make(chan struct{}), make(chan struct{})
	w.mu.up = map[catalog.PeerID]*node{}
	for i := range nodes {
		id := catalog.PeerID(i + 1)
		w.must(catalog.Command{RegisterPeer: &catalog.Peer{
			ID: id, Name: fmt.Sprintf("node-%d", id), GRPCAddr: "127.0.0.1:1", PeerAddr: fmt.Sprintf("127.0.0.1:%d", 100+id), HTTPAddr: "127.0.0.1:1",
		}})
		w.start(id)
	}
	w.wg.Go(w.reconcile)
	t.Cleanup(func() {
		close(w.stop)
		for i := range nodes {
			w.halt(catalog.PeerID(i + 1))
		}
		w.wg.Wait()
	})
	return w
}

// start opens a node's store and what works on it.
func (w *world) start(id catalog.PeerID) {
	w.t.Helper()
	store, err := kv.Open(kv.Options{Dir: filepath.Join(w.dir, fmt.Sprint(id)), Logger: hclog.NewNullLogger()})
	if err != nil {
		w.t.Fatal(err)
	}
	n := &node{id: id, w: w, store: store, inbox: make(chan envelope, 4096), stop: make(chan struct{})}
	n.manager, err = replica.NewManager(replica.Options{
		Self: id, Store: store, Metadata: w, Sender: n, Liveness: w, Promoter: n, Disks: w, Tick: 10 * time.Millisecond, ReadWait: 100 * time.Millisecond,
		Snapshots: n, Transfers: replica.TransferLimits{RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond, ChunkBytes: 4 << 10},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	n.mover, err = mover.New(mover.Options{
		Self: id, Metadata: w, Replicas: n.manager, Feeds: n, Small: 20, SealFor: w.seal, RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond, Sweep: 100 * time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.mu.up[id] = n
	w.turnLocked()
	w.mu.Unlock()
	w.wg.Go(n.deliver)
}

// halt takes a node away, with everything in flight to it.
func (w *world) halt(id catalog.PeerID) {
	w.t.Helper()
	w.mu.Lock()
	n := w.mu.up[id]
	delete(w.mu.up, id)
	w.turnLocked()
	w.mu.Unlock()
	if n == nil {
		return
	}
	close(n.stop)
	if err := errors.Join(n.mover.Close(), n.manager.Close(), n.store.Close()); err != nil {
		w.t.Errorf("close node %d: %v", id, err)
	}
}

func (w *world) node(id catalog.PeerID) *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.up[id]
}

func (w *world) nodes() []*node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.mu.up))
}

func (n *node) deliver() {
	for {
		select {
		case <-n.stop:
			return
		case e := <-n.inbox:
			n.manager.Step(e.ref, e.gen, e.msg)
		}
	}
}

func (n *node) Send(to catalog.PeerID, ref catalog.ShardRef, gen catalog.Generation, msg replication.Message) {
	if dst := n.w.node(to); dst != nil {
		select {
		case dst.inbox <- envelope{ref, gen, msg}:
		default:
		}
	}
}

// errDown is what callers of a node that is away see.
var errDown = fault.New(fault.Unavailable, "the node is down")

func (n *node) Snapshot(ctx context.Context, from catalog.PeerID, req replica.SnapshotRequest, receive func(replica.SnapshotChunk) error) error {
	src := n.w.node(from)
	if src == nil {
		return errDown
	}
	return src.manager.SendSnapshot(ctx, req, receive)
}

func (n *node) Feed(ctx context.Context, from catalog.PeerID, req replica.FeedRequest, receive func(replica.FeedChunk) error) error {
	src := n.w.node(from)
	if src == nil {
		return errDown
	}
	return src.manager.Feed(ctx, req, func(c replica.FeedChunk) error {
		if n.w.feed != nil {
			if err := n.w.feed(n.id, &c); err != nil {
				return err
			}
		}
		select {
		case <-src.stop:
			return errDown
		default:
			return receive(c)
		}
	})
}

// WantPromotion does what the Raft leader does: fence, choose, promote.
func (n *node) WantPromotion(ref catalog.ShardRef, _ uint64) { n.w.wg.Go(func() { n.w.promote(ref) }) }

func (w *world) promote(ref catalog.ShardRef) {
	state, _ := w.Watch()
	_, sh, ok := state.Shard(ref)
	if !ok {
		return
	}
	var answers []replication.FenceAnswer
	for _, id := range sh.Active() {
		n := w.node(id)
		if n == nil {
			continue
		}
		rep, _ := sh.Replica(id)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		a, err := n.manager.Fence(ctx, ref, rep.Generation, sh.Term+1, false)
		cancel()
		if err == nil {
			answers = append(answers, replication.FenceAnswer{
				Peer: replication.PeerID(id), Promised: replication.Term(a.Promised),
				LastTerm: replication.Term(a.LastTerm), LastIndex: replication.Index(a.LastIndex),
			})
		}
	}
	if best, ok, _ := replication.Choose(replication.Term(sh.Term+1), len(sh.Active()), int(sh.WriteQuorum), answers); ok {
		w.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{
			Ref: ref, Version: sh.Version, Promote: &catalog.Promote{Term: sh.Term + 1, Candidate: catalog.PeerID(best.Peer)},
		}})
	}
}

func (w *world) apply(cmd catalog.Command) catalog.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, result := catalog.Apply(w.mu.state, cmd)
	if next != w.mu.state {
		w.mu.state = next
		close(w.mu.changed)
		w.mu.changed = make(chan struct{})
	}
	return result
}

func (w *world) must(cmd catalog.Command) catalog.Result {
	w.t.Helper()
	r := w.apply(cmd)
	if r.Err != nil {
		w.t.Fatal(r.Err)
	}
	return r
}

func (w *world) Watch() (*catalog.State, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.state, w.mu.changed
}

func (w *world) Propose(_ context.Context, cmds ...catalog.Command) ([]catalog.Result, error) {
	w.mu.Lock()
	denied := w.mu.denied
	w.mu.Unlock()
	if denied != nil && denied(cmds[0]) {
		return nil, fault.New(fault.Unavailable, "there is no leader")
	}
	results := make([]catalog.Result, len(cmds))
	for i, cmd := range cmds {
		results[i] = w.apply(cmd)
	}
	return results, results[0].Err
}

func (w *world) Alive(id catalog.PeerID) bool { return w.node(id) != nil }

// Full tells whose disks are full.
func (w *world) Full() map[catalog.PeerID]error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.full
}

// crowd lets the disks of some peers be full, and no others.
func (w *world) crowd(peers ...catalog.PeerID) {
	full := map[catalog.PeerID]error{}
	for _, id := range peers {
		full[id] = disk.Room{Free: 1 << 20, Total: 1 << 30, Low: 8 << 20, Full: true}.Refusal(fmt.Sprint("node ", id))
	}
	w.mu.Lock()
	w.mu.full = full
	w.mu.Unlock()
}

// turnLocked tells who watches that a node has come or gone.
func (w *world) turnLocked() {
	close(w.mu.live)
	w.mu.live = make(chan struct{})
}

func (w *world) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.live
}

// hold stops what begins and ends moves, or lets it go on.
func (w *world) hold(held bool) {
	w.mu.Lock()
	w.mu.held = held
	w.mu.Unlock()
}

// deny keeps some changes of the catalog from all nodes.
func (w *world) deny(what func(catalog.Command) bool) {
	w.mu.Lock()
	w.mu.denied = what
	w.mu.Unlock()
}

// reconcile does what the reconciler does about moves and primaries that are away.
func (w *world) reconcile() {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-ticker.C:
		}
		w.mu.Lock()
		state, held := w.mu.state, w.mu.held
		w.mu.Unlock()
		for id, col := range state.Collections {
			for _, sh := range col.Shards {
				if w.node(sh.Primary) == nil {
					w.promote(catalog.ShardRef{Collection: id, Shard: sh.ID})
				}
			}
			if !held {
				w.plan(id, col)
			}
		}
	}
}

func (w *world) plan(id catalog.CollectionID, col *catalog.Collection) {
	plan := catalog.PlanMoves(col)
	for _, m := range plan.Cancel {
		w.apply(catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: id, Move: m.ID, Version: m.Version, Cancel: true}})
	}
	for _, sh := range plan.Drop {
		w.apply(catalog.Command{DropShard: &catalog.DropShard{Ref: catalog.ShardRef{Collection: id, Shard: sh}}})
	}
	for i := range plan.Begin {
		w.apply(catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: id, Begin: &plan.Begin[i]}})
	}
}

// create declares a collection of one shard, on peers, the first of them its primary.
func (w *world) create(quorum uint32, peers ...catalog.PeerID) catalog.CollectionID {
	w.t.Helper()
	config, err := catalog.Config{
		Vectors:     map[string]catalog.VectorParams{"": {Size: 2, Distance: vec.Dot}},
		ShardNumber: 1, ReplicationFactor: uint32(len(peers)), WriteConsistencyFactor: quorum,
	}.Normalized(len(peers))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.must(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: "c", Config: config, Placement: [][]catalog.PeerID{peers}}}).Collection
}

// reshard declares another number of shards. New ones lie on peers, the first primary of each the next of them.
func (w *world) reshard(id catalog.CollectionID, number int, peers ...catalog.PeerID) {
	w.t.Helper()
	w.eventually("the number of shards is declared", func() error {
		state, _ := w.Watch()
		var placement [][]catalog.PeerID
		for i := len(state.Collections[id].Shards); i < number; i++ {
			placement = append(placement, append(append([]catalog.PeerID{}, peers[i%len(peers):]...), peers[:i%len(peers)]...))
		}
		return w.apply(catalog.Command{Reshard: &catalog.Reshard{Collection: id, ShardNumber: uint32(number), Placement: placement}}).Err
	})
}

// rests waits until the collection's slots lie as declared.
func (w *world) rests(id catalog.CollectionID) {
	w.t.Helper()
	w.eventually("the slots lie as declared", func() error {
		state, _ := w.Watch()
		col := state.Collections[id]
		if plan := catalog.PlanMoves(col); !plan.Rest() {
			text := fmt.Sprintf("%d slots are left, of %d shards %d are too many", plan.Left, len(col.Shards), len(plan.Drop))
			for _, m := range col.Moves {
				text += fmt.Sprintf("; move %d from %d to %d is %s (version %d, source done %v, target %v)", m.ID, m.Source, m.Target, m.Phase, m.Version, m.SourceDone, m.TargetDone)
			}
			for _, n := range w.nodes() {
				text += fmt.Sprintf("; node %d: %+v", n.id, n.mover.Progress())
			}
			return errors.New(text)
		}
		return nil
	})
}

// eventually tries until f succeeds, for two minutes at most: a machine may do much else.
func (w *world) eventually(what string, f func() error) {
	w.t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			w.t.Fatalf("waited in vain until %s: %v", what, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
