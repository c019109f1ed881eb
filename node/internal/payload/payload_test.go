package payload_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// model is the points of a Set: the label of a point is its number.
type model map[uint32]point.Payload

// target shows a point to a matcher. Those with an even number have the vector "v".
type target struct {
	label   uint32
	payload point.Payload
}

func (t target) ID() point.ID                   { return point.Num(uint64(t.label)) }
func (t target) Member(name string) (any, bool) { return t.payload.Member(name) }
func (t target) HasVector(name string) bool {
	return name == "v" && t.label%2 == 0 || name == "unknown" && t.label%3 == 0
}

func (m model) Labels(ids []point.ID) *roaring.Bitmap {
	bm := roaring.New()
	for _, id := range ids {
		if _, ok := m[uint32(id.Number())]; ok {
			bm.Add(uint32(id.Number()))
		}
	}
	return bm
}

func (m model) WithVector(name string) *roaring.Bitmap {
	if name == "unknown" {
		return nil
	}
	bm := roaring.New()
	for label := range m {
		if (target{label: label}).HasVector(name) {
			bm.Add(label)
		}
	}
	return bm
}

func compile(t interface{ Fatal(...any) }, f *filter.Filter) *filter.Matcher {
	m, err := filter.Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// check compares a plan with what the matcher says of every point.
func (m model) check(t *rapid.T, s *payload.Set, f *filter.Filter) payload.Plan {
	matcher, plan := compile(t, f), s.Plan(f, m)
	fail := func(label uint32, what string) {
		text, _ := json.Marshal(m[label])
		t.Fatalf("%v\npoint %d, %s: %s", f, label, text, what)
	}
	n := uint64(0)
	for label, p := range m {
		matches := matcher.Match(target{label, p})
		if matches {
			n++
		}
		switch {
		case plan.Lower.Contains(label) && !matches:
			fail(label, "it is said to match, and does not")
		case plan.Upper != nil && !plan.Upper.Contains(label) && matches:
			fail(label, "it is ruled out, and matches")
		case plan.Exact() && matches != plan.Lower.Contains(label):
			fail(label, "the plan is not exact")
		}
	}
	for _, bm := range []*roaring.Bitmap{plan.Lower, plan.Upper} {
		if bm == nil {
			continue
		}
		bm.Iterate(func(label uint32) bool {
			if _, ok := m[label]; !ok {
				t.Fatalf("%v: there is no point %d", f, label)
			}
			return true
		})
	}
	if least, about, most := plan.Estimate(); least > n || n > most || about < least || about > most || plan.Total != uint64(len(m)) {
		t.Fatalf("%v: %d..%d..%d of %d, and it is %d", f, least, about, most, plan.Total, n)
	}
	return plan
}

// putIn fills what a Build is to fill, as a shard does.
func (m model) putIn(b *payload.Build, labels []uint32) {
	for _, label := range labels {
		if p, ok := m[label]; ok {
			b.Put(label, b.Extract(p))
		}
	}
}

// With any subset of indexes, at any time, plans bound what the matcher says.
func TestPlansAgreeWithTheMatcher(t *testing.T) {
	exact, bounded, plans := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s, m := payload.New(drawSchema(t)), model{}
		change := func() {
			label := rapid.Uint32Range(0, 12).Draw(t, "label")
			if rapid.IntRange(0, 4).Draw(t, "what") == 0 {
				s.Remove(label)
				delete(m, label)
				return
			}
			m[label] = drawPayload(t, 3)
			s.Put(label, s.Extract(m[label]))
		}
		for range rapid.IntRange(0, 20).Draw(t, "changes") {
			change()
		}
		asked := func() {
			for range 10 {
				plan := m.check(t, s, drawFilter(t, 2, false))
				plans++
				if plan.Exact() {
					exact++
				}
				if plan.Bounded() {
					bounded++
				}
			}
		}
		asked()
		// Other indexes, filled while points change; what was stored when the build began comes late.
		before := maps.Clone(m)
		b := s.Change(drawSchema(t))
		asked()
		for label := range before {
			if rapid.Bool().Draw(t, "change") {
				change()
			}
			if b != nil {
				before.putIn(b, []uint32{label})
			}
		}
		asked()
		if b != nil {
			b.Done()
		}
		asked()
		for range rapid.IntRange(0, 5).Draw(t, "later changes") {
			change()
		}
		asked()
		for path, st := range s.Statuses() {
			if !st.Ready || st.Points > uint64(len(m)) {
				t.Fatalf("%s: %+v of %d", path, st, len(m))
			}
		}
		for label := range m {
			s.Remove(label)
		}
		for path, st := range s.Statuses() {
			if st.Points != 0 || s.Len() != 0 {
				t.Fatalf("%s: %+v, and all points are gone", path, st)
			}
		}
	})
	if exact == 0 || bounded == exact || bounded == plans {
		t.Errorf("of %d plans %d are exact and %d bounded: the test says little", plans, exact, bounded)
	}
}

func parse(t *testing.T, text string) point.Payload {
	t.Helper()
	p, err := point.FromJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What people mostly ask is answered by the indexes alone.
func TestCommonFiltersNeedNoPayload(t *testing.T) {
	s := payload.New(payload.Schema{
		"city": {Kind: payload.Keyword}, "n": {Kind: payload.Integer}, "price": {Kind: payload.Float}, "at": {Kind: payload.Geo}, "yes": {Kind: payload.Bool},
		"when": {Kind: payload.Datetime}, "id": {Kind: payload.UUID}, "body": {Kind: payload.Text, Tokenizer: drawlessTokenizer()}, "list[].n": {Kind: payload.Integer},
	})
	for i := range 100 {
		s.Put(uint32(i), s.Extract(parse(t, fmt.Sprintf(
			`{"city":"c%d","n":%d,"price":%d.5,"at":{"lon":%d,"lat":1},"yes":%t,"when":"2024-01-01T00:%02d:00Z","id":"00000000-0000-4000-8000-0000000000%02d","body":"word %d here","list":[{"n":%d},{"n":2}]}`,
			i%5, i, i, i, i%2 == 0, i%60, i, i%10, i))))
	}
	for text, want := range map[string]uint64{
		`{"field":{"key":"city","match":{"keyword":"c1"}}}`:                                                                      20,
		`{"field":{"key":"city","match":{"except_keyword":["c1","c2"]}}}`:                                                        60,
		`{"field":{"key":"city","match":{"prefix":"c"}}}`:                                                                        100,
		`{"field":{"key":"n","match":{"any_integer":[1,2,500]}}}`:                                                                2,
		`{"field":{"key":"n","range":{"gte":10,"lt":20}}}`:                                                                       10,
		`{"field":{"key":"price","range":{"gt":10}}}`:                                                                            90,
		`{"field":{"key":"yes","match":{"bool":true}}}`:                                                                          50,
		`{"field":{"key":"when","datetime_range":{"lt":"2024-01-01T00:01:00Z"}}}`:                                                2,
		`{"field":{"key":"id","match":{"keyword":"00000000-0000-4000-8000-000000000007"}}}`:                                      1,
		`{"field":{"key":"at","geo_box":{"top_left":{"lon":9.5,"lat":2},"bottom_right":{"lon":19.5,"lat":0}}}}`:                  10,
		`{"field":{"key":"at","geo_radius":{"center":{"lon":50,"lat":1},"meters":150000}}}`:                                      3,
		`{"field":{"key":"body","match":{"text":{"query":"here 7","mode":"all","tokenizer":{"kind":"word","lowercase":true}}}}}`: 10,
		`{"field":{"key":"body","match":{"text":{"query":"3 7","mode":"any","tokenizer":{"kind":"word","lowercase":true}}}}}`:    20,
		`{"field":{"key":"list[].n","match":{"integer":2}}}`:                                                                     100,
		`{"is_empty":"city"}`: 0,
		`{"filter":{"should":[{"field":{"key":"n","match":{"integer":1}}},{"field":{"key":"n","match":{"integer":2}}}],"must_not":[{"field":{"key":"yes","match":{"bool":true}}}]}}`: 1,
	} {
		f := &filter.Filter{Must: []filter.Condition{{}}}
		if err := json.Unmarshal([]byte(text), &f.Must[0]); err != nil {
			t.Fatal(err)
		}
		compile(t, f)
		if p := s.Plan(f, model{}); !p.Exact() || p.Lower.GetCardinality() != want {
			t.Errorf("%s: exact %v, %d, want %d", text, p.Exact(), p.Lower.GetCardinality(), want)
		}
	}
	nested := `{"nested":{"key":"list","filter":{"must":[{"field":{"key":"n","match":{"integer":50}}},{"field":{"key":"x","is_empty":true}}]}}}`
	f := &filter.Filter{Must: []filter.Condition{{}}}
	if err := json.Unmarshal([]byte(nested), &f.Must[0]); err != nil {
		t.Fatal(err)
	}
	if p := s.Plan(f, model{}); p.Exact() || p.Upper.GetCardinality() != 1 {
		t.Errorf("nested: exact %v, at most %d", p.Exact(), p.Upper.GetCardinality())
	}
}

// A point with more than an index holds is never left out, nor does it grow the index.
func TestPointsWithTooMuchAreAskedTheirPayload(t *testing.T) {
	s := payload.New(payload.Schema{"k": {Kind: payload.Keyword}, "n": {Kind: payload.Integer}, "body": {Kind: payload.Text, Tokenizer: drawlessTokenizer()}})
	list, ints, text := []any{}, []any{}, ""
	for i := range 5000 {
		list, ints = append(list, fmt.Sprint("v", i)), append(ints, int64(i))
		text += fmt.Sprint("word", i, " ")
	}
	s.Put(1, s.Extract(point.Payload{"k": list, "n": ints, "body": text + text}))
	s.Put(2, s.Extract(point.Payload{"k": "v1", "n": int64(1), "body": "word1"}))
	for _, c := range []string{
		`{"field":{"key":"k","match":{"keyword":"v1"}}}`, `{"field":{"key":"n","match":{"integer":1}}}`,
		`{"field":{"key":"body","match":{"text":{"query":"word1","mode":"all","tokenizer":{"kind":"word","lowercase":true}}}}}`,
	} {
		f := &filter.Filter{Must: []filter.Condition{{}}}
		if err := json.Unmarshal([]byte(c), &f.Must[0]); err != nil {
			t.Fatal(err)
		}
		p := s.Plan(f, model{})
		if p.Exact() || !slices.Equal(p.Lower.ToArray(), []uint32{2}) || !slices.Equal(p.Upper.ToArray(), []uint32{1, 2}) {
			t.Errorf("%s: %v..%v", c, p.Lower, p.Upper)
		}
	}
	for path, st := range s.Statuses() {
		if st.Points != 1 {
			t.Errorf("%s holds %d points", path, st.Points)
		}
	}
}

func drawlessTokenizer() *token.Tokenizer {
	t := token.Default()
	return &t
}

func TestEveryChangeIsAnotherMoment(t *testing.T) {
	s := payload.New(payload.Schema{"a": {Kind: payload.Integer}})
	seen := map[uint64]string{s.Moment(): "new"}
	p := point.Payload{"a": int64(1), "b": "x"}
	var b *payload.Build
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"put", func() { s.Put(1, s.Extract(p)) }},
		{"put again", func() { s.Put(1, s.Extract(p)) }},
		{"add", func() { s.Add(2) }},
		{"remove", func() { s.Remove(2) }},
		{"declare", func() { b = s.Change(payload.Schema{"a": {Kind: payload.Integer}, "b": {Kind: payload.Keyword}}) }},
		{"fill", func() { b.Put(1, b.Extract(p)) }},
		{"complete", func() { b.Done() }},
		{"drop", func() { s.Change(nil) }},
	} {
		c.do()
		if before, ok := seen[s.Moment()]; ok {
			t.Errorf("%s: the moment is that of %s", c.name, before)
		}
		seen[s.Moment()] = c.name
	}
	now := s.Moment()
	s.Remove(7)
	if s.Plan(nil, nil); s.Moment() != now {
		t.Error("nothing changed, and the moment did")
	}
}
