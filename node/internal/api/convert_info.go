package api

import (
	"slices"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// configTo writes a collection's declaration with its effective values.
func configTo(c catalog.Config) (*qdrant.CollectionConfig, error) {
	metadata, err := payloadTo(c.Metadata)
	if err != nil {
		return nil, err
	}
	return &qdrant.CollectionConfig{
		Params: paramsTo(c), HnswConfig: hnswTo(c.HNSW), OptimizerConfig: optimizersTo(c.Optimizers),
		WalConfig: walTo(c.WAL), Metadata: metadata, QuantizationConfig: quantizationTo(c.Quantization),
		StrictModeConfig: strictTo(c.Strict),
	}, nil
}

func paramsTo(c catalog.Config) *qdrant.CollectionParams {
	p := &qdrant.CollectionParams{
		ShardNumber: c.ShardNumber, OnDiskPayload: c.OnDiskPayload, VectorsConfig: vectorsConfigTo(c.Vectors),
		ReplicationFactor: &c.ReplicationFactor, WriteConsistencyFactor: &c.WriteConsistencyFactor,
		ReadFanOutFactor: c.ReadFanOutFactor, SparseVectorsConfig: sparseConfigTo(c.SparseVectors),
	}
	if c.Custom() {
		p.ShardingMethod = qdrant.ShardingMethod_Custom.Enum()
	}
	if c.ReadFanOutDelay != nil {
		ms := uint64(c.ReadFanOutDelay.Milliseconds())
		p.ReadFanOutDelayMs = &ms
	}
	return p
}

// vectorsConfigTo writes the unnamed vector bare when it is alone, else a map by name.
func vectorsConfigTo(declared map[string]catalog.VectorParams) *qdrant.VectorsConfig {
	if unnamed, ok := declared[""]; ok && len(declared) == 1 {
		return &qdrant.VectorsConfig{Config: &qdrant.VectorsConfig_Params{Params: oneVectorParamsTo(unnamed)}}
	}
	named := make(map[string]*qdrant.VectorParams, len(declared))
	for name, p := range declared {
		named[name] = oneVectorParamsTo(p)
	}
	return &qdrant.VectorsConfig{Config: &qdrant.VectorsConfig_ParamsMap{ParamsMap: &qdrant.VectorParamsMap{Map: named}}}
}

func oneVectorParamsTo(p catalog.VectorParams) *qdrant.VectorParams {
	out := &qdrant.VectorParams{
		Size: p.Size, Distance: qdrant.Distance(p.Distance), OnDisk: p.OnDisk, QuantizationConfig: quantizationTo(p.Quantization),
	}
	out.Datatype = datatypeTo(p.Datatype)
	if p.Multi {
		out.MultivectorConfig = &qdrant.MultiVectorConfig{Comparator: qdrant.MultiVectorComparator_MaxSim}
	}
	if h := p.HNSW; h != nil {
		out.HnswConfig = &qdrant.HnswConfigDiff{
			M: h.M, EfConstruct: h.EfConstruct, FullScanThreshold: h.FullScanThreshold,
			MaxIndexingThreads: h.MaxIndexingThreads, OnDisk: h.OnDisk, PayloadM: h.PayloadM,
		}
	}
	return out
}

// datatypeTo writes what components are, nil for float32.
func datatypeTo(t vec.Datatype) *qdrant.Datatype {
	switch t {
	case vec.HalfType:
		return qdrant.Datatype_Float16.Enum()
	case vec.ByteType:
		return qdrant.Datatype_Uint8.Enum()
	case "", vec.Float32:
	}
	return nil
}

func sparseConfigTo(declared map[string]catalog.SparseParams) *qdrant.SparseVectorConfig {
	if len(declared) == 0 {
		return nil
	}
	out := &qdrant.SparseVectorConfig{Map: make(map[string]*qdrant.SparseVectorParams, len(declared))}
	for name, p := range declared {
		params := &qdrant.SparseVectorParams{}
		if p.IDF {
			params.Modifier = qdrant.Modifier_Idf.Enum()
		}
		if p.FullScanThreshold != nil || p.OnDisk != nil || p.Datatype != "" {
			params.Index = &qdrant.SparseIndexConfig{FullScanThreshold: p.FullScanThreshold, OnDisk: p.OnDisk, Datatype: datatypeTo(p.Datatype)}
		}
		out.Map[name] = params
	}
	return out
}

func quantizationTo(q *catalog.Quantization) *qdrant.QuantizationConfig {
	if q == nil {
		return nil
	}
	switch {
	case q.Product != nil:
		return qdrant.NewQuantizationProduct(&qdrant.ProductQuantization{
			Compression: qdrant.CompressionRatio(slices.Index(compressions[:], q.Product.Compression)), AlwaysRam: q.Product.AlwaysRAM,
		})
	case q.Binary != nil:
		return qdrant.NewQuantizationBinary(binaryTo(q.Binary))
	}
	return qdrant.NewQuantizationScalar(&qdrant.ScalarQuantization{
		Type: qdrant.QuantizationType_Int8, Quantile: q.Scalar.Quantile, AlwaysRam: q.Scalar.AlwaysRAM,
	})
}

func binaryTo(b *catalog.BinaryQuantization) *qdrant.BinaryQuantization {
	out := &qdrant.BinaryQuantization{AlwaysRam: b.AlwaysRAM}
	if b.Encoding != nil {
		out.Encoding = qdrant.BinaryQuantizationEncoding(*b.Encoding).Enum()
	}
	if b.QueryEncoding != nil {
		out.QueryEncoding = &qdrant.BinaryQuantizationQueryEncoding{Variant: &qdrant.BinaryQuantizationQueryEncoding_Setting_{
			Setting: qdrant.BinaryQuantizationQueryEncoding_Setting(*b.QueryEncoding),
		}}
	}
	return out
}

func hnswTo(h catalog.HNSW) *qdrant.HnswConfigDiff {
	return &qdrant.HnswConfigDiff{
		M: &h.M, EfConstruct: &h.EfConstruct, FullScanThreshold: &h.FullScanThreshold,
		MaxIndexingThreads: &h.MaxIndexingThreads, OnDisk: &h.OnDisk, PayloadM: h.PayloadM,
	}
}

func optimizersTo(o catalog.Optimizers) *qdrant.OptimizersConfigDiff {
	out := &qdrant.OptimizersConfigDiff{
		DeletedThreshold: &o.DeletedThreshold, VacuumMinVectorNumber: &o.VacuumMinVectorNumber,
		DefaultSegmentNumber: &o.DefaultSegmentNumber, IndexingThreshold: &o.IndexingThreshold,
		FlushIntervalSec: &o.FlushIntervalSec, MaxSegmentSize: o.MaxSegmentSize,
		MemmapThreshold: o.MemmapThreshold, PreventUnoptimized: o.PreventUnoptimized,
	}
	if n := o.MaxOptimizationThreads; n != nil {
		out.MaxOptimizationThreads = &qdrant.MaxOptimizationThreads{Variant: &qdrant.MaxOptimizationThreads_Value{Value: *n}}
	}
	return out
}

func walTo(w catalog.WAL) *qdrant.WalConfigDiff {
	return &qdrant.WalConfigDiff{
		WalCapacityMb: &w.CapacityMB, WalSegmentsAhead: &w.SegmentsAhead, WalRetainClosed: &w.RetainClosed,
	}
}
