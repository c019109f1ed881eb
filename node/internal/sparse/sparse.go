// Package sparse owns the sparse vectors of one name of a shard: an inverted index of them in memory, and the exact search
// for those with the greatest dot product.
//
// As in package dense, a vector is written once, as a row: one that replaces another gets a row of its own, and the old
// one notes when it died. Begin takes a moment and, of the lists that a query needs, what belongs to it; the search then
// goes without a lock for as long as it likes, while vectors come and go. Lists of which much is dead are written anew, and
// so is everything once most rows are dead; searches under way keep what they began with.
//
// A score is the sum, in float32, of the products in ascending order of indices, whatever is skipped on the way: replicas
// answer alike. Only vectors that share an index with the query are found.
//
// Changes (Put, Remove, Publish) are made by one goroutine at a time; everything else may be called at any time.
package sparse

import (
	"sync"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Index holds at most one sparse vector per label. Labels are small numbers that the caller gives to points; one that is
// given to another point must not be in use by a search any more.
type Index struct {
	mu struct { // held by changes, and to take what a search needs of the lists
		sync.RWMutex
		core *core
		seq  uint64 // of the last Publish
		size int    // labels with a vector, as staged

		rowOf  []uint32          // by label, 1 + its newest row; 0: it has none
		staged map[uint32]uint32 // what rowOf was at the last Publish, of the labels that changed since
	}
	state atomic.Pointer[state]
}

// state is what was published at one moment.
type state struct {
	core *core
	rows uint32 // of the core; those behind are not published
	seq  uint64
	size int
}

// New returns an empty index.
func New() *Index {
	x := &Index{}
	x.mu.core, x.mu.staged = newCore(), map[uint32]uint32{}
	x.publishLocked()
	return x
}

// Len returns the number of vectors published.
func (x *Index) Len() int { return x.state.Load().size }

// Put stages a vector under a label, instead of what is there. The index keeps parts of v, which nobody may change.
func (x *Index) Put(label uint32, v point.Sparse) {
	x.renew()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.removeLocked(label)
	for int(label) >= len(x.mu.rowOf) {
		x.mu.rowOf = append(x.mu.rowOf, 0)
	}
	x.stageLocked(label, 1+x.mu.core.add(label, v))
	x.mu.size++
}

// stageLocked gives a label another row, and keeps in mind which one is published.
func (x *Index) stageLocked(label, row uint32) {
	if _, ok := x.mu.staged[label]; !ok {
		x.mu.staged[label] = x.mu.rowOf[label]
	}
	x.mu.rowOf[label] = row
}

// Remove stages the removal of the vector of a label, if there is one.
func (x *Index) Remove(label uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.removeLocked(label)
}

func (x *Index) removeLocked(label uint32) {
	if int(label) >= len(x.mu.rowOf) || x.mu.rowOf[label] == 0 {
		return
	}
	x.mu.core.kill(x.mu.rowOf[label]-1, x.mu.seq)
	x.stageLocked(label, 0)
	x.mu.size--
}

// Publish lets searches that begin from now on see everything that was staged, in one step. It is quick.
func (x *Index) Publish() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.seq++
	x.publishLocked()
}

func (x *Index) publishLocked() {
	x.mu.core.count()
	clear(x.mu.staged)
	x.state.Store(&state{core: x.mu.core, rows: x.mu.core.next, seq: x.mu.seq, size: x.mu.size})
}

// manyDead is how many rows may be dead besides as many as there are alive.
const manyDead = 1 << 14

// renew writes everything anew without what is dead, once that is most of it. Searches go on meanwhile, and begin.
func (x *Index) renew() {
	if int(x.mu.core.next) < 2*x.mu.size+manyDead { // only the caller changes it
		return
	}
	published := x.state.Load()
	fresh, moved := x.mu.core.renewed(published.seq)
	rows := uint32(0)
	for _, to := range moved[:published.rows] {
		rows = max(rows, to)
	}
	move := func(row uint32) uint32 {
		if row == 0 {
			return 0
		}
		return moved[row-1]
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for label, row := range x.mu.rowOf {
		x.mu.rowOf[label] = move(row)
	}
	for label, row := range x.mu.staged {
		x.mu.staged[label] = move(row)
	}
	x.mu.core = fresh
	x.state.Store(&state{core: fresh, rows: rows, seq: published.seq, size: published.size})
}
