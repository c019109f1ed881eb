package point

import (
	"iter"
	"maps"
)

// Values returns the values that the path reaches, arrays as they are. A member that is null is reached, one that is
// missing is not.
func (p Path) Values(payload Payload) iter.Seq[any] {
	return func(yield func(any) bool) {
		p.Any(payload, func(v any) bool { return !yield(v) })
	}
}

// Any tests the values that the path reaches, one after the other, until one passes. It also reports whether the path
// reached any value at all. It allocates nothing.
func (p Path) Any(payload Payload, test func(any) bool) (passed, reached bool) {
	first, ok := p.Member()
	if !ok {
		return false, false
	}
	v, ok := payload[first]
	if !ok {
		return false, false
	}
	return p.AnyIn(v, test)
}

// Member is the name of the payload's member in which all lies that the path reaches; only the zero Path has none.
func (p Path) Member() (name string, ok bool) {
	if len(p.steps) == 0 {
		return "", false
	}
	return p.steps[0].key, true
}

// AnyIn is Any of a payload of which v is the path's Member.
func (p Path) AnyIn(v any, test func(any) bool) (passed, reached bool) {
	return anyBelow(p.steps[1:], v, test)
}

func anyBelow(steps []step, v any, test func(any) bool) (passed, reached bool) {
	for len(steps) > 0 {
		s := &steps[0]
		if s.kind == stepEvery {
			return anyElement(steps[1:], v, test)
		}
		next, ok := s.into(v)
		if !ok {
			return false, false
		}
		v, steps = next, steps[1:]
	}
	return test(v), true
}

func anyElement(steps []step, v any, test func(any) bool) (passed, reached bool) {
	list, _ := v.([]any)
	for _, e := range list {
		ok, got := anyBelow(steps, e, test)
		reached = reached || got
		if ok {
			return true, true
		}
	}
	return false, reached
}

// into takes the step of a key or an index.
func (s *step) into(v any) (next any, ok bool) {
	if s.kind == stepKey {
		m, _ := v.(map[string]any)
		next, ok = m[s.key]
		return next, ok
	}
	if list, _ := v.([]any); s.index < len(list) {
		return list[s.index], true
	}
	return nil, false
}

// Merge sets each member of src in p and returns p, made if it was nil. As in Qdrant, a null removes its key, and an
// object replaces what stood there: it is not merged in turn. p shares nothing with src afterwards.
func Merge(p, src Payload) Payload {
	if p == nil {
		p = make(Payload, len(src))
	}
	for k, v := range src {
		if v == nil {
			delete(p, k)
		} else {
			p[k] = cloneValue(v)
		}
	}
	return p
}

// Set merges src (as Merge does) into every object that the path reaches in payload, and returns payload. What stands
// in the way gives way: a missing or foreign value becomes an object or array where the path needs one. An index
// beyond the end and the elements of an empty array do not exist, and are not made.
func (p Path) Set(payload, src Payload) Payload {
	return p.update(payload, func(old any) any {
		m, _ := old.(map[string]any)
		return map[string]any(Merge(m, src))
	})
}

// Replace is like Set, but puts a copy of src in the place of what the path reaches.
func (p Path) Replace(payload, src Payload) Payload {
	return p.update(payload, func(any) any { return map[string]any(src.Clone()) })
}

func (p Path) update(payload Payload, leaf func(any) any) Payload {
	if len(p.steps) == 0 {
		return payload
	}
	return updateAt(p.steps, map[string]any(payload), leaf).(map[string]any)
}

// updateAt returns what stands in the place of v once the values below steps are updated.
func updateAt(steps []step, v any, leaf func(any) any) any {
	if len(steps) == 0 {
		return leaf(v)
	}
	s, rest := steps[0], steps[1:]
	if s.kind == stepKey {
		m, _ := v.(map[string]any)
		if m == nil {
			m = map[string]any{}
		}
		m[s.key] = updateAt(rest, m[s.key], leaf)
		return m
	}
	list, _ := v.([]any)
	if list == nil {
		list = []any{}
	}
	for i := range list {
		if s.kind == stepEvery || s.index == i {
			list[i] = updateAt(rest, list[i], leaf)
		}
	}
	return list
}

// Delete removes what the path reaches from payload. A path that ends in "[]" empties the array. One that ends in an
// index removes nothing, as in Qdrant: done twice it would remove twice.
func (p Path) Delete(payload Payload) {
	if len(p.steps) > 0 {
		deleteAt(p.steps, map[string]any(payload))
	}
}

// deleteAt returns what stands in the place of v afterwards: v itself but for an array that was emptied.
func deleteAt(steps []step, v any) any {
	s, rest := steps[0], steps[1:]
	switch v := v.(type) {
	case map[string]any:
		if child, ok := v[s.key]; s.kind == stepKey && ok {
			deleteMember(v, s.key, child, rest)
		}
	case []any:
		if len(rest) == 0 && s.kind == stepEvery {
			return []any{}
		}
		for i := range v {
			if len(rest) > 0 && (s.kind == stepEvery || s.kind == stepIndex && s.index == i) {
				v[i] = deleteAt(rest, v[i])
			}
		}
	}
	return v
}

func deleteMember(m map[string]any, key string, child any, rest []step) {
	if len(rest) == 0 {
		delete(m, key)
	} else {
		m[key] = deleteAt(rest, child)
	}
}

// Clone returns a deep copy of p; that of a nil payload is empty.
func (p Payload) Clone() Payload {
	c := make(Payload, len(p))
	for k, v := range p {
		c[k] = cloneValue(v)
	}
	return c
}

// Clone returns a deep copy of v.
func (v Vectors) Clone() Vectors {
	c := maps.Clone(v)
	for name, x := range c {
		c[name] = append([]float32{}, x...)
	}
	return c
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = cloneValue(e)
		}
		return c
	case map[string]any:
		return map[string]any(Payload(v).Clone())
	}
	return v
}
