package payload

import "slices"

// Large returns the values of a field that at least so many points have, those of most points first. Without a complete index
// there are none.
func (s *Set) Large(path string, least uint64) (found []Facet) {
	f := s.fields[path]
	if f == nil || f.build != nil {
		return nil
	}
	take := func(v any, n uint64) { found = append(found, Facet{v, n}) }
	switch x := f.index.(type) {
	case *keywords:
		for i := range x.postings {
			if n := uint64(x.postings[i].n); n > 0 && n >= least {
				take(x.decode(x.names[i]), n)
			}
		}
	case *integers:
		x.counts(nil, func(key int64, n uint64) {
			if n >= least {
				take(key, n)
			}
		})
	case *bools:
		for v, labels := range map[bool]*bitmap{false: &x.no, true: &x.yes} {
			if n := labels.count(); n > 0 && n >= least {
				take(v, n)
			}
		}
	}
	slices.SortFunc(found, CompareFacets)
	return found
}
