package dense

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
		s.bits = append(s.bits[:0], make([]uint64, d.DenseSize())...)
		d.WriteDenseTo(s.bits)
		bits := s.bits
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

// mostListed is how many labels are turned into rows for a walk that asks about many rows: beyond, asking costs less.
const mostListed = 1 << 14

// takenRows returns the rows that taken tells of as bits, or nil if they are too many for that.
func (s *search) takenRows(mark uint32, set Labels) []uint64 {
	words := int(mark+63) / 64
	if set.GetCardinality() > mostListed || words > mostWords {
		return nil
	}
	s.rowBits = append(s.rowBits[:0], make([]uint64, words)...)
	blocks, bits := *s.core.blocks.Load(), s.rowBits
	set.Iterate(func(label uint32) bool {
		row := s.core.rowOf.get(label) - 1 // what has none becomes the largest number
		if row >= s.rows || blocks[row/rowsPerBlock].dead.Load() != 0 {
			var ok bool
			if row, ok = s.row(label); !ok {
				return true
			}
		}
		if row < mark {
			bits[row/64] |= 1 << (row % 64)
		}
		return true
	})
	return bits
}
