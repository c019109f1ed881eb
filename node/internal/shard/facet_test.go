package shard_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

var faceted = payload.Schema{"k": {Kind: payload.Keyword}, "n": {Kind: payload.Integer}, "b": {Kind: payload.Bool}, "u": {Kind: payload.UUID}, "f": {Kind: payload.Float}}

// facets counts by hand: each value of a point once, of the field's own type only.
func (o *oracle) facets(req shard.FacetRequest) (out []payload.Facet) {
	counts := map[any]uint64{}
	for _, r := range o.points {
		if !matches(req.Filter, shown(r)) {
			continue
		}
		list, ok := r.Payload[req.Path].([]any)
		if !ok {
			list = []any{r.Payload[req.Path]}
		}
		seen := map[any]bool{}
		for _, v := range list {
			right := false
			switch v.(type) {
			case string:
				right = req.Path == "k" || req.Path == "u"
			case int64:
				right = req.Path == "n"
			case bool:
				right = req.Path == "b"
			}
			if right && !seen[v] {
				seen[v] = true
				counts[v]++
			}
		}
	}
	for v, n := range counts {
		out = append(out, payload.Facet{Value: v, Count: n})
	}
	slices.SortFunc(out, payload.CompareFacets)
	return out
}

func TestFacetsCountWhatMatches(t *testing.T) {
	n := newNode(t)
	const uuid = "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"
	rapid.Check(t, func(t *rapid.T) {
		s, o := n.indexed(t, n.next.Add(1), faceted), newOracle()
		defer func() { s.Close() }()
		value := func() any {
			return rapid.SampledFrom([]any{"x", "y", "", uuid, int64(0), int64(1), int64(-7), true, false, 1.5, nil, map[string]any{"x": "x"}}).Draw(t, "value")
		}
		var ps []point.Point
		for range rapid.IntRange(0, 30).Draw(t, "points") {
			p := point.Payload{}
			for path := range faceted {
				if p[path] = value(); rapid.IntRange(0, 3).Draw(t, "several") == 0 {
					p[path] = []any{value(), value(), value()}
				}
			}
			ps = append(ps, point.Point{ID: point.Num(rapid.Uint64Range(0, 40).Draw(t, "id")), Payload: p})
		}
		applyBoth(t, s, o, []shard.Entry{{Index: 1, Op: point.Upsert{Points: ps}}, {Index: 2, Op: point.Delete{Selector: point.Selector{IDs: []point.ID{point.Num(3), point.Num(4)}}}}})
		if rapid.Bool().Draw(t, "again") {
			s.SetSchema(with(nil))
			s.SetSchema(with(faceted))
			if rapid.Bool().Draw(t, "built") {
				s.AwaitBuilds()
			}
		}
		x, zero := "x", int64(0)
		for range 5 {
			req := shard.FacetRequest{Path: rapid.SampledFrom([]string{"k", "n", "b", "u"}).Draw(t, "path"), Exact: rapid.Bool().Draw(t, "exact")}
			switch rapid.IntRange(0, 3).Draw(t, "filter") {
			case 1:
				req.Filter = &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "k", Match: &filter.Match{Keyword: &x}}}}}
			case 2:
				req.Filter = &filter.Filter{MustNot: []filter.Condition{{Field: &filter.Field{Key: "n", Match: &filter.Match{Integer: &zero}}}}}
			case 3: // the index of k bounds it, payloads decide
				req.Filter = &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "k", Match: &filter.Match{Text: &filter.Text{Query: "x", Mode: filter.TextAll}}}}}}
			}
			got, err := s.Facet(ctx, req)
			if want := o.facets(req); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s of %v: %v, %v, want %v", req.Path, req.Filter, got, err, want)
			}
		}
	})
}

func TestFacetsAskPayloadsOfPointsWithTooMuch(t *testing.T) {
	n := newNode(t)
	s := n.indexed(t, 1, faceted)
	defer closeShard(t, s)
	var many []any
	for i := range 5000 {
		many = append(many, int64(i))
	}
	apply(t, s, upsert(point.Point{ID: point.Num(1), Payload: point.Payload{"n": many}}, point.Point{ID: point.Num(2), Payload: point.Payload{"n": int64(7)}}))
	one := []point.ID{point.Num(1)}
	for want, f := range map[int]*filter.Filter{
		2: nil, 1: {Must: []filter.Condition{{HasID: &filter.HasID{IDs: one}}}},
	} {
		got, err := s.Facet(ctx, shard.FacetRequest{Path: "n", Filter: f, Exact: true})
		if err != nil || len(got) != 5000 || got[0].Count != uint64(want) || want == 2 && got[0].Value != int64(7) {
			t.Errorf("%v: %d values, the first is %v, %v", f, len(got), got[0], err)
		}
	}
	for _, path := range []string{"f", "x"} {
		if _, err := s.Facet(ctx, shard.FacetRequest{Path: path}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
