// Package hnsw owns the graph that finds near neighbours: a hierarchical navigable small world (Malkov, Yashunin, 2016).
//
// The graph knows rows by their numbers and links between them, no vectors: who inserts or searches passes something
// that compares rows. Scores order: the smaller, the nearer. Links lie in arenas without pointers, fixed room per row, and
// are read and written word by word with atomic operations, so that searches never wait for inserts, which may run side
// by side. The caller sees to it that a row's vector is there before Insert, and stays as long as the graph. A row never
// leaves it: who does not want it found filters it out, and builds another graph when there are many of those.
//
// A row's level depends on its number and the seed alone.
package hnsw

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// MaxRows is one more than the highest row number may be.
const MaxRows = 1<<31 - 1

// Bounds of what Options may ask for.
const (
	MinM         = 2
	MaxM         = 512
	MaxEf        = 1 << 20
	maxLevel     = 15
	lockStripes  = 1 << 12
	ctxEvery     = 64 // nodes that are expanded between two looks at a context
	none         = ^uint32(0)
	batchCap     = 2 * MaxM
	defaultM     = 16
	defaultBuild = 100
)

// Options describes a graph.
type Options struct {
	M           int    // links of a row on the upper levels, and half of those on level 0; 0 means 16
	EfConstruct int    // candidates when a row is inserted; 0 means 100
	Seed        uint64 // of the levels
	// File, when it is set, names a file that holds the links of level 0, nearly all there are, instead of memory. It is made, or
	// emptied, and of use only while the graph is open.
	File string
}

func (o Options) withDefaults() Options {
	if o.M == 0 {
		o.M = defaultM
	}
	if o.EfConstruct == 0 {
		o.EfConstruct = defaultBuild
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.M < MinM || o.M > MaxM:
		return fault.New(fault.Invalid, "hnsw: m is %d, want %d to %d", o.M, MinM, MaxM)
	case o.EfConstruct < 1 || o.EfConstruct > MaxEf:
		return fault.New(fault.Invalid, "hnsw: ef_construct is %d, want 1 to %d", o.EfConstruct, MaxEf)
	}
	return nil
}

// Scorer compares one query with rows: out[i] is of rows[i], the smaller the nearer. It is used by one goroutine at a
// time. Scores that are NaN count as further than all others.
type Scorer interface {
	Score(rows []uint32, out []float32)
}

// Hinter is a Scorer that can ask memory for rows which it will soon be given.
type Hinter interface {
	Hint(rows []uint32)
}

// Space compares rows with one another, on the same scale for all: out[i] is of row and rows[i]. It is used by one
// goroutine at a time. Scores need not be those of the Scorers that search.
type Space interface {
	Between(row uint32, rows []uint32, out []float32)
}

// Graph is a set of linked rows.
type Graph struct {
	o       Options
	links   links
	entry   atomic.Uint64 // entryOf, 0 while the graph is empty
	linked  atomic.Int64  // rows in the graph
	walkers sync.Pool     // of *walker

	inserts sync.RWMutex            // held for reading by each Insert; taken to wait for those that run
	mu      sync.Mutex              // growth, changes of entry
	stripes [lockStripes]sync.Mutex // by row: who changes its links
}

// New makes an empty graph.
func New(o Options) (*Graph, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	g := &Graph{o: o}
	if err := g.links.init(o.M, o.File); err != nil {
		return nil, err
	}
	return g, nil
}

// Options returns what the graph was made with, defaults filled in.
func (g *Graph) Options() Options { return g.o }

// Len is how many rows are in the graph.
func (g *Graph) Len() int { return int(g.linked.Load()) }

// Has reports whether a row is in the graph.
func (g *Graph) Has(row uint32) bool { return g.links.has(row) }

// Bytes is how much memory the links take.
func (g *Graph) Bytes() int64 { return g.links.bytes() }

// Forget lets the system take back the memory of links that a file holds. It changes nothing but time.
func (g *Graph) Forget() { g.links.zero.Forget() }

// Close gives the memory back. Nobody may use the graph any more.
func (g *Graph) Close() error { return g.links.close() }

// level is that of a row: 0 for all but one in M, and so on upwards. It is the paper's,
// with a hash of the row for chance and no floating point, so that it is the same on every machine.
func (g *Graph) level(row uint32) int {
	x := (uint64(row) + 1) * 0x9e3779b97f4a7c15
	x ^= g.o.Seed
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	level := 0
	for bound := math.MaxUint64 / uint64(g.o.M); x < bound && level < maxLevel; bound /= uint64(g.o.M) {
		level++
	}
	return level
}

// The entry is a row and its level + 1 in one word.
func entryOf(row uint32, level int) uint64 { return uint64(level+1)<<32 | uint64(row) }

func (g *Graph) top() (row uint32, level int, ok bool) {
	e := g.entry.Load()
	return uint32(e), int(e>>32) - 1, e != 0
}

func (g *Graph) lock(row uint32) *sync.Mutex {
	m := &g.stripes[row*2654435761>>(32-uint(bits.Len(lockStripes-1)))]
	m.Lock()
	return m
}

// grow makes room for a row.
func (g *Graph) grow(row uint32) error {
	if row >= MaxRows {
		return fault.New(fault.Exhausted, "hnsw: row %d is beyond %d", row, MaxRows)
	}
	if int(row) < g.links.capacity() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.growLocked(row)
}

func (g *Graph) growLocked(row uint32) error {
	return g.links.grow(int(row) + 1)
}
