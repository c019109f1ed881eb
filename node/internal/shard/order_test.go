package shard_test

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

var orders = payload.Schema{"n": {Kind: payload.Integer}, "f": {Kind: payload.Float}, "t": {Kind: payload.Datetime}, "k": {Kind: payload.Keyword}}

// valueAt is a value as an order sees it; ok is false for those that it does not see.
func valueAt(path string, v any) (x payload.Value, ok bool) {
	switch v := v.(type) {
	case int64:
		if path == "n" {
			return payload.Value{Integer: v}, true
		}
		return payload.Value{Float: true, Number: float64(v)}, path == "f"
	case float64:
		return payload.Value{Float: true, Number: v + 0}, path == "f"
	case string:
		t, ok := filter.ParseDatetime(v)
		return payload.Value{Integer: t.UnixMicro()}, ok && path == "t"
	}
	return x, false
}

func compareValues(a, b payload.Value) int {
	return cmp.Or(cmp.Compare(a.Integer, b.Integer), cmp.Compare(a.Number, b.Number))
}

// afterStart compares with the start as a person would.
func afterStart(x payload.Value, o payload.Order) bool {
	c := 0
	switch s := o.From; {
	case s.Int != nil && x.Float:
		c = cmp.Compare(x.Number, float64(*s.Int))
	case s.Int != nil:
		c = cmp.Compare(x.Integer, *s.Int)
	case s.Float != nil && x.Float:
		c = cmp.Compare(x.Number, *s.Float)
	case s.Float != nil && *s.Float >= 1<<63:
		c = -1
	case s.Float != nil && *s.Float < -1<<63:
		c = 1
	case s.Float != nil:
		whole := math.Floor(*s.Float)
		if c = cmp.Compare(x.Integer, int64(whole)); c == 0 && *s.Float > whole {
			c = -1
		}
	case s.Time != nil:
		c = time.UnixMicro(x.Integer).Compare(*s.Time)
	}
	if o.Desc {
		return c <= 0
	}
	return c >= 0
}

func (o *oracle) ordered(req shard.SearchRequest, field payload.Field) (out []shard.Scored, values []payload.Value) {
	type pair struct {
		id point.ID
		x  payload.Value
	}
	var pairs []pair
	for _, id := range o.ids() {
		if !matches(req.Filter, shown(o.points[id])) || slices.Contains(req.Exclude, id) {
			continue
		}
		list := []any{o.points[id].Payload[req.Order.Path]}
		if l, ok := list[0].([]any); ok {
			list = l
		}
		for _, v := range list {
			if x, ok := valueAt(req.Order.Path, v); ok && afterStart(x, *req.Order) && !slices.Contains(pairs, pair{id, x}) {
				pairs = append(pairs, pair{id, x})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		c := compareValues(a.x, b.x)
		if req.Order.Desc {
			c = -c
		}
		return cmp.Or(c, a.id.Compare(b.id))
	})
	for _, p := range pairs[:min(uint64(len(pairs)), req.Limit)] {
		out = append(out, shard.Scored{Record: view(o.points[p.id], req.Payload, req.Vectors), Score: 1})
		values = append(values, p.x)
	}
	return out, values
}

func drawOrder(t *rapid.T) payload.Order {
	o := payload.Order{Path: rapid.SampledFrom([]string{"n", "f", "t"}).Draw(t, "path"), Desc: rapid.Bool().Draw(t, "desc")}
	n := rapid.SampledFrom([]int64{0, 1, 1 << 53, 1704067200000000, math.MaxInt64, math.MinInt64}).Draw(t, "int")
	f := rapid.SampledFrom([]float64{0, 0.5, -1, 1 << 53, 1 << 63, -1 << 63, 1e300, -1e300}).Draw(t, "float")
	at := time.Date(2024, 1, 1, 0, 0, 0, rapid.SampledFrom([]int{0, 1, 1000}).Draw(t, "nanos"), time.UTC)
	switch rapid.IntRange(0, 3).Draw(t, "from") {
	case 1:
		o.From.Int = &n
	case 2:
		o.From.Float = &f
	case 3:
		if o.Path == "t" {
			o.From.Time = &at
		}
	}
	return o
}

func drawOrderedPoint(t *rapid.T) point.Point {
	value := func(list ...any) any {
		v := rapid.SampledFrom(list).Draw(t, "value")
		if rapid.IntRange(0, 3).Draw(t, "several") == 0 {
			return []any{v, rapid.SampledFrom(list).Draw(t, "another")}
		}
		return v
	}
	return point.Point{ID: point.Num(rapid.Uint64Range(0, 30).Draw(t, "id")), Payload: point.Payload{
		"n": value(int64(0), int64(1), int64(2), int64(math.MaxInt64), int64(math.MinInt64), 1.5, "x", nil),
		"f": value(0.0, 0.5, int64(1), int64(1<<53), int64(1<<53+1), 1e300, -1.0, "x"),
		"t": value("2024-01-01", "2024-01-01T00:00:00.0000005Z", "2024-01-01T00:00:00.000001Z", "2023-12-31", "soon", int64(1)),
		"k": rapid.SampledFrom([]any{"a", "b"}).Draw(t, "k"),
	}}
}

func TestPointsComeInTheOrderOfAPayloadValue(t *testing.T) {
	n := newNode(t)
	rapid.Check(t, func(t *rapid.T) {
		s, o := n.indexed(t, n.next.Add(1), orders), newOracle()
		defer func() { s.Close() }()
		ps := rapid.SliceOfN(rapid.Custom(drawOrderedPoint), 0, 40).Draw(t, "points")
		applyBoth(t, s, o, []shard.Entry{{Index: 1, Op: point.Upsert{Points: ps}}, {Index: 2, Op: point.Delete{Selector: point.Selector{IDs: []point.ID{point.Num(3), point.Num(4)}}}}})
		if rapid.Bool().Draw(t, "again") { // the indexes are built from the store, or are not ready yet
			s.SetSchema(with(nil))
			s.SetSchema(with(orders))
			if rapid.Bool().Draw(t, "built") {
				s.AwaitBuilds()
			}
		}
		a, body := "a", "b"
		for range 5 {
			order := drawOrder(t)
			req := shard.SearchRequest{Order: &order, Limit: rapid.SampledFrom([]uint64{1, 2, 5, 100}).Draw(t, "limit"), Payload: shard.PayloadSelector{Enable: true}}
			switch rapid.IntRange(0, 3).Draw(t, "filter") {
			case 1:
				req.Filter = &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "k", Match: &filter.Match{Keyword: &a}}}}}
			case 2: // no index answers it
				req.Filter = &filter.Filter{MustNot: []filter.Condition{{Field: &filter.Field{Key: "k", Match: &filter.Match{Text: &filter.Text{Query: body, Mode: filter.TextAll}}}}}}
			}
			if rapid.IntRange(0, 3).Draw(t, "excluded") == 0 {
				req.Exclude = []point.ID{point.Num(1), point.Num(7)}
			}
			want, values := o.ordered(req, orders[order.Path])
			got, err := s.Search(ctx, req)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%+v: %d points, %v, want %d", order, len(got), err, len(want))
			}
			for i := range got {
				if x := orders[order.Path].Value(got[i].Rank); compareValues(x, values[i]) != 0 || x.Float != values[i].Float {
					t.Fatalf("%+v: value %d is %+v, want %+v", order, i, x, values[i])
				}
				if got[i].Rank = 0; !equal(got[i], want[i]) {
					t.Fatalf("%+v: point %d is\n%+v, want\n%+v", order, i, got[i], want[i])
				}
			}
		}
	})
}

func TestOnlyNumbersAndMomentsHaveAnOrder(t *testing.T) {
	n := newNode(t)
	s := n.indexed(t, 1, orders)
	defer closeShard(t, s)
	nan, now := math.NaN(), time.Now()
	for name, o := range map[string]payload.Order{
		"keyword": {Path: "k"}, "nothing": {Path: "x"}, "NaN": {Path: "f", From: payload.Start{Float: &nan}}, "moment": {Path: "n", From: payload.Start{Time: &now}},
	} {
		if _, err := s.Search(ctx, shard.SearchRequest{Order: &o, Limit: 1}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A sample is of the points that match, each as likely as the other, and the same for the same seed.
func TestSamplesAreDrawnFromWhatMatches(t *testing.T) {
	n := newNode(t)
	s := n.indexed(t, 1, orders)
	defer closeShard(t, s)
	var ps []point.Point
	for i := range uint64(100) {
		ps = append(ps, point.Point{ID: point.Num(i), Payload: point.Payload{"k": []any{"a", "b"}[i%2], "free": int64(i % 4)}})
	}
	apply(t, s, upsert(ps...))
	keyword, four := "a", int64(3)
	filters := map[string]*filter.Filter{
		"all": nil, "indexed": {Must: []filter.Condition{{Field: &filter.Field{Key: "k", Match: &filter.Match{Keyword: &keyword}}}}},
		"not indexed": {MustNot: []filter.Condition{{Field: &filter.Field{Key: "free", Match: &filter.Match{Integer: &four}}}}},
	}
	for name, f := range filters {
		drawn := map[uint64]int{}
		const seeds = 300
		for seed := range uint64(seeds) {
			req := shard.SearchRequest{Sample: &seed, Limit: 10, Filter: f}
			got, err := s.Search(ctx, req)
			again, err2 := s.Search(ctx, req)
			if err != nil || err2 != nil || len(got) != 10 || !equal(got, again) {
				t.Fatalf("%s: %v, %v, %v", name, got, err, err2)
			}
			for i, h := range got {
				if i > 0 && got[i-1].Rank >= h.Rank || !matches(f, point.Record{Point: ps[h.ID.Number()]}) {
					t.Fatalf("%s: %+v", name, got)
				}
				drawn[h.ID.Number()]++
			}
		}
		of, err := s.Count(ctx, shard.CountRequest{Filter: f})
		if err != nil {
			t.Fatal(err)
		}
		if uint64(len(drawn)) != of {
			t.Errorf("%s: %d of %d points were ever drawn", name, len(drawn), of)
		}
		for id, times := range drawn {
			if mean := seeds * 10 / float64(of); float64(times) > 2*mean || float64(times) < mean/3 {
				t.Errorf("%s: point %d was drawn %d times, the mean is %.0f", name, id, times, mean)
			}
		}
	}
}
