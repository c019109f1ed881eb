package payload

import "slices"

// Large returns the values of a field that at least so many points have, those of most points first. Without a complete index
// there are none.
func (s *Set) Large(path string, least uint64) (found []Facet) {
	f := s.fields[path]
	if f == nil || f.build != nil {
		return nil
	}
	f.facets(nil, max(least, 1), func(v Facet) { found = append(found, v) })
	slices.SortFunc(found, CompareFacets)
	return found
}
