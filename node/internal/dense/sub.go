package dense

import (
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
)

// Value is one that labels have besides their vectors: of a payload field.
type Value struct {
	Field string
	Of    any // a string, an int64 or a bool
}

// Values knows which labels have which values. The index's worker asks it, from the first Review on, holding no lock.
type Values interface {
	// Large calls yield with the values, all or those of tenants, that at least so many labels have now; those first that are to
	// come first if not all can have a graph.
	Large(all bool, least uint64, yield func(v Value, labels uint64))
	// Having returns the labels that have a value now, which become the caller's.
	Having(v Value) *roaring.Bitmap
}

// sub is a graph of the rows that had one value when they were put into it. In it, rows have numbers of their own, places, so that
// it takes no more memory than these need. Like any graph it is only ever added to: what a place leads to may have died, or lost
// the value, and is left out by the filter of the search.
type sub struct {
	graph *hnsw.Graph
	shape shape
	file  string // of links, "" for none
	users users
	rows  atomic.Pointer[[]uint32] // by place; a place is here before it is in the graph
	torn  bool                     // places were put in that nobody will count; the worker's
}

// shape is how a sub is made.
type shape struct {
	m, efConstruct int
	net            *net // on whose codes it is walked; nil: on whole vectors
}

// shown is a sub as searches walk it. Of a label that is in labels, what a snapshot of seq or later shows in a row below mark has
// one place, below places. So a search that compares beside the walk what it may find of other labels, and in the rows from
// mark on, misses nothing, whoever had the value when.
type shown struct {
	*sub
	places uint32
	labels *roaring.Bitmap // which nobody changes
	mark   uint32
	seq    uint64
}

// newSub makes an empty one.
func (x *Index) newSub(c *core, s shape) (_ *sub, err error) {
	b := &sub{shape: s}
	b.users.n.Store(1)
	b.rows.Store(&[]uint32{})
	if b.file, err = x.newFile(c, x.full.Load().GraphOnDisk); err != nil {
		return nil, err
	}
	b.graph, err = hnsw.New(hnsw.Options{M: degree(s.m), EfConstruct: max(s.efConstruct, 1), File: b.file})
	return b, err
}

// release ends the use of one user.
func (b *sub) release() error {
	if !b.users.leave() {
		return nil
	}
	err := b.graph.Close()
	if b.file == "" || err != nil {
		return err
	}
	return removeIfThere(b.file)
}

// scorer returns what compares vectors as the graph is walked, or built; done takes it back.
func (b *sub) scorer(c *core, whole bool) *placed {
	p := placedPool.Get().(*placed)
	p.rows, p.whole = &b.rows, whole || b.shape.net == nil
	if p.whole {
		p.of = c.scorer()
	} else {
		p.of = b.shape.net.scorer(false)
	}
	return p
}

// asking returns a scorer that compares with a vector.
func (b *sub) asking(c *core, whole bool, v []float32) *placed {
	p := b.scorer(c, whole)
	if !p.whole {
		b.shape.net.setQuery(p, false, v)
		return p
	}
	p.Query(v)
	return p
}

func (b *sub) done(c *core, p *placed) {
	if p.whole {
		c.done(p.of)
	} else {
		b.shape.net.done(p.of, false)
	}
	p.of, p.rows = nil, nil
	placedPool.Put(p)
}

var placedPool = sync.Pool{New: func() any { return new(placed) }}

// placed compares places as another scorer compares the rows that they stand for.
type placed struct {
	of    quant.Scorer
	rows  *atomic.Pointer[[]uint32]
	whole bool
	found []uint32
}

func (p *placed) rowsAt(places []uint32) []uint32 {
	rows := *p.rows.Load()
	p.found = p.found[:0]
	for _, at := range places {
		p.found = append(p.found, rows[at])
	}
	return p.found
}

// Query implements quant.Scorer.
func (p *placed) Query(query []float32) { p.of.Query(query) }

// Score implements quant.Scorer.
func (p *placed) Score(places []uint32, out []float32) { p.of.Score(p.rowsAt(places), out) }

// Between implements quant.Scorer.
func (p *placed) Between(place uint32, places []uint32, out []float32) {
	p.of.Between((*p.rows.Load())[place], p.rowsAt(places), out)
}

// Hint implements quant.Scorer.
func (p *placed) Hint(places []uint32) { p.of.Hint(p.rowsAt(places)) }
