package api_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func (l *local) strict(name string, s *qdrant.StrictModeConfig) *qdrant.StrictModeConfig {
	l.t.Helper()
	l.must("Collections.Update", &qdrant.UpdateCollection{CollectionName: name, StrictModeConfig: s})
	return l.info(name).GetConfig().GetStrictModeConfig()
}

func TestStrictModeIsMergedAndShownAsDeclared(t *testing.T) {
	l := newLocal(t)
	create := declare("n")
	create.VectorsConfig = qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{
		"m": {Size: 2, Distance: qdrant.Distance_Dot, MultivectorConfig: &qdrant.MultiVectorConfig{}},
	})
	create.SparseVectorsConfig = qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}})
	all := &qdrant.StrictModeConfig{
		Enabled: new(true), MaxQueryLimit: new(uint32(1)), MaxTimeout: new(uint32(2)), UnindexedFilteringRetrieve: new(false),
		UnindexedFilteringUpdate: new(true), SearchMaxHnswEf: new(uint32(3)), SearchAllowExact: new(false), SearchMaxOversampling: new(float32(1.5)),
		UpsertMaxBatchsize: new(uint64(4)), SearchMaxBatchsize: new(uint64(5)), MaxCollectionVectorSizeBytes: new(uint64(6)),
		ReadRateLimit: new(uint32(7)), WriteRateLimit: new(uint32(8)), MaxCollectionPayloadSizeBytes: new(uint64(9)),
		FilterMaxConditions: new(uint64(0)), ConditionMaxSize: new(uint64(10)), MaxPointsCount: new(uint64(11)), MaxPayloadIndexCount: new(uint64(0)),
		MultivectorConfig: &qdrant.StrictModeMultivectorConfig{MultivectorConfig: map[string]*qdrant.StrictModeMultivector{"m": {MaxVectors: new(uint64(12))}}},
		SparseConfig:      &qdrant.StrictModeSparseConfig{SparseConfig: map[string]*qdrant.StrictModeSparse{"s": {MaxLength: new(uint64(13))}}},
	}
	create.StrictModeConfig = all
	l.must("Collections.Create", create)
	if got := l.info("n").GetConfig().GetStrictModeConfig(); !proto.Equal(got, all) {
		t.Fatalf("got %v, want %v", got, all)
	}
	if got := l.strict("n", &qdrant.StrictModeConfig{}); !proto.Equal(got, all) {
		t.Errorf("nothing was said, and it is %v", got)
	}
	want := proto.Clone(all).(*qdrant.StrictModeConfig)
	want.Enabled, want.MaxTimeout = new(false), new(uint32(20))
	if got := l.strict("n", &qdrant.StrictModeConfig{Enabled: new(false), MaxTimeout: new(uint32(20))}); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	none := &qdrant.StrictModeConfig{
		MaxQueryLimit: new(uint32(math.MaxUint32)), MaxPointsCount: new(uint64(math.MaxUint64)), SearchMaxOversampling: new(float32(math.MaxFloat32)),
		MultivectorConfig: &qdrant.StrictModeMultivectorConfig{},
		SparseConfig:      &qdrant.StrictModeSparseConfig{SparseConfig: map[string]*qdrant.StrictModeSparse{"s": {MaxLength: new(uint64(math.MaxUint64))}}},
	}
	want.MaxQueryLimit, want.MaxPointsCount, want.SearchMaxOversampling, want.MultivectorConfig, want.SparseConfig = nil, nil, nil, nil, nil
	if got := l.strict("n", none); !proto.Equal(got, want) {
		t.Errorf("what limits nothing is no limit: %v, want %v", got, want)
	}
	l.must("Collections.Create", declare("silent"))
	if got := l.info("silent").GetConfig().StrictModeConfig; got != nil {
		t.Errorf("nothing was ever said: %v", got)
	}
}

func TestAVectorThatIsRemovedTakesItsLimitsAlong(t *testing.T) {
	l := newLocal(t)
	create := declare("n")
	create.SparseVectorsConfig = qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}})
	create.StrictModeConfig = &qdrant.StrictModeConfig{
		SparseConfig: &qdrant.StrictModeSparseConfig{SparseConfig: map[string]*qdrant.StrictModeSparse{"s": {MaxLength: new(uint64(1))}}},
	}
	l.must("Collections.Create", create)
	l.must("Points.DeleteVectorName", &qdrant.DeleteVectorNameRequest{CollectionName: "n", VectorName: "s"})
	if got := l.info("n").GetConfig().GetStrictModeConfig(); got == nil || got.SparseConfig != nil {
		t.Errorf("%v", got)
	}
}

// TestEveryReadAndWriteOfPointsIsHeldToStrictMode goes through the examples of all methods, so that none that comes can be forgotten.
func TestEveryReadAndWriteOfPointsIsHeldToStrictMode(t *testing.T) {
	l := prepared(t)
	for _, name := range []string{"c", "k"} {
		l.strict(name, &qdrant.StrictModeConfig{Enabled: new(true), MaxTimeout: new(uint32(5))})
	}
	metadata := map[string]bool{
		"Points.CreateFieldIndex": true, "Points.DeleteFieldIndex": true, "Points.CreateVectorName": true, "Points.DeleteVectorName": true,
	}
	for method, requests := range examples() {
		if !strings.HasPrefix(method, "Points.") || metadata[method] {
			continue
		}
		for _, r := range requests {
			request := proto.Clone(r)
			m := request.ProtoReflect()
			field := m.Descriptor().Fields().ByName("timeout")
			if field == nil {
				t.Errorf("%s has no timeout to try this with", method)
				continue
			}
			m.Set(field, protoreflect.ValueOfUint64(6))
			l.taken()
			l.refused(method, request, codes.InvalidArgument, "max_timeout allows 5")
			if calls := l.taken(); len(calls) > 0 {
				t.Errorf("%s: %v was done", method, calls)
			}
		}
	}
}

func TestWhatARequestAsksForReachesStrictMode(t *testing.T) {
	l := prepared(t)
	l.must("Points.CreateFieldIndex", &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "s", FieldType: qdrant.FieldType_FieldTypeKeyword.Enum()})
	l.strict("c", &qdrant.StrictModeConfig{
		Enabled: new(true), MaxQueryLimit: new(uint32(9)), SearchAllowExact: new(false), UnindexedFilteringRetrieve: new(false), UnindexedFilteringUpdate: new(false),
		SearchMaxBatchsize: new(uint64(1)), SearchMaxHnswEf: new(uint32(50)), SearchMaxOversampling: new(float32(3)), UpsertMaxBatchsize: new(uint64(1)),
		FilterMaxConditions: new(uint64(1)),
	})
	none := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("none", "a")}}
	two := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewHasID(), qdrant.NewHasID()}}
	nearest := func(change func(*qdrant.QueryPoints)) *qdrant.QueryPoints {
		q := &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQuery(1, 2), Limit: new(uint64(5))}
		change(q)
		return q
	}
	byKey := qdrant.NewPointsSelectorFilter(none)
	points := []*qdrant.PointStruct{
		{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectors(1, 2)}, {Id: qdrant.NewIDNum(2), Vectors: qdrant.NewVectors(1, 2)},
	}
	for _, c := range []struct {
		method  string
		request proto.Message
		text    string
	}{
		{"Points.Query", nearest(func(q *qdrant.QueryPoints) { q.Limit = nil }), "asks for 10, max_query_limit"},
		{"Points.Query", nearest(func(q *qdrant.QueryPoints) { q.Params = &qdrant.SearchParams{Exact: new(true)} }), "search_allow_exact"},
		{"Points.Query", nearest(func(q *qdrant.QueryPoints) { q.Params = &qdrant.SearchParams{HnswEf: new(uint64(51))} }), "search_max_hnsw_ef"},
		{"Points.Query", nearest(func(q *qdrant.QueryPoints) {
			q.Params = &qdrant.SearchParams{Quantization: &qdrant.QuantizationSearchParams{Oversampling: new(3.5)}}
		}), "search_max_oversampling"},
		{"Points.Query", nearest(func(q *qdrant.QueryPoints) { q.Filter = none }), "unindexed_filtering_retrieve"},
		{"Points.Query", nearest(func(q *qdrant.QueryPoints) { q.Prefetch = []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2)}} }), "asks for 10, max_query_limit"},
		{"Points.Query", nearest(func(q *qdrant.QueryPoints) {
			q.Prefetch = []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2), Limit: new(uint64(1)), Filter: none}}
		}), "unindexed_filtering_retrieve"},
		{"Points.QueryBatch", &qdrant.QueryBatchPoints{CollectionName: "c", QueryPoints: []*qdrant.QueryPoints{
			nearest(func(*qdrant.QueryPoints) {}), nearest(func(*qdrant.QueryPoints) {}),
		}}, "asks for 2, search_max_batchsize"},
		{"Points.QueryGroups", &qdrant.QueryPointGroups{CollectionName: "c", Query: qdrant.NewQuery(1, 2), GroupBy: "s", Limit: new(uint64(5)), GroupSize: new(uint64(2))}, "asks for 10, max_query_limit"},
		{"Points.QueryGroups", &qdrant.QueryPointGroups{CollectionName: "c", Query: qdrant.NewQuery(1, 2), GroupBy: "none", Limit: new(uint64(1)), GroupSize: new(uint64(2))}, "field `none`"},
		{"Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c"}, "asks for 10, max_query_limit"},
		{"Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c", Limit: new(uint32(1)), Filter: two}, "asks for 2, filter_max_conditions"},
		{"Points.Count", &qdrant.CountPoints{CollectionName: "c"}, "search_allow_exact"},
		{"Points.Count", &qdrant.CountPoints{CollectionName: "c", Exact: new(false), Filter: none}, "unindexed_filtering_retrieve"},
		{"Points.Facet", &qdrant.FacetCounts{CollectionName: "c", Key: "s", Limit: new(uint64(11))}, "asks for 11, max_query_limit"},
		{"Points.Facet", &qdrant.FacetCounts{CollectionName: "c", Key: "s", Limit: new(uint64(1)), Exact: new(true)}, "search_allow_exact"},
		{"Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: byKey}, "unindexed_filtering_update"},
		{"Points.Upsert", &qdrant.UpsertPoints{CollectionName: "c", Points: points}, "asks for 2, upsert_max_batchsize"},
		{"Points.UpdateBatch", &qdrant.UpdateBatchPoints{CollectionName: "c", Operations: []*qdrant.PointsUpdateOperation{
			{Operation: &qdrant.PointsUpdateOperation_Upsert{Upsert: &qdrant.PointsUpdateOperation_PointStructList{Points: points[:1]}}},
			{Operation: &qdrant.PointsUpdateOperation_ClearPayload_{ClearPayload: &qdrant.PointsUpdateOperation_ClearPayload{Points: byKey}}},
		}}, "unindexed_filtering_update"},
	} {
		l.taken()
		l.refused(c.method, c.request, codes.InvalidArgument, c.text)
		if calls := l.taken(); len(calls) > 0 {
			t.Errorf("%s: %v was done", c.method, calls)
		}
	}
	for method, request := range map[string]proto.Message{
		"Points.Query": nearest(func(q *qdrant.QueryPoints) {
			// Its own conditions count, not those that it has from the query around it.
			q.Filter = &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("s", "a")}}
			q.Prefetch = []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2), Limit: new(uint64(1)), Filter: q.Filter}}
		}),
		"Points.Count":  &qdrant.CountPoints{CollectionName: "c", Exact: new(false)},
		"Points.Upsert": &qdrant.UpsertPoints{CollectionName: "c", Points: points[:1]},
	} {
		l.must(method, request)
	}
}

func TestAUsedUpRateSaysWhenToComeAgain(t *testing.T) {
	now := time.Unix(1, 0)
	l := newLocal(t, func(o *api.Options) { o.Now = func() time.Time { return now } })
	create := declare("n")
	create.StrictModeConfig = &qdrant.StrictModeConfig{Enabled: new(true), ReadRateLimit: new(uint32(1))}
	l.must("Collections.Create", create)
	count := &qdrant.CountPoints{CollectionName: "n"}
	l.must("Points.Count", count)
	_, err := l.try("Points.Count", count)
	if after, ok := fault.RetryAfter(err); status.Code(err) != codes.ResourceExhausted || !ok || after != time.Minute {
		t.Fatalf("%v: come again after %v", err, after)
	}
	now = now.Add(time.Minute)
	l.must("Points.Count", count)
}

func TestAFullCollectionTakesNoMorePoints(t *testing.T) {
	now := time.Unix(1, 0)
	l := newLocal(t, func(o *api.Options) { o.Now = func() time.Time { return now } })
	create := declare("n")
	create.StrictModeConfig = &qdrant.StrictModeConfig{Enabled: new(true), MaxPointsCount: new(uint64(2)), MaxTimeout: new(uint32(7))}
	l.must("Collections.Create", create)
	upsert := func(id uint64) *qdrant.UpsertPoints {
		return &qdrant.UpsertPoints{CollectionName: "n", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectors(1, 2, 3, 4)}}}
	}
	l.must("Points.Upsert", upsert(1))
	l.must("Points.Upsert", upsert(2))
	l.refused("Points.Upsert", upsert(3), codes.InvalidArgument, "it holds 2 points and the request adds to them, max_points_count allows 2")
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "n", Points: qdrant.NewPointsSelector(qdrant.NewIDNum(1))})
	now = now.Add(time.Second)
	l.taken()
	l.must("Points.Upsert", upsert(3))
	found := false
	for _, call := range l.taken() {
		if limit, ok := call.(time.Duration); ok {
			found = found || limit == 7*time.Second
			if limit > 7*time.Second {
				t.Errorf("a request that gives no timeout may take %v", limit)
			}
		}
	}
	if !found {
		t.Error("no call was bounded by max_timeout")
	}
}
