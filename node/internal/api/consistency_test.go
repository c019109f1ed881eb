package api_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// asking is a context that carries the metadata x-ostraka-consistency.
func asking(values ...string) context.Context {
	return metadata.NewIncomingContext(context.Background(), metadata.MD{api.ConsistencyKey: values})
}

func TestReadsAreAskedForAsTheClientChose(t *testing.T) {
	kind := func(k qdrant.ReadConsistencyType) *qdrant.ReadConsistency {
		return &qdrant.ReadConsistency{Value: &qdrant.ReadConsistency_Type{Type: k}}
	}
	factor := func(n uint64) *qdrant.ReadConsistency {
		return &qdrant.ReadConsistency{Value: &qdrant.ReadConsistency_Factor{Factor: n}}
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		r    *qdrant.ReadConsistency
		want coordinator.ReadOptions
	}{
		"default":            {context.Background(), nil, coordinator.ReadOptions{}},
		"eventual":           {asking("eventual"), nil, coordinator.ReadOptions{}},
		"one":                {context.Background(), factor(1), coordinator.ReadOptions{}},
		"two":                {context.Background(), factor(2), coordinator.ReadOptions{Consistency: coordinator.Factor, Factor: 2}},
		"many":               {context.Background(), factor(1 << 40), coordinator.ReadOptions{Consistency: coordinator.Factor, Factor: 1<<31 - 1}},
		"majority":           {context.Background(), kind(qdrant.ReadConsistencyType_Majority), coordinator.ReadOptions{Consistency: coordinator.Majority}},
		"quorum":             {asking("eventual"), kind(qdrant.ReadConsistencyType_Quorum), coordinator.ReadOptions{Consistency: coordinator.Quorum}},
		"all":                {context.Background(), kind(qdrant.ReadConsistencyType_All), coordinator.ReadOptions{Consistency: coordinator.All}},
		"strong":             {asking("strong"), nil, coordinator.ReadOptions{Consistency: coordinator.Linearizable}},
		"strong twice":       {asking("strong", "strong"), nil, coordinator.ReadOptions{Consistency: coordinator.Linearizable}},
		"strong with factor": {asking("strong"), factor(1), coordinator.ReadOptions{Consistency: coordinator.Linearizable}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t)
			l.must("Collections.Create", declare("c"))
			l.must("Points.Upsert", &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectors(1, 2, 3, 4)}}})
			v := []float32{1, 2, 3, 4}
			for method, request := range map[string]proto.Message{
				"Points.Get":    &qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewIDNum(1)}, ReadConsistency: c.r},
				"Points.Scroll": &qdrant.ScrollPoints{CollectionName: "c", ReadConsistency: c.r},
				"Points.Count":  &qdrant.CountPoints{CollectionName: "c", ReadConsistency: c.r},
				"Points.Search": &qdrant.SearchPoints{CollectionName: "c", Vector: v, Limit: 1, ReadConsistency: c.r},
				"Points.Query":  &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryID(qdrant.NewIDNum(1)), ReadConsistency: c.r},
				"Points.QueryBatch": &qdrant.QueryBatchPoints{CollectionName: "c", ReadConsistency: c.r,
					QueryPoints: []*qdrant.QueryPoints{{}, {ReadConsistency: c.r}}},
				"Points.SearchBatch": &qdrant.SearchBatchPoints{CollectionName: "c",
					SearchPoints: []*qdrant.SearchPoints{{Vector: v, Limit: 1, ReadConsistency: c.r}}},
			} {
				l.taken()
				if _, err := l.ask(c.ctx, method, request); err != nil {
					t.Fatalf("%s: %v", method, err)
				}
				asked, reads := 0, 0
				for _, call := range l.taken() {
					switch o := call.(type) {
					case coordinator.ReadOptions:
						if asked++; o != c.want {
							t.Errorf("%s: asked for %+v, want %+v", method, o, c.want)
						}
					default:
						reads++
					}
				}
				if (asked > 0) != (c.want != coordinator.ReadOptions{}) {
					t.Errorf("%s: %d of the reads have options", method, asked)
				}
			}
		})
	}
}

func TestUnknownConsistenciesAreRefusedEverywhere(t *testing.T) {
	l := newLocal(t)
	l.must("Collections.Create", declare("c"))
	quorum := &qdrant.ReadConsistency{Value: &qdrant.ReadConsistency_Type{Type: qdrant.ReadConsistencyType_Quorum}}
	for name, c := range map[string]struct {
		ctx     context.Context
		method  string
		request proto.Message
		text    string
	}{
		"a typo":              {asking("Strong"), "Points.Count", &qdrant.CountPoints{CollectionName: "c"}, `"Strong" is not a known value`},
		"empty":               {asking(""), "Points.Count", &qdrant.CountPoints{CollectionName: "c"}, "not a known value"},
		"on a write":          {asking("weak"), "Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()}, "not a known value"},
		"on a collection":     {asking("weak"), "Collections.Get", &qdrant.GetCollectionInfoRequest{CollectionName: "c"}, "not a known value"},
		"two different":       {asking("strong", "eventual"), "Points.Count", &qdrant.CountPoints{CollectionName: "c"}, "both"},
		"strong and a quorum": {asking("strong"), "Points.Count", &qdrant.CountPoints{CollectionName: "c", ReadConsistency: quorum}, "exclude each other"},
	} {
		_, err := l.ask(c.ctx, c.method, c.request)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(status.Convert(err).Message(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := l.ask(asking("strong"), "Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()}); err != nil {
		t.Errorf("a write of a client that asks for linearizable reads: %v", err)
	}
}

// A node that is behind must not deny what exists: a miss is answered once it has caught up.
func TestAbsenceIsConfirmed(t *testing.T) {
	for method, request := range map[string]func(name string) proto.Message{
		"Collections.Get":                   func(n string) proto.Message { return &qdrant.GetCollectionInfoRequest{CollectionName: n} },
		"Collections.CollectionClusterInfo": func(n string) proto.Message { return &qdrant.CollectionClusterInfoRequest{CollectionName: n} },
		"Collections.ListCollectionAliases": func(n string) proto.Message { return &qdrant.ListCollectionAliasesRequest{CollectionName: n} },
		"Collections.ListShardKeys":         func(n string) proto.Message { return &qdrant.ListShardKeysRequest{CollectionName: n} },
		"Collections.CollectionExists":      func(n string) proto.Message { return &qdrant.CollectionExistsRequest{CollectionName: n} },
		"Collections.Update": func(n string) proto.Message {
			return &qdrant.UpdateCollection{CollectionName: n, OptimizersConfig: &qdrant.OptimizersConfigDiff{FlushIntervalSec: new(uint64(9))}}
		},
	} {
		t.Run(method, func(t *testing.T) {
			ahead, here := newLocal(t), &behind{}
			ahead.must("Collections.Create", declare("late"))
			l := newLocal(t, func(o *api.Options) { here.Metadata, o.Metadata, o.CatchUp = o.Metadata, here, here.catchUp })
			here.next = ahead.cluster
			resp, err := l.try(method, request("late"))
			if err != nil {
				t.Fatalf("the node caught up: %v", err)
			}
			if exists, ok := resp.(*qdrant.CollectionExistsResponse); ok && !exists.GetResult().GetExists() {
				t.Error("what exists is denied")
			}
			resp, err = l.try(method, request("never"))
			if exists, ok := resp.(*qdrant.CollectionExistsResponse); ok {
				if exists.GetResult().GetExists() {
					t.Error("what does not exist is affirmed")
				}
			} else if status.Code(err) != codes.NotFound {
				t.Errorf("of what does not exist: %v", err)
			}
		})
	}
}

func TestAliasListsAreUpToDate(t *testing.T) {
	ahead, here := newLocal(t), &behind{}
	ahead.must("Collections.Create", declare("late"))
	ahead.must("Collections.UpdateAliases", &qdrant.ChangeAliases{Actions: []*qdrant.AliasOperations{qdrant.NewAliasCreate("a", "late")}})
	l := newLocal(t, func(o *api.Options) { here.Metadata, o.Metadata, o.CatchUp = o.Metadata, here, here.catchUp })
	here.next = ahead.cluster
	if got := l.must("Collections.ListAliases", &qdrant.ListAliasesRequest{}).(*qdrant.ListAliasesResponse).GetAliases(); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// behind is the metadata of a node that shows the newest only once it has caught up.
type behind struct {
	api.Metadata
	next api.Metadata
}

func (b *behind) catchUp(context.Context) error {
	b.Metadata = b.next
	return nil
}

func TestWhatCannotBeConfirmedIsUnavailable(t *testing.T) {
	l := newLocal(t, func(o *api.Options) {
		o.CatchUp = func(context.Context) error { return fault.New(fault.Unavailable, "no quorum") }
	})
	l.must("Collections.Create", declare("known"))
	for method, request := range map[string]proto.Message{
		"Collections.Get":                   &qdrant.GetCollectionInfoRequest{CollectionName: "n"},
		"Collections.CollectionExists":      &qdrant.CollectionExistsRequest{CollectionName: "n"},
		"Collections.CollectionClusterInfo": &qdrant.CollectionClusterInfoRequest{CollectionName: "n"},
		"Collections.ListCollectionAliases": &qdrant.ListCollectionAliasesRequest{CollectionName: "known"},
		"Collections.ListAliases":           &qdrant.ListAliasesRequest{},
	} {
		if _, err := l.try(method, request); status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", method, err)
		}
	}
	if got := l.info("known"); got.GetConfig() == nil {
		t.Error("what is known needs no confirmation")
	}
	if got := l.must("Collections.CollectionExists", &qdrant.CollectionExistsRequest{CollectionName: "known"}).(*qdrant.CollectionExistsResponse); !got.GetResult().GetExists() {
		t.Error("it exists")
	}
}

func TestWarningsAreThoseOfTheCluster(t *testing.T) {
	l := newLocal(t, func(o *api.Options) {
		o.Warnings = func(_ context.Context, c *catalog.Collection) []string { return []string{"of " + c.Name, "and more"} }
	})
	l.must("Collections.Create", declare("n"))
	if got := strings.Split(warningTexts(l.info("n")), "\n"); !slices.Equal(got, []string{"of n", "and more"}) {
		t.Errorf("got %q", got)
	}
}
