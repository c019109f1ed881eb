// Package arena owns memory for rows of equal length that the garbage collector does not see: vectors, their codes, the
// links of a graph.
//
// Rows have numbers and lie in chunks of a power of two of them. A chunk never moves and is never given back before
// Close, so who holds a row's address or a Table may go on reading while the arena grows. Memory is anonymous, in huge
// pages where the system has them, or a file's; it is zero until it is written. Where there is no such memory, and
// under the race detector, which sees nothing else, it is Go's.
//
// Grow may be called by one goroutine at a time, all else by many at once. Who writes a row and who reads it agree among
// themselves; the package orders nothing but growth. After Close no address may be used: that is the owner's duty.
package arena

import (
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// MaxRows is how many rows an arena may have: numbers are 32 bits, and the last one means none to those who link rows.
const MaxRows = 1<<32 - 1

// MaxStride bounds the length of a row.
const MaxStride = 1 << 24

// Options describes an arena.
type Options struct {
	// Stride is the length of a row in bytes: 1 to MaxStride. Rows begin at multiples of it, chunks at page borders.
	Stride int
	// File, when it is set, names a file that holds the rows instead of anonymous memory. It is made, or emptied.
	File string
}

// Arena is a set of rows.
type Arena struct {
	stride   int
	shift    uint8
	memory   memory
	table    atomic.Pointer[vec.Table]
	capacity atomic.Int64 // rows that may be used
	bytes    atomic.Int64 // memory that may be used
}

// New makes an arena without rows.
func New(o Options) (*Arena, error) {
	if o.Stride < 1 || o.Stride > MaxStride {
		return nil, fault.New(fault.Invalid, "arena: rows of %d bytes, want 1 to %d", o.Stride, MaxStride)
	}
	a := &Arena{stride: o.Stride, shift: shiftFor(o.Stride)}
	a.memory = newAnonymous(a.chunkBytes())
	if o.File != "" {
		m, err := newFile(o.File, a.chunkBytes())
		if err != nil {
			return nil, err
		}
		a.memory = m
	}
	a.table.Store(&vec.Table{Shift: a.shift, Stride: a.stride})
	return a, nil
}

// shiftFor makes a chunk about chunkBytes long, and one row at least.
func shiftFor(stride int) uint8 { return uint8(bits.Len(uint(max(chunkBytes/stride, 1))) - 1) }

func (a *Arena) chunkBytes() int { return a.stride << a.shift }

// Grow makes room for rows 0 to rows-1. What was there stays where it is. It returns an error of class fault.Exhausted
// when the system gives no more memory; the arena is then as it was.
func (a *Arena) Grow(rows int) error {
	if int64(rows) <= a.capacity.Load() {
		return nil
	}
	if int64(rows) > MaxRows {
		return fault.New(fault.Exhausted, "arena: %d rows are more than there are numbers", rows)
	}
	old := a.table.Load()
	chunks := (rows + 1<<a.shift - 1) >> a.shift
	if chunks > len(old.Chunks) {
		grown := append(make([]unsafe.Pointer, 0, chunks), old.Chunks...)
		for len(grown) < chunks {
			chunk, err := a.memory.reserve(len(grown))
			if err != nil {
				return err
			}
			grown = append(grown, chunk)
			// Kept even if the next step fails: a reserved chunk must not be reserved again.
			a.table.Store(&vec.Table{Chunks: grown[:len(grown):len(grown)], Shift: a.shift, Stride: a.stride})
		}
	}
	usable, err := a.memory.commit(rows * a.stride)
	if err != nil {
		return err
	}
	a.bytes.Store(int64(usable))
	a.capacity.Store(int64(min(usable/a.stride, MaxRows)))
	return nil
}

// Capacity is how many rows may be used.
func (a *Arena) Capacity() int { return int(a.capacity.Load()) }

// Stride is the length of a row in bytes.
func (a *Arena) Stride() int { return a.stride }

// Bytes is how much memory the rows that may be used take. Of a file, it is what may become resident.
func (a *Arena) Bytes() int64 { return a.bytes.Load() }

// Table tells where the rows lie that there are now. It stays good while the arena grows.
func (a *Arena) Table() *vec.Table { return a.table.Load() }

// Row returns a row's bytes. A row beyond the chunks panics; beyond Capacity it may not be touched.
func (a *Arena) Row(row uint32) []byte {
	return unsafe.Slice((*byte)(a.table.Load().At(row)), a.stride)
}

// Sync makes what was written to a file durable. It does nothing for anonymous memory.
func (a *Arena) Sync() error { return a.memory.sync() }

// Forget lets the system take back the memory of rows that a file holds, which come from there again when they are asked for.
// Readers and writers may go on meanwhile. It does nothing for anonymous memory.
func (a *Arena) Forget() { a.memory.forget() }

// Fetch has the system read rows that a file holds and memory does not, all at a time and without waiting for them. It changes nothing
// but time, and does nothing for anonymous memory.
func (a *Arena) Fetch(rows []uint32) { a.memory.fetch(rows, a.table.Load()) }

// Close gives the memory back. Nobody may use a row any more.
func (a *Arena) Close() error {
	a.capacity.Store(0)
	a.bytes.Store(0)
	a.table.Store(&vec.Table{Shift: a.shift, Stride: a.stride})
	return a.memory.close()
}

// Slice returns n elements at the beginning of a row of a table. The stride must hold them, aligned for T.
func Slice[T any](t *vec.Table, row uint32, n int) []T { return unsafe.Slice((*T)(t.At(row)), n) }

// memory is where chunks come from.
type memory interface {
	// reserve returns the address of chunk number i, the next one.
	reserve(i int) (unsafe.Pointer, error)
	// commit makes the first n bytes of all reserved chunks usable, or some more, and returns how many.
	commit(n int) (int, error)
	sync() error
	// forget may run beside reserve.
	forget()
	// fetch is Arena.Fetch of rows of a table.
	fetch(rows []uint32, t *vec.Table)
	close() error
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
