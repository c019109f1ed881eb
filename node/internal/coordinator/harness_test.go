package coordinator_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is what a replica was asked.
type call struct {
	peer  catalog.PeerID
	shard catalog.ShardID
	min   uint64
	term  uint64
	op    point.Op
	wait  bool
	proof bool // of leading

	epoch  uint64
	within slot.Set // of an operation that is for some slots only
	look   shard.Look
}

// world is a cluster of fakes: every replica answers by the functions that a test sets.
type world struct {
	t  *testing.T
	c  *coordinator.Coordinator
	mu struct {
		sync.Mutex
		state    *catalog.State
		changed  chan struct{}
		dead     map[catalog.PeerID]bool
		draining map[catalog.PeerID]bool
		calls    []call
	}
	write  func(ctx context.Context, n int, c call) (uint64, bool, error) // n counts calls from 1
	search func(ctx context.Context, c call, reqs []shard.SearchRequest) ([][]shard.Scored, error)
	scroll func(ctx context.Context, c call, req shard.ScrollRequest) ([]point.Record, error)
	get    func(ctx context.Context, c call, req shard.GetRequest) ([]point.Record, error)
	count  func(ctx context.Context, c call) (uint64, error)
	facet  func(ctx context.Context, c call, req shard.FacetRequest) ([]payload.Facet, error)
	// applied is what a replica says that it had applied; nil: 0. confirm proves that a replica leads.
	applied func(c call) uint64
	confirm func(ctx context.Context, c call) (uint64, error)
	barrier func(ctx context.Context) error
	status  func(peer catalog.PeerID, refs []catalog.ShardRef) ([]replica.Status, error)
}

const col = "docs"

// newWorld has three peers (this one is 1) and a collection of shards with the given replicas, the first primary.
func newWorld(t *testing.T, placement ...[]catalog.PeerID) *world {
	w := &world{t: t, barrier: func(context.Context) error { return nil }}
	state := &catalog.State{
		Peers: map[catalog.PeerID]*catalog.Peer{}, Collections: map[catalog.CollectionID]*catalog.Collection{},
		Names: map[string]catalog.CollectionID{col: 5}, Aliases: map[string]catalog.CollectionID{"alias": 5},
	}
	for i := catalog.PeerID(1); i <= 3; i++ {
		state.Peers[i] = &catalog.Peer{ID: i, Name: fmt.Sprintf("node-%d", i)}
	}
	c := &catalog.Collection{ID: 5, Name: col, Epoch: 1, Config: catalog.Config{
		ReplicationFactor: uint32(len(placement[0])),
		Vectors:           map[string]catalog.VectorParams{"": {Size: 2, Distance: vec.Dot}, "far": {Size: 1, Distance: vec.Euclid}},
	}}
	slots := slot.Spread(len(placement))
	for i, peers := range placement {
		sh := &catalog.Shard{ID: catalog.ShardID(i), Slots: slots[i : i+1], Version: 1, Term: 1, Primary: peers[0], WriteQuorum: uint32(len(peers))}
		for id := catalog.PeerID(1); id <= 3; id++ {
			for _, p := range peers {
				if p == id {
					sh.Replicas = append(sh.Replicas, catalog.Replica{Peer: id, Generation: catalog.Generation(10*i) + catalog.Generation(id)})
				}
			}
		}
		c.Shards = append(c.Shards, sh)
	}
	state.Collections[5] = c
	w.mu.state, w.mu.changed = state, make(chan struct{})
	w.mu.dead, w.mu.draining = map[catalog.PeerID]bool{}, map[catalog.PeerID]bool{}
	var err error
	w.c, err = coordinator.New(coordinator.Options{
		Self: 1, Local: local{w}, Remote: remote{w}, LocalStatus: local{w}, RemoteStatus: remote{w}, Metadata: w, Liveness: w,
		LocalProof: local{w}, RemoteProof: remote{w}, Barrier: func(ctx context.Context) error { return w.barrier(ctx) },
		MaxOpBytes: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// bubble runs a test over a world in virtual time.
func bubble(t *testing.T, f func(t *testing.T, w *world), placement ...[]catalog.PeerID) {
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t, placement...)) })
}

// change replaces a shard by an edited copy, and tells of it.
func (w *world) change(id catalog.ShardID, edit func(*catalog.Shard)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	state, c := *w.mu.state, *w.mu.state.Collections[5]
	sh := *c.Shards[id]
	edit(&sh)
	c.Shards = append([]*catalog.Shard(nil), c.Shards...)
	c.Shards[id] = &sh
	state.Collections = map[catalog.CollectionID]*catalog.Collection{5: &c}
	w.mu.state = &state
	close(w.mu.changed)
	w.mu.changed = make(chan struct{})
}

// flip gives slots of one shard to another, in the next epoch.
func (w *world) flip(from, to catalog.ShardID, slots ...slot.Range) {
	w.mu.Lock()
	defer w.mu.Unlock()
	state, c := *w.mu.state, *w.mu.state.Collections[5]
	c.Epoch++
	c.Shards = append([]*catalog.Shard(nil), c.Shards...)
	set := slot.SetOf(slots...)
	for i, sh := range c.Shards {
		next := *sh
		switch sh.ID {
		case from:
			next.Slots = sh.Owned().Minus(set).Ranges()
		case to:
			next.Slots = sh.Owned().Or(set).Ranges()
		default:
			continue
		}
		next.Epoch = c.Epoch
		c.Shards[i] = &next
	}
	state.Collections = map[catalog.CollectionID]*catalog.Collection{5: &c}
	w.mu.state = &state
	close(w.mu.changed)
	w.mu.changed = make(chan struct{})
}

// drop deletes the collection.
func (w *world) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	state := *w.mu.state
	state.Names, state.Collections = nil, nil
	w.mu.state = &state
	close(w.mu.changed)
	w.mu.changed = make(chan struct{})
}

func (w *world) kill(ids ...catalog.PeerID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.mu.dead[id] = true
	}
}

func (w *world) Watch() (*catalog.State, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.state, w.mu.changed
}

func (w *world) Alive(id catalog.PeerID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.mu.dead[id]
}

func (w *world) Draining(id catalog.PeerID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.draining[id]
}

func (w *world) note(c call) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.calls = append(w.mu.calls, c)
	return len(w.mu.calls)
}

func (w *world) calls() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]call(nil), w.mu.calls...)
}

// peers lists whom the calls went to.
func (w *world) peers() (ids []catalog.PeerID) {
	for _, c := range w.calls() {
		ids = append(ids, c.peer)
	}
	return ids
}

func (w *world) at(peer catalog.PeerID) replicaFake { return replicaFake{w, peer} }

// replicaFake is the data path of one peer.
type replicaFake struct {
	w    *world
	peer catalog.PeerID
}

func (r replicaFake) Write(ctx context.Context, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (uint64, bool, error) {
	c := call{peer: r.peer, shard: ref.Shard, term: term, epoch: epoch, wait: wait}
	if move.IsEntry(op) {
		entry, err := move.Decode(op)
		if err != nil {
			return 0, false, err
		}
		within := entry.(move.Within)
		c.within, op = slot.SetOf(within.Slots...), within.Op
	}
	decoded, err := point.DecodeOp(op)
	if err != nil {
		return 0, false, err
	}
	c.op = decoded
	return r.w.write(ctx, r.w.note(c), c)
}

func (r replicaFake) Search(ctx context.Context, ref catalog.ShardRef, min uint64, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error) {
	c := call{peer: r.peer, shard: ref.Shard, min: min, look: reqs[0].Look}
	r.w.note(c)
	res, err := r.w.search(ctx, c, reqs)
	return res, r.w.appliedAt(c), err
}

func (r replicaFake) Scroll(ctx context.Context, ref catalog.ShardRef, min uint64, req shard.ScrollRequest) ([]point.Record, uint64, error) {
	c := call{peer: r.peer, shard: ref.Shard, min: min, look: req.Look}
	r.w.note(c)
	res, err := r.w.scroll(ctx, c, req)
	return res, r.w.appliedAt(c), err
}

func (r replicaFake) Get(ctx context.Context, ref catalog.ShardRef, min uint64, req shard.GetRequest) ([]point.Record, uint64, error) {
	c := call{peer: r.peer, shard: ref.Shard, min: min, look: req.Look}
	r.w.note(c)
	res, err := r.w.get(ctx, c, req)
	return res, r.w.appliedAt(c), err
}

func (r replicaFake) Count(ctx context.Context, ref catalog.ShardRef, min uint64, req shard.CountRequest) (uint64, uint64, error) {
	c := call{peer: r.peer, shard: ref.Shard, min: min, look: req.Look}
	r.w.note(c)
	n, err := r.w.count(ctx, c)
	return n, r.w.appliedAt(c), err
}

func (r replicaFake) Facet(ctx context.Context, ref catalog.ShardRef, min uint64, req shard.FacetRequest) ([]payload.Facet, uint64, error) {
	c := call{peer: r.peer, shard: ref.Shard, min: min}
	r.w.note(c)
	facets, err := r.w.facet(ctx, c, req)
	return facets, r.w.appliedAt(c), err
}

func (w *world) appliedAt(c call) uint64 {
	if w.applied == nil {
		return 0
	}
	return w.applied(c)
}

func (r replicaFake) Confirm(ctx context.Context, ref catalog.ShardRef, term uint64) (uint64, error) {
	c := call{peer: r.peer, shard: ref.Shard, term: term, proof: true}
	r.w.note(c)
	return r.w.confirm(ctx, c)
}

func (r replicaFake) Status(_ context.Context, refs []catalog.ShardRef) ([]replica.Status, error) {
	return r.w.status(r.peer, refs)
}

type local struct{ w *world }

func (l local) Write(ctx context.Context, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (uint64, bool, error) {
	return l.w.at(1).Write(ctx, ref, term, epoch, op, wait)
}

func (l local) Search(ctx context.Context, ref catalog.ShardRef, min uint64, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error) {
	return l.w.at(1).Search(ctx, ref, min, reqs)
}

func (l local) Scroll(ctx context.Context, ref catalog.ShardRef, min uint64, req shard.ScrollRequest) ([]point.Record, uint64, error) {
	return l.w.at(1).Scroll(ctx, ref, min, req)
}

func (l local) Get(ctx context.Context, ref catalog.ShardRef, min uint64, req shard.GetRequest) ([]point.Record, uint64, error) {
	return l.w.at(1).Get(ctx, ref, min, req)
}

func (l local) Count(ctx context.Context, ref catalog.ShardRef, min uint64, req shard.CountRequest) (uint64, uint64, error) {
	return l.w.at(1).Count(ctx, ref, min, req)
}

func (l local) Facet(ctx context.Context, ref catalog.ShardRef, min uint64, req shard.FacetRequest) ([]payload.Facet, uint64, error) {
	return l.w.at(1).Facet(ctx, ref, min, req)
}

func (r remote) Facet(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, min uint64, req shard.FacetRequest) ([]payload.Facet, uint64, error) {
	return r.w.at(to).Facet(ctx, ref, min, req)
}

func (l local) Status(refs []catalog.ShardRef) []replica.Status {
	st, _ := l.w.status(1, refs)
	return st
}

func (l local) Confirm(ctx context.Context, ref catalog.ShardRef, term uint64) (uint64, error) {
	return l.w.at(1).Confirm(ctx, ref, term)
}

type remote struct{ w *world }

func (r remote) to(id catalog.PeerID) replicaFake {
	if id == 1 {
		r.w.t.Error("this node calls itself over the wire")
	}
	return r.w.at(id)
}

func (r remote) Write(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (uint64, bool, error) {
	return r.to(to).Write(ctx, ref, term, epoch, op, wait)
}

func (r remote) Search(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, min uint64, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error) {
	return r.to(to).Search(ctx, ref, min, reqs)
}

func (r remote) Scroll(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, min uint64, req shard.ScrollRequest) ([]point.Record, uint64, error) {
	return r.to(to).Scroll(ctx, ref, min, req)
}

func (r remote) Get(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, min uint64, req shard.GetRequest) ([]point.Record, uint64, error) {
	return r.to(to).Get(ctx, ref, min, req)
}

func (r remote) Count(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, min uint64, req shard.CountRequest) (uint64, uint64, error) {
	return r.to(to).Count(ctx, ref, min, req)
}

func (r remote) Confirm(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, term uint64) (uint64, error) {
	return r.to(to).Confirm(ctx, ref, term)
}

func (r remote) Status(ctx context.Context, to catalog.PeerID, refs []catalog.ShardRef) ([]replica.Status, error) {
	return r.to(to).Status(ctx, refs)
}

// upsert makes n points 0..n-1.
func upsert(n int) point.Upsert {
	op := point.Upsert{}
	for i := range n {
		op.Points = append(op.Points, point.Point{ID: point.Num(uint64(i)), Vectors: point.Vectors{"": {1, 2}}})
	}
	return op
}

func notPrimary(primary catalog.PeerID, term uint64) error {
	return fault.New(fault.NotPrimary, "not the primary").With("primary", fmt.Sprint(primary)).With("term", fmt.Sprint(term))
}

func unknown(err error) bool { return fault.Hint(err, fault.HintOutcome) == fault.OutcomeUnknown }

func within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

type ids = []catalog.PeerID

// one asks one replica, the default.
var one = coordinator.ReadOptions{}

// pass lets virtual time pass: only for use in a synctest bubble.
func pass(d time.Duration) { <-time.After(d) }

// rename makes the collection known under one more name.
func (w *world) rename(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	state := *w.mu.state
	state.Aliases = map[string]catalog.CollectionID{name: 5}
	w.mu.state = &state
}
