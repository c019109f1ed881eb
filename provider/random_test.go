package provider_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

// drawConfig draws a configuration of a collection: every attribute is at times left out.
func drawConfig(t *rapid.T, name string) prototest.Config {
	config := prototest.Config{"name": name, "vectors": drawVectors(t)}
	replicas := 1
	if rapid.Bool().Draw(t, "has replicas") {
		replicas = rapid.IntRange(1, 3).Draw(t, "replicas")
		config["replication_factor"] = replicas
	}
	switch rapid.IntRange(0, 2).Draw(t, "consistency") {
	case 0:
		config["write_consistency"] = rapid.SampledFrom([]string{"weak", "quorum", "strong"}).Draw(t, "word")
	case 1:
		config["write_consistency_factor"] = rapid.IntRange(1, replicas).Draw(t, "factor")
	}
	maybe(t, config, "shard_number", rapid.IntRange(1, 6).AsAny())
	if rapid.Bool().Draw(t, "has sparse") {
		config["sparse_vectors"] = drawSparse(t)
	}
	drawRest(t, config)
	return config
}

// drawRest draws what is changed in place.
func drawRest(t *rapid.T, config prototest.Config) {
	maybe(t, config, "on_disk_payload", rapid.Bool().AsAny())
	maybe(t, config, "deletion_protection", rapid.Bool().AsAny())
	if rapid.Bool().Draw(t, "has metadata") {
		metadata := prototest.Config{}
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"owner", "tier", "Ω", ""}), 0, 3, rapid.ID).Draw(t, "keys") {
			metadata[key] = rapid.SampledFrom([]string{"", "search", "5", "null", `{"a":1}`, "ünïcode"}).Draw(t, "value")
		}
		config["metadata"] = metadata
	}
	if rapid.Bool().Draw(t, "has hnsw") {
		config["hnsw"] = drawHNSW(t)
	}
	if rapid.Bool().Draw(t, "has optimizers") {
		config["optimizers"] = drawOptimizers(t)
	}
	maybe(t, config, "read_fan_out_factor", rapid.IntRange(0, 3).AsAny())
	maybe(t, config, "read_fan_out_delay_ms", rapid.IntRange(0, 100).AsAny())
	maybe(t, config, "heal", rapid.Bool().AsAny())
	if rapid.Bool().Draw(t, "has quantization") {
		config["quantization"] = drawQuantization(t)
	}
	if rapid.Bool().Draw(t, "has strict mode") {
		sparse, _ := config["sparse_vectors"].(prototest.Config)
		config["strict_mode"] = drawStrict(t, sparse)
	}
	if rapid.IntRange(0, 4).Draw(t, "has timeouts") == 0 {
		config["timeouts"] = prototest.Config{"create": "1m"}
	}
}

func maybe(t *rapid.T, config prototest.Config, key string, values *rapid.Generator[any]) {
	if rapid.Bool().Draw(t, "has "+key) {
		config[key] = values.Draw(t, key)
	}
}

func drawVectors(t *rapid.T) prototest.Config {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "title", "body"}), 1, 3, rapid.ID).Draw(t, "vectors")
	out := prototest.Config{}
	for _, name := range names {
		v := prototest.Config{
			"size":     rapid.IntRange(1, 65536).Draw(t, "size"),
			"distance": rapid.SampledFrom([]string{"Cosine", "Dot", "Euclid", "Manhattan"}).Draw(t, "distance"),
		}
		maybe(t, v, "datatype", rapid.SampledFrom([]string{"Float32", "Float16", "Uint8"}).AsAny())
		maybe(t, v, "multivector", rapid.Just[any](prototest.Config{}))
		drawVectorRest(t, v)
		out[name] = v
	}
	return out
}

func drawSparse(t *rapid.T) prototest.Config {
	out := prototest.Config{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"words", "tags"}), 0, 2, rapid.ID).Draw(t, "sparse") {
		v := prototest.Config{}
		drawSparseRest(t, v)
		maybe(t, v, "datatype", rapid.SampledFrom([]string{"Float32", "Float16"}).AsAny())
		out[name] = v
	}
	return out
}

func drawSparseRest(t *rapid.T, v prototest.Config) {
	maybe(t, v, "modifier", rapid.SampledFrom([]string{"None", "Idf"}).AsAny())
	maybe(t, v, "on_disk", rapid.Bool().AsAny())
	maybe(t, v, "full_scan_threshold", rapid.IntRange(0, 1000).AsAny())
}

func drawQuantization(t *rapid.T) prototest.Config {
	q := prototest.Config{}
	maybe(t, q, "always_ram", rapid.Bool().AsAny())
	kind := rapid.SampledFrom([]string{"scalar", "product", "binary"}).Draw(t, "kind")
	switch kind {
	case "scalar":
		maybe(t, q, "quantile", rapid.SampledFrom([]float64{0.5, 0.6, 0.99, 0.999, 1}).AsAny())
		maybe(t, q, "type", rapid.Just[any]("Int8"))
	case "product":
		q["compression"] = rapid.SampledFrom([]string{"x4", "x16", "x64"}).Draw(t, "ratio")
	case "binary":
		maybe(t, q, "encoding", rapid.SampledFrom([]string{"OneBit", "TwoBits"}).AsAny())
		maybe(t, q, "query_encoding", rapid.SampledFrom([]string{"Default", "Scalar8Bits"}).AsAny())
	}
	return prototest.Config{kind: q}
}

func drawVectorRest(t *rapid.T, v prototest.Config) {
	for _, name := range []string{"on_disk", "hnsw", "quantization"} {
		delete(v, name)
	}
	if rapid.IntRange(0, 2).Draw(t, "has quantization") == 0 {
		v["quantization"] = drawQuantization(t)
	}
	maybe(t, v, "on_disk", rapid.Bool().AsAny())
	if rapid.Bool().Draw(t, "has override") {
		v["hnsw"] = drawHNSW(t)
	}
}

func drawHNSW(t *rapid.T) prototest.Config {
	h := prototest.Config{}
	maybe(t, h, "m", rapid.IntRange(0, 64).AsAny())
	maybe(t, h, "ef_construct", rapid.IntRange(4, 500).AsAny())
	maybe(t, h, "full_scan_threshold", rapid.IntRange(0, 20000).AsAny())
	maybe(t, h, "max_indexing_threads", rapid.IntRange(0, 8).AsAny())
	maybe(t, h, "on_disk", rapid.Bool().AsAny())
	maybe(t, h, "payload_m", rapid.IntRange(0, 32).AsAny())
	return h
}

func drawOptimizers(t *rapid.T) prototest.Config {
	o := prototest.Config{}
	maybe(t, o, "deleted_threshold", rapid.Float64Range(0, 1).AsAny())
	maybe(t, o, "vacuum_min_vector_number", rapid.IntRange(100, 5000).AsAny())
	maybe(t, o, "default_segment_number", rapid.IntRange(0, 8).AsAny())
	maybe(t, o, "max_segment_size", rapid.IntRange(1, 100000).AsAny())
	maybe(t, o, "memmap_threshold", rapid.IntRange(0, 100000).AsAny())
	maybe(t, o, "indexing_threshold", rapid.IntRange(0, 100000).AsAny())
	maybe(t, o, "flush_interval_sec", rapid.IntRange(0, 60).AsAny())
	maybe(t, o, "max_optimization_threads", rapid.IntRange(0, 8).AsAny())
	maybe(t, o, "prevent_unoptimized", rapid.Bool().AsAny())
	return o
}

// drawChange draws a configuration that differs from config in nothing that replaces the collection.
func drawChange(t *rapid.T, config prototest.Config) prototest.Config {
	out := drawConfig(t, config["name"].(string))
	out["vectors"] = sameSpaces(t, config["vectors"].(prototest.Config), out["vectors"].(prototest.Config), drawVectorRest, "size", "distance", "datatype", "multivector")
	before, _ := config["sparse_vectors"].(prototest.Config)
	if after, ok := out["sparse_vectors"].(prototest.Config); ok {
		out["sparse_vectors"] = sameSpaces(t, before, after, drawSparseRest, "datatype")
	}
	return out
}

// sameSpaces lets every vector that both have keep what cannot change.
func sameSpaces(t *rapid.T, before, after prototest.Config, rest func(*rapid.T, prototest.Config), fixed ...string) prototest.Config {
	out := prototest.Config{}
	for name, v := range after {
		out[name] = v
		if old, ok := before[name].(prototest.Config); ok {
			same := prototest.Config{}
			for _, attribute := range fixed {
				if value, ok := old[attribute]; ok {
					same[attribute] = value
				}
			}
			rest(t, same)
			out[name] = same
		}
	}
	return out
}

func TestARandomCollectionIsSettledAfterItsCreation(t *testing.T) {
	w := newWorld(t, 3, prototest.Config{"plan_checks": "off"})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		config := drawConfig(t, fmt.Sprintf("c%d", n))
		w.mustBeSettled(t, w.apply(t, nil, config), config)
	})
}

func TestARandomUpdateEndsWhereACreationWouldHave(t *testing.T) {
	w := newWorld(t, 3, prototest.Config{"plan_checks": "off"})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		config := drawConfig(t, fmt.Sprintf("c%d", n))
		r := w.apply(t, nil, config)
		for range rapid.IntRange(1, 2).Draw(t, "updates") {
			config = drawChange(t, config)
			r = w.apply(t, r, config)
			w.mustBeSettled(t, r, config)
		}
		config["name"] = fmt.Sprintf("c%d-fresh", n)
		fresh := w.apply(t, nil, config)
		for _, path := range prototest.Diff(r.State, fresh.State) {
			switch path {
			case "name": // chosen differently
			case "optimizers.max_segment_size", "optimizers.max_optimization_threads", "read_fan_out_delay_ms", "shard_number",
				`sparse_vectors["words"].full_scan_threshold`, `sparse_vectors["tags"].full_scan_threshold`: // kept when they are taken out
				if n := config["shard_number"]; path == "shard_number" && n == nil {
					continue
				}
				if prototest.Get(fresh.State, path) != "null" {
					t.Fatalf("%s: updated to %s, created as %s", path, prototest.Get(r.State, path), prototest.Get(fresh.State, path))
				}
			default:
				t.Fatalf("%s: updated to %s, created as %s", path, prototest.Get(r.State, path), prototest.Get(fresh.State, path))
			}
		}
	})
}

func TestARandomCollectionImportsAsItWasDeclared(t *testing.T) {
	w := newWorld(t, 3, prototest.Config{"plan_checks": "off"})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		config := drawConfig(t, fmt.Sprintf("c%d", n))
		created := w.apply(t, nil, config)
		imported, diags := w.Import(t, collectionType, config["name"].(string))
		if errs := diags.Errors(); len(errs) > 0 {
			t.Fatalf("import: %s", errs)
		}
		for _, path := range prototest.Diff(created.State, imported.State) {
			onlyInState := path == "write_consistency" || path == "deletion_protection" || path == "timeouts" || path == "heal"
			if path == "strict_mode" && prototest.Get(created.State, "strict_mode.enabled") == "false" && prototest.Get(imported.State, path) == "null" {
				continue // nothing holds, and nothing is kept of it
			}
			emptyOverride := prototest.Get(imported.State, path) == "null" && prototest.Get(created.State, path) == "6 items"
			if !onlyInState && !emptyOverride {
				t.Fatalf("%s: declared %s, imported %s", path, prototest.Get(created.State, path), prototest.Get(imported.State, path))
			}
		}
	})
}
