package payload

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// set is a set of labels: those in bm or, with not, all but those. A nil bm is empty. A shared bm is an index's own and
// is not to be changed.
type set struct {
	bm     *roaring.Bitmap
	not    bool
	shared bool
}

func none() set { return set{} }
func all() set  { return set{not: true} }

func (a set) isNone() bool { return !a.not && (a.bm == nil || a.bm.IsEmpty()) }
func (a set) isAll() bool  { return a.not && (a.bm == nil || a.bm.IsEmpty()) }

func not(a set) set {
	a.not = !a.not
	return a
}

// each visits the labels of a set that is not a complement.
func (a set) each(visit func(label uint32)) {
	if a.bm != nil {
		a.bm.Iterate(func(label uint32) bool {
			visit(label)
			return true
		})
	}
}

// and, or and andNot may use the memory of a set that is not shared: what they were given is not to be used again.
func and(a, b set) set {
	switch {
	case a.isNone() || b.isAll():
		return a
	case b.isNone() || a.isAll():
		return b
	case a.not && b.not:
		return not(union(a, b))
	case a.not:
		return minus(b, a)
	case b.not:
		return minus(a, b)
	}
	return intersection(a, b)
}

func or(a, b set) set { return not(and(not(a), not(b))) }

func andNot(a, b set) set { return and(a, not(b)) }

// The following take the bitmaps as they are, whatever not says.

func union(a, b set) set {
	if a.shared && !b.shared || b.bm.GetCardinality() > a.bm.GetCardinality() && !b.shared {
		a, b = b, a
	}
	if a.shared {
		return set{bm: roaring.Or(a.bm, b.bm)}
	}
	a.bm.Or(b.bm)
	return set{bm: a.bm}
}

func intersection(a, b set) set {
	if a.shared && !b.shared {
		a, b = b, a
	}
	if a.shared {
		return set{bm: roaring.And(a.bm, b.bm)}
	}
	a.bm.And(b.bm)
	return set{bm: a.bm}
}

func minus(a, b set) set {
	if a.shared {
		return set{bm: roaring.AndNot(a.bm, b.bm)}
	}
	a.bm.AndNot(b.bm)
	return set{bm: a.bm}
}

// copied returns the set such that nobody else has its bitmap.
func (a set) copied() set {
	if a.bm != nil {
		a.bm = a.bm.Clone()
	}
	a.shared = false
	return a
}

// answer bounds the labels that match: all of lo do, none outside of hi does. If it is exact, hi is what matches and lo
// is not set.
type answer struct {
	lo, hi set
	exact  bool
}

func exactly(s set) answer { return answer{hi: s, exact: true} }
func upTo(s set) answer    { return answer{lo: none(), hi: s} }
func unknown() answer      { return upTo(all()) }

// spread returns the answer with both bounds set.
func (a answer) spread() answer {
	if a.exact {
		return answer{lo: a.hi.copied(), hi: a.hi}
	}
	return a
}

func notAnswer(a answer) answer {
	if a.exact {
		return exactly(not(a.hi))
	}
	return answer{lo: not(a.hi), hi: not(a.lo)}
}

func andAnswers(a, b answer) answer {
	if a.exact && b.exact {
		return exactly(and(a.hi, b.hi))
	}
	if a.exact && a.hi.isAll() {
		return b
	}
	if b.exact && b.hi.isAll() {
		return a
	}
	a, b = a.spread(), b.spread()
	return answer{lo: and(a.lo, b.lo), hi: and(a.hi, b.hi)}
}

func orAnswers(a, b answer) answer { return notAnswer(andAnswers(notAnswer(a), notAnswer(b))) }

// labels gathers labels in any order, and sets of them, into one set.
type labels struct {
	span uint32 // labels are below it
	list []uint32
	bits []uint64 // of those that came before the list, once they are many; nil: none
	sets []*roaring.Bitmap
}

// maxSorted is the share of the span up to which sorting beats setting bits.
const maxSorted = 64

// add takes labels in the order in which an index has them.
func (l *labels) add(found []uint32) {
	if l.bits == nil && uint32(len(l.list)+len(found)) <= l.span/maxSorted {
		l.list = append(l.list, found...)
		return
	}
	l.mark(found)
}

// mark sets bits.
func (l *labels) mark(found []uint32) {
	if l.bits == nil {
		l.bits = make([]uint64, (l.span/(1<<16)+1)<<10) // whole containers
	}
	for _, label := range found {
		l.bits[label/64] |= 1 << (label % 64)
	}
}

func (l *labels) set() set {
	if uint32(len(l.list)) > l.span/maxSorted || l.bits != nil {
		l.mark(l.list)
	}
	var out *roaring.Bitmap
	if l.bits != nil {
		out = roaring.FromDense(l.bits, false)
	} else {
		slices.Sort(l.list)
		out = roaring.New()
		out.AddMany(l.list)
	}
	if len(l.sets) == 0 {
		return set{bm: out}
	}
	if len(l.list) > 0 || l.bits != nil {
		l.sets = append(l.sets, out)
	}
	if len(l.sets) == 1 {
		return set{bm: l.sets[0], shared: true}
	}
	return set{bm: roaring.FastOr(l.sets...)}
}
