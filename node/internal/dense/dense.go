// Package dense owns the vectors of one name of a shard: their rows in memory, and the search for the nearest of them.
//
// A row is written once and never changed: a vector that replaces another gets a row of its own, and the old one notes
// when it died. So a search takes a Snapshot, which costs next to nothing, and walks it without a lock for as long as it
// likes, while vectors come and go; it sees exactly what was published at the moment of the snapshot. Rows that died are
// cleared away by copying the others into a new core (see core) in the background.
//
// Vectors lie in blocks of float32 without pointers, which the garbage collector does not look into. A search allocates
// what its result takes and nothing per vector, and an exact one has a total order: by score, then by the order of
// points that the caller gives, so that replicas on machines with the same kernels answer alike (see package vec).
//
// Changes (Put, Remove, Publish) are made by one goroutine at a time; everything else may be called at any time.
package dense

import (
	"sync"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Options describes the vectors of an index.
type Options struct {
	Size     int // components, at least 1
	Distance vec.Distance
	Config   Config
}

// Index holds at most one vector per label. Labels are small numbers that the caller gives to points; one that is given
// to another point must not be in use by a Snapshot any more.
type Index struct {
	size     int
	distance vec.Distance

	state atomic.Pointer[state] // what new snapshots see

	mu struct { // held by changes, and by who puts another core in place
		sync.Mutex
		config Config
		core   *core
		seq    uint64 // of the last Publish
		count  int    // labels with a vector, as staged
		closed bool
	}
	worker worker
}

// state is what was published at one moment.
type state struct {
	core  *core
	rows  uint32 // of the core; those behind are not published
	seq   uint64
	count int
}

// New makes an empty index.
func New(o Options) (*Index, error) {
	if o.Size < 1 || !o.Distance.Valid() {
		return nil, fault.New(fault.Invalid, "vector index: size %d, distance %s", o.Size, o.Distance)
	}
	x := &Index{size: o.Size, distance: o.Distance}
	x.mu.config = o.Config
	x.mu.core = newCore(o.Size)
	x.publishLocked()
	x.worker.init()
	return x, nil
}

// Len returns the number of vectors published.
func (x *Index) Len() int { return x.state.Load().count }

// Put stages a copy of v, in the form that vec.Distance.Stored gives it, under a label, instead of what is there.
func (x *Index) Put(label uint32, v []float32) error {
	if len(v) != x.size {
		return fault.New(fault.Invalid, "Vector dimension error: expected dim: %d, got %d", x.size, len(v))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.mu.core.kill(label, x.mu.seq+1) {
		x.mu.count++
	}
	x.mu.core.add(label, v)
	return nil
}

// Remove stages the removal of the vector of a label, if there is one.
func (x *Index) Remove(label uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.mu.core.kill(label, x.mu.seq+1) {
		x.mu.count--
	}
}

// Publish lets new snapshots see everything that was staged, in one step. It is quick.
func (x *Index) Publish() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.seq++
	x.publishLocked()
	x.tidyLocked()
}

func (x *Index) publishLocked() {
	x.state.Store(&state{core: x.mu.core, rows: x.mu.core.next, seq: x.mu.seq, count: x.mu.count})
}

// Snapshot returns what is published now.
func (x *Index) Snapshot() Snapshot { return Snapshot{x: x, state: x.state.Load()} }

// Close waits for the work in the background and gives the memory back.
func (x *Index) Close() error {
	x.mu.Lock()
	x.mu.closed = true
	x.mu.Unlock()
	x.worker.close()
	return nil
}
