// Package payloadindex is the resource ostraka_payload_index: the index of one field of a collection's payloads.
//
// It owns which settings each kind of index has and what they are when they are left out. It promises that an index that
// somebody else has made is not taken over unseen, that a change says in the plan that it builds the index anew, and that
// only a schema without the field removes it from the state. It never touches payloads.
package payloadindex

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/resourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/describe"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// typeName is the resource's name in configurations.
const typeName = "ostraka_payload_index"

// How long a change may take unless the timeouts attribute says otherwise; readBack is what finding out its outcome gets.
const (
	changeTimeout = 30 * time.Minute
	readBack      = 10 * time.Second
)

// New returns the resource.
func New() resource.Resource { return &payloadIndex{} }

type payloadIndex struct {
	session *session.Data
}

var (
	_ resource.ResourceWithConfigure        = (*payloadIndex)(nil)
	_ resource.ResourceWithConfigValidators = (*payloadIndex)(nil)
	_ resource.ResourceWithIdentity         = (*payloadIndex)(nil)
	_ resource.ResourceWithImportState      = (*payloadIndex)(nil)
	_ resource.ResourceWithModifyPlan       = (*payloadIndex)(nil)
)

// model is the resource as Terraform holds it: exactly one of the kinds is not null.
type model struct {
	Collection types.String   `tfsdk:"collection"`
	Field      types.String   `tfsdk:"field"`
	Keyword    types.Object   `tfsdk:"keyword"`
	Integer    types.Object   `tfsdk:"integer"`
	Float      types.Object   `tfsdk:"float"`
	Geo        types.Object   `tfsdk:"geo"`
	Text       types.Object   `tfsdk:"text"`
	Bool       types.Object   `tfsdk:"bool"`
	Datetime   types.Object   `tfsdk:"datetime"`
	UUID       types.Object   `tfsdk:"uuid"`
	Timeouts   timeouts.Value `tfsdk:"timeouts"`
}

type identity struct {
	Collection types.String `tfsdk:"collection"`
	Field      types.String `tfsdk:"field"`
}

func (m model) identity() identity { return identity{m.Collection, m.Field} }

func (p *payloadIndex) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName
}

func (p *payloadIndex) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = describe.Resource(ctx, resourceSchema(ctx), "index")
}

func (p *payloadIndex) ConfigValidators(context.Context) []resource.ConfigValidator {
	var kinds []path.Expression
	for _, kind := range allKinds() {
		kinds = append(kinds, path.MatchRoot(string(kind)))
	}
	return []resource.ConfigValidator{resourcevalidator.ExactlyOneOf(kinds...)}
}

func (p *payloadIndex) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"collection": identityschema.StringAttribute{RequiredForImport: true, Description: "Name of the collection."},
		"field":      identityschema.StringAttribute{RequiredForImport: true, Description: "Path of the payload field."},
	}}
}

func (p *payloadIndex) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	p.session = session.From(req.ProviderData, &resp.Diagnostics)
}

// ImportState takes COLLECTION/FIELD, or both in the identity. A collection's name holds no slash; a field may.
func (p *payloadIndex) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	var id identity
	if req.ID == "" {
		resp.Diagnostics.Append(req.Identity.Get(ctx, &id)...)
	} else {
		collection, field, ok := strings.Cut(req.ID, "/")
		if !ok || collection == "" || field == "" {
			resp.Diagnostics.AddError("Not the id of a payload index", fmt.Sprintf("The id is COLLECTION/FIELD, such as docs/tenant, not %q.", req.ID))
			return
		}
		id = identity{types.StringValue(collection), types.StringValue(field)}
	}
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("collection"), id.Collection)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("field"), id.Field)...)
	session.Identify(ctx, resp.Identity, id, &resp.Diagnostics)
}

// ModifyPlan says that a change is not free.
func (p *payloadIndex) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.State.Raw.IsNull() || req.Plan.Raw.IsNull() {
		return
	}
	var state, plan model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !state.Collection.Equal(plan.Collection) || !state.Field.Equal(plan.Field) {
		return
	}
	for _, kind := range allKinds() {
		before, after := *state.of(kind), *plan.of(kind)
		if after.IsNull() || before.Equal(after) {
			continue
		}
		if p.session == nil || p.session.First("rebuild", plan.Collection.ValueString()+"/"+plan.Field.ValueString()) {
			resp.Diagnostics.AddAttributeWarning(path.Root(string(kind)), "The index is built anew", fmt.Sprintf(
				"A change of the index of field %q of collection %q drops it and builds another. Until that is done, filters by the field look at every point.",
				plan.Field.ValueString(), plan.Collection.ValueString()))
		}
	}
}
