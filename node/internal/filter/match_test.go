package filter_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// target is a point under test.
type target struct {
	id      point.ID
	payload point.Payload
	vectors []string
}

func (t *target) ID() point.ID                   { return t.id }
func (t *target) Member(name string) (any, bool) { return t.payload.Member(name) }

func (t *target) HasVector(name string) bool {
	for _, v := range t.vectors {
		if v == name {
			return true
		}
	}
	return false
}

// object is the payload of most cases below.
const object = `{
	"city": "Berlin", "tags": ["a", "b", 7, [1, "deep"]], "n": 5, "f": 5.0, "yes": true, "nil": null, "none": [],
	"nulls": [1, null], "obj": {"x": 1}, "empty": {}, "big": 9007199254740993,
	"when": "2024-02-29T12:00:00+02:00", "day": ["soon", "2024-03-01"],
	"at": {"lon": 13.4, "lat": 52.5}, "places": [{"lon": 0, "lat": 0}, {"lon": 179.9, "lat": -17}],
	"list": [{"a": 1, "b": "x"}, {"a": 2, "b": "y", "in": [{"c": 1}, {"c": 2}]}, 3]
}`

// condition reads a condition in the JSON form of the tree.
func condition(t testing.TB, text string) filter.Condition {
	t.Helper()
	var c filter.Condition
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func must(t testing.TB, conditions ...string) *filter.Filter {
	f := &filter.Filter{}
	for _, c := range conditions {
		f.Must = append(f.Must, condition(t, c))
	}
	return f
}

func compile(t testing.TB, f *filter.Filter) *filter.Matcher {
	t.Helper()
	m, err := filter.Compile(f)
	if err != nil {
		t.Fatalf("%v: %v", f, err)
	}
	return m
}

func berlin(t testing.TB) *target {
	t.Helper()
	p, err := point.FromJSON([]byte(object))
	if err != nil {
		t.Fatal(err)
	}
	return &target{id: point.Num(7), payload: p, vectors: []string{"", "title"}}
}

func TestConditionsMatchAsQdrantsDo(t *testing.T) {
	at := berlin(t)
	for _, c := range []struct {
		text string
		want bool
	}{
		{`{"field":{"key":"city","match":{"keyword":"Berlin"}}}`, true},
		{`{"field":{"key":"city","match":{"keyword":"berlin"}}}`, false},
		{`{"field":{"key":"missing","match":{"keyword":"Berlin"}}}`, false},
		{`{"field":{"key":"tags","match":{"keyword":"b"}}}`, true},
		{`{"field":{"key":"tags","match":{"integer":7}}}`, true},
		{`{"field":{"key":"tags","match":{"keyword":"deep"}}}`, false}, // an array in an array is not flattened
		{`{"field":{"key":"tags[]","match":{"keyword":"deep"}}}`, true},
		{`{"field":{"key":"tags[0]","match":{"keyword":"a"}}}`, true},
		{`{"field":{"key":"tags[1]","match":{"keyword":"a"}}}`, false},
		{`{"field":{"key":"tags[9]","match":{"keyword":"a"}}}`, false},
		{`{"field":{"key":"n","match":{"integer":5}}}`, true},
		{`{"field":{"key":"f","match":{"integer":5}}}`, false}, // a float is no integer
		{`{"field":{"key":"n","match":{"keyword":"5"}}}`, false},
		{`{"field":{"key":"yes","match":{"bool":true}}}`, true},
		{`{"field":{"key":"yes","match":{"bool":false}}}`, false},
		{`{"field":{"key":"city","match":{"any_keyword":["Paris","Berlin"]}}}`, true},
		{`{"field":{"key":"n","match":{"any_integer":[1,2]}}}`, false},
		{`{"field":{"key":"n","match":{"any_integer":[1,2,3,4,6,7,8,9,10,11,12,13,14,5]}}}`, true},
		{`{"field":{"key":"city","match":{"empty_set":"any"}}}`, false},
		{`{"field":{"key":"city","match":{"empty_set":"except"}}}`, true},
		{`{"field":{"key":"nil","match":{"empty_set":"except"}}}`, false},
		{`{"field":{"key":"city","match":{"except_keyword":["Berlin"]}}}`, false},
		{`{"field":{"key":"city","match":{"except_keyword":["Paris"]}}}`, true},
		{`{"field":{"key":"tags","match":{"except_keyword":["a","b"]}}}`, true}, // 7 is none of them
		{`{"field":{"key":"n","match":{"except_keyword":["5"]}}}`, true},
		{`{"field":{"key":"n","match":{"except_integer":[5]}}}`, false},
		{`{"field":{"key":"f","match":{"except_integer":[5]}}}`, true},
		{`{"field":{"key":"yes","match":{"except_integer":[5]}}}`, true},
		{`{"field":{"key":"empty","match":{"except_integer":[5]}}}`, true},
		{`{"field":{"key":"nil","match":{"except_integer":[5]}}}`, false},
		{`{"field":{"key":"none","match":{"except_integer":[5]}}}`, false},
		{`{"field":{"key":"missing","match":{"except_integer":[5]}}}`, false},

		{`{"field":{"key":"n","range":{"gte":5,"lt":6}}}`, true},
		{`{"field":{"key":"n","range":{"gt":5}}}`, false},
		{`{"field":{"key":"n","range":{"lte":4.999}}}`, false},
		{`{"field":{"key":"f","range":{"gte":5,"lte":5}}}`, true},
		{`{"field":{"key":"n","range":{}}}`, true},
		{`{"field":{"key":"city","range":{}}}`, false},
		{`{"field":{"key":"tags","range":{"gt":6}}}`, true},
		{`{"field":{"key":"list[].a","range":{"gt":1}}}`, true},
		{`{"field":{"key":"list[].a","range":{"gt":2}}}`, false},
		{`{"field":{"key":"big","range":{"gt":9007199254740992}}}`, true}, // as float64 they would be equal
		{`{"field":{"key":"big","range":{"lte":9007199254740992}}}`, false},

		{`{"field":{"key":"when","datetime_range":{"gte":"2024-02-29T10:00:00Z","lte":"2024-02-29T10:00:00Z"}}}`, true},
		{`{"field":{"key":"when","datetime_range":{"gt":"2024-02-29T10:00:00Z"}}}`, false},
		{`{"field":{"key":"day","datetime_range":{"gte":"2024-03-01T00:00:00Z"}}}`, true},
		{`{"field":{"key":"n","datetime_range":{}}}`, false},
		{`{"field":{"key":"city","datetime_range":{}}}`, false},

		{`{"is_empty":"missing"}`, true}, {`{"is_empty":"nil"}`, true}, {`{"is_empty":"none"}`, true},
		{`{"is_empty":"nulls"}`, false}, {`{"is_empty":"empty"}`, false}, {`{"is_empty":"city"}`, false},
		{`{"is_empty":"list[].b"}`, false}, {`{"is_empty":"list[].z"}`, true},
		{`{"is_null":"missing"}`, false}, {`{"is_null":"nil"}`, true}, {`{"is_null":"none"}`, false},
		{`{"is_null":"nulls"}`, false}, {`{"is_null":"nulls[]"}`, true}, {`{"is_null":"city"}`, false},
		{`{"field":{"key":"missing","is_empty":true}}`, true}, {`{"field":{"key":"missing","is_empty":false}}`, false},
		{`{"field":{"key":"none","is_empty":true}}`, true}, {`{"field":{"key":"nulls","is_empty":false}}`, true},
		{`{"field":{"key":"missing","is_null":true}}`, false}, {`{"field":{"key":"missing","is_null":false}}`, true},
		{`{"field":{"key":"nulls","is_null":true}}`, true}, {`{"field":{"key":"nulls","is_null":false}}`, false},
		{`{"field":{"key":"none","is_null":false}}`, true}, {`{"field":{"key":"nil","is_null":true}}`, true},

		{`{"has_id":{"ids":["7"]}}`, true}, {`{"has_id":{"ids":["8"]}}`, false}, {`{"has_id":{"ids":[]}}`, false},
		{`{"has_id":{"ids":["00000000-0000-0000-0000-000000000007"]}}`, false},
		{`{"has_id":{"ids":["1","2","3","4","5","6","8","9","10","11","12","13","14","7"]}}`, true},
		{`{"has_vector":""}`, true}, {`{"has_vector":"title"}`, true}, {`{"has_vector":"body"}`, false},

		{`{"field":{"key":"tags","values_count":{"gte":4,"lte":4}}}`, true},
		{`{"field":{"key":"city","values_count":{"gte":1,"lt":2}}}`, true},
		{`{"field":{"key":"empty","values_count":{"gt":0}}}`, true},
		{`{"field":{"key":"none","values_count":{"lt":1}}}`, true},
		{`{"field":{"key":"nil","values_count":{"lte":0}}}`, true},
		{`{"field":{"key":"missing","values_count":{"lte":0}}}`, false}, // as in Qdrant
		{`{"field":{"key":"list[].in","values_count":{"gt":1}}}`, true},

		{`{"nested":{"key":"list","filter":{"must":[{"field":{"key":"a","match":{"integer":2}}},{"field":{"key":"b","match":{"keyword":"y"}}}]}}}`, true},
		{`{"nested":{"key":"list[]","filter":{"must":[{"field":{"key":"a","match":{"integer":1}}},{"field":{"key":"b","match":{"keyword":"y"}}}]}}}`, false},
		{`{"nested":{"key":"list","filter":{"must":[{"nested":{"key":"in","filter":{"must":[{"field":{"key":"c","match":{"integer":2}}}]}}}]}}}`, true},
		{`{"nested":{"key":"list","filter":{"must_not":[{"is_empty":"in"}]}}}`, true},
		{`{"nested":{"key":"list","filter":{}}}`, true},
		{`{"nested":{"key":"tags","filter":{}}}`, false}, // no element is an object
		{`{"nested":{"key":"obj","filter":{}}}`, false},  // an object is no array
		{`{"nested":{"key":"missing","filter":{}}}`, false},

		{`{"field":{"key":"at","geo_box":{"top_left":{"lon":13,"lat":53},"bottom_right":{"lon":14,"lat":52}}}}`, true},
		{`{"field":{"key":"at","geo_box":{"top_left":{"lon":13.4,"lat":53},"bottom_right":{"lon":14,"lat":52}}}}`, false}, // on the edge
		{`{"field":{"key":"places","geo_box":{"top_left":{"lon":170,"lat":0},"bottom_right":{"lon":-170,"lat":-40}}}}`, true},
		{`{"field":{"key":"at","geo_box":{"top_left":{"lon":170,"lat":90},"bottom_right":{"lon":-170,"lat":-90}}}}`, false},
		{`{"field":{"key":"city","geo_box":{"top_left":{"lon":-180,"lat":90},"bottom_right":{"lon":180,"lat":-90}}}}`, false},
		{`{"field":{"key":"at","geo_radius":{"center":{"lon":13.4,"lat":52.51},"meters":1113}}}`, true},
		{`{"field":{"key":"at","geo_radius":{"center":{"lon":13.4,"lat":52.51},"meters":1111}}}`, false},
		{`{"field":{"key":"places","geo_radius":{"center":{"lon":-179.9,"lat":-17},"meters":22000}}}`, true},
		{`{"field":{"key":"at","geo_radius":{"center":{"lon":13.4,"lat":52.5},"meters":0}}}`, false},
	} {
		if got := compile(t, must(t, c.text)).Match(at); got != c.want {
			t.Errorf("%s: got %v", c.text, got)
		}
	}
}

func TestClausesCombine(t *testing.T) {
	yes, no := condition(t, `{"has_id":{"ids":["7"]}}`), condition(t, `{"has_id":{"ids":["8"]}}`)
	list := func(c ...filter.Condition) []filter.Condition { return c }
	atLeast := func(n uint64, c ...filter.Condition) *filter.MinShould {
		return &filter.MinShould{Count: n, Conditions: c}
	}
	for name, c := range map[string]struct {
		f    filter.Filter
		want bool
	}{
		"empty":                   {filter.Filter{}, true},
		"must":                    {filter.Filter{Must: list(yes, yes)}, true},
		"must, one fails":         {filter.Filter{Must: list(yes, no)}, false},
		"must_not":                {filter.Filter{MustNot: list(no, no)}, true},
		"must_not, one matches":   {filter.Filter{MustNot: list(no, yes)}, false},
		"should":                  {filter.Filter{Should: list(no, yes)}, true},
		"should, none":            {filter.Filter{Should: list(no, no)}, false},
		"should beside must":      {filter.Filter{Must: list(yes), Should: list(no)}, false},
		"min_should met":          {filter.Filter{MinShould: atLeast(2, yes, no, yes)}, true},
		"min_should not met":      {filter.Filter{MinShould: atLeast(2, yes, no, no)}, false},
		"min_should of 0":         {filter.Filter{MinShould: atLeast(0, no)}, true},
		"min_should out of reach": {filter.Filter{MinShould: atLeast(3, yes, yes)}, false},
		"min_should beside must":  {filter.Filter{Must: list(no), MinShould: atLeast(1, yes)}, false},
		"filter in a filter":      {filter.Filter{Must: list(filter.Condition{Filter: &filter.Filter{Should: list(no, yes)}})}, true},
		"not of a filter":         {filter.Filter{MustNot: list(filter.Condition{Filter: &filter.Filter{}})}, false},
	} {
		if got := compile(t, &c.f).Match(berlin(t)); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if m := compile(t, nil); !m.Match(&target{}) || m.NeedsPayload() || !m.MatchesAll() {
		t.Error("a nil filter is not match-all")
	}
}

// pointOnly fails the test when its payload is looked at.
type pointOnly struct {
	target
	t *testing.T
}

func (p *pointOnly) Member(string) (any, bool) {
	p.t.Error("the payload was looked at")
	return nil, false
}

func TestPayloadsAreLookedAtLast(t *testing.T) {
	city := `{"field":{"key":"city","match":{"keyword":"Berlin"}}}`
	other := `{"has_id":{"ids":["8"]}}`
	m := compile(t, must(t, city, other))
	if !m.NeedsPayload() || m.MatchesAll() || m.Match(&pointOnly{target: *berlin(t), t: t}) {
		t.Error("point 7 is not 8, whatever its payload")
	}
	if compile(t, must(t, other, `{"has_vector":"x"}`)).NeedsPayload() {
		t.Error("ids and vectors need no payload")
	}
	inner := must(t, `{"nested":{"key":"list","filter":{}}}`)
	if !compile(t, &filter.Filter{MustNot: []filter.Condition{{Filter: inner}}}).NeedsPayload() {
		t.Error("a nested condition needs the payload")
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	at := berlin(t)
	for _, text := range []string{
		`{"field":{"key":"city","match":{"keyword":"Berlin"}}}`, `{"field":{"key":"tags","match":{"any_integer":[7]}}}`,
		`{"field":{"key":"city","match":{"except_keyword":["1","2","3","4","5","6","7","8","9","10","11","12","13"]}}}`,
		`{"field":{"key":"list[].a","range":{"gt":1}}}`, `{"field":{"key":"day","datetime_range":{"gte":"2024-03-01T00:00:00Z"}}}`,
		`{"is_empty":"missing"}`, `{"is_null":"nil"}`, `{"has_id":{"ids":["7"]}}`, `{"has_vector":"title"}`,
		`{"field":{"key":"tags","values_count":{"gte":4}}}`,
		`{"nested":{"key":"list","filter":{"must":[{"field":{"key":"a","match":{"integer":2}}}]}}}`,
		`{"field":{"key":"places","geo_radius":{"center":{"lon":-179.9,"lat":-17},"meters":22000}}}`,
		`{"field":{"key":"at","geo_box":{"top_left":{"lon":13,"lat":53},"bottom_right":{"lon":14,"lat":52}}}}`,
	} {
		m := compile(t, must(t, text))
		if n := testing.AllocsPerRun(50, func() {
			if !m.Match(at) {
				t.Fatal("no match")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func TestDatetimesAreReadInAllTheirForms(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for text, want := range map[string]time.Time{
		"2024-02-29":                       at("2024-02-29T00:00:00Z"),
		"2024-02-29T10:20:30Z":             at("2024-02-29T10:20:30Z"),
		"2024-02-29t10:20:30z":             at("2024-02-29T10:20:30Z"),
		"2024-02-29 10:20:30":              at("2024-02-29T10:20:30Z"),
		"2024-02-29T10:20:30.123456789":    at("2024-02-29T10:20:30.123456789Z"),
		"2024-02-29 10:20":                 at("2024-02-29T10:20:00Z"),
		"2024-02-29T10:20:30.5+01:30":      at("2024-02-29T08:50:30.5Z"),
		"2024-02-29T10:20:30-0130":         at("2024-02-29T11:50:30Z"),
		"2024-02-29 10:20:30+02":           at("2024-02-29T08:20:30Z"),
		"2024-02-29 10:20:30 +02:00":       at("2024-02-29T08:20:30Z"),
		"2024-02-29 10:20:30 UTC":          at("2024-02-29T10:20:30Z"),
		"2024-02-29T10:20:30.1234567891Z":  at("2024-02-29T10:20:30.123456789Z"),
		"2016-12-31T23:59:60Z":             at("2017-01-01T00:00:00Z"),
		"0001-01-01":                       at("0001-01-01T00:00:00Z"),
		"9999-12-31T23:59:59.999999999Z":   at("9999-12-31T23:59:59.999999999Z"),
		"1969-12-31T23:59:59.999999-00:00": at("1969-12-31T23:59:59.999999Z"),
	} {
		if got, ok := filter.ParseDatetime(text); !ok || !got.Equal(want) {
			t.Errorf("%q: got %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "now", "2024", "2024-02", "2024-2-29", "2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "2024-01-32",
		"24-01-01", "2024-02-29T", "2024-02-29T10", "2024-02-29T24:00", "2024-02-29T10:60", "2024-02-29T10:20:61",
		"2024-02-29T10:20:30.", "2024-02-29T10:20:30+", "2024-02-29T10:20:30+25:00", "2024-02-29T10:20:30+01:60",
		"2024-02-29T10:20:30Zz", "2024-02-29 ", "2024-02-29 10:20 ", "2024-02-29x10:20", "2024-02-29T10:20:30+1:00", "٢٠٢٤-02-29",
	} {
		if got, ok := filter.ParseDatetime(text); ok {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestStringsAreForPeople(t *testing.T) {
	f := must(t, `{"field":{"key":"city","match":{"keyword":"Berlin"}}}`,
		`{"field":{"key":"age","range":{"gte":18,"lt":65}}}`, `{"field":{"key":"n","range":{"gt":1}}}`,
		`{"nested":{"key":"list","filter":{"should":[{"is_null":"x"},{"has_vector":"v"}]}}}`,
		`{"field":{"key":"t","datetime_range":{"lte":"2024-02-29T12:00:00+02:00"}}}`)
	f.MustNot = []filter.Condition{condition(t, `{"has_id":{"ids":["1","2","3","4","5","6","7","8","9","10"]}}`)}
	f.MinShould = &filter.MinShould{Count: 1, Conditions: f.MustNot[:0]}
	want := `city = "Berlin" and age in [18, 65) and n in (1, ..) and nested(list: any(is_null(x), has_vector("v")))` +
		` and t in (.., 2024-02-29T10:00:00Z] and not(has_id(1, 2, 3, 4, 5, 6, 7, 8, and 2 more)) and at_least(1, )`
	if got := f.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := (*filter.Filter)(nil).String() + (&filter.Filter{}).String(); got != "allall" {
		t.Errorf("got %s", got)
	}
	if strings.Contains(must(t, `{"field":{"key":"f","range":{"lte":1e300}}}`).String(), "000000") {
		t.Error("large bounds are written out")
	}
}

func TestRangesCompareExactly(t *testing.T) {
	for _, c := range []struct {
		n     int64
		bound float64
		less  bool
	}{
		{math.MaxInt64, 1 << 63, true}, {math.MinInt64, -1 << 63, false}, {math.MinInt64, -math.MaxFloat64, false},
		{-5, -4.5, true}, {-4, -4.5, false}, {5, 5.5, true}, {6, 5.5, false}, {0, math.Copysign(0, -1), false},
		{1<<53 + 1, 1 << 53, false}, {1<<53 + 1, 1<<53 + 2, true}, {0, 5e-324, true}, {0, -5e-324, false},
	} {
		f := &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "n", Range: &filter.Range{LT: &c.bound}}}}}
		if got := compile(t, f).Match(&target{payload: point.Payload{"n": c.n}}); got != c.less {
			t.Errorf("%d < %v: got %v", c.n, c.bound, got)
		}
	}
}
