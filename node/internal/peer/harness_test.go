package peer_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// network is a set of listeners in memory by address, so that whole clusters fit into a synctest bubble.
type network struct {
	mu struct {
		sync.Mutex
		listeners map[string]*bufconn.Listener
		cut       map[string]bool
	}
}

func newNetwork() *network {
	n := &network{}
	n.mu.listeners, n.mu.cut = map[string]*bufconn.Listener{}, map[string]bool{}
	return n
}

func (n *network) listen(addr string) net.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := bufconn.Listen(1 << 20)
	n.mu.listeners[addr] = l
	return l
}

func (n *network) setCut(addr string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.cut[addr] = cut
}

func (n *network) dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	l, cut := n.mu.listeners[addr], n.mu.cut[addr]
	n.mu.Unlock()
	if l == nil || cut {
		return nil, fmt.Errorf("connect to %s: refused", addr)
	}
	return l.DialContext(ctx)
}

// metadata is a catalog that tests write.
type metadata struct {
	mu struct {
		sync.Mutex
		state   *catalog.State
		changed chan struct{}
	}
}

func newMetadata(cluster string, peers ...catalog.Peer) *metadata {
	m := &metadata{}
	m.mu.changed = make(chan struct{})
	m.set(cluster, peers...)
	return m
}

func (m *metadata) set(cluster string, peers ...catalog.Peer) {
	state := &catalog.State{ClusterID: cluster, Peers: map[catalog.PeerID]*catalog.Peer{}}
	for _, p := range peers {
		state.Peers[p.ID] = &p
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.state = state
	close(m.mu.changed)
	m.mu.changed = make(chan struct{})
}

func (m *metadata) Watch() (*catalog.State, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.state, m.mu.changed
}

// replicas stands for the replica manager.
type replicas struct {
	write   func(ctx context.Context, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (uint64, bool, error)
	records []point.Record
	scored  [][]shard.Scored
	status  []replica.Status
	mu      struct {
		sync.Mutex
		steps   []peer.Envelope
		search  []shard.SearchRequest
		scroll  shard.ScrollRequest
		get     shard.GetRequest
		facet   shard.FacetRequest
		filter  *filter.Filter
		minimum uint64
		look    shard.Look
	}
}

func (r *replicas) Write(ctx context.Context, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (uint64, bool, error) {
	return r.write(ctx, ref, term, epoch, op, wait)
}

func (r *replicas) Search(_ context.Context, _ catalog.ShardRef, minIndex uint64, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error) {
	r.mu.search, r.mu.minimum = reqs, minIndex
	return r.scored, 11, nil
}

func (r *replicas) Scroll(_ context.Context, _ catalog.ShardRef, minIndex uint64, req shard.ScrollRequest) ([]point.Record, uint64, error) {
	r.mu.scroll, r.mu.minimum = req, minIndex
	return r.records, 12, nil
}

func (r *replicas) Get(_ context.Context, _ catalog.ShardRef, minIndex uint64, req shard.GetRequest) ([]point.Record, uint64, error) {
	r.mu.get, r.mu.minimum = req, minIndex
	return r.records, 13, nil
}

func (r *replicas) Count(_ context.Context, _ catalog.ShardRef, minIndex uint64, req shard.CountRequest) (uint64, uint64, error) {
	r.mu.filter, r.mu.minimum, r.mu.look = req.Filter, minIndex, req.Look
	return 42, 14, nil
}

func (r *replicas) Facet(_ context.Context, _ catalog.ShardRef, minIndex uint64, req shard.FacetRequest) ([]payload.Facet, uint64, error) {
	r.mu.facet, r.mu.minimum = req, minIndex
	return []payload.Facet{{Value: "x", Count: 3}, {Value: int64(-1), Count: 2}, {Value: true, Count: 1}}, 15, nil
}

func (r *replicas) Confirm(_ context.Context, ref catalog.ShardRef, term uint64) (uint64, error) {
	if term != 3 {
		return 0, fault.New(fault.NotPrimary, "no").With("primary", "9").With("term", "4")
	}
	return 100 + uint64(ref.Shard), nil
}

func (r *replicas) Step(ref catalog.ShardRef, generation catalog.Generation, m replication.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.steps = append(r.mu.steps, peer.Envelope{Ref: ref, Generation: generation, Message: m})
}

func (r *replicas) stepped() []peer.Envelope {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]peer.Envelope(nil), r.mu.steps...)
}

func (r *replicas) Fence(ctx context.Context, ref catalog.ShardRef, _ catalog.Generation, term uint64, yield bool) (replica.FenceAnswer, error) {
	if ref.Shard == 9 {
		return replica.FenceAnswer{}, fault.New(fault.StaleEpoch, "no such replica")
	}
	if ref.Shard == 10 { // its disk hangs
		<-ctx.Done()
		return replica.FenceAnswer{}, ctx.Err()
	}
	last := uint64(ref.Shard)
	if yield {
		last += 100
	}
	return replica.FenceAnswer{Promised: term, LastTerm: term - 1, LastIndex: last}, nil
}

func (r *replicas) Status(refs []catalog.ShardRef) []replica.Status { return r.status }

// proposer answers metadata changes with fixed results.
type proposer struct {
	index   uint64
	results []catalog.Result
	err     error
	got     []catalog.Command
}

func (p *proposer) ApplyHere(_ context.Context, commands []catalog.Command) (uint64, []catalog.Result, error) {
	p.got = append(p.got, commands...)
	return p.index, p.results, p.err
}

type joinFunc func(ctx context.Context, p catalog.Peer, forwarded bool) (peer.JoinAnswer, error)

func (f joinFunc) Join(ctx context.Context, p catalog.Peer, forwarded bool) (peer.JoinAnswer, error) {
	return f(ctx, p, forwarded)
}

type want struct {
	from catalog.PeerID
	ref  catalog.ShardRef
	term uint64
}

type wants chan want

func (w wants) WantPromotion(from catalog.PeerID, ref catalog.ShardRef, term uint64) {
	w <- want{from, ref, term}
}

// node is one peer's communication, without anything behind it.
type node struct {
	peer       catalog.Peer
	membership *peer.Membership
	meta       *metadata
	replicas   *replicas
	proposer   *proposer
	joiner     joinFunc
	copies     peer.Copies
	snapshots  peer.Snapshots
	feeds      peer.Feeds
	wants      wants
	expect     uint32
	removed    map[catalog.PeerID]bool // for good
	expelled   atomic.Int32            // how often it was told that it was removed
	standings  struct {
		sync.Mutex
		heard []peer.Standing
	}
	mux    *peer.Mux
	pool   *peer.Pool
	server *grpc.Server
	done   chan struct{}
}

func info(i int) catalog.Peer {
	return catalog.Peer{
		ID: catalog.PeerID(i), Name: fmt.Sprintf("node-%d", i), PeerAddr: fmt.Sprintf("node-%d:6335", i),
		GRPCAddr: fmt.Sprintf("node-%d:6334", i), HTTPAddr: fmt.Sprintf("node-%d:6333", i), Zone: "z", Version: "1.0.0",
	}
}

func newNode(p catalog.Peer, cluster string, meta *metadata) *node {
	return &node{
		peer: p, membership: peer.NewMembership(cluster, nil), meta: meta,
		replicas: &replicas{}, proposer: &proposer{}, wants: make(wants, 100), done: make(chan struct{}),
	}
}

func (n *node) start(t *testing.T, net *network) *node {
	t.Helper()
	var err error
	n.mux, err = peer.NewMux(peer.MuxOptions{Listener: net.listen(n.peer.PeerAddr), Dial: net.dial, Self: n.peer.ID, Membership: n.membership})
	check(t, err)
	n.pool, err = peer.NewPool(peer.PoolOptions{Self: n.peer.ID, Membership: n.membership, Metadata: n.meta, Dial: net.dial, Expelled: func() { n.expelled.Add(1) }})
	check(t, err)
	service, err := peer.NewService(peer.ServiceOptions{
		Self: n.peer, Membership: n.membership, Data: n.replicas, Reads: n.replicas, Replicas: n.replicas, Proposer: n.proposer,
		Joiner: joinFunc(func(ctx context.Context, p catalog.Peer, forwarded bool) (peer.JoinAnswer, error) {
			return n.joiner(ctx, p, forwarded)
		}),
		Promotions: n.wants, Copies: n.copies, Snapshots: n.snapshots, Feeds: n.feeds, Expect: n.expect, Applied: func() uint64 { return 77 },
		Expelled: func(id catalog.PeerID) bool { return n.removed[id] },
		Heard: func(_ catalog.PeerID, s peer.Standing) {
			n.standings.Lock()
			defer n.standings.Unlock()
			n.standings.heard = append(n.standings.heard, s)
		},
	})
	check(t, err)
	n.server = grpc.NewServer(peer.ServerOptions(n.membership)...)
	service.Register(n.server)
	go func() {
		defer close(n.done)
		_ = n.server.Serve(n.mux.GRPC())
	}()
	return n
}

func (n *node) heard() []peer.Standing {
	n.standings.Lock()
	defer n.standings.Unlock()
	return n.standings.heard
}

func (n *node) stop() {
	_ = n.pool.Close()
	n.server.Stop()
	_ = n.mux.Close()
	<-n.done
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pass lets virtual time pass: only for use in a synctest bubble.
func pass(d time.Duration) { <-time.After(d) }
