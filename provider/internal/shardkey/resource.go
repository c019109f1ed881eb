// Package shardkey is the resource ostraka_shard_key: a group of shards of a collection with custom sharding, to which those
// points go whose writer names the key.
//
// It owns how a key is written and what its numbers are when they are left out. It promises that a key which holds points
// is not deleted while it is protected, that its shards and their copies change in place and its apply waits for them, and that only an
// answer without the key removes it from the state.
package shardkey

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/resourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/describe"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// typeName is the resource's name in configurations.
const typeName = "ostraka_shard_key"

// How long operations may take unless the timeouts attribute says otherwise; readBack is what finding out an outcome gets.
const (
	createTimeout = 5 * time.Minute
	updateTimeout = 2 * time.Hour
	deleteTimeout = 10 * time.Minute
	readBack      = 10 * time.Second
	planDeadline  = 3 * time.Second
)

// nameRule is the server's for collections.
var nameRule = regexp.MustCompile("^[^<>:\"/\\\\|?*\\x00\\x1f]*$")

// New returns the resource.
func New() resource.Resource { return &shardKey{} }

type shardKey struct {
	session *session.Data
}

var (
	_ resource.ResourceWithConfigure        = (*shardKey)(nil)
	_ resource.ResourceWithConfigValidators = (*shardKey)(nil)
	_ resource.ResourceWithIdentity         = (*shardKey)(nil)
	_ resource.ResourceWithImportState      = (*shardKey)(nil)
	_ resource.ResourceWithModifyPlan       = (*shardKey)(nil)
)

type model struct {
	Collection         types.String   `tfsdk:"collection"`
	Key                types.String   `tfsdk:"key"`
	KeyNumber          types.Int64    `tfsdk:"key_number"`
	ShardsNumber       types.Int64    `tfsdk:"shards_number"`
	ReplicationFactor  types.Int64    `tfsdk:"replication_factor"`
	Placement          types.Set      `tfsdk:"placement"`
	DeletionProtection types.Bool     `tfsdk:"deletion_protection"`
	Unfinished         types.String   `tfsdk:"unfinished"`
	Timeouts           timeouts.Value `tfsdk:"timeouts"`
}

type identity struct {
	Collection types.String `tfsdk:"collection"`
	Key        types.String `tfsdk:"key"`
	KeyNumber  types.Int64  `tfsdk:"key_number"`
}

func (m model) identity() identity { return identity{m.Collection, m.Key, m.KeyNumber} }

// key is the key as the client knows it.
func (m model) key() client.ShardKey {
	return client.ShardKey{Keyword: m.Key.ValueString(), Number: uint64(m.KeyNumber.ValueInt64())}
}

// id is how the key is imported.
func (m model) id() string { return m.Collection.ValueString() + "/" + m.key().String() }

func (s *shardKey) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName
}

func (s *shardKey) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = describe.Resource(ctx, resourceSchema(ctx), "shard key")
}

func resourceSchema(ctx context.Context) schema.Schema {
	return schema.Schema{
		MarkdownDescription: "A shard key of a collection with `sharding_method = \"custom\"`: a group of shards of its own. A write says to which key its points go, " +
			"a read which keys it asks.\n\nDeleting a key, or replacing it, **deletes its points**.",
		Attributes: map[string]schema.Attribute{
			"collection": schema.StringAttribute{
				Required: true, MarkdownDescription: "Name of the collection.",
				Validators: []validator.String{
					stringvalidator.LengthBetween(1, 255), stringvalidator.RegexMatches(nameRule, "must not contain any of < > : \" / \\ | ? *"),
				},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"key": schema.StringAttribute{
				Optional: true, MarkdownDescription: "The key, if it is a word. Exactly one of `key` and `key_number` is given.",
				Validators:    []validator.String{stringvalidator.LengthBetween(1, 255)},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"key_number": schema.Int64Attribute{
				Optional: true, MarkdownDescription: "The key, if it is a number.",
				Validators:    []validator.Int64{int64validator.Between(0, 1<<53)},
				PlanModifiers: []planmodifier.Int64{int64planmodifier.RequiresReplace()},
			},
			"shards_number": schema.Int64Attribute{
				Optional: true, Computed: true,
				MarkdownDescription: "Number of shards of this key. When it is not set it is the collection's `shard_number`. A change moves points between the key's shards " +
					"while reads and writes go on. **Where the cluster cannot do that, it replaces the key**; the plan shows it.",
				Validators:    []validator.Int64{int64validator.Between(1, 1024)},
				PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			},
			"replication_factor": schema.Int64Attribute{
				Optional: true, Computed: true,
				MarkdownDescription: "Number of replicas of each shard of this key. When it is not set it is the collection's. A change makes or drops copies while " +
					"reads and writes go on. **Where the cluster cannot do that, it replaces the key**; the plan shows it.",
				Validators:    []validator.Int64{int64validator.Between(1, 64)},
				PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			},
			"placement": schema.SetAttribute{
				ElementType: types.Int64Type, Optional: true,
				MarkdownDescription: "Ids of the peers that the key may live on, such as those of one zone from `data.ostraka_cluster`. Not set: all. A change moves copies while " +
					"reads and writes go on. **Where the cluster cannot do that, it replaces the key**; the plan shows it.",
				Validators: []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues()},
			},
			"deletion_protection": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Refuse, already at plan time, to destroy or replace the key while it holds points. Kept in Terraform's state only.",
			},
			"unfinished": session.UnfinishedAttribute(),
			"timeouts":   timeoutsAttribute(ctx),
		},
	}
}

func timeoutsAttribute(ctx context.Context) schema.Attribute {
	attribute, ok := timeouts.Attributes(ctx, timeouts.Opts{
		Create: true, Update: true, Delete: true,
		CreateDescription: "How long to wait for the key's replicas. Default: `5m`. A duration such as `90s` or `1h30m`.",
		UpdateDescription: "How long to wait for a change of its shards and their copies. It goes on in the cluster, and the next apply joins it. Default: `2h`.",
		DeleteDescription: "How long to wait for the deletion. Default: `10m`.",
	}).(schema.SingleNestedAttribute)
	if ok {
		attribute.MarkdownDescription = "How long each operation may take."
	}
	return attribute
}

func (s *shardKey) ConfigValidators(context.Context) []resource.ConfigValidator {
	return []resource.ConfigValidator{resourcevalidator.ExactlyOneOf(path.MatchRoot("key"), path.MatchRoot("key_number"))}
}

func (s *shardKey) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"collection": identityschema.StringAttribute{RequiredForImport: true, Description: "Name of the collection."},
		"key":        identityschema.StringAttribute{OptionalForImport: true, Description: "The key, if it is a word."},
		"key_number": identityschema.Int64Attribute{OptionalForImport: true, Description: "The key, if it is a number."},
	}}
}

func (s *shardKey) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	s.session = session.From(req.ProviderData, &resp.Diagnostics)
}

// ImportState takes COLLECTION/KEY, or both in the identity. A key of digits alone is a number; in quotes it is a word.
func (s *shardKey) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	var id identity
	if req.ID == "" {
		resp.Diagnostics.Append(req.Identity.Get(ctx, &id)...)
	} else {
		collection, key, ok := strings.Cut(req.ID, "/")
		if !ok || collection == "" || key == "" {
			resp.Diagnostics.AddError("Not the id of a shard key", fmt.Sprintf("The id is COLLECTION/KEY, such as docs/eu or docs/7, not %q.", req.ID))
			return
		}
		id = identity{Collection: types.StringValue(collection), Key: types.StringNull(), KeyNumber: types.Int64Null()}
		if n, err := strconv.ParseUint(key, 10, 53); err == nil {
			id.KeyNumber = types.Int64Value(int64(n))
		} else {
			id.Key = types.StringValue(strings.Trim(key, `"`))
		}
	}
	if !resp.Diagnostics.HasError() && id.Key.IsNull() == id.KeyNumber.IsNull() {
		resp.Diagnostics.AddError("Not the identity of a shard key", "Exactly one of key and key_number must be given.")
	}
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("collection"), id.Collection)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("key"), id.Key)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("key_number"), id.KeyNumber)...)
	session.Identify(ctx, resp.Identity, id, &resp.Diagnostics)
}
