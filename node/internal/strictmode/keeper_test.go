package strictmode_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/strictmode"
)

// bench is a Keeper over a collection whose contents and clock the test sets.
type bench struct {
	*strictmode.Keeper
	now      time.Time
	held     strictmode.Held
	err      error
	measured int
}

func newBench() *bench {
	b := &bench{now: time.Unix(1000, 0)}
	b.Keeper = strictmode.New(strictmode.Options{
		Measure: func(context.Context, string) (strictmode.Held, error) {
			b.measured++
			return b.held, b.err
		},
		Now: func() time.Time { return b.now },
	})
	return b
}

// strict is a collection with a vector "", a multivector "m" of two components, a sparse vector "s", a vector "flat" without
// a graph, and indexes.
func strict(s catalog.StrictMode) *catalog.Collection {
	s.Enabled = true
	c := &catalog.Collection{ID: 7, Name: "docs", Config: catalog.DefaultConfig(), PayloadSchema: map[string]catalog.FieldIndex{
		"word": {Type: catalog.KeywordField}, "n": {Type: catalog.IntegerField}, "x": {Type: catalog.FloatField},
		"no_range": {Type: catalog.IntegerField, Params: &catalog.FieldParams{Range: new(false)}},
		"text":     {Type: catalog.TextField}, "at": {Type: catalog.DatetimeField}, "place": {Type: catalog.GeoField},
		"yes": {Type: catalog.BoolField}, "list[].word": {Type: catalog.KeywordField}, "list[].deep[].n": {Type: catalog.IntegerField},
	}}
	c.Config.Vectors = map[string]catalog.VectorParams{
		"": {Size: 2}, "m": {Size: 2, Multi: true}, "flat": {Size: 2, HNSW: &catalog.HNSWDiff{M: new(uint64(0))}},
	}
	c.Config.SparseVectors = map[string]catalog.SparseParams{"s": {}}
	c.Config.Strict = &s
	return c
}

// wantRefused fails unless err is of class Invalid and has all of some texts.
func wantRefused(t *testing.T, err error, texts ...string) {
	t.Helper()
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("got %v, want a refusal with %q", err, texts)
	}
	for _, text := range append(texts, "strict mode of collection `docs`: ") {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v: it lacks %q", err, text)
		}
	}
}

func read(q strictmode.Query) strictmode.Read {
	return strictmode.Read{Queries: []strictmode.Query{q}}
}

func match(key, word string) filter.Condition {
	return filter.Condition{Field: &filter.Field{Key: key, Match: &filter.Match{Keyword: &word}}}
}

func TestReadsBeyondALimitAreRefusedAndThoseAtItPass(t *testing.T) {
	flat, graph := "flat", ""
	three := &filter.Filter{Must: []filter.Condition{match("a", "1")}, Should: []filter.Condition{
		{Filter: &filter.Filter{MustNot: []filter.Condition{match("b", "2")}, MinShould: &filter.MinShould{Conditions: []filter.Condition{match("c", "3")}}}},
	}}
	ids := &filter.Filter{Must: []filter.Condition{{HasID: &filter.HasID{IDs: make([]point.ID, 3)}}}}
	words := &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "w", Match: &filter.Match{ExceptKeyword: []string{"a", "b", "c"}}}}}}
	for name, c := range map[string]struct {
		limits    catalog.StrictMode
		good, bad strictmode.Read
		texts     []string
	}{
		"limit": {
			catalog.StrictMode{MaxQueryLimit: new(uint32(5))}, read(strictmode.Query{Limit: 5}), read(strictmode.Query{Limit: 6}),
			[]string{"asks for 6", "max_query_limit allows 5", "smaller limit"},
		},
		"limit of a prefetch": {
			catalog.StrictMode{MaxQueryLimit: new(uint32(5))}, strictmode.Read{},
			strictmode.Read{Queries: []strictmode.Query{{Inner: true, Limit: 9}, {Limit: 1}}}, []string{"asks for 9"},
		},
		"timeout": {
			catalog.StrictMode{MaxTimeout: new(uint32(5))}, strictmode.Read{Timeout: new(uint64(5))}, strictmode.Read{Timeout: new(uint64(6))},
			[]string{"asks for 6", "max_timeout allows 5"},
		},
		"ef": {
			catalog.StrictMode{MaxHNSWEf: new(uint32(64))}, read(strictmode.Query{EF: 64}), read(strictmode.Query{EF: 65}),
			[]string{"asks for 65", "search_max_hnsw_ef allows 64"},
		},
		"oversampling": {
			catalog.StrictMode{MaxOversampling: new(float32(1.5))}, read(strictmode.Query{Oversampling: 1.5}), read(strictmode.Query{Oversampling: 1.75}),
			[]string{"asks for 1.75", "search_max_oversampling allows 1.5"},
		},
		"exact": {
			catalog.StrictMode{AllowExact: new(false)}, read(strictmode.Query{Using: &graph}), read(strictmode.Query{Using: &graph, Exact: true}),
			[]string{"search_allow_exact", "exact = false"},
		},
		"no graph": {
			catalog.StrictMode{AllowExact: new(false)}, read(strictmode.Query{}), read(strictmode.Query{Using: &flat}),
			[]string{"search_allow_exact", "m = 0"},
		},
		"batch": {
			catalog.StrictMode{MaxSearchBatch: new(uint64(1))},
			strictmode.Read{Batch: true, Queries: []strictmode.Query{{Inner: true}, {}}}, strictmode.Read{Batch: true, Queries: make([]strictmode.Query, 2)},
			[]string{"asks for 2", "search_max_batchsize allows 1"},
		},
		"conditions": {
			catalog.StrictMode{MaxFilterConditions: new(uint64(2))}, read(strictmode.Query{Filter: ids}), read(strictmode.Query{Filter: three}),
			[]string{"asks for 3", "filter_max_conditions allows 2"},
		},
		"no conditions at all": {
			catalog.StrictMode{MaxFilterConditions: new(uint64(0))}, read(strictmode.Query{Filter: &filter.Filter{}}), read(strictmode.Query{Filter: ids}),
			[]string{"asks for 1"},
		},
		"ids": {
			catalog.StrictMode{MaxConditionSize: new(uint64(2))}, read(strictmode.Query{Filter: three}), read(strictmode.Query{Filter: ids}),
			[]string{"asks for 3", "condition_max_size allows 2"},
		},
		"words": {
			catalog.StrictMode{MaxConditionSize: new(uint64(2))}, read(strictmode.Query{Filter: three}), read(strictmode.Query{Filter: words}),
			[]string{"asks for 3", "condition_max_size allows 2"},
		},
		"groups": {
			catalog.StrictMode{UnindexedRetrieve: new(false)}, read(strictmode.Query{GroupBy: "word"}), read(strictmode.Query{GroupBy: "text"}),
			[]string{"field `text`", "unindexed_filtering_retrieve", "keyword or integer"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			col := strict(c.limits)
			if err := b.Read(col, c.good); err != nil {
				t.Error(err)
			}
			wantRefused(t, b.Read(col, c.bad), c.texts...)
			if err := b.Read(strict(catalog.StrictMode{}), c.bad); err != nil {
				t.Errorf("without the limit: %v", err)
			}
			col.Config.Strict.Enabled = false
			if err := b.Read(col, c.bad); err != nil {
				t.Errorf("strict mode is off: %v", err)
			}
		})
	}
}

func TestAFieldNeedsAnIndexOfATypeThatHelps(t *testing.T) {
	field := func(f filter.Field) filter.Condition { return filter.Condition{Field: &f} }
	nested := func(key string, inner ...filter.Condition) filter.Condition {
		return filter.Condition{Nested: &filter.Nested{Key: key, Filter: filter.Filter{Must: inner}}}
	}
	path, text := "word", "free"
	for name, c := range map[string]struct {
		condition filter.Condition
		refusal   string // what is to be created; "" if it passes
	}{
		"keyword":                {match("word", "a"), ""},
		"keyword, no index":      {match("none", "a"), "keyword or uuid"},
		"keyword, other index":   {match("n", "a"), "index of type integer"},
		"any keyword":            {field(filter.Field{Key: "text", Match: &filter.Match{AnyKeyword: []string{"a"}}}), "keyword or uuid"},
		"prefix":                 {field(filter.Field{Key: "word", Match: &filter.Match{Prefix: &text}}), ""},
		"integer":                {field(filter.Field{Key: "n", Match: &filter.Match{Integer: new(int64(1))}}), ""},
		"integer of floats":      {field(filter.Field{Key: "x", Match: &filter.Match{ExceptInteger: []int64{1}}}), "type integer"},
		"switch":                 {field(filter.Field{Key: "yes", Match: &filter.Match{Bool: new(true)}}), ""},
		"switch, none":           {field(filter.Field{Key: "word", Match: &filter.Match{Bool: new(true)}}), "type bool"},
		"text":                   {field(filter.Field{Key: "text", Match: &filter.Match{Text: &filter.Text{Query: "a"}}}), ""},
		"text, none":             {field(filter.Field{Key: "word", Match: &filter.Match{Text: &filter.Text{Query: "a"}}}), "type text"},
		"range":                  {field(filter.Field{Key: "x", Range: &filter.Range{}}), ""},
		"range of integers":      {field(filter.Field{Key: "n", Range: &filter.Range{}}), ""},
		"range, declined":        {field(filter.Field{Key: "no_range", Range: &filter.Range{}}), "integer or float"},
		"range, none":            {field(filter.Field{Key: "at", Range: &filter.Range{}}), "integer or float"},
		"moment":                 {field(filter.Field{Key: "at", DatetimeRange: &filter.DatetimeRange{}}), ""},
		"moment, none":           {field(filter.Field{Key: "x", DatetimeRange: &filter.DatetimeRange{}}), "datetime"},
		"box":                    {field(filter.Field{Key: "place", GeoBox: &filter.GeoBox{}}), ""},
		"polygon":                {field(filter.Field{Key: "place", GeoPolygon: &filter.GeoPolygon{}}), ""},
		"polygon, none":          {field(filter.Field{Key: "x", GeoPolygon: &filter.GeoPolygon{}}), "geo"},
		"circle, none":           {field(filter.Field{Key: "x", GeoRadius: &filter.GeoRadius{}}), "geo"},
		"count":                  {field(filter.Field{Key: "text", ValuesCount: &filter.CountRange{}}), ""},
		"count, none":            {field(filter.Field{Key: "none", ValuesCount: &filter.CountRange{}}), "any type"},
		"empty":                  {filter.Condition{IsEmpty: &path}, ""},
		"null, none":             {filter.Condition{IsNull: &text}, "any type"},
		"ids":                    {filter.Condition{HasID: &filter.HasID{}}, ""},
		"vector":                 {filter.Condition{HasVector: &text}, ""},
		"nested":                 {nested("list", match("word", "a")), ""},
		"nested, spelled out":    {nested("list[]", match("word", "a")), ""},
		"nested, top index only": {nested("other", match("word", "a")), "`other[].word`"},
		"nested twice":           {nested("list", nested("deep", field(filter.Field{Key: "n", Match: &filter.Match{Integer: new(int64(1))}}))), ""},
		"nested twice, none":     {nested("list", nested("deep", match("none", "a"))), "`list[].deep[].none`"},
		"in a filter":            {filter.Condition{Filter: &filter.Filter{Should: []filter.Condition{match("none", "a")}}}, "`none`"},
		"in a min_should": {filter.Condition{Filter: &filter.Filter{MinShould: &filter.MinShould{
			Conditions: []filter.Condition{match("word", "a"), match("none", "a")},
		}}}, "`none`"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &filter.Filter{MustNot: []filter.Condition{match("word", "b"), c.condition}}
			retrieve, update := catalog.StrictMode{UnindexedRetrieve: new(false)}, catalog.StrictMode{UnindexedUpdate: new(false)}
			b := newBench()
			write := strictmode.Write{Ops: []point.Op{point.Delete{Selector: point.Selector{Filter: filter.Encode(f)}}}}
			ctx := context.Background()
			for _, err := range []error{b.Read(strict(update), read(strictmode.Query{Filter: f})), b.Write(ctx, strict(retrieve), write)} {
				if err != nil {
					t.Errorf("that limit is not about this: %v", err)
				}
			}
			reading, writing := b.Read(strict(retrieve), read(strictmode.Query{Filter: f})), b.Write(ctx, strict(update), write)
			switch {
			case c.refusal != "":
				wantRefused(t, reading, c.refusal, "unindexed_filtering_retrieve")
				wantRefused(t, writing, c.refusal, "unindexed_filtering_update")
			case reading != nil || writing != nil:
				t.Error(reading, writing)
			}
		})
	}
}

func points(n int, fill ...func(*point.Point)) []point.Point {
	out := make([]point.Point, n)
	for i := range out {
		out[i] = point.Point{ID: point.Num(uint64(i + 1)), Vectors: point.Vectors{"": {1, 2}}}
		for _, f := range fill {
			f(&out[i])
		}
	}
	return out
}

func TestWritesBeyondALimitAreRefusedAndThoseAtItPass(t *testing.T) {
	multi := func(n int) []point.Point {
		return points(1, func(p *point.Point) { p.Vectors["m"] = make([]float32, 2*n) })
	}
	sparse := func(n int) []point.Point {
		return points(1, func(p *point.Point) { p.Sparse = point.SparseVectors{"s": {Indices: make([]uint32, n)}} })
	}
	condition := filter.Encode(&filter.Filter{Must: []filter.Condition{match("word", "a"), match("word", "b")}})
	for name, c := range map[string]struct {
		limits    catalog.StrictMode
		good, bad point.Op
		texts     []string
	}{
		"upsert": {
			catalog.StrictMode{MaxUpsertBatch: new(uint64(2))}, point.Upsert{Points: points(2)}, point.Upsert{Points: points(3)},
			[]string{"asks for 3", "upsert_max_batchsize allows 2", "fewer points"},
		},
		"vectors": {
			catalog.StrictMode{MaxUpsertBatch: new(uint64(2))}, point.UpdateVectors{Points: points(2)}, point.UpdateVectors{Points: points(3)},
			[]string{"asks for 3", "upsert_max_batchsize allows 2"},
		},
		"multivectors": {
			catalog.StrictMode{MaxMultivectors: map[string]uint64{"m": 3}}, point.Upsert{Points: multi(3)}, point.UpdateVectors{Points: multi(4)},
			[]string{"asks for 4", "max_vectors of multivector `m` allows 3", "point 1"},
		},
		"sparse": {
			catalog.StrictMode{MaxSparseLength: map[string]uint64{"s": 3}}, point.Upsert{Points: sparse(3)}, point.Upsert{Points: sparse(4)},
			[]string{"asks for 4", "max_length of sparse vector `s` allows 3"},
		},
		"conditions of an upsert": {
			catalog.StrictMode{MaxFilterConditions: new(uint64(1))}, point.Upsert{Points: points(1)}, point.Upsert{Points: points(1), Condition: condition},
			[]string{"asks for 2", "filter_max_conditions allows 1"},
		},
		"conditions of a selector": {
			catalog.StrictMode{MaxFilterConditions: new(uint64(1))}, point.ClearPayload{Selector: point.Selector{IDs: []point.ID{point.Num(1)}}},
			point.DeletePayload{Selector: point.Selector{Filter: condition}}, []string{"asks for 2"},
		},
		"rate": {
			catalog.StrictMode{WriteRate: new(uint32(4))}, point.Upsert{Points: points(4)}, point.Upsert{Points: points(5)},
			[]string{"asks for 6", "write_rate_limit allows 4", "smaller pieces"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, ctx := newBench(), context.Background()
			col := strict(c.limits)
			if err := b.Write(ctx, col, strictmode.Write{Ops: []point.Op{c.good}}); err != nil {
				t.Error(err)
			}
			wantRefused(t, b.Write(ctx, col, strictmode.Write{Ops: []point.Op{point.ClearPayload{Selector: point.Selector{IDs: []point.ID{}}}, c.bad}}), c.texts...)
			if err := b.Write(ctx, strict(catalog.StrictMode{}), strictmode.Write{Ops: []point.Op{c.bad}}); err != nil {
				t.Errorf("without the limit: %v", err)
			}
			if b.measured != 0 {
				t.Error("the collection was measured for nothing")
			}
		})
	}
	b := newBench()
	wantRefused(t, b.Write(context.Background(), strict(catalog.StrictMode{MaxTimeout: new(uint32(1))}), strictmode.Write{Timeout: new(uint64(2))}), "max_timeout")
}

func TestARateComesBackWithTime(t *testing.T) {
	b, ctx := newBench(), context.Background()
	col := strict(catalog.StrictMode{WriteRate: new(uint32(60)), ReadRate: new(uint32(2))})
	write := func(n int) error {
		return b.Write(ctx, col, strictmode.Write{Ops: []point.Op{point.Upsert{Points: points(n)}}})
	}
	if err := write(60); err != nil {
		t.Fatal(err)
	}
	err := write(3)
	if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), "write_rate_limit allows 60 in a minute") || fault.Status(err).Code() != codes.ResourceExhausted {
		t.Fatal(err)
	}
	if after, ok := fault.RetryAfter(fault.Status(err).Err()); !ok || after != 3*time.Second {
		t.Fatalf("come again after %v, want 3 s", after)
	}
	b.now = b.now.Add(3 * time.Second)
	if err := write(3); err != nil {
		t.Fatalf("what was refused cost nothing: %v", err)
	}
	if err := write(1); !fault.Is(err, fault.Exhausted) {
		t.Fatal(err)
	}
	// Reads have a rate of their own; a condition costs as much as a query, and a read by ids one.
	two := read(strictmode.Query{Filter: &filter.Filter{Must: []filter.Condition{match("word", "a")}}})
	if err := b.Read(col, two); err != nil {
		t.Fatal(err)
	}
	if err := b.Read(col, strictmode.Read{}); !fault.Is(err, fault.Exhausted) {
		t.Fatal(err)
	}
	// Another rate counts from then on; another collection has its own.
	col.Config.Strict.ReadRate = new(uint32(6000))
	if err := b.Read(col, two); err != nil {
		t.Fatal(err)
	}
	col.Config.Strict.WriteRate = new(uint32(1))
	other := *col
	other.ID++
	if err := b.Write(ctx, &other, strictmode.Write{Ops: []point.Op{point.Upsert{Points: points(1)}}}); err != nil {
		t.Fatal(err)
	}
}

func TestARequestThatSaysNothingTakesNoLongerThanIsAllowed(t *testing.T) {
	limited, free := strict(catalog.StrictMode{MaxTimeout: new(uint32(5))}), strict(catalog.StrictMode{})
	for _, c := range []struct {
		col   *catalog.Collection
		asked *uint64
		want  time.Duration
	}{
		{free, nil, time.Minute}, {limited, nil, 5 * time.Second}, {free, new(uint64(90)), 90 * time.Second},
		{limited, new(uint64(2)), 2 * time.Second}, {free, new(uint64(1 << 63)), 24 * time.Hour},
	} {
		if got := strictmode.Timeout(c.col, c.asked, time.Minute); got != c.want {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

var errAway = errors.New("away")
