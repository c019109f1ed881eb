package shard

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// values tells the indexes of vectors which points have which payload values (dense.Values).
type values struct{ s *Shard }

// Large implements dense.Values.
func (v values) Large(all bool, least uint64, yield func(dense.Value, uint64)) {
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	paths := v.s.mu.schema.Values
	if !all {
		paths = paths[:v.s.mu.schema.Tenants]
	}
	for _, path := range paths {
		for _, f := range v.s.mu.fields.Large(path, least) {
			yield(dense.Value{Field: path, Of: f.Value}, f.Count)
		}
	}
}

// Having implements dense.Values.
func (v values) Having(of dense.Value) *roaring.Bitmap {
	m := &filter.Match{}
	switch x := of.Of.(type) {
	case string:
		m.Keyword = &x
	case int64:
		m.Integer = &x
	case bool:
		m.Bool = &x
	}
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	plan := v.s.planLocked(&filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: of.Field, Match: m}}}})
	return plan.Lower
}

// reviewLocked has the indexes look anew which values are to have graphs.
func (s *Shard) reviewLocked() {
	for _, sp := range s.mu.spaces {
		if sp.dense != nil {
			sp.dense.Review()
		}
	}
}

// movedLocked tells the indexes of vectors how many payloads changed.
func (s *Shard) movedLocked(changed []*draft) {
	if len(s.mu.schema.Values) == 0 {
		return
	}
	n := 0
	for _, d := range changed {
		if d.exists && d.payload.changed {
			n++
		}
	}
	for _, sp := range s.mu.spaces {
		if sp.dense != nil {
			sp.dense.Moved(n)
		}
	}
}

// mostValues bounds how many values of a filter are looked up.
const mostValues = 16

// valuesOf returns values of some fields that every point has which matches a filter.
func valuesOf(f *filter.Filter, fields []string) (found []dense.Value) {
	if len(fields) == 0 {
		return nil
	}
	for i := range f.Must {
		c := &f.Must[i]
		switch {
		case len(found) >= mostValues:
			return found
		case c.Filter != nil:
			found = append(found, valuesOf(c.Filter, fields)...)
		case c.Field != nil && c.Field.Match != nil:
			if of := single(c.Field.Match); of != nil {
				if path, err := point.ParsePath(c.Field.Key); err == nil && slices.Contains(fields, path.String()) {
					found = append(found, dense.Value{Field: path.String(), Of: of})
				}
			}
		}
	}
	return found
}

// single returns the only value that a match lets through, nil if there are several.
func single(m *filter.Match) any {
	switch {
	case m.Keyword != nil:
		return *m.Keyword
	case m.Integer != nil:
		return *m.Integer
	case m.Bool != nil:
		return *m.Bool
	case len(m.AnyKeyword) == 1:
		return m.AnyKeyword[0]
	case len(m.AnyInteger) == 1:
		return m.AnyInteger[0]
	}
	return nil
}
