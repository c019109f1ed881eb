package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
)

// ordered is a cluster with points 1..4 and indexes of their fields.
func ordered(t *testing.T) *local {
	l := prepared(t)
	for i, p := range []map[string]any{{"n": 30, "f": 0.5, "t": "2024-01-02"}, {"n": 10, "f": 2}, {"n": 20, "t": "2024-01-01T00:00:01Z"}, {}} {
		l.must("Points.Upsert", &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(uint64(i + 1)), Vectors: qdrant.NewVectors(1, 2), Payload: qdrant.NewValueMap(p)}}})
	}
	for field, kind := range map[string]qdrant.FieldType{"n": qdrant.FieldType_FieldTypeInteger, "f": qdrant.FieldType_FieldTypeFloat, "t": qdrant.FieldType_FieldTypeDatetime} {
		l.must("Points.CreateFieldIndex", &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: field, FieldType: &kind})
	}
	l.taken()
	return l
}

func TestPointsInOrderShowTheirValues(t *testing.T) {
	l := ordered(t)
	for _, c := range []struct {
		order *qdrant.OrderBy
		want  []string
	}{
		{&qdrant.OrderBy{Key: `"n"`}, []string{"2 int:10", "3 int:20", "1 int:30"}},
		{&qdrant.OrderBy{Key: "n", Direction: qdrant.PtrOf(qdrant.Direction_Desc)}, []string{"1 int:30", "3 int:20", "2 int:10"}},
		{&qdrant.OrderBy{Key: "f"}, []string{"1 float:0.5", "2 float:2"}},
		{&qdrant.OrderBy{Key: "t"}, []string{"3 int:1704067201000000", "1 int:1704153600000000"}},
	} {
		scrolled := l.must("Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c", OrderBy: c.order}).(*qdrant.ScrollResponse)
		queried := l.must("Points.Query", &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryOrderBy(c.order)}).(*qdrant.QueryResponse)
		var got, found []string
		for _, p := range scrolled.GetResult() {
			got = append(got, fmt.Sprint(p.GetId().GetNum(), " ", p.GetOrderValue()))
		}
		for _, p := range queried.GetResult() {
			found = append(found, fmt.Sprint(p.GetId().GetNum(), " ", p.GetOrderValue()))
		}
		if !slices.Equal(got, c.want) || !slices.Equal(found, c.want) || scrolled.NextPageOffset != nil {
			t.Errorf("%v: scrolled %q, queried %q, want %q", c.order, got, found, c.want)
		}
	}
}

func TestOrdersAreReadAsTheyAreMeant(t *testing.T) {
	l := ordered(t)
	for _, c := range []struct {
		order *qdrant.OrderBy
		want  payload.Order
	}{
		{&qdrant.OrderBy{Key: "a[].b", StartFrom: qdrant.NewStartFromInt(-5)}, payload.Order{Path: "a[].b", From: payload.Start{Int: new(int64(-5))}}},
		{&qdrant.OrderBy{Key: "n", StartFrom: qdrant.NewStartFromFloat(1.5)}, payload.Order{Path: "n", From: payload.Start{Float: new(1.5)}}},
	} {
		l.must("Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c", OrderBy: c.order, Limit: new(uint32(3))})
		calls := l.taken()
		q := calls[0].([]coordinator.Query)[0]
		if q.Limit != 3 || q.Order.Path != c.want.Path || q.Order.From.Int != nil && *q.Order.From.Int != *c.want.From.Int || q.Order.From.Float != nil && *q.Order.From.Float != *c.want.From.Float {
			t.Errorf("%v became %+v", c.order, q.Order)
		}
	}
	bad := map[string]proto.Message{
		"offset cannot be used with order_by": &qdrant.ScrollPoints{CollectionName: "c", OrderBy: &qdrant.OrderBy{Key: "n"}, Offset: qdrant.NewIDNum(1)},
		"payload path":                        &qdrant.ScrollPoints{CollectionName: "c", OrderBy: &qdrant.OrderBy{Key: "a..b"}},
		"no date or time":                     &qdrant.ScrollPoints{CollectionName: "c", OrderBy: &qdrant.OrderBy{Key: "t", StartFrom: qdrant.NewStartFromDatetime("soon")}},
		"start_from is given, but empty":      &qdrant.ScrollPoints{CollectionName: "c", OrderBy: &qdrant.OrderBy{Key: "t", StartFrom: &qdrant.StartFrom{}}},
	}
	for text, request := range bad {
		l.refused("Points.Scroll", request, codes.InvalidArgument, text)
	}
	l.refused("Points.Query", &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryOrderBy(&qdrant.OrderBy{Key: "n"}), ScoreThreshold: new(float32(1))}, codes.InvalidArgument, "score_threshold needs a query that scores")
	l.refused("Points.Query", &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQuerySample(qdrant.Sample_Random), Using: new("v")}, codes.InvalidArgument, "needs a query that scores")
}

func TestSamplesHaveASeedOfTheirOwn(t *testing.T) {
	l := ordered(t)
	l.must("Points.Query", &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQuerySample(qdrant.Sample_Random), Limit: new(uint64(2)), Offset: new(uint64(1))})
	q := l.taken()[0].([]coordinator.Query)[0]
	if q.Sample == nil || *q.Sample != 7 || q.Limit != 2 || q.Offset != 1 {
		t.Errorf("%+v", q)
	}
}

func TestFacetsCountValues(t *testing.T) {
	l := prepared(t)
	for i := range 9 {
		l.must("Points.Upsert", &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(uint64(i)), Vectors: qdrant.NewVectors(1, 2), Payload: qdrant.NewValueMap(map[string]any{
			"k": fmt.Sprint("k", i%4), "n": i % 3, "yes": i > 2,
		})}}})
	}
	for field, kind := range map[string]qdrant.FieldType{"k": qdrant.FieldType_FieldTypeKeyword, "n": qdrant.FieldType_FieldTypeInteger, "yes": qdrant.FieldType_FieldTypeBool} {
		l.must("Points.CreateFieldIndex", &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: field, FieldType: &kind})
	}
	for _, c := range []struct {
		request *qdrant.FacetCounts
		want    string
	}{
		{&qdrant.FacetCounts{Key: "k", Limit: new(uint64(2))}, `[value:{string_value:"k0"} count:3 value:{string_value:"k1"} count:2]`},
		{&qdrant.FacetCounts{Key: `"n"`}, "[value:{integer_value:0} count:3 value:{integer_value:1} count:3 value:{integer_value:2} count:3]"},
		{&qdrant.FacetCounts{Key: "yes", Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("n", 1)}}}, "[value:{bool_value:true} count:2 value:{bool_value:false} count:1]"},
	} {
		c.request.CollectionName = "c"
		got := l.must("Points.Facet", c.request).(*qdrant.FacetResponse).GetHits()
		if text := strings.ReplaceAll(fmt.Sprint(got), "  ", " "); text != c.want {
			t.Errorf("%v: %s, want %s", c.request, text, c.want)
		}
	}
	l.refused("Points.Facet", &qdrant.FacetCounts{CollectionName: "c", Key: "k", Limit: new(uint64(0))}, codes.InvalidArgument, "limit")
	l.refused("Points.Facet", &qdrant.FacetCounts{CollectionName: "c", Key: "k", Limit: new(uint64(1 << 40))}, codes.InvalidArgument, "limit")
	l.refused("Points.Facet", &qdrant.FacetCounts{CollectionName: "c", Key: "a..b"}, codes.InvalidArgument, "payload path")
}
