// Package peer is the resource ostraka_peer: what is declared of a node that has joined the cluster, and its end.
//
// It owns the way out: destroying the resource drains the peer, waits until nothing is left on it, and removes it. It
// promises that a peer is never removed while it holds what others lack, that an interrupted drain goes on with the next
// apply, and that only an answer without the peer takes it out of the state. It starts and stops no node.
package peer

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/describe"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// typeName is the resource's name in configurations.
const typeName = "ostraka_peer"

// What happens to the peer when the resource is destroyed.
const (
	remove = "remove"
	forget = "forget"
)

// How long operations may take unless the timeouts attribute says otherwise; readBack is what finding out an outcome gets.
const (
	createTimeout = 10 * time.Minute
	updateTimeout = 6 * time.Hour
	deleteTimeout = 6 * time.Hour
	readBack      = 10 * time.Second
	planDeadline  = 3 * time.Second
)

// New returns the resource.
func New() resource.Resource { return &peer{} }

type peer struct {
	session *session.Data
}

var (
	_ resource.ResourceWithConfigure   = (*peer)(nil)
	_ resource.ResourceWithIdentity    = (*peer)(nil)
	_ resource.ResourceWithImportState = (*peer)(nil)
	_ resource.ResourceWithModifyPlan  = (*peer)(nil)
)

type model struct {
	Name       types.String   `tfsdk:"name"`
	ID         types.Int64    `tfsdk:"id"`
	Zone       types.String   `tfsdk:"zone"`
	Labels     types.Map      `tfsdk:"labels"`
	State      types.String   `tfsdk:"state"`
	OnDestroy  types.String   `tfsdk:"on_destroy"`
	Unfinished types.String   `tfsdk:"unfinished"`
	Timeouts   timeouts.Value `tfsdk:"timeouts"`
}

type identity struct {
	Name types.String `tfsdk:"name"`
}

func (p *peer) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName
}

func (p *peer) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = describe.Resource(ctx, resourceSchema(ctx), "peer")
}

func resourceSchema(ctx context.Context) schema.Schema {
	states := []string{string(client.PeerActive), string(client.PeerDraining), string(client.PeerMaintenance)}
	return schema.Schema{
		MarkdownDescription: "What is declared of a node that has joined the cluster: its zone, its labels, and whether it is to hold replicas.\n\n" +
			"Creating it waits until a node of that name is a member, so that the same apply may start the node. **Destroying it drains the peer, waits until " +
			"nothing is left on it, and removes it from the cluster**; the node itself can then be stopped. It needs an Ostraka cluster.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required: true, MarkdownDescription: "Name of the node (`ostraka serve --name`).",
				Validators:    []validator.String{stringvalidator.LengthBetween(1, 63)},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"id": schema.Int64Attribute{
				Computed:            true,
				MarkdownDescription: "Id of the peer. A node that has lost its disk returns under its name with another one.",
				PlanModifiers:       []planmodifier.Int64{keepID{}},
			},
			"zone": schema.StringAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: "Failure domain; replicas of a shard go to different zones first. When it is not set it is what the node says of itself, or " +
					"what was declared last.",
				Validators:    []validator.String{stringvalidator.LengthAtMost(255)},
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"labels": schema.MapAttribute{
				ElementType: types.StringType, Optional: true, Computed: true,
				Default:             mapdefault.StaticValue(types.MapValueMust(types.StringType, map[string]attr.Value{})),
				MarkdownDescription: "Labels of the peer, for people and for placements by `data.ostraka_cluster`.",
				Validators:          []validator.Map{mapvalidator.NoNullValues()},
			},
			"state": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(string(client.PeerActive)),
				MarkdownDescription: "`active`: it holds replicas. `draining`: its replicas move to other peers, and the apply waits until it is empty. `maintenance`: it " +
					"leads nothing and gets nothing new, and while it is away nothing of it is replaced. Default: `active`.",
				Validators: []validator.String{stringvalidator.OneOf(states...)},
			},
			"on_destroy": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(remove),
				MarkdownDescription: "What destroying the resource does to the peer: `remove` drains and removes it, `forget` leaves it as it is. Default: `remove`.",
				Validators:          []validator.String{stringvalidator.OneOf(remove, forget)},
			},
			"unfinished": session.UnfinishedAttribute(),
			"timeouts":   timeoutsAttribute(ctx),
		},
	}
}

func timeoutsAttribute(ctx context.Context) schema.Attribute {
	attribute, ok := timeouts.Attributes(ctx, timeouts.Opts{
		Create: true, Update: true, Delete: true,
		CreateDescription: "How long to wait for the node to join. Default: `10m`. A duration such as `90s` or `1h30m`.",
		UpdateDescription: "How long to wait for a drain. It goes on in the cluster, and the next apply joins it. Default: `6h`.",
		DeleteDescription: "How long to wait for the drain and the removal. Default: `6h`.",
	}).(schema.SingleNestedAttribute)
	if ok {
		attribute.MarkdownDescription = "How long each operation may take."
	}
	return attribute
}

func (p *peer) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"name": identityschema.StringAttribute{RequiredForImport: true, Description: "Name of the node."},
	}}
}

func (p *peer) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	p.session = session.From(req.ProviderData, &resp.Diagnostics)
}

// ImportState takes the name, as the id or in the identity.
func (p *peer) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughWithIdentity(ctx, path.Root("name"), path.Root("name"), req, resp)
}

// ModifyPlan tells what leaves the peer and what stands against it.
func (p *peer) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.State.Raw.IsNull() || !p.session.Online() || p.session.Checks == session.Off {
		return
	}
	var state, plan *model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if !req.Plan.Raw.IsNull() {
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, planDeadline)
	defer cancel()
	change := client.PeerChange{Peer: client.PeerID(state.ID.ValueInt64())}
	switch {
	case plan == nil && state.OnDestroy.ValueString() == remove:
		found, err := p.find(ctx, state.Name.ValueString())
		if err != nil {
			return // the apply will tell
		}
		// It is drained before it is removed; from one that is away nothing can move.
		if change.Remove = !found.Alive; found.Alive {
			change.State = client.PeerDraining
		}
	case plan != nil && !plan.State.IsUnknown() && !plan.State.Equal(state.State):
		change.State = client.PeerState(plan.State.ValueString())
	default:
		return
	}
	foreseen, err := p.session.Client.PlanPeer(ctx, change)
	if err != nil {
		return // the apply will tell
	}
	for _, f := range foreseen.Findings {
		text := f.Text
		switch {
		case f.Severity == client.SeverityInfo:
		case f.Severity == client.SeverityError && p.session.Checks == session.Error:
			resp.Diagnostics.AddAttributeError(path.Root("state"), "The peer cannot be let go", text+". To let such a plan pass with a warning, set plan_checks = \"warn\" in the provider block.")
		case p.session.First("finding "+f.Code, state.Name.ValueString()+text):
			resp.Diagnostics.AddAttributeWarning(path.Root("state"), "The cluster objects", text)
		}
	}
	if foreseen.Bytes > 0 && p.session.First("moves", state.Name.ValueString()) {
		resp.Diagnostics.AddAttributeWarning(path.Root("state"), "What leaves the peer", fmt.Sprintf(
			"From peer %s about %s move to other peers, in about %s at the cluster's limits.", state.Name.ValueString(), wait.Bytes(foreseen.Bytes),
			foreseen.Duration.Round(time.Second)))
	}
}

// keepID plans the id that the state shows: it changes only when the node loses its disk, and then a refresh shows it.
type keepID struct{}

func (keepID) Description(context.Context) string { return "Stays as it is." }

func (k keepID) MarkdownDescription(ctx context.Context) string { return k.Description(ctx) }

func (keepID) PlanModifyInt64(_ context.Context, req planmodifier.Int64Request, resp *planmodifier.Int64Response) {
	if !req.StateValue.IsNull() {
		resp.PlanValue = req.StateValue
	}
}
