package provider_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/ostraka/terraform-provider-ostraka/provider"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

func TestConfigureNeedsAnEndpointAndNoNetwork(t *testing.T) {
	t.Setenv("OSTRAKA_ENDPOINTS", "")
	p := prototest.New(t, provider.New("test"))
	wantOne(t, "nothing", p.Configure(t, nil).Errors(), "set endpoints", "OSTRAKA_ENDPOINTS", "(at endpoints)")
	nobody := prototest.Config{"endpoints": []any{"192.0.2.1:6334"}} // an address of nobody
	wantEqual(t, "an unreachable one", p.Configure(t, nobody).Errors(), nil)
	nobody["tls"] = prototest.Config{"ca_file": "/does/not/exist.pem"}
	wantOne(t, "a missing file", p.Configure(t, nobody).Errors(), "/does/not/exist.pem")
}

func TestTheEnvironmentStandsInForEndpoints(t *testing.T) {
	cluster := fakecluster.Start(t, 1)
	t.Setenv("OSTRAKA_ENDPOINTS", " "+cluster.Endpoint()+" , 127.0.0.1:1 ")
	w := &world{cluster: cluster, Provider: prototest.New(t, provider.New("test"))}
	wantEqual(t, "configure", w.Configure(t, nil).Errors(), nil)
	w.apply(t, nil, minimal(nil))
}

func TestUnknownEndpointsKeepTheStateAndPlanWithoutTheCluster(t *testing.T) {
	w := newWorld(t, 1, nil)
	r := w.apply(t, nil, minimal(nil))
	w.cluster.Drop("docs")
	for name, config := range map[string]prototest.Config{
		"the list":    {"endpoints": prototest.Unknown},
		"an endpoint": {"endpoints": []any{"127.0.0.1:1", prototest.Unknown}},
		"the key":     {"endpoints": []any{w.cluster.Endpoint()}, "api_key": prototest.Unknown},
		"a TLS file":  {"endpoints": []any{w.cluster.Endpoint()}, "tls": prototest.Config{"ca_file": prototest.Unknown}},
	} {
		p := prototest.New(t, provider.New("test"))
		wantEqual(t, name+" unknown", p.Configure(t, config).Errors(), nil)
		seen, diags := p.Refresh(t, collectionType, r)
		wantEqual(t, "errors of a refresh", diags.Errors(), nil)
		wantEqual(t, "the refresh changes", prototest.Diff(r.State, seen.State), nil)
		plan := p.Plan(t, collectionType, p.None(collectionType), minimal(prototest.Config{"replication_factor": 5}))
		if len(plan.Diagnostics) > 0 {
			t.Errorf("%s unknown: %q %q", name, plan.Diagnostics.Errors(), plan.Diagnostics.Warnings())
		}
		_, diags = p.Apply(t, plan)
		wantOne(t, "apply", diags.Errors(), "not configured")
		_, diags = p.ReadData(t, "ostraka_cluster", nil)
		wantOne(t, "data source", diags.Errors(), "not configured")
	}
}

func TestTheClusterIsShown(t *testing.T) {
	w := newWorld(t, 3, nil)
	w.cluster.SetAlive(2)
	v, diags := w.ReadData(t, "ostraka_cluster", nil)
	wantEqual(t, "errors", diags.Errors(), nil)
	for path, want := range map[string]string{
		"id": "fake", "leader": "1001", "term": "3", "version": "0.1.0", "peers": "3 items", "peers[0].name": "n1", "peers[0].id": "1001",
		"peers[0].leader": "true", "peers[1].leader": "false", "peers[1].alive": "true", "peers[2].alive": "false",
		"peers[2].zone": "zone-3", "peers[2].voter": "true", "peers[2].addresses.grpc": "10.0.0.3:6334",
		"peers[2].addresses.http": "10.0.0.3:6333", "peers[2].addresses.peer": "10.0.0.3:6335", "peers[0].replaced": "false",
		"peers[0].state": "active", "peers[0].disk_total_bytes": "null", `peer_ids["n3"]`: "1003", "peers[0].labels": "0 items",
	} {
		if got := prototest.Get(v, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestThePlacementIsShown(t *testing.T) {
	w := newWorld(t, 3, nil)
	w.apply(t, nil, minimal(prototest.Config{"shard_number": 2, "replication_factor": 2, "write_consistency": "strong"}))
	w.cluster.SetAlive(2)
	v, diags := w.ReadData(t, "ostraka_collection_placement", prototest.Config{"name": "docs"})
	wantEqual(t, "errors", diags.Errors(), nil)
	for path, want := range map[string]string{
		"name": "docs", "shard_number": "2", "replication_factor": "2", "write_consistency_factor": "2", "shards": "2 items",
		"shards[0].id": "0", "shards[0].primary": "1001", "shards[0].problem": "", "shards[0].writable": "true",
		"shards[0].replicas[1].peer": "1002", "shards[0].replicas[1].peer_name": "n2", "shards[0].replicas[1].state": "active",
		"shards[1].active_replicas": "1", "shards[1].declared_replicas": "2", "shards[1].write_quorum": "2", "shards[1].writable": "false",
		"shards[1].problem": "2 replicas declared, 1 active", "shards[1].replicas[1].alive": "false",
		"target_shard_number": "2", "moving": "false", "shards[0].shard_key": "null", "shards[0].pinned": "false",
		"under_replicated": "1 items", "under_replicated[0]": "1", "warnings[0]": "shard 1: 2 replicas declared, 1 active",
	} {
		if got := prototest.Get(v, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	_, diags = w.ReadData(t, "ostraka_collection_placement", prototest.Config{"name": "nothing"})
	wantOne(t, "an unknown one", diags.Errors(), "depends_on", "(at name)")
}

func TestACollectionIsShownWithItsDefaultsAndItsState(t *testing.T) {
	w := newWorld(t, 3, nil)
	w.apply(t, nil, minimal(prototest.Config{"shard_number": 2, "quantization": prototest.Config{"scalar": prototest.Config{"quantile": 0.99}}}))
	w.applyOf(t, indexType, nil, prototest.Config{"collection": "docs", "field": "city", "keyword": prototest.Config{}})
	w.applyOf(t, aliasType, nil, live("docs"))
	v, diags := w.ReadData(t, "ostraka_collection", prototest.Config{"name": "docs"})
	wantEqual(t, "errors", diags.Errors(), nil)
	for path, want := range map[string]string{
		"shard_number": "2", `vectors[""].size`: "4", `vectors[""].datatype`: "Float32", "hnsw.m": "16", "wal.capacity_mb": "32", "optimizers.flush_interval_sec": "5",
		"quantization.scalar.quantile": "0.99", "state.status": "green", "state.points": "0", `payload_indexes["city"]`: "keyword", "aliases[0]": "live",
		"read_fan_out_factor": "0", "sharding_method": "auto",
	} {
		if got := prototest.Get(v, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	_, diags = w.ReadData(t, "ostraka_collection", prototest.Config{"name": "nothing"})
	wantOne(t, "an unknown one", diags.Errors(), "depends_on", "(at name)")
}

func TestCollectionsAreListed(t *testing.T) {
	w := newWorld(t, 1, nil)
	for _, name := range []string{"prod-b", "prod-a", "test"} {
		w.apply(t, nil, minimal(prototest.Config{"name": name}))
	}
	w.applyOf(t, aliasType, nil, live("prod-a"))
	v, diags := w.ReadData(t, "ostraka_collections", prototest.Config{"name_prefix": "prod-"})
	wantEqual(t, "errors", diags.Errors(), nil)
	for path, want := range map[string]string{"names": "2 items", "names[0]": "prod-a", "names[1]": "prod-b", `aliases["live"]`: "prod-a"} {
		if got := prototest.Get(v, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	v, _ = w.ReadData(t, "ostraka_collections", nil)
	if got := prototest.Get(v, "names"); got != "3 items" {
		t.Errorf("all names: %s", got)
	}
}

func TestQuorumIsAMajority(t *testing.T) {
	p := prototest.New(t, provider.New("test"))
	for replicas, want := range map[int]string{1: "1", 2: "2", 3: "2", 4: "3", 5: "3", 7: "4"} {
		if got, err := p.Call(t, "quorum", replicas); err != nil || got != want {
			t.Errorf("quorum(%d) = %s, %v; want %s", replicas, got, err, want)
		}
	}
	for _, bad := range []int{0, -3} {
		if got, err := p.Call(t, "quorum", bad); err == nil {
			t.Errorf("quorum(%d) = %s, want an error", bad, got)
		}
	}
}

func TestTheOtherFunctions(t *testing.T) {
	p := prototest.New(t, provider.New("test"))
	for want, call := range map[string]func() (string, error){
		"1":  func() (string, error) { return p.Call(t, "survives", 3, 2) },
		"20": func() (string, error) { return p.Call(t, "shards_for", 1_000_000_000, 50_000_000) },
		"21": func() (string, error) { return p.Call(t, "shards_for", 1_000_000_000, 50_000_000, 3) },
		"4032000000": func() (string, error) {
			return p.CallObject(t, "memory_bytes", map[string]any{"points": 1_000_000, "size": 768})
		},
		"960000000": func() (string, error) {
			return p.CallObject(t, "memory_bytes", map[string]any{"points": 1_000_000, "size": 768, "on_disk": true, "quantization": "scalar"})
		},
		"1008": func() (string, error) {
			return p.CallObject(t, "memory_bytes", map[string]any{"points": 1, "size": 128, "datatype": "Float16", "quantization": "product", "compression": 32, "m": 0, "replicas": 3})
		},
	} {
		if got, err := call(); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	for name, call := range map[string]func() (string, error){
		"W > RF":       func() (string, error) { return p.Call(t, "survives", 2, 3) },
		"no replicas":  func() (string, error) { return p.Call(t, "survives", 0, 0) },
		"no per shard": func() (string, error) { return p.Call(t, "shards_for", 5, 0) },
		"peers twice":  func() (string, error) { return p.Call(t, "shards_for", 5, 1, 2, 3) },
		"no points":    func() (string, error) { return p.CallObject(t, "memory_bytes", map[string]any{"size": 1}) },
		"unknown": func() (string, error) {
			return p.CallObject(t, "memory_bytes", map[string]any{"points": 1, "size": 1, "colour": "red"})
		},
		"kind": func() (string, error) {
			return p.CallObject(t, "memory_bytes", map[string]any{"points": 1, "size": 1, "quantization": "turbo"})
		},
		"negative": func() (string, error) {
			return p.CallObject(t, "memory_bytes", map[string]any{"points": -1, "size": 1})
		},
	} {
		if got, err := call(); err == nil {
			t.Errorf("%s: got %s, want an error", name, got)
		}
	}
}

// optionalOnly are the attributes that the server never fills in. An attribute that it does fill in must be Computed, or
// every plan would differ.
var optionalOnly = map[string]string{
	"ostraka_collection.write_consistency":                             "a word for what write_consistency_factor holds; the server does not know it",
	"ostraka_collection.timeouts":                                      "tells nothing to the server",
	"ostraka_collection.timeouts.create":                               "as timeouts",
	"ostraka_collection.timeouts.update":                               "as timeouts",
	"ostraka_collection.timeouts.delete":                               "as timeouts",
	"ostraka_collection.vectors.hnsw":                                  "null means: as the collection's. The server keeps it apart from a value",
	"ostraka_collection.vectors.hnsw.m":                                "as vectors.hnsw",
	"ostraka_collection.vectors.hnsw.ef_construct":                     "as vectors.hnsw",
	"ostraka_collection.vectors.hnsw.full_scan_threshold":              "as vectors.hnsw",
	"ostraka_collection.vectors.hnsw.max_indexing_threads":             "as vectors.hnsw",
	"ostraka_collection.vectors.hnsw.on_disk":                          "as vectors.hnsw",
	"ostraka_collection.vectors.hnsw.payload_m":                        "as vectors.hnsw",
	"ostraka_collection.quantization":                                  "null means: none. The server keeps it apart from one",
	"ostraka_collection.quantization.scalar":                           "which kind is given is the kind; the server never adds one",
	"ostraka_collection.quantization.scalar.quantile":                  "null means: all values. The server keeps it unset",
	"ostraka_collection.quantization.product":                          "as scalar",
	"ostraka_collection.quantization.binary":                           "as scalar",
	"ostraka_collection.vectors.quantization":                          "null means: as the collection's. The server keeps it apart from one",
	"ostraka_collection.vectors.quantization.scalar":                   "as quantization.scalar",
	"ostraka_collection.vectors.quantization.scalar.quantile":          "as quantization.scalar.quantile",
	"ostraka_collection.vectors.quantization.product":                  "as quantization.scalar",
	"ostraka_collection.vectors.quantization.binary":                   "as quantization.scalar",
	"ostraka_collection.strict_mode":                                   "null means: off. The server keeps it apart from one",
	"ostraka_collection.strict_mode.unindexed_filtering_retrieve":      "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.unindexed_filtering_update":        "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.search_allow_exact":                "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.search_max_oversampling":           "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.max_query_limit":                   "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.max_timeout":                       "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.search_max_hnsw_ef":                "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.search_max_batchsize":              "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.upsert_max_batchsize":              "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.filter_max_conditions":             "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.condition_max_size":                "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.read_rate_limit":                   "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.write_rate_limit":                  "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.max_points_count":                  "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.max_collection_vector_size_bytes":  "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.max_collection_payload_size_bytes": "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.max_payload_index_count":           "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.multivector_config":                "null means: no limit. The server keeps it unset",
	"ostraka_collection.strict_mode.sparse_config":                     "null means: no limit. The server keeps it unset",
	"ostraka_collection.vectors.multivector":                           "null means: one vector for each point. The server keeps it apart",
	"data.ostraka_collections.name_prefix":                             "null means: all. It tells nothing of the server",
	"ostraka_peer.timeouts":                                            "tells nothing to the server",
	"ostraka_peer.timeouts.create":                                     "as timeouts",
	"ostraka_peer.timeouts.update":                                     "as timeouts",
	"ostraka_peer.timeouts.delete":                                     "as timeouts",
	"ostraka_shard_key.timeouts":                                       "tells nothing to the server",
	"ostraka_shard_key.timeouts.create":                                "as timeouts",
	"ostraka_shard_key.timeouts.update":                                "as timeouts",
	"ostraka_shard_key.timeouts.delete":                                "as timeouts",
	"ostraka_shard_key.key":                                            "part of the identity",
	"ostraka_shard_key.key_number":                                     "part of the identity",
	"ostraka_shard_key.placement":                                      "null means: all peers. The server keeps it apart from a list",
	"ostraka_payload_index.timeouts":                                   "tells nothing to the server",
	"ostraka_payload_index.timeouts.create":                            "as timeouts",
	"ostraka_payload_index.timeouts.update":                            "as timeouts",
	"ostraka_payload_index.timeouts.delete":                            "as timeouts",
	"ostraka_payload_index.keyword":                                    "which kind is given is the kind; the server never adds one",
	"ostraka_payload_index.integer":                                    "as keyword",
	"ostraka_payload_index.float":                                      "as keyword",
	"ostraka_payload_index.geo":                                        "as keyword",
	"ostraka_payload_index.text":                                       "as keyword",
	"ostraka_payload_index.bool":                                       "as keyword",
	"ostraka_payload_index.datetime":                                   "as keyword",
	"ostraka_payload_index.uuid":                                       "as keyword",
	"ostraka_payload_index.text.min_token_len":                         "null means: no bound. The server keeps it unset",
	"ostraka_payload_index.text.max_token_len":                         "as min_token_len",
	"ostraka_payload_index.text.stopwords":                             "null means: none. The server keeps it unset",
	"ostraka_payload_index.text.custom_stopwords":                      "as stopwords",
	"ostraka_payload_index.text.stemmer":                               "null means: none. The server keeps it unset",
}

func TestEveryAttributeIsDescribedAndEitherComputedOrListed(t *testing.T) {
	p := prototest.New(t, provider.New("test"))
	listed := map[string]bool{}
	p.Attributes(func(path string, a *tfprotov6.SchemaAttribute) {
		if strings.TrimSpace(a.Description) == "" {
			t.Errorf("%s has no description", path)
		}
		if !a.Optional || a.Computed {
			return
		}
		if listed[path] = true; optionalOnly[path] == "" {
			t.Errorf("%s is optional only: should the server fill it in? Else list it with the reason", path)
		}
	})
	for path := range optionalOnly {
		if !listed[path] {
			t.Errorf("%s is listed but not optional only", path)
		}
	}
}

func TestDescriptionsSayWhatAChangeDoes(t *testing.T) {
	p := prototest.New(t, provider.New("test"))
	text := map[string]string{}
	p.Attributes(func(path string, a *tfprotov6.SchemaAttribute) { text[path] = a.Description })
	const replaces, inPlace = "Changing it replaces the collection", "Changed in place"
	for path, want := range map[string][]string{
		"name":                         {replaces},
		"shard_number":                 {inPlace, "Between 1 and 1024"},
		"sharding_method":              {replaces, "`auto`, `custom`", "Default: `auto`"},
		"vectors.datatype":             {replaces, "Default: `Float32`"},
		"sparse_vectors.modifier":      {inPlace, "Default: `None`"},
		"wal.capacity_mb":              {replaces, "Default: `32`"},
		"quantization.scalar.quantile": {inPlace, "Between 0.5 and 1"},
		"strict_mode.enabled":          {inPlace, "Default: `true`"},
		"strict_mode.max_timeout":      {inPlace, "no limit", "At least 1"},
		"vectors.size":                 {replaces, "Between 1 and 65536"},
		"vectors.distance":             {replaces, "One of `Cosine`, `Dot`, `Euclid`, `Manhattan`"},
		"vectors.on_disk":              {inPlace, "Default: `false`"},
		"replication_factor":           {inPlace, "Default: `1`", "Between 1 and 64"},
		"write_consistency":            {inPlace, "`weak`, `quorum`, `strong`"},
		"on_disk_payload":              {inPlace, "Default: `true`"},
		"optimizers.deleted_threshold": {inPlace, "Default: `0.2`", "Between 0 and 1"},
		"hnsw.m":                       {inPlace, "Default: `16`"},
		"hnsw.payload_m":               {inPlace, "Default: the value of `m`"},
	} {
		for _, part := range want {
			if got := text[collectionType+"."+path]; !strings.Contains(got, part) {
				t.Errorf("%s does not say %q: %s", path, part, got)
			}
		}
	}
	for _, leaf := range p.Leaves(collectionType) {
		got := text[collectionType+"."+leaf]
		if !strings.HasPrefix(leaf, "timeouts.") && leaf != "unfinished" && !slices.ContainsFunc([]string{replaces, inPlace}, func(s string) bool { return strings.Contains(got, s) }) {
			t.Errorf("%s does not say what a change does: %s", leaf, got)
		}
	}
}
