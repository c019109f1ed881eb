package payload

import (
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Facts is what else is known of the points by label. The bitmaps that it returns become the caller's.
type Facts interface {
	// Labels returns the labels of those points that exist.
	Labels(ids []point.ID) *roaring.Bitmap
	// WithVector returns the labels of points that have a vector of that name; nil if that is not known.
	WithVector(name string) *roaring.Bitmap
}

// Plan says where to look for the points that match a filter. Its bitmaps are nobody else's.
type Plan struct {
	Lower *roaring.Bitmap // these match; never nil
	Upper *roaring.Bitmap // no others do; nil: any may. If it is Lower, these are the points that match
	Total uint64          // points there are
}

// Exact reports whether Lower are the points that match.
func (p *Plan) Exact() bool { return p.Upper == p.Lower }

// Bounded reports whether the plan rules anything out.
func (p *Plan) Bounded() bool { return p.Upper != nil }

// Clone returns the plan with bitmaps of its own.
func (p *Plan) Clone() Plan {
	out := Plan{Lower: p.Lower.Clone(), Total: p.Total}
	switch {
	case p.Exact():
		out.Upper = out.Lower
	case p.Bounded():
		out.Upper = p.Upper.Clone()
	}
	return out
}

// Estimate returns how many points match: at least, about, and at most. What only the payload can tell counts half.
func (p *Plan) Estimate() (least, about, most uint64) {
	least, most = p.Lower.GetCardinality(), p.Total
	if p.Upper != nil {
		most = p.Upper.GetCardinality()
	}
	return least, least + (most-least)/2, most
}

// Open returns the plan of what the payloads have to tell: of the points that may match, without those that do.
func (p *Plan) Open() Plan {
	out := Plan{Lower: roaring.New(), Total: p.Total}
	if p.Upper != nil {
		out.Upper = roaring.AndNot(p.Upper, p.Lower)
	}
	return out
}

// maxLeaves bounds the tests of one filter that are looked up in indexes; the others are left to the payload.
const maxLeaves = 2000

// Plan plans a filter that filter.Compile takes. A nil filter matches everything.
func (s *Set) Plan(f *filter.Filter, facts Facts) Plan {
	p := planner{set: s, facts: facts, leaves: maxLeaves}
	a := exactly(all())
	if f != nil {
		a = p.filter(f)
	}
	out := Plan{Total: s.Len()}
	if a.exact {
		out.Lower = s.materialise(a.hi)
		out.Upper = out.Lower
		return out
	}
	out.Lower = s.materialise(a.lo)
	if !a.hi.isAll() {
		out.Upper = s.materialise(a.hi)
	}
	return out
}

// materialise returns the labels of a set that there are.
func (s *Set) materialise(a set) *roaring.Bitmap {
	switch {
	case a.bm == nil && !a.not:
		return roaring.New()
	case a.bm == nil:
		return s.live.Clone()
	case a.not:
		return roaring.AndNot(s.live, a.bm)
	case a.shared:
		return a.bm.Clone()
	}
	return a.bm
}

// planner evaluates one filter.
type planner struct {
	set    *Set
	facts  Facts
	leaves int
}

func (p *planner) filter(f *filter.Filter) answer {
	out := exactly(all())
	for i := range f.Must {
		out = andAnswers(out, p.condition(&f.Must[i]))
	}
	for i := range f.MustNot {
		out = andAnswers(out, notAnswer(p.condition(&f.MustNot[i])))
	}
	if len(f.Should) > 0 {
		out = andAnswers(out, p.any(f.Should))
	}
	if f.MinShould != nil {
		out = andAnswers(out, p.atLeast(f.MinShould))
	}
	return out
}

func (p *planner) any(list []filter.Condition) answer {
	out := exactly(none())
	for i := range list {
		out = orAnswers(out, p.condition(&list[i]))
	}
	return out
}

// maxCounted bounds the work of counting conditions.
const maxCounted = 256

func (p *planner) atLeast(m *filter.MinShould) answer {
	switch n := uint64(len(m.Conditions)); {
	case m.Count == 0:
		return exactly(all())
	case m.Count > n:
		return exactly(none())
	case m.Count > maxCounted/n:
		return upTo(p.any(m.Conditions).hi)
	}
	met := make([]answer, m.Count+1) // met[i]: at least i of the conditions so far
	met[0] = exactly(all())
	for i := 1; i < len(met); i++ {
		met[i] = exactly(none())
	}
	for i := range m.Conditions {
		c := p.condition(&m.Conditions[i])
		for j := len(met) - 1; j > 0; j-- {
			met[j] = orAnswers(met[j], andAnswers(met[j-1].copied(), c.copied()))
		}
	}
	return met[m.Count]
}

func (a answer) copied() answer {
	return answer{lo: a.lo.copied(), hi: a.hi.copied(), exact: a.exact}
}

func (p *planner) condition(c *filter.Condition) answer {
	if c.Filter != nil {
		return p.filter(c.Filter)
	}
	if p.leaves--; p.leaves < 0 {
		return unknown()
	}
	switch {
	case c.HasID != nil:
		return exactly(set{bm: p.facts.Labels(c.HasID.IDs)})
	case c.HasVector != nil:
		if bm := p.facts.WithVector(*c.HasVector); bm != nil {
			return exactly(set{bm: bm})
		}
		return unknown()
	case c.Nested != nil:
		return upTo(p.nested("", c.Nested))
	case c.IsEmpty != nil:
		if f := p.field("", *c.IsEmpty); f != nil {
			return f.isEmpty()
		}
	case c.IsNull != nil:
		if f := p.field("", *c.IsNull); f != nil {
			return f.isNull()
		}
	case c.Field != nil:
		if f := p.field("", c.Field.Key); f != nil {
			return f.answer(c.Field)
		}
	}
	return unknown()
}

// field finds the complete index of a key below a prefix.
func (p *planner) field(below, key string) *field {
	path, err := point.ParsePath(below + key)
	if err != nil {
		return nil
	}
	f := p.set.fields[path.String()]
	if f == nil || f.build != nil {
		return nil
	}
	return f
}

// nested returns the labels that may have an element that matches: what an element matches, the values at the whole
// path match. Nothing follows from what an element does not match.
func (p *planner) nested(below string, n *filter.Nested) set {
	path, err := point.ParsePath(below + n.Key)
	if err != nil {
		return all()
	}
	return p.inElement(path.Every().String()+".", &n.Filter)
}

func (p *planner) inElement(below string, f *filter.Filter) set {
	out := all()
	for i := range f.Must {
		out = and(out, p.elementTest(below, &f.Must[i]))
	}
	if len(f.Should) > 0 {
		out = and(out, p.elementAny(below, f.Should))
	}
	if m := f.MinShould; m != nil && m.Count > 0 {
		out = and(out, p.elementAny(below, m.Conditions))
	}
	return out
}

func (p *planner) elementAny(below string, list []filter.Condition) set {
	out := none()
	for i := range list {
		out = or(out, p.elementTest(below, &list[i]))
	}
	return out
}

func (p *planner) elementTest(below string, c *filter.Condition) set {
	if c.Filter != nil {
		return p.inElement(below, c.Filter)
	}
	if p.leaves--; p.leaves < 0 {
		return all()
	}
	switch {
	case c.Nested != nil:
		return p.nested(below, c.Nested)
	case c.IsNull != nil:
		if f := p.field(below, *c.IsNull); f != nil {
			return f.null.shared()
		}
	case c.Field == nil || c.Field.IsEmpty != nil && *c.Field.IsEmpty || c.Field.IsNull != nil && !*c.Field.IsNull:
		// true of an element that lacks the value
	default:
		if f := p.field(below, c.Field.Key); f != nil {
			return f.answer(c.Field).hi
		}
	}
	return all()
}
