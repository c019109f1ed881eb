package sparse

import (
	"slices"
	"sort"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// core is the memory of an index between two times that it is written anew.
type core struct {
	lists   map[uint32]*list // by index
	chunks  []*chunk         // replaced as a whole when it grows
	next    uint32           // rows written
	changed map[*list]int    // by how many vectors lists grew or shrank since they were counted
}

// chunk holds what is known of some rows beside the lists.
type chunk struct {
	labels  [rowsPerChunk]uint32
	died    [rowsPerChunk]atomic.Uint64 // the Publish that ended a row; 0: it lives
	indices [rowsPerChunk][]uint32      // only changes look at them
}

const rowsPerChunk = 1024

// list is the rows that have an index, ascending, with their values. It only grows: whoever knows its length at a moment
// may read so far for ever. One of which much is dead is replaced.
type list struct {
	rows   []uint32
	values []float32
	blocks []bounds // of each full block
	tail   bounds   // of what is behind them
	alive  int      // vectors that are not dead, as staged
	df     int      // as of the last Publish
}

// blockSize is how many rows of a list have bounds of their own.
const blockSize = 128

// bounds hold values.
type bounds struct{ low, high float32 }

func newCore() *core { return &core{lists: map[uint32]*list{}, changed: map[*list]int{}} }

func (c *core) label(row uint32) uint32 { return c.chunks[row/rowsPerChunk].labels[row%rowsPerChunk] }

func (c *core) died(row uint32) *atomic.Uint64 {
	return &c.chunks[row/rowsPerChunk].died[row%rowsPerChunk]
}

func (c *core) indices(row uint32) []uint32 {
	return c.chunks[row/rowsPerChunk].indices[row%rowsPerChunk]
}

// add writes a row.
func (c *core) add(label uint32, v point.Sparse) uint32 {
	row := c.place(label, v.Indices)
	for i, index := range v.Indices {
		l := c.lists[index]
		if l == nil {
			l = &list{}
			c.lists[index] = l
		}
		l.add(row, v.Values[i])
		l.alive++
		c.changed[l]++
	}
	return row
}

// place makes a row that is in no list.
func (c *core) place(label uint32, indices []uint32) uint32 {
	row := c.next
	if int(row/rowsPerChunk) == len(c.chunks) {
		c.chunks = append(c.chunks[:len(c.chunks):len(c.chunks)], new(chunk))
	}
	ch := c.chunks[row/rowsPerChunk]
	ch.labels[row%rowsPerChunk], ch.indices[row%rowsPerChunk] = label, indices
	c.next++
	return row
}

func (l *list) add(row uint32, value float32) {
	if len(l.rows)%blockSize == 0 {
		l.tail = bounds{value, value}
	} else {
		l.tail = bounds{min(l.tail.low, value), max(l.tail.high, value)}
	}
	l.rows, l.values = append(l.rows, row), append(l.values, value)
	if len(l.rows)%blockSize == 0 {
		l.blocks = append(l.blocks, l.tail)
	}
}

// kill ends a row with the Publish after the one with seq.
func (c *core) kill(row uint32, seq uint64) {
	c.died(row).Store(seq + 1)
	for _, index := range c.indices(row) {
		l := c.lists[index]
		l.alive--
		c.changed[l]--
		if dead := len(l.rows) - l.alive; dead > l.alive && dead > blockSize {
			c.renew(index, l, seq)
		}
	}
}

// renew replaces a list by one without the rows that died with the Publish seq or before it.
func (c *core) renew(index uint32, old *list, seq uint64) {
	fresh := &list{alive: old.alive, df: old.df}
	for i, row := range old.rows {
		if died := c.died(row).Load(); died == 0 || died > seq {
			fresh.add(row, old.values[i])
		}
	}
	c.lists[index] = fresh
	c.changed[fresh] = c.changed[old]
	delete(c.changed, old)
}

// count settles how many vectors have each index.
func (c *core) count() {
	for l, by := range c.changed {
		l.df += by
	}
	clear(c.changed)
}

// renewed returns a copy without the rows that died with the Publish seq or before it, and where the others went: 1 + the
// new row, 0 for those that are gone.
func (c *core) renewed(seq uint64) (fresh *core, moved []uint32) {
	fresh, moved = newCore(), make([]uint32, c.next)
	for row := range c.next {
		died := c.died(row).Load()
		if died != 0 && died <= seq {
			continue
		}
		at := fresh.place(c.label(row), c.indices(row))
		fresh.died(at).Store(died)
		moved[row] = 1 + at
	}
	for index, old := range c.lists {
		l := &list{alive: old.alive, df: old.df}
		for i, row := range old.rows {
			if to := moved[row]; to != 0 {
				l.add(to-1, old.values[i])
			}
		}
		if by, ok := c.changed[old]; ok {
			fresh.changed[l] = by
		}
		if len(l.rows) > 0 {
			fresh.lists[index] = l
		}
	}
	return fresh, moved
}

func valueIn(rows []uint32, values []float32, row uint32) (float32, bool) {
	at, ok := slices.BinarySearch(rows, row)
	if !ok {
		return 0, false
	}
	return values[at], true
}

// before returns how many rows of a list are below a row.
func before(rows []uint32, row uint32) int {
	return sort.Search(len(rows), func(i int) bool { return rows[i] >= row })
}
