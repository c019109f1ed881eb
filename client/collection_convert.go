package client

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
)

func createRequest(s CollectionSpec) (*qdrant.CreateCollection, error) {
	metadata, err := toPayload(s.Metadata)
	if err != nil {
		return nil, invalid("metadata: %v", err)
	}
	vectors, err := vectorsConfig(s.Vectors)
	if err != nil {
		return nil, err
	}
	quantization, err := s.Quantization.wire()
	if err != nil {
		return nil, err
	}
	sparse, err := sparseConfig(s.SparseVectors)
	if err != nil {
		return nil, err
	}
	request := &qdrant.CreateCollection{
		CollectionName:         s.Name,
		VectorsConfig:          vectors,
		ShardNumber:            s.ShardNumber,
		ReplicationFactor:      s.ReplicationFactor,
		WriteConsistencyFactor: s.WriteConsistencyFactor,
		OnDiskPayload:          s.OnDiskPayload,
		HnswConfig:             s.HNSW.diff(),
		OptimizersConfig:       s.Optimizers.diff(),
		WalConfig:              s.WAL.diff(),
		QuantizationConfig:     quantization,
		SparseVectorsConfig:    sparse,
		StrictModeConfig:       s.Strict.wire(),
		Metadata:               metadata,
	}
	if s.CustomSharding {
		request.ShardingMethod = qdrant.ShardingMethod_Custom.Enum()
	}
	return request, nil
}

func updateRequest(name string, u CollectionUpdate) (*qdrant.UpdateCollection, error) {
	metadata, err := toPayload(u.Metadata)
	if err != nil {
		return nil, invalid("metadata: %v", err)
	}
	vectors, err := vectorsDiff(u.Vectors)
	if err != nil {
		return nil, err
	}
	quantization, err := u.Quantization.diff()
	if err != nil {
		return nil, err
	}
	sparse, err := sparseConfig(u.SparseVectors)
	if err != nil {
		return nil, err
	}
	request := &qdrant.UpdateCollection{
		CollectionName:      name,
		OptimizersConfig:    u.Optimizers.diff(),
		HnswConfig:          u.HNSW.diff(),
		VectorsConfig:       vectors,
		QuantizationConfig:  quantization,
		SparseVectorsConfig: sparse,
		StrictModeConfig:    u.Strict.wire(),
		Metadata:            metadata,
	}
	if u.ReplicationFactor != nil || u.WriteConsistencyFactor != nil || u.ReadFanOutFactor != nil ||
		u.ReadFanOutDelayMS != nil || u.OnDiskPayload != nil {
		request.Params = &qdrant.CollectionParamsDiff{
			ReplicationFactor:      u.ReplicationFactor,
			WriteConsistencyFactor: u.WriteConsistencyFactor,
			ReadFanOutFactor:       u.ReadFanOutFactor,
			ReadFanOutDelayMs:      u.ReadFanOutDelayMS,
			OnDiskPayload:          u.OnDiskPayload,
		}
	}
	return request, nil
}

// vectorsConfig uses the form without names when the unnamed vector is the only one, as other clients do.
func vectorsConfig(vectors map[string]VectorParams) (*qdrant.VectorsConfig, error) {
	wire := make(map[string]*qdrant.VectorParams, len(vectors))
	for name, v := range vectors {
		params, err := v.wire()
		if err != nil {
			return nil, invalid("vector %q: %s", name, err.Message)
		}
		wire[name] = params
	}
	if unnamed, ok := wire[""]; ok && len(wire) == 1 {
		return qdrant.NewVectorsConfig(unnamed), nil
	}
	return qdrant.NewVectorsConfigMap(wire), nil
}

func (v VectorParams) wire() (*qdrant.VectorParams, *Error) {
	distance, ok := qdrant.Distance_value[string(v.Distance)]
	if !ok || distance == 0 {
		return nil, invalid("distance %q: want Cosine, Dot, Euclid or Manhattan", v.Distance)
	}
	out := &qdrant.VectorParams{Size: v.Size, Distance: qdrant.Distance(distance), OnDisk: v.OnDisk, HnswConfig: v.HNSW.diff()}
	var err *Error
	if out.QuantizationConfig, err = v.Quantization.wireOrError(); err != nil {
		return nil, err
	}
	if out.Datatype, err = v.Datatype.wire(); err != nil {
		return nil, err
	}
	if v.MultiVector {
		out.MultivectorConfig = &qdrant.MultiVectorConfig{Comparator: qdrant.MultiVectorComparator_MaxSim}
	}
	return out, nil
}

func vectorsDiff(vectors map[string]VectorUpdate) (*qdrant.VectorsConfigDiff, error) {
	if len(vectors) == 0 {
		return nil, nil
	}
	wire := make(map[string]*qdrant.VectorParamsDiff, len(vectors))
	for name, v := range vectors {
		quantization, err := v.Quantization.diff()
		if err != nil {
			return nil, err
		}
		wire[name] = &qdrant.VectorParamsDiff{OnDisk: v.OnDisk, HnswConfig: v.HNSW.diff(), QuantizationConfig: quantization}
	}
	if unnamed, ok := wire[""]; ok && len(wire) == 1 {
		return qdrant.NewVectorsConfigDiff(unnamed), nil
	}
	return qdrant.NewVectorsConfigDiffMap(wire), nil
}

func (h *HNSW) diff() *qdrant.HnswConfigDiff {
	if h == nil {
		return nil
	}
	return &qdrant.HnswConfigDiff{
		M: h.M, EfConstruct: h.EfConstruct, FullScanThreshold: h.FullScanThreshold,
		MaxIndexingThreads: h.MaxIndexingThreads, OnDisk: h.OnDisk, PayloadM: h.PayloadM,
	}
}

func (o *Optimizers) diff() *qdrant.OptimizersConfigDiff {
	if o == nil {
		return nil
	}
	d := &qdrant.OptimizersConfigDiff{
		DeletedThreshold: o.DeletedThreshold, VacuumMinVectorNumber: o.VacuumMinVectorNumber,
		DefaultSegmentNumber: o.DefaultSegmentNumber, MaxSegmentSize: o.MaxSegmentSize,
		MemmapThreshold: o.MemmapThreshold, IndexingThreshold: o.IndexingThreshold,
		FlushIntervalSec: o.FlushIntervalSec, PreventUnoptimized: o.PreventUnoptimized,
	}
	if o.MaxOptimizationThreads != nil {
		d.MaxOptimizationThreads = qdrant.NewMaxOptimizationThreads(*o.MaxOptimizationThreads)
	}
	return d
}

func (w *WAL) diff() *qdrant.WalConfigDiff {
	if w == nil {
		return nil
	}
	return &qdrant.WalConfigDiff{
		WalCapacityMb: w.CapacityMB, WalSegmentsAhead: w.SegmentsAhead, WalRetainClosed: w.RetainClosed,
	}
}

func collectionOf(name string, info *qdrant.CollectionInfo) *Collection {
	config := info.GetConfig()
	params := config.GetParams()
	c := &Collection{
		Name:                   name,
		ShardNumber:            params.GetShardNumber(),
		ReplicationFactor:      max(params.GetReplicationFactor(), 1),
		WriteConsistencyFactor: max(params.GetWriteConsistencyFactor(), 1),
		OnDiskPayload:          params.GetOnDiskPayload(),
		WAL:                    walOf(config.GetWalConfig()),
		Optimizers:             optimizersOf(config.GetOptimizerConfig()),
		Quantization:           quantizationOf(config.GetQuantizationConfig()),
		Strict:                 strictOf(config.GetStrictModeConfig()),
		SparseVectors:          sparseOf(params.GetSparseVectorsConfig()),
		CustomSharding:         params.GetShardingMethod() == qdrant.ShardingMethod_Custom,
		Indexes:                indexesOf(info.GetPayloadSchema()),
		Metadata:               fromPayload(config.GetMetadata()),
		Status:                 Status(strings.ToLower(info.GetStatus().String())),
		Points:                 info.GetPointsCount(),
		Foreign:                foreign(config),
	}
	if params != nil {
		c.ReadFanOutFactor, c.ReadFanOutDelayMS = params.ReadFanOutFactor, params.ReadFanOutDelayMs
	}
	if h := hnswOf(config.GetHnswConfig()); h != nil {
		c.HNSW = *h
	}
	c.Vectors = vectorsOf(params.GetVectorsConfig())
	if s := info.GetOptimizerStatus(); s != nil && !s.GetOk() {
		c.OptimizerError = s.GetError()
	}
	for _, w := range info.GetWarnings() {
		c.Warnings = append(c.Warnings, w.GetMessage())
	}
	return c
}

func vectorsOf(config *qdrant.VectorsConfig) map[string]VectorParams {
	wire := config.GetParamsMap().GetMap()
	if p := config.GetParams(); p != nil {
		wire = map[string]*qdrant.VectorParams{"": p}
	}
	out := make(map[string]VectorParams, len(wire))
	for name, v := range wire {
		if v == nil {
			v = &qdrant.VectorParams{}
		}
		out[name] = VectorParams{
			Size: v.GetSize(), Distance: Distance(v.GetDistance().String()), OnDisk: v.OnDisk, HNSW: hnswOf(v.GetHnswConfig()),
			Quantization: quantizationOf(v.GetQuantizationConfig()), Datatype: datatypeOf(v.Datatype), MultiVector: v.MultivectorConfig != nil,
		}
	}
	return out
}

func hnswOf(d *qdrant.HnswConfigDiff) *HNSW {
	if d == nil {
		return nil
	}
	return &HNSW{
		M: d.M, EfConstruct: d.EfConstruct, FullScanThreshold: d.FullScanThreshold,
		MaxIndexingThreads: d.MaxIndexingThreads, OnDisk: d.OnDisk, PayloadM: d.PayloadM,
	}
}

func optimizersOf(d *qdrant.OptimizersConfigDiff) Optimizers {
	if d == nil {
		return Optimizers{}
	}
	o := Optimizers{
		DeletedThreshold: d.DeletedThreshold, VacuumMinVectorNumber: d.VacuumMinVectorNumber,
		DefaultSegmentNumber: d.DefaultSegmentNumber, MaxSegmentSize: d.MaxSegmentSize,
		MemmapThreshold: d.MemmapThreshold, IndexingThreshold: d.IndexingThreshold,
		FlushIntervalSec: d.FlushIntervalSec, PreventUnoptimized: d.PreventUnoptimized,
		MaxOptimizationThreads: d.DeprecatedMaxOptimizationThreads,
	}
	if v, ok := d.GetMaxOptimizationThreads().GetVariant().(*qdrant.MaxOptimizationThreads_Value); ok {
		o.MaxOptimizationThreads = &v.Value
	}
	return o
}

func walOf(d *qdrant.WalConfigDiff) WAL {
	if d == nil {
		return WAL{}
	}
	return WAL{CapacityMB: d.WalCapacityMb, SegmentsAhead: d.WalSegmentsAhead, RetainClosed: d.WalRetainClosed}
}

// foreign names the parts of a configuration that Collection has no field for, so that a caller can tell a collection
// that it understands as a whole from one that it does not.
func foreign(config *qdrant.CollectionConfig) []string {
	params := config.GetParams()
	var names []string
	note := func(present bool, name string) {
		if present && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	note(config.GetStrictModeConfig().GetMaxResidentMemoryPercent() != 0, "max_resident_memory_percent")
	note(config.GetHnswConfig().GetMemory() != 0 || params.GetPayload().GetMemory() != 0, "memory")
	note(config.GetHnswConfig().GetInlineStorage(), "inline_storage")
	noteQuantization := func(q *qdrant.QuantizationConfig) {
		note(q.GetTurboquant() != nil, "turboquant")
		note(q.GetScalar().GetMemory() != 0 || q.GetProduct().GetMemory() != 0 || q.GetBinary().GetMemory() != 0, "memory")
	}
	noteQuantization(config.GetQuantizationConfig())
	wire := []*qdrant.VectorParams{params.GetVectorsConfig().GetParams()}
	for _, v := range params.GetVectorsConfig().GetParamsMap().GetMap() {
		wire = append(wire, v)
	}
	for _, v := range wire {
		noteQuantization(v.GetQuantizationConfig())
		note(v.GetMemory() != 0 || v.GetHnswConfig().GetMemory() != 0, "memory")
		note(v.GetHnswConfig().GetInlineStorage(), "inline_storage")
	}
	for _, v := range params.GetSparseVectorsConfig().GetMap() {
		note(v.GetIndex().GetMemory() != 0, "memory")
	}
	slices.Sort(names)
	return names
}

// invalid is the error of a request that need not be sent to be known as wrong.
func invalid(format string, args ...any) *Error {
	return &Error{Class: ClassInvalid, Message: fmt.Sprintf(format, args...)}
}
