package collection

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// params is one vector for the wire. What is at its default is left to the server.
func (v vectorModel) params(ctx context.Context) (client.VectorParams, diag.Diagnostics) {
	override, diags := v.override(ctx)
	quantization, d := quantizationOf(ctx, v.Quantization)
	diags.Append(d...)
	return client.VectorParams{
		Size: uint64(v.Size.ValueInt64()), Distance: client.Distance(v.Distance.ValueString()), Datatype: datatypeOf(v.Datatype),
		MultiVector: !v.MultiVector.IsNull(), OnDisk: v.OnDisk.ValueBoolPointer(), HNSW: override, Quantization: quantization,
	}, diags
}

// datatypeOf returns "" for the default.
func datatypeOf(v types.String) client.Datatype {
	if v.ValueString() == string(client.Float32) {
		return ""
	}
	return client.Datatype(v.ValueString())
}

func observeDatatype(d client.Datatype) types.String {
	if d == "" {
		d = client.Float32
	}
	return types.StringValue(string(d))
}

func (v sparseModel) params() client.SparseParams {
	out := client.SparseParams{
		FullScanThreshold: uint64Of(v.FullScanThreshold), OnDisk: v.OnDisk.ValueBoolPointer(), Datatype: datatypeOf(v.Datatype),
		Modifier: v.Modifier.ValueString(),
	}
	if out.Modifier == defaultModifier {
		out.Modifier = ""
	}
	if out.OnDisk != nil && !*out.OnDisk {
		out.OnDisk = nil
	}
	return out
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

func observeVectors(ctx context.Context, prior types.Map, vectors map[string]client.VectorParams) (types.Map, diag.Diagnostics) {
	out := map[string]vectorModel{}
	for name, v := range vectors {
		out[name] = vectorModel{
			Size: types.Int64Value(int64(v.Size)), Distance: types.StringValue(string(v.Distance)),
			Datatype: observeDatatype(v.Datatype), MultiVector: observeMultiVector(v.MultiVector),
			OnDisk: boolOf(v.OnDisk), HNSW: observeOverride(priorObject(prior, name, "hnsw", hnswTypes()), v.HNSW),
			Quantization: observeQuantization(priorObject(prior, name, "quantization", quantizationTypes()), v.Quantization),
		}
	}
	return types.MapValueFrom(ctx, vectorType(), out)
}

func observeMultiVector(multi bool) types.Object {
	if !multi {
		return types.ObjectNull(multiVectorTypes())
	}
	return types.ObjectValueMust(multiVectorTypes(), map[string]attr.Value{"comparator": types.StringValue(maxSim)})
}

func observeSparse(ctx context.Context, vectors map[string]client.SparseParams) (types.Map, diag.Diagnostics) {
	out := map[string]sparseModel{}
	for name, v := range vectors {
		modifier := v.Modifier
		if modifier == "" {
			modifier = defaultModifier
		}
		out[name] = sparseModel{
			Modifier: types.StringValue(modifier), Datatype: observeDatatype(v.Datatype), OnDisk: boolOf(v.OnDisk),
			FullScanThreshold: int64OrNull(v.FullScanThreshold),
		}
	}
	return types.MapValueFrom(ctx, sparseType(), out)
}

// priorObject returns an object of a vector as Terraform last knew it, or null.
func priorObject(prior types.Map, name, attribute string, attrTypes map[string]attr.Type) types.Object {
	none := types.ObjectNull(attrTypes)
	vector, ok := prior.Elements()[name].(types.Object)
	if !ok {
		return none
	}
	override, ok := vector.Attributes()[attribute].(types.Object)
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

// quantizationTypes are the types of quantizationAttribute.
func quantizationTypes() map[string]attr.Type {
	return map[string]attr.Type{
		"scalar":  types.ObjectType{AttrTypes: scalarTypes()},
		"product": types.ObjectType{AttrTypes: productTypes()},
		"binary":  types.ObjectType{AttrTypes: binaryTypes()},
	}
}

func scalarTypes() map[string]attr.Type {
	return map[string]attr.Type{"type": types.StringType, "quantile": types.Float64Type, "always_ram": types.BoolType}
}

func productTypes() map[string]attr.Type {
	return map[string]attr.Type{"compression": types.StringType, "always_ram": types.BoolType}
}

func binaryTypes() map[string]attr.Type {
	return map[string]attr.Type{"encoding": types.StringType, "query_encoding": types.StringType, "always_ram": types.BoolType}
}

type quantizationModel struct {
	Scalar  *scalarModel  `tfsdk:"scalar"`
	Product *productModel `tfsdk:"product"`
	Binary  *binaryModel  `tfsdk:"binary"`
}

type scalarModel struct {
	Type      types.String  `tfsdk:"type"`
	Quantile  types.Float64 `tfsdk:"quantile"`
	AlwaysRAM types.Bool    `tfsdk:"always_ram"`
}

type productModel struct {
	Compression types.String `tfsdk:"compression"`
	AlwaysRAM   types.Bool   `tfsdk:"always_ram"`
}

type binaryModel struct {
	Encoding      types.String `tfsdk:"encoding"`
	QueryEncoding types.String `tfsdk:"query_encoding"`
	AlwaysRAM     types.Bool   `tfsdk:"always_ram"`
}

// quantizationOf returns nil for none. What is at its default is left to the server.
func quantizationOf(ctx context.Context, object types.Object) (*client.Quantization, diag.Diagnostics) {
	if object.IsNull() || object.IsUnknown() {
		return nil, nil
	}
	var m quantizationModel
	diags := object.As(ctx, &m, basetypes.ObjectAsOptions{})
	ram := func(v types.Bool) *bool {
		if !v.ValueBool() {
			return nil
		}
		return v.ValueBoolPointer()
	}
	switch {
	case m.Scalar != nil:
		out := &client.ScalarQuantization{AlwaysRAM: ram(m.Scalar.AlwaysRAM)}
		if !m.Scalar.Quantile.IsNull() {
			quantile := float32(m.Scalar.Quantile.ValueFloat64())
			out.Quantile = &quantile
		}
		return &client.Quantization{Scalar: out}, diags
	case m.Product != nil:
		return &client.Quantization{Product: &client.ProductQuantization{
			Compression: m.Product.Compression.ValueString(), AlwaysRAM: ram(m.Product.AlwaysRAM),
		}}, diags
	case m.Binary != nil:
		out := &client.BinaryQuantization{AlwaysRAM: ram(m.Binary.AlwaysRAM)}
		if e := m.Binary.Encoding.ValueString(); e != client.BinaryEncodings()[0] {
			out.Encoding = e
		}
		if e := m.Binary.QueryEncoding.ValueString(); e != client.QueryEncodings()[0] {
			out.QueryEncoding = e
		}
		return &client.Quantization{Binary: out}, diags
	}
	return nil, diags
}

// observeQuantization keeps a prior quantile that the server's shorter number stands for.
func observeQuantization(prior types.Object, q *client.Quantization) types.Object {
	if q == nil {
		return types.ObjectNull(quantizationTypes())
	}
	values := map[string]attr.Value{
		"scalar": types.ObjectNull(scalarTypes()), "product": types.ObjectNull(productTypes()), "binary": types.ObjectNull(binaryTypes()),
	}
	or := func(text string, fallback []string) types.String {
		if text == "" {
			text = fallback[0]
		}
		return types.StringValue(text)
	}
	switch {
	case q.Scalar != nil:
		values["scalar"] = types.ObjectValueMust(scalarTypes(), map[string]attr.Value{
			"type": types.StringValue("Int8"), "quantile": observeQuantile(prior, q.Scalar.Quantile), "always_ram": boolOf(q.Scalar.AlwaysRAM),
		})
	case q.Product != nil:
		values["product"] = types.ObjectValueMust(productTypes(), map[string]attr.Value{
			"compression": types.StringValue(q.Product.Compression), "always_ram": boolOf(q.Product.AlwaysRAM),
		})
	case q.Binary != nil:
		values["binary"] = types.ObjectValueMust(binaryTypes(), map[string]attr.Value{
			"encoding": or(q.Binary.Encoding, client.BinaryEncodings()), "query_encoding": or(q.Binary.QueryEncoding, client.QueryEncodings()),
			"always_ram": boolOf(q.Binary.AlwaysRAM),
		})
	}
	return types.ObjectValueMust(quantizationTypes(), values)
}

func observeQuantile(prior types.Object, quantile *float32) types.Float64 {
	scalar, _ := prior.Attributes()["scalar"].(types.Object)
	return observeFloat(attributeOf[types.Float64](scalar, "quantile"), quantile)
}

// oneKind demands exactly one of an object's attributes.
type oneKind struct{}

func (oneKind) Description(context.Context) string { return "exactly one of its attributes is given" }

func (o oneKind) MarkdownDescription(ctx context.Context) string { return o.Description(ctx) }

func (oneKind) ValidateObject(_ context.Context, req validator.ObjectRequest, resp *validator.ObjectResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	given := 0
	for _, value := range req.ConfigValue.Attributes() {
		if value.IsUnknown() {
			return
		}
		if !value.IsNull() {
			given++
		}
	}
	if given != 1 {
		resp.Diagnostics.AddAttributeError(req.Path, "Exactly one kind", "Exactly one of scalar, product and binary must be given.")
	}
}
