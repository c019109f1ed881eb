package api_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

func declare(name string) *qdrant.CreateCollection {
	return &qdrant.CreateCollection{
		CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Cosine}),
	}
}

func (l *local) info(name string) *qdrant.CollectionInfo {
	l.t.Helper()
	return l.must("Collections.Get", &qdrant.GetCollectionInfoRequest{CollectionName: name}).(*qdrant.GetCollectionInfoResponse).GetResult()
}

func warningTexts(info *qdrant.CollectionInfo) string {
	var out []string
	for _, w := range info.GetWarnings() {
		out = append(out, w.GetMessage())
	}
	return strings.Join(out, "\n")
}

func TestADeclaredCollectionShowsQdrantsDefaults(t *testing.T) {
	l := newLocal(t)
	l.must("Collections.Create", declare("n"))
	want := &qdrant.CollectionConfig{
		Params: &qdrant.CollectionParams{
			ShardNumber: 2, OnDiskPayload: true, ReplicationFactor: new(uint32(1)), WriteConsistencyFactor: new(uint32(1)),
			VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Cosine}),
		},
		HnswConfig: &qdrant.HnswConfigDiff{
			M: new(uint64(16)), EfConstruct: new(uint64(100)), FullScanThreshold: new(uint64(10000)), MaxIndexingThreads: new(uint64(0)), OnDisk: new(false),
		},
		OptimizerConfig: &qdrant.OptimizersConfigDiff{
			DeletedThreshold: new(0.2), VacuumMinVectorNumber: new(uint64(1000)), DefaultSegmentNumber: new(uint64(0)),
			IndexingThreshold: new(uint64(10000)), FlushIntervalSec: new(uint64(5)),
		},
		WalConfig: &qdrant.WalConfigDiff{WalCapacityMb: new(uint64(32)), WalSegmentsAhead: new(uint64(0)), WalRetainClosed: new(uint64(1))},
	}
	got := l.info("n")
	if !proto.Equal(got.GetConfig(), want) {
		t.Errorf("got  %v\nwant %v", got.GetConfig(), want)
	}
	if got.GetStatus() != qdrant.CollectionStatus_Green || !got.GetOptimizerStatus().GetOk() || got.PointsCount == nil || got.GetSegmentsCount() != 2 {
		t.Errorf("%v", got)
	}
	if w := warningTexts(got); w != "" {
		t.Errorf("warnings: %s", w)
	}
}

// What Get shows can be declared again, and is shown the same.
func TestWhatIsShownCanBeDeclaredAgain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLocal(t)
		request := drawCreate(rt)
		l.must("Collections.Create", request)
		shown := l.info("n").GetConfig()
		again := &qdrant.CreateCollection{
			CollectionName: "m", HnswConfig: shown.GetHnswConfig(), OptimizersConfig: shown.GetOptimizerConfig(), WalConfig: shown.GetWalConfig(),
			VectorsConfig: shown.GetParams().GetVectorsConfig(), ShardNumber: new(shown.GetParams().GetShardNumber()),
			ReplicationFactor: shown.GetParams().ReplicationFactor, WriteConsistencyFactor: shown.GetParams().WriteConsistencyFactor,
			OnDiskPayload: new(shown.GetParams().GetOnDiskPayload()), Metadata: shown.GetMetadata(),
			SparseVectorsConfig: shown.GetParams().GetSparseVectorsConfig(),
		}
		l.must("Collections.Create", again)
		if twice := l.info("m").GetConfig(); !proto.Equal(shown, twice) {
			rt.Fatalf("%v became\n%v", shown, twice)
		}
		for name, p := range request.GetVectorsConfig().GetParamsMap().GetMap() {
			kept := shown.GetParams().GetVectorsConfig().GetParamsMap().GetMap()[name]
			if len(request.GetVectorsConfig().GetParamsMap().GetMap()) > 1 && !proto.Equal(p, kept) {
				rt.Fatalf("vector %q: %v became %v", name, p, kept)
			}
		}
	})
}

func maybe[T any](t *rapid.T, name string, g *rapid.Generator[T]) *T {
	if !rapid.Bool().Draw(t, name+" is set") {
		return nil
	}
	return new(g.Draw(t, name))
}

func drawHNSW(t *rapid.T, name string) *qdrant.HnswConfigDiff {
	h := &qdrant.HnswConfigDiff{
		M: maybe(t, name+" m", rapid.Uint64Max(64)), EfConstruct: maybe(t, name+" ef", rapid.Uint64Range(4, 500)),
		FullScanThreshold: maybe(t, name+" scan", rapid.Uint64Max(1<<20)), MaxIndexingThreads: maybe(t, name+" threads", rapid.Uint64Max(16)),
		OnDisk: maybe(t, name+" disk", rapid.Bool()), PayloadM: maybe(t, name+" payload", rapid.Uint64Max(64)),
	}
	if proto.Size(h) == 0 {
		return nil
	}
	return h
}

func drawCreate(t *rapid.T) *qdrant.CreateCollection {
	vectors := map[string]*qdrant.VectorParams{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "a", "b", "ž"}), 0, 4, rapid.ID).Draw(t, "names") {
		vectors[name] = &qdrant.VectorParams{
			Size: rapid.Uint64Range(1, 65536).Draw(t, "size"), Distance: qdrant.Distance(rapid.IntRange(1, 4).Draw(t, "distance")),
			OnDisk: maybe(t, "disk", rapid.Bool()), HnswConfig: drawHNSW(t, "vector"),
			Datatype: maybe(t, "datatype", rapid.SampledFrom([]qdrant.Datatype{qdrant.Datatype_Float16, qdrant.Datatype_Uint8})),
		}
		if rapid.Bool().Draw(t, "multi") {
			vectors[name].MultivectorConfig = &qdrant.MultiVectorConfig{}
		}
	}
	var sparse *qdrant.SparseVectorConfig
	if rapid.Bool().Draw(t, "sparse") {
		sparse = qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}, "t": {
			Modifier: qdrant.Modifier_Idf.Enum(),
			Index:    &qdrant.SparseIndexConfig{FullScanThreshold: maybe(t, "scan", rapid.Uint64()), OnDisk: maybe(t, "disk", rapid.Bool()), Datatype: qdrant.Datatype_Float16.Enum()},
		}})
	}
	rf := rapid.Uint32Range(1, 5).Draw(t, "rf")
	o := &qdrant.OptimizersConfigDiff{
		DeletedThreshold: maybe(t, "deleted", rapid.Float64Range(0, 1)), VacuumMinVectorNumber: maybe(t, "vacuum", rapid.Uint64Range(100, 5000)),
		DefaultSegmentNumber: maybe(t, "segments", rapid.Uint64Max(9)), MaxSegmentSize: maybe(t, "size", rapid.Uint64Range(1, 9)),
		MemmapThreshold: maybe(t, "memmap", rapid.Uint64Max(9)), IndexingThreshold: maybe(t, "indexing", rapid.Uint64Max(9)),
		FlushIntervalSec: maybe(t, "flush", rapid.Uint64Range(1, 9)), PreventUnoptimized: maybe(t, "prevent", rapid.Bool()),
		DeprecatedMaxOptimizationThreads: maybe(t, "threads", rapid.Uint64Max(9)),
	}
	return &qdrant.CreateCollection{
		CollectionName: "n", VectorsConfig: qdrant.NewVectorsConfigMap(vectors), HnswConfig: drawHNSW(t, "collection"), OptimizersConfig: o,
		SparseVectorsConfig: sparse,
		WalConfig: &qdrant.WalConfigDiff{
			WalCapacityMb: maybe(t, "wal", rapid.Uint64Range(1, 64)), WalSegmentsAhead: maybe(t, "ahead", rapid.Uint64Max(4)), WalRetainClosed: maybe(t, "retain", rapid.Uint64Max(4)),
		},
		ShardNumber: maybe(t, "shards", rapid.Uint32Range(1, 9)), ReplicationFactor: &rf,
		WriteConsistencyFactor: maybe(t, "wcf", rapid.Uint32Range(1, rf)), OnDiskPayload: maybe(t, "payload", rapid.Bool()),
		Metadata: qdrant.NewValueMap(map[string]any{"n": rapid.Int64().Draw(t, "n"), "f": rapid.Float64Range(-1e9, 1e9).Draw(t, "f")}),
	}
}

func TestBadDeclarationsAreRefused(t *testing.T) {
	with := func(change func(*qdrant.CreateCollection)) *qdrant.CreateCollection {
		c := declare("n")
		change(c)
		return c
	}
	params := func(change func(*qdrant.VectorParams)) *qdrant.CreateCollection {
		return with(func(c *qdrant.CreateCollection) { change(c.GetVectorsConfig().GetParams()) })
	}
	for _, c := range []struct {
		request *qdrant.CreateCollection
		code    codes.Code
		text    string
	}{
		{declare("a/b"), codes.InvalidArgument, "Wrong input: "},
		{declare("a\x1fb"), codes.InvalidArgument, "Wrong input: "},
		{declare(strings.Repeat("x", 256)), codes.InvalidArgument, "255"},
		{params(func(p *qdrant.VectorParams) { p.Distance = 0 }), codes.InvalidArgument, "distance"},
		{params(func(p *qdrant.VectorParams) { p.Datatype = new(qdrant.Datatype_Turbo4) }), codes.Unimplemented, "vectors of type Turbo4 (VectorParams.datatype)"},
		{params(func(p *qdrant.VectorParams) { p.Memory = new(qdrant.Memory_Cold) }), codes.Unimplemented, "memory placement"},
		{with(func(c *qdrant.CreateCollection) { c.VectorsConfig = &qdrant.VectorsConfig{} }), codes.InvalidArgument, "vectors_config"},
		{with(func(c *qdrant.CreateCollection) { c.QuantizationConfig = &qdrant.QuantizationConfig{} }), codes.InvalidArgument, "quantization_config: it is given, but empty"},
		{with(func(c *qdrant.CreateCollection) {
			c.QuantizationConfig = &qdrant.QuantizationConfig{Quantization: &qdrant.QuantizationConfig_Turboquant{Turboquant: &qdrant.TurboQuantization{}}}
		}), codes.Unimplemented, "TurboQuant quantization"},
		{with(func(c *qdrant.CreateCollection) {
			c.QuantizationConfig = qdrant.NewQuantizationScalar(&qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8, Quantile: new(float32(2))})
		}), codes.InvalidArgument, "quantile must be within 0.5..1, got 2"},
		{with(func(c *qdrant.CreateCollection) {
			c.StrictModeConfig = &qdrant.StrictModeConfig{MaxResidentMemoryPercent: new(uint32(80))}
		}), codes.Unimplemented, "--memory-limit"},
		{with(func(c *qdrant.CreateCollection) {
			c.StrictModeConfig = &qdrant.StrictModeConfig{ReadRateLimit: new(uint32(0))}
		}), codes.InvalidArgument, "strict_mode_config: read_rate_limit must be at least 1"},
		{with(func(c *qdrant.CreateCollection) {
			c.SparseVectorsConfig = qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"": {}})
		}), codes.InvalidArgument, "a sparse vector needs a name"},
		{with(func(c *qdrant.CreateCollection) {
			c.SparseVectorsConfig = qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {Index: &qdrant.SparseIndexConfig{Datatype: new(qdrant.Datatype_Uint8)}}})
		}), codes.Unimplemented, "weights of datatype uint8"},
		{with(func(c *qdrant.CreateCollection) { c.WriteConsistencyFactor = new(uint32(2)) }), codes.InvalidArgument, "write_consistency_factor 2 cannot be larger"},
		{with(func(c *qdrant.CreateCollection) {
			c.HnswConfig = &qdrant.HnswConfigDiff{EfConstruct: new(uint64(math.MaxUint64))}
		}), codes.InvalidArgument, "ef_construct"},
		{with(func(c *qdrant.CreateCollection) {
			c.OptimizersConfig = &qdrant.OptimizersConfigDiff{DeletedThreshold: new(math.NaN())}
		}), codes.InvalidArgument, "deleted_threshold"},
		{with(func(c *qdrant.CreateCollection) {
			c.OptimizersConfig = &qdrant.OptimizersConfigDiff{MaxOptimizationThreads: &qdrant.MaxOptimizationThreads{}}
		}), codes.InvalidArgument, "max_optimization_threads is given, but empty"},
		{with(func(c *qdrant.CreateCollection) {
			c.Metadata = map[string]*qdrant.Value{"x": qdrant.NewValueDouble(math.Inf(1))}
		}), codes.InvalidArgument, "is not a JSON number"},
	} {
		l := newLocal(t)
		l.refused("Collections.Create", c.request, c.code, c.text)
		if calls := l.taken(); len(calls) > 0 {
			t.Errorf("%v was proposed", calls)
		}
	}
}

func TestUpdateMergesIntoTheDeclaration(t *testing.T) {
	l := newLocal(t)
	create := declare("n")
	create.VectorsConfig.GetParams().HnswConfig = &qdrant.HnswConfigDiff{M: new(uint64(8)), EfConstruct: new(uint64(50))}
	create.Metadata = qdrant.NewValueMap(map[string]any{"keep": 1, "change": 1, "drop": 1})
	l.must("Collections.Create", create)
	l.must("Collections.Update", &qdrant.UpdateCollection{
		CollectionName:   "n",
		OptimizersConfig: &qdrant.OptimizersConfigDiff{FlushIntervalSec: new(uint64(9))},
		HnswConfig:       &qdrant.HnswConfigDiff{M: new(uint64(0))},
		Params: &qdrant.CollectionParamsDiff{
			ReplicationFactor: new(uint32(2)), WriteConsistencyFactor: new(uint32(2)), ReadFanOutFactor: new(uint32(1)), ReadFanOutDelayMs: new(uint64(7)), OnDiskPayload: new(false),
		},
		VectorsConfig: qdrant.NewVectorsConfigDiff(&qdrant.VectorParamsDiff{OnDisk: new(true), HnswConfig: &qdrant.HnswConfigDiff{M: new(uint64(9))}}),
		Metadata:      qdrant.NewValueMap(map[string]any{"change": "d", "drop": nil, "new": []any{1}}),
	})
	got := l.info("n").GetConfig()
	p := got.GetParams()
	if got.GetOptimizerConfig().GetFlushIntervalSec() != 9 || got.GetOptimizerConfig().GetVacuumMinVectorNumber() != 1000 || got.GetHnswConfig().GetM() != 0 || got.GetHnswConfig().GetEfConstruct() != 100 {
		t.Errorf("%v", got)
	}
	if p.GetReplicationFactor() != 2 || p.GetWriteConsistencyFactor() != 2 || p.GetReadFanOutFactor() != 1 || p.GetReadFanOutDelayMs() != 7 || p.GetOnDiskPayload() {
		t.Errorf("%v", p)
	}
	if v := p.GetVectorsConfig().GetParams(); !v.GetOnDisk() || v.GetHnswConfig().GetM() != 9 || v.GetHnswConfig().GetEfConstruct() != 50 || v.GetSize() != 4 {
		t.Errorf("%v", v)
	}
	want := qdrant.NewValueMap(map[string]any{"keep": 1, "change": "d", "new": []any{1}})
	if a, b := (&qdrant.Struct{Fields: got.GetMetadata()}), (&qdrant.Struct{Fields: want}); !proto.Equal(a, b) {
		t.Errorf("metadata %v, want %v", a, b)
	}
	l.must("Collections.Update", &qdrant.UpdateCollection{CollectionName: "n", VectorsConfig: qdrant.NewVectorsConfigDiff(&qdrant.VectorParamsDiff{HnswConfig: &qdrant.HnswConfigDiff{}})})
	if v := l.info("n").GetConfig().GetParams().GetVectorsConfig().GetParams(); v.HnswConfig != nil || !v.GetOnDisk() {
		t.Errorf("an empty diff unsets the vector's own graph: %v", v)
	}
	l.must("Collections.Update", &qdrant.UpdateCollection{CollectionName: "n", OptimizersConfig: &qdrant.OptimizersConfigDiff{DeprecatedMaxOptimizationThreads: new(uint64(3))}})
	auto := &qdrant.MaxOptimizationThreads{Variant: &qdrant.MaxOptimizationThreads_Setting_{}}
	l.must("Collections.Update", &qdrant.UpdateCollection{CollectionName: "n", OptimizersConfig: &qdrant.OptimizersConfigDiff{MaxOptimizationThreads: auto}})
	if o := l.info("n").GetConfig().GetOptimizerConfig(); o.MaxOptimizationThreads != nil {
		t.Errorf("auto unsets the number: %v", o)
	}
}

func TestBadUpdatesAreRefused(t *testing.T) {
	l := newLocal(t)
	l.must("Collections.Create", declare("n"))
	before := l.State()
	unknown := map[string]*qdrant.VectorParamsDiff{"x": {OnDisk: new(true)}}
	for _, c := range []struct {
		request *qdrant.UpdateCollection
		code    codes.Code
		text    string
	}{
		{&qdrant.UpdateCollection{CollectionName: "none"}, codes.NotFound, "Collection `none` doesn't exist!"},
		{&qdrant.UpdateCollection{CollectionName: "n", VectorsConfig: qdrant.NewVectorsConfigDiffMap(unknown)}, codes.InvalidArgument, "Not existing vector name error: x"},
		{&qdrant.UpdateCollection{CollectionName: "n", VectorsConfig: &qdrant.VectorsConfigDiff{}}, codes.InvalidArgument, "vectors_config"},
		{&qdrant.UpdateCollection{CollectionName: "n", QuantizationConfig: &qdrant.QuantizationConfigDiff{}}, codes.InvalidArgument, "quantization_config: it is given, but empty"},
		{&qdrant.UpdateCollection{CollectionName: "n", Params: &qdrant.CollectionParamsDiff{WriteConsistencyFactor: new(uint32(3))}}, codes.InvalidArgument, "write_consistency_factor"},
	} {
		l.refused("Collections.Update", c.request, c.code, c.text)
	}
	if l.State() != before {
		t.Error("a refused update changed the state")
	}
}

func TestAnUpdateThatLostTheRaceIsMergedAnew(t *testing.T) {
	l := newLocal(t)
	l.must("Collections.Create", declare("n"))
	update := &qdrant.UpdateCollection{CollectionName: "n", Params: &qdrant.CollectionParamsDiff{ReplicationFactor: new(uint32(2))}}
	l.conflicts = 3
	l.must("Collections.Update", update)
	if got := l.info("n").GetConfig().GetParams().GetReplicationFactor(); got != 2 {
		t.Errorf("replication factor %d", got)
	}
	l.conflicts = 1000
	l.refused("Collections.Update", update, codes.Aborted, "somebody was faster")
}

func TestDeletingWhatIsMissingIsNoErrorAndNoChange(t *testing.T) {
	l := newLocal(t)
	got := l.must("Collections.Delete", &qdrant.DeleteCollection{CollectionName: "none"}).(*qdrant.CollectionOperationResponse)
	if got.GetResult() || got.GetTime() <= 0 {
		t.Errorf("%v", got)
	}
	l.must("Collections.Create", declare("n"))
	if got := l.must("Collections.Delete", &qdrant.DeleteCollection{CollectionName: "n"}).(*qdrant.CollectionOperationResponse); !got.GetResult() {
		t.Errorf("%v", got)
	}
}

func TestAliasRules(t *testing.T) {
	l := newLocal(t)
	for _, name := range []string{"a", "b"} {
		l.must("Collections.Create", declare(name))
	}
	create := func(alias, collection string) *qdrant.AliasOperations {
		return qdrant.NewAliasCreate(alias, collection)
	}
	change := func(actions ...*qdrant.AliasOperations) *qdrant.ChangeAliases {
		return &qdrant.ChangeAliases{Actions: actions}
	}
	l.must("Collections.UpdateAliases", change(create("x", "a"), create("x", "b"), qdrant.NewAliasRename("x", "y"), qdrant.NewAliasDelete("none")))
	if c, _ := l.State().Lookup("y"); c == nil || c.Name != "b" {
		t.Errorf("y leads to %v", c)
	}
	for _, c := range []struct {
		request *qdrant.ChangeAliases
		code    codes.Code
		text    string
	}{
		{change(), codes.InvalidArgument, "Empty batch"},
		{change(&qdrant.AliasOperations{}), codes.InvalidArgument, "the action is empty"},
		{change(create("z", "none")), codes.NotFound, "Collection `none` doesn't exist!"},
		{change(create("a", "b")), codes.AlreadyExists, "already exists"},
		{change(create("z?", "b")), codes.InvalidArgument, "z?"},
		{change(qdrant.NewAliasRename("none", "z")), codes.NotFound, "Alias none"},
		{change(create("z", "a"), create("zz", "none")), codes.NotFound, "none"},
	} {
		l.refused("Collections.UpdateAliases", c.request, c.code, c.text)
	}
	if _, ok := l.State().Lookup("z"); ok {
		t.Error("half of a refused change was made")
	}
	l.refused("Collections.Create", declare("y"), codes.InvalidArgument, "alias")
	all := l.must("Collections.ListAliases", &qdrant.ListAliasesRequest{}).(*qdrant.ListAliasesResponse)
	if len(all.GetAliases()) != 1 || all.GetAliases()[0].GetAliasName() != "y" || all.GetAliases()[0].GetCollectionName() != "b" {
		t.Errorf("%v", all)
	}
}

func TestInfoTellsWhatIsNotAsDeclared(t *testing.T) {
	l := newLocal(t)
	create := declare("n")
	create.ReplicationFactor = new(uint32(3))
	l.must("Collections.Create", create)
	got := l.info("n")
	if w := warningTexts(got); got.GetStatus() != qdrant.CollectionStatus_Green {
		t.Errorf("two peers are all there are: %s, %s", got.GetStatus(), w)
	}
	c, _ := l.State().Lookup("n")
	sh := c.Shards[1]
	away := sh.Replicas[0].Peer
	if away == sh.Primary {
		away = sh.Replicas[1].Peer
	}
	ref := catalog.ShardRef{Collection: c.ID, Shard: sh.ID}
	if _, err := l.Propose(context.Background(), catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: sh.Version, Demote: &away}}); err != nil {
		t.Fatal(err)
	}
	got = l.info("n")
	if w := warningTexts(got); got.GetStatus() != qdrant.CollectionStatus_Yellow {
		t.Errorf("a replica is down: %s, %s", got.GetStatus(), w)
	}
	l.silent = []catalog.ShardID{1}
	got = l.info("n")
	if w := warningTexts(got); got.GetStatus() != qdrant.CollectionStatus_Red || !contains(w, "shard 1 does not answer") {
		t.Errorf("a shard is away: %s, %s", got.GetStatus(), w)
	}
	l.infoErr = errors.New("no route")
	got = l.info("n")
	if got.GetStatus() != qdrant.CollectionStatus_Red || got.PointsCount != nil || !contains(warningTexts(got), "no route") || got.GetConfig() == nil {
		t.Errorf("what is declared can be read all the same: %v", got)
	}
}

func TestClusterInfoShowsReplicasThatAreBroughtUpToDateAsTransfers(t *testing.T) {
	l := newLocal(t)
	create := declare("n")
	create.ReplicationFactor, create.ShardNumber = new(uint32(2)), new(uint32(1))
	l.must("Collections.Create", create)
	found, _ := l.cluster.State().Lookup("n")
	sh := found.Shards[0]
	behind := sh.Replicas[0].Peer
	if behind == sh.Primary {
		behind = sh.Replicas[1].Peer
	}
	ref := catalog.ShardRef{Collection: found.ID}
	for i, change := range []catalog.ChangeShard{{Demote: &behind}, {Rebuild: &behind}} {
		change.Ref, change.Version = ref, sh.Version+uint64(i)
		if _, err := l.cluster.Propose(t.Context(), catalog.Command{ChangeShard: &change}); err != nil {
			t.Fatal(err)
		}
	}
	got := l.must("Collections.CollectionClusterInfo", &qdrant.CollectionClusterInfoRequest{CollectionName: "n"}).(*qdrant.CollectionClusterInfoResponse)
	transfers := got.GetShardTransfers()
	if len(transfers) != 1 || transfers[0].GetFrom() != uint64(sh.Primary) || transfers[0].GetTo() != uint64(behind) || !transfers[0].GetSync() {
		t.Errorf("%v", transfers)
	}
}

func TestClusterInfoTellsHereFromThere(t *testing.T) {
	l := newLocal(t, func(o *api.Options) {
		o.LocalPoints = func(ref catalog.ShardRef) uint64 { return uint64(ref.Shard) + 10 }
	})
	create := declare("n")
	create.ReplicationFactor, create.ShardNumber = new(uint32(2)), new(uint32(3))
	l.must("Collections.Create", create)
	got := l.must("Collections.CollectionClusterInfo", &qdrant.CollectionClusterInfoRequest{CollectionName: "n"}).(*qdrant.CollectionClusterInfoResponse)
	if got.GetPeerId() != uint64(self) || got.GetShardCount() != 3 || len(got.GetLocalShards()) != 3 || len(got.GetRemoteShards()) != 3 || len(got.GetShardTransfers()) != 0 {
		t.Fatalf("%v", got)
	}
	for i, sh := range got.GetLocalShards() {
		if sh.GetShardId() != uint32(i) || sh.GetPointsCount() != uint64(i)+10 || sh.GetState() != qdrant.ReplicaState_Active {
			t.Errorf("%v", sh)
		}
		if r := got.GetRemoteShards()[i]; r.GetShardId() != uint32(i) || r.GetPeerId() != uint64(other) {
			t.Errorf("%v", r)
		}
	}
	l.refused("Collections.CollectionClusterInfo", &qdrant.CollectionClusterInfoRequest{CollectionName: "none"}, codes.NotFound, "doesn't exist")
}

func TestAChangeWaitsForTheOtherPeersButNotForTheirSuccess(t *testing.T) {
	settled := 0
	l := newLocal(t, func(o *api.Options) {
		o.Settle = func(ctx context.Context) error {
			settled++
			if _, ok := ctx.Deadline(); !ok {
				t.Error("it waits without end")
			}
			return errors.New("a peer is away")
		}
	})
	l.must("Collections.Create", declare("n"))
	l.must("Collections.Delete", &qdrant.DeleteCollection{CollectionName: "n"})
	l.refused("Collections.Update", &qdrant.UpdateCollection{CollectionName: "n"}, codes.NotFound, "doesn't exist")
	if settled != 2 {
		t.Errorf("waited %d times", settled)
	}
}

func TestShardKeysOfACollectionThatHasNone(t *testing.T) {
	l := prepared(t)
	got := l.must("Collections.ListShardKeys", &qdrant.ListShardKeysRequest{CollectionName: "c"}).(*qdrant.ListShardKeysResponse)
	if len(got.GetShardKeys()) != 0 {
		t.Errorf("%v", got)
	}
	l.refused("Collections.ListShardKeys", &qdrant.ListShardKeysRequest{CollectionName: "none"}, codes.NotFound, "doesn't exist")
	l.refused("Collections.UpdateCollectionClusterSetup", &qdrant.UpdateCollectionClusterSetupRequest{CollectionName: "c"}, codes.InvalidArgument, "the operation is empty")
}
