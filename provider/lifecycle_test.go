package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/provider"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

func TestAMinimalCollectionGetsTheServersDefaults(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(nil))
	for path, want := range map[string]string{
		"shard_number": "3", "replication_factor": "1", "write_consistency": "null", "write_consistency_factor": "1",
		"on_disk_payload": "true", "metadata": "0 items", "deletion_protection": "false", "hnsw.m": "16", "hnsw.payload_m": "16",
		"hnsw.ef_construct": "100", "hnsw.full_scan_threshold": "10000", "optimizers.indexing_threshold": "10000",
		"optimizers.deleted_threshold": "0.2", "optimizers.max_segment_size": "null", `vectors[""].on_disk`: "false",
		`vectors[""].hnsw`: "null",
	} {
		if got := prototest.Get(r.State, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	w.mustBeSettled(t, r, minimal(nil))
}

func TestTheWordOfConsistencyFollowsTheReplicas(t *testing.T) {
	for _, c := range []struct {
		word     string
		replicas int
		factor   string
	}{
		{"weak", 1, "1"}, {"weak", 3, "1"}, {"quorum", 1, "1"}, {"quorum", 2, "2"}, {"quorum", 3, "2"}, {"quorum", 5, "3"},
		{"strong", 1, "1"}, {"strong", 3, "3"},
	} {
		w := newWorld(t, 5, prototest.Config{"plan_checks": "off"})
		r := w.apply(t, nil, minimal(prototest.Config{"replication_factor": 2, "write_consistency": c.word}))
		r = w.apply(t, r, minimal(prototest.Config{"replication_factor": c.replicas, "write_consistency": c.word}))
		if got := prototest.Get(r.State, "write_consistency_factor"); got != c.factor {
			t.Errorf("%s of %d replicas: factor %s, want %s", c.word, c.replicas, got, c.factor)
		}
	}
}

// drifts is how another client could change each attribute, and what the next plan must then show, and nothing else.
var drifts = map[string]struct {
	edit func(*qdrant.CollectionConfig)
	plan []string
}{
	"replication_factor": {func(c *qdrant.CollectionConfig) { c.Params.ReplicationFactor = proto.Uint32(3) },
		[]string{"replication_factor"}},
	"write_consistency_factor": {func(c *qdrant.CollectionConfig) { c.Params.WriteConsistencyFactor = proto.Uint32(1) },
		[]string{"write_consistency", "write_consistency_factor"}},
	"on_disk_payload": {func(c *qdrant.CollectionConfig) { c.Params.OnDiskPayload = false }, []string{"on_disk_payload"}},
	"metadata value": {func(c *qdrant.CollectionConfig) { c.Metadata["owner"] = qdrant.NewValueString("nobody") },
		[]string{`metadata["owner"]`}},
	"metadata added":   {func(c *qdrant.CollectionConfig) { c.Metadata["new"] = qdrant.NewValueInt(5) }, []string{`metadata["new"]`}},
	"metadata removed": {func(c *qdrant.CollectionConfig) { delete(c.Metadata, "owner") }, []string{`metadata["owner"]`}},
	"shard_number":     {func(c *qdrant.CollectionConfig) { c.Params.ShardNumber = 7 }, []string{"shard_number"}},
	"size":             {func(c *qdrant.CollectionConfig) { vector(c).Size = 5 }, []string{`vectors["v"].size`}},
	"distance":         {func(c *qdrant.CollectionConfig) { vector(c).Distance = qdrant.Distance_Dot }, []string{`vectors["v"].distance`}},
	"vector on_disk":   {func(c *qdrant.CollectionConfig) { vector(c).OnDisk = proto.Bool(true) }, []string{`vectors["v"].on_disk`}},
	"vector hnsw":      {func(c *qdrant.CollectionConfig) { vector(c).HnswConfig.M = proto.Uint64(9) }, []string{`vectors["v"].hnsw.m`}},
	"vector hnsw gained": {func(c *qdrant.CollectionConfig) { vector(c).HnswConfig.EfConstruct = proto.Uint64(9) },
		[]string{`vectors["v"].hnsw.ef_construct`}},
	"vector hnsw lost": {func(c *qdrant.CollectionConfig) { vector(c).HnswConfig = nil }, []string{`vectors["v"].hnsw`}},
	"vector added": {func(c *qdrant.CollectionConfig) {
		c.Params.GetVectorsConfig().GetParamsMap().Map["w"] = &qdrant.VectorParams{Size: 1, Distance: qdrant.Distance_Dot}
	}, []string{`vectors["w"]`}},
	// payload_m follows m, so a drift of m shows in both.
	"m":                    {func(c *qdrant.CollectionConfig) { c.HnswConfig.M = proto.Uint64(3) }, []string{"hnsw.m", "hnsw.payload_m"}},
	"ef_construct":         {func(c *qdrant.CollectionConfig) { c.HnswConfig.EfConstruct = proto.Uint64(7) }, []string{"hnsw.ef_construct"}},
	"full_scan_threshold":  {func(c *qdrant.CollectionConfig) { c.HnswConfig.FullScanThreshold = proto.Uint64(7) }, []string{"hnsw.full_scan_threshold"}},
	"max_indexing_threads": {func(c *qdrant.CollectionConfig) { c.HnswConfig.MaxIndexingThreads = proto.Uint64(7) }, []string{"hnsw.max_indexing_threads"}},
	"hnsw on_disk":         {func(c *qdrant.CollectionConfig) { c.HnswConfig.OnDisk = proto.Bool(true) }, []string{"hnsw.on_disk"}},
	"payload_m":            {func(c *qdrant.CollectionConfig) { c.HnswConfig.PayloadM = proto.Uint64(7) }, []string{"hnsw.payload_m"}},
	"deleted_threshold":    {func(c *qdrant.CollectionConfig) { c.OptimizerConfig.DeletedThreshold = proto.Float64(0.7) }, []string{"optimizers.deleted_threshold"}},
	"vacuum_min_vector_number": {func(c *qdrant.CollectionConfig) { c.OptimizerConfig.VacuumMinVectorNumber = proto.Uint64(777) },
		[]string{"optimizers.vacuum_min_vector_number"}},
	"default_segment_number": {func(c *qdrant.CollectionConfig) { c.OptimizerConfig.DefaultSegmentNumber = proto.Uint64(7) },
		[]string{"optimizers.default_segment_number"}},
	"max_segment_size":   {func(c *qdrant.CollectionConfig) { c.OptimizerConfig.MaxSegmentSize = proto.Uint64(7) }, []string{"optimizers.max_segment_size"}},
	"memmap_threshold":   {func(c *qdrant.CollectionConfig) { c.OptimizerConfig.MemmapThreshold = proto.Uint64(7) }, []string{"optimizers.memmap_threshold"}},
	"indexing_threshold": {func(c *qdrant.CollectionConfig) { c.OptimizerConfig.IndexingThreshold = proto.Uint64(7) }, []string{"optimizers.indexing_threshold"}},
	"flush_interval_sec": {func(c *qdrant.CollectionConfig) { c.OptimizerConfig.FlushIntervalSec = proto.Uint64(7) }, []string{"optimizers.flush_interval_sec"}},
	"max_optimization_threads": {func(c *qdrant.CollectionConfig) {
		c.OptimizerConfig.MaxOptimizationThreads = qdrant.NewMaxOptimizationThreads(7)
	},
		[]string{"optimizers.max_optimization_threads"}},
	"prevent_unoptimized": {func(c *qdrant.CollectionConfig) { c.OptimizerConfig.PreventUnoptimized = proto.Bool(true) },
		[]string{"optimizers.prevent_unoptimized"}},
	"sharding_method": {func(c *qdrant.CollectionConfig) { c.Params.ShardingMethod = qdrant.ShardingMethod_Custom.Enum() }, []string{"sharding_method"}},
	"vector removed":  {func(c *qdrant.CollectionConfig) { delete(c.Params.GetVectorsConfig().GetParamsMap().GetMap(), "v") }, []string{`vectors["v"]`}},
	"datatype":        {func(c *qdrant.CollectionConfig) { vector(c).Datatype = qdrant.Datatype_Float16.Enum() }, []string{`vectors["v"].datatype`}},
	"multivector":     {func(c *qdrant.CollectionConfig) { vector(c).MultivectorConfig = &qdrant.MultiVectorConfig{} }, []string{`vectors["v"].multivector`}},
	"vector ratio": {func(c *qdrant.CollectionConfig) {
		vector(c).QuantizationConfig.GetProduct().Compression = qdrant.CompressionRatio_x64
	},
		[]string{`vectors["v"].quantization.product.compression`}},
	"vector quantization ram": {func(c *qdrant.CollectionConfig) {
		vector(c).QuantizationConfig.GetProduct().AlwaysRam = proto.Bool(true)
	},
		[]string{`vectors["v"].quantization.product.always_ram`}},
	"vector quantization lost": {func(c *qdrant.CollectionConfig) { vector(c).QuantizationConfig = nil }, []string{`vectors["v"].quantization`}},
	"quantile":                 {func(c *qdrant.CollectionConfig) { c.QuantizationConfig.GetScalar().Quantile = proto.Float32(0.6) }, []string{"quantization.scalar.quantile"}},
	"quantile lost":            {func(c *qdrant.CollectionConfig) { c.QuantizationConfig.GetScalar().Quantile = nil }, []string{"quantization.scalar.quantile"}},
	"always_ram":               {func(c *qdrant.CollectionConfig) { c.QuantizationConfig.GetScalar().AlwaysRam = proto.Bool(true) }, []string{"quantization.scalar.always_ram"}},
	"quantization lost":        {func(c *qdrant.CollectionConfig) { c.QuantizationConfig = nil }, []string{"quantization"}},
	"quantization of another kind": {func(c *qdrant.CollectionConfig) {
		c.QuantizationConfig = qdrant.NewQuantizationBinary(&qdrant.BinaryQuantization{})
	}, []string{"quantization.binary", "quantization.scalar"}},
	"sparse added":   {func(c *qdrant.CollectionConfig) { c.Params.SparseVectorsConfig.Map["t"] = &qdrant.SparseVectorParams{} }, []string{`sparse_vectors["t"]`}},
	"sparse removed": {func(c *qdrant.CollectionConfig) { delete(c.Params.SparseVectorsConfig.Map, "s") }, []string{`sparse_vectors["s"]`}},
	"modifier":       {func(c *qdrant.CollectionConfig) { sparse(c).Modifier = qdrant.Modifier_Idf.Enum() }, []string{`sparse_vectors["s"].modifier`}},
	"sparse on_disk": {func(c *qdrant.CollectionConfig) { sparse(c).Index.OnDisk = proto.Bool(true) }, []string{`sparse_vectors["s"].on_disk`}},
	"sparse threshold": {func(c *qdrant.CollectionConfig) { sparse(c).Index.FullScanThreshold = proto.Uint64(5) },
		[]string{`sparse_vectors["s"].full_scan_threshold`}},
	"sparse datatype":       {func(c *qdrant.CollectionConfig) { sparse(c).Index.Datatype = qdrant.Datatype_Float16.Enum() }, []string{`sparse_vectors["s"].datatype`}},
	"read_fan_out_factor":   {func(c *qdrant.CollectionConfig) { c.Params.ReadFanOutFactor = proto.Uint32(2) }, []string{"read_fan_out_factor"}},
	"read_fan_out_delay_ms": {func(c *qdrant.CollectionConfig) { c.Params.ReadFanOutDelayMs = proto.Uint64(9) }, []string{"read_fan_out_delay_ms"}},
	"capacity_mb":           {func(c *qdrant.CollectionConfig) { c.WalConfig.WalCapacityMb = proto.Uint64(64) }, []string{"wal.capacity_mb"}},
	"segments_ahead":        {func(c *qdrant.CollectionConfig) { c.WalConfig.WalSegmentsAhead = proto.Uint64(1) }, []string{"wal.segments_ahead"}},
	"retain_closed":         {func(c *qdrant.CollectionConfig) { c.WalConfig.WalRetainClosed = proto.Uint64(2) }, []string{"wal.retain_closed"}},
}

// replacing are the drifts that only a new collection undoes.
var replacing = []string{"size", "distance", "datatype", "multivector", "sharding_method", "sparse datatype", "capacity_mb", "segments_ahead", "retain_closed"}

func sparse(c *qdrant.CollectionConfig) *qdrant.SparseVectorParams {
	return c.GetParams().GetSparseVectorsConfig().GetMap()["s"]
}

func vector(c *qdrant.CollectionConfig) *qdrant.VectorParams {
	return c.GetParams().GetVectorsConfig().GetParamsMap().GetMap()["v"]
}

func driftConfig() prototest.Config {
	return prototest.Config{
		"name": "docs", "replication_factor": 2, "write_consistency": "quorum", "shard_number": 2,
		"vectors": prototest.Config{"v": prototest.Config{"size": 4, "distance": "Cosine", "hnsw": prototest.Config{"m": 8},
			"quantization": prototest.Config{"product": prototest.Config{"compression": "x8"}}}},
		"sparse_vectors":        prototest.Config{"s": prototest.Config{"full_scan_threshold": 100}},
		"quantization":          prototest.Config{"scalar": prototest.Config{"quantile": 0.99}},
		"read_fan_out_delay_ms": 50,
		"metadata":              prototest.Config{"owner": "search"},
		"strict_mode":           strictConfig(),
		"optimizers":            prototest.Config{"max_segment_size": 100, "max_optimization_threads": 2},
	}
}

func TestDriftOfEachAttributeIsShownAloneAndUndone(t *testing.T) {
	for name, drift := range allDrifts() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, nil)
			r := w.apply(t, nil, driftConfig())
			w.cluster.Edit("docs", drift.edit)
			r = w.refresh(t, r)
			plan := w.Plan(t, collectionType, r, driftConfig())
			wantEqual(t, "changes", plan.Changes(), drift.plan)
			replaces := slices.Contains(replacing, name)
			if replaces != (len(plan.Replace) > 0) {
				t.Errorf("replaces because of %s, want %t", plan.Replace, replaces)
			}
			if replaces {
				return
			}
			r, diags := w.Apply(t, plan)
			wantEqual(t, "errors", diags.Errors(), nil)
			w.mustBeSettled(t, r, driftConfig())
		})
	}
}

// Every attribute that the server keeps must be in the table above.
func TestDriftIsTestedForEveryAttribute(t *testing.T) {
	w := newWorld(t, 3, nil)
	shown := map[string]bool{
		"name": true, "deletion_protection": true, "timeouts": true, "heal": true, "unfinished": true, "type": true, "comparator": true, // each has one value, or is ours
		"encoding": true, "query_encoding": true, "binary": true, // with the kind
		"max_vectors": true, // as max_length
	}
	for _, drift := range allDrifts() {
		for _, path := range drift.plan {
			last := path[strings.LastIndex(path, ".")+1:]
			last, _, _ = strings.Cut(last, "[")
			shown[last] = true
		}
	}
	for _, leaf := range w.Leaves(collectionType) {
		parts := strings.Split(leaf, ".")
		if last := parts[len(parts)-1]; !shown[last] && parts[0] != "timeouts" {
			t.Errorf("no drift of %s is tested", leaf)
		}
	}
}

func TestWhatCannotChangeInPlaceReplaces(t *testing.T) {
	with := func(change func(c prototest.Config)) prototest.Config {
		c := driftConfig()
		change(c)
		return c
	}
	vectors := func(c prototest.Config) prototest.Config { return c["vectors"].(prototest.Config) }
	for name, c := range map[string]struct {
		config prototest.Config
		want   []string
	}{
		"name":         {with(func(c prototest.Config) { c["name"] = "other" }), []string{"name"}},
		"shard_number": {with(func(c prototest.Config) { c["shard_number"] = 3 }), nil},
		"method":       {with(func(c prototest.Config) { c["sharding_method"] = "custom" }), []string{"sharding_method"}},
		"datatype":     {with(func(c prototest.Config) { vectors(c)["v"].(prototest.Config)["datatype"] = "Uint8" }), []string{`vectors["v"].datatype`}},
		"multivector": {with(func(c prototest.Config) { vectors(c)["v"].(prototest.Config)["multivector"] = prototest.Config{} }),
			[]string{`vectors["v"].multivector`, `vectors["v"].multivector.comparator`}},
		"wal": {with(func(c prototest.Config) { c["wal"] = prototest.Config{"capacity_mb": 64} }), []string{"wal.capacity_mb"}},
		"sparse datatype": {with(func(c prototest.Config) {
			c["sparse_vectors"] = prototest.Config{"s": prototest.Config{"datatype": "Float16"}}
		}), []string{`sparse_vectors["s"].datatype`}},
		"size":           {with(func(c prototest.Config) { vectors(c)["v"].(prototest.Config)["size"] = 5 }), []string{`vectors["v"].size`}},
		"distance":       {with(func(c prototest.Config) { vectors(c)["v"].(prototest.Config)["distance"] = "Dot" }), []string{`vectors["v"].distance`}},
		"vector renamed": {with(func(c prototest.Config) { c["vectors"] = prototest.Config{"w": vectors(c)["v"]} }), nil},
		"vector on_disk": {with(func(c prototest.Config) { vectors(c)["v"].(prototest.Config)["on_disk"] = true }), nil},
	} {
		w := newWorld(t, 3, nil)
		r := w.apply(t, nil, driftConfig())
		plan := w.Plan(t, collectionType, r, c.config)
		wantEqual(t, name+": replaced because of", plan.Replace, c.want)
		// deletion_protection must see the same plans as replacing.
		protected := w.apply(t, r, with(func(c prototest.Config) { c["deletion_protection"] = true }))
		c.config["deletion_protection"] = true
		refused := len(w.Plan(t, collectionType, protected, c.config).Diagnostics.Errors()) > 0
		if refused != (len(c.want) > 0) {
			t.Errorf("%s: refused because of deletion_protection: %t, replaces %t", name, refused, len(c.want) > 0)
		}
	}
}

func TestRemovingShardNumberKeepsIt(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"shard_number": 5}))
	plan := w.Plan(t, collectionType, r, minimal(nil))
	wantEqual(t, "changes", plan.Changes(), nil)
}

func TestOnlyNotFoundRemovesFromTheState(t *testing.T) {
	w := newWorld(t, 1, nil)
	r := w.apply(t, nil, minimal(nil))
	for _, code := range []codes.Code{codes.Unavailable, codes.PermissionDenied, codes.Unauthenticated, codes.Internal, codes.DeadlineExceeded} {
		w.cluster.Inject(fakecluster.Fault{Method: "Collections/Get", Err: status.Error(code, "injected")})
		out, diags := w.Refresh(t, collectionType, r)
		if len(diags.Errors()) != 1 || !out.Exists() {
			t.Errorf("%s: errors %q, in the state: %t", code, diags.Errors(), out.Exists())
		}
		w.cluster.Heal()
	}
	w.cluster.Drop("docs")
	out, diags := w.Refresh(t, collectionType, r)
	wantEqual(t, "errors", diags.Errors(), nil)
	if out.Exists() {
		t.Error("a collection that is gone is still in the state")
	}
	w.apply(t, out, minimal(nil))
}

// A state written by a command line without identities has none; it must be set also when the resource goes.
func TestReadSetsTheIdentityAlsoWhenTheCollectionIsGone(t *testing.T) {
	w := newWorld(t, 1, nil)
	r := w.apply(t, nil, minimal(nil))
	r.Identity = nil
	w.cluster.Drop("docs")
	_, diags := w.Refresh(t, collectionType, r)
	wantEqual(t, "errors", diags.Errors(), nil)
}

func TestImportByIDAndByIdentity(t *testing.T) {
	w := newWorld(t, 3, nil)
	created := w.apply(t, nil, minimal(nil))
	byID, diags := w.Import(t, collectionType, "docs")
	wantEqual(t, "errors", diags.Errors(), nil)
	byIdentity, diags := w.ImportIdentity(t, collectionType, map[string]string{"name": "docs"})
	wantEqual(t, "errors", diags.Errors(), nil)
	wantEqual(t, "import by id differs in", prototest.Diff(created.State, byID.State), nil)
	wantEqual(t, "import by identity differs in", prototest.Diff(created.State, byIdentity.State), nil)
	w.mustBeSettled(t, byID, minimal(nil))
}

func TestImportOfWhatIsNotACollection(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.apply(t, nil, minimal(nil))
	w.cluster.Alias("live", "docs")
	_, diags := w.Import(t, collectionType, "live")
	wantOne(t, "import of an alias", diags.Errors(), `alias of collection "docs"`)
	gone, diags := w.Import(t, collectionType, "nothing")
	wantEqual(t, "errors", diags.Errors(), nil)
	if gone.Exists() {
		t.Error("imported a collection that does not exist")
	}
}

func TestAnExistingCollectionIsNotTakenOverButTheImportLineIsGiven(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.apply(t, nil, minimal(prototest.Config{"name": "it's mine"}))
	plan := w.Plan(t, collectionType, w.None(collectionType), minimal(prototest.Config{"name": "it's mine"}))
	out, diags := w.Apply(t, plan)
	wantOne(t, "errors", diags.Errors(), `terraform import ostraka_collection.RESOURCE 'it'\''s mine'`, "(at name)")
	if out.Exists() {
		t.Error("the foreign collection is in the state")
	}
}

func TestDeletionProtectionTakesTwoSteps(t *testing.T) {
	w := newWorld(t, 1, nil)
	protected := minimal(prototest.Config{"deletion_protection": true})
	r := w.apply(t, nil, protected)
	wantOne(t, "destroy", w.Plan(t, collectionType, r, nil).Diagnostics.Errors(), "deletion_protection = false first")
	bigger := minimal(prototest.Config{"sharding_method": "custom"}) // lifts the protection and replaces at once
	wantOne(t, "replace", w.Plan(t, collectionType, r, bigger).Diagnostics.Errors(), "replace it")

	stale := w.Plan(t, collectionType, w.apply(t, nil, minimal(prototest.Config{"name": "other"})), nil)
	stale.Prior = r.State // a plan that is older than the protection
	_, diags := w.Apply(t, stale)
	wantOne(t, "delete", diags.Errors(), "deletion_protection")

	r = w.apply(t, r, minimal(nil))
	gone := w.apply(t, r, nil)
	if gone.Exists() || w.cluster.Names() != 1 {
		t.Errorf("in the state: %t, collections: %d", gone.Exists(), w.cluster.Names())
	}
}

func TestDeletingWhatIsGoneAlreadySucceeds(t *testing.T) {
	w := newWorld(t, 1, nil)
	r := w.apply(t, nil, minimal(nil))
	plan := w.Plan(t, collectionType, r, nil)
	w.cluster.Drop("docs")
	_, diags := w.Apply(t, plan)
	wantEqual(t, "errors", diags.Errors(), nil)
}

func TestBadConfigurationsAreRefusedBeforeAnythingIsAsked(t *testing.T) {
	w := &world{Provider: prototest.New(t, provider.New("test"))} // not configured: no cluster
	vectors := func(v prototest.Config) prototest.Config {
		return prototest.Config{"vectors": prototest.Config{"v": v}}
	}
	for name, c := range map[string]struct {
		config prototest.Config
		says   string
	}{
		"a slash in the name":       {prototest.Config{"name": "a/b"}, "must not contain"},
		"an empty name":             {prototest.Config{"name": ""}, "length"},
		"no vectors":                {prototest.Config{"vectors": prototest.Config{}}, "needs at least one vector"},
		"one name twice":            {prototest.Config{"vectors": prototest.Config{"a": prototest.Config{"size": 1, "distance": "Dot"}}, "sparse_vectors": prototest.Config{"a": prototest.Config{}}}, "Two vectors of one name"},
		"two kinds of quantization": {prototest.Config{"quantization": prototest.Config{"binary": prototest.Config{}, "scalar": prototest.Config{}}}, "Exactly one"},
		"no kind of quantization":   {prototest.Config{"quantization": prototest.Config{}}, "Exactly one"},
		"size 0":                    {vectors(prototest.Config{"size": 0, "distance": "Dot"}), "between 1 and 65536"},
		"size 65537":                {vectors(prototest.Config{"size": 65537, "distance": "Dot"}), "between 1 and 65536"},
		"distance":                  {vectors(prototest.Config{"size": 1, "distance": "cosine"}), "Cosine"},
		"no shard":                  {prototest.Config{"shard_number": 0}, "between 1 and"},
		"100,000 shards":            {prototest.Config{"shard_number": 100000}, "between 1 and"},
		"no replica":                {prototest.Config{"replication_factor": 0}, "between 1 and"},
		"word":                      {prototest.Config{"write_consistency": "majority"}, "quorum"},
		"more acks than copies":     {prototest.Config{"write_consistency_factor": 2}, "no write could ever succeed"},
		"null metadata":             {prototest.Config{"metadata": prototest.Config{"a": nil}}, "ull"},
		"threshold":                 {prototest.Config{"optimizers": prototest.Config{"deleted_threshold": 1.5}}, "between 0"},
	} {
		errs := w.Validate(t, collectionType, minimal(c.config)).Errors()
		wantOne(t, name, errs, c.says)
	}
	both := minimal(prototest.Config{"replication_factor": 2, "write_consistency": "weak", "write_consistency_factor": 1})
	if errs := w.Validate(t, collectionType, both).Errors(); len(errs) == 0 {
		t.Error("a word and a number at once are accepted")
	}
	wantEqual(t, "a minimal one", w.Validate(t, collectionType, minimal(nil)).Errors(), nil)
}

func TestForeignMetadataReadsAsTextAndIsLeftAlone(t *testing.T) {
	w := newWorld(t, 1, nil)
	config := minimal(prototest.Config{"metadata": prototest.Config{"limits": `{"a":[1,2.5,null]}`, "n": "5"}})
	r := w.apply(t, nil, config)
	nested := qdrant.NewValueStruct(&qdrant.Struct{Fields: map[string]*qdrant.Value{
		"a": qdrant.NewValueFromList(qdrant.NewValueInt(1), qdrant.NewValueDouble(2.5), qdrant.NewValueNull()),
	}})
	w.cluster.Edit("docs", func(c *qdrant.CollectionConfig) {
		c.Metadata["limits"], c.Metadata["n"] = nested, qdrant.NewValueInt(5)
	})
	w.mustBeSettled(t, r, config)
	config["metadata"].(prototest.Config)["more"] = "x"
	w.apply(t, r, config)
	w.cluster.Edit("docs", func(c *qdrant.CollectionConfig) {
		if c.Metadata["n"].GetIntegerValue() != 5 || c.Metadata["limits"].GetStructValue() == nil || c.Metadata["more"].GetStringValue() != "x" {
			t.Errorf("metadata is %v", c.Metadata)
		}
	})
}

func TestPayloadLinksThatNobodySetStayUnsetOnTheServer(t *testing.T) {
	w := newWorld(t, 1, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"hnsw": prototest.Config{"m": 8}}))
	w.apply(t, r, minimal(prototest.Config{"hnsw": prototest.Config{"m": 24}}))
	w.cluster.Edit("docs", func(c *qdrant.CollectionConfig) {
		if c.HnswConfig.PayloadM != nil || c.HnswConfig.GetM() != 24 {
			t.Errorf("hnsw is %v", c.HnswConfig)
		}
	})
}

func TestUnknownValuesArePlanned(t *testing.T) {
	w := newWorld(t, 3, nil)
	plan := w.Plan(t, collectionType, w.None(collectionType), minimal(prototest.Config{
		"replication_factor": prototest.Unknown, "write_consistency": "quorum", "hnsw": prototest.Config{"m": prototest.Unknown},
	}))
	wantEqual(t, "errors", plan.Diagnostics.Errors(), nil)
	for _, path := range []string{"write_consistency_factor", "hnsw.payload_m", "shard_number"} {
		if got := prototest.Get(plan.Planned, path); got != "unknown" {
			t.Errorf("%s is planned as %s", path, got)
		}
	}
	wantEqual(t, "vectors unknown", w.Plan(t, collectionType, w.None(collectionType), prototest.Config{
		"name": prototest.Unknown, "vectors": prototest.Unknown, "metadata": prototest.Unknown, "hnsw": prototest.Unknown,
	}).Diagnostics.Errors(), nil)
}

func TestASettingOfAVectorIsTakenBack(t *testing.T) {
	w := newWorld(t, 1, nil)
	config := func(override any) prototest.Config {
		return prototest.Config{"name": "docs", "vectors": prototest.Config{
			"v": prototest.Config{"size": 4, "distance": "Dot", "hnsw": override},
		}}
	}
	r := w.apply(t, nil, config(prototest.Config{"m": 8, "ef_construct": 50}))
	for _, next := range []any{prototest.Config{"m": 9}, prototest.Config{"on_disk": false}, prototest.Config{}, nil, prototest.Config{"m": 0}} {
		r = w.apply(t, r, config(next))
		w.mustBeSettled(t, r, config(next))
	}
	if got := fmt.Sprint(w.cluster.Log()); strings.Count(got, "update") < 5 {
		t.Errorf("log: %s", got)
	}
}
