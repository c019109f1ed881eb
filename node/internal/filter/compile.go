package filter

import (
	"slices"
	"unicode/utf8"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Limits of a filter that somebody asks with.
const (
	MaxDepth      = point.MaxDepth // of filters within filters, the outermost one counted
	MaxConditions = 10_000         // in all clauses together
	MaxValues     = 100_000        // ids and values to match with, together
)

// Compile lets in so much more: a request is carried out under filters that are made of those it was asked with, one within
// another, by prefetches within prefetches, groups, and results that are looked for again.
const (
	joinedDepth      = 16
	joinedConditions = 64
)

// all matches every point. A Matcher is not changed once it is made.
var all = new(Matcher)

// Compile checks a filter and makes its Matcher, which shares memory with it. A nil filter matches every point. Errors
// are of class fault.Invalid and name the place.
func Compile(f *Filter) (*Matcher, error) {
	if f == nil {
		return all, nil
	}
	m := &Matcher{}
	c := compiler{conditions: MaxConditions + joinedConditions, values: MaxValues}
	if err := c.filter(&m.root, f, 1); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "filter")
	}
	return m, nil
}

// CompileEncoded is Decode and Compile.
func CompileEncoded(b []byte) (*Matcher, error) {
	f, err := Decode(b)
	if err != nil {
		return nil, err
	}
	return Compile(f)
}

// compiler counts down what a filter may still hold.
type compiler struct {
	conditions int
	values     int
	elements   int // how many Nested lie around
}

func (c *compiler) filter(out *clauses, f *Filter, level int) error {
	if level > MaxDepth+joinedDepth {
		return invalid("nested more than %d levels deep", MaxDepth)
	}
	var err error
	if out.must, err = c.list("must", f.Must, level); err != nil {
		return err
	}
	if out.should, err = c.list("should", f.Should, level); err != nil {
		return err
	}
	if out.mustNot, err = c.list("must_not", f.MustNot, level); err != nil {
		return err
	}
	if f.MinShould != nil {
		out.counted, out.minCount = true, f.MinShould.Count
		out.counts, err = c.list("min_should", f.MinShould.Conditions, level)
	}
	return err
}

func (c *compiler) list(name string, list []Condition, level int) ([]condition, error) {
	if c.conditions -= len(list); c.conditions < 0 {
		return nil, invalid("more than %d conditions", MaxConditions)
	}
	out := make([]condition, len(list))
	for i := range list {
		var err error
		if out[i], err = c.condition(&list[i], level); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "%s[%d]", name, i)
		}
	}
	slices.SortStableFunc(out, func(a, b condition) int { return cost(a) - cost(b) })
	return out, nil
}

func cost(c condition) int {
	if c.payload() {
		return 1
	}
	return 0
}

func (c *compiler) condition(d *Condition, level int) (condition, error) {
	if n := count(d.Field != nil, d.IsEmpty != nil, d.IsNull != nil, d.HasID != nil, d.HasVector != nil, d.Nested != nil,
		d.Filter != nil); n != 1 {
		return nil, invalid("a condition must say exactly one thing, this one says %d", n)
	}
	switch {
	case d.Field != nil:
		f, err := c.field(d.Field)
		return f, fault.Wrap(fault.Invalid, err, "field %.64q", d.Field.Key)
	case d.IsEmpty != nil:
		path, err := point.ParsePath(*d.IsEmpty)
		return &allEmpty{path}, fault.Wrap(fault.Invalid, err, "is_empty")
	case d.IsNull != nil:
		path, err := point.ParsePath(*d.IsNull)
		return &field{path: path, test: func(v any) bool { return v == nil }}, fault.Wrap(fault.Invalid, err, "is_null")
	case d.Filter != nil:
		inner := &clauses{}
		return inner, c.filter(inner, d.Filter, level+1)
	case d.Nested != nil:
		n, err := c.nested(d.Nested, level)
		return n, fault.Wrap(fault.Invalid, err, "nested %.64q", d.Nested.Key)
	}
	return c.about(d)
}

// about compiles the conditions that look at the point and not at its payload.
func (c *compiler) about(d *Condition) (condition, error) {
	if c.elements > 0 {
		return nil, invalid("has_id and has_vector have no place inside nested: an element has neither")
	}
	if d.HasID != nil {
		return &hasID{d.HasID.IDs, setOf(d.HasID.IDs)}, c.spend(len(d.HasID.IDs))
	}
	if !utf8.ValidString(*d.HasVector) {
		return nil, invalid("has_vector: the name is not valid UTF-8")
	}
	return hasVector(*d.HasVector), nil
}

func (c *compiler) nested(d *Nested, level int) (condition, error) {
	path, err := point.ParsePath(d.Key)
	if err != nil {
		return nil, err
	}
	out := &nested{path: path.Every()}
	c.elements++
	err = c.filter(&out.clauses, &d.Filter, level+1)
	c.elements--
	return out, err
}

func (c *compiler) spend(values int) error {
	if c.values -= values; c.values < 0 {
		return invalid("more than %d ids and values to match with", MaxValues)
	}
	return nil
}

func (c *compiler) field(d *Field) (condition, error) {
	if n := count(d.Match != nil, d.Range != nil, d.DatetimeRange != nil, d.GeoBox != nil, d.GeoRadius != nil, d.GeoPolygon != nil,
		d.ValuesCount != nil, d.IsEmpty != nil, d.IsNull != nil); n != 1 {
		return nil, invalid("a field must be tested for exactly one thing, this one is for %d", n)
	}
	path, err := point.ParsePath(d.Key)
	if err != nil {
		return nil, err
	}
	out := &field{path: path}
	switch {
	case d.IsEmpty != nil:
		want := *d.IsEmpty
		out.test, out.missing = func(v any) bool { return isEmpty(v) == want }, want
	case d.IsNull != nil:
		want := *d.IsNull
		out.test, out.missing = func(v any) bool { return hasNull(v) == want }, !want
	case d.ValuesCount != nil:
		bounds := *d.ValuesCount
		out.test = func(v any) bool { return bounds.contains(valuesIn(v)) }
	case d.Match != nil && d.Match.Text != nil && d.Match.Text.Tokenizer != nil:
		return c.words(path, d.Match)
	default:
		var test func(any) bool
		test, err = c.elementTest(d)
		out.test = orElement(test)
	}
	return out, err
}

// elementTest compiles the tests that look at the elements of arrays.
func (c *compiler) elementTest(d *Field) (func(any) bool, error) {
	switch {
	case d.Match != nil:
		return c.match(d.Match)
	case d.Range != nil:
		return d.Range.compile()
	case d.DatetimeRange != nil:
		return d.DatetimeRange.compile()
	case d.GeoBox != nil:
		return d.GeoBox.compile()
	case d.GeoPolygon != nil:
		if err := c.spend(d.GeoPolygon.size()); err != nil {
			return nil, err
		}
		return d.GeoPolygon.compile()
	}
	return d.GeoRadius.compile()
}

func (c *compiler) match(d *Match) (func(any) bool, error) {
	if err := d.one(); err != nil {
		return nil, err
	}
	if d.Text != nil {
		return d.Text.contained()
	}
	if err := c.spend(len(d.AnyKeyword) + len(d.AnyInteger) + len(d.ExceptKeyword) + len(d.ExceptInteger)); err != nil {
		return nil, err
	}
	if !d.validText() {
		return nil, invalid("match: a keyword is not valid UTF-8")
	}
	if d.EmptySet != nil && *d.EmptySet != "any" && *d.EmptySet != "except" {
		return nil, invalid(`match: empty_set is "any" or "except", not %.32q`, *d.EmptySet)
	}
	return d.test(), nil
}

// one checks that exactly one field is set.
func (d *Match) one() error {
	if n := count(d.Keyword != nil, d.Integer != nil, d.Bool != nil, len(d.AnyKeyword) > 0, len(d.AnyInteger) > 0,
		len(d.ExceptKeyword) > 0, len(d.ExceptInteger) > 0, d.EmptySet != nil, d.Text != nil, d.Prefix != nil); n != 1 {
		return invalid("match must compare with exactly one thing, this one does with %d", n)
	}
	return nil
}

func (d *Match) validText() bool {
	bad := func(s string) bool { return !utf8.ValidString(s) }
	return (d.Keyword == nil || !bad(*d.Keyword)) && (d.Prefix == nil || !bad(*d.Prefix)) && !slices.ContainsFunc(d.AnyKeyword, bad) && !slices.ContainsFunc(d.ExceptKeyword, bad)
}

func count(set ...bool) (n int) {
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}

func invalid(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }
