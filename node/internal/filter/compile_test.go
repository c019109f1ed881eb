package filter_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestCompileNamesWhatIsWrongAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                               "must[0]: a condition must say exactly one thing, this one says 0",
		`{"is_null":"a","is_empty":"a"}`:                   "says 2",
		`{"is_null":"a..b"}`:                               `is_null: payload path "a..b"`,
		`{"is_empty":""}`:                                  "is_empty",
		`{"nested":{"key":"","filter":{}}}`:                "nested",
		`{"field":{"key":"a"}}`:                            `field "a": a field must be tested for exactly one thing`,
		`{"field":{"key":"","is_null":true}}`:              "payload path",
		`{"field":{"key":"a","match":{}}}`:                 "match must compare with exactly one thing, this one does with 0",
		`{"field":{"key":"a","match":{"any_keyword":[]}}}`: "with 0",
		`{"field":{"key":"a","match":{"keyword":"x","bool":true}}}`:                                         "with 2",
		`{"field":{"key":"a","match":{"empty_set":"all"}}}`:                                                 "empty_set",
		`{"field":{"key":"a","range":{},"is_null":true}}`:                                                   "is for 2",
		`{"field":{"key":"a","geo_box":{"top_left":{"lon":181,"lat":1},"bottom_right":{"lon":0,"lat":0}}}}`: "geo_box: top_left: longitude 181",
		`{"field":{"key":"a","geo_box":{"top_left":{"lon":0,"lat":1},"bottom_right":{"lon":0,"lat":-91}}}}`: "bottom_right",
		`{"field":{"key":"a","geo_box":{"top_left":{"lon":0,"lat":1},"bottom_right":{"lon":1,"lat":2}}}}`:   "south",
		`{"field":{"key":"a","geo_radius":{"center":{"lon":0,"lat":-90.1},"meters":1}}}`:                    "geo_radius: center",
		`{"field":{"key":"a","geo_radius":{"center":{"lon":0,"lat":0},"meters":-1}}}`:                       "no radius",
		`{"nested":{"key":"a","filter":{"should":[{"has_id":{"ids":[]}}]}}}`:                                `nested "a": should[0]: has_id and has_vector have no place`,
		`{"nested":{"key":"a","filter":{"must_not":[{"filter":{"must":[{"has_vector":""}]}}]}}}`:            "no place",
		`{"filter":{"min_should":{"conditions":[{"is_null":"a"},{"filter":{"must_not":[{}]}}],"count":1}}}`: "must[0]: min_should[1]: must_not[0]: a condition",
	} {
		_, err := filter.Compile(must(t, text))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "filter: must[0]: ") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestCompileRefusesValuesThatNoTextCanHold(t *testing.T) {
	nan, inf, late := math.NaN(), math.Inf(1), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, f := range map[string]filter.Field{
		"NaN":           {Range: &filter.Range{LT: &nan}},
		"infinity":      {Range: &filter.Range{GTE: &inf}},
		"year 10000":    {DatetimeRange: &filter.DatetimeRange{GT: &late}},
		"keyword":       {Match: &filter.Match{Keyword: ptr("\xff")}},
		"any keyword":   {Match: &filter.Match{AnyKeyword: []string{"a", "\xff"}}},
		"except":        {Match: &filter.Match{ExceptKeyword: []string{"\xff"}}},
		"longitude NaN": {GeoRadius: &filter.GeoRadius{Center: filter.Geo{Lon: nan}}},
		"radius NaN":    {GeoRadius: &filter.GeoRadius{Meters: nan}},
		"radius Inf":    {GeoRadius: &filter.GeoRadius{Meters: inf}},
	} {
		f.Key = "a"
		if _, err := filter.Compile(&filter.Filter{Must: []filter.Condition{{Field: &f}}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := filter.Compile(&filter.Filter{Must: []filter.Condition{{HasVector: ptr("\xff")}}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("vector name: %v", err)
	}
}

// deep returns filters inside each other, of which one is at that level.
func deep(levels int, nested bool) *filter.Filter {
	f := &filter.Filter{}
	for range levels - 1 {
		if nested {
			f = &filter.Filter{MinShould: &filter.MinShould{Conditions: []filter.Condition{{Nested: &filter.Nested{Key: "a", Filter: *f}}}}}
		} else {
			f = &filter.Filter{Must: []filter.Condition{{Filter: f}}}
		}
	}
	return f
}

func TestFiltersAreBounded(t *testing.T) {
	wide := func(n int) *filter.Filter {
		return &filter.Filter{Should: slices.Repeat([]filter.Condition{{IsNull: ptr("a")}}, n)}
	}
	ids := func(n int) *filter.Filter {
		return &filter.Filter{Must: []filter.Condition{
			{HasID: &filter.HasID{IDs: make([]point.ID, n-1)}}, {Field: &filter.Field{Key: "a", Match: &filter.Match{AnyInteger: []int64{1}}}},
		}}
	}
	for name, fits := range map[string]*filter.Filter{
		"levels": deep(filter.MostDepth, false), "nested levels": deep(filter.MostDepth, true), "conditions": wide(filter.MostConditions), "values": ids(filter.MaxValues),
	} {
		if _, err := filter.Compile(fits); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
		if _, err := filter.CompileEncoded(filter.Encode(fits)); err != nil {
			t.Errorf("%s at the limit, decoded: %v", name, err)
		}
	}
	for name, over := range map[string]*filter.Filter{
		"levels": deep(filter.MostDepth+1, false), "nested levels": deep(filter.MostDepth+1, true), "conditions": wide(filter.MostConditions + 1), "values": ids(filter.MaxValues + 1),
	} {
		if _, err := filter.Compile(over); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s over the limit: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"hostile nesting": append([]byte{1}, strings.Repeat(`{"must":[{"filter":`, 1<<16)...),
		"size":            append([]byte{1, '{'}, make([]byte, filter.MaxEncodedBytes)...),
	} {
		if _, err := filter.Decode(b); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFiltersComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFilter(t, 3, false)
		b := filter.Encode(f)
		got, err := filter.Decode(b)
		if err != nil || got.String() != f.String() || !bytes.Equal(filter.Encode(got), b) {
			t.Fatalf("%v came back as %v, %v", f, got, err)
		}
	})
	if filter.Encode(nil) != nil {
		t.Error("a nil filter has bytes")
	}
	for _, none := range [][]byte{nil, {}} {
		if f, err := filter.Decode(none); f != nil || err != nil {
			t.Errorf("no bytes: %v, %v", f, err)
		}
	}
	if f, err := filter.Decode(filter.Encode(&filter.Filter{})); f == nil || err != nil {
		t.Errorf("the empty filter came back as %v, %v", f, err)
	}
}

func TestTimesAreEncodedInUTC(t *testing.T) {
	zone := time.FixedZone("odd", 3600+30) // RFC 3339 has no seconds in zones
	at := time.Date(2024, 1, 2, 3, 4, 5, 6, zone)
	f := &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "t", DatetimeRange: &filter.DatetimeRange{GTE: &at}}}}}
	got, err := filter.Decode(filter.Encode(f))
	if err != nil || !got.Must[0].Field.DatetimeRange.GTE.Equal(at) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhatIsNotUnderstoodIsNeverAMatch(t *testing.T) {
	for name, text := range map[string]string{
		"unknown condition": `{"must":[{"field":{"key":"a","match_phrase":"x"}}]}`,
		"unknown clause":    `{"must":[],"nor":[]}`,
		"type":              `{"must":{}}`,
		"bad id":            `{"must":[{"has_id":{"ids":["x"]}}]}`,
		"cut":               `{"must":[`,
		"left over":         `{} {}`,
		"null":              `null`,
		"list":              `[]`,
		"nothing":           ``,
	} {
		if f, err := filter.Decode(append([]byte{1}, text...)); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%s: got %v, %v", name, f, err)
		}
	}
	if _, err := filter.Decode([]byte("\x02...")); !errors.Is(err, filter.ErrVersion) || !fault.Is(err, fault.Unsupported) {
		t.Errorf("newer version: %v", err)
	}
	if _, err := filter.Decode([]byte("{}")); err == nil {
		t.Error("bytes without a version were read")
	}
}

// Filters rest in logs: these bytes must be read for ever.
func TestEncodingsNeverChange(t *testing.T) {
	f := must(t, `{"field":{"key":"city","match":{"keyword":"Köln"}}}`, `{"has_id":{"ids":["7","f47ac10b-58cc-4372-a567-0e02b2c3d479"]}}`,
		`{"field":{"key":"n","range":{"gte":-1.5,"lt":1e300}}}`, `{"field":{"key":"t","datetime_range":{"lt":"2024-01-02T03:04:05.6Z"}}}`,
		`{"nested":{"key":"l","filter":{"must_not":[{"is_null":"x"}]}}}`, `{"filter":{"min_should":{"conditions":[{"has_vector":""}],"count":1}}}`)
	f.Should = []filter.Condition{{IsEmpty: ptr("e")}, {Field: &filter.Field{Key: "m", Match: &filter.Match{EmptySet: ptr("any")}}}}
	const want = "\x01" + `{"must":[{"field":{"key":"city","match":{"keyword":"Köln"}}},{"has_id":{"ids":["7","f47ac10b-58cc-4372-a567-0e02b2c3d479"]}},` +
		`{"field":{"key":"n","range":{"lt":1e+300,"gte":-1.5}}},{"field":{"key":"t","datetime_range":{"lt":"2024-01-02T03:04:05.6Z"}}},` +
		`{"nested":{"key":"l","filter":{"must_not":[{"is_null":"x"}]}}},{"filter":{"min_should":{"conditions":[{"has_vector":""}],"count":1}}}],` +
		`"should":[{"is_empty":"e"},{"field":{"key":"m","match":{"empty_set":"any"}}}]}`
	if got := filter.Encode(f); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, err := filter.Decode([]byte(want)); err != nil || got.String() != f.String() {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEncodingWhatDoesNotCompileIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("NaN was encoded")
		}
	}()
	filter.Encode(&filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "a", Range: &filter.Range{LT: ptr(math.NaN())}}}}})
}

func TestIDsAreThoseThatCanMatch(t *testing.T) {
	one, two := `{"has_id":{"ids":["3","1","2","1"]}}`, `{"has_id":{"ids":["2","9"]}}`
	nums := func(list ...uint64) (ids []point.ID) {
		for _, n := range list {
			ids = append(ids, point.Num(n))
		}
		return ids
	}
	for name, c := range map[string]struct {
		f    *filter.Filter
		want []point.ID
		ok   bool
	}{
		"nil":       {nil, nil, false},
		"none":      {must(t, `{"is_null":"a"}`), nil, false},
		"one":       {must(t, `{"is_null":"a"}`, one), nums(1, 2, 3), true},
		"smaller":   {must(t, one, two), nums(2, 9), true},
		"empty":     {must(t, one, `{"has_id":{"ids":[]}}`), nil, true},
		"inside":    {must(t, `{"filter":{"must":[`+two+`]}}`), nums(2, 9), true},
		"should":    {&filter.Filter{Should: must(t, one).Must}, nil, false},
		"must_not":  {&filter.Filter{MustNot: must(t, one).Must}, nil, false},
		"in should": {must(t, `{"filter":{"should":[`+two+`]}}`), nil, false},
	} {
		if got, ok := c.f.IDs(); ok != c.ok || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v", name, got, ok)
		}
	}
	f := must(t, one)
	if before := slices.Clone(f.Must[0].HasID.IDs); len(before) != 4 {
		t.Fatal(before)
	} else if f.IDs(); !reflect.DeepEqual(f.Must[0].HasID.IDs, before) {
		t.Error("IDs sorted the filter's own list")
	}
}

func FuzzDecodeCompileMatch(f *testing.F) {
	for _, text := range []string{
		`{"must":[{"field":{"key":"a[].b","match":{"any_keyword":["x"]}}}],"min_should":{"conditions":[{"is_null":"a"}],"count":1}}`,
		`{"should":[{"nested":{"key":"list","filter":{"must_not":[{"field":{"key":"a","range":{"gt":1}}}]}}},{"has_id":{"ids":["7"]}}]}`,
		`{"must":[{"field":{"key":"when","datetime_range":{"gte":"2024-01-01T00:00:00Z"}}},{"field":{"key":"tags","values_count":{"lt":9}}}]}`,
		`{"must":[{"field":{"key":"at","geo_radius":{"center":{"lon":1,"lat":2},"meters":3}}},{"field":{"key":"at","match":{"empty_set":"any"}}}]}`,
	} {
		f.Add([]byte(text))
	}
	at := berlin(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		decoded, err := filter.Decode(append([]byte{1}, text...))
		if err != nil {
			return
		}
		m, err := filter.Compile(decoded)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("class %v: %v", fault.ClassOf(err), err)
			}
			_ = decoded.String()
			return
		}
		got := m.Match(at)
		if want := naive(decoded, at, at.payload); got != want {
			t.Fatalf("%v: got %v, want %v", decoded, got, want)
		}
		once := filter.Encode(decoded)
		again, err := filter.Decode(once)
		if err != nil || !bytes.Equal(filter.Encode(again), once) {
			t.Fatalf("%s was encoded as\n%s and again as\n%s (%v)", text, hex.Dump(once), hex.Dump(filter.Encode(again)), err)
		}
	})
}

func FuzzParseDatetimeAgreesWithTheStandardLibrary(f *testing.F) {
	for _, s := range []string{"2024-02-29T10:20:30.5+01:30", "2024-02-29", "2016-12-31T23:59:60Z", "2024-02-29 10:20 UTC", "0000-01-01T0:00:00+00:00"} {
		f.Add(s)
	}
	// The standard library also reads a comma for the point, an hour of one digit, and zones that do not exist.
	strict := regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := filter.ParseDatetime(s)
		want, err := time.Parse(time.RFC3339Nano, s)
		if err == nil && strict.MatchString(s) && (!ok || !got.Equal(want)) {
			t.Fatalf("%q: got %v, %v, want %v", s, got, ok, want)
		}
		if ok && (got.UTC().Year() < -1 || got.UTC().Year() > 10000) {
			t.Fatalf("%q: got %v", s, got)
		}
	})
}
