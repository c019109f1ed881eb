package filter_test

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// The naive evaluator reads the tree as it is documented, value by value, with no thought of speed. It shares only
// paths and dates with what it checks.

func naive(f *filter.Filter, t *target, payload point.Payload) bool {
	n := func(list []filter.Condition) (matched int) {
		for _, c := range list {
			if naiveCondition(c, t, payload) {
				matched++
			}
		}
		return matched
	}
	return n(f.Must) == len(f.Must) && n(f.MustNot) == 0 && (len(f.Should) == 0 || n(f.Should) > 0) &&
		(f.MinShould == nil || uint64(n(f.MinShould.Conditions)) >= f.MinShould.Count)
}

func reached(key string, payload point.Payload) []any {
	p, err := point.ParsePath(key)
	if err != nil {
		panic(err)
	}
	return slices.Collect(p.Values(payload))
}

func naiveCondition(c filter.Condition, t *target, payload point.Payload) bool {
	switch {
	case c.IsEmpty != nil:
		return !slices.ContainsFunc(reached(*c.IsEmpty, payload), func(v any) bool { return !naiveEmpty(v) })
	case c.IsNull != nil:
		return slices.ContainsFunc(reached(*c.IsNull, payload), func(v any) bool { return v == nil })
	case c.HasID != nil:
		return slices.Contains(c.HasID.IDs, t.id)
	case c.HasVector != nil:
		return slices.Contains(t.vectors, *c.HasVector)
	case c.Filter != nil:
		return naive(c.Filter, t, payload)
	case c.Nested != nil:
		for _, list := range reached(strings.TrimSuffix(c.Nested.Key, "[]"), payload) {
			elements, _ := list.([]any)
			for _, e := range elements {
				if m, ok := e.(map[string]any); ok && naive(&c.Nested.Filter, t, m) {
					return true
				}
			}
		}
		return false
	}
	return naiveField(c.Field, payload)
}

func naiveEmpty(v any) bool { return v == nil || reflect.DeepEqual(v, []any{}) }

func naiveField(f *filter.Field, payload point.Payload) bool {
	values := reached(f.Key, payload)
	switch {
	case f.IsEmpty != nil:
		return len(values) == 0 && *f.IsEmpty || slices.ContainsFunc(values, func(v any) bool { return naiveEmpty(v) == *f.IsEmpty })
	case f.IsNull != nil:
		isNull := func(v any) bool {
			list, _ := v.([]any)
			return v == nil || slices.ContainsFunc(list, func(e any) bool { return e == nil })
		}
		return len(values) == 0 && !*f.IsNull || slices.ContainsFunc(values, func(v any) bool { return isNull(v) == *f.IsNull })
	case f.ValuesCount != nil:
		return slices.ContainsFunc(values, func(v any) bool { return naiveCount(f.ValuesCount, v) })
	}
	if f.Match != nil && f.Match.Text != nil && f.Match.Text.Tokenizer != nil {
		return naiveWords(f.Match.Text, values)
	}
	for _, v := range values {
		candidates := []any{v}
		if list, ok := v.([]any); ok {
			candidates = list
		}
		for _, e := range candidates {
			if naiveTest(f, e) {
				return true
			}
		}
	}
	return false
}

func naiveCount(r *filter.CountRange, v any) bool {
	n := uint64(1)
	if list, ok := v.([]any); ok {
		n = uint64(len(list))
	} else if v == nil {
		n = 0
	}
	return (r.LT == nil || n < *r.LT) && (r.GT == nil || n > *r.GT) && (r.GTE == nil || n >= *r.GTE) && (r.LTE == nil || n <= *r.LTE)
}

func naiveTest(f *filter.Field, v any) bool {
	switch {
	case f.Match != nil:
		return naiveMatch(f.Match, v)
	case f.Range != nil:
		return naiveRange(f.Range, v)
	case f.DatetimeRange != nil:
		s, _ := v.(string)
		at, ok := filter.ParseDatetime(s)
		r := f.DatetimeRange
		return ok && (r.LT == nil || at.Before(*r.LT)) && (r.GT == nil || at.After(*r.GT)) &&
			(r.GTE == nil || !at.Before(*r.GTE)) && (r.LTE == nil || !at.After(*r.LTE))
	}
	m, _ := v.(map[string]any)
	lon, okLon := naiveNumber(m["lon"])
	lat, okLat := naiveNumber(m["lat"])
	if !okLon || !okLat {
		return false
	}
	if b := f.GeoBox; b != nil {
		east, west := lon > b.TopLeft.Lon, lon < b.BottomRight.Lon
		across := b.TopLeft.Lon > b.BottomRight.Lon
		return (east && west || across && (east || west)) && lat > b.BottomRight.Lat && lat < b.TopLeft.Lat
	}
	if p := f.GeoPolygon; p != nil {
		return inRectangle(p.Exterior, lon, lat, true) && !slices.ContainsFunc(p.Interiors, func(ring []filter.Geo) bool { return inRectangle(ring, lon, lat, false) })
	}
	return chord(f.GeoRadius.Center, filter.Geo{Lon: lon, Lat: lat}) < f.GeoRadius.Meters
}

// inRectangle is for rings that rectangle made; strictly leaves the edge out.
func inRectangle(ring []filter.Geo, lon, lat float64, strictly bool) bool {
	a, b := ring[0], ring[2]
	if strictly {
		return a.Lon < lon && lon < b.Lon && a.Lat < lat && lat < b.Lat
	}
	return a.Lon <= lon && lon <= b.Lon && a.Lat <= lat && lat <= b.Lat
}

// rectangle is a ring around some degrees, either way round.
func rectangle(t *rapid.T) []filter.Geo {
	west, south := rapid.IntRange(-180, 179).Draw(t, "west"), rapid.IntRange(-90, 89).Draw(t, "south")
	a := filter.Geo{Lon: float64(west), Lat: float64(south)}
	b := filter.Geo{Lon: float64(rapid.IntRange(west+1, 180).Draw(t, "east")), Lat: float64(rapid.IntRange(south+1, 90).Draw(t, "north"))}
	ring := []filter.Geo{a, {Lon: b.Lon, Lat: a.Lat}, b, {Lon: a.Lon, Lat: b.Lat}, a}
	if rapid.Bool().Draw(t, "clockwise") {
		slices.Reverse(ring)
	}
	return ring
}

// chord measures along the surface by way of the straight line between two points of the sphere.
func chord(a, b filter.Geo) float64 {
	x := func(g filter.Geo) [3]float64 {
		lon, lat := g.Lon*math.Pi/180, g.Lat*math.Pi/180
		return [3]float64{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
	}
	p, q := x(a), x(b)
	d := math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
	return 2 * 6371008.8 * math.Asin(min(1, d/2))
}

func naiveNumber(v any) (float64, bool) {
	if n, ok := v.(int64); ok {
		return float64(n), true
	}
	f, ok := v.(float64)
	return f, ok
}

func naiveMatch(m *filter.Match, v any) bool {
	anyOf := func() bool {
		s, isText := v.(string)
		n, isInt := v.(int64)
		return isText && (slices.Contains(m.AnyKeyword, s) || slices.Contains(m.ExceptKeyword, s)) ||
			isInt && (slices.Contains(m.AnyInteger, n) || slices.Contains(m.ExceptInteger, n))
	}
	text, isText := v.(string)
	switch {
	case m.Prefix != nil:
		return isText && len(text) >= len(*m.Prefix) && text[:len(*m.Prefix)] == *m.Prefix
	case m.Text != nil && m.Text.Mode == filter.TextAny:
		return isText && slices.ContainsFunc(strings.Fields(m.Text.Query), func(part string) bool { return strings.Contains(text, part) })
	case m.Text != nil:
		return isText && strings.Contains(text, m.Text.Query)
	case m.Keyword != nil:
		return reflect.DeepEqual(v, *m.Keyword)
	case m.Integer != nil:
		return reflect.DeepEqual(v, *m.Integer)
	case m.Bool != nil:
		return reflect.DeepEqual(v, *m.Bool)
	case m.ExceptKeyword != nil || m.ExceptInteger != nil || m.EmptySet != nil && *m.EmptySet == "except":
		return v != nil && !anyOf()
	}
	return anyOf()
}

func naiveRange(r *filter.Range, v any) bool {
	x := new(big.Float).SetPrec(2000)
	switch v := v.(type) {
	case int64:
		x.SetInt64(v)
	case float64:
		x.SetFloat64(v)
	default:
		return false
	}
	compare := func(bound float64) int { return x.Cmp(new(big.Float).SetPrec(2000).SetFloat64(bound)) }
	return (r.LT == nil || compare(*r.LT) < 0) && (r.GT == nil || compare(*r.GT) > 0) &&
		(r.GTE == nil || compare(*r.GTE) >= 0) && (r.LTE == nil || compare(*r.LTE) <= 0)
}

// Generators over a world so small that conditions often match.

func pick[T any](t *rapid.T, list ...T) T { return rapid.SampledFrom(list).Draw(t, "pick") }

func maybe[T any](t *rapid.T, list ...T) *T {
	if rapid.Bool().Draw(t, "set") {
		return nil
	}
	v := pick(t, list...)
	return &v
}

func drawValue(t *rapid.T, depth int) any {
	n := rapid.IntRange(0, 12).Draw(t, "kind")
	switch {
	case n < 3:
		return pick[any](t, "x", "y", "z", "2024-01-01", "2024-01-02T03:04:05Z", "", "X, y", "y x y", "xy z", "Ÿ xyz", "The foxes", "fox's x", "over y")
	case n < 6:
		return pick[any](t, int64(0), int64(1), int64(2), int64(1<<53), int64(1<<53+1), int64(math.MaxInt64))
	case n == 6:
		return pick[any](t, 0.0, 1.0, 1.5, -2.0, float64(1<<53), 1e19)
	case n == 7:
		return pick[any](t, nil, true, false)
	case depth == 0:
		return map[string]any{"lon": pick[any](t, 0.0, 10.0, int64(179), -179.5), "lat": pick[any](t, 0.0, 50.0, int64(-50))}
	case n < 10:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			list[i] = drawValue(t, depth-1)
		}
		return list
	}
	return map[string]any(drawPayload(t, depth-1))
}

func drawPayload(t *rapid.T, depth int) point.Payload {
	p := point.Payload{}
	for range rapid.IntRange(0, 3).Draw(t, "members") {
		p[pick(t, "a", "b", "c")] = drawValue(t, depth)
	}
	return p
}

func drawPath(t *rapid.T) string {
	return pick(t, "a", "b", "c", "a.b", "a[]", "a[].b", "b[0]", "a[].b[]", "a.a")
}

func drawFilter(t *rapid.T, depth int, inside bool) *filter.Filter {
	f := &filter.Filter{Must: drawList(t, depth, inside), MustNot: drawList(t, depth, inside), Should: drawList(t, depth, inside)}
	if rapid.IntRange(0, 3).Draw(t, "min_should") == 0 {
		f.MinShould = &filter.MinShould{Count: rapid.Uint64Range(0, 3).Draw(t, "count"), Conditions: drawList(t, depth, inside)}
	}
	return f
}

func drawList(t *rapid.T, depth int, inside bool) []filter.Condition {
	var list []filter.Condition
	for range pick(t, 0, 0, 0, 1, 1, 2) {
		list = append(list, drawCondition(t, depth, inside))
	}
	return list
}

func drawCondition(t *rapid.T, depth int, inside bool) filter.Condition {
	path := drawPath(t)
	switch n := rapid.IntRange(0, 11).Draw(t, "condition"); {
	case n == 0:
		return filter.Condition{IsEmpty: &path}
	case n == 1:
		return filter.Condition{IsNull: &path}
	case n == 2 && !inside:
		ids := []point.ID{point.Num(1), point.Num(2), point.UUID([16]byte{1})}
		return filter.Condition{HasID: &filter.HasID{IDs: ids[:rapid.IntRange(0, 3).Draw(t, "ids")]}}
	case n == 3 && !inside:
		name := pick(t, "", "v")
		return filter.Condition{HasVector: &name}
	case n == 4 && depth > 0:
		return filter.Condition{Filter: drawFilter(t, depth-1, inside)}
	case n <= 6 && depth > 0:
		return filter.Condition{Nested: &filter.Nested{Key: path, Filter: *drawFilter(t, depth-1, true)}}
	}
	return filter.Condition{Field: drawField(t, path)}
}

func drawField(t *rapid.T, path string) *filter.Field {
	f := &filter.Field{Key: path}
	yes := rapid.Bool().Draw(t, "yes")
	place := func() filter.Geo {
		return filter.Geo{Lon: rapid.Float64Range(-180, 180).Draw(t, "lon"), Lat: rapid.Float64Range(-90, 90).Draw(t, "lat")}
	}
	switch rapid.IntRange(0, 10).Draw(t, "test") {
	case 0:
		f.IsEmpty = &yes
	case 1:
		f.IsNull = &yes
	case 2:
		n := []uint64{0, 1, 2, 3}
		f.ValuesCount = &filter.CountRange{LT: maybe(t, n...), GT: maybe(t, n...), GTE: maybe(t, n...), LTE: maybe(t, n...)}
	case 3, 4:
		n := []float64{0, 1, 1.5, 2, 1 << 53, 1 << 63, -2}
		f.Range = &filter.Range{LT: maybe(t, n...), GT: maybe(t, n...), GTE: maybe(t, n...), LTE: maybe(t, n...)}
	case 5:
		n := []time.Time{time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)}
		f.DatetimeRange = &filter.DatetimeRange{LT: maybe(t, n...), GT: maybe(t, n...), GTE: maybe(t, n...), LTE: maybe(t, n...)}
	case 6:
		a, b := place(), place()
		f.GeoBox = &filter.GeoBox{TopLeft: filter.Geo{Lon: a.Lon, Lat: max(a.Lat, b.Lat)}, BottomRight: filter.Geo{Lon: b.Lon, Lat: min(a.Lat, b.Lat)}}
	case 7:
		f.GeoRadius = &filter.GeoRadius{Center: place(), Meters: rapid.Float64Range(0, 2e7).Draw(t, "metres")}
	case 8:
		f.GeoPolygon = &filter.GeoPolygon{Exterior: rectangle(t)}
		for range rapid.IntRange(0, 2).Draw(t, "holes") {
			f.GeoPolygon.Interiors = append(f.GeoPolygon.Interiors, rectangle(t))
		}
	default:
		f.Match = drawMatch(t)
	}
	return f
}

func drawMatch(t *rapid.T) *filter.Match {
	texts, numbers := []string{"x", "y", "q"}, []int64{0, 1, 7, 1 << 53}
	n := rapid.IntRange(1, 3).Draw(t, "values")
	return pick(t,
		&filter.Match{Keyword: &texts[0]}, &filter.Match{Integer: &numbers[1]}, &filter.Match{Integer: &numbers[3]},
		&filter.Match{Bool: new(bool)}, &filter.Match{AnyKeyword: texts[:n]}, &filter.Match{AnyInteger: numbers[:n]},
		&filter.Match{ExceptKeyword: texts[:n]}, &filter.Match{ExceptInteger: numbers[:n]},
		&filter.Match{EmptySet: ptr("any")}, &filter.Match{EmptySet: ptr("except")}, &filter.Match{Prefix: &texts[0]},
		&filter.Match{Text: drawText(t)}, &filter.Match{Text: drawText(t)})
}

var textQueries = []string{"x", "x y", "y x", "Y", "xy", "y.x y", "q x", "", " ", "ÿ", "fox", "the foxes", "fo", "foxes", "th", "the", "x the y", "fox x"}

func drawText(t *rapid.T) *filter.Text {
	text := &filter.Text{Query: pick(t, textQueries...), Mode: pick(t, filter.TextAll, filter.TextAny, filter.TextPhrase)}
	if rapid.Bool().Draw(t, "tokenized") {
		text.Tokenizer = drawTokenizer(t)
	}
	return text
}

func drawTokenizer(t *rapid.T) *token.Tokenizer {
	return &token.Tokenizer{
		Kind: pick(t, token.Word, token.Whitespace, token.Prefix), Lowercase: rapid.Bool().Draw(t, "lowercase"),
		Folding: rapid.Bool().Draw(t, "folding"), MinLen: pick[uint64](t, 0, 0, 1, 2), MaxLen: pick[uint64](t, 0, 0, 2),
		Stopwords: pick(t, nil, []string{"y"}), StopLanguages: pick(t, nil, []string{"english"}), Stemmer: pick(t, "", "english"),
	}
}

// naiveWords finds all words first.
func naiveWords(d *filter.Text, values []any) bool {
	wanted, met := naiveCut(d.Tokenizer, d.Query, d.Tokenizer.Kind == token.Prefix && d.Mode != filter.TextPhrase), map[string]bool{}
	phrase := false
	for _, v := range values {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, e := range list {
			s, _ := e.(string)
			words := naiveCut(d.Tokenizer, s, false)
			for i := range words {
				for j, q := range wanted {
					if !naiveMeets(d.Tokenizer, words[i], q) {
						continue
					}
					met[q] = true
					phrase = phrase || j == 0 && i+len(wanted) <= len(words) &&
						naiveRun(d.Tokenizer, words[i:i+len(wanted)], wanted)
				}
			}
		}
	}
	switch d.Mode {
	case filter.TextPhrase:
		return phrase
	case filter.TextAny:
		return len(met) > 0
	}
	return len(wanted) > 0 && !slices.ContainsFunc(wanted, func(q string) bool { return !met[q] })
}

func naiveRun(t *token.Tokenizer, words, wanted []string) bool {
	for i := range words {
		if !naiveMeets(t, words[i], wanted[i]) {
			return false
		}
	}
	return true
}

func naiveMeets(t *token.Tokenizer, word, query string) bool {
	r := []rune(query)
	if t.Kind == token.Prefix && t.MaxLen > 0 && len(r) > int(t.MaxLen) {
		query = string(r[:t.MaxLen])
	}
	return word == query || t.Kind == token.Prefix && strings.HasPrefix(word, query)
}

// naiveCut knows all words that are drawn. As prefixes that are looked for, stop words count.
func naiveCut(t *token.Tokenizer, text string, prefixes bool) (words []string) {
	split := strings.Fields(text)
	if t.Kind != token.Whitespace {
		split = strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	}
	for _, w := range split {
		if t.Folding {
			w = strings.NewReplacer("ÿ", "y", "Ÿ", "Y").Replace(w)
		}
		if t.Lowercase {
			w = strings.ToLower(w)
		}
		stop := slices.Contains(t.Stopwords, w) || t.StopLanguages != nil && slices.Contains([]string{"the", "over"}, w)
		if stop && !prefixes {
			continue
		}
		if t.Stemmer != "" {
			w = naiveStem(w)
		}
		n := uint64(len([]rune(w)))
		if n < t.MinLen || t.MaxLen > 0 && n > t.MaxLen && t.Kind != token.Prefix {
			continue
		}
		words = append(words, w)
	}
	return words
}

func naiveStem(w string) string {
	stems := map[string]string{"foxes": "fox", "fox's": "fox", "theory": "theori"}
	if stem, ok := stems[w]; ok {
		return stem
	}
	return w
}

func ptr[T any](v T) *T { return &v }

func drawTarget(t *rapid.T) *target {
	return &target{
		id: pick(t, point.Num(1), point.Num(3), point.UUID([16]byte{1})), vectors: []string{pick(t, "", "v", "w")},
		payload: drawPayload(t, 3),
	}
}

func TestMatchersAgreeWithTheNaiveEvaluator(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		f := drawFilter(t, 3, false)
		m, err := filter.Compile(f)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := filter.CompileEncoded(filter.Encode(f))
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			at := drawTarget(t)
			want := naive(f, at, at.payload)
			if want {
				matched++
			}
			if m.Match(at) != want || decoded.Match(at) != want {
				text, _ := json.Marshal(at.payload)
				t.Fatalf("%v\nof %s (id %v, vectors %v): want %v", f, text, at.id, at.vectors, want)
			}
			if !m.NeedsPayload() && m.Match(&target{id: at.id, vectors: at.vectors}) != want {
				t.Fatalf("%v needs the payload after all", f)
			}
			if ids, ok := f.IDs(); ok && want && !slices.Contains(ids, at.id) {
				t.Fatalf("%v matches %v, which is none of %v", f, at.id, ids)
			}
		}
	})
	if matched == 0 {
		t.Error("nothing ever matched: the test says nothing")
	}
}
