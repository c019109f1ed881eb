package simulation_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/server"
)

const (
	startWithin = 60 * time.Second // virtual, for a node that is alone to come up, or for a new cluster to form
	slowestDisk = 3 * time.Millisecond
	dataDir     = "data"
)

// cluster is several nodes on one network, each with a disk in memory, but for the indexes, which are files for a map.
type cluster struct {
	t        *testing.T
	dir      string
	network  *network
	timeline *timeline
	machines []*machine
	ghosts   sync.WaitGroup // nodes that crashed, until their goroutines have ended
	suspects []suspect
	chance   *rand.Rand // of what a loss of power leaves
	disk     struct {
		sync.Mutex
		random *rand.Rand
	}
}

// machine is one node over its lives.
type machine struct {
	c       *cluster
	name    string
	disk    *vfs.MemFS
	index   string       // the directory of the indexes
	life    atomic.Int64 // grows with every end
	opts    server.Options
	server  *server.Server // nil while it is down; the nemesis' alone
	removed atomic.Bool    // for good: clients ask it no more
	ending  chan struct{}  // closed when a shutdown under way has ended; nil if there is none
}

func newCluster(t *testing.T, packets, disks *rand.Rand, line *timeline, size int) *cluster {
	t.Helper()
	c := &cluster{t: t, timeline: line, network: newNetwork(packets)}
	c.disk.random, c.chance = disks, rand.New(rand.NewPCG(disks.Uint64(), 0))
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	var err error
	if c.dir, err = os.MkdirTemp(base, "ostraka-sim-"); err != nil {
		t.Fatal(err)
	}
	var peers []string
	for i := range size {
		m := newMachine(c, "n"+strconv.Itoa(i+1))
		c.machines = append(c.machines, m)
		peers = append(peers, m.name+":6335")
	}
	for _, m := range c.machines {
		m.opts = server.Options{
			Name: m.name, Join: peers, BootstrapExpect: size, DrainTimeout: 3 * time.Second,
			Logger: line.logger(m.name), BeforeDiskWrite: c.diskWrite,
		}
	}
	return c
}

func newMachine(c *cluster, name string) *machine {
	return &machine{c: c, name: name, disk: vfs.NewCrashableMem(), index: filepath.Join(c.dir, name+"-0")}
}

// diskWrite makes a disk write take time before it happens.
func (c *cluster) diskWrite() {
	c.disk.Lock()
	d := time.Duration(c.disk.random.Int64N(int64(slowestDisk)))
	c.disk.Unlock()
	_ = pass(context.Background(), d)
}

// startAll forms the cluster.
func (c *cluster) startAll() {
	c.t.Helper()
	errs := make([]error, len(c.machines))
	var wg sync.WaitGroup
	for i, m := range c.machines {
		wg.Go(func() { errs[i] = m.start() })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		c.t.Fatalf("the cluster does not form: %v", err)
	}
}

// start begins the next life of a node on what its directory holds.
func (m *machine) start() error {
	m.ended()
	if m.server != nil {
		return nil
	}
	n := m.c.network
	n.powerOn(m.name)
	opts := m.opts
	opts.DataDir, opts.FS, opts.IndexDir = dataDir, m.disk, m.index
	opts.Dial = n.dialer(m.name)
	opts.Listeners = server.Listeners{HTTP: n.listen(m.name + ":6333"), GRPC: n.listen(m.name + ":6334"), Peer: n.listen(m.name + ":6335")}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	s, err := server.Open(ctx, opts)
	if err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	m.server = s
	return nil
}

// crash ends nodes in one instant, without a word: what they do from now on reaches nobody, and their next lives start
// from what their disks hold: everything that was written, or, without power, what was synced and some of the rest, as chance
// has it. Only one goroutine at a time may call it.
func (c *cluster) crash(power bool, victims ...*machine) {
	synctest.Wait() // nothing runs now, so that the copy is of one instant
	kept := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: c.chance}
	for _, m := range victims {
		if m.server == nil {
			continue
		}
		old := m.index
		m.index = filepath.Join(c.dir, fmt.Sprintf("%s-%d", m.name, m.life.Add(1)))
		if err := cloneDir(m.index, old); err != nil {
			c.t.Errorf("clone the indexes of %s: %v", m.name, err)
		}
		if power {
			kept.UnsyncedDataPercent = []int{0, 0, 30, 70}[c.chance.IntN(4)]
		}
		m.disk = m.disk.CrashClone(kept)
		c.network.end(m.name, power)
		ghost := m.server
		m.server = nil
		c.ghosts.Go(func() {
			_ = ghost.Close() // it has lost its network: what it says of that is no news
			_ = os.RemoveAll(old)
		})
	}
}

// shutDown ends a node as SIGTERM does. It goes on when this returns: see ended.
func (m *machine) shutDown() {
	s := m.server
	if s == nil {
		return
	}
	m.server, m.ending = nil, make(chan struct{})
	go func(done chan<- struct{}) {
		defer close(done)
		if err := s.Shutdown(context.Background()); err != nil {
			m.c.t.Errorf("shut %s down: %v", m.name, err)
		}
		m.life.Add(1)
		m.c.network.end(m.name, false)
	}(m.ending)
}

// ended waits for a shutdown under way.
func (m *machine) ended() {
	if m.ending != nil {
		<-m.ending
		m.ending = nil
	}
}

// close ends all nodes, and waits for everything that ever ran.
func (c *cluster) close() {
	var wg sync.WaitGroup
	for _, m := range c.machines {
		m.ended()
		if m.server != nil {
			wg.Go(func() {
				if err := m.server.Close(); err != nil {
					c.t.Errorf("close %s: %v", m.name, err)
				}
			})
		}
	}
	wg.Wait()
	c.ghosts.Wait()
	for _, suspect := range c.suspects {
		c.dump(suspect)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		c.t.Errorf("remove the data: %v", err)
	}
}

// dial returns a client's connection to a node.
func (c *cluster) dial(host string, to *machine, options ...grpc.DialOption) *grpc.ClientConn {
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(c.network.dialer(host)), grpc.WithNoProxy())
	cc, err := grpc.NewClient("passthrough:///"+to.name+":6334", options...)
	if err != nil {
		c.t.Fatal(err)
	}
	return cc
}

// suspect is a replica whose log goes into the timeline once its node has ended.
type suspect struct {
	m          *machine
	generation catalog.Generation
}

// dump notes the entries of a replica's log.
func (c *cluster) dump(s suspect) {
	store, err := kv.Open(kv.Options{Dir: dataDir + "/store", FS: s.m.disk})
	if err != nil {
		c.timeline.note("open the store of %s: %v", s.m.name, err)
		return
	}
	defer func() { _ = store.Close() }()
	gen := uint64(s.generation)
	first, last, err := store.LogBounds(gen)
	if err != nil {
		c.timeline.note("read the log of %s: %v", s.m.name, err)
		return
	}
	applied, _ := store.Applied(gen)
	c.timeline.note("%s generation %d: log %d..%d, applied %d", s.m.name, gen, first, last, applied)
	entries, err := store.ReadLog(gen, first, last+1, 1<<30)
	for _, e := range entries {
		op, opErr := point.DecodeOp(e.Data)
		c.timeline.note("  index %d term %d kind %d: %+v %v", e.Index, e.Term, e.Kind, op, opErr)
	}
	if err != nil {
		c.timeline.note("read the log of %s: %v", s.m.name, err)
	}
}

// timeline is what happened, in virtual time, for the report of a failure.
type timeline struct {
	mu     sync.Mutex
	start  time.Time
	lines  bytes.Buffer
	events []string // of the lines, those that tell of the schedule
}

func newTimeline() *timeline { return &timeline{start: time.Now()} }

// note adds a line.
func (l *timeline) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.lines, "%9.4f  ", time.Since(l.start).Seconds())
	fmt.Fprintf(&l.lines, format, args...)
	l.lines.WriteByte('\n')
}

// event adds a line about the schedule or a violation.
func (l *timeline) event(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.note("%s", text)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, fmt.Sprintf("%9.4f  %s", time.Since(l.start).Seconds(), text))
}

// violate fails the test.
func (c *cluster) violate(format string, args ...any) {
	c.timeline.event("VIOLATION: "+format, args...)
	c.t.Errorf(format, args...)
}

// Write takes a node's log.
func (l *timeline) Write(p []byte) (int, error) {
	l.note("%s", bytes.TrimRight(p, "\n"))
	return len(p), nil
}

func (l *timeline) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *timeline) logger(name string) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: name, Level: hclog.LevelFromString(*logLevel), Output: l, DisableTime: true,
		Exclude: hclog.ExcludeFuncs{hclog.ExcludeByPrefix("unable to get address for server").Exclude}.Exclude,
	})
}
