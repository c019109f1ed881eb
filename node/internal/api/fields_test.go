package api_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// without lists the fields that are accepted and change nothing, each with the reason why that is honest.
var without = map[protoreflect.FullName]string{
	"qdrant.UpsertPoints.ordering":               "a shard's log orders all writes totally, which is what strong ordering asks for",
	"qdrant.DeletePoints.ordering":               "as above",
	"qdrant.UpdatePointVectors.ordering":         "as above",
	"qdrant.DeletePointVectors.ordering":         "as above",
	"qdrant.SetPayloadPoints.ordering":           "as above",
	"qdrant.DeletePayloadPoints.ordering":        "as above",
	"qdrant.ClearPayloadPoints.ordering":         "as above",
	"qdrant.UpdateBatchPoints.ordering":          "as above",
	"qdrant.CreateFieldIndexCollection.ordering": "metadata are changed in one order",
	"qdrant.DeleteFieldIndexCollection.ordering": "as above",
	"qdrant.CreateVectorNameRequest.ordering":    "as above",
	"qdrant.DeleteVectorNameRequest.ordering":    "as above",
	"qdrant.DeleteVectorNameRequest.wait":        "the vector is removed before the answer in any case",
	"qdrant.WriteOrdering.type":                  "as above",

	"qdrant.CountPoints.exact": "counts are always exact, which an approximate one may be; strict mode, which may not allow exact ones, heeds it",

	"qdrant.SearchParams.acorn":                "searches under a filter choose by themselves how they walk the graph",
	"qdrant.AcornSearchParams.enable":          "as above",
	"qdrant.AcornSearchParams.max_selectivity": "as above",

	"qdrant.MoveShard.method":       "how a copy is filled is for the shard's primary to say",
	"qdrant.ReplicateShard.method":  "as above",
	"qdrant.RestartTransfer.method": "as above",

	"qdrant.Value.null_value":             "a value of no kind is null already",
	"qdrant.MultiVectorConfig.comparator": "there is but one",
}

// examples are requests, all of them accepted, which between them hold every message that an accepted request can
// hold.
func examples() map[string][]proto.Message {
	out := map[string][]proto.Message{}
	add := func(method string, m ...proto.Message) { out[method] = append(out[method], m...) }
	addWrites(add)
	addReads(add)
	addFields(add)
	addCollections(add)
	return out
}

func someFilters() []*qdrant.Filter {
	field := func(f *qdrant.FieldCondition) *qdrant.Condition {
		f.Key = "k"
		return &qdrant.Condition{ConditionOneOf: &qdrant.Condition_Field{Field: f}}
	}
	match := func(m *qdrant.Match) *qdrant.Condition { return field(&qdrant.FieldCondition{Match: m}) }
	at := timestamppb.New(timestamppb.Now().AsTime())
	conditions := []*qdrant.Condition{
		qdrant.NewMatchKeyword("k", "a"), qdrant.NewMatchInt("k", 1), qdrant.NewMatchBool("k", true),
		qdrant.NewMatchKeywords("k", "a", "b"), qdrant.NewMatchInts("k", 1, 2),
		qdrant.NewMatchText("k", "a b"), qdrant.NewMatchPhrase("k", "a b"), qdrant.NewMatchTextAny("k", "a b"),
		match(&qdrant.Match{MatchValue: &qdrant.Match_Prefix{Prefix: "a"}}),
		match(&qdrant.Match{MatchValue: &qdrant.Match_ExceptKeywords{ExceptKeywords: &qdrant.RepeatedStrings{Strings: []string{"a"}}}}),
		match(&qdrant.Match{MatchValue: &qdrant.Match_ExceptIntegers{ExceptIntegers: &qdrant.RepeatedIntegers{Integers: []int64{1}}}}),
		qdrant.NewRange("k", &qdrant.Range{Lt: new(1.5), Gt: new(0.5), Gte: new(0.5), Lte: new(1.5)}),
		qdrant.NewDatetimeRange("k", &qdrant.DatetimeRange{Lt: at, Gt: at, Gte: at, Lte: at}),
		field(&qdrant.FieldCondition{GeoBoundingBox: &qdrant.GeoBoundingBox{
			TopLeft: &qdrant.GeoPoint{Lon: 1, Lat: 50}, BottomRight: &qdrant.GeoPoint{Lon: 10, Lat: 40},
		}}),
		field(&qdrant.FieldCondition{GeoRadius: &qdrant.GeoRadius{Center: &qdrant.GeoPoint{Lon: 1, Lat: 2}, Radius: 3}}),
		field(&qdrant.FieldCondition{GeoPolygon: &qdrant.GeoPolygon{Exterior: ring(0, 0, 0, 9, 9, 0, 0, 0), Interiors: []*qdrant.GeoLineString{ring(1, 1, 1, 2, 2, 1, 1, 1)}}}),
		field(&qdrant.FieldCondition{ValuesCount: &qdrant.ValuesCount{Lt: new(uint64(9)), Gt: new(uint64(1)), Gte: new(uint64(1)), Lte: new(uint64(9))}}),
		field(&qdrant.FieldCondition{IsEmpty: new(true)}), field(&qdrant.FieldCondition{IsNull: new(true)}),
		qdrant.NewIsEmpty("k"), qdrant.NewIsNull("k"), qdrant.NewHasID(qdrant.NewIDNum(1), qdrant.NewID("5c56c793-69f3-4fbf-87e6-c4bf54c28c26")),
		qdrant.NewHasVector("v"),
		qdrant.NewNestedFilter("k", &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewIsNull("a")}}),
		qdrant.NewFilterAsCondition(&qdrant.Filter{Should: []*qdrant.Condition{qdrant.NewIsNull("a")}}),
	}
	filters := []*qdrant.Filter{{
		Should: conditions[:1], MustNot: conditions[1:2], MinShould: &qdrant.MinShould{Conditions: conditions[2:4], MinCount: 1},
	}}
	for _, c := range conditions {
		filters = append(filters, &qdrant.Filter{Must: []*qdrant.Condition{c}})
	}
	return filters
}

// ring takes longitudes and latitudes in turn.
func ring(degrees ...float64) *qdrant.GeoLineString {
	line := &qdrant.GeoLineString{}
	for i := 0; i < len(degrees); i += 2 {
		line.Points = append(line.Points, &qdrant.GeoPoint{Lon: degrees[i], Lat: degrees[i+1]})
	}
	return line
}

func somePayload() map[string]*qdrant.Value {
	return qdrant.NewValueMap(map[string]any{
		"s": "text", "i": 3, "d": 1.5, "b": true, "n": nil, "o": map[string]any{"x": 1}, "l": []any{1, "two"},
	})
}

func ids() *qdrant.PointsSelector { return qdrant.NewPointsSelector(qdrant.NewIDNum(1)) }

func addWrites(add func(string, ...proto.Message)) {
	named := qdrant.NewVectorsMap(map[string]*qdrant.Vector{"v": qdrant.NewVectorDense([]float32{1, 2})})
	bare := &qdrant.Vectors{VectorsOptions: &qdrant.Vectors_Vector{Vector: &qdrant.Vector{Data: []float32{1, 2}}}}
	others := qdrant.NewVectorsMap(map[string]*qdrant.Vector{
		"s": qdrant.NewVectorSparse([]uint32{3, 1}, []float32{1, 2}), "m": qdrant.NewVectorMulti([][]float32{{1, 2}, {3, 4}}),
	})
	older := qdrant.NewVectorsMap(map[string]*qdrant.Vector{
		"s": {Data: []float32{1, 2}, Indices: &qdrant.SparseIndices{Data: []uint32{3, 1}}}, "m": {Data: []float32{1, 2, 3, 4}, VectorsCount: new(uint32(2))},
	})
	points := []*qdrant.PointStruct{
		{Id: qdrant.NewIDNum(7), Vectors: named, Payload: somePayload()}, {Id: qdrant.NewIDNum(8), Vectors: bare},
		{Id: qdrant.NewIDNum(9), Vectors: others}, {Id: qdrant.NewIDNum(10), Vectors: older},
	}
	vectors := []*qdrant.PointVectors{{Id: qdrant.NewIDNum(1), Vectors: bare}}
	names := &qdrant.VectorsSelector{Names: []string{"v"}}
	add("Points.Upsert", &qdrant.UpsertPoints{CollectionName: "c", Points: points, Ordering: &qdrant.WriteOrdering{}})
	add("Points.UpdateVectors", &qdrant.UpdatePointVectors{CollectionName: "c", Points: vectors})
	add("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()})
	for _, f := range someFilters() {
		add("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: qdrant.NewPointsSelectorFilter(f)})
	}
	add("Points.DeleteVectors", &qdrant.DeletePointVectors{CollectionName: "c", PointsSelector: ids(), Vectors: names})
	add("Points.SetPayload", &qdrant.SetPayloadPoints{CollectionName: "c", PointsSelector: ids(), Payload: somePayload()})
	add("Points.OverwritePayload", &qdrant.SetPayloadPoints{CollectionName: "c", PointsSelector: ids(), Payload: somePayload()})
	add("Points.DeletePayload", &qdrant.DeletePayloadPoints{CollectionName: "c", PointsSelector: ids(), Keys: []string{"k"}})
	add("Points.ClearPayload", &qdrant.ClearPayloadPoints{CollectionName: "c", Points: ids()})
	selected := &qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{word}, Fallback: qdrant.NewShardKeyNum(7)}
	add("Points.Upsert", &qdrant.UpsertPoints{CollectionName: "k", Points: points[1:2], ShardKeySelector: selected})
	for _, op := range []*qdrant.PointsUpdateOperation{
		{Operation: &qdrant.PointsUpdateOperation_Upsert{Upsert: &qdrant.PointsUpdateOperation_PointStructList{Points: points}}},
		{Operation: &qdrant.PointsUpdateOperation_DeleteDeprecated{DeleteDeprecated: ids()}},
		{Operation: &qdrant.PointsUpdateOperation_ClearPayloadDeprecated{ClearPayloadDeprecated: ids()}},
		{Operation: &qdrant.PointsUpdateOperation_SetPayload_{SetPayload: &qdrant.PointsUpdateOperation_SetPayload{PointsSelector: ids(), Payload: somePayload()}}},
		{Operation: &qdrant.PointsUpdateOperation_OverwritePayload_{OverwritePayload: &qdrant.PointsUpdateOperation_OverwritePayload{PointsSelector: ids(), Payload: somePayload()}}},
		{Operation: &qdrant.PointsUpdateOperation_DeletePayload_{DeletePayload: &qdrant.PointsUpdateOperation_DeletePayload{PointsSelector: ids(), Keys: []string{"k"}}}},
		{Operation: &qdrant.PointsUpdateOperation_UpdateVectors_{UpdateVectors: &qdrant.PointsUpdateOperation_UpdateVectors{Points: vectors}}},
		{Operation: &qdrant.PointsUpdateOperation_DeleteVectors_{DeleteVectors: &qdrant.PointsUpdateOperation_DeleteVectors{PointsSelector: ids(), Vectors: names}}},
		{Operation: &qdrant.PointsUpdateOperation_DeletePoints_{DeletePoints: &qdrant.PointsUpdateOperation_DeletePoints{Points: ids()}}},
		{Operation: &qdrant.PointsUpdateOperation_ClearPayload_{ClearPayload: &qdrant.PointsUpdateOperation_ClearPayload{Points: ids()}}},
	} {
		add("Points.UpdateBatch", &qdrant.UpdateBatchPoints{CollectionName: "c", Operations: []*qdrant.PointsUpdateOperation{op}})
	}
}

func addReads(add func(string, ...proto.Message)) {
	params := &qdrant.SearchParams{HnswEf: new(uint64(9)), Quantization: &qdrant.QuantizationSearchParams{Oversampling: new(2.0)}, Acorn: &qdrant.AcornSearchParams{}}
	one := &qdrant.ReadConsistency{Value: &qdrant.ReadConsistency_Factor{Factor: 1}}
	include, exclude := qdrant.NewWithPayloadInclude("s"), qdrant.NewWithPayloadExclude("s")
	names := qdrant.NewWithVectorsInclude("v")
	search := &qdrant.SearchPoints{CollectionName: "c", Vector: []float32{1, 2}, Limit: 3, Params: params, Filter: someFilters()[1]}
	nearest := &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQuery(1, 2), Params: params, Filter: someFilters()[1]}
	add("Points.Get", &qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewIDNum(1)}, WithPayload: include, WithVectors: names},
		&qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewIDNum(1)}, WithPayload: exclude, ReadConsistency: one},
		&qdrant.GetPoints{CollectionName: "c", WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(true)})
	add("Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c", Offset: qdrant.NewIDNum(1)})
	add("Points.Count", &qdrant.CountPoints{CollectionName: "c"})
	add("Points.Count", &qdrant.CountPoints{CollectionName: "k", ShardKeySelector: &qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{qdrant.NewShardKeyNum(7)}}})
	add("Points.Facet", &qdrant.FacetCounts{CollectionName: "c", Key: "s", Filter: someFilters()[0]})
	add("Points.Search", search, &qdrant.SearchPoints{
		CollectionName: "c", Vector: []float32{1, 2}, SparseIndices: &qdrant.SparseIndices{Data: []uint32{3, 1}}, VectorName: new("s"), Limit: 3,
	})
	add("Points.Query", &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQuerySparse([]uint32{3, 1}, []float32{1, 2}), Using: new("s")},
		&qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryMulti([][]float32{{1, 2}, {3, 4}}), Using: new("m")})
	add("Points.SearchBatch", &qdrant.SearchBatchPoints{CollectionName: "c", SearchPoints: []*qdrant.SearchPoints{search}})
	add("Points.Query", nearest, &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryID(qdrant.NewIDNum(1))},
		&qdrant.QueryPoints{CollectionName: "c"}, &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQuerySample(qdrant.Sample_Random)})
	for _, from := range []*qdrant.StartFrom{
		qdrant.NewStartFromInt(1), qdrant.NewStartFromFloat(1.5), qdrant.NewStartFromTimestamp(5, 1000), qdrant.NewStartFromDatetime("2024-01-01"),
	} {
		order := &qdrant.OrderBy{Key: "i", StartFrom: from}
		add("Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c", OrderBy: order})
		add("Points.Query", &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryOrderBy(order)})
	}
	prefetch := &qdrant.PrefetchQuery{
		Query: qdrant.NewQuery(1, 2), Params: params, Filter: someFilters()[1], Using: new("v"),
		Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2)}},
	}
	add("Points.Query", &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF), Prefetch: []*qdrant.PrefetchQuery{prefetch}},
		&qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryRRF(&qdrant.Rrf{}), Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2)}}})
	recommend := &qdrant.RecommendInput{Positive: []*qdrant.VectorInput{qdrant.NewVectorInput(5, 1), qdrant.NewVectorInputID(qdrant.NewIDNum(1))}, Negative: []*qdrant.VectorInput{qdrant.NewVectorInput(0, 2), qdrant.NewVectorInput(1, 0)}}
	add("Points.Query", &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryRecommend(recommend)})
	pairs := []*qdrant.ContextInputPair{{Positive: qdrant.NewVectorInput(5, 1), Negative: qdrant.NewVectorInput(1, 3)}}
	add("Points.Query", &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryContext(&qdrant.ContextInput{Pairs: pairs})},
		&qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryDiscover(&qdrant.DiscoverInput{Target: qdrant.NewVectorInput(5, 1), Context: &qdrant.ContextInput{Pairs: pairs}})})
	ofVector := func(v ...float32) *qdrant.VectorExample {
		return &qdrant.VectorExample{Example: &qdrant.VectorExample_Vector{Vector: qdrant.NewVector(v...)}}
	}
	discover := &qdrant.DiscoverPoints{
		CollectionName: "c", Limit: 3, Params: params, Target: &qdrant.TargetVector{Target: &qdrant.TargetVector_Single{Single: ofVector(1, 2)}},
		Context: []*qdrant.ContextExamplePair{{Positive: ofVector(5, 1), Negative: ofVector(1, 3)}},
	}
	add("Points.Discover", discover)
	add("Points.DiscoverBatch", &qdrant.DiscoverBatchPoints{CollectionName: "c", DiscoverPoints: []*qdrant.DiscoverPoints{discover}})
	vectors := []*qdrant.Vector{qdrant.NewVector(5, 2), qdrant.NewVector(1, 0)}
	one1 := []*qdrant.PointId{qdrant.NewIDNum(1)}
	older := &qdrant.RecommendPoints{CollectionName: "c", Positive: one1, Negative: one1, PositiveVectors: vectors, NegativeVectors: vectors, Limit: 3, Params: params, Filter: someFilters()[1]}
	add("Points.Recommend", older)
	add("Points.RecommendBatch", &qdrant.RecommendBatchPoints{CollectionName: "c", RecommendPoints: []*qdrant.RecommendPoints{older}})
	add("Points.RecommendGroups", &qdrant.RecommendPointGroups{
		CollectionName: "c", Positive: one1, Negative: one1, PositiveVectors: vectors, NegativeVectors: vectors, Limit: 3, GroupSize: 2, GroupBy: "s", Params: params,
	})
	add("Points.RecommendGroups", &qdrant.RecommendPointGroups{CollectionName: "c", PositiveVectors: vectors, Limit: 3, GroupSize: 2, GroupBy: "s"})
	add("Points.SearchGroups", &qdrant.SearchPointGroups{CollectionName: "c", Vector: []float32{1, 2}, Limit: 3, GroupSize: 2, GroupBy: "s", Params: params},
		&qdrant.SearchPointGroups{CollectionName: "c", Vector: []float32{1, 2}, SparseIndices: &qdrant.SparseIndices{Data: []uint32{3, 1}}, VectorName: new("s"), Limit: 3, GroupSize: 2, GroupBy: "s"})
	add("Points.QueryGroups", &qdrant.QueryPointGroups{CollectionName: "c", Query: qdrant.NewQuery(1, 2), GroupBy: "s", Params: params, Filter: someFilters()[1]},
		&qdrant.QueryPointGroups{CollectionName: "c", Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF), GroupBy: "s", Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2)}}})
	add("Points.QueryBatch", &qdrant.QueryBatchPoints{CollectionName: "c", QueryPoints: []*qdrant.QueryPoints{nearest}})
}

func addFields(add func(string, ...proto.Message)) {
	yes := new(true)
	for _, params := range []*qdrant.PayloadIndexParams{
		qdrant.NewPayloadIndexParamsKeyword(&qdrant.KeywordIndexParams{IsTenant: yes, Prefix: &qdrant.KeywordPrefixParams{}}),
		qdrant.NewPayloadIndexParamsInt(&qdrant.IntegerIndexParams{Range: yes}),
		qdrant.NewPayloadIndexParamsFloat(&qdrant.FloatIndexParams{}), qdrant.NewPayloadIndexParamsGeo(&qdrant.GeoIndexParams{}),
		qdrant.NewPayloadIndexParamsText(&qdrant.TextIndexParams{
			Tokenizer: qdrant.TokenizerType_Word, Stopwords: &qdrant.StopwordsSet{Custom: []string{"the"}},
			Stemmer: &qdrant.StemmingAlgorithm{StemmingParams: &qdrant.StemmingAlgorithm_Disabled{Disabled: &qdrant.DisabledStemmer{}}},
		}),
		qdrant.NewPayloadIndexParamsText(&qdrant.TextIndexParams{
			Tokenizer: qdrant.TokenizerType_Word, Stopwords: &qdrant.StopwordsSet{Languages: []string{"english"}}, Stemmer: snowball("english"),
		}),
		qdrant.NewPayloadIndexParamsBool(&qdrant.BoolIndexParams{}), qdrant.NewPayloadIndexParamsDatetime(&qdrant.DatetimeIndexParams{}),
		qdrant.NewPayloadIndexParamsUUID(&qdrant.UuidIndexParams{}),
	} {
		add("Points.CreateFieldIndex", &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "k", FieldIndexParams: params})
	}
	add("Points.CreateFieldIndex", &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "k", FieldType: qdrant.PtrOf(qdrant.FieldType_FieldTypeInteger)})
	dense := &qdrant.DenseVectorCreationConfig{Size: 3, Distance: qdrant.Distance_Dot, Datatype: new(qdrant.Datatype_Float32), MultivectorConfig: &qdrant.MultiVectorConfig{}}
	words := &qdrant.SparseVectorCreationConfig{Modifier: new(qdrant.Modifier_None), Datatype: new(qdrant.Datatype_Float32)}
	add("Points.CreateVectorName",
		&qdrant.CreateVectorNameRequest{CollectionName: "c", VectorName: "k", VectorConfig: &qdrant.CreateVectorNameRequest_DenseConfig{DenseConfig: dense}},
		&qdrant.CreateVectorNameRequest{CollectionName: "c", VectorName: "k", VectorConfig: &qdrant.CreateVectorNameRequest_SparseConfig{SparseConfig: words}})
	add("Points.DeleteVectorName", &qdrant.DeleteVectorNameRequest{CollectionName: "c", VectorName: "v"}, &qdrant.DeleteVectorNameRequest{CollectionName: "c", VectorName: "s"})
	add("Points.DeleteFieldIndex", &qdrant.DeleteFieldIndexCollection{CollectionName: "c", FieldName: "k"})
}

func addCollections(add func(string, ...proto.Message)) {
	params := func() *qdrant.VectorParams {
		return &qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Dot, HnswConfig: &qdrant.HnswConfigDiff{M: new(uint64(5))}}
	}
	threads := &qdrant.MaxOptimizationThreads{Variant: &qdrant.MaxOptimizationThreads_Value{Value: 3}}
	quantized := qdrant.NewQuantizationScalar(&qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8, Quantile: new(float32(0.9))})
	quantizedDiff := &qdrant.QuantizationConfigDiff{Quantization: &qdrant.QuantizationConfigDiff_Scalar{Scalar: quantized.GetScalar()}}
	disabled := &qdrant.QuantizationConfigDiff{Quantization: &qdrant.QuantizationConfigDiff_Disabled{Disabled: &qdrant.Disabled{}}}
	diff := &qdrant.VectorParamsDiff{HnswConfig: &qdrant.HnswConfigDiff{M: new(uint64(6))}}
	add("Collections.Create", &qdrant.CreateCollection{CollectionName: "new", VectorsConfig: qdrant.NewVectorsConfig(params()), QuantizationConfig: quantized})
	sparse := qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {
		Index: &qdrant.SparseIndexConfig{FullScanThreshold: new(uint64(5)), OnDisk: new(true), Datatype: new(qdrant.Datatype_Float32)}, Modifier: new(qdrant.Modifier_None),
	}})
	add("Collections.Create", &qdrant.CreateCollection{CollectionName: "new", SparseVectorsConfig: sparse, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{
		Size: 4, Distance: qdrant.Distance_Dot, Datatype: new(qdrant.Datatype_Float32), MultivectorConfig: &qdrant.MultiVectorConfig{},
	})})
	add("Collections.Update", &qdrant.UpdateCollection{CollectionName: "c", SparseVectorsConfig: sparse})
	product := qdrant.NewQuantizationProduct(&qdrant.ProductQuantization{Compression: qdrant.CompressionRatio_x16})
	encoding := &qdrant.BinaryQuantizationQueryEncoding{Variant: &qdrant.BinaryQuantizationQueryEncoding_Setting_{Setting: qdrant.BinaryQuantizationQueryEncoding_Scalar8Bits}}
	binary := qdrant.NewQuantizationBinary(&qdrant.BinaryQuantization{Encoding: qdrant.BinaryQuantizationEncoding_TwoBits.Enum(), QueryEncoding: encoding})
	for _, q := range []*qdrant.QuantizationConfig{product, binary} {
		add("Collections.Create", &qdrant.CreateCollection{CollectionName: "new", VectorsConfig: qdrant.NewVectorsConfig(params()), QuantizationConfig: q})
	}
	productDiff := &qdrant.QuantizationConfigDiff{Quantization: &qdrant.QuantizationConfigDiff_Product{Product: product.GetProduct()}}
	binaryDiff := &qdrant.QuantizationConfigDiff{Quantization: &qdrant.QuantizationConfigDiff_Binary{Binary: binary.GetBinary()}}
	for _, q := range []*qdrant.QuantizationConfigDiff{quantizedDiff, disabled, productDiff, binaryDiff} {
		add("Collections.Update", &qdrant.UpdateCollection{
			CollectionName: "c", QuantizationConfig: q, VectorsConfig: qdrant.NewVectorsConfigDiff(&qdrant.VectorParamsDiff{QuantizationConfig: q}),
		})
	}
	add("Collections.Create", &qdrant.CreateCollection{
		CollectionName: "new", VectorsConfig: qdrant.NewVectorsConfig(params()), HnswConfig: &qdrant.HnswConfigDiff{},
		WalConfig: &qdrant.WalConfigDiff{}, OptimizersConfig: &qdrant.OptimizersConfigDiff{MaxOptimizationThreads: threads},
		SparseVectorsConfig: &qdrant.SparseVectorConfig{}, ReplicationFactor: new(uint32(2)), OnDiskPayload: new(true), Metadata: somePayload(),
	}, &qdrant.CreateCollection{CollectionName: "new", VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"x": params()})})
	add("Collections.Update", &qdrant.UpdateCollection{
		CollectionName: "c", OptimizersConfig: &qdrant.OptimizersConfigDiff{}, HnswConfig: &qdrant.HnswConfigDiff{}, Metadata: somePayload(),
		Params:        &qdrant.CollectionParamsDiff{ReplicationFactor: new(uint32(3)), OnDiskPayload: new(true)},
		VectorsConfig: qdrant.NewVectorsConfigDiff(diff),
	}, &qdrant.UpdateCollection{CollectionName: "c", VectorsConfig: qdrant.NewVectorsConfigDiffMap(map[string]*qdrant.VectorParamsDiff{"v": diff})})
	strict := &qdrant.StrictModeConfig{
		SearchMaxOversampling: new(float32(2)), MaxQueryLimit: new(uint32(5)),
		MultivectorConfig: &qdrant.StrictModeMultivectorConfig{MultivectorConfig: map[string]*qdrant.StrictModeMultivector{"": {MaxVectors: new(uint64(3))}}},
		SparseConfig:      &qdrant.StrictModeSparseConfig{SparseConfig: map[string]*qdrant.StrictModeSparse{"s": {MaxLength: new(uint64(3))}}},
	}
	add("Collections.Create", &qdrant.CreateCollection{
		CollectionName: "new", SparseVectorsConfig: sparse, StrictModeConfig: strict,
		VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Dot, MultivectorConfig: &qdrant.MultiVectorConfig{}}),
	})
	add("Collections.Update", &qdrant.UpdateCollection{CollectionName: "c", StrictModeConfig: &qdrant.StrictModeConfig{Enabled: new(false)}})
	add("Collections.Delete", &qdrant.DeleteCollection{CollectionName: "c"})
	add("Collections.Get", &qdrant.GetCollectionInfoRequest{CollectionName: "c"})
	add("Collections.List", &qdrant.ListCollectionsRequest{})
	add("Collections.CollectionExists", &qdrant.CollectionExistsRequest{CollectionName: "c"})
	add("Collections.CollectionClusterInfo", &qdrant.CollectionClusterInfoRequest{CollectionName: "c"})
	add("Collections.ListShardKeys", &qdrant.ListShardKeysRequest{CollectionName: "c"}, &qdrant.ListShardKeysRequest{CollectionName: "k"})
	add("Collections.CreateShardKey", &qdrant.CreateShardKeyRequest{CollectionName: "k", Request: &qdrant.CreateShardKey{
		ShardKey: qdrant.NewShardKeyKeyword("new"), Placement: []uint64{uint64(self)},
	}})
	add("Collections.DeleteShardKey", &qdrant.DeleteShardKeyRequest{CollectionName: "k", Request: &qdrant.DeleteShardKey{ShardKey: word}})
	addSetup(add)
	add("Collections.ListAliases", &qdrant.ListAliasesRequest{})
	add("Collections.ListCollectionAliases", &qdrant.ListCollectionAliasesRequest{CollectionName: "c"})
	add("Collections.UpdateAliases", &qdrant.ChangeAliases{Actions: []*qdrant.AliasOperations{
		{Action: &qdrant.AliasOperations_CreateAlias{CreateAlias: &qdrant.CreateAlias{CollectionName: "c", AliasName: "n"}}},
		{Action: &qdrant.AliasOperations_RenameAlias{RenameAlias: &qdrant.RenameAlias{OldAliasName: "n", NewAliasName: "m"}}},
		{Action: &qdrant.AliasOperations_DeleteAlias{DeleteAlias: &qdrant.DeleteAlias{AliasName: "m"}}},
	}})
	add("Qdrant.HealthCheck", &qdrant.HealthCheckRequest{})
}

// addSetup knows what halfWay began.
func addSetup(add func(string, ...proto.Message)) {
	a, b, c := uint64(self), uint64(other), uint64(third)
	for _, operation := range []any{
		&qdrant.CreateShardKey{ShardKey: qdrant.NewShardKeyNum(9)}, &qdrant.DeleteShardKey{ShardKey: word},
		&qdrant.ReplicatePoints{FromShardKey: word, ToShardKey: filling, Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("k", 1)}}},
		&qdrant.MoveShard{FromPeerId: a, ToPeerId: c}, &qdrant.ReplicateShard{FromPeerId: b, ToPeerId: c}, &qdrant.Replica{PeerId: b},
		&qdrant.AbortShardTransfer{ShardId: 1, FromPeerId: b, ToPeerId: c}, &qdrant.RestartTransfer{ShardId: 1, FromPeerId: b, ToPeerId: c},
	} {
		request := setupOf(operation)
		request.CollectionName = "c"
		switch operation.(type) {
		case *qdrant.CreateShardKey, *qdrant.DeleteShardKey:
			request.CollectionName = "k"
		case *qdrant.ReplicatePoints:
			request.CollectionName = "f"
		}
		add("Collections.UpdateCollectionClusterSetup", request)
	}
}

// prepared is a cluster with a collection "c" of an unnamed vector, "v" and "w", and a point 1.
func prepared(t testing.TB) *local {
	l := newLocal(t)
	vectors := map[string]*qdrant.VectorParams{}
	for _, name := range []string{"", "v", "w"} {
		vectors[name] = &qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Dot}
	}
	vectors["m"] = &qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Dot, MultivectorConfig: &qdrant.MultiVectorConfig{}}
	l.must("Collections.Create", &qdrant.CreateCollection{
		CollectionName: "c", VectorsConfig: qdrant.NewVectorsConfigMap(vectors), ReplicationFactor: new(uint32(2)),
		SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}}),
	})
	l.must("Points.Upsert", &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{
		Id: qdrant.NewIDNum(1), Payload: somePayload(), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{
			"": qdrant.NewVectorDense([]float32{1, 2}), "v": qdrant.NewVectorDense([]float32{1, 2}),
		}),
	}}})
	l.halfWay()
	l.must("Collections.Create", &qdrant.CreateCollection{
		CollectionName: "k", ShardingMethod: qdrant.ShardingMethod_Custom.Enum(), VectorsConfig: qdrant.NewVectorsConfigMap(vectors),
	})
	for _, key := range []*qdrant.ShardKey{word, qdrant.NewShardKeyNum(7), qdrant.NewShardKeyNum(14)} {
		l.must("Collections.CreateShardKey", &qdrant.CreateShardKeyRequest{CollectionName: "k", Request: &qdrant.CreateShardKey{ShardKey: key}})
	}
	l.must("Collections.Create", &qdrant.CreateCollection{CollectionName: "f", ShardingMethod: qdrant.ShardingMethod_Custom.Enum()})
	l.must("Collections.CreateShardKey", &qdrant.CreateShardKeyRequest{CollectionName: "f", Request: &qdrant.CreateShardKey{ShardKey: word}})
	l.must("Collections.CreateShardKey", &qdrant.CreateShardKeyRequest{CollectionName: "f", Request: &qdrant.CreateShardKey{
		ShardKey: filling, InitialState: qdrant.ReplicaState_Partial.Enum(),
	}})
	l.taken()
	return l
}

// word is a shard key, and filling one of the collection "f" that is to be filled.
var word, filling = qdrant.NewShardKeyKeyword("eu"), qdrant.NewShardKeyKeyword("filling")

// halfWay adds a third peer, and lets one more copy of shard 1 of "c" be made there, by hand.
func (l *local) halfWay() {
	l.t.Helper()
	found, _ := l.State().Lookup("c")
	ref, version := catalog.ShardRef{Collection: found.ID, Shard: 1}, found.Shards[1].Version
	for _, cmd := range []catalog.Command{
		{RegisterPeer: &catalog.Peer{ID: third, Name: "c", PeerAddr: "c:1"}},
		{PlaceShard: &catalog.PlaceShard{Ref: ref, Version: version, To: third}},
		{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: version + 1, AddReplica: new(third)}},
	} {
		if _, err := l.cluster.Propose(l.t.Context(), cmd); err != nil {
			l.t.Fatal(err)
		}
	}
}

// outcome is all that a request did and answered.
type outcome struct {
	err      error
	calls    []any
	state    *catalog.State
	response proto.Message
}

func observe(t *testing.T, method string, request proto.Message) outcome {
	l := prepared(t)
	response, err := l.try(method, request)
	if response != nil {
		if f := response.ProtoReflect().Descriptor().Fields().ByName("time"); f != nil {
			response.ProtoReflect().Clear(f)
		}
	}
	return outcome{err: err, calls: l.taken(), state: l.State(), response: response}
}

func (o outcome) same(p outcome) bool {
	return reflect.DeepEqual(o.calls, p.calls) && reflect.DeepEqual(o.state, p.state) && proto.Equal(o.response, p.response)
}

// verdicts of a field over all of its changes.
type verdict struct{ honoured, ignored, unimplemented, invalid int }

func TestNoFieldIsSilentlyIgnored(t *testing.T) {
	verdicts := map[protoreflect.FullName]*verdict{}
	reachable := map[protoreflect.FullName]bool{}
	for method, requests := range examples() {
		for _, request := range requests {
			base := observe(t, method, request)
			if base.err != nil {
				t.Errorf("%s(%v): %v", method, request, base.err)
				continue
			}
			reach(request.ProtoReflect().Descriptor(), reachable)
			eachChange(request, func(field protoreflect.FieldDescriptor, changed proto.Message) {
				v := verdicts[field.FullName()]
				if v == nil {
					v = &verdict{}
					verdicts[field.FullName()] = v
				}
				got := observe(t, method, changed)
				switch {
				case status.Code(got.err) == codes.Unimplemented:
					v.unimplemented++
				case got.err != nil:
					v.invalid++
				case base.same(got):
					v.ignored++
				default:
					v.honoured++
				}
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(reachable)) {
		judge(t, name, verdicts[name])
	}
	for name := range without {
		if !reachable[name] {
			t.Errorf("%s is excused and no accepted request can hold it", name)
		}
	}
}

func judge(t *testing.T, name protoreflect.FullName, v *verdict) {
	t.Helper()
	_, refused := api.NotBuilt()[name]
	_, excused := without[name]
	switch {
	case v == nil:
		t.Errorf("%s: no example holds a message with this field", name)
	case refused && (v.unimplemented == 0 || v.honoured+v.ignored+v.invalid > 0):
		t.Errorf("%s is to be refused as not built: %+v", name, *v)
	case refused || (excused && v.ignored > 0):
	case excused:
		t.Errorf("%s is excused and not ignored: %+v", name, *v)
	case v.honoured+v.unimplemented+v.invalid == 0:
		t.Errorf("%s makes no difference: %+v", name, *v)
	}
}

// reach collects the fields of all messages that an accepted request of a type can hold.
func reach(m protoreflect.MessageDescriptor, into map[protoreflect.FullName]bool) {
	for i := range m.Fields().Len() {
		field := m.Fields().Get(i)
		if into[field.FullName()] {
			continue
		}
		into[field.FullName()] = true
		child := field.Message()
		if field.IsMap() {
			child = field.MapValue().Message()
		}
		if _, refused := api.NotBuilt()[field.FullName()]; child != nil && !refused {
			reach(child, into)
		}
	}
}

// eachChange visits every message in a request and changes each of its fields in turn, on a copy of the request.
func eachChange(request proto.Message, visit func(protoreflect.FieldDescriptor, proto.Message)) {
	places := 0
	walk(request.ProtoReflect(), func(protoreflect.Message) { places++ })
	for place := range places {
		for i := 0; ; i++ {
			changed := proto.Clone(request)
			var field protoreflect.FieldDescriptor
			at := 0
			walk(changed.ProtoReflect(), func(m protoreflect.Message) {
				if at == place && i < m.Descriptor().Fields().Len() {
					field = m.Descriptor().Fields().Get(i)
					change(m, field)
				}
				at++
			})
			if field == nil {
				break
			}
			visit(field, changed)
		}
	}
}

// walk visits messages in an order that depends on the message alone. Messages are listed first: visit may change them.
func walk(m protoreflect.Message, visit func(protoreflect.Message)) {
	var list []protoreflect.Message
	var collect func(protoreflect.Message)
	collect = func(m protoreflect.Message) {
		list = append(list, m)
		for i := range m.Descriptor().Fields().Len() {
			for _, child := range children(m, m.Descriptor().Fields().Get(i)) {
				collect(child)
			}
		}
	}
	collect(m)
	for _, m := range list {
		visit(m)
	}
}

func children(m protoreflect.Message, f protoreflect.FieldDescriptor) (out []protoreflect.Message) {
	switch {
	case !m.Has(f):
	case f.IsMap():
		if f.MapValue().Message() == nil {
			return nil
		}
		byKey := map[string]protoreflect.Message{}
		m.Get(f).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			byKey[k.String()] = v.Message()
			return true
		})
		for _, k := range slices.Sorted(maps.Keys(byKey)) {
			out = append(out, byKey[k])
		}
	case f.Message() == nil:
	case f.IsList():
		for i := range m.Get(f).List().Len() {
			out = append(out, m.Get(f).List().Get(i).Message())
		}
	default:
		out = append(out, m.Get(f).Message())
	}
	return out
}

// change gives a field another value that is not its zero.
func change(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	switch {
	case f.IsMap():
		// An entry with a name that means something where names must.
		m.Mutable(f).Map().Set(protoreflect.ValueOfString("w").MapKey(), filled(m.NewField(f).Map().NewValue(), f.MapValue()))
	case f.IsList() && f.Message() != nil:
		list := m.Mutable(f).List()
		if list.Len() > 0 {
			list.Append(protoreflect.ValueOfMessage(proto.Clone(list.Get(0).Message().Interface()).ProtoReflect()))
			return
		}
		list.Append(list.NewElement())
	case f.IsList():
		m.Mutable(f).List().Append(scalar(m.NewField(f).List().NewElement(), f))
	case f.Message() != nil:
		if m.Has(f) {
			m.Clear(f)
			return
		}
		m.Set(f, filled(m.NewField(f), f))
	default:
		m.Set(f, scalar(m.Get(f), f))
	}
}

// fillers are values for messages that mean nothing, or are invalid, when they are empty.
var fillers = map[protoreflect.FullName]proto.Message{
	"qdrant.Vector":                 qdrant.NewVectorDense([]float32{5, 6}),
	"qdrant.Vectors":                qdrant.NewVectorsDense([]float32{5, 6}),
	"qdrant.VectorParams":           &qdrant.VectorParams{Size: 3, Distance: qdrant.Distance_Euclid},
	"qdrant.VectorParamsDiff":       &qdrant.VectorParamsDiff{OnDisk: new(true)},
	"qdrant.PointId":                qdrant.NewIDNum(77),
	"qdrant.Filter":                 &qdrant.Filter{},
	"qdrant.ShardKey":               qdrant.NewShardKeyNum(14),
	"qdrant.ShardKeySelector":       &qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{qdrant.NewShardKeyNum(14)}},
	"qdrant.WithPayloadSelector":    qdrant.NewWithPayloadInclude("i"),
	"qdrant.SparseVectorConfig":     qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}}),
	"qdrant.WithVectorsSelector":    qdrant.NewWithVectors(true),
	"qdrant.HnswConfigDiff":         &qdrant.HnswConfigDiff{M: new(uint64(11))},
	"qdrant.OptimizersConfigDiff":   &qdrant.OptimizersConfigDiff{FlushIntervalSec: new(uint64(11))},
	"qdrant.WalConfigDiff":          &qdrant.WalConfigDiff{WalCapacityMb: new(uint64(11))},
	"qdrant.CollectionParamsDiff":   &qdrant.CollectionParamsDiff{ReplicationFactor: new(uint32(4))},
	"qdrant.MaxOptimizationThreads": &qdrant.MaxOptimizationThreads{Variant: &qdrant.MaxOptimizationThreads_Value{Value: 2}},
	"qdrant.SearchParams":           &qdrant.SearchParams{Exact: new(true)},
	"qdrant.ReadConsistency":        &qdrant.ReadConsistency{Value: &qdrant.ReadConsistency_Factor{Factor: 2}},
	"qdrant.StrictModeMultivector":  &qdrant.StrictModeMultivector{MaxVectors: new(uint64(2))},
	"qdrant.StrictModeSparse":       &qdrant.StrictModeSparse{MaxLength: new(uint64(2))},
	"qdrant.Value":                  qdrant.NewValueString("filled"),
}

func filled(empty protoreflect.Value, f protoreflect.FieldDescriptor) protoreflect.Value {
	if f.Message() == nil {
		return scalar(empty, f)
	}
	if m, ok := fillers[f.Message().FullName()]; ok && m != nil {
		return protoreflect.ValueOfMessage(proto.Clone(m).ProtoReflect())
	}
	return empty
}

func scalar(old protoreflect.Value, f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!old.Bool())
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum((old.Enum() + 1) % protoreflect.EnumNumber(f.Enum().Values().Len()))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text(old.String(), f))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(old.Uint() + 7))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(old.Uint() + 7)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(old.Int() + 1))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(old.Int() + 1)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(old.Float() + 0.5))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(old.Float() + 0.25)
	default:
		panic(fmt.Sprintf("%s has kind %s", f.FullName(), f.Kind()))
	}
}

// text is another text that can stand where the old one stood.
func text(old string, f protoreflect.FieldDescriptor) string {
	switch name := string(f.Name()); {
	case strings.HasSuffix(name, "collection_name") && old == "new":
		return "newer"
	case name == "uuid":
		return "00000000-0000-4000-8000-000000000001"
	case name == "using" || name == "vector_name" || (name == "names" && old == ""):
		return "w"
	case name == "old_alias_name":
		return "missing"
	}
	return old + "x"
}
