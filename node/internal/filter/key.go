package filter

// Bounds of a filter that has a key: of its conditions and values, and of the key's bytes.
const (
	maxKeyed    = 64
	maxKeyBytes = 4096
)

// Key returns what is the same for filters that say the same in the same way, or "" for a filter that is large, says
// nothing, or names points. Compile has let the filter in.
func (f *Filter) Key() string {
	left := maxKeyed
	if f == nil || !f.keyed(&left) || left == maxKeyed {
		return ""
	}
	if key := Encode(f); len(key) <= maxKeyBytes {
		return string(key)
	}
	return ""
}

// keyed takes what a filter holds from what is left.
func (f *Filter) keyed(left *int) bool {
	return keyed(f.Must, left) && keyed(f.Should, left) && keyed(f.MustNot, left) && (f.MinShould == nil || keyed(f.MinShould.Conditions, left))
}

func keyed(list []Condition, left *int) bool {
	for i := range list {
		c := &list[i]
		*left--
		if c.Field != nil && c.Field.Match != nil {
			m := c.Field.Match
			*left -= len(m.AnyKeyword) + len(m.AnyInteger) + len(m.ExceptKeyword) + len(m.ExceptInteger)
		}
		switch {
		case *left < 0 || c.HasID != nil:
			return false
		case c.Nested != nil && !c.Nested.Filter.keyed(left), c.Filter != nil && !c.Filter.keyed(left):
			return false
		}
	}
	return true
}
