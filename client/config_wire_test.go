package client_test

import (
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func optional[T any](t *rapid.T, label string, g *rapid.Generator[T]) *T {
	if !rapid.Bool().Draw(t, "has "+label) {
		return nil
	}
	v := g.Draw(t, label)
	return &v
}

func drawIndex(t *rapid.T) client.FieldIndex {
	f := client.FieldIndex{
		Kind: rapid.SampledFrom([]client.IndexKind{
			client.KeywordIndex, client.IntegerIndex, client.FloatIndex, client.GeoIndex, client.TextIndexKind, client.BoolIndex,
			client.DatetimeIndex, client.UUIDIndex,
		}).Draw(t, "kind"),
		OnDisk: optional(t, "on disk", rapid.Bool()), EnableHNSW: optional(t, "hnsw", rapid.Bool()),
	}
	switch f.Kind {
	case client.KeywordIndex:
		f.Prefix, f.Tenant = rapid.Bool().Draw(t, "prefix"), optional(t, "tenant", rapid.Bool())
	case client.UUIDIndex:
		f.Tenant = optional(t, "tenant", rapid.Bool())
	case client.IntegerIndex:
		f.Lookup, f.Range = optional(t, "lookup", rapid.Bool()), optional(t, "range", rapid.Bool())
		f.Principal = optional(t, "principal", rapid.Bool())
	case client.FloatIndex, client.DatetimeIndex:
		f.Principal = optional(t, "principal", rapid.Bool())
	case client.TextIndexKind:
		f.Text = &client.TextIndex{
			Tokenizer: rapid.SampledFrom(client.Tokenizers()).Draw(t, "tokenizer"), Lowercase: optional(t, "lower", rapid.Bool()),
			MinTokenLen: optional(t, "min", rapid.Uint64()), MaxTokenLen: optional(t, "max", rapid.Uint64()),
			PhraseMatching: optional(t, "phrase", rapid.Bool()), ASCIIFolding: optional(t, "folding", rapid.Bool()),
			Stemmer: rapid.SampledFrom([]string{"", "english", client.StemmerDisabled}).Draw(t, "stemmer"),
		}
		if rapid.Bool().Draw(t, "stopwords") {
			f.Text.Stopwords, f.Text.CustomStopwords = []string{"german"}, []string{"foo", "bar"}
		}
	}
	return f
}

func TestIndexesComeBackFromTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawIndex(t)
		got, err := client.FieldIndexRoundTrip(f)
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Fatalf("got %+v, %v, want %+v", got, err, f)
		}
	})
	for _, bad := range []client.FieldIndex{{}, {Kind: "json"}, {Kind: client.TextIndexKind, Text: &client.TextIndex{Tokenizer: "Unknown"}}} {
		if _, err := client.FieldIndexRoundTrip(bad); client.ClassOf(err) != client.ClassInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestQuantizationComesBackFromTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := &client.Quantization{}
		ram := optional(t, "ram", rapid.Bool())
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			q.Scalar = &client.ScalarQuantization{Quantile: optional(t, "quantile", rapid.Float32Range(0.5, 1)), AlwaysRAM: ram}
		case 1:
			q.Product = &client.ProductQuantization{Compression: rapid.SampledFrom(client.Compressions()).Draw(t, "ratio"), AlwaysRAM: ram}
		case 2:
			q.Binary = &client.BinaryQuantization{
				Encoding:      rapid.SampledFrom(append(client.BinaryEncodings(), "")).Draw(t, "encoding"),
				QueryEncoding: rapid.SampledFrom(append(client.QueryEncodings(), "")).Draw(t, "query"), AlwaysRAM: ram,
			}
		}
		for _, update := range []bool{false, true} {
			if got, err := client.QuantizationRoundTrip(q, update); err != nil || !reflect.DeepEqual(got, q) {
				t.Fatalf("got %+v, %v, want %+v", got, err, q)
			}
		}
	})
	off, err := client.QuantizationRoundTrip(&client.Quantization{}, true)
	if err != nil || !reflect.DeepEqual(off, &client.Quantization{}) {
		t.Errorf("off: %+v, %v", off, err)
	}
	for _, bad := range []client.Quantization{
		{Product: &client.ProductQuantization{Compression: "x5"}}, {Binary: &client.BinaryQuantization{Encoding: "three"}},
		{Binary: &client.BinaryQuantization{QueryEncoding: "none"}},
	} {
		for _, update := range []bool{false, true} {
			if _, err := client.QuantizationRoundTrip(&bad, update); client.ClassOf(err) != client.ClassInvalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	}
}

func TestStrictModeComesBackFromTheWire(t *testing.T) {
	if got := client.StrictRoundTrip(nil); got != nil {
		t.Errorf("%+v came of nothing", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := &client.StrictMode{SearchMaxOversampling: optional(t, "oversampling", rapid.Float32Range(1, 100))}
		v := reflect.ValueOf(s).Elem()
		for i := range v.NumField() {
			switch name := v.Type().Field(i).Name; v.Field(i).Interface().(type) {
			case *bool:
				v.Field(i).Set(reflect.ValueOf(optional(t, name, rapid.Bool())))
			case *uint64:
				v.Field(i).Set(reflect.ValueOf(optional(t, name, rapid.Uint64Range(0, 1<<31))))
			case map[string]uint64:
				if rapid.Bool().Draw(t, name) {
					v.Field(i).Set(reflect.ValueOf(map[string]uint64{"": rapid.Uint64Range(0, 1<<40).Draw(t, "limit")}))
				}
			}
		}
		if got := client.StrictRoundTrip(s); !reflect.DeepEqual(got, s) {
			t.Fatalf("got %+v, want %+v", got, s)
		}
	})
	none := &client.StrictMode{
		SearchMaxOversampling: ptr(float32(client.NoOversamplingLimit)), MaxQueryLimit: ptr(uint64(client.NoLimit)), ReadRateLimit: ptr(uint64(1 << 40)),
		MaxPointsCount: ptr(uint64(client.NoLimit)), SparseMaxLength: map[string]uint64{"s": client.NoLimit}, MultivectorMaxVectors: map[string]uint64{},
	}
	if got := client.StrictRoundTrip(none); !reflect.DeepEqual(got, &client.StrictMode{}) {
		t.Errorf("limits that limit nothing: %+v", got)
	}
}

func TestSparseVectorsComeBackFromTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]client.SparseParams{"text": {
			Modifier:          rapid.SampledFrom([]string{"", "None", "Idf"}).Draw(t, "modifier"),
			FullScanThreshold: optional(t, "threshold", rapid.Uint64()), OnDisk: optional(t, "disk", rapid.Bool()),
			Datatype: rapid.SampledFrom([]client.Datatype{"", client.Float32, client.Float16, client.Uint8}).Draw(t, "type"),
		}}
		if got, err := client.SparseRoundTrip(want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
	for _, bad := range []client.SparseParams{{Modifier: "Log"}, {Datatype: "Float64"}} {
		if _, err := client.SparseRoundTrip(map[string]client.SparseParams{"x": bad}); client.ClassOf(err) != client.ClassInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestEverythingOfACollectionIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		scalar := &client.Quantization{Scalar: &client.ScalarQuantization{AlwaysRAM: ptr(true)}}
		err := c.CreateCollection(t.Context(), client.CollectionSpec{
			Name: "docs", CustomSharding: true, Quantization: scalar, Strict: &client.StrictMode{MaxTimeout: ptr(uint64(3))},
			Vectors: map[string]client.VectorParams{"v": {
				Size: 2, Distance: client.Dot, Datatype: client.Float16, MultiVector: true,
				Quantization: &client.Quantization{Product: &client.ProductQuantization{Compression: "x8"}},
			}},
			SparseVectors: map[string]client.SparseParams{"s": {Modifier: "Idf"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		wireScalar := &qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8, AlwaysRam: ptr(true)}
		expect(t, a.requests("qdrant.Collections/Create")[0].request, &qdrant.CreateCollection{
			CollectionName: "docs", ShardingMethod: qdrant.ShardingMethod_Custom.Enum(), QuantizationConfig: qdrant.NewQuantizationScalar(wireScalar),
			StrictModeConfig: &qdrant.StrictModeConfig{MaxTimeout: ptr(uint32(3))},
			VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"v": {
				Size: 2, Distance: qdrant.Distance_Dot, Datatype: qdrant.Datatype_Float16.Enum(), MultivectorConfig: &qdrant.MultiVectorConfig{},
				QuantizationConfig: qdrant.NewQuantizationProduct(&qdrant.ProductQuantization{Compression: qdrant.CompressionRatio_x8}),
			}}),
			SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {Modifier: qdrant.Modifier_Idf.Enum()}}),
		})
		err = c.UpdateCollection(t.Context(), "docs", client.CollectionUpdate{
			Quantization:  &client.Quantization{},
			Strict:        &client.StrictMode{Enabled: ptr(true), SparseMaxLength: map[string]uint64{}},
			Vectors:       map[string]client.VectorUpdate{"v": {Quantization: scalar}},
			SparseVectors: map[string]client.SparseParams{"s": {OnDisk: ptr(true)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, a.requests("qdrant.Collections/Update")[0].request, &qdrant.UpdateCollection{
			CollectionName: "docs", QuantizationConfig: qdrant.NewQuantizationDiffDisabled(),
			StrictModeConfig:    &qdrant.StrictModeConfig{Enabled: ptr(true), SparseConfig: &qdrant.StrictModeSparseConfig{}},
			VectorsConfig:       qdrant.NewVectorsConfigDiffMap(map[string]*qdrant.VectorParamsDiff{"v": {QuantizationConfig: qdrant.NewQuantizationDiffScalar(wireScalar)}}),
			SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {Index: &qdrant.SparseIndexConfig{OnDisk: ptr(true)}}}),
		})
	})
}

func TestChangesOfTheSchemaAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		ctx := t.Context()
		for method, call := range map[string]struct {
			do   func() error
			want proto.Message
		}{
			"CreateFieldIndex": {
				func() error {
					return c.CreateFieldIndex(ctx, "docs", "city", client.FieldIndex{Kind: client.KeywordIndex})
				},
				&qdrant.CreateFieldIndexCollection{CollectionName: "docs", FieldName: "city", Wait: ptr(true), FieldType: qdrant.FieldType_FieldTypeKeyword.Enum(),
					FieldIndexParams: qdrant.NewPayloadIndexParamsKeyword(&qdrant.KeywordIndexParams{})},
			},
			"DeleteFieldIndex": {
				func() error { return c.DeleteFieldIndex(ctx, "docs", "city") },
				&qdrant.DeleteFieldIndexCollection{CollectionName: "docs", FieldName: "city", Wait: ptr(true)},
			},
			"DeleteVectorName": {
				func() error { return c.DeleteVector(ctx, "docs", "v") },
				&qdrant.DeleteVectorNameRequest{CollectionName: "docs", VectorName: "v", Wait: ptr(true)},
			},
		} {
			if err := call.do(); err != nil {
				t.Fatalf("%s: %v", method, err)
			}
			expect(t, a.requests("qdrant.Points/" + method)[0].request, call.want)
		}
		if err := c.CreateVector(ctx, "docs", "v", client.VectorParams{Size: 3, Distance: client.Cosine, Datatype: client.Uint8, OnDisk: ptr(true)}); err != nil {
			t.Fatal(err)
		}
		if err := c.CreateSparseVector(ctx, "docs", "s", client.SparseParams{Modifier: "Idf", OnDisk: ptr(true), Datatype: client.Float16}); err != nil {
			t.Fatal(err)
		}
		seen := a.requests("qdrant.Points/CreateVectorName")
		expect(t, seen[0].request, &qdrant.CreateVectorNameRequest{CollectionName: "docs", VectorName: "v", Wait: ptr(true),
			VectorConfig: &qdrant.CreateVectorNameRequest_DenseConfig{DenseConfig: &qdrant.DenseVectorCreationConfig{
				Size: 3, Distance: qdrant.Distance_Cosine, Datatype: qdrant.Datatype_Uint8.Enum()}}})
		expect(t, seen[1].request, &qdrant.CreateVectorNameRequest{CollectionName: "docs", VectorName: "s", Wait: ptr(true),
			VectorConfig: &qdrant.CreateVectorNameRequest_SparseConfig{SparseConfig: &qdrant.SparseVectorCreationConfig{
				Modifier: qdrant.Modifier_Idf.Enum(), Datatype: qdrant.Datatype_Float16.Enum()}}})
	})
}
