package api

import (
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// notBuilt lists the fields that stand for what is not built, by full name, with the noun that names it to users. A
// field in this table never reaches a handler; a field that is in no table must be honoured there.
var notBuilt = map[protoreflect.FullName]string{
	"qdrant.Vector.document":      nounInference,
	"qdrant.Vector.image":         nounInference,
	"qdrant.Vector.object":        nounInference,
	"qdrant.VectorInput.document": nounInference,
	"qdrant.VectorInput.image":    nounInference,
	"qdrant.VectorInput.object":   nounInference,

	"qdrant.Condition.slice": "slice filter",

	"qdrant.SearchParams.idf":                 "IDF corpus of sparse vectors",
	"qdrant.QueryPoints.lookup_from":          "lookup of a query's ids in another collection",
	"qdrant.DiscoverPoints.lookup_from":       "lookup of a query's ids in another collection",
	"qdrant.Rrf.weights":                      "weights of prefetches",
	"qdrant.PrefetchQuery.lookup_from":        "lookup of a query's ids in another collection",
	"qdrant.RecommendPoints.lookup_from":      "lookup of a query's ids in another collection",
	"qdrant.RecommendPointGroups.lookup_from": "lookup of a query's ids in another collection",
	"qdrant.QueryPointGroups.lookup_from":     "lookup of a query's ids in another collection",
	"qdrant.RecommendPointGroups.with_lookup": "lookup of groups in another collection",
	"qdrant.SearchPointGroups.with_lookup":    "lookup of groups in another collection",
	"qdrant.QueryPointGroups.with_lookup":     "lookup of groups in another collection",
	"qdrant.Query.formula":                    "formula query",
	"qdrant.Query.nearest_with_mmr":           "maximal marginal relevance",
	"qdrant.Query.relevance_feedback":         "relevance feedback query",

	"qdrant.KeywordIndexParams.memory":  nounMemory,
	"qdrant.IntegerIndexParams.memory":  nounMemory,
	"qdrant.FloatIndexParams.memory":    nounMemory,
	"qdrant.GeoIndexParams.memory":      nounMemory,
	"qdrant.TextIndexParams.memory":     nounMemory,
	"qdrant.BoolIndexParams.memory":     nounMemory,
	"qdrant.DatetimeIndexParams.memory": nounMemory,
	"qdrant.UuidIndexParams.memory":     nounMemory,

	"qdrant.QuantizationConfig.turboquant":                nounTurbo,
	"qdrant.QuantizationConfigDiff.turboquant":            nounTurbo,
	"qdrant.ProductQuantization.memory":                   nounMemory,
	"qdrant.BinaryQuantization.memory":                    nounMemory,
	"qdrant.ScalarQuantization.memory":                    nounMemory,
	"qdrant.CreateCollection.payload":                     nounMemory,
	"qdrant.StrictModeConfig.max_resident_memory_percent": nounResident,
	"qdrant.CollectionParamsDiff.payload":                 nounMemory,
	"qdrant.SparseIndexConfig.memory":                     nounMemory,
	"qdrant.VectorParams.memory":                          nounMemory,
	"qdrant.VectorParamsDiff.memory":                      nounMemory,
	"qdrant.HnswConfigDiff.inline_storage":                "HNSW inline storage",
	"qdrant.HnswConfigDiff.memory":                        nounMemory,
}

// The nouns that several fields share.
const (
	nounInference = "inference"
	nounOrderBy   = "ordering by a payload field"
	nounTurbo     = "TurboQuant quantization"
	nounResident  = "a share of the memory by collection (bound the whole node with --memory-limit)"
	nounMemory    = "memory placement (use the on_disk flags)"
)

// limits bound a number, both included. A field of texts with limits must not be empty.
type limits struct{ low, high float64 }

var positive = limits{1, math.MaxUint64}

// bounds lists the fields with limits by full name; what is not here is checked where it is used.
var bounds = map[protoreflect.FullName]limits{
	"qdrant.CreateCollection.shard_number":                 {1, catalog.MaxShards},
	"qdrant.CreateCollection.replication_factor":           {1, catalog.MaxReplicas},
	"qdrant.CreateCollection.write_consistency_factor":     positive,
	"qdrant.CollectionParamsDiff.replication_factor":       {1, catalog.MaxReplicas},
	"qdrant.CreateShardKey.shards_number":                  {1, catalog.MaxShards},
	"qdrant.CreateShardKey.replication_factor":             {1, catalog.MaxReplicas},
	"qdrant.CollectionParamsDiff.write_consistency_factor": positive,
	"qdrant.VectorParams.size":                             {1, catalog.MaxVectorSize},
	"qdrant.DenseVectorCreationConfig.size":                {1, catalog.MaxVectorSize},
	"qdrant.SearchPoints.limit":                            positive,
	"qdrant.DiscoverPoints.limit":                          positive,
	"qdrant.RecommendPoints.limit":                         positive,
	"qdrant.RecommendPointGroups.limit":                    positive,
	"qdrant.SearchPointGroups.limit":                       positive,
	"qdrant.QueryPointGroups.limit":                        positive,
	"qdrant.RecommendPointGroups.group_size":               positive,
	"qdrant.SearchPointGroups.group_size":                  positive,
	"qdrant.QueryPointGroups.group_size":                   positive,
	"qdrant.RecommendPointGroups.group_by":                 {},
	"qdrant.SearchPointGroups.group_by":                    {},
	"qdrant.QueryPointGroups.group_by":                     {},
	"qdrant.PrefetchQuery.limit":                           positive,
	"qdrant.QueryPoints.limit":                             positive,
	"qdrant.ScrollPoints.limit":                            positive,
	"qdrant.FacetCounts.limit":                             positive,
}

// limitsOf returns a field's limits: those of the table, and for every request a collection's name that is not
// empty and a timeout that is not zero.
func limitsOf(field protoreflect.FieldDescriptor) (limits, bool) {
	switch field.Name() {
	case "collection_name":
		return limits{}, field.Parent().Name() != "QueryPoints" && field.Parent().Name() != "SearchPoints"
	case "timeout":
		return positive, true
	}
	l, ok := bounds[field.FullName()]
	return l, ok
}
