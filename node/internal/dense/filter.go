package dense

import (
	mathbits "math/bits"
	"sync/atomic"
	"weak"
)

// Labels is a set of labels that nobody changes.
type Labels interface {
	Contains(label uint32) bool
	GetCardinality() uint64
	Iterate(visit func(label uint32) bool)
}

// Filter says which labels a search may find, as of the moment of its snapshot: those in Lower, none outside of Upper,
// and between them what Accept says.
type Filter struct {
	Lower, Upper Labels // nil: no label is known to match; every label may
	// Accept is asked as rarely as possible, because it may read payloads; its error ends the search. nil: what is in
	// Upper matches.
	Accept func(label uint32) (bool, error)
	// Expected is about how many labels match.
	Expected int
	// Values are some that all labels in Upper have, or nearly all: the graph of one may be walked.
	Values []Value
	// Rows keeps what a search makes of Upper, for others of the same Upper. nil: nothing is kept.
	Rows *Rows
}

// Rows is what a search has made of a set of labels, for the next ones under the same set: which rows they are, a bit
// each. Of the searches of several indexes, or of several snapshots, the last counts. Its zero value holds nothing.
type Rows struct {
	kept atomic.Pointer[keptRows]
}

type keptRows struct {
	of   weak.Pointer[state]
	mark uint32
	bits []uint64
}

// of returns the bits of rows below a mark that a state shows, or nil.
func (r *Rows) of(s *state, mark uint32) []uint64 {
	if r == nil {
		return nil
	}
	if k := r.kept.Load(); k != nil && k.mark == mark && k.of == weak.Make(s) {
		return k.bits
	}
	return nil
}

func (f *Filter) accepts(label uint32) (bool, error) {
	switch {
	case f.Lower != nil && f.Lower.Contains(label):
		return true, nil
	case f.Upper != nil && !f.Upper.Contains(label):
		return false, nil
	case f.Accept == nil:
		return true, nil
	}
	return f.Accept(label)
}

// denseLabels are Labels that can be written as bits, one per label: to ask about one is cheap then.
type denseLabels interface {
	DenseSize() uint64         // words
	WriteDenseTo(out []uint64) // adds bits
}

// mostWords bounds the memory that is kept for the bits of a filter.
const mostWords = 1 << 20

// taken returns what tells whether a row is one that the snapshot shows, below a mark, whose label is in a set. It is asked
// about many rows.
func (s *search) taken(mark uint32, set Labels) func(row uint32) bool {
	blocks, seq := *s.core.blocks.Load(), s.seq
	in := set.Contains
	if d, ok := set.(denseLabels); ok && d.DenseSize() <= mostWords {
		bits := s.bitsOf(d)
		in = func(label uint32) bool { return int(label/64) < len(bits) && bits[label/64]&(1<<(label%64)) != 0 }
	}
	return func(row uint32) bool {
		if row >= mark {
			return false
		}
		b, at := blocks[row/rowsPerBlock], row%rowsPerBlock
		if b.dead.Load() != 0 {
			if died := b.died[at].Load(); died != 0 && died <= seq {
				return false
			}
		}
		return in(b.labels[at])
	}
}

// mostListed is how many labels are turned into rows for one walk that asks about many rows: beyond, asking costs less.
const mostListed = 1 << 14

// takenRows returns the rows that taken tells of as bits, or nil if they are too many for that.
func (s *search) takenRows(mark uint32, f *Filter) []uint64 {
	if bits := f.Rows.of(s.state, mark); bits != nil {
		return bits
	}
	words := int(mark+63) / 64
	if f.Rows == nil && f.Upper.GetCardinality() > mostListed || words > mostWords {
		return nil
	}
	if f.Rows != nil {
		bits := make([]uint64, words)
		s.markRows(bits, mark, f.Upper)
		f.Rows.kept.Store(&keptRows{of: weak.Make(s.state), mark: mark, bits: bits})
		return bits
	}
	s.rowBits = append(s.rowBits[:0], make([]uint64, words)...)
	s.markRows(s.rowBits, mark, f.Upper)
	return s.rowBits
}

// markRows sets the bits of the rows below a mark that labels of a set have.
func (s *search) markRows(bits []uint64, mark uint32, set Labels) {
	blocks := *s.core.blocks.Load()
	d, ok := set.(denseLabels)
	if !ok || d.DenseSize() > mostWords {
		set.Iterate(func(label uint32) bool {
			s.markRow(blocks, bits, mark, label, s.core.rowOf.get(label))
			return true
		})
		return
	}
	for at, word := range s.bitsOf(d) {
		label := uint32(at) * 64
		for chunk := s.core.rowOf.chunk(label); word != 0 && chunk != nil; word &= word - 1 {
			label := label + uint32(mathbits.TrailingZeros64(word))
			s.markRow(blocks, bits, mark, label, chunk[label%labelsPerChunk].Load())
		}
	}
}

// markRow sets the bit of a label's row, whose newest is next-1.
func (s *search) markRow(blocks []*block, bits []uint64, mark, label, next uint32) {
	row := next - 1 // what has none becomes the largest number
	if row >= s.rows || blocks[row/rowsPerBlock].dead.Load() != 0 {
		var ok bool
		if row, ok = s.row(label); !ok {
			return
		}
	}
	if row < mark {
		bits[row/64] |= 1 << (row % 64)
	}
}

// bitsOf returns the labels that the search's filter lets through as bits.
func (s *search) bitsOf(upper denseLabels) []uint64 {
	if len(s.bits) == 0 {
		s.bits = append(s.bits, make([]uint64, upper.DenseSize())...)
		upper.WriteDenseTo(s.bits)
	}
	return s.bits
}
