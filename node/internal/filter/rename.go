package filter

// Renamed returns f with other names in its HasVector conditions: f itself if it has none. What is nested too deeply stays: Compile
// refuses it.
func (f *Filter) Renamed(lookup func(name string) string) *Filter {
	if f == nil {
		return nil
	}
	out, changed := f.renamed(lookup, MaxDepth+joinedDepth)
	if !changed {
		return f
	}
	return out
}

func (f *Filter) renamed(lookup func(string) string, levels int) (out *Filter, changed bool) {
	if levels == 0 {
		return f, false
	}
	each := func(list []Condition) []Condition {
		var fresh []Condition // once one is another
		for i := range list {
			c, other := list[i].renamed(lookup, levels)
			if other && fresh == nil {
				fresh = append(make([]Condition, 0, len(list)), list[:i]...)
			}
			if fresh != nil {
				fresh = append(fresh, c)
			}
		}
		if fresh == nil {
			return list
		}
		changed = true
		return fresh
	}
	out = &Filter{Must: each(f.Must), Should: each(f.Should), MustNot: each(f.MustNot), MinShould: f.MinShould}
	if m := f.MinShould; m != nil {
		out.MinShould = &MinShould{Conditions: each(m.Conditions), Count: m.Count}
	}
	return out, changed
}

func (c Condition) renamed(lookup func(string) string, levels int) (out Condition, changed bool) {
	switch {
	case c.HasVector != nil:
		name := lookup(*c.HasVector)
		changed = name != *c.HasVector
		c.HasVector = &name
	case c.Filter != nil:
		c.Filter, changed = c.Filter.renamed(lookup, levels-1)
	}
	return c, changed // within Nested there are no points, and so no vectors
}
