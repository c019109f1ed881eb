// Package flat owns the exact vector index: it compares a query with every vector there is.
//
// Vectors lie in blocks of float32 without pointers, which the garbage collector does not look into. A search allocates
// what its result takes and nothing per vector, and its order is total: by score, then by the order of points that the
// caller gives, so that replicas on machines with the same kernels answer alike (see package vec).
//
// An Index is written by one goroutine at a time and not while others search it; searches may run side by side. It
// keeps nothing on disk.
package flat

import (
	"context"
	"fmt"
	"math"
	"math/bits"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Options describes the vectors of an index.
type Options struct {
	Size     int // components, at least 1
	Distance vec.Distance
}

// Index holds at most one vector per label. Labels are small numbers that the caller gives to points.
type Index struct {
	size     int
	distance vec.Distance
	perBlock int // rows of a block, a multiple of wordBits: the rows of a word lie in one block

	blocks [][]float32
	live   []uint64 // bit r: row r holds a vector
	labels []uint32 // by row
	rows   []uint32 // by label: its row + 1, 0 for none
	free   []uint32 // rows that were removed
	count  int
}

// blockBytes is about the size of a block: small enough for a shard of few points, large enough to be read ahead.
const blockBytes = 256 << 10

// New makes an empty index.
func New(o Options) (*Index, error) {
	if o.Size < 1 || !o.Distance.Valid() {
		return nil, fault.New(fault.Invalid, "vector index: size %d, distance %s", o.Size, o.Distance)
	}
	return &Index{
		size: o.Size, distance: o.Distance,
		perBlock: wordBits * min(max(blockBytes/(4*o.Size*wordBits), 1), 16),
	}, nil
}

// Len returns the number of vectors.
func (x *Index) Len() int { return x.count }

// Add stores a copy of v, in the form that vec.Distance.Stored gives it, under a label, instead of what is there.
func (x *Index) Add(label uint32, v []float32) error {
	if len(v) != x.size {
		return fault.New(fault.Invalid, "Vector dimension error: expected dim: %d, got %d", x.size, len(v))
	}
	row, ok := x.rowOf(label)
	if !ok {
		row = x.takeRow()
		for int(label) >= len(x.rows) {
			x.rows = append(x.rows, 0)
		}
		x.rows[label] = row + 1
		x.labels[row] = label
		x.live[row/64] |= 1 << (row % 64)
		x.count++
	}
	copy(x.row(row), v)
	return nil
}

// Remove forgets the vector of a label, if there is one.
func (x *Index) Remove(label uint32) {
	row, ok := x.rowOf(label)
	if !ok {
		return
	}
	x.rows[label] = 0
	x.live[row/64] &^= 1 << (row % 64)
	x.free = append(x.free, row)
	x.count--
}

// Save does nothing: the index is made again from the points.
func (x *Index) Save(context.Context) error { return nil }

// Close gives the memory back.
func (x *Index) Close() error {
	*x = Index{size: x.size, distance: x.distance, perBlock: x.perBlock}
	return nil
}

func (x *Index) rowOf(label uint32) (row uint32, ok bool) {
	if int(label) >= len(x.rows) || x.rows[label] == 0 {
		return 0, false
	}
	return x.rows[label] - 1, true
}

func (x *Index) takeRow() uint32 {
	if n := len(x.free); n > 0 {
		row := x.free[n-1]
		x.free = x.free[:n-1]
		return row
	}
	row := uint32(len(x.labels))
	x.labels = append(x.labels, 0)
	if int(row)/64 == len(x.live) {
		x.live = append(x.live, 0)
	}
	if int(row)/x.perBlock == len(x.blocks) {
		x.blocks = append(x.blocks, make([]float32, x.perBlock*x.size))
	}
	return row
}

func (x *Index) row(r uint32) []float32 {
	at := int(r) % x.perBlock * x.size
	return x.blocks[int(r)/x.perBlock][at : at+x.size]
}

// Search returns the labels and scores of the k best vectors, best first. query is in the stored form. accept, which
// may be nil, is only asked about vectors whose scores are among the best so far, because it may read payloads; its
// error ends the search. before orders the points of equal scores. ctx is looked at every few thousand vectors.
func (x *Index) Search(
	ctx context.Context, query []float32, k int,
	accept func(label uint32) (bool, error), before func(a, b uint32) bool,
) (labels []uint32, scores []float32, err error) {
	if len(query) != x.size {
		return nil, nil, fault.New(fault.Invalid, "Vector dimension error: expected dim: %d, got %d", x.size, len(query))
	}
	k = min(k, x.count)
	if k <= 0 {
		return nil, nil, nil
	}
	s := search{
		index: x, query: query, kernel: vec.ForFloat32(x.distance), accept: accept,
		best: heap{hits: make([]hit, 0, k), distance: x.distance, before: before},
	}
	if err := s.run(ctx); err != nil {
		return nil, nil, err
	}
	labels, scores = s.best.sorted()
	return labels, scores, nil
}

// wordBits is how many rows are compared at a time: those of one word of the bitmap.
const wordBits = 64

type search struct {
	index  *Index
	query  []float32
	kernel vec.Kernel[float32, float32, float32] // chosen once for a whole search
	accept func(label uint32) (bool, error)
	best   heap

	rows    [wordBits]uint32
	offsets [wordBits]int
	sums    [wordBits]float32
}

// ctxEvery is how many words of the bitmap, of 64 vectors each, are done between two looks at the context.
const ctxEvery = 32

func (s *search) run(ctx context.Context) error {
	for i, word := range s.index.live {
		if i%ctxEvery == 0 && ctx.Err() != nil {
			return fmt.Errorf("search vectors: %w", ctx.Err())
		}
		if err := s.compare(uint32(i*wordBits), word); err != nil {
			return err
		}
	}
	return nil
}

// compare visits the rows of one word, whose vectors memory fetches ahead of the kernel.
func (s *search) compare(first uint32, word uint64) error {
	x, n := s.index, 0
	block, base := x.blocks[int(first)/x.perBlock], int(first)%x.perBlock*x.size
	for ; word != 0; word &= word - 1 {
		bit := bits.TrailingZeros64(word)
		s.rows[n], s.offsets[n] = first+uint32(bit), base+bit*x.size
		n++
	}
	s.kernel.Rows(s.query, block, s.offsets[:n], s.sums[:n])
	for i, row := range s.rows[:n] {
		score := s.sums[i]
		if x.distance == vec.Euclid { // the kernel's is squared
			score = float32(math.Sqrt(float64(score)))
		}
		if err := s.visit(row, score); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) visit(row uint32, score float32) error {
	h := hit{label: s.index.labels[row], score: score}
	if !s.best.wants(h) {
		return nil
	}
	if s.accept != nil {
		if ok, err := s.accept(h.label); !ok || err != nil {
			return err
		}
	}
	s.best.add(h)
	return nil
}
