package client_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func ptr[T any](v T) *T { return &v }

// fullInfo sets every field that Collection can hold.
func fullInfo() *qdrant.CollectionInfo {
	return &qdrant.CollectionInfo{
		Status:          qdrant.CollectionStatus_Yellow,
		OptimizerStatus: &qdrant.OptimizerStatus{Ok: false, Error: "disk"},
		PointsCount:     ptr(uint64(6000)),
		Warnings:        []*qdrant.CollectionWarning{{Message: "under-replicated"}},
		PayloadSchema: map[string]*qdrant.PayloadSchemaInfo{
			"city": {DataType: qdrant.PayloadSchemaType_Keyword, Params: qdrant.NewPayloadIndexParamsKeyword(&qdrant.KeywordIndexParams{IsTenant: ptr(true)})},
			"n":    {DataType: qdrant.PayloadSchemaType_Integer},
		},
		Config: &qdrant.CollectionConfig{
			Params: &qdrant.CollectionParams{
				ShardNumber: 4, OnDiskPayload: true, ReplicationFactor: ptr(uint32(2)), WriteConsistencyFactor: ptr(uint32(2)),
				ReadFanOutFactor: ptr(uint32(1)), ReadFanOutDelayMs: ptr(uint64(30)),
				VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{
					"vector": {Size: 768, Distance: qdrant.Distance_Cosine, OnDisk: ptr(true), HnswConfig: &qdrant.HnswConfigDiff{M: ptr(uint64(8))}},
					"multi":  {Size: 2, Distance: qdrant.Distance_Dot, MultivectorConfig: &qdrant.MultiVectorConfig{}, Datatype: qdrant.Datatype_Uint8.Enum(), Memory: qdrant.Memory_Cold.Enum()},
				}),
				ShardingMethod: qdrant.ShardingMethod_Custom.Enum(),
				SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{
					"text": {Modifier: qdrant.Modifier_Idf.Enum(), Index: &qdrant.SparseIndexConfig{OnDisk: ptr(true)}},
				}),
			},
			HnswConfig:         wireHNSW(),
			OptimizerConfig:    wireOptimizers(),
			WalConfig:          wireWAL(),
			Metadata:           qdrant.NewValueMap(map[string]any{"owner": "search", "n": 1, "f": 1.5, "l": []any{nil, true}, "o": map[string]any{}}),
			QuantizationConfig: qdrant.NewQuantizationBinary(&qdrant.BinaryQuantization{}),
			StrictModeConfig:   &qdrant.StrictModeConfig{Enabled: ptr(false), MaxQueryLimit: ptr(uint32(9)), MaxResidentMemoryPercent: ptr(uint32(80))},
		},
	}
}

func wireHNSW() *qdrant.HnswConfigDiff {
	return &qdrant.HnswConfigDiff{M: ptr(uint64(16)), EfConstruct: ptr(uint64(100)), FullScanThreshold: ptr(uint64(10000)),
		MaxIndexingThreads: ptr(uint64(0)), OnDisk: ptr(false), PayloadM: ptr(uint64(4))}
}

func wireOptimizers() *qdrant.OptimizersConfigDiff {
	return &qdrant.OptimizersConfigDiff{DeletedThreshold: ptr(0.2), VacuumMinVectorNumber: ptr(uint64(1000)),
		DefaultSegmentNumber: ptr(uint64(3)), MaxSegmentSize: ptr(uint64(5)), MemmapThreshold: ptr(uint64(6)),
		IndexingThreshold: ptr(uint64(10000)), FlushIntervalSec: ptr(uint64(5)),
		MaxOptimizationThreads: qdrant.NewMaxOptimizationThreads(2), PreventUnoptimized: ptr(true)}
}

func wireWAL() *qdrant.WalConfigDiff {
	return &qdrant.WalConfigDiff{WalCapacityMb: ptr(uint64(32)), WalSegmentsAhead: ptr(uint64(0)), WalRetainClosed: ptr(uint64(1))}
}

func fullHNSW() client.HNSW {
	return client.HNSW{M: ptr(uint64(16)), EfConstruct: ptr(uint64(100)), FullScanThreshold: ptr(uint64(10000)),
		MaxIndexingThreads: ptr(uint64(0)), OnDisk: ptr(false), PayloadM: ptr(uint64(4))}
}

func fullOptimizers() client.Optimizers {
	return client.Optimizers{DeletedThreshold: ptr(0.2), VacuumMinVectorNumber: ptr(uint64(1000)),
		DefaultSegmentNumber: ptr(uint64(3)), MaxSegmentSize: ptr(uint64(5)), MemmapThreshold: ptr(uint64(6)),
		IndexingThreshold: ptr(uint64(10000)), FlushIntervalSec: ptr(uint64(5)),
		MaxOptimizationThreads: ptr(uint64(2)), PreventUnoptimized: ptr(true)}
}

func fullWAL() client.WAL {
	return client.WAL{CapacityMB: ptr(uint64(32)), SegmentsAhead: ptr(uint64(0)), RetainClosed: ptr(uint64(1))}
}

func TestGetCollectionReadsEveryField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.node("a:1")
		got, err := n.client(client.Config{}, "a:1").GetCollection(t.Context(), "docs")
		if err != nil {
			t.Fatal(err)
		}
		want := &client.Collection{
			Name: "docs", ShardNumber: 4, ReplicationFactor: 2, WriteConsistencyFactor: 2, OnDiskPayload: true,
			ReadFanOutFactor: ptr(uint32(1)), ReadFanOutDelayMS: ptr(uint64(30)),
			Vectors: map[string]client.VectorParams{
				"vector": {Size: 768, Distance: client.Cosine, OnDisk: ptr(true), HNSW: &client.HNSW{M: ptr(uint64(8))}},
				"multi":  {Size: 2, Distance: client.Dot, Datatype: client.Uint8, MultiVector: true},
			},
			HNSW: fullHNSW(), Optimizers: fullOptimizers(), WAL: fullWAL(),
			Metadata: map[string]any{"owner": "search", "n": int64(1), "f": 1.5, "l": []any{nil, true}, "o": map[string]any{}},
			Status:   client.Yellow, OptimizerError: "disk", Points: 6000, Warnings: []string{"under-replicated"},
			Foreign:        []string{"max_resident_memory_percent", "memory"},
			Strict:         &client.StrictMode{Enabled: ptr(false), MaxQueryLimit: ptr(uint64(9))},
			Quantization:   &client.Quantization{Binary: &client.BinaryQuantization{}},
			CustomSharding: true,
			SparseVectors:  map[string]client.SparseParams{"text": {Modifier: "Idf", OnDisk: ptr(true)}},
			Indexes:        map[string]client.FieldIndex{"city": {Kind: client.KeywordIndex, Tenant: ptr(true)}, "n": {Kind: client.IntegerIndex}},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestCreateAndUpdateSendEveryField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		h, o, w := fullHNSW(), fullOptimizers(), fullWAL()
		err := c.CreateCollection(t.Context(), client.CollectionSpec{
			Name: "docs", Vectors: map[string]client.VectorParams{"": {Size: 3, Distance: client.Euclid, OnDisk: ptr(true), HNSW: &h}},
			ShardNumber: ptr(uint32(4)), ReplicationFactor: ptr(uint32(2)), WriteConsistencyFactor: ptr(uint32(1)),
			OnDiskPayload: ptr(false), HNSW: &h, Optimizers: &o, WAL: &w, Metadata: map[string]any{"k": 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, a.requests(create)[0].request, &qdrant.CreateCollection{
			CollectionName: "docs", ShardNumber: ptr(uint32(4)), ReplicationFactor: ptr(uint32(2)), WriteConsistencyFactor: ptr(uint32(1)),
			VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 3, Distance: qdrant.Distance_Euclid, OnDisk: ptr(true), HnswConfig: wireHNSW()}),
			OnDiskPayload: ptr(false), HnswConfig: wireHNSW(), OptimizersConfig: wireOptimizers(), WalConfig: wireWAL(),
			Metadata: map[string]*qdrant.Value{"k": qdrant.NewValueInt(1)},
		})
		err = c.UpdateCollection(t.Context(), "docs", client.CollectionUpdate{
			ReplicationFactor: ptr(uint32(3)), WriteConsistencyFactor: ptr(uint32(2)), ReadFanOutFactor: ptr(uint32(1)),
			ReadFanOutDelayMS: ptr(uint64(5)), OnDiskPayload: ptr(true), HNSW: &h, Optimizers: &o,
			Vectors:  map[string]client.VectorUpdate{"v": {OnDisk: ptr(true), HNSW: &h}},
			Metadata: map[string]any{"gone": nil},
		})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, a.requests("qdrant.Collections/Update")[0].request, &qdrant.UpdateCollection{
			CollectionName: "docs", HnswConfig: wireHNSW(), OptimizersConfig: wireOptimizers(),
			Params: &qdrant.CollectionParamsDiff{ReplicationFactor: ptr(uint32(3)), WriteConsistencyFactor: ptr(uint32(2)),
				ReadFanOutFactor: ptr(uint32(1)), ReadFanOutDelayMs: ptr(uint64(5)), OnDiskPayload: ptr(true)},
			VectorsConfig: qdrant.NewVectorsConfigDiffMap(map[string]*qdrant.VectorParamsDiff{"v": {OnDisk: ptr(true), HnswConfig: wireHNSW()}}),
			Metadata:      map[string]*qdrant.Value{"gone": qdrant.NewValueNull()},
		})
	})
}

func TestAnEmptyUpdateSendsNothingToChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		if err := c.UpdateCollection(t.Context(), "docs", client.CollectionUpdate{}); err != nil {
			t.Fatal(err)
		}
		expect(t, a.requests("qdrant.Collections/Update")[0].request, &qdrant.UpdateCollection{CollectionName: "docs"})
	})
}

func TestDeleteTellsWhetherTheCollectionExisted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		for name, want := range map[string]bool{"docs": true, "absent": false} {
			if existed, err := c.DeleteCollection(t.Context(), name); err != nil || existed != want {
				t.Errorf("delete %s: %v, %v", name, existed, err)
			}
			if exists, err := c.CollectionExists(t.Context(), name); err != nil || exists != want {
				t.Errorf("exists %s: %v, %v", name, exists, err)
			}
		}
		if _, err := c.GetCollection(t.Context(), "absent"); !client.IsNotFound(err) {
			t.Errorf("get absent: %v", err)
		}
	})
}

func TestAliasesGoOutInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		err := c.ChangeAliases(t.Context(), client.DeleteAlias("x"), client.CreateAlias("y", "docs"), client.RenameAlias("y", "z"))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, a.requests("qdrant.Collections/UpdateAliases")[0].request, &qdrant.ChangeAliases{Actions: []*qdrant.AliasOperations{
			qdrant.NewAliasDelete("x"), qdrant.NewAliasCreate("y", "docs"), qdrant.NewAliasRename("y", "z"),
		}})
		got, err := c.ListAliases(t.Context())
		if err != nil || len(got) != 1 || got[0] != (client.Alias{Name: "x", Collection: "a"}) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestPointCallsSendAndReadEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		id, _ := client.ParseID("{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}")
		result, err := c.Upsert(t.Context(), "docs", []client.Point{
			{ID: client.Num(1), Vectors: client.Vectors{"": {1, 2}}, Payload: map[string]any{"word": "king"}},
			{ID: id, Vectors: client.Vectors{"image": {3}}},
		}, client.WriteOptions{Wait: true})
		if err != nil || !result.Completed || result.OperationID != 7 {
			t.Fatalf("got %+v, %v", result, err)
		}
		expect(t, a.requests(upsert)[0].request, &qdrant.UpsertPoints{CollectionName: "docs", Wait: ptr(true), Points: []*qdrant.PointStruct{
			{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsDense([]float32{1, 2}), Payload: map[string]*qdrant.Value{"word": qdrant.NewValueString("king")}},
			{Id: qdrant.NewIDUUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{"image": qdrant.NewVectorDense([]float32{3})})},
		}})
		scored, err := c.Query(t.Context(), "docs", client.QueryRequest{Vector: []float32{1, 0}, Using: "v", Limit: 5, Offset: 1,
			ScoreThreshold: ptr(float32(0.1)), WithPayload: true, WithVectors: true, Filter: &client.Filter{
				Must:    []client.Condition{{Key: "a", Equals: "x"}, {Key: "b", Equals: true}, {Key: "c", Equals: 3}, {Key: "d", Equals: 1.5}},
				Should:  []client.Condition{{HasID: []client.PointID{id}}},
				MustNot: []client.Condition{{Filter: &client.Filter{}}},
			}})
		if err != nil || !reflect.DeepEqual(scored, []client.Scored{{Score: 0.5, Version: 3, Record: client.Record{
			ID: client.Num(1), Payload: map[string]any{"word": "king"}, Vectors: client.Vectors{"": {1, 2}}}}}) {
			t.Errorf("query: %+v, %v", scored, err)
		}
		expect(t, a.requests("qdrant.Points/Query")[0].request, &qdrant.QueryPoints{CollectionName: "docs", Query: qdrant.NewQueryDense([]float32{1, 0}),
			Using: ptr("v"), Limit: ptr(uint64(5)), Offset: ptr(uint64(1)), ScoreThreshold: ptr(float32(0.1)),
			WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(true), Filter: &qdrant.Filter{
				Must: []*qdrant.Condition{qdrant.NewMatchKeyword("a", "x"), qdrant.NewMatchBool("b", true), qdrant.NewMatchInt("c", 3),
					qdrant.NewRange("d", &qdrant.Range{Gte: ptr(1.5), Lte: ptr(1.5)})},
				Should:  []*qdrant.Condition{qdrant.NewHasID(qdrant.NewIDUUID(id.String()))},
				MustNot: []*qdrant.Condition{qdrant.NewFilterAsCondition(&qdrant.Filter{})},
			}})
		page, next, err := c.Scroll(t.Context(), "docs", client.ScrollRequest{From: &id, Limit: 1})
		if err != nil || len(page) != 1 || next == nil || *next != id {
			t.Errorf("scroll: %v, %v, %v", page, next, err)
		}
		if count, err := c.Count(t.Context(), "docs", nil); err != nil || count != 42 {
			t.Errorf("count: %d, %v", count, err)
		}
		got, err := c.Get(t.Context(), "docs", client.GetRequest{IDs: []client.PointID{client.Num(9)}, WithVectors: true})
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0].Vectors, client.Vectors{"image": {3}, "old": {4}}) {
			t.Errorf("get: %+v, %v", got, err)
		}
		if _, err := c.SetPayload(t.Context(), "docs", client.Selector{IDs: []client.PointID{id}}, map[string]any{"k": nil}, client.WriteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

func TestWrongRequestsAreRefusedBeforeSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c := n.client(client.Config{}, "a:1")
		cycle := map[string]any{}
		cycle["self"] = cycle
		for name, call := range map[string]func() error{
			"distance": func() error {
				return c.CreateCollection(t.Context(), client.CollectionSpec{Vectors: map[string]client.VectorParams{"": {Size: 1, Distance: "Hamming"}}})
			},
			"metadata": func() error {
				return c.UpdateCollection(t.Context(), "x", client.CollectionUpdate{Metadata: map[string]any{"f": math.NaN()}})
			},
			"cycle": func() error {
				_, err := c.Upsert(t.Context(), "x", []client.Point{{Payload: cycle}}, client.WriteOptions{})
				return err
			},
			"foreign type": func() error {
				_, err := c.SetPayload(t.Context(), "x", client.Selector{IDs: []client.PointID{{}}}, map[string]any{"t": time.Now()}, client.WriteOptions{})
				return err
			},
			"selector": func() error {
				_, err := c.DeletePoints(t.Context(), "x", client.Selector{}, client.WriteOptions{})
				return err
			},
			"query": func() error { _, err := c.Query(t.Context(), "x", client.QueryRequest{}); return err },
			"condition": func() error {
				_, err := c.Count(t.Context(), "x", &client.Filter{Must: []client.Condition{{Key: "k", Equals: []string{"a"}}}})
				return err
			},
		} {
			if err := call(); !client.IsInvalid(err) || !strings.Contains(err.Error(), "INVALID") {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if n.dials("a:1") != 0 {
			t.Error("a wrong request was sent")
		}
	})
}

func TestClusterAndPlacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		cluster, err := c.Cluster(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := &client.Cluster{ID: "c", AnsweringPeer: 1, Leader: 2, Term: 3, AppliedIndex: 4, Version: "0.1.0", Peers: []client.Peer{
			{ID: 1, Name: "a", GRPCAddress: "a:1", PeerAddress: "a:2", HTTPAddress: "a:3", Zone: "z", Version: "0.1.0", Alive: true, Voter: true, LastSeen: time.UnixMilli(1000), Replicas: 5,
				State: client.PeerDraining, Labels: map[string]string{"rack": "1"}, Primaries: 2, Bytes: 3, DiskFree: 4, DiskTotal: 5},
			{ID: 2, Name: "b", Leader: true, Replaced: true, State: client.PeerActive},
		}}
		if !reflect.DeepEqual(cluster, want) || cluster.Alive() != 1 {
			t.Errorf("got %+v", cluster)
		}
		placement, err := c.Placement(t.Context(), "docs")
		if err != nil || len(placement) != 1 || placement[0].AsDeclared() {
			t.Fatalf("got %+v, %v", placement, err)
		}
		wantShard := client.ShardPlacement{DeclaredReplicas: 2, ActiveReplicas: 1, Primary: 1, Term: 9, WriteQuorum: 2,
			Problem: "one is missing", Version: 8, UnsafePromotions: 7, Key: &client.ShardKey{Number: 7}, Slots: 4096, Pinned: true, Replicas: []client.ReplicaPlacement{
				{Peer: 1, State: client.ReplicaActive, Alive: true, LastIndex: 10, AppliedIndex: 9, Points: 6, Generation: 5, Bytes: 8},
				{Peer: 2, State: client.ReplicaPartial, Transfer: &client.Transfer{From: 1, Bytes: 2, TotalBytes: 3, Problem: "slow"}}, {Peer: 3, State: client.ReplicaDead}, {Peer: 4, State: "unknown"},
			}}
		if !reflect.DeepEqual(placement[0].Shards, []client.ShardPlacement{wantShard}) {
			t.Errorf("got %+v", placement[0].Shards)
		}
		wantKey := client.ShardKeyPlacement{Key: client.ShardKey{Keyword: "eu"}, ShardNumber: 1, TargetShardNumber: 2, ReplicationFactor: 3, Placement: []client.PeerID{4}}
		if p := placement[0]; p.TargetShardNumber != 2 || p.Epoch != 3 || p.Bytes != 4 || p.Points != 5 || !reflect.DeepEqual(p.Operations, []uint64{6}) ||
			!reflect.DeepEqual(p.ShardKeys, []client.ShardKeyPlacement{wantKey}) {
			t.Errorf("got %+v", p)
		}
		if len(a.requests("ostraka.cluster.v1.Cluster/GetPlacement")) != 1 {
			t.Error("no request seen")
		}
	})
}

func TestJSONValuesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.MapOf(rapid.String(), jsonValue(3)).Draw(t, "payload")
		got, err := client.RoundTrip(payload)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, payload) {
			t.Fatalf("got %#v, want %#v", got, payload)
		}
	})
}

func jsonValue(depth int) *rapid.Generator[any] {
	leaf := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.String().AsAny(),
		rapid.Float64Range(-1e300, 1e300).AsAny(),
	}
	if depth > 0 {
		leaf = append(leaf,
			rapid.SliceOfN(jsonValue(depth-1), 0, 4).AsAny(),
			rapid.MapOfN(rapid.String(), jsonValue(depth-1), 0, 4).AsAny())
	}
	return rapid.OneOf(leaf...)
}

func expect(t *testing.T, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("request\n got %v\nwant %v", got, want)
	}
}
