// Package devcluster runs a cluster of real nodes in one process: for `ostraka dev`, for tests, and for programs that
// want a cluster of their own.
//
// The nodes listen on loopback and talk to one another by TCP, exactly as separate processes do; only a crash of one
// cannot be had alone. Close returns after every node has ended.
package devcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/server"
)

// Bounds and defaults of Options.
const (
	MaxNodes     = 16
	portsPerNode = 10
	startTimeout = 30 * time.Second
)

// Options configure a cluster.
type Options struct {
	Nodes    int      // 1..MaxNodes; default 3
	Dir      string   // of the nodes' data, one folder each; "" means a temporary one that Close removes
	BasePort int      // node i (from 0) takes the ports base+10i (HTTP), +1 (gRPC), +2 (peers); 0 means free ones
	Zones    []string // of node i: Zones[i%len(Zones)]
	Version  string
	Logger   hclog.Logger
	// LogEntries bounds the log of each replica, from which one that was away catches up; 0 means the default.
	LogEntries int
	// NoClusterService leaves out ostraka.cluster.v1, as a plain Qdrant has none: for tests of clients.
	NoClusterService bool
	// VerifyEvery is how often the replicas of each shard are compared in the background; 0 means never.
	VerifyEvery time.Duration
}

// Cluster is several nodes at work.
type Cluster struct {
	opts      Options
	temporary bool
	mu        struct {
		sync.Mutex
		nodes []*node
	}
}

// node is one node and what it needs to come back.
type node struct {
	opts   server.Options
	server *server.Server // nil while it is stopped
}

// Start starts the nodes side by side and returns when all are members.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Nodes == 0 {
		opts.Nodes = 3
	}
	if opts.Nodes < 0 || opts.Nodes > MaxNodes {
		return nil, fault.New(fault.Invalid, "%d nodes: want 1 to %d", opts.Nodes, MaxNodes)
	}
	if last := opts.BasePort + portsPerNode*opts.Nodes; opts.BasePort < 0 || last > 65535 {
		return nil, fault.New(fault.Invalid, "base port %d: the ports of %d nodes would end at %d", opts.BasePort, opts.Nodes, last)
	}
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	c := &Cluster{opts: opts, temporary: opts.Dir == ""}
	if c.temporary {
		dir, err := os.MkdirTemp("", "ostraka-dev-")
		if err != nil {
			return nil, err
		}
		c.opts.Dir = dir
	}
	if err := c.startAll(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) startAll(ctx context.Context) error {
	for i := range c.opts.Nodes {
		n, err := c.newNode(i)
		if err != nil {
			return err
		}
		c.mu.nodes = append(c.mu.nodes, n)
	}
	var peers []string
	for _, n := range c.mu.nodes {
		peers = append(peers, n.opts.PeerAddr)
	}
	errs := make([]error, len(c.mu.nodes))
	var wg sync.WaitGroup
	for i, n := range c.mu.nodes {
		n.opts.Join, n.opts.BootstrapExpect = peers, len(peers)
		if len(peers) == 1 {
			n.opts.Join, n.opts.BootstrapExpect, n.opts.Bootstrap = nil, 0, true
		}
		wg.Go(func() { errs[i] = n.start(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// newNode chooses a node's name, folder and ports. Ports that the system chose stay the node's over restarts.
func (c *Cluster) newNode(i int) (*node, error) {
	name := "node-" + strconv.Itoa(i+1)
	n := &node{opts: server.Options{
		DataDir: filepath.Join(c.opts.Dir, name), Name: name, Version: c.opts.Version, LogEntries: c.opts.LogEntries, VerifyEvery: c.opts.VerifyEvery, NoClusterService: c.opts.NoClusterService,
		Logger: c.opts.Logger.Named(name), DrainTimeout: 3 * time.Second,
	}}
	if len(c.opts.Zones) > 0 {
		n.opts.Zone = c.opts.Zones[i%len(c.opts.Zones)]
	}
	for offset, addr := range []*string{&n.opts.HTTPAddr, &n.opts.GRPCAddr, &n.opts.PeerAddr} {
		if c.opts.BasePort > 0 {
			*addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(c.opts.BasePort+portsPerNode*i+offset))
		}
	}
	if c.opts.BasePort == 0 {
		return n, n.choosePorts()
	}
	return n, nil
}

// choosePorts listens on free ports right away, so that nobody else takes them before the node starts.
func (n *node) choosePorts() error {
	l := &n.opts.Listeners
	for listener, addr := range map[*net.Listener]*string{&l.HTTP: &n.opts.HTTPAddr, &l.GRPC: &n.opts.GRPCAddr, &l.Peer: &n.opts.PeerAddr} {
		got, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*listener, *addr = got, got.Addr().String()
	}
	return nil
}

func (n *node) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	opts := n.opts
	n.opts.Listeners = server.Listeners{} // used up
	s, err := server.Open(ctx, opts)
	if err != nil {
		return fmt.Errorf("start %s: %w", opts.Name, err)
	}
	n.server = s
	return nil
}

// Nodes returns how many nodes there are, stopped ones counted.
func (c *Cluster) Nodes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.nodes)
}

// Endpoints returns the gRPC address of every node, in order, also of those that are stopped.
func (c *Cluster) Endpoints() []string {
	return c.addresses(func(o server.Options) string { return o.GRPCAddr })
}

// HTTPAddresses returns the HTTP address of every node, in order.
func (c *Cluster) HTTPAddresses() []string {
	return c.addresses(func(o server.Options) string { return o.HTTPAddr })
}

func (c *Cluster) addresses(of func(server.Options) string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]string, len(c.mu.nodes))
	for i, n := range c.mu.nodes {
		all[i] = of(n.opts)
	}
	return all
}

// StopNode shuts node i (from 0) down, as SIGTERM would. A stopped node stays stopped.
func (c *Cluster) StopNode(ctx context.Context, i int) error {
	return c.end(i, func(s *server.Server) error { return s.Shutdown(ctx) })
}

// DropNode ends node i without a word to the others, which is as near to a crash as one process allows.
func (c *Cluster) DropNode(i int) error {
	return c.end(i, func(s *server.Server) error { return s.Close() })
}

func (c *Cluster) end(i int, how func(*server.Server) error) error {
	c.mu.Lock()
	if i < 0 || i >= len(c.mu.nodes) {
		c.mu.Unlock()
		return fault.New(fault.NotFound, "there is no node %d", i)
	}
	s := c.mu.nodes[i].server
	c.mu.nodes[i].server = nil
	c.mu.Unlock()
	if s == nil {
		return nil
	}
	return how(s)
}

// Failed tells of a part of node i that broke while it ran, or that it was removed from the cluster: the node should be stopped. It
// is nil while the node is stopped.
func (c *Cluster) Failed(i int) <-chan error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i < 0 || i >= len(c.mu.nodes) || c.mu.nodes[i].server == nil {
		return nil
	}
	return c.mu.nodes[i].server.Failed()
}

// StartNode brings a stopped node back with its data.
func (c *Cluster) StartNode(ctx context.Context, i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i < 0 || i >= len(c.mu.nodes) {
		return fault.New(fault.NotFound, "there is no node %d", i)
	}
	if c.mu.nodes[i].server != nil {
		return nil
	}
	return c.mu.nodes[i].start(ctx)
}

// WipeNode deletes the data of a stopped node: it comes back as another peer under its name.
func (c *Cluster) WipeNode(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i < 0 || i >= len(c.mu.nodes) || c.mu.nodes[i].server != nil {
		return fault.New(fault.FailedPrecondition, "node %d is not stopped", i)
	}
	return os.RemoveAll(c.mu.nodes[i].opts.DataDir)
}

// AddNode starts one more node, which joins by the others, and returns its number.
func (c *Cluster) AddNode(ctx context.Context) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := len(c.mu.nodes)
	if i >= MaxNodes {
		return 0, fault.New(fault.Exhausted, "there are %d nodes already", i)
	}
	n, err := c.newNode(i)
	if err != nil {
		return 0, err
	}
	for _, other := range c.mu.nodes {
		n.opts.Join = append(n.opts.Join, other.opts.PeerAddr)
	}
	if err := n.start(ctx); err != nil {
		return 0, err
	}
	c.mu.nodes = append(c.mu.nodes, n)
	return i, nil
}

// Close shuts all nodes down, and removes their data if it was temporary.
func (c *Cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := make([]error, len(c.mu.nodes))
	var wg sync.WaitGroup
	for i, n := range c.mu.nodes {
		if n.server != nil {
			wg.Go(func() { errs[i] = n.server.Close() })
		}
	}
	wg.Wait()
	if c.temporary {
		errs = append(errs, os.RemoveAll(c.opts.Dir))
	}
	return errors.Join(errs...)
}
