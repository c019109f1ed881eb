package filter

import "github.com/ostraka/terraform-provider-ostraka/node/internal/point"

// Target is a point as a Matcher sees it. Member shows a member of its payload; it may be called several times for one
// Match, and only if the Matcher NeedsPayload.
type Target interface {
	ID() point.ID
	Member(name string) (v any, ok bool)
	HasVector(name string) bool
}

// Matcher is a compiled filter. It is immutable.
type Matcher struct {
	root clauses
}

// Match reports whether the point matches.
func (m *Matcher) Match(t Target) bool { return m.root.match(t, scope{}) }

// NeedsPayload reports whether Match looks at payloads at all.
func (m *Matcher) NeedsPayload() bool { return m.root.payload() }

// MatchesAll reports whether every point matches because nothing is asked.
func (m *Matcher) MatchesAll() bool {
	r := &m.root
	return len(r.must) == 0 && len(r.should) == 0 && len(r.mustNot) == 0 && !r.counted
}

// scope is where paths start: at the point's payload, or at an element of an array.
type scope struct {
	inside  bool
	element map[string]any
}

// any tests the values that a path reaches from here.
func (s scope) any(t Target, p point.Path, test func(any) bool) (passed, reached bool) {
	if s.inside {
		return p.Any(s.element, test)
	}
	name, ok := p.Member()
	if !ok {
		return false, false
	}
	v, ok := t.Member(name)
	if !ok {
		return false, false
	}
	return p.AnyIn(v, test)
}

// condition is one compiled test. Compile makes it, and orders conditions such that those come first that need no
// payload.
type condition interface {
	match(t Target, in scope) bool
	payload() bool
}

type clauses struct {
	must, should, mustNot []condition

	counted  bool
	counts   []condition
	minCount uint64
}

func (c *clauses) match(t Target, in scope) bool {
	for _, m := range c.must {
		if !m.match(t, in) {
			return false
		}
	}
	for _, m := range c.mustNot {
		if m.match(t, in) {
			return false
		}
	}
	return c.matchShould(t, in) && (!c.counted || c.matchCount(t, in))
}

func (c *clauses) matchShould(t Target, in scope) bool {
	for _, s := range c.should {
		if s.match(t, in) {
			return true
		}
	}
	return len(c.should) == 0
}

func (c *clauses) matchCount(t Target, in scope) bool {
	left := c.minCount
	for _, m := range c.counts {
		if left == 0 {
			return true
		}
		if m.match(t, in) {
			left--
		}
	}
	return left == 0
}

func (c *clauses) payload() bool {
	for _, list := range [...][]condition{c.must, c.should, c.mustNot, c.counts} {
		for _, m := range list {
			if m.payload() {
				return true
			}
		}
	}
	return false
}

type hasID struct {
	list []point.ID
	set  map[point.ID]struct{} // nil for a short list
}

func (c *hasID) match(t Target, _ scope) bool { return contains(c.list, c.set, t.ID()) }
func (c *hasID) payload() bool                { return false }

type hasVector string

func (c hasVector) match(t Target, _ scope) bool { return t.HasVector(string(c)) }
func (c hasVector) payload() bool                { return false }

// field tests the values at a path.
type field struct {
	path    point.Path
	test    func(v any) bool
	missing bool // what a path that reaches nothing gives
}

func (c *field) match(t Target, in scope) bool {
	passed, reached := in.any(t, c.path, c.test)
	return passed || !reached && c.missing
}

func (c *field) payload() bool { return true }

// allEmpty is the condition IsEmpty.
type allEmpty struct{ path point.Path }

func (c *allEmpty) match(t Target, in scope) bool {
	filled, _ := in.any(t, c.path, func(v any) bool { return !isEmpty(v) })
	return !filled
}

func (c *allEmpty) payload() bool { return true }

type nested struct {
	path    point.Path // of the elements
	clauses clauses
}

func (c *nested) match(t Target, in scope) bool {
	found, _ := in.any(t, c.path, func(v any) bool {
		element, ok := v.(map[string]any)
		return ok && c.clauses.match(t, scope{inside: true, element: element})
	})
	return found
}

func (c *nested) payload() bool { return true }

// shortList is the length up to which a walk over a list beats a lookup in a map.
const shortList = 12

// contains looks v up in set or, if there is none, in list.
func contains[T comparable](list []T, set map[T]struct{}, v T) bool {
	if set != nil {
		_, ok := set[v]
		return ok
	}
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

func setOf[T comparable](list []T) map[T]struct{} {
	if len(list) <= shortList {
		return nil
	}
	set := make(map[T]struct{}, len(list))
	for _, x := range list {
		set[x] = struct{}{}
	}
	return set
}
