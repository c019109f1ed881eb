package collection

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
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
	hnsw       hnswModel
	optimizers optimizersModel
	metadata   map[string]string
}

func (m model) parts(ctx context.Context) (parts, diag.Diagnostics) {
	var p parts
	var diags diag.Diagnostics
	strict := basetypes.ObjectAsOptions{}
	diags.Append(m.Vectors.ElementsAs(ctx, &p.vectors, false)...)
	diags.Append(m.HNSW.As(ctx, &p.hnsw, strict)...)
	diags.Append(m.Optimizers.As(ctx, &p.optimizers, strict)...)
	diags.Append(m.Metadata.ElementsAs(ctx, &p.metadata, false)...)
	return p, diags
}

// spec is what the plan asks the server to create.
func (m model) spec(ctx context.Context) (client.CollectionSpec, diag.Diagnostics) {
	p, diags := m.parts(ctx)
	spec := client.CollectionSpec{
		Name:                   m.Name.ValueString(),
		Vectors:                map[string]client.VectorParams{},
		ShardNumber:            uint32Of(m.ShardNumber),
		ReplicationFactor:      uint32Of(m.ReplicationFactor),
		WriteConsistencyFactor: uint32Of(m.WriteConsistencyFactor),
		OnDiskPayload:          m.OnDiskPayload.ValueBoolPointer(),
		HNSW:                   p.hnsw.graph(),
		Optimizers:             p.optimizers.wire(),
		Metadata:               map[string]any{},
	}
	for name, v := range p.vectors {
		override, d := v.override(ctx)
		diags.Append(d...)
		spec.Vectors[name] = client.VectorParams{
			Size: uint64(v.Size.ValueInt64()), Distance: client.Distance(v.Distance.ValueString()),
			OnDisk: v.OnDisk.ValueBoolPointer(), HNSW: override,
		}
	}
	for key, text := range p.metadata {
		spec.Metadata[key] = text
	}
	return spec, diags
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

// override is a vector's own graph settings, nil when it has none (an empty object has none either).
func (v vectorModel) override(ctx context.Context) (*client.HNSW, diag.Diagnostics) {
	if v.HNSW.IsNull() || v.HNSW.IsUnknown() {
		return nil, nil
	}
	var h hnswModel
	diags := v.HNSW.As(ctx, &h, basetypes.ObjectAsOptions{})
	out := h.wire()
	if *out == (client.HNSW{}) {
		return nil, diags
	}
	return out, diags
}

// observe returns prior with everything that the server keeps replaced by what it says.
func observe(ctx context.Context, prior model, c *client.Collection) (model, diag.Diagnostics) {
	out := prior
	out.Name = types.StringValue(c.Name)
	out.ShardNumber = types.Int64Value(int64(c.ShardNumber))
	out.ReplicationFactor = types.Int64Value(int64(max(c.ReplicationFactor, 1)))
	out.WriteConsistencyFactor = types.Int64Value(int64(max(c.WriteConsistencyFactor, 1)))
	out.WriteConsistency = observedWord(prior.WriteConsistency, out.WriteConsistencyFactor, out.ReplicationFactor)
	out.OnDiskPayload = types.BoolValue(c.OnDiskPayload)
	if out.DeletionProtection.IsNull() || out.DeletionProtection.IsUnknown() { // just imported
		out.DeletionProtection = types.BoolValue(false)
	}
	diags := diag.Diagnostics{}
	set := func(target *types.Object, v types.Object, d diag.Diagnostics) { *target = v; diags.Append(d...) }
	hnsw, d := types.ObjectValueFrom(ctx, hnswTypes(), observeGraph(c.HNSW))
	set(&out.HNSW, hnsw, d)
	optimizers, d := types.ObjectValueFrom(ctx, optimizersTypes(), observeOptimizers(c.Optimizers))
	set(&out.Optimizers, optimizers, d)
	vectors, d := observeVectors(ctx, prior.Vectors, c.Vectors)
	diags.Append(d...)
	out.Vectors = vectors
	metadata, d := types.MapValueFrom(ctx, types.StringType, metadataText(c.Metadata))
	diags.Append(d...)
	out.Metadata = metadata
	return out, diags
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

func observeVectors(ctx context.Context, prior types.Map, vectors map[string]client.VectorParams) (types.Map, diag.Diagnostics) {
	out := map[string]vectorModel{}
	for name, v := range vectors {
		out[name] = vectorModel{
			Size: types.Int64Value(int64(v.Size)), Distance: types.StringValue(string(v.Distance)),
			OnDisk: boolOf(v.OnDisk), HNSW: observeOverride(priorOverride(prior, name), v.HNSW),
		}
	}
	return types.MapValueFrom(ctx, vectorType(), out)
}

// priorOverride returns the hnsw object of a vector as Terraform last knew it, or null.
func priorOverride(prior types.Map, name string) types.Object {
	none := types.ObjectNull(hnswTypes())
	vector, ok := prior.Elements()[name].(types.Object)
	if !ok {
		return none
	}
	override, ok := vector.Attributes()["hnsw"].(types.Object)
	if !ok || override.IsNull() || override.IsUnknown() {
		return none
	}
	return override
}

// observeOverride keeps an object that was declared without any setting: the server cannot tell it from none.
func observeOverride(prior types.Object, h *client.HNSW) types.Object {
	if h == nil || *h == (client.HNSW{}) {
		for _, value := range prior.Attributes() {
			if !value.IsNull() {
				return types.ObjectNull(hnswTypes())
			}
		}
		return prior
	}
	onDisk := types.BoolPointerValue(h.OnDisk)
	return types.ObjectValueMust(hnswTypes(), map[string]attr.Value{
		"m": int64OrNull(h.M), "ef_construct": int64OrNull(h.EfConstruct),
		"full_scan_threshold": int64OrNull(h.FullScanThreshold), "max_indexing_threads": int64OrNull(h.MaxIndexingThreads),
		"on_disk": onDisk, "payload_m": int64OrNull(h.PayloadM),
	})
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
