package api

import (
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// configFrom reads what a Create declares, over the defaults. What is unset and depends on the cluster, the number
// of shards, stays 0.
func configFrom(r *qdrant.CreateCollection) (catalog.Config, error) {
	c := catalog.DefaultConfig()
	if r.GetShardingMethod() == qdrant.ShardingMethod_Custom {
		c.Sharding = catalog.CustomSharding
	}
	var err error
	if c.Vectors, err = vectorParamsFrom(r.GetVectorsConfig()); err != nil {
		return c, err
	}
	if c.SparseVectors, err = sparseParamsFrom(r.GetSparseVectorsConfig()); err != nil {
		return c, err
	}
	if c.Quantization, err = quantizationFrom(r.GetQuantizationConfig()); err != nil {
		return c, err
	}
	c.HNSW = hnswFrom(r.GetHnswConfig()).Over(c.HNSW)
	if err := setOptimizers(&c.Optimizers, r.GetOptimizersConfig()); err != nil {
		return c, err
	}
	setWAL(&c.WAL, r.GetWalConfig())
	c.Strict = strictFrom(nil, r.GetStrictModeConfig())
	c.ShardNumber = r.GetShardNumber()
	setValue(&c.ReplicationFactor, r.ReplicationFactor)
	setValue(&c.WriteConsistencyFactor, r.WriteConsistencyFactor)
	setValue(&c.OnDiskPayload, r.OnDiskPayload)
	if len(r.GetMetadata()) > 0 {
		c.Metadata, err = payloadFrom(r.GetMetadata())
	}
	return c, err
}

func setValue[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// vectorParamsFrom reads the declared vectors; none is a collection of payloads.
func vectorParamsFrom(v *qdrant.VectorsConfig) (map[string]catalog.VectorParams, error) {
	if v == nil {
		return map[string]catalog.VectorParams{}, nil
	}
	declared := map[string]*qdrant.VectorParams{}
	switch o := v.GetConfig().(type) {
	case *qdrant.VectorsConfig_Params:
		declared[""] = o.Params
	case *qdrant.VectorsConfig_ParamsMap:
		declared = o.ParamsMap.GetMap()
	default:
		return nil, invalid("vectors_config: it is given, but empty")
	}
	out := make(map[string]catalog.VectorParams, len(declared))
	for name, p := range declared {
		params, err := oneVectorParamsFrom(name, p)
		if err != nil {
			return nil, err
		}
		out[name] = params
	}
	return out, nil
}

func oneVectorParamsFrom(name string, p *qdrant.VectorParams) (catalog.VectorParams, error) {
	datatype, err := datatypeFrom(p.GetDatatype(), "VectorParams.datatype")
	if err != nil {
		return catalog.VectorParams{}, err
	}
	distance := vec.Distance(p.GetDistance())
	if !distance.Valid() {
		return catalog.VectorParams{}, invalid("vector %.255q: the distance is not given", name)
	}
	q, err := quantizationFrom(p.GetQuantizationConfig())
	return catalog.VectorParams{
		Size: p.GetSize(), Distance: distance, HNSW: hnswFrom(p.GetHnswConfig()), Quantization: q,
		OnDisk: p.OnDisk, Datatype: datatype, Multi: p.MultivectorConfig != nil,
	}, err
}

// datatypeFrom reads what components are; the default, and float32, are none.
func datatypeFrom(t qdrant.Datatype, place string) (vec.Datatype, error) {
	switch t {
	case qdrant.Datatype_Default, qdrant.Datatype_Float32:
		return "", nil
	case qdrant.Datatype_Float16:
		return vec.HalfType, nil
	case qdrant.Datatype_Uint8:
		return vec.ByteType, nil
	case qdrant.Datatype_Turbo4:
	}
	return "", missing("vectors of type "+t.String(), place)
}

// sparseParamsFrom reads the declared sparse vectors; nil is none.
func sparseParamsFrom(s *qdrant.SparseVectorConfig) (map[string]catalog.SparseParams, error) {
	if len(s.GetMap()) == 0 {
		return nil, nil
	}
	out := make(map[string]catalog.SparseParams, len(s.GetMap()))
	for name, p := range s.GetMap() {
		datatype, err := datatypeFrom(p.GetIndex().GetDatatype(), "SparseIndexConfig.datatype")
		if err != nil {
			return nil, err
		}
		params := catalog.SparseParams{IDF: p.GetModifier() == qdrant.Modifier_Idf, Datatype: datatype}
		if index := p.GetIndex(); index != nil {
			params.FullScanThreshold, params.OnDisk = index.FullScanThreshold, index.OnDisk
		}
		out[name] = params
	}
	return out, nil
}

// quantizationFrom reads a declared quantization; nil is none.
func quantizationFrom(q *qdrant.QuantizationConfig) (*catalog.Quantization, error) {
	if q == nil {
		return nil, nil
	}
	switch v := q.GetQuantization().(type) {
	case *qdrant.QuantizationConfig_Scalar:
		return scalarFrom(v.Scalar)
	case *qdrant.QuantizationConfig_Product:
		return productFrom(v.Product), nil
	case *qdrant.QuantizationConfig_Binary:
		return binaryFrom(v.Binary)
	}
	return nil, invalid("quantization_config: it is given, but empty")
}

// compressions are the factors that the API numbers.
var compressions = [...]uint32{4, 8, 16, 32, 64}

func productFrom(p *qdrant.ProductQuantization) *catalog.Quantization {
	return &catalog.Quantization{Product: &catalog.ProductQuantization{Compression: compressions[p.GetCompression()], AlwaysRAM: p.AlwaysRam}}
}

func binaryFrom(b *qdrant.BinaryQuantization) (*catalog.Quantization, error) {
	out := &catalog.BinaryQuantization{AlwaysRAM: b.AlwaysRam}
	if b.Encoding != nil {
		encoding := uint32(b.GetEncoding())
		out.Encoding = &encoding
	}
	if q := b.GetQueryEncoding(); q != nil {
		setting, ok := q.GetVariant().(*qdrant.BinaryQuantizationQueryEncoding_Setting_)
		if !ok {
			return nil, invalid("quantization_config: query_encoding is given, but empty")
		}
		encoding := uint32(setting.Setting)
		out.QueryEncoding = &encoding
	}
	return &catalog.Quantization{Binary: out}, nil
}

func scalarFrom(s *qdrant.ScalarQuantization) (*catalog.Quantization, error) {
	if s.GetType() != qdrant.QuantizationType_Int8 {
		return nil, invalid("quantization_config: the type of scalar is not given: use Int8")
	}
	return &catalog.Quantization{Scalar: &catalog.ScalarQuantization{Quantile: s.Quantile, AlwaysRAM: s.AlwaysRam}}, nil
}

// hnswFrom reads a diff; nil, and one that sets nothing, is none.
func hnswFrom(h *qdrant.HnswConfigDiff) *catalog.HNSWDiff {
	if h == nil {
		return nil
	}
	d := catalog.HNSWDiff{
		M: h.M, EfConstruct: h.EfConstruct, FullScanThreshold: h.FullScanThreshold,
		MaxIndexingThreads: h.MaxIndexingThreads, PayloadM: h.PayloadM,
		OnDisk: h.OnDisk,
	}
	if d == (catalog.HNSWDiff{}) {
		return nil
	}
	return &d
}

// setOptimizers sets what the diff sets. A number of threads of "auto" unsets the number.
func setOptimizers(to *catalog.Optimizers, d *qdrant.OptimizersConfigDiff) error {
	if d == nil {
		return nil
	}
	setValue(&to.DeletedThreshold, d.DeletedThreshold)
	setValue(&to.VacuumMinVectorNumber, d.VacuumMinVectorNumber)
	setValue(&to.DefaultSegmentNumber, d.DefaultSegmentNumber)
	setValue(&to.IndexingThreshold, d.IndexingThreshold)
	setValue(&to.FlushIntervalSec, d.FlushIntervalSec)
	setPointer(&to.MaxSegmentSize, d.MaxSegmentSize)
	setPointer(&to.MemmapThreshold, d.MemmapThreshold)
	setPointer(&to.PreventUnoptimized, d.PreventUnoptimized)
	setPointer(&to.MaxOptimizationThreads, d.DeprecatedMaxOptimizationThreads)
	threads := d.GetMaxOptimizationThreads()
	if threads == nil {
		return nil
	}
	if d.DeprecatedMaxOptimizationThreads != nil {
		return invalid("optimizers_config: both max_optimization_threads and its deprecated form are given")
	}
	switch v := threads.GetVariant().(type) {
	case *qdrant.MaxOptimizationThreads_Value:
		to.MaxOptimizationThreads = &v.Value
	case *qdrant.MaxOptimizationThreads_Setting_:
		to.MaxOptimizationThreads = nil
	default:
		return invalid("optimizers_config: max_optimization_threads is given, but empty")
	}
	return nil
}

func setPointer[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

func setWAL(to *catalog.WAL, d *qdrant.WalConfigDiff) {
	if d == nil {
		return
	}
	setValue(&to.CapacityMB, d.WalCapacityMb)
	setValue(&to.SegmentsAhead, d.WalSegmentsAhead)
	setValue(&to.RetainClosed, d.WalRetainClosed)
}
