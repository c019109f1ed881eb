//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/backoff"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// briefBackoff lets clients find a node again soon after it is back.
var briefBackoff = backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: time.Second}

// cluster is the nodes under test and what they stand in.
type cluster struct {
	t           *testing.T
	bin         string
	data, logs  string // directories
	line        *timeline
	nodes       []*node
	spare       *node       // joins later
	joined      atomic.Bool // the spare has been started
	dead        atomic.Bool // ... and killed, to be removed
	net         *network    // nil: all on loopback
	disk        *smallDisk
	unavailable map[kind]string // the faults that cannot be had here, and why
	names       []string        // the collections that have to be whole
}

// newCluster starts the nodes, each in a namespace of its own if that can be had, and waits until all are ready. The
// logs are in logs.
func newCluster(ctx context.Context, t *testing.T, size int, logs string, line *timeline) *cluster {
	t.Helper()
	bin, still := buildWithClock(t)
	c := &cluster{t: t, bin: bin, data: dataDir(t), logs: logs, line: line, unavailable: map[kind]string{}}
	var reason error
	if c.net, reason = newNetwork(ctx, t); reason != nil {
		c.net = nil
	}
	if still != nil {
		c.unavailable[skewing] = "the clock of the nodes cannot be moved: " + still.Error()
	}
	c.explore(reason)
	for i := range size {
		n, err := c.make(ctx, i)
		must(t, err)
		c.nodes = append(c.nodes, n)
	}
	if c.spare, reason = c.make(ctx, size); reason != nil {
		t.Fatal(reason)
	}
	if c.unavailable[filling] == "" {
		last := c.nodes[size-1]
		c.disk = newSmallDisk(t, filepath.Join(c.data, "small"))
		last.dir = filepath.Join(c.disk.dir, last.name)
	}
	formTogether(c.nodes)
	for _, n := range c.nodes {
		must(t, n.start(c.bin))
	}
	bounded, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	allReady(bounded, t, c.nodes)
	return c
}

// explore finds out which faults can be had, and says which cannot.
func (c *cluster) explore(reason error) {
	switch {
	case c.net == nil:
		for _, k := range []kind{isolating, deafening, parting, slowing, throttling, filling} {
			c.unavailable[k] = "no network namespaces: " + reason.Error()
		}
	case c.net.filter == nil:
		for _, k := range []kind{isolating, deafening, parting} {
			c.unavailable[k] = "neither nft nor iptables works (Debian: apt-get install nftables)"
		}
		if !c.net.netem {
			c.unavailable[slowing] = "neither netem nor a packet filter works"
		}
		if !c.net.tbf {
			c.unavailable[throttling] = "neither tbf nor a packet filter works"
		}
	case !c.net.netem:
		c.line.say("slow links lose %d %% of what arrives, as this kernel has no netem that could delay", lossPercent)
	}
	if !*fullDisk && c.unavailable[filling] == "" {
		c.unavailable[filling] = "turned off by -chaos.disk=false"
	}
	for _, w := range weights {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), string(w.kind)) {
			c.unavailable[w.kind] = "not one of -chaos.faults"
		}
	}
	if c.net == nil {
		c.line.say("only process faults, on loopback: %v", reason)
	}
	c.line.say("faults that are not available: %s", c.missing())
}

// missing tells the faults that cannot be had.
func (c *cluster) missing() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(c.unavailable)) {
		parts = append(parts, fmt.Sprintf("%s (%s)", k, c.unavailable[k]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "; ")
}

// make makes the i-th node; it does not start it.
func (c *cluster) make(ctx context.Context, i int) (*node, error) {
	name, space := fmt.Sprintf("node-%d", i+1), (*namespace)(nil)
	var addrs []string
	if c.net == nil {
		addrs = freePorts(c.t, 3)
	} else {
		var err error
		if space, err = c.net.add(ctx); err != nil {
			return nil, err
		}
		for _, port := range []string{":6333", ":6334", ":6335"} {
			addrs = append(addrs, address(i)+port)
		}
	}
	n := newNode(c.t, name, c.data, c.logs, addrs, space)
	n.died = func(n *node, err error) {
		c.t.Errorf("%s ended by itself: %v\n%s", n.name, err, n.tail())
		c.line.say("%s ENDED BY ITSELF: %v", n.name, err)
	}
	return n, nil
}

// join lets the spare node join the running cluster.
func (c *cluster) join() error {
	var peers []string
	for _, n := range c.nodes {
		peers = append(peers, n.peer)
	}
	c.spare.flags = []string{"--join", strings.Join(peers, ",")}
	err := c.spare.start(c.bin)
	c.joined.Store(err == nil)
	return err
}

// all returns the nodes that are members, or on their way to be.
func (c *cluster) all() []*node {
	if c.joined.Load() && !c.dead.Load() {
		return append(slices.Clone(c.nodes), c.spare)
	}
	return c.nodes
}

// whole returns nil once all nodes are ready and every replica of the collections that matter counts.
func (c *cluster) whole(ctx context.Context) error {
	for _, n := range c.all() {
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return whole(ctx, c.nodes[0], c.names...)
}

// atRest returns how far every node has applied the metadata and every replica of every shard its log, or an error if
// the cluster is not whole or they have not come equally far.
func (c *cluster) atRest(ctx context.Context) (map[string]uint64, error) {
	if err := c.whole(ctx); err != nil {
		return nil, err
	}
	first := clusterpb.NewClusterClient(c.nodes[0].dial())
	plan, err := first.GetPlan(ctx, &clusterpb.GetPlanRequest{})
	if err != nil {
		return nil, fmt.Errorf("plan through %s: %w", c.nodes[0].name, err)
	}
	if steps := plan.GetSteps(); len(steps) > 0 {
		return nil, fmt.Errorf("%d steps are to come, the first: %s", len(steps), steps[0])
	}
	placement, err := first.GetPlacement(ctx, &clusterpb.GetPlacementRequest{})
	if err != nil {
		return nil, fmt.Errorf("placement through %s: %w", c.nodes[0].name, err)
	}
	applied := map[string]uint64{}
	for i, n := range c.all() {
		known, err := clusterpb.NewClusterClient(n.dial()).GetCluster(ctx, &clusterpb.GetClusterRequest{})
		if err != nil {
			return nil, fmt.Errorf("cluster through %s: %w", n.name, err)
		}
		if i > 0 && known.GetAppliedIndex() != applied["metadata"] {
			return nil, fmt.Errorf("%s has applied the metadata to %d, %s to %d", n.name, known.GetAppliedIndex(), c.nodes[0].name, applied["metadata"])
		}
		applied["metadata"] = known.GetAppliedIndex()
	}
	for _, col := range placement.GetCollections() {
		for _, s := range col.GetShards() {
			for _, r := range s.GetReplicas() {
				if first := s.GetReplicas()[0]; r.GetAppliedIndex() != first.GetAppliedIndex() || r.GetAppliedIndex() != r.GetLastIndex() {
					return nil, fmt.Errorf("%s shard %d: peer %d has applied %d of %d, peer %d has applied %d", col.GetCollection(), s.GetShardId(),
						r.GetPeer(), r.GetAppliedIndex(), r.GetLastIndex(), first.GetPeer(), first.GetAppliedIndex())
				}
				applied[fmt.Sprintf("%s/%d", col.GetCollection(), s.GetShardId())] = r.GetAppliedIndex()
			}
		}
	}
	return applied, nil
}

// revive starts the nodes that have ended by themselves, so that what they kept can be looked at.
func (c *cluster) revive() error {
	var errs []error
	for _, n := range c.all() {
		select {
		case <-n.process.done:
			errs = append(errs, n.start(c.bin))
		default:
		}
	}
	return errors.Join(errs...)
}

// smallDisk is a file system that can be filled.
type smallDisk struct {
	dir string
}

// smallDiskSize has room for the data of a node under this test's load.
const smallDiskSize = "640m"

func newSmallDisk(t *testing.T, dir string) *smallDisk {
	t.Helper()
	must(t, os.Mkdir(dir, 0o700))
	source := fmt.Sprintf("%s%d-disk", ours, os.Getpid())
	must(t, syscall.Mount(source, dir, "tmpfs", 0, "size="+smallDiskSize))
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return &smallDisk{dir}
}

func (d *smallDisk) filler() string { return filepath.Join(d.dir, "filler") }

// fill leaves no block free.
func (d *smallDisk) fill() error {
	f, err := os.Create(d.filler())
	if err != nil {
		return err
	}
	defer f.Close()
	var size int64
	for chunk := int64(64 << 20); chunk >= 4096; {
		err := syscall.Fallocate(int(f.Fd()), 0, size, chunk)
		switch {
		case err == nil:
			size += chunk
		case errors.Is(err, syscall.ENOSPC):
			chunk /= 2
		case !errors.Is(err, syscall.EINTR):
			return err
		}
	}
	return nil
}

func (d *smallDisk) free() error { return os.Remove(d.filler()) }
