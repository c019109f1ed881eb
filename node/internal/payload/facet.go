package payload

import (
	"cmp"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Facet is a value at a path, and how many points have it.
type Facet struct {
	Value any // a string, an int64 or a bool
	Count uint64
}

// Faceted reports whether the values of a field can be counted.
func (f Field) Faceted() bool {
	return f.Kind == Keyword || f.Kind == Integer || f.Kind == Bool || f.Kind == UUID
}

// Values returns the values of a payload that a facet counts, each once.
func (f Field) Values(path point.Path, p point.Payload) (values []any) {
	take := func(v any) {
		switch v.(type) {
		case string:
			if f.Kind != Keyword && f.Kind != UUID {
				return
			}
		case int64:
			if f.Kind != Integer {
				return
			}
		case bool:
			if f.Kind != Bool {
				return
			}
		default:
			return
		}
		values = append(values, v)
	}
	path.Any(p, func(v any) bool {
		if list, ok := v.([]any); ok {
			for _, e := range list {
				take(e)
			}
		} else {
			take(v)
		}
		return false
	})
	if len(values) > 1 {
		slices.SortFunc(values, CompareValues)
		values = slices.Compact(values)
	}
	return values
}

// CompareValues orders the values of facets: of one type by value, and types by their names.
func CompareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b)
		}
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case bool:
		if b, ok := b.(bool); ok {
			return cmp.Compare(rank(a), rank(b))
		}
	}
	return cmp.Compare(typeRank(a), typeRank(b))
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func typeRank(v any) int {
	switch v.(type) {
	case bool:
		return 0
	case int64:
		return 1
	}
	return 2
}

// CompareFacets orders facets: those of more points first, equal ones by value.
func CompareFacets(a, b Facet) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), CompareValues(a.Value, b.Value))
}

// Facets calls yield with the values of a field and how many labels in within (nil: all) have each. Labels in unsure, which
// are not counted, may have values that the index does not hold. It reports whether there is a complete index of the field.
func (s *Set) Facets(path string, within *roaring.Bitmap, yield func(Facet)) (unsure *roaring.Bitmap, ok bool) {
	f := s.fields[path]
	if f == nil || f.build != nil || !f.spec.Faceted() {
		return nil, false
	}
	unsure = roaring.New()
	if !f.unsure.empty() { // they have all of their values counted by whoever asks them
		unsure.Or(f.unsure.bm)
		if within == nil {
			within = s.live
		}
		unsure.And(within)
		within = roaring.AndNot(within, unsure)
	}
	f.facets(within, 1, yield)
	return unsure, true
}

// facets calls yield with the values that at least so many labels in within (nil: all) have, by the index alone.
func (f *field) facets(within *roaring.Bitmap, least uint64, yield func(Facet)) {
	switch x := f.index.(type) {
	case *keywords:
		x.counts(within, func(text string, n uint64) {
			if n >= least {
				yield(Facet{x.decode(text), n})
			}
		})
	case *integers:
		x.counts(within, func(key int64, n uint64) {
			if n >= least {
				yield(Facet{key, n})
			}
		})
	case *bools:
		for _, v := range [...]Facet{{false, common(x.no.bm, within)}, {true, common(x.yes.bm, within)}} {
			if v.Count >= least {
				yield(v)
			}
		}
	}
}

func common(bm, within *roaring.Bitmap) uint64 {
	switch {
	case bm == nil:
		return 0
	case within == nil:
		return bm.GetCardinality()
	}
	return bm.AndCardinality(within)
}

// counts counts the labels of every text.
func (d *dictionary) counts(within *roaring.Bitmap, yield func(text string, n uint64)) {
	if within != nil && within.GetCardinality() < uint64(len(d.postings)) { // few labels, many texts
		found := map[uint32]uint64{}
		within.Iterate(func(label uint32) bool {
			for _, n := range d.of(label) {
				found[n]++
			}
			return true
		})
		for n, count := range found {
			yield(d.names[n], count)
		}
		return
	}
	for n := range d.postings {
		p := &d.postings[n]
		if within == nil {
			yield(d.names[n], uint64(p.n))
		} else {
			yield(d.names[n], p.common(within))
		}
	}
}

// common counts the labels that are in a bitmap too.
func (p *posting) common(bm *roaring.Bitmap) (n uint64) {
	switch {
	case p.n == 0:
		return 0
	case p.more != nil && p.more.bm != nil:
		return p.more.bm.AndCardinality(bm)
	}
	list := []uint32{p.one}
	if p.more != nil {
		list = p.more.list
	}
	for _, label := range list {
		if bm.Contains(label) {
			n++
		}
	}
	return n
}

// counts counts the labels of every key, in order.
func (o *ordered) counts(within *roaring.Bitmap, yield func(key int64, n uint64)) {
	var last int64
	var n uint64
	for _, c := range o.chunks {
		for i, key := range c.keys {
			if key != last && n > 0 {
				yield(last, n)
				n = 0
			}
			last = key
			if within == nil || within.Contains(c.labels[i]) {
				n++
			}
		}
	}
	if n > 0 {
		yield(last, n)
	}
}
