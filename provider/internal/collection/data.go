package collection

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// NewData returns the data source ostraka_collection.
func NewData() datasource.DataSource { return &data{} }

// data shows one collection: all that the resource declares, and how it is.
type data struct {
	session *session.Data
}

var _ datasource.DataSourceWithConfigure = (*data)(nil)

type dataModel struct {
	Name                   types.String   `tfsdk:"name"`
	Vectors                types.Map      `tfsdk:"vectors"`
	SparseVectors          types.Map      `tfsdk:"sparse_vectors"`
	ShardNumber            types.Int64    `tfsdk:"shard_number"`
	ShardingMethod         types.String   `tfsdk:"sharding_method"`
	ReplicationFactor      types.Int64    `tfsdk:"replication_factor"`
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
	State                  dataState      `tfsdk:"state"`
	PayloadIndexes         types.Map      `tfsdk:"payload_indexes"`
	Aliases                []types.String `tfsdk:"aliases"`
}

// dataState is what nobody declares.
type dataState struct {
	Status         types.String   `tfsdk:"status"`
	OptimizerError types.String   `tfsdk:"optimizer_error"`
	Points         types.Int64    `tfsdk:"points"`
	Warnings       []types.String `tfsdk:"warnings"`
}

func (d *data) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "ostraka_collection"
}

func (d *data) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attrs := shown(resourceSchema(ctx).Attributes)
	for _, ours := range []string{"timeouts", "deletion_protection", "heal", "unfinished", "write_consistency"} {
		delete(attrs, ours)
	}
	attrs["name"] = schema.StringAttribute{Required: true, MarkdownDescription: "Name of the collection, or an alias of it."}
	attrs["payload_indexes"] = schema.MapAttribute{
		ElementType: types.StringType, Computed: true, MarkdownDescription: "The kinds of the indexes of its payloads, by field.",
	}
	attrs["aliases"] = schema.ListAttribute{ElementType: types.StringType, Computed: true, MarkdownDescription: "Its aliases, sorted."}
	attrs["state"] = schema.SingleNestedAttribute{
		Computed: true, MarkdownDescription: "How it is. This changes as points come and go: an output of it makes plans that are not empty.",
		Attributes: map[string]schema.Attribute{
			"status":          schema.StringAttribute{Computed: true, MarkdownDescription: "`green`: all is well. `yellow`: work in the background. `red`: something failed. `grey`: work waits."},
			"optimizer_error": schema.StringAttribute{Computed: true, MarkdownDescription: "Why the work in the background failed; empty when it did not."},
			"points":          schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of points, approximately."},
			"warnings": schema.ListAttribute{
				ElementType: types.StringType, Computed: true, MarkdownDescription: "What is not as declared, in the cluster's words.",
			},
		},
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A collection that somebody else declares: its configuration with all defaults filled in, and how it is.",
		Attributes:          attrs,
	}
}

// shown turns what a resource declares into what a data source shows.
func shown(in map[string]resourceschema.Attribute) map[string]schema.Attribute {
	out := map[string]schema.Attribute{}
	for name, attr := range in {
		text := strings.TrimSpace(attr.GetMarkdownDescription())
		switch a := attr.(type) {
		case resourceschema.StringAttribute:
			out[name] = schema.StringAttribute{Computed: true, MarkdownDescription: text}
		case resourceschema.Int64Attribute:
			out[name] = schema.Int64Attribute{Computed: true, MarkdownDescription: text}
		case resourceschema.Float64Attribute:
			out[name] = schema.Float64Attribute{Computed: true, MarkdownDescription: text}
		case resourceschema.BoolAttribute:
			out[name] = schema.BoolAttribute{Computed: true, MarkdownDescription: text}
		case resourceschema.MapAttribute:
			out[name] = schema.MapAttribute{ElementType: a.ElementType, Computed: true, MarkdownDescription: text}
		case resourceschema.SingleNestedAttribute:
			out[name] = schema.SingleNestedAttribute{Computed: true, MarkdownDescription: text, Attributes: shown(a.Attributes)}
		case resourceschema.MapNestedAttribute:
			out[name] = schema.MapNestedAttribute{
				Computed: true, MarkdownDescription: text, NestedObject: schema.NestedAttributeObject{Attributes: shown(a.NestedObject.Attributes)},
			}
		}
	}
	return out
}

func (d *data) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.session = session.From(req.ProviderData, &resp.Diagnostics)
}

func (d *data) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var name types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &name)...)
	if resp.Diagnostics.HasError() || !d.session.Readable(req, resp) {
		return
	}
	found, err := d.session.Client.GetCollection(ctx, name.ValueString())
	if client.IsNotFound(err) {
		resp.Diagnostics.AddAttributeError(path.Root("name"), "No such collection", fmt.Sprintf(
			"There is no collection %q. If this configuration creates it, give the data source depends_on on its resource.", name.ValueString()))
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot read collection "+name.ValueString(), err.Error())
		return
	}
	aliases, err := d.session.Client.ListAliases(ctx)
	if err != nil {
		resp.Diagnostics.AddError("Cannot list the aliases", err.Error())
		return
	}
	m, diags := observe(ctx, model{}, found)
	resp.Diagnostics.Append(diags...)
	out := dataModel{
		Name: name, Vectors: m.Vectors, SparseVectors: m.SparseVectors, ShardNumber: m.ShardNumber, ShardingMethod: m.ShardingMethod,
		ReplicationFactor: m.ReplicationFactor, WriteConsistencyFactor: m.WriteConsistencyFactor, ReadFanOutFactor: m.ReadFanOutFactor,
		ReadFanOutDelayMS: m.ReadFanOutDelayMS, OnDiskPayload: m.OnDiskPayload, HNSW: m.HNSW, Quantization: m.Quantization, Optimizers: m.Optimizers,
		WAL: m.WAL, StrictMode: m.StrictMode, Metadata: m.Metadata, State: stateOf(found), Aliases: []types.String{},
	}
	for _, a := range aliases {
		if a.Collection == name.ValueString() {
			out.Aliases = append(out.Aliases, types.StringValue(a.Name))
		}
	}
	kinds := map[string]string{}
	for field, index := range found.Indexes {
		kinds[field] = string(index.Kind)
	}
	indexes, diags := types.MapValueFrom(ctx, types.StringType, kinds)
	resp.Diagnostics.Append(diags...)
	out.PayloadIndexes = indexes
	resp.Diagnostics.Append(resp.State.Set(ctx, out)...)
}

func stateOf(found *client.Collection) dataState {
	out := dataState{
		Status: types.StringValue(string(found.Status)), OptimizerError: types.StringValue(found.OptimizerError),
		Points: types.Int64Value(int64(found.Points)), Warnings: []types.String{},
	}
	for _, w := range found.Warnings {
		out.Warnings = append(out.Warnings, types.StringValue(w))
	}
	return out
}

// NewDataList returns the data source ostraka_collections.
func NewDataList() datasource.DataSource { return &dataList{} }

// dataList shows which collections there are.
type dataList struct {
	session *session.Data
}

var _ datasource.DataSourceWithConfigure = (*dataList)(nil)

type dataListModel struct {
	NamePrefix types.String            `tfsdk:"name_prefix"`
	Names      []types.String          `tfsdk:"names"`
	Aliases    map[string]types.String `tfsdk:"aliases"`
}

func (d *dataList) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "ostraka_collections"
}

func (d *dataList) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The names of the collections and aliases of the cluster.",
		Attributes: map[string]schema.Attribute{
			"name_prefix": schema.StringAttribute{Optional: true, MarkdownDescription: "Only collections whose names begin so, and their aliases. Not set: all."},
			"names":       schema.ListAttribute{ElementType: types.StringType, Computed: true, MarkdownDescription: "The names, sorted."},
			"aliases": schema.MapAttribute{
				ElementType: types.StringType, Computed: true, MarkdownDescription: "The collection that each alias leads to, by the alias.",
			},
		},
	}
}

func (d *dataList) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.session = session.From(req.ProviderData, &resp.Diagnostics)
}

func (d *dataList) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	out := dataListModel{Names: []types.String{}, Aliases: map[string]types.String{}}
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name_prefix"), &out.NamePrefix)...)
	if resp.Diagnostics.HasError() || !d.session.Readable(req, resp) {
		return
	}
	names, err := d.session.Client.ListCollections(ctx)
	if err == nil {
		var aliases []client.Alias
		if aliases, err = d.session.Client.ListAliases(ctx); err == nil {
			for _, a := range aliases {
				if strings.HasPrefix(a.Collection, out.NamePrefix.ValueString()) {
					out.Aliases[a.Name] = types.StringValue(a.Collection)
				}
			}
		}
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot list the collections", err.Error())
		return
	}
	for _, name := range names {
		if strings.HasPrefix(name, out.NamePrefix.ValueString()) {
			out.Names = append(out.Names, types.StringValue(name))
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, out)...)
}
