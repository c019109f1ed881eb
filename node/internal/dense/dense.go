// Package dense owns the vectors of one name of a shard: their rows in memory, and the search for the nearest of them.
//
// A row is written once and never changed: a vector that replaces another gets a row of its own, and the old one notes
// when it died. So a search takes a Snapshot, which costs next to nothing, and walks it without a lock for as long as it
// likes, while vectors come and go; it sees exactly what was published at the moment of the snapshot. Rows are put into
// a graph in the background (package hnsw); those that are not in it yet are compared one by one. Rows that died are
// cleared away by building a new core (see core) of the others, in the background as well.
//
// Vectors lie in memory that the garbage collector does not look into (package arena). A search allocates what its
// result takes and nothing per vector, and an exact one has a total order: by score, then by the order of points that
// the caller gives, so that replicas on machines with the same kernels answer alike (see package vec). What a search
// through the graph returns has the same scores in the same order, but may miss some of the nearest.
//
// Changes (Put, Remove, Publish) are made by one goroutine at a time; everything else may be called at any time.
package dense

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Options describes the vectors of an index.
type Options struct {
	Size     int // components, at least 1
	Distance vec.Distance
	Datatype vec.Datatype // of what is put, and of queries; "": float32
	Config   Config
	Logger   hclog.Logger // nil: none
	Dir      string       // of the index's own, for vectors on the disk; "": there is none, and they are in memory
	Pool     *Pool        // shared by the indexes of a node; nil: one of its own
	Idle     func()       // called when something was built and nothing is left to be; nil: nobody wants to know
	Values   Values       // that graphs of their own may be made for; nil: there are none
}

// Index holds at most one vector per label. Labels are small numbers that the caller gives to points; one that is given
// to another point must not be in use by a Snapshot any more.
type Index struct {
	form form
	log  hclog.Logger
	idle func()
	pool *Pool
	dir  string
	live atomic.Uint32 // files that were made

	values   Values
	reviews  atomic.Uint64
	leastSub int64
	subStep  uint64

	state    atomic.Pointer[state] // what new snapshots see
	full     atomic.Pointer[Config]
	coarsest atomic.Uint32 // form that may do for these vectors (net.go)

	mu struct { // held by changes, and by who puts another core in place
		sync.Mutex
		core    *core
		seq     uint64 // of the last Publish
		count   int    // labels with a vector, as staged
		changes uint64 // of labels' vectors or values, as staged
		closed  bool
	}
	worker worker
	kept   kept
}

// state is what was published at one moment.
type state struct {
	core  *core
	rows  uint32 // of the core; those behind are not published
	seq   uint64
	count int

	changes uint64
}

// New makes an empty index.
func New(o Options) (*Index, error) {
	if o.Size < 1 || !o.Distance.Valid() {
		return nil, fault.New(fault.Invalid, "vector index: size %d, distance %s", o.Size, o.Distance)
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Pool == nil {
		o.Pool = NewPool(0)
	}
	f, err := newForm(o.Datatype, o.Distance, o.Size)
	if err != nil {
		return nil, err
	}
	x := &Index{form: f, log: o.Logger, idle: o.Idle, pool: o.Pool, dir: o.Dir, values: o.Values, leastSub: leastSub, subStep: subStep}
	x.full.Store(&o.Config)
	x.worker.init()
	if err := removeLive(o.Dir); o.Dir != "" && err != nil {
		return nil, fault.Wrap(fault.Internal, err, "vector index")
	}
	if x.mu.core, err = x.newCore(&o.Config); err != nil {
		return nil, err
	}
	x.publishLocked()
	return x, nil
}

// Len returns the number of vectors published.
func (x *Index) Len() int { return x.state.Load().count }

// SetConfig changes how the index is kept. What has to be built anew for it is built in the background, while the old
// serves.
func (x *Index) SetConfig(c Config) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if before := x.full.Swap(&c); before.Codes != c.Codes {
		x.coarsest.Store(packedForm)
	}
	x.forgiveLocked()
	x.wakeLocked()
}

// Put stages a copy of v under a label, instead of what is there: in the form that vec.Distance.Stored gives it, and of the
// index's datatype, or, with vec.ByteType and vec.Cosine, of the datatype alone.
func (x *Index) Put(label uint32, v []float32) error {
	if len(v) != x.form.size {
		return fault.New(fault.Invalid, "Vector dimension error: expected dim: %d, got %d", x.form.size, len(v))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.mu.closed {
		return errClosed()
	}
	if !x.mu.core.kill(label, x.mu.seq+1) {
		x.mu.count++
	}
	x.mu.changes++
	return x.mu.core.add(label, v)
}

func errClosed() error { return fault.New(fault.Unavailable, "the vector index is closed") }

// Remove stages the removal of the vector of a label, if there is one.
func (x *Index) Remove(label uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.mu.core.kill(label, x.mu.seq+1) {
		x.mu.count--
		x.mu.changes++
	}
}

// Moved stages that so many labels may have other values than before.
func (x *Index) Moved(labels int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.changes += uint64(labels)
}

// Review has the index look which values are to have graphs. It is called once these can be asked for, and when there are others.
func (x *Index) Review() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reviews.Add(1)
	x.wakeLocked()
}

// Publish lets new snapshots see everything that was staged, in one step. It is quick.
func (x *Index) Publish() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.seq++
	x.publishLocked()
	x.wakeLocked()
}

func (x *Index) publishLocked() {
	x.state.Store(&state{core: x.mu.core, rows: x.mu.core.next, seq: x.mu.seq, count: x.mu.count, changes: x.mu.changes})
}

// Stop ends the work in the background, for good.
func (x *Index) Stop() { x.worker.close() }

// Close waits for the work in the background and gives the memory back, as soon as the snapshots are released.
func (x *Index) Close() error {
	x.mu.Lock()
	closed := x.mu.closed
	x.mu.closed = true
	x.forgiveLocked()
	x.mu.Unlock()
	if closed {
		return nil
	}
	x.worker.close()
	return x.mu.core.release()
}
