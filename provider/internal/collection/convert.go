package collection

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func distanceNames() []string {
	return []string{string(client.Cosine), string(client.Dot), string(client.Euclid), string(client.Manhattan)}
}

// parts is a model taken out of Terraform's value types.
type parts struct {
	vectors    map[string]vectorModel
	sparse     map[string]sparseModel
	hnsw       hnswModel
	optimizers optimizersModel
	wal        walModel
	metadata   map[string]string
}

func (m model) parts(ctx context.Context) (parts, diag.Diagnostics) {
	var p parts
	var diags diag.Diagnostics
	strict := basetypes.ObjectAsOptions{}
	diags.Append(m.Vectors.ElementsAs(ctx, &p.vectors, false)...)
	diags.Append(m.SparseVectors.ElementsAs(ctx, &p.sparse, false)...)
	diags.Append(m.HNSW.As(ctx, &p.hnsw, strict)...)
	diags.Append(m.Optimizers.As(ctx, &p.optimizers, strict)...)
	diags.Append(m.WAL.As(ctx, &p.wal, strict)...)
	diags.Append(m.Metadata.ElementsAs(ctx, &p.metadata, false)...)
	return p, diags
}

// wanted is what a plan asks for: what a creation takes, and what only an update can set.
type wanted struct {
	client.CollectionSpec
	ReadFanOutFactor  *uint32
	ReadFanOutDelayMS *uint64
}

// spec is what the plan asks for.
func (m model) spec(ctx context.Context) (wanted, diag.Diagnostics) {
	p, diags := m.parts(ctx)
	quantization, d := quantizationOf(ctx, m.Quantization)
	diags.Append(d...)
	spec := client.CollectionSpec{
		Name:                   m.Name.ValueString(),
		Vectors:                map[string]client.VectorParams{},
		SparseVectors:          map[string]client.SparseParams{},
		ShardNumber:            uint32Of(m.ShardNumber),
		CustomSharding:         m.ShardingMethod.ValueString() == customSharding,
		ReplicationFactor:      uint32Of(m.ReplicationFactor),
		WriteConsistencyFactor: uint32Of(m.WriteConsistencyFactor),
		OnDiskPayload:          m.OnDiskPayload.ValueBoolPointer(),
		HNSW:                   p.hnsw.graph(),
		Optimizers:             p.optimizers.wire(),
		WAL:                    p.wal.wire(),
		Quantization:           quantization,
		Strict:                 strictOf(m.StrictMode),
		Metadata:               map[string]any{},
	}
	for name, v := range p.vectors {
		params, d := v.params(ctx)
		diags.Append(d...)
		spec.Vectors[name] = params
	}
	for name, v := range p.sparse {
		spec.SparseVectors[name] = v.params()
	}
	for key, text := range p.metadata {
		spec.Metadata[key] = text
	}
	return wanted{CollectionSpec: spec, ReadFanOutFactor: uint32Of(m.ReadFanOutFactor), ReadFanOutDelayMS: uint64Of(m.ReadFanOutDelayMS)}, diags
}

// graph is the collection's graph for the wire. A payload_m equal to m is left to the server, so that it stays unset
// there and goes on following m.
func (h hnswModel) graph() *client.HNSW {
	out := h.wire()
	if h.PayloadM.Equal(h.M) {
		out.PayloadM = nil
	}
	return out
}

func (h hnswModel) wire() *client.HNSW {
	return &client.HNSW{
		M: uint64Of(h.M), EfConstruct: uint64Of(h.EfConstruct), FullScanThreshold: uint64Of(h.FullScanThreshold),
		MaxIndexingThreads: uint64Of(h.MaxIndexingThreads), OnDisk: h.OnDisk.ValueBoolPointer(), PayloadM: uint64Of(h.PayloadM),
	}
}

func (o optimizersModel) wire() *client.Optimizers {
	return &client.Optimizers{
		DeletedThreshold: o.DeletedThreshold.ValueFloat64Pointer(), VacuumMinVectorNumber: uint64Of(o.VacuumMinVectorNumber),
		DefaultSegmentNumber: uint64Of(o.DefaultSegmentNumber), MaxSegmentSize: uint64Of(o.MaxSegmentSize),
		MemmapThreshold: uint64Of(o.MemmapThreshold), IndexingThreshold: uint64Of(o.IndexingThreshold),
		FlushIntervalSec: uint64Of(o.FlushIntervalSec), MaxOptimizationThreads: uint64Of(o.MaxOptimizationThreads),
		PreventUnoptimized: o.PreventUnoptimized.ValueBoolPointer(),
	}
}

// wire leaves what is at its default to the server.
func (w walModel) wire() *client.WAL {
	if w == (walModel{
		types.Int64Value(defaultWALCapacityMB), types.Int64Value(defaultWALSegmentsAhead), types.Int64Value(defaultWALRetainClosed),
	}) {
		return nil
	}
	return &client.WAL{CapacityMB: uint64Of(w.CapacityMB), SegmentsAhead: uint64Of(w.SegmentsAhead), RetainClosed: uint64Of(w.RetainClosed)}
}

// observe returns prior with everything that the server keeps replaced by what it says.
func observe(ctx context.Context, prior model, c *client.Collection) (model, diag.Diagnostics) {
	out := prior
	out.Name = types.StringValue(c.Name)
	out.ShardNumber = types.Int64Value(int64(c.ShardNumber))
	out.ShardingMethod = types.StringValue(autoSharding)
	if c.CustomSharding {
		out.ShardingMethod = types.StringValue(customSharding)
	}
	out.ReadFanOutFactor = types.Int64Value(0)
	if c.ReadFanOutFactor != nil {
		out.ReadFanOutFactor = types.Int64Value(int64(*c.ReadFanOutFactor))
	}
	out.ReadFanOutDelayMS = int64OrNull(c.ReadFanOutDelayMS)
	out.ReplicationFactor = types.Int64Value(int64(max(c.ReplicationFactor, 1)))
	out.WriteConsistencyFactor = types.Int64Value(int64(max(c.WriteConsistencyFactor, 1)))
	out.WriteConsistency = observedWord(prior.WriteConsistency, out.WriteConsistencyFactor, out.ReplicationFactor)
	out.OnDiskPayload = types.BoolValue(c.OnDiskPayload)
	if out.DeletionProtection.IsNull() || out.DeletionProtection.IsUnknown() { // just imported
		out.DeletionProtection = types.BoolValue(false)
	}
	if out.Heal.IsNull() || out.Heal.IsUnknown() {
		out.Heal = types.BoolValue(false)
	}
	diags := diag.Diagnostics{}
	set := func(target *types.Object, v types.Object, d diag.Diagnostics) { *target = v; diags.Append(d...) }
	hnsw, d := types.ObjectValueFrom(ctx, hnswTypes(), observeGraph(c.HNSW))
	set(&out.HNSW, hnsw, d)
	optimizers, d := types.ObjectValueFrom(ctx, optimizersTypes(), observeOptimizers(c.Optimizers))
	set(&out.Optimizers, optimizers, d)
	wal, d := types.ObjectValueFrom(ctx, walTypes(), observeWAL(c.WAL))
	set(&out.WAL, wal, d)
	set(&out.Quantization, observeQuantization(prior.Quantization, c.Quantization), nil)
	set(&out.StrictMode, observeStrict(prior.StrictMode, c.Strict), nil)
	vectors, d := observeVectors(ctx, prior.Vectors, c.Vectors)
	diags.Append(d...)
	out.Vectors = vectors
	sparse, d := observeSparse(ctx, c.SparseVectors)
	diags.Append(d...)
	out.SparseVectors = sparse
	metadata, d := types.MapValueFrom(ctx, types.StringType, metadataText(c.Metadata))
	diags.Append(d...)
	out.Metadata = metadata
	return out, diags
}

func observeWAL(w client.WAL) walModel {
	return walModel{
		CapacityMB: int64Or(w.CapacityMB, defaultWALCapacityMB), SegmentsAhead: int64Or(w.SegmentsAhead, defaultWALSegmentsAhead),
		RetainClosed: int64Or(w.RetainClosed, defaultWALRetainClosed),
	}
}

func observeGraph(h client.HNSW) hnswModel {
	out := hnswModel{
		M: int64Or(h.M, defaultM), EfConstruct: int64Or(h.EfConstruct, defaultEfConstruct),
		FullScanThreshold:  int64Or(h.FullScanThreshold, defaultFullScanThreshold),
		MaxIndexingThreads: int64Or(h.MaxIndexingThreads, defaultMaxIndexingThreads),
		OnDisk:             boolOf(h.OnDisk),
	}
	out.PayloadM = int64Or(h.PayloadM, out.M.ValueInt64()) // unset on the server means m
	return out
}

func observeOptimizers(o client.Optimizers) optimizersModel {
	out := optimizersModel{
		DeletedThreshold:       types.Float64Value(defaultDeletedThreshold),
		VacuumMinVectorNumber:  int64Or(o.VacuumMinVectorNumber, defaultVacuumMinVectorNumber),
		DefaultSegmentNumber:   int64Or(o.DefaultSegmentNumber, defaultSegmentNumber),
		MaxSegmentSize:         int64OrNull(o.MaxSegmentSize),
		MemmapThreshold:        int64Or(o.MemmapThreshold, 0),
		IndexingThreshold:      int64Or(o.IndexingThreshold, defaultIndexingThreshold),
		FlushIntervalSec:       int64Or(o.FlushIntervalSec, defaultFlushIntervalSec),
		MaxOptimizationThreads: int64OrNull(o.MaxOptimizationThreads),
		PreventUnoptimized:     boolOf(o.PreventUnoptimized),
	}
	if o.DeletedThreshold != nil {
		out.DeletedThreshold = types.Float64Value(*o.DeletedThreshold)
	}
	return out
}

// metadataText renders JSON values as text: strings as they are, everything else as JSON.
func metadataText(metadata map[string]any) map[string]string {
	out := map[string]string{}
	for key, value := range metadata {
		if text, ok := value.(string); ok {
			out[key] = text
			continue
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			encoded = []byte(fmt.Sprint(value)) // NaN and infinity, which JSON has not
		}
		out[key] = string(encoded)
	}
	return out
}

func uint32Of(v types.Int64) *uint32 {
	if v.IsNull() || v.IsUnknown() {
		return nil
	}
	n := uint32(v.ValueInt64())
	return &n
}

func uint64Of(v types.Int64) *uint64 {
	if v.IsNull() || v.IsUnknown() {
		return nil
	}
	n := uint64(v.ValueInt64())
	return &n
}

func int64Or(v *uint64, fallback int64) types.Int64 {
	if v == nil {
		return types.Int64Value(fallback)
	}
	return types.Int64Value(int64(*v))
}

func int64OrNull(v *uint64) types.Int64 {
	if v == nil {
		return types.Int64Null()
	}
	return types.Int64Value(int64(*v))
}

// boolOf takes what the server does not say for false, which is the default of every switch here.
func boolOf(v *bool) types.Bool { return types.BoolValue(v != nil && *v) }
