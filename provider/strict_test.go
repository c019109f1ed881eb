package provider_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

// strictConfig sets every limit.
func strictConfig() prototest.Config {
	return prototest.Config{
		"max_query_limit": 100, "max_timeout": 30, "search_max_hnsw_ef": 500, "search_max_batchsize": 10, "upsert_max_batchsize": 1000,
		"filter_max_conditions": 0, "condition_max_size": 50, "read_rate_limit": 600, "write_rate_limit": 6000, "max_points_count": 1000000,
		"max_collection_vector_size_bytes": 1 << 40, "max_collection_payload_size_bytes": 1 << 30, "max_payload_index_count": 0,
		"unindexed_filtering_retrieve": false, "unindexed_filtering_update": true, "search_allow_exact": false, "search_max_oversampling": 1.1,
		"sparse_config": prototest.Config{"s": prototest.Config{"max_length": 256}},
	}
}

func strictDrift(edit func(*qdrant.StrictModeConfig), plan ...string) (d struct {
	edit func(*qdrant.CollectionConfig)
	plan []string
}) {
	d.edit = func(c *qdrant.CollectionConfig) { edit(c.StrictModeConfig) }
	for _, name := range plan {
		d.plan = append(d.plan, "strict_mode."+name)
	}
	return d
}

// allDrifts is drifts, and those of strict mode.
func allDrifts() map[string]struct {
	edit func(*qdrant.CollectionConfig)
	plan []string
} {
	type mode = qdrant.StrictModeConfig
	out := maps.Clone(drifts)
	out["strict off"] = strictDrift(func(s *mode) { s.Enabled = proto.Bool(false) }, "enabled")
	out["strict lost"] = struct {
		edit func(*qdrant.CollectionConfig)
		plan []string
	}{func(c *qdrant.CollectionConfig) { c.StrictModeConfig = nil }, []string{
		"strict_mode.condition_max_size", "strict_mode.enabled", "strict_mode.filter_max_conditions", "strict_mode.max_collection_payload_size_bytes",
		"strict_mode.max_collection_vector_size_bytes", "strict_mode.max_payload_index_count", "strict_mode.max_points_count", "strict_mode.max_query_limit",
		"strict_mode.max_timeout", "strict_mode.read_rate_limit", "strict_mode.search_allow_exact", "strict_mode.search_max_batchsize",
		"strict_mode.search_max_hnsw_ef", "strict_mode.search_max_oversampling", "strict_mode.sparse_config", "strict_mode.unindexed_filtering_retrieve",
		"strict_mode.upsert_max_batchsize", "strict_mode.write_rate_limit",
	}}
	for name, edit := range map[string]func(*mode){
		"max_query_limit":                   func(s *mode) { s.MaxQueryLimit = proto.Uint32(7) },
		"max_timeout":                       func(s *mode) { s.MaxTimeout = nil },
		"search_max_hnsw_ef":                func(s *mode) { s.SearchMaxHnswEf = proto.Uint32(1<<32 - 1) },
		"search_max_batchsize":              func(s *mode) { s.SearchMaxBatchsize = proto.Uint64(7) },
		"upsert_max_batchsize":              func(s *mode) { s.UpsertMaxBatchsize = proto.Uint64(1<<64 - 1) },
		"filter_max_conditions":             func(s *mode) { s.FilterMaxConditions = proto.Uint64(7) },
		"condition_max_size":                func(s *mode) { s.ConditionMaxSize = proto.Uint64(7) },
		"read_rate_limit":                   func(s *mode) { s.ReadRateLimit = proto.Uint32(7) },
		"write_rate_limit":                  func(s *mode) { s.WriteRateLimit = proto.Uint32(7) },
		"max_points_count":                  func(s *mode) { s.MaxPointsCount = proto.Uint64(7) },
		"max_collection_vector_size_bytes":  func(s *mode) { s.MaxCollectionVectorSizeBytes = proto.Uint64(7) },
		"max_collection_payload_size_bytes": func(s *mode) { s.MaxCollectionPayloadSizeBytes = proto.Uint64(7) },
		"max_payload_index_count":           func(s *mode) { s.MaxPayloadIndexCount = proto.Uint64(7) },
		"unindexed_filtering_retrieve":      func(s *mode) { s.UnindexedFilteringRetrieve = nil },
		"unindexed_filtering_update":        func(s *mode) { s.UnindexedFilteringUpdate = proto.Bool(false) },
		"search_allow_exact":                func(s *mode) { s.SearchAllowExact = proto.Bool(true) },
		"search_max_oversampling":           func(s *mode) { s.SearchMaxOversampling = proto.Float32(2) },
	} {
		out["strict "+name] = strictDrift(edit, name)
	}
	out["strict sparse"] = strictDrift(func(s *mode) { s.SparseConfig.SparseConfig["s"].MaxLength = proto.Uint64(7) }, `sparse_config["s"].max_length`)
	out["strict sparse lost"] = strictDrift(func(s *mode) { s.SparseConfig = nil }, "sparse_config")
	return out
}

// TestStrictModeIsOffWithoutItsBlock goes there and back: what is no longer declared is taken back, also where the API can only allow
// it.
func TestStrictModeIsOffWithoutItsBlock(t *testing.T) {
	w := newWorld(t, 3, nil)
	without := driftConfig()
	delete(without, "strict_mode")
	few := driftConfig()
	few["strict_mode"] = prototest.Config{"enabled": false, "max_timeout": 5}
	r := w.apply(t, nil, without)
	if got := prototest.Get(r.State, "strict_mode"); got != "null" {
		t.Errorf("nothing was declared: %s", got)
	}
	for _, c := range []struct {
		config prototest.Config
		want   map[string]string
	}{
		{driftConfig(), map[string]string{"strict_mode.enabled": "true", "strict_mode.max_timeout": "30", "strict_mode.search_max_oversampling": "1.1"}},
		{few, map[string]string{
			"strict_mode.enabled": "false", "strict_mode.max_timeout": "5", "strict_mode.max_query_limit": "null", "strict_mode.search_allow_exact": "null",
			"strict_mode.search_max_oversampling": "null", "strict_mode.sparse_config": "null",
		}},
		{driftConfig(), map[string]string{"strict_mode.max_query_limit": "100"}},
		{without, map[string]string{"strict_mode": "null"}},
		{few, map[string]string{"strict_mode.max_query_limit": "null"}},
		{without, map[string]string{"strict_mode": "null"}},
	} {
		r = w.apply(t, r, c.config)
		for path, want := range c.want {
			if got := prototest.Get(r.State, path); got != want {
				t.Errorf("%s is %s, want %s", path, got, want)
			}
		}
		w.mustBeSettled(t, r, c.config)
	}
	w.cluster.Edit("docs", func(c *qdrant.CollectionConfig) {
		c.StrictModeConfig = &qdrant.StrictModeConfig{Enabled: proto.Bool(true), MaxTimeout: proto.Uint32(1)}
	})
	plan := w.Plan(t, collectionType, w.refresh(t, r), without)
	wantEqual(t, "somebody turned it on: changes", plan.Changes(), []string{"strict_mode"})
	r, diags := w.Apply(t, plan)
	wantEqual(t, "errors", diags.Errors(), nil)
	w.mustBeSettled(t, r, without)
}

func TestLimitsOfVectorsThatAreNotDeclaredAreRefused(t *testing.T) {
	w := newWorld(t, 1, nil)
	with := func(name string, limits prototest.Config) prototest.Config {
		return prototest.Config{
			"name": "docs", "sparse_vectors": prototest.Config{"s": prototest.Config{}}, "strict_mode": prototest.Config{name: limits},
			"vectors": prototest.Config{
				"v": prototest.Config{"size": 1, "distance": "Dot"}, "m": prototest.Config{"size": 1, "distance": "Dot", "multivector": prototest.Config{}},
			},
		}
	}
	most := func(vector, field string) prototest.Config {
		return prototest.Config{vector: prototest.Config{field: 5}}
	}
	for name, config := range map[string]prototest.Config{
		"dense": with("multivector_config", most("v", "max_vectors")), "missing": with("multivector_config", most("x", "max_vectors")),
		"not sparse": with("sparse_config", most("m", "max_length")),
	} {
		wantOne(t, name, w.Validate(t, collectionType, config).Errors(), "No such vector")
	}
	for field, value := range map[string]any{"max_query_limit": 0, "max_timeout": 1<<32 - 1, "search_max_oversampling": 0.5, "sparse_config": prototest.Config{}} {
		config := minimal(prototest.Config{"strict_mode": prototest.Config{field: value}})
		if errs := w.Validate(t, collectionType, config).Errors(); len(errs) != 1 || !strings.Contains(errs[0], field) {
			t.Errorf("%s: %q", field, errs)
		}
	}
	good := with("multivector_config", most("m", "max_vectors"))
	good["strict_mode"].(prototest.Config)["sparse_config"] = most("s", "max_length")
	w.mustBeSettled(t, w.apply(t, nil, good), good)
}

func drawStrict(t *rapid.T, sparse prototest.Config) prototest.Config {
	s := prototest.Config{}
	maybe(t, s, "enabled", rapid.Bool().AsAny())
	all := strictConfig()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch all[name].(type) {
		case int:
			maybe(t, s, name, rapid.IntRange(1, 1000).AsAny())
		case bool:
			maybe(t, s, name, rapid.Bool().AsAny())
		case float64:
			maybe(t, s, name, rapid.SampledFrom([]float64{1, 1.1, 2.7}).AsAny())
		}
	}
	limits := prototest.Config{}
	for name := range sparse {
		if rapid.Bool().Draw(t, "limit of "+name) {
			limits[name] = prototest.Config{"max_length": rapid.IntRange(1, 1000).Draw(t, "length")}
		}
	}
	if len(limits) > 0 {
		s["sparse_config"] = limits
	}
	return s
}
