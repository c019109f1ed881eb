package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// TestStrictModeHoldsAtEveryNode declares limits at one node, and asks the other.
func TestStrictModeHoldsAtEveryNode(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 2})
	client, other := official(t, c, 0), official(t, c, 1)
	const name = "docs"
	create(t, client, name, 2, 2, 2)
	declare := func(s *qdrant.StrictModeConfig) {
		t.Helper()
		if err := client.UpdateCollection(t.Context(), &qdrant.UpdateCollection{CollectionName: name, StrictModeConfig: s}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the other node shows what was declared", func(ctx context.Context) error {
			mine, err := client.GetCollectionInfo(ctx, name)
			if err != nil {
				return err
			}
			theirs, err := other.GetCollectionInfo(ctx, name)
			if err != nil {
				return err
			}
			a, b := mine.GetConfig().GetStrictModeConfig(), theirs.GetConfig().GetStrictModeConfig()
			if !proto.Equal(a, b) {
				return fmt.Errorf("%v there, %v here", b, a)
			}
			return nil
		})
	}
	refused := func(err error, texts ...string) {
		t.Helper()
		if status.Code(err) != codes.InvalidArgument {
			t.Fatalf("got %v, want a refusal with %q", err, texts)
		}
		for _, text := range texts {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%v: it lacks %q", err, text)
			}
		}
	}
	upsert := func(first, n uint64) error {
		var points []*qdrant.PointStruct
		for i := range n {
			points = append(points, &qdrant.PointStruct{
				Id: qdrant.NewIDNum(first + i), Vectors: qdrant.NewVectors(1, 0, 0, 1), Payload: qdrant.NewValueMap(map[string]any{"city": strings.Repeat("x", 100)}),
			})
		}
		_, err := other.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Points: points, Wait: qdrant.PtrOf(true)})
		return err
	}
	query := func(change func(*qdrant.QueryPoints)) error {
		q := &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 0, 0, 1), Limit: qdrant.PtrOf(uint64(5))}
		change(q)
		_, err := other.Query(t.Context(), q)
		return err
	}
	byCity := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeyword("city", "a")}}

	declare(&qdrant.StrictModeConfig{
		Enabled: qdrant.PtrOf(true), MaxQueryLimit: qdrant.PtrOf(uint32(5)), UnindexedFilteringRetrieve: qdrant.PtrOf(false),
		UnindexedFilteringUpdate: qdrant.PtrOf(false), UpsertMaxBatchsize: qdrant.PtrOf(uint64(10)), MaxPayloadIndexCount: qdrant.PtrOf(uint64(1)),
	})
	refused(upsert(0, 11), "asks for 11, upsert_max_batchsize allows 10")
	if n := countOf(t, client, name, nil); n != 0 {
		t.Fatalf("%d points were stored by what was refused", n)
	}
	refused(query(func(q *qdrant.QueryPoints) { q.Limit = qdrant.PtrOf(uint64(6)) }), "max_query_limit allows 5")
	filtered := func(q *qdrant.QueryPoints) { q.Filter = byCity }
	refused(query(filtered), "field `city`", "no index", "keyword")
	_, err := other.Delete(t.Context(), &qdrant.DeletePoints{CollectionName: name, Points: qdrant.NewPointsSelectorFilter(byCity)})
	refused(err, "unindexed_filtering_update")
	index := func(field string) error {
		_, err := client.CreateFieldIndex(t.Context(), &qdrant.CreateFieldIndexCollection{
			CollectionName: name, FieldName: field, FieldType: qdrant.FieldType_FieldTypeKeyword.Enum(), Wait: qdrant.PtrOf(true),
		})
		return err
	}
	if err := index("city"); err != nil {
		t.Fatal(err)
	}
	refused(index("street"), "max_payload_index_count allows 1")
	eventually(t, "a filter passes that has its index", func(context.Context) error { return query(filtered) })

	// What the collection holds is measured, over both nodes: 60 points of a hundred bytes and more.
	for i := range uint64(6) {
		if err := upsert(10*i, 10); err != nil {
			t.Fatal(err)
		}
	}
	for limit, s := range map[string]*qdrant.StrictModeConfig{
		"max_points_count":                  {MaxPointsCount: qdrant.PtrOf(uint64(60))},
		"max_collection_payload_size_bytes": {MaxCollectionPayloadSizeBytes: qdrant.PtrOf(uint64(6000))},
		"max_collection_vector_size_bytes":  {MaxCollectionVectorSizeBytes: qdrant.PtrOf(uint64(60 * 16))},
	} {
		declare(s)
		eventually(t, limit+" is reached", func(context.Context) error {
			if err := upsert(0, 1); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), limit) {
				return fmt.Errorf("not yet: %s", text(err))
			}
			return nil
		})
		declare(&qdrant.StrictModeConfig{
			MaxPointsCount: qdrant.PtrOf(^uint64(0)), MaxCollectionPayloadSizeBytes: qdrant.PtrOf(^uint64(0)), MaxCollectionVectorSizeBytes: qdrant.PtrOf(^uint64(0)),
		})
	}
	declare(&qdrant.StrictModeConfig{ReadRateLimit: qdrant.PtrOf(uint32(1))})
	eventually(t, "the rate is used up", func(context.Context) error {
		var used *qdrant.QdrantResourceExhaustedError
		err := query(func(*qdrant.QueryPoints) {})
		if !errors.As(err, &used) || used.RetryAfterS < 1 || !strings.Contains(err.Error(), "read_rate_limit allows 1") {
			return fmt.Errorf("not yet: %s", text(err))
		}
		return nil
	})
	declare(&qdrant.StrictModeConfig{Enabled: qdrant.PtrOf(false)})
	if err := upsert(100, 11); err != nil {
		t.Fatal(err)
	}
	if err := query(func(q *qdrant.QueryPoints) { q.Limit = qdrant.PtrOf(uint64(50)) }); err != nil {
		t.Fatal(err)
	}
}

// text is what an error says, if there is one.
func text(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
