package api_test

import (
	"math"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
)

// filled is a cluster with points 1..n of ascending first components, one of them with all vectors.
func filledCluster(t *testing.T, n int) *local {
	l := prepared(t)
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()})
	var points []*qdrant.PointStruct
	for i := 1; i <= n; i++ {
		points = append(points, aPoint(uint64(i), map[string]any{"n": i, "word": "w"}, float32(i), 0))
	}
	l.must("Points.Upsert", upsert(points...))
	l.taken()
	return l
}

func (l *local) query(q *qdrant.QueryPoints) []*qdrant.ScoredPoint {
	l.t.Helper()
	q.CollectionName = "c"
	return l.must("Points.Query", q).(*qdrant.QueryResponse).GetResult()
}

func nums(points []*qdrant.ScoredPoint) (out []uint64) {
	for _, p := range points {
		out = append(out, p.GetId().GetNum())
	}
	return out
}

func equal(a []uint64, b ...uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestBadReadsAreRefused(t *testing.T) {
	nan := float32(math.NaN())
	one := []*qdrant.PointId{qdrant.NewIDNum(1)}
	quorum := &qdrant.ReadConsistency{Value: &qdrant.ReadConsistency_Type{Type: qdrant.ReadConsistencyType_Quorum}}
	all := &qdrant.ReadConsistency{Value: &qdrant.ReadConsistency_Type{Type: qdrant.ReadConsistencyType_All}}
	factor := func(n uint64) *qdrant.ReadConsistency {
		return &qdrant.ReadConsistency{Value: &qdrant.ReadConsistency_Factor{Factor: n}}
	}
	filtered := func(c *qdrant.Condition) *qdrant.CountPoints {
		return &qdrant.CountPoints{CollectionName: "c", Filter: &qdrant.Filter{Must: []*qdrant.Condition{c}}}
	}
	field := func(f *qdrant.FieldCondition) *qdrant.CountPoints {
		f.Key = "k"
		return filtered(&qdrant.Condition{ConditionOneOf: &qdrant.Condition_Field{Field: f}})
	}
	for _, c := range []struct {
		method  string
		request proto.Message
		code    codes.Code
		text    string
	}{
		{"Points.Get", &qdrant.GetPoints{Ids: []*qdrant.PointId{{}}}, codes.InvalidArgument, "neither a number nor a UUID"},
		{"Points.Get", &qdrant.GetPoints{Ids: one, WithPayload: &qdrant.WithPayloadSelector{}}, codes.InvalidArgument, "with_payload"},
		{"Points.Get", &qdrant.GetPoints{Ids: one, WithPayload: qdrant.NewWithPayloadInclude("a..b")}, codes.InvalidArgument, "payload path"},
		{"Points.Get", &qdrant.GetPoints{Ids: one, WithVectors: qdrant.NewWithVectorsInclude("x")}, codes.InvalidArgument, "Not existing vector name error: x"},
		{"Points.QueryBatch", &qdrant.QueryBatchPoints{ReadConsistency: all, QueryPoints: []*qdrant.QueryPoints{{}, {ReadConsistency: quorum}}}, codes.InvalidArgument, "query 2 of the batch has another read_consistency"},
		{"Points.SearchBatch", &qdrant.SearchBatchPoints{SearchPoints: []*qdrant.SearchPoints{{ReadConsistency: factor(2), Vector: []float32{1, 2}, Limit: 1}, {ReadConsistency: factor(3), Vector: []float32{1, 2}, Limit: 1}}}, codes.InvalidArgument, "another read_consistency"},
		{"Points.Query", &qdrant.QueryPoints{ReadConsistency: &qdrant.ReadConsistency{}}, codes.InvalidArgument, "read_consistency"},
		{"Points.Count", &qdrant.CountPoints{ReadConsistency: factor(0)}, codes.InvalidArgument, "read_consistency"},
		{"Points.Count", &qdrant.CountPoints{ReadConsistency: &qdrant.ReadConsistency{}}, codes.InvalidArgument, "read_consistency"},
		{"Points.Scroll", &qdrant.ScrollPoints{Limit: new(uint32(100_001))}, codes.InvalidArgument, "more than 100000 points"},
		{"Points.Scroll", &qdrant.ScrollPoints{Offset: &qdrant.PointId{}}, codes.InvalidArgument, "neither a number nor a UUID"},
		{"Points.Search", &qdrant.SearchPoints{Vector: []float32{1}, Limit: 1}, codes.InvalidArgument, "expected dim: 2, got 1"},
		{"Points.Search", &qdrant.SearchPoints{Vector: []float32{1, nan}, Limit: 1}, codes.InvalidArgument, "component 1 is NaN"},
		{"Points.Search", &qdrant.SearchPoints{Vector: []float32{1, 2}, Limit: math.MaxUint64, Offset: new(uint64(1))}, codes.InvalidArgument, "more than 100000 points"},
		{"Points.Search", &qdrant.SearchPoints{Vector: []float32{1, 2}, Limit: 1, VectorName: new("x")}, codes.InvalidArgument, "Not existing vector name error: x"},
		{"Points.Search", &qdrant.SearchPoints{Vector: []float32{1, 2}, Limit: 1, ScoreThreshold: &nan}, codes.InvalidArgument, "score_threshold"},
		{"Points.Query", &qdrant.QueryPoints{Query: &qdrant.Query{}}, codes.InvalidArgument, "query: it is empty"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQueryNearest(&qdrant.VectorInput{})}, codes.InvalidArgument, "the vector is empty"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQuery(1, 2, 3)}, codes.InvalidArgument, "expected dim: 2, got 3"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQueryID(qdrant.NewIDNum(404))}, codes.NotFound, "Not found: No point with id 404 found"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQueryID(qdrant.NewIDNum(1)), Using: new("w")}, codes.NotFound, `Vector with name "w" of point 1`},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQueryID(qdrant.NewIDNum(1)), Using: new("x")}, codes.InvalidArgument, "Not existing vector name error: x"},
		{"Points.Query", &qdrant.QueryPoints{ScoreThreshold: new(float32(1))}, codes.InvalidArgument, "score_threshold needs a query"},
		{"Points.Query", &qdrant.QueryPoints{Using: new("v")}, codes.InvalidArgument, "needs a query"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQuerySparse([]uint32{1}, []float32{1})}, codes.InvalidArgument, "Conversion between sparse and regular vectors failed"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQuerySparse([]uint32{1, 1}, []float32{1, 1}), Using: new("s")}, codes.InvalidArgument, "has the index 1 twice"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQuery(1, 2), Using: new("s")}, codes.InvalidArgument, "Conversion between sparse and regular vectors failed"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQueryMulti([][]float32{{1, 2}})}, codes.InvalidArgument, "Conversion between multi and regular vectors failed"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQueryMulti([][]float32{{1}, {2}}), Using: new("m")}, codes.InvalidArgument, "expected dim: 2, got 1"},
		{"Points.Search", &qdrant.SearchPoints{Vector: []float32{1}, SparseIndices: &qdrant.SparseIndices{Data: []uint32{1, 2}}, VectorName: new("s"), Limit: 1}, codes.InvalidArgument, "2 indices and 1 values"},
		{"Points.Query", &qdrant.QueryPoints{Query: qdrant.NewQuery(1, 2), LookupFrom: &qdrant.LookupLocation{CollectionName: "c"}}, codes.Unimplemented, "lookup"},
		{"Points.QueryBatch", &qdrant.QueryBatchPoints{QueryPoints: []*qdrant.QueryPoints{{CollectionName: "d"}}}, codes.InvalidArgument, `names collection "d"`},
		{"Points.QueryBatch", &qdrant.QueryBatchPoints{QueryPoints: []*qdrant.QueryPoints{{}, {Query: &qdrant.Query{}}}}, codes.InvalidArgument, "query 2 of 2: query: it is empty"},
		{"Points.Count", filtered(&qdrant.Condition{ConditionOneOf: &qdrant.Condition_Slice{Slice: &qdrant.SliceCondition{Total: 2}}}), codes.Unimplemented, "slice filter"},
		{"Points.Count", filtered(qdrant.NewGeoPolygon("k", &qdrant.GeoLineString{})), codes.InvalidArgument, "exterior: a ring needs at least 4 places"},
		{"Points.Count", filtered(qdrant.NewGeoPolygon("k", nil)), codes.InvalidArgument, "exterior: a ring needs at least 4 places"},
		{"Points.Count", filtered(qdrant.NewGeoPolygon("k", ring(0, 0, 0, 9, 9, 0, 1, 1))), codes.InvalidArgument, "exterior: a ring is not closed"},
		{"Points.Count", filtered(qdrant.NewGeoPolygon("k", ring(0, 0, 0, 9, 9, 0, 0, 0), ring(1, 1, 1, 1, 1, 1))), codes.InvalidArgument, "interiors[0]: a ring needs at least 4"},
		{"Points.Count", filtered(qdrant.NewGeoPolygon("k", ring(0, 0, 0, 91, 9, 0, 0, 0))), codes.InvalidArgument, "latitude"},
		{"Points.Count", filtered(qdrant.NewMatchKeyword("a..b", "a")), codes.InvalidArgument, "a..b"},
		{"Points.Count", filtered(&qdrant.Condition{ConditionOneOf: &qdrant.Condition_Nested{Nested: &qdrant.NestedCondition{Key: "k"}}}), codes.InvalidArgument, "has no filter"},
		{"Points.Count", field(&qdrant.FieldCondition{}), codes.InvalidArgument, "0 tests"},
		{"Points.Count", field(&qdrant.FieldCondition{IsEmpty: new(true), IsNull: new(true)}), codes.InvalidArgument, "2 tests"},
		{"Points.Count", field(&qdrant.FieldCondition{Match: &qdrant.Match{}}), codes.InvalidArgument, "a match is empty"},
		{"Points.Count", field(&qdrant.FieldCondition{Range: &qdrant.Range{Lt: new(math.NaN())}}), codes.InvalidArgument, "not a number"},
		{"Points.Count", field(&qdrant.FieldCondition{GeoRadius: &qdrant.GeoRadius{Radius: 1}}), codes.InvalidArgument, "longitude"},
		{"Points.Count", field(&qdrant.FieldCondition{GeoRadius: &qdrant.GeoRadius{Center: &qdrant.GeoPoint{}, Radius: -1}}), codes.InvalidArgument, "radius"},
		{"Points.Count", field(&qdrant.FieldCondition{GeoBoundingBox: &qdrant.GeoBoundingBox{TopLeft: &qdrant.GeoPoint{Lat: 91}, BottomRight: &qdrant.GeoPoint{}}}), codes.InvalidArgument, "latitude"},
		{"Points.Count", field(&qdrant.FieldCondition{GeoBoundingBox: &qdrant.GeoBoundingBox{TopLeft: &qdrant.GeoPoint{Lon: math.NaN()}, BottomRight: &qdrant.GeoPoint{}}}), codes.InvalidArgument, "longitude"},
	} {
		walkNamesUnset(c.request)
		filledCluster(t, 3).refused(c.method, c.request, c.code, c.text)
	}
}

// walkNamesUnset names the collection where the case does not.
func walkNamesUnset(m proto.Message) {
	r := m.ProtoReflect()
	if f := r.Descriptor().Fields().ByName("collection_name"); !r.Has(f) {
		r.Set(f, valueOfString("c"))
	}
}

func TestDefaultsOfReadsAreQdrants(t *testing.T) {
	l := filledCluster(t, 12)
	scroll := l.must("Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c"}).(*qdrant.ScrollResponse)
	if len(scroll.GetResult()) != 10 || scroll.GetNextPageOffset().GetNum() != 11 || len(scroll.GetResult()[0].GetPayload()) != 2 || scroll.GetResult()[0].GetVectors() != nil {
		t.Errorf("scroll: ten points with payload and without vectors: %v", scroll)
	}
	last := l.must("Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c", Offset: scroll.GetNextPageOffset()}).(*qdrant.ScrollResponse)
	if len(last.GetResult()) != 2 || last.GetNextPageOffset() != nil {
		t.Errorf("the last page: %v", last)
	}
	found := l.query(&qdrant.QueryPoints{Query: qdrant.NewQuery(1, 0)})
	if len(found) != 10 || found[0].GetId().GetNum() != 12 || len(found[0].GetPayload()) != 0 || found[0].GetVectors() != nil || found[0].GetVersion() == 0 {
		t.Errorf("query: ten points, bare: %v", found)
	}
	search := l.must("Points.Search", &qdrant.SearchPoints{CollectionName: "c", Vector: []float32{1, 0}, Limit: 1}).(*qdrant.SearchResponse)
	if !equal(nums(search.GetResult()), 12) || len(search.GetResult()[0].GetPayload()) != 0 {
		t.Errorf("search: %v", search)
	}
	get := l.must("Points.Get", &qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewIDNum(2)}}).(*qdrant.GetResponse)
	if len(get.GetResult()) != 1 || len(get.GetResult()[0].GetPayload()) != 0 || get.GetTime() <= 0 {
		t.Errorf("get: %v", get)
	}
}

func TestAQueryWithoutATargetIsAScrollWithScoreOneAndNoVersion(t *testing.T) {
	l := filledCluster(t, 5)
	found := l.query(&qdrant.QueryPoints{Limit: new(uint64(2)), Offset: new(uint64(1)), WithPayload: qdrant.NewWithPayload(true)})
	if !equal(nums(found), 2, 3) || found[0].GetScore() != 1 || found[0].GetVersion() != 0 || len(found[0].GetPayload()) != 2 {
		t.Errorf("%v", found)
	}
	if found := l.query(&qdrant.QueryPoints{Offset: new(uint64(99))}); len(found) != 0 {
		t.Errorf("beyond the end: %v", found)
	}
}

func TestQueriesHonourOffsetThresholdFilterAndSelectors(t *testing.T) {
	l := filledCluster(t, 9)
	found := l.query(&qdrant.QueryPoints{
		Query: qdrant.NewQuery(1, 0), Offset: new(uint64(1)), Limit: new(uint64(2)), ScoreThreshold: new(float32(3)),
		Filter:      &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewMatchInt("n", 8)}},
		WithPayload: qdrant.NewWithPayloadExclude("word"), WithVectors: qdrant.NewWithVectorsInclude(""),
	})
	if !equal(nums(found), 7, 6) {
		t.Fatalf("%v", found)
	}
	if p := found[0]; len(p.GetPayload()) != 1 || p.GetPayload()["n"].GetIntegerValue() != 7 || len(p.GetVectors().GetVector().GetDense().GetData()) != 2 {
		t.Errorf("%v", p)
	}
	if found := l.query(&qdrant.QueryPoints{Query: qdrant.NewQuery(1, 0), ScoreThreshold: new(float32(9))}); len(found) != 0 {
		t.Errorf("the threshold itself is not better than the threshold: %v", found)
	}
	none := l.query(&qdrant.QueryPoints{Limit: new(uint64(1)), WithPayload: qdrant.NewWithPayloadInclude(), WithVectors: qdrant.NewWithVectorsInclude()})
	if len(none[0].GetPayload()) != 0 || none[0].GetVectors() != nil {
		t.Errorf("an empty list of what to include includes nothing: %v", none)
	}
}

func TestNamedVectorsAnswerByName(t *testing.T) {
	l := prepared(t)
	found := l.query(&qdrant.QueryPoints{Query: qdrant.NewQuery(1, 2), Using: new("v"), WithVectors: qdrant.NewWithVectors(true)})
	named := found[0].GetVectors().GetVectors().GetVectors()
	if len(named) != 2 || len(named["v"].GetDense().GetData()) != 2 || len(named[""].GetDense().GetData()) != 2 {
		t.Errorf("%v", found)
	}
}

func TestBatchesMixSearchesByIDsAndScrollsInOrder(t *testing.T) {
	l := filledCluster(t, 5)
	batch := &qdrant.QueryBatchPoints{CollectionName: "c", QueryPoints: []*qdrant.QueryPoints{
		{Limit: new(uint64(1))},
		{Query: qdrant.NewQueryID(qdrant.NewIDNum(5)), Limit: new(uint64(1))},
		{CollectionName: "c", Query: qdrant.NewQuery(-1, 0), Limit: new(uint64(1))},
		{Query: qdrant.NewQueryID(qdrant.NewIDNum(5)), Limit: new(uint64(1)), Offset: new(uint64(1))},
	}}
	got := l.must("Points.QueryBatch", batch).(*qdrant.QueryBatchResponse)
	var heads []uint64
	for _, r := range got.GetResult() {
		heads = append(heads, nums(r.GetResult())...)
	}
	if !equal(heads, 1, 4, 1, 3) {
		t.Errorf("%v", heads)
	}
	search := &qdrant.SearchPoints{Vector: []float32{1, 0}, Limit: 1}
	both := l.must("Points.SearchBatch", &qdrant.SearchBatchPoints{CollectionName: "c", SearchPoints: []*qdrant.SearchPoints{search, search}}).(*qdrant.SearchBatchResponse)
	if len(both.GetResult()) != 2 || !equal(nums(both.GetResult()[1].GetResult()), 5) {
		t.Errorf("%v", both)
	}
	if none := l.must("Points.QueryBatch", &qdrant.QueryBatchPoints{CollectionName: "c"}).(*qdrant.QueryBatchResponse); len(none.GetResult()) != 0 {
		t.Errorf("an empty batch: %v", none)
	}
}

func TestABatchIsBoundedAsAWhole(t *testing.T) {
	l := newLocal(t, func(o *api.Options) { o.MaxLimit, o.MaxBatch = 10, 20 })
	queries := func(n int) *qdrant.QueryBatchPoints {
		batch := &qdrant.QueryBatchPoints{CollectionName: "c"}
		for range n {
			batch.QueryPoints = append(batch.QueryPoints, &qdrant.QueryPoints{Limit: new(uint64(10))})
		}
		return batch
	}
	l.refused("Points.QueryBatch", queries(11), codes.InvalidArgument, "asks for 110 points, at most 100 are allowed")
	l.refused("Points.QueryBatch", queries(21), codes.InvalidArgument, "a batch of 21: at most 20")
	l.refused("Points.QueryBatch", queries(10), codes.NotFound, "`c` doesn't exist")
}

// Infinite bounds must let exactly those finite numbers pass that they let pass as written.
func TestInfiniteBoundsOfARangeMeanWhatTheySay(t *testing.T) {
	l := prepared(t)
	values := []float64{-math.MaxFloat64, -1, 0, 1, math.MaxFloat64}
	var points []*qdrant.PointStruct
	for i, v := range values {
		points = append(points, aPoint(uint64(100+i), map[string]any{"x": v}, 1, 2))
	}
	l.must("Points.Upsert", upsert(points...))
	rapid.Check(t, func(t *rapid.T) {
		bound := func(name string) *float64 {
			v := rapid.SampledFrom([]float64{math.Inf(-1), -1, 0, math.Inf(1), math.NaN()}).Draw(t, name)
			if math.IsNaN(v) {
				return nil
			}
			return &v
		}
		r := &qdrant.Range{Lt: bound("lt"), Gt: bound("gt"), Gte: bound("gte"), Lte: bound("lte")}
		want := uint64(0)
		for _, v := range values {
			if (r.Lt == nil || v < *r.Lt) && (r.Gt == nil || v > *r.Gt) && (r.Gte == nil || v >= *r.Gte) && (r.Lte == nil || v <= *r.Lte) {
				want++
			}
		}
		request := &qdrant.CountPoints{CollectionName: "c", Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewRange("x", r)}}}
		if got := l.must("Points.Count", request).(*qdrant.CountResponse).GetResult().GetCount(); got != want {
			t.Fatalf("%v: %d points, want %d", r, got, want)
		}
	})
}
