package collection

import (
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// The server's defaults. An attribute that is removed from a configuration goes back to its default by sending it.
const (
	defaultReplicationFactor     = 1
	defaultM                     = 16
	defaultEfConstruct           = 100
	defaultFullScanThreshold     = 10000
	defaultMaxIndexingThreads    = 0
	defaultDeletedThreshold      = 0.2
	defaultVacuumMinVectorNumber = 1000
	defaultSegmentNumber         = 0
	defaultIndexingThreshold     = 10000
	defaultFlushIntervalSec      = 5
	defaultWALCapacityMB         = 32
	defaultWALSegmentsAhead      = 0
	defaultWALRetainClosed       = 1
	defaultModifier              = "None"
	autoSharding                 = "auto"
	customSharding               = "custom"
	maxSim                       = "MaxSim"
)

// model is the resource as Terraform holds it: configuration, plan and state alike.
type model struct {
	Name                   types.String   `tfsdk:"name"`
	Vectors                types.Map      `tfsdk:"vectors"`
	SparseVectors          types.Map      `tfsdk:"sparse_vectors"`
	ShardNumber            types.Int64    `tfsdk:"shard_number"`
	ShardingMethod         types.String   `tfsdk:"sharding_method"`
	ReplicationFactor      types.Int64    `tfsdk:"replication_factor"`
	WriteConsistency       types.String   `tfsdk:"write_consistency"`
	WriteConsistencyFactor types.Int64    `tfsdk:"write_consistency_factor"`
	ReadFanOutFactor       types.Int64    `tfsdk:"read_fan_out_factor"`
	ReadFanOutDelayMS      types.Int64    `tfsdk:"read_fan_out_delay_ms"`
	OnDiskPayload          types.Bool     `tfsdk:"on_disk_payload"`
	HNSW                   types.Object   `tfsdk:"hnsw"`
	Quantization           types.Object   `tfsdk:"quantization"`
	Optimizers             types.Object   `tfsdk:"optimizers"`
	WAL                    types.Object   `tfsdk:"wal"`
	StrictMode             types.Object   `tfsdk:"strict_mode"`
	Metadata               types.Map      `tfsdk:"metadata"`
	DeletionProtection     types.Bool     `tfsdk:"deletion_protection"`
	Heal                   types.Bool     `tfsdk:"heal"`
	Unfinished             types.String   `tfsdk:"unfinished"`
	Timeouts               timeouts.Value `tfsdk:"timeouts"`
}

// known returns m with null for what only the server knows: a state must not hold unknown values.
func (m model) known() model {
	for _, number := range []*types.Int64{&m.ShardNumber, &m.ReadFanOutDelayMS} {
		if number.IsUnknown() {
			*number = types.Int64Null()
		}
	}
	settings := m.Optimizers.Attributes()
	for name, value := range settings {
		if value.IsUnknown() {
			settings[name] = types.Int64Null()
		}
	}
	m.Optimizers = types.ObjectValueMust(optimizersTypes(), settings)
	return m
}

type identity struct {
	Name types.String `tfsdk:"name"`
}

type vectorModel struct {
	Size         types.Int64  `tfsdk:"size"`
	Distance     types.String `tfsdk:"distance"`
	Datatype     types.String `tfsdk:"datatype"`
	MultiVector  types.Object `tfsdk:"multivector"`
	OnDisk       types.Bool   `tfsdk:"on_disk"`
	HNSW         types.Object `tfsdk:"hnsw"`
	Quantization types.Object `tfsdk:"quantization"`
}

type sparseModel struct {
	Modifier          types.String `tfsdk:"modifier"`
	Datatype          types.String `tfsdk:"datatype"`
	OnDisk            types.Bool   `tfsdk:"on_disk"`
	FullScanThreshold types.Int64  `tfsdk:"full_scan_threshold"`
}

type walModel struct {
	CapacityMB    types.Int64 `tfsdk:"capacity_mb"`
	SegmentsAhead types.Int64 `tfsdk:"segments_ahead"`
	RetainClosed  types.Int64 `tfsdk:"retain_closed"`
}

// hnswModel serves the collection's graph and, with nulls for "as the collection's", that of one vector.
type hnswModel struct {
	M                  types.Int64 `tfsdk:"m"`
	EfConstruct        types.Int64 `tfsdk:"ef_construct"`
	FullScanThreshold  types.Int64 `tfsdk:"full_scan_threshold"`
	MaxIndexingThreads types.Int64 `tfsdk:"max_indexing_threads"`
	OnDisk             types.Bool  `tfsdk:"on_disk"`
	PayloadM           types.Int64 `tfsdk:"payload_m"`
}

type optimizersModel struct {
	DeletedThreshold       types.Float64 `tfsdk:"deleted_threshold"`
	VacuumMinVectorNumber  types.Int64   `tfsdk:"vacuum_min_vector_number"`
	DefaultSegmentNumber   types.Int64   `tfsdk:"default_segment_number"`
	MaxSegmentSize         types.Int64   `tfsdk:"max_segment_size"`
	MemmapThreshold        types.Int64   `tfsdk:"memmap_threshold"`
	IndexingThreshold      types.Int64   `tfsdk:"indexing_threshold"`
	FlushIntervalSec       types.Int64   `tfsdk:"flush_interval_sec"`
	MaxOptimizationThreads types.Int64   `tfsdk:"max_optimization_threads"`
	PreventUnoptimized     types.Bool    `tfsdk:"prevent_unoptimized"`
}

func hnswTypes() map[string]attr.Type {
	return map[string]attr.Type{
		"m": types.Int64Type, "ef_construct": types.Int64Type, "full_scan_threshold": types.Int64Type,
		"max_indexing_threads": types.Int64Type, "on_disk": types.BoolType, "payload_m": types.Int64Type,
	}
}

func optimizersTypes() map[string]attr.Type {
	return map[string]attr.Type{
		"deleted_threshold": types.Float64Type, "vacuum_min_vector_number": types.Int64Type,
		"default_segment_number": types.Int64Type, "max_segment_size": types.Int64Type,
		"memmap_threshold": types.Int64Type, "indexing_threshold": types.Int64Type,
		"flush_interval_sec": types.Int64Type, "max_optimization_threads": types.Int64Type,
		"prevent_unoptimized": types.BoolType,
	}
}

func vectorType() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{
		"size": types.Int64Type, "distance": types.StringType, "datatype": types.StringType, "on_disk": types.BoolType,
		"multivector": types.ObjectType{AttrTypes: multiVectorTypes()}, "hnsw": types.ObjectType{AttrTypes: hnswTypes()},
		"quantization": types.ObjectType{AttrTypes: quantizationTypes()},
	}}
}

func multiVectorTypes() map[string]attr.Type {
	return map[string]attr.Type{"comparator": types.StringType}
}

func sparseType() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{
		"modifier": types.StringType, "datatype": types.StringType, "on_disk": types.BoolType, "full_scan_threshold": types.Int64Type,
	}}
}

func walTypes() map[string]attr.Type {
	return map[string]attr.Type{"capacity_mb": types.Int64Type, "segments_ahead": types.Int64Type, "retain_closed": types.Int64Type}
}

func defaultWAL() types.Object {
	return types.ObjectValueMust(walTypes(), map[string]attr.Value{
		"capacity_mb": types.Int64Value(defaultWALCapacityMB), "segments_ahead": types.Int64Value(defaultWALSegmentsAhead),
		"retain_closed": types.Int64Value(defaultWALRetainClosed),
	})
}

func defaultHNSW() types.Object {
	return types.ObjectValueMust(hnswTypes(), map[string]attr.Value{
		"m":                    types.Int64Value(defaultM),
		"ef_construct":         types.Int64Value(defaultEfConstruct),
		"full_scan_threshold":  types.Int64Value(defaultFullScanThreshold),
		"max_indexing_threads": types.Int64Value(defaultMaxIndexingThreads),
		"on_disk":              types.BoolValue(false),
		"payload_m":            types.Int64Value(defaultM),
	})
}

func defaultOptimizers() types.Object {
	return types.ObjectValueMust(optimizersTypes(), map[string]attr.Value{
		"deleted_threshold":        types.Float64Value(defaultDeletedThreshold),
		"vacuum_min_vector_number": types.Int64Value(defaultVacuumMinVectorNumber),
		"default_segment_number":   types.Int64Value(defaultSegmentNumber),
		"max_segment_size":         types.Int64Null(),
		"memmap_threshold":         types.Int64Value(0),
		"indexing_threshold":       types.Int64Value(defaultIndexingThreshold),
		"flush_interval_sec":       types.Int64Value(defaultFlushIntervalSec),
		"max_optimization_threads": types.Int64Null(),
		"prevent_unoptimized":      types.BoolValue(false),
	})
}

func emptyMetadata() types.Map {
	return types.MapValueMust(types.StringType, map[string]attr.Value{})
}

// sameNames reports whether two maps have the same keys.
func sameNames(a, b map[string]attr.Value) bool {
	return slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
}
