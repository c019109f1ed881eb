package payload_test

import (
	"math"
	"time"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// Generators over a world so small that conditions often match, with values at the borders of what indexes hold.

func pick[T any](t *rapid.T, list ...T) T { return rapid.SampledFrom(list).Draw(t, "pick") }

func maybe[T any](t *rapid.T, list ...T) *T {
	if rapid.Bool().Draw(t, "unset") {
		return nil
	}
	v := pick(t, list...)
	return &v
}

const someUUID = "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"

var (
	words   = []string{"x", "y", "xy", "X y", "y x y", "", "2024-01-01", "2024-01-01T00:00:00.0000001Z", "2024-01-02T03:04:05.000001Z", someUUID, "5C56C793-69F3-4FBF-87E6-C4BF54C28C26", "Ÿ", "日本語", "x日 本y", "The foxes", "over a fox x"}
	whole   = []int64{0, 1, 2, -1, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64}
	numbers = []float64{0, math.Copysign(0, -1), 1, 1.5, -2, 1 << 53, 1 << 63, -1 << 63, 1e300, 5e-324}
	moments = []time.Time{
		time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 1, 1, 0, 0, 0, 100, time.UTC), time.Date(2024, 1, 2, 3, 4, 5, 1000, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 999, time.UTC),
	}
)

func drawPlace(t *rapid.T) filter.Geo {
	lon := pick(t, 0.0, 10, 179.999, 180, -180, -179.5, rapid.Float64Range(-180, 180).Draw(t, "lon"))
	lat := pick(t, 0.0, 50, 90, -90, 89.9, rapid.Float64Range(-90, 90).Draw(t, "lat"))
	return filter.Geo{Lon: lon, Lat: lat}
}

func drawValue(t *rapid.T, depth int) any {
	switch n := rapid.IntRange(0, 15).Draw(t, "kind"); {
	case n < 4:
		return pick(t, words...)
	case n < 6:
		return pick(t, whole...)
	case n == 6:
		return pick(t, numbers...)
	case n == 7:
		return pick[any](t, nil, true, false)
	case n < 10:
		g := drawPlace(t)
		return map[string]any{"lon": pick[any](t, g.Lon, g.Lon, int64(500)), "lat": pick[any](t, g.Lat, g.Lat, "x")}
	case depth == 0:
		return pick(t, words...)
	case n < 14:
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
		p[pick(t, "a", "b")] = drawValue(t, depth)
	}
	return p
}

var paths = []string{"a", "b", "a.b", "a[].b", "a[].b[].a", "b[]"}

func drawTokenizer(t *rapid.T) *token.Tokenizer {
	return &token.Tokenizer{
		Kind: pick(t, token.Word, token.Whitespace, token.Prefix, token.Multilingual), Lowercase: true, Folding: rapid.Bool().Draw(t, "folding"), MinLen: pick[uint64](t, 0, 0, 2),
		Stemmer: pick(t, "", "english", "german"), StopLanguages: pick(t, nil, []string{"english"}),
	}
}

func drawSchema(t *rapid.T) payload.Schema {
	schema := payload.Schema{}
	for _, path := range paths {
		f := payload.Field{Kind: pick(t, payload.Keyword, payload.Integer, payload.Float, payload.Geo, payload.Text, payload.Bool, payload.Datetime, payload.UUID)}
		if f.Kind == payload.Text {
			f.Tokenizer = drawTokenizer(t)
		}
		if rapid.IntRange(0, 3).Draw(t, "indexed") > 0 {
			schema[path] = f
		}
	}
	return schema
}

func drawFilter(t *rapid.T, depth int, inside bool) *filter.Filter {
	switch rapid.IntRange(0, 4).Draw(t, "form") {
	case 0, 1:
		return &filter.Filter{Must: []filter.Condition{drawCondition(t, depth, inside)}}
	case 2:
		return &filter.Filter{MustNot: []filter.Condition{drawCondition(t, depth, inside)}}
	}
	list := func() (list []filter.Condition) {
		for range pick(t, 0, 0, 0, 1, 1, 2) {
			list = append(list, drawCondition(t, depth, inside))
		}
		return list
	}
	f := &filter.Filter{Must: list(), MustNot: list(), Should: list()}
	if rapid.IntRange(0, 3).Draw(t, "min_should") == 0 {
		f.MinShould = &filter.MinShould{Count: rapid.Uint64Range(0, 3).Draw(t, "count"), Conditions: append(list(), list()...)}
	}
	return f
}

func drawCondition(t *rapid.T, depth int, inside bool) filter.Condition {
	path := pick(t, paths...)
	switch n := rapid.IntRange(0, 20).Draw(t, "condition"); {
	case n == 0:
		return filter.Condition{IsEmpty: &path}
	case n == 1:
		return filter.Condition{IsNull: &path}
	case n == 2 && !inside:
		ids := []point.ID{point.Num(1), point.Num(2), point.Num(77)}
		return filter.Condition{HasID: &filter.HasID{IDs: ids[:rapid.IntRange(0, 3).Draw(t, "ids")]}}
	case n == 3 && !inside:
		name := pick(t, "", "v", "unknown")
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
	switch rapid.IntRange(0, 12).Draw(t, "test") {
	case 0:
		f.IsEmpty = &yes
	case 1:
		f.IsNull = &yes
	case 2:
		n := []uint64{0, 1, 2, 3}
		f.ValuesCount = &filter.CountRange{LT: maybe(t, n...), GT: maybe(t, n...), GTE: maybe(t, n...), LTE: maybe(t, n...)}
	case 3, 4:
		f.Range = &filter.Range{LT: maybe(t, numbers...), GT: maybe(t, numbers...), GTE: maybe(t, numbers...), LTE: maybe(t, numbers...)}
	case 5:
		f.DatetimeRange = &filter.DatetimeRange{LT: maybe(t, moments...), GT: maybe(t, moments...), GTE: maybe(t, moments...), LTE: maybe(t, moments...)}
	case 6:
		a, b := drawPlace(t), drawPlace(t)
		f.GeoBox = &filter.GeoBox{TopLeft: filter.Geo{Lon: a.Lon, Lat: max(a.Lat, b.Lat)}, BottomRight: filter.Geo{Lon: b.Lon, Lat: min(a.Lat, b.Lat)}}
	case 7:
		f.GeoRadius = &filter.GeoRadius{Center: drawPlace(t), Meters: pick(t, 0, 1, 1e5, 5e6, 3e7, rapid.Float64Range(0, 2e7).Draw(t, "metres"))}
	case 8:
		f.GeoPolygon = &filter.GeoPolygon{Exterior: drawRing(t), Interiors: [][]filter.Geo{drawRing(t)}[:rapid.IntRange(0, 1).Draw(t, "holes")]}
	default:
		f.Match = drawMatch(t)
	}
	return f
}

func drawRing(t *rapid.T) []filter.Geo {
	ring := make([]filter.Geo, rapid.IntRange(3, 6).Draw(t, "corners"))
	for i := range ring {
		ring[i] = drawPlace(t)
	}
	return append(ring, ring[0])
}

func drawMatch(t *rapid.T) *filter.Match {
	texts := []string{pick(t, words...), pick(t, words...), "q"}
	ints := []int64{pick(t, whole...), pick(t, whole...), 7}
	n := rapid.IntRange(1, 3).Draw(t, "values")
	text := &filter.Text{Query: pick(t, "x", "x y", "y x", "xy", "q x", "", "ÿ", "日本", "本", "本 y", "日本語 x", "fox", "foxes x", "the fox", "th"), Mode: pick(t, filter.TextAll, filter.TextAny, filter.TextPhrase)}
	if rapid.IntRange(0, 3).Draw(t, "tokenized") > 0 {
		text.Tokenizer = drawTokenizer(t)
	}
	any, except, yes := "any", "except", rapid.Bool().Draw(t, "yes")
	return pick(t,
		&filter.Match{Keyword: &texts[0]}, &filter.Match{Integer: &ints[0]}, &filter.Match{Bool: &yes},
		&filter.Match{AnyKeyword: texts[:n]}, &filter.Match{AnyInteger: ints[:n]}, &filter.Match{ExceptKeyword: texts[:n]}, &filter.Match{ExceptInteger: ints[:n]},
		&filter.Match{EmptySet: &any}, &filter.Match{EmptySet: &except}, &filter.Match{Prefix: &texts[0]}, &filter.Match{Text: text}, &filter.Match{Text: text})
}
