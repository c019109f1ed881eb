// Package fakecluster is a cluster for the provider's tests: Qdrant's collection service and ostraka.cluster.v1 over
// real gRPC on loopback, with collections in memory and no data.
//
// It owns a hand-written imitation of what a node answers: defaults, limits, merges of updates, replicas that are made
// and dropped one by one. It promises that placement moves only when it is looked at, so that tests need no clock, and
// that faults come exactly when they were asked for. It is used by tests only.
package fakecluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// Cluster is a running fake.
type Cluster struct {
	listener net.Listener
	server   *grpc.Server
	served   chan struct{}

	mu struct {
		sync.Mutex
		peers       []*clusterpb.Peer
		collections map[string]*collection
		aliases     map[string]string
		faults      []*Fault
		log         []string
		frozen      bool
		operations  []*operation
		findings    []*clusterpb.PlanFinding
		planned     *clusterpb.CollectionChange // asked for last
		points      uint64
	}
}

// T is what a test and a benchmark have in common.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// Start runs a fake cluster of that many peers until the test ends.
func Start(t T, peers int) *Cluster {
	t.Helper()
	c, err := Open(peers)
	if err != nil {
		t.Fatalf("fake cluster: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// Open runs a fake cluster of that many peers until Close.
func Open(peers int) (*Cluster, error) {
	return open(peers, true)
}

// OpenPlain runs a plain Qdrant of that many peers: it has no cluster service, and a changed number of replicas is a
// number.
func OpenPlain(peers int) (*Cluster, error) {
	return open(peers, false)
}

func open(peers int, cluster bool) (*Cluster, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	c := &Cluster{listener: listener, served: make(chan struct{})}
	c.mu.collections, c.mu.aliases = map[string]*collection{}, map[string]string{}
	for i := range peers {
		c.mu.peers = append(c.mu.peers, newPeer(i))
	}
	c.server = grpc.NewServer(grpc.UnaryInterceptor(c.intercept))
	qdrant.RegisterCollectionsServer(c.server, &collectionsService{cluster: c})
	qdrant.RegisterPointsServer(c.server, &pointsService{cluster: c})
	qdrant.RegisterQdrantServer(c.server, &qdrantService{})
	if cluster {
		clusterpb.RegisterClusterServer(c.server, &clusterService{cluster: c})
	}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(listener) // ends with Close
	}()
	return c, nil
}

func newPeer(i int) *clusterpb.Peer {
	return &clusterpb.Peer{
		Id: uint64(1001 + i), Name: fmt.Sprintf("n%d", i+1), Version: "0.1.0", Alive: true, Voter: true, Leader: i == 0,
		GrpcAddress: fmt.Sprintf("10.0.0.%d:6334", i+1), HttpAddress: fmt.Sprintf("10.0.0.%d:6333", i+1),
		PeerAddress: fmt.Sprintf("10.0.0.%d:6335", i+1), Zone: fmt.Sprintf("zone-%d", i+1),
	}
}

// Close stops serving.
func (c *Cluster) Close() {
	c.server.Stop()
	<-c.served
}

// Endpoint is where clients find it.
func (c *Cluster) Endpoint() string { return c.listener.Addr().String() }

// SetAlive makes the first n peers alive and the others not.
func (c *Cluster) SetAlive(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.mu.peers {
		p.Alive = i < n
	}
}

// Freeze stops (or lets go on) the making and dropping of replicas.
func (c *Cluster) Freeze(frozen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.frozen = frozen
}

// Edit changes a collection's configuration behind everybody's back.
func (c *Cluster) Edit(name string, edit func(*qdrant.CollectionConfig)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	edit(c.mu.collections[name].config)
}

// Drop deletes a collection behind everybody's back.
func (c *Cluster) Drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(name)
}

// dropLocked deletes a collection and the aliases that lead to it.
func (c *Cluster) dropLocked(name string) {
	delete(c.mu.collections, name)
	maps.DeleteFunc(c.mu.aliases, func(_, target string) bool { return target == name })
}

// Names returns how many collections there are.
func (c *Cluster) Names() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.collections)
}

// Log returns what has been changed so far, one line for each, and starts anew.
func (c *Cluster) Log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := c.mu.log
	c.mu.log = nil
	return log
}

// Fault makes calls fail.
type Fault struct {
	Method string // suffix of the full method, such as "Collections/Create"
	Err    error  // what the caller gets
	After  bool   // the call takes effect first: only its reply is lost
	Times  int    // how often; 0: for ever
	Pass   int    // how many calls to let through first
	Do     func() // called when it strikes; may be nil
}

// Inject adds a fault.
func (c *Cluster) Inject(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.faults = append(c.mu.faults, &f)
}

// Heal removes all faults.
func (c *Cluster) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.faults = nil
}

func (c *Cluster) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	f := c.strike(info.FullMethod)
	if f == nil {
		return handle(ctx, req)
	}
	if f.After {
		if resp, err := handle(ctx, req); err != nil {
			return resp, err
		}
	}
	if f.Do != nil {
		f.Do()
	}
	if f.Err == nil {
		return handle(ctx, req)
	}
	return nil, f.Err
}

// strike returns the fault that hits a call, or nil.
func (c *Cluster) strike(method string) *Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, f := range c.mu.faults {
		if len(method) < len(f.Method) || method[len(method)-len(f.Method):] != f.Method {
			continue
		}
		if f.Pass > 0 {
			f.Pass--
			return nil
		}
		if f.Times == 1 {
			c.mu.faults = append(c.mu.faults[:i:i], c.mu.faults[i+1:]...)
		} else if f.Times > 1 {
			f.Times--
		}
		hit := *f
		return &hit
	}
	return nil
}
