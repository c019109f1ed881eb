package integration_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// someFilters are answered by indexes of each kind; each with how many of 300 points match.
func someFilters() map[string]struct {
	filter *qdrant.Filter
	want   uint64
} {
	type expected = struct {
		filter *qdrant.Filter
		want   uint64
	}
	must := func(c ...*qdrant.Condition) *qdrant.Filter { return &qdrant.Filter{Must: c} }
	return map[string]expected{
		"keyword":  {must(qdrant.NewMatchKeyword("city", "c3")), 30},
		"integer":  {must(qdrant.NewRange("n", &qdrant.Range{Gte: qdrant.PtrOf(10.0), Lt: qdrant.PtrOf(15.0)})), 5},
		"float":    {must(qdrant.NewRange("price", &qdrant.Range{Gte: qdrant.PtrOf(149.0)})), 2},
		"bool":     {must(qdrant.NewMatchBool("even", true)), 150},
		"geo":      {must(qdrant.NewGeoRadius("at", 50, 1, 50_000)), 3},
		"nested":   {must(qdrant.NewNestedFilter("list", must(qdrant.NewMatchInt("k", 7)))), 3},
		"several":  {&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchBool("even", true)}, MustNot: []*qdrant.Condition{qdrant.NewMatchKeyword("city", "c4")}}, 120},
		"is empty": {must(qdrant.NewIsEmpty("rare")), 297},
	}
}

func countOf(t *testing.T, client *qdrant.Client, name string, f *qdrant.Filter) uint64 {
	t.Helper()
	n, err := client.Count(t.Context(), &qdrant.CountPoints{CollectionName: name, Filter: f})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Payload indexes come and go while the collection is in use, and change no answer; what text means, they change.
func TestPayloadIndexesChangeNoAnswer(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 2})
	client, other := official(t, c, 0), official(t, c, 1)
	const name = "docs"
	create(t, client, name, 2, 2, 2)
	var points []*qdrant.PointStruct
	for i := range uint64(300) {
		payload := map[string]any{
			"city": fmt.Sprint("c", i%10), "n": int64(i), "price": float64(i) / 2, "even": i%2 == 0, "at": map[string]any{"lon": float64(i % 100), "lat": 50.0},
			"list": []any{map[string]any{"k": int64(i % 100)}, map[string]any{"k": int64(-1)}}, "body": fmt.Sprintf("The word%d, again", i%3),
		}
		if i%100 == 0 {
			payload["rare"] = "here"
		}
		points = append(points, &qdrant.PointStruct{Id: qdrant.NewIDNum(i), Vectors: qdrant.NewVectors(float32(i), 0, 0, 1), Payload: qdrant.NewValueMap(payload)})
	}
	upsert := func() {
		t.Helper()
		if _, err := client.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Points: points, Wait: qdrant.PtrOf(true)}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(client *qdrant.Client, when string) {
		t.Helper()
		for what, f := range someFilters() {
			if n := countOf(t, client, name, f.filter); n != f.want {
				t.Errorf("%s: %s: %d points match, want %d", when, what, n, f.want)
			}
			page, err := client.Scroll(t.Context(), &qdrant.ScrollPoints{CollectionName: name, Filter: f.filter, Limit: qdrant.PtrOf(uint32(400))})
			if err != nil || uint64(len(page)) != f.want {
				t.Errorf("%s: %s: %d points scrolled over, %v, want %d", when, what, len(page), err, f.want)
			}
			hits, err := client.Query(t.Context(), &qdrant.QueryPoints{
				CollectionName: name, Query: qdrant.NewQuery(1, 0, 0, 1), Filter: f.filter, Limit: qdrant.PtrOf(uint64(400)),
			})
			if err != nil || uint64(len(hits)) != f.want {
				t.Errorf("%s: %s: %d points found, %v, want %d", when, what, len(hits), err, f.want)
			}
		}
	}
	upsert()
	check(client, "without indexes")
	phrase := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchText("body", "AGAIN word2")}}
	if n := countOf(t, client, name, phrase); n != 0 {
		t.Errorf("without an index, text is looked for as it is: %d match", n)
	}
	fields := map[string]qdrant.FieldType{
		"city": qdrant.FieldType_FieldTypeKeyword, "n": qdrant.FieldType_FieldTypeInteger, "price": qdrant.FieldType_FieldTypeFloat, "even": qdrant.FieldType_FieldTypeBool,
		"at": qdrant.FieldType_FieldTypeGeo, "list[].k": qdrant.FieldType_FieldTypeInteger, "body": qdrant.FieldType_FieldTypeText, "rare": qdrant.FieldType_FieldTypeKeyword,
	}
	for field, kind := range fields {
		r, err := client.CreateFieldIndex(t.Context(), &qdrant.CreateFieldIndexCollection{CollectionName: name, FieldName: field, FieldType: &kind, Wait: qdrant.PtrOf(true)})
		if err != nil || r.GetStatus() != qdrant.UpdateStatus_Completed {
			t.Fatalf("index %s: %v, %v", field, r, err)
		}
	}
	check(client, "with indexes")
	inOrder(t, other, name)
	check(other, "with indexes, at another node")
	if n := countOf(t, other, name, phrase); n != 100 {
		t.Errorf("with an index, words are looked for: %d match, want 100", n)
	}
	schema(t, other, name, fields, 300)
	filtered := &qdrant.DeletePoints{CollectionName: name, Points: qdrant.NewPointsSelectorFilter(phrase), Wait: qdrant.PtrOf(true)}
	if _, err := client.Delete(t.Context(), filtered); err != nil {
		t.Fatal(err)
	}
	if n := countOf(t, client, name, nil); n != 200 {
		t.Errorf("%d points are left after a third was deleted by a filter", n)
	}
	upsert()
	check(client, "with the points back")
	restart(t, c, 1)
	other = official(t, c, 1)
	schema(t, other, name, fields, 300)
	check(other, "after a restart")
	for field := range fields {
		if _, err := client.DeleteFieldIndex(t.Context(), &qdrant.DeleteFieldIndexCollection{CollectionName: name, FieldName: field, Wait: qdrant.PtrOf(true)}); err != nil {
			t.Fatal(err)
		}
	}
	check(other, "without indexes again")
	schema(t, client, name, nil, 0)
}

// inOrder reads points of all shards by a payload value, and a sample of them.
func inOrder(t *testing.T, client *qdrant.Client, name string) {
	t.Helper()
	order := &qdrant.OrderBy{Key: "price", Direction: qdrant.PtrOf(qdrant.Direction_Desc), StartFrom: qdrant.NewStartFromFloat(100)}
	even := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchBool("even", true)}}
	page, err := client.Scroll(t.Context(), &qdrant.ScrollPoints{CollectionName: name, OrderBy: order, Filter: even, Limit: qdrant.PtrOf(uint32(5))})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint64{200, 198, 196, 194, 192} {
		if len(page) != 5 || page[i].GetId().GetNum() != want || page[i].GetOrderValue().GetFloat() != float64(want)/2 {
			t.Fatalf("in order of price: %v", page)
		}
	}
	if _, err := client.Scroll(t.Context(), &qdrant.ScrollPoints{CollectionName: name, OrderBy: &qdrant.OrderBy{Key: "city"}}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("in the order of a keyword: %v", err)
	}
	drawn := map[uint64]bool{}
	for range 20 {
		sample, err := client.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuerySample(qdrant.Sample_Random), Filter: even, Limit: qdrant.PtrOf(uint64(20))})
		if err != nil || len(sample) != 20 {
			t.Fatal(sample, err)
		}
		for _, p := range sample {
			if p.GetId().GetNum()%2 == 1 {
				t.Errorf("%v was drawn from even ones", p.GetId())
			}
			drawn[p.GetId().GetNum()] = true
		}
	}
	facets, err := client.Facet(t.Context(), &qdrant.FacetCounts{CollectionName: name, Key: "city", Filter: even, Limit: qdrant.PtrOf(uint64(2))})
	if err != nil || len(facets) != 2 || facets[0].GetValue().GetStringValue() != "c0" || facets[0].GetCount() != 30 || facets[1].GetValue().GetStringValue() != "c2" {
		t.Errorf("facets of even points: %v, %v", facets, err)
	}
	if len(drawn) < 100 {
		t.Errorf("of 150 points %d were drawn in 400 draws", len(drawn))
	}
}

func restart(t *testing.T, c *devcluster.Cluster, node int) {
	t.Helper()
	if err := c.StopNode(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if err := c.StartNode(t.Context(), node); err != nil {
		t.Fatal(err)
	}
}

// schema waits until the collection shows the indexes, those but of rare fields with so many points.
func schema(t *testing.T, client *qdrant.Client, name string, fields map[string]qdrant.FieldType, points uint64) {
	t.Helper()
	eventually(t, "the payload schema is shown", func(ctx context.Context) error {
		info, err := client.GetCollectionInfo(ctx, name)
		if err != nil {
			return err
		}
		if len(info.GetPayloadSchema()) != len(fields) || info.GetStatus() != qdrant.CollectionStatus_Green {
			return fmt.Errorf("%v, %v", info.GetStatus(), info.GetPayloadSchema())
		}
		for field, shown := range info.GetPayloadSchema() {
			want := points
			if field == "rare" {
				want = 3
			}
			if shown.GetPoints() != want {
				return fmt.Errorf("the index of %s holds %d points, want %d", field, shown.GetPoints(), want)
			}
		}
		return nil
	})
}
