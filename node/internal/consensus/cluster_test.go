package consensus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
)

// cluster is some nodes in one process; their network and their disks are memory.
type cluster struct {
	t      *testing.T
	disks  map[catalog.PeerID]*vfs.MemFS
	stores map[catalog.PeerID]*kv.Store
	opts   consensus.Options // what all nodes share
	mu     sync.Mutex
	nodes  map[catalog.PeerID]*consensus.Node
	nets   map[catalog.PeerID]*raft.InmemTransport
	cut    map[catalog.PeerID]bool
	// lose, if set, decides over the answer to a forwarded change.
	lose func(index uint64, err error) error
}

func newCluster(t *testing.T, size int, opts consensus.Options) *cluster {
	c := &cluster{
		t: t, disks: map[catalog.PeerID]*vfs.MemFS{}, stores: map[catalog.PeerID]*kv.Store{},
		opts: opts, nodes: map[catalog.PeerID]*consensus.Node{},
		nets: map[catalog.PeerID]*raft.InmemTransport{}, cut: map[catalog.PeerID]bool{},
	}
	t.Cleanup(c.close)
	c.start(1)
	ctx := c.within(time.Minute)
	if err := c.nodes[1].Bootstrap(ctx); err != nil {
		t.Fatal(err)
	}
	c.must(c.nodes[1].Propose(ctx, catalog.Command{Found: &catalog.Found{ClusterID: "test"}}, register(1)))
	for id := catalog.PeerID(2); int(id) <= size; id++ {
		c.start(id)
		if err := c.nodes[1].AddVoter(ctx, id, address(id)); err != nil {
			t.Fatal(err)
		}
		c.must(c.nodes[1].Propose(ctx, register(id)))
	}
	for _, n := range c.nodes {
		if err := n.Barrier(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func address(id catalog.PeerID) string { return fmt.Sprintf("n%d:6335", id) }

func register(id catalog.PeerID) catalog.Command {
	return catalog.Command{RegisterPeer: &catalog.Peer{ID: id, Name: fmt.Sprint("n", id), PeerAddr: address(id)}}
}

func declare(name string) catalog.Command {
	return catalog.Command{CreateCollection: &catalog.CreateCollection{Name: name, Config: catalog.Config{ShardNumber: 1}}}
}

func (c *cluster) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(c.t.Context(), d)
	c.t.Cleanup(cancel)
	return ctx
}

func (c *cluster) must(results []catalog.Result, err error) []catalog.Result {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			c.t.Fatal(r.Err)
		}
	}
	return results
}

// openStore opens a store on a disk in memory.
func openStore(t *testing.T, disk vfs.FS) *kv.Store {
	t.Helper()
	s, err := kv.Open(kv.Options{Dir: "store", FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start opens a node over its disk, as after a restart if it had one.
func (c *cluster) start(id catalog.PeerID) *consensus.Node {
	c.t.Helper()
	if c.disks[id] == nil {
		c.disks[id] = vfs.NewCrashableMem()
	}
	c.stores[id] = openStore(c.t, c.disks[id])
	_, net := raft.NewInmemTransport(raft.ServerAddress(address(id)))
	opts := c.opts
	opts.Store, opts.Self, opts.Address, opts.Transport, opts.Forward = c.stores[id], id, address(id), farTransport{net}, c
	opts.Prepare = func(s *catalog.State, cmd catalog.Command) (catalog.Command, error) {
		return catalog.Prepare(s, cmd, func(catalog.PeerID) bool { return true })
	}
	n, err := consensus.Open(opts)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.nodes[id], c.nets[id] = n, net
	c.mu.Unlock()
	c.connect()
	return n
}

// farTransport takes its time, so that changes are under way while other things happen.
type farTransport struct{ *raft.InmemTransport }

func (f farTransport) AppendEntries(id raft.ServerID, to raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	<-time.After(time.Millisecond)
	return f.InmemTransport.AppendEntries(id, to, req, resp)
}

func (f farTransport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// connect joins every two nodes of which neither is cut off.
func (c *cluster) connect() {
	for a, from := range c.nets {
		for b, to := range c.nets {
			if a == b {
				continue
			}
			if c.cut[a] || c.cut[b] {
				from.Disconnect(raft.ServerAddress(address(b)))
				continue
			}
			from.Connect(raft.ServerAddress(address(b)), to)
		}
	}
}

func (c *cluster) isolate(id catalog.PeerID, yes bool) {
	c.mu.Lock()
	c.cut[id] = yes
	c.mu.Unlock()
	c.connect()
}

func (c *cluster) stop(id catalog.PeerID) {
	c.t.Helper()
	if err := errors.Join(c.nodes[id].Close(), c.stores[id].Close()); err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	delete(c.nodes, id)
	delete(c.nets, id)
	c.mu.Unlock()
	for _, net := range c.nets {
		net.Disconnect(raft.ServerAddress(address(id)))
	}
}

func (c *cluster) close() {
	for id, n := range c.nodes {
		if err := errors.Join(n.Close(), c.stores[id].Close()); err != nil {
			c.t.Error(err)
		}
	}
}

// Propose is the forwarder of every node.
func (c *cluster) Propose(ctx context.Context, leader string, commands []byte) (uint64, []catalog.Result, error) {
	c.mu.Lock()
	var target *consensus.Node
	for id, n := range c.nodes {
		if address(id) == leader && !c.cut[id] {
			target = n
		}
	}
	lose := c.lose
	c.mu.Unlock()
	if target == nil {
		return 0, nil, fault.New(fault.Unavailable, "%s refuses the connection", leader)
	}
	cmds, err := catalog.DecodeCommands(commands)
	if err != nil {
		return 0, nil, err
	}
	index, results, err := target.ApplyHere(ctx, cmds)
	if lose != nil {
		if lost := lose(index, err); lost != nil {
			return 0, nil, lost
		}
	}
	return index, results, err
}

// leader waits until some node that is not cut off leads and returns it.
func (c *cluster) leader() *consensus.Node {
	c.t.Helper()
	for range 1000 {
		for id, n := range c.nodes {
			if n.IsLeader() && !c.cut[id] {
				return n
			}
		}
		<-time.After(10 * time.Millisecond) // virtual
	}
	c.t.Fatal("nobody leads")
	return nil
}

func (c *cluster) follower() *consensus.Node {
	c.t.Helper()
	lead := c.leader()
	for id, n := range c.nodes {
		if n != lead && !c.cut[id] {
			return n
		}
	}
	c.t.Fatal("no follower")
	return nil
}

func (c *cluster) idOf(n *consensus.Node) catalog.PeerID {
	for id, other := range c.nodes {
		if n == other {
			return id
		}
	}
	return 0
}

// same waits until every node holds the same state, and returns it.
func (c *cluster) same() string {
	c.t.Helper()
	for _, n := range c.nodes {
		if err := n.Barrier(c.within(time.Minute)); err != nil {
			c.t.Fatal(err)
		}
	}
	want := c.leader().State().Describe()
	for id, n := range c.nodes {
		if got := n.State().Describe(); got != want {
			c.t.Fatalf("node %d holds\n%s\nthe leader\n%s", id, got, want)
		}
	}
	return want
}

// bubble runs a test on a cluster under virtual time.
func bubble(t *testing.T, size int, opts consensus.Options, test func(c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newCluster(t, size, opts)) })
}
