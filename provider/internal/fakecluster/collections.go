package fakecluster

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

type qdrantService struct {
	qdrant.UnimplementedQdrantServer
}

func (*qdrantService) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	return &qdrant.HealthCheckReply{Title: "qdrant - vector search engine", Version: "1.19.0"}, nil
}

type collectionsService struct {
	qdrant.UnimplementedCollectionsServer
	cluster *Cluster
}

func missing(name string) error {
	return status.Errorf(codes.NotFound, "Not found: Collection `%s` doesn't exist!", name)
}

func wrong(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, "Wrong input: "+format, args...)
}

func (s *collectionsService) Create(_ context.Context, r *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	name := r.GetCollectionName()
	if _, ok := c.mu.collections[name]; ok || c.mu.aliases[name] != "" {
		return nil, status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", name)
	}
	config := defaults(uint32(len(c.mu.peers)))
	if r.HnswConfig != nil {
		proto.Merge(config.HnswConfig, r.GetHnswConfig())
	}
	if r.OptimizersConfig != nil {
		proto.Merge(config.OptimizerConfig, r.GetOptimizersConfig())
	}
	if r.WalConfig != nil {
		proto.Merge(config.WalConfig, r.GetWalConfig())
	}
	config.QuantizationConfig = r.GetQuantizationConfig()
	config.StrictModeConfig = r.GetStrictModeConfig()
	p := config.Params
	p.VectorsConfig = cleaned(r.GetVectorsConfig())
	p.SparseVectorsConfig = r.GetSparseVectorsConfig()
	if r.GetShardingMethod() == qdrant.ShardingMethod_Custom {
		p.ShardingMethod = r.ShardingMethod
		p.ShardNumber = 1
	}
	proto.Merge(p, &qdrant.CollectionParams{
		ShardNumber: r.GetShardNumber(), ReplicationFactor: r.ReplicationFactor, WriteConsistencyFactor: r.WriteConsistencyFactor,
	})
	if r.OnDiskPayload != nil {
		p.OnDiskPayload = r.GetOnDiskPayload()
	}
	config.Metadata = r.GetMetadata()
	if err := valid(p); err != nil {
		return nil, err
	}
	c.mu.collections[name] = newCollection(name, config, c.mu.peers)
	c.mu.log = append(c.mu.log, "create "+name)
	return &qdrant.CollectionOperationResponse{Result: true, Time: 0.001}, nil
}

// cleaned forgets graph settings that say nothing, as a node does.
func cleaned(v *qdrant.VectorsConfig) *qdrant.VectorsConfig {
	v = proto.Clone(v).(*qdrant.VectorsConfig)
	for _, params := range vectorsOf(v) {
		if params.HnswConfig != nil && proto.Size(params.HnswConfig) == 0 {
			params.HnswConfig = nil
		}
	}
	return v
}

func vectorsOf(v *qdrant.VectorsConfig) map[string]*qdrant.VectorParams {
	if p := v.GetParams(); p != nil {
		return map[string]*qdrant.VectorParams{"": p}
	}
	return v.GetParamsMap().GetMap()
}

func valid(p *qdrant.CollectionParams) error {
	if len(vectorsOf(p.GetVectorsConfig()))+len(p.GetSparseVectorsConfig().GetMap()) == 0 {
		return wrong("no vectors")
	}
	for name, v := range vectorsOf(p.GetVectorsConfig()) {
		if v.GetSize() < 1 || v.GetSize() > 65536 || v.GetDistance() == qdrant.Distance_UnknownDistance {
			return wrong("vector %q", name)
		}
	}
	if p.GetReplicationFactor() < 1 || p.GetWriteConsistencyFactor() < 1 {
		return wrong("factors start at 1")
	}
	if p.GetWriteConsistencyFactor() > p.GetReplicationFactor() {
		return wrong("write_consistency_factor %d is more than replication_factor %d", p.GetWriteConsistencyFactor(), p.GetReplicationFactor())
	}
	return nil
}

func defaults(peers uint32) *qdrant.CollectionConfig {
	return &qdrant.CollectionConfig{
		Params: &qdrant.CollectionParams{
			ShardNumber: peers, OnDiskPayload: true, ReplicationFactor: proto.Uint32(1), WriteConsistencyFactor: proto.Uint32(1),
		},
		HnswConfig: &qdrant.HnswConfigDiff{
			M: proto.Uint64(16), EfConstruct: proto.Uint64(100), FullScanThreshold: proto.Uint64(10000),
			MaxIndexingThreads: proto.Uint64(0), OnDisk: proto.Bool(false),
		},
		OptimizerConfig: &qdrant.OptimizersConfigDiff{
			DeletedThreshold: proto.Float64(0.2), VacuumMinVectorNumber: proto.Uint64(1000), DefaultSegmentNumber: proto.Uint64(0),
			IndexingThreshold: proto.Uint64(10000), FlushIntervalSec: proto.Uint64(5),
		},
		WalConfig: &qdrant.WalConfigDiff{
			WalCapacityMb: proto.Uint64(32), WalSegmentsAhead: proto.Uint64(0), WalRetainClosed: proto.Uint64(1),
		},
	}
}

func (s *collectionsService) Get(_ context.Context, r *qdrant.GetCollectionInfoRequest) (*qdrant.GetCollectionInfoResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	name := r.GetCollectionName()
	if target, ok := c.mu.aliases[name]; ok {
		name = target
	}
	found, ok := c.mu.collections[name]
	if !ok {
		return nil, missing(name)
	}
	return &qdrant.GetCollectionInfoResponse{Time: 0.001, Result: &qdrant.CollectionInfo{
		Status: qdrant.CollectionStatus_Green, OptimizerStatus: &qdrant.OptimizerStatus{Ok: true},
		Config: proto.Clone(found.config).(*qdrant.CollectionConfig), PointsCount: proto.Uint64(0), PayloadSchema: found.schemaCopy(),
	}}, nil
}

func (s *collectionsService) Update(_ context.Context, r *qdrant.UpdateCollection) (*qdrant.CollectionOperationResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.mu.collections[r.GetCollectionName()]
	if !ok {
		return nil, missing(r.GetCollectionName())
	}
	next := proto.Clone(found.config).(*qdrant.CollectionConfig)
	if r.HnswConfig != nil {
		proto.Merge(next.HnswConfig, r.GetHnswConfig())
	}
	if r.OptimizersConfig != nil {
		proto.Merge(next.OptimizerConfig, r.GetOptimizersConfig())
	}
	if d := r.GetParams(); d != nil {
		proto.Merge(next.Params, &qdrant.CollectionParams{
			ReplicationFactor: d.ReplicationFactor, WriteConsistencyFactor: d.WriteConsistencyFactor,
			ReadFanOutFactor: d.ReadFanOutFactor, ReadFanOutDelayMs: d.ReadFanOutDelayMs,
		})
		if d.OnDiskPayload != nil {
			next.Params.OnDiskPayload = d.GetOnDiskPayload()
		}
	}
	if err := updateVectors(next.Params.GetVectorsConfig(), r.GetVectorsConfig()); err != nil {
		return nil, err
	}
	if err := updateSparse(next.Params.GetSparseVectorsConfig(), r.GetSparseVectorsConfig()); err != nil {
		return nil, err
	}
	next.QuantizationConfig = quantized(next.QuantizationConfig, r.GetQuantizationConfig())
	mergeStrict(next, r.GetStrictModeConfig())
	mergeMetadata(next, r.GetMetadata())
	if err := valid(next.Params); err != nil {
		return nil, err
	}
	c.mu.log = append(c.mu.log, found.describe(next))
	found.config = next
	return &qdrant.CollectionOperationResponse{Result: true, Time: 0.001}, nil
}

func updateVectors(have *qdrant.VectorsConfig, diff *qdrant.VectorsConfigDiff) error {
	changes := diff.GetParamsMap().GetMap()
	if p := diff.GetParams(); p != nil {
		changes = map[string]*qdrant.VectorParamsDiff{"": p}
	}
	vectors := vectorsOf(have)
	for name, change := range changes {
		v, ok := vectors[name]
		if !ok {
			return wrong("Not existing vector name error: %s", name)
		}
		if change.OnDisk != nil {
			v.OnDisk = change.OnDisk
		}
		v.QuantizationConfig = quantized(v.QuantizationConfig, change.GetQuantizationConfig())
		switch {
		case change.HnswConfig == nil:
		case proto.Size(change.HnswConfig) == 0:
			v.HnswConfig = nil
		case v.HnswConfig == nil:
			v.HnswConfig = change.HnswConfig
		default:
			proto.Merge(v.HnswConfig, change.HnswConfig)
		}
	}
	return nil
}

func updateSparse(have, changes *qdrant.SparseVectorConfig) error {
	for name, change := range changes.GetMap() {
		v, ok := have.GetMap()[name]
		if !ok {
			return wrong("Not existing vector name error: %s", name)
		}
		proto.Merge(v, change)
	}
	return nil
}

// quantized replaces the old quantization as a whole.
func quantized(old *qdrant.QuantizationConfig, d *qdrant.QuantizationConfigDiff) *qdrant.QuantizationConfig {
	switch q := d.GetQuantization().(type) {
	case *qdrant.QuantizationConfigDiff_Scalar:
		return qdrant.NewQuantizationScalar(q.Scalar)
	case *qdrant.QuantizationConfigDiff_Product:
		return qdrant.NewQuantizationProduct(q.Product)
	case *qdrant.QuantizationConfigDiff_Binary:
		return qdrant.NewQuantizationBinary(q.Binary)
	case *qdrant.QuantizationConfigDiff_Disabled:
		return nil
	}
	return old
}

// mergeStrict merges by field; limits by the names of vectors are replaced together. It keeps the largest numbers, as a plain Qdrant does.
func mergeStrict(config *qdrant.CollectionConfig, d *qdrant.StrictModeConfig) {
	if d == nil {
		return
	}
	if config.StrictModeConfig == nil {
		config.StrictModeConfig = &qdrant.StrictModeConfig{}
	}
	if d.MultivectorConfig != nil {
		config.StrictModeConfig.MultivectorConfig = nil
	}
	if d.SparseConfig != nil {
		config.StrictModeConfig.SparseConfig = nil
	}
	proto.Merge(config.StrictModeConfig, d)
}

func mergeMetadata(config *qdrant.CollectionConfig, changes map[string]*qdrant.Value) {
	if config.Metadata == nil {
		config.Metadata = map[string]*qdrant.Value{}
	}
	for key, value := range changes {
		if _, null := value.GetKind().(*qdrant.Value_NullValue); null {
			delete(config.Metadata, key)
			continue
		}
		config.Metadata[key] = value
	}
}

func (s *collectionsService) Delete(_ context.Context, r *qdrant.DeleteCollection) (*qdrant.CollectionOperationResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	_, existed := c.mu.collections[r.GetCollectionName()]
	c.dropLocked(r.GetCollectionName())
	c.mu.log = append(c.mu.log, fmt.Sprintf("delete %s", r.GetCollectionName()))
	return &qdrant.CollectionOperationResponse{Result: existed, Time: 0.001}, nil
}

func (s *collectionsService) List(context.Context, *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &qdrant.ListCollectionsResponse{Time: 0.001}
	for _, name := range slices.Sorted(maps.Keys(c.mu.collections)) {
		out.Collections = append(out.Collections, &qdrant.CollectionDescription{Name: name})
	}
	return out, nil
}
