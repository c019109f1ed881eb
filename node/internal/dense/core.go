package dense

import (
	"sync/atomic"
)

// wordRows is how many rows are compared at a time; the rows of such a group lie in one block.
const wordRows = 64

// blockBytes is about the size of a block: small enough for a shard of few points, large enough to be read ahead.
const blockBytes = 256 << 10

// core is the memory of an index between two times that the dead are cleared away. One goroutine appends; all others
// read rows that they know from a snapshot.
type core struct {
	size     int
	perBlock int // rows of a block, a multiple of wordRows

	blocks atomic.Pointer[[]*block] // grown by copying: a reader's list holds at least what its snapshot counts
	rowOf  labelMap                 // the newest row of each label
	next   uint32                   // rows written
	dead   uint32                   // of them
}

// block holds some rows. The vectors and labels of a row are written before any snapshot counts it.
type block struct {
	vectors []float32
	labels  []uint32
	died    []atomic.Uint64 // by row: the Publish that ended it; 0: it lives
	dead    atomic.Uint32   // how many rows of the block died
}

func newCore(size int) *core {
	c := &core{size: size, perBlock: wordRows * min(max(blockBytes/(4*size*wordRows), 1), 16)}
	c.blocks.Store(&[]*block{})
	return c
}

// add appends a row, which is to be the label's.
func (c *core) add(label uint32, v []float32) {
	row := c.next
	blocks := *c.blocks.Load()
	if int(row)/c.perBlock == len(blocks) {
		grown := append(blocks[:len(blocks):len(blocks)], &block{
			vectors: make([]float32, c.perBlock*c.size),
			labels:  make([]uint32, c.perBlock),
			died:    make([]atomic.Uint64, c.perBlock),
		})
		c.blocks.Store(&grown)
		blocks = grown
	}
	b, at := blocks[int(row)/c.perBlock], int(row)%c.perBlock
	copy(b.vectors[at*c.size:], v)
	b.labels[at] = label
	c.rowOf.set(label, row+1)
	c.next++
}

// kill ends the row of a label with the Publish seq. It reports whether there was a row that lived.
func (c *core) kill(label uint32, seq uint64) bool {
	row, ok := c.row(label)
	if !ok {
		return false
	}
	b, at := (*c.blocks.Load())[int(row)/c.perBlock], int(row)%c.perBlock
	if b.died[at].Load() != 0 {
		return false
	}
	b.died[at].Store(seq)
	b.dead.Add(1)
	c.dead++
	return true
}

// row returns the newest row of a label, dead or alive.
func (c *core) row(label uint32) (row uint32, ok bool) {
	row = c.rowOf.get(label)
	return row - 1, row != 0
}

// labelMap maps labels to numbers, 0 where nothing was set. One goroutine sets, others read meanwhile.
type labelMap struct {
	chunks atomic.Pointer[[]*labelChunk]
}

const labelsPerChunk = 1024

type labelChunk [labelsPerChunk]atomic.Uint32

func (m *labelMap) get(label uint32) uint32 {
	chunks := m.chunks.Load()
	if chunks == nil || int(label/labelsPerChunk) >= len(*chunks) {
		return 0
	}
	c := (*chunks)[label/labelsPerChunk]
	if c == nil {
		return 0
	}
	return c[label%labelsPerChunk].Load()
}

func (m *labelMap) set(label, value uint32) {
	var chunks []*labelChunk
	if p := m.chunks.Load(); p != nil {
		chunks = *p
	}
	at := int(label / labelsPerChunk)
	if at >= len(chunks) || chunks[at] == nil {
		grown := make([]*labelChunk, max(at+1, len(chunks)))
		copy(grown, chunks)
		grown[at] = new(labelChunk)
		m.chunks.Store(&grown)
		chunks = grown
	}
	chunks[at][label%labelsPerChunk].Store(value)
}
