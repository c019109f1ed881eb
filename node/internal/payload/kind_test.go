package payload_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// valueOf draws values that an index of a kind holds, and a few that it does not hold or not to the last digit, unless they are to be plain.
func valueOf(t *rapid.T, kind payload.Kind, plain bool) any {
	if !plain && rapid.IntRange(0, 9).Draw(t, "foreign") == 0 {
		return drawValue(t, 1)
	}
	switch kind {
	case payload.Integer:
		return pick[any](t, int64(0), int64(1), int64(-1), whole[4], whole[5], whole[6], whole[7], 0.5, 1.0)
	case payload.Float:
		return pick[any](t, numbers[0], numbers[1], 1.0, 1.5, numbers[5], numbers[6], numbers[7], whole[4], whole[5], whole[6], int64(1))
	case payload.Geo:
		g := drawPlace(t)
		return map[string]any{"lon": g.Lon, "lat": g.Lat}
	case payload.Bool:
		return pick[any](t, true, false)
	case payload.Datetime:
		if plain {
			return pick[any](t, words[6], words[8], "2024-01-01 00:00:00.000001", "0001-01-01T00:00:00.000001Z")
		}
		return pick[any](t, words[6], words[7], words[8], "2024-01-01 00:00:00.000001", "0001-01-01 00:00:00.000000999", "0001-01-01T00:00:00.000001Z", "soon")
	case payload.Text:
		return pick[any](t, "x", "y x", "xy y", "X, y x", "", "The foxes", "over the fox x")
	case payload.UUID:
		return pick[any](t, words[9], words[10], "x", "")
	}
	return pick(t, words...)
}

// testOf draws a test that an index of a kind answers.
func testOf(t *rapid.T, kind payload.Kind) *filter.Field {
	f := &filter.Field{Key: "a"}
	switch kind {
	case payload.Integer, payload.Float:
		if rapid.Bool().Draw(t, "match") {
			f.Match = drawMatch(t)
			return f
		}
		bounds := append([]float64{-1, 0.5, 1<<53 + 2, 1<<63 - 1024, -1<<63 - 2048}, numbers...)
		f.Range = &filter.Range{LT: maybe(t, bounds...), GT: maybe(t, bounds...), GTE: maybe(t, bounds...), LTE: maybe(t, bounds...)}
	case payload.Geo:
		for f.GeoBox == nil && f.GeoRadius == nil && f.GeoPolygon == nil {
			*f = *drawField(t, "a")
		}
	case payload.Datetime:
		f.DatetimeRange = &filter.DatetimeRange{LT: maybe(t, moments...), GT: maybe(t, moments...), GTE: maybe(t, moments...), LTE: maybe(t, moments...)}
	default:
		f.Match = drawMatch(t)
	}
	return f
}

// Every kind of index agrees with the matcher on the values and tests that it is for.
func TestEachKindAgreesWithTheMatcher(t *testing.T) {
	for _, kind := range []payload.Kind{payload.Keyword, payload.Integer, payload.Float, payload.Geo, payload.Text, payload.Bool, payload.Datetime, payload.UUID} {
		t.Run(string(kind), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				spec := payload.Field{Kind: kind}
				if kind == payload.Text {
					spec.Tokenizer = drawTokenizer(t)
				}
				plain := rapid.Bool().Draw(t, "plain")
				s, m := payload.New(payload.Schema{"a": spec}), model{}
				for label := range uint32(12) {
					var v any
					if n := rapid.IntRange(0, 3).Draw(t, "values"); n == 1 {
						v = valueOf(t, kind, plain)
					} else {
						list := make([]any, n)
						for i := range list {
							list[i] = valueOf(t, kind, plain)
						}
						v = list
					}
					m[label] = point.Payload{"a": v}
					s.Put(label, s.Extract(m[label]))
				}
				for range 20 {
					m.check(t, s, &filter.Filter{Must: []filter.Condition{{Field: testOf(t, kind)}}})
				}
			})
		})
	}
}

// Of values that an index holds whole, it needs no payload to tell which match.
func TestEachKindIsExact(t *testing.T) {
	spec := &token.Tokenizer{Kind: token.Word, Lowercase: true}
	day, next := moments[0], moments[2]
	one, yes, two := int64(1), true, 2.0
	for kind, c := range map[payload.Kind]struct {
		hit, miss any
		test      filter.Field
	}{
		payload.Keyword:  {"x", "y", filter.Field{Match: &filter.Match{Keyword: &words[0]}}},
		payload.UUID:     {someUUID, words[10], filter.Field{Match: &filter.Match{Keyword: &words[9]}}},
		payload.Integer:  {one, int64(2), filter.Field{Match: &filter.Match{Integer: &one}}},
		payload.Float:    {1.5, 2.5, filter.Field{Range: &filter.Range{LT: &two}}},
		payload.Bool:     {true, false, filter.Field{Match: &filter.Match{Bool: &yes}}},
		payload.Datetime: {"2024-01-01", "2024-02-01", filter.Field{DatetimeRange: &filter.DatetimeRange{GTE: &day, LT: &next}}},
		payload.Text:     {"X y", "z", filter.Field{Match: &filter.Match{Text: &filter.Text{Query: "x", Mode: filter.TextAll, Tokenizer: spec}}}},
		payload.Geo: {
			map[string]any{"lon": 1.0, "lat": 1.0}, map[string]any{"lon": 50.0, "lat": 50.0},
			filter.Field{GeoRadius: &filter.GeoRadius{Meters: 1e6}},
		},
	} {
		f := payload.Field{Kind: kind}
		if kind == payload.Text {
			f.Tokenizer = spec
		}
		s := payload.New(payload.Schema{"a": f})
		s.Put(1, s.Extract(point.Payload{"a": c.hit}))
		s.Put(2, s.Extract(point.Payload{"a": c.miss}))
		c.test.Key = "a"
		plan := s.Plan(&filter.Filter{Must: []filter.Condition{{Field: &c.test}}}, nil)
		if !plan.Exact() || !slices.Equal(plan.Lower.ToArray(), []uint32{1}) {
			t.Errorf("%s: %v to %v", kind, plan.Lower, plan.Upper)
		}
	}
}

// What is empty, null or missing, in all combinations of two elements.
func TestShapesOfValues(t *testing.T) {
	rapidless := func(s *payload.Set, m model, f *filter.Filter) {
		matcher, plan := compile(t, f), s.Plan(f, m)
		for label, p := range m {
			if matcher.Match(target{label, p}) != plan.Lower.Contains(label) || !plan.Exact() {
				t.Errorf("%v of %v: the plan says %v, exact %v", f, p, plan.Lower.Contains(label), plan.Exact())
			}
		}
	}
	values := []any{nil, []any{}, []any{nil}, []any{nil, "x"}, "x", []any{[]any{}}, map[string]any{}}
	element := func(i int) any {
		if i == len(values) {
			return map[string]any{}
		}
		return map[string]any{"b": values[i]}
	}
	for _, path := range []string{"a", "a[].b", "a[]"} {
		s, m := payload.New(payload.Schema{path: {Kind: payload.Keyword}}), model{}
		add := func(p point.Payload) {
			label := uint32(len(m))
			m[label] = p
			s.Put(label, s.Extract(p))
		}
		add(nil)
		for i := range len(values) + 1 {
			if i < len(values) {
				add(point.Payload{"a": values[i]})
			}
			add(point.Payload{"a": []any{element(i)}})
			for j := range len(values) + 1 {
				add(point.Payload{"a": []any{element(i), element(j)}})
			}
		}
		yes, no := true, false
		for _, c := range []filter.Condition{
			{IsEmpty: &path}, {IsNull: &path}, {Field: &filter.Field{Key: path, IsEmpty: &yes}}, {Field: &filter.Field{Key: path, IsEmpty: &no}},
			{Field: &filter.Field{Key: path, IsNull: &yes}}, {Field: &filter.Field{Key: path, IsNull: &no}},
		} {
			rapidless(s, m, &filter.Filter{Must: []filter.Condition{c}})
			rapidless(s, m, &filter.Filter{MustNot: []filter.Condition{c}})
		}
	}
}

// Indexes of some size, under many changes, still agree: their lists are cut, joined and turned into bitmaps.
func TestIndexesOfSomeSizeAgree(t *testing.T) {
	tokenizer := token.Default()
	s := payload.New(payload.Schema{
		"k": {Kind: payload.Keyword}, "n": {Kind: payload.Integer}, "at": {Kind: payload.Geo}, "t": {Kind: payload.Text, Tokenizer: &tokenizer}, "few": {Kind: payload.Integer},
	})
	rnd, m := rand.New(rand.NewPCG(1, 2)), model{}
	filters := func() []*filter.Filter {
		field := func(f filter.Field) *filter.Filter { return &filter.Filter{Must: []filter.Condition{{Field: &f}}} }
		low, high, word := float64(rnd.IntN(4000)-2000), float64(rnd.IntN(4000)-2000), strconv.Itoa(rnd.IntN(100))
		a, b := filter.Geo{Lon: rnd.Float64()*360 - 180, Lat: rnd.Float64() * 90}, filter.Geo{Lon: rnd.Float64()*360 - 180, Lat: -rnd.Float64() * 90}
		n := rnd.Int64N(5)
		return []*filter.Filter{
			field(filter.Field{Key: "n", Range: &filter.Range{GTE: &low, LT: &high}}), field(filter.Field{Key: "n", Range: &filter.Range{GT: &low}}),
			field(filter.Field{Key: "k", Match: &filter.Match{Keyword: &word}}), field(filter.Field{Key: "k", Match: &filter.Match{Prefix: &word}}),
			field(filter.Field{Key: "few", Match: &filter.Match{Integer: &n}}), field(filter.Field{Key: "few", Match: &filter.Match{ExceptInteger: []int64{n}}}),
			field(filter.Field{Key: "at", GeoBox: &filter.GeoBox{TopLeft: a, BottomRight: b}}),
			field(filter.Field{Key: "at", GeoPolygon: &filter.GeoPolygon{Exterior: []filter.Geo{a, b, {Lon: low / 20, Lat: high / 50}, a}}}),
			field(filter.Field{Key: "at", GeoRadius: &filter.GeoRadius{Center: a, Meters: rnd.Float64() * 5e6}}),
			field(filter.Field{Key: "t", Match: &filter.Match{Text: &filter.Text{Query: word + " 7", Mode: filter.TextAll, Tokenizer: &tokenizer}}}),
		}
	}
	draw := func() point.Payload {
		return point.Payload{
			"k": []any{strconv.Itoa(rnd.IntN(100)), strconv.Itoa(rnd.IntN(1000))}, "n": rnd.Int64N(3000) - 1500, "few": rnd.Int64N(5),
			"at": map[string]any{"lon": rnd.Float64()*360 - 180, "lat": rnd.Float64()*180 - 90}, "t": fmt.Sprint(rnd.IntN(100), " ", rnd.IntN(10)),
		}
	}
	check := func() {
		for _, f := range filters() {
			matcher, plan := compile(t, f), s.Plan(f, m)
			for label, p := range m {
				if matcher.Match(target{label, p}) != plan.Lower.Contains(label) {
					t.Fatalf("%v of %v: the plan says %v", f, p, plan.Lower.Contains(label))
				}
			}
			if !plan.Exact() || plan.Lower.GetCardinality() > uint64(len(m)) {
				t.Fatalf("%v: exact %v, %d of %d", f, plan.Exact(), plan.Lower.GetCardinality(), len(m))
			}
		}
	}
	for range 4 {
		for range 6000 {
			label := uint32(rnd.IntN(4000))
			m[label] = draw()
			s.Put(label, s.Extract(m[label]))
		}
		check()
		for range 8000 {
			label := uint32(rnd.IntN(4000))
			delete(m, label)
			s.Remove(label)
		}
		check()
	}
}
