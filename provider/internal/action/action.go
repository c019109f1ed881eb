// Package action is the actions ostraka_rebalance and ostraka_drain: what is done once, and leaves nothing to declare.
//
// It promises that an action returns when the cluster is done, tells how far it is meanwhile, and that one which is cut short
// goes on in the cluster and is joined by the next.
package action

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// timeout bounds an action that names no other.
const timeout = 2 * time.Hour

// NewRebalance returns the action ostraka_rebalance.
func NewRebalance() action.Action { return &rebalance{} }

// NewDrain returns the action ostraka_drain.
func NewDrain() action.Action { return &drain{} }

type base struct {
	session *session.Data
}

func (b *base) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	b.session = session.From(req.ProviderData, &resp.Diagnostics)
}

func timeoutAttribute() schema.Attribute {
	return schema.StringAttribute{
		Optional: true, MarkdownDescription: "How long to wait, such as `90s` or `1h30m`. It goes on in the cluster; invoked again, the action joins it. Default: `2h`.",
		Validators: []validator.String{stringvalidator.LengthAtLeast(2)},
	}
}

// begin gives an action its time.
func (b *base) begin(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) (context.Context, context.CancelFunc, bool) {
	var given types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("timeout"), &given)...)
	bound := timeout
	if !given.IsNull() {
		parsed, err := time.ParseDuration(given.ValueString())
		if err != nil || parsed <= 0 {
			resp.Diagnostics.AddAttributeError(path.Root("timeout"), "Not a duration", fmt.Sprintf("%q is not a duration such as 90s or 1h30m.", given.ValueString()))
		}
		bound = parsed
	}
	if resp.Diagnostics.HasError() || !b.session.Ready(&resp.Diagnostics) {
		return ctx, func() {}, false
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	return ctx, cancel, true
}

// follow tells how far an operation is until it ends.
func (b *base) follow(ctx context.Context, o *client.Operation, resp *action.InvokeResponse) error {
	if o == nil {
		resp.SendProgress(action.InvokeProgressEvent{Message: "there is nothing to do"})
		return nil
	}
	return wait.Telling(ctx, b.session.Client, *o, func(now client.Operation) {
		resp.SendProgress(action.InvokeProgressEvent{Message: wait.Progress(now)})
	})
}

type rebalance struct{ base }

var _ action.ActionWithConfigure = (*rebalance)(nil)

func (*rebalance) Metadata(_ context.Context, _ action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = "ostraka_rebalance"
}

func (*rebalance) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Lets replicas that were placed by hand be placed by the cluster again, evens out what the peers hold, and waits for it. Needs Terraform 1.14 " +
			"and an Ostraka cluster.",
		Attributes: map[string]schema.Attribute{
			"collection": schema.StringAttribute{Optional: true, MarkdownDescription: "Only this collection. Not set: all."},
			"timeout":    timeoutAttribute(),
		},
	}
}

func (r *rebalance) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var name types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("collection"), &name)...)
	ctx, cancel, ok := r.begin(ctx, req, resp)
	defer cancel()
	if !ok {
		return
	}
	var operation *client.Operation
	err := wait.Retry(ctx, "rebalance", func(int) (err error) {
		operation, err = r.session.Client.Rebalance(ctx, name.ValueString())
		return err
	})
	if err == nil {
		err = r.follow(ctx, operation, resp)
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot rebalance", err.Error())
	}
}

type drain struct{ base }

var _ action.ActionWithConfigure = (*drain)(nil)

func (*drain) Metadata(_ context.Context, _ action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = "ostraka_drain"
}

func (*drain) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Drains a peer: its replicas move to other peers, and it gets no new ones until it is made active again. Waits until it is empty. A peer that " +
			"an `ostraka_peer` declares is drained there. Needs Terraform 1.14 and an Ostraka cluster.",
		Attributes: map[string]schema.Attribute{
			"peer":    schema.StringAttribute{Required: true, MarkdownDescription: "Name of the node."},
			"timeout": timeoutAttribute(),
		},
	}
}

func (d *drain) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var name types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("peer"), &name)...)
	ctx, cancel, ok := d.begin(ctx, req, resp)
	defer cancel()
	if !ok {
		return
	}
	if err := d.drain(ctx, name.ValueString(), resp); err != nil {
		resp.Diagnostics.AddError("Cannot drain peer "+name.ValueString(), err.Error())
	}
}

func (d *drain) drain(ctx context.Context, name string, resp *action.InvokeResponse) error {
	var id client.PeerID
	err := wait.Retry(ctx, "find peer", func(int) error {
		cluster, err := d.session.Client.Cluster(ctx)
		if err != nil {
			return err
		}
		for _, p := range cluster.Peers {
			if p.Name == name && !p.Replaced {
				id = p.ID
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if id == 0 {
		return &client.Error{Class: client.ClassNotFound, Message: "no peer of this name is a member of the cluster"}
	}
	var operation *client.Operation
	draining := client.PeerDraining
	err = wait.Retry(ctx, "drain", func(int) (err error) {
		_, operation, err = d.session.Client.UpdatePeer(ctx, id, client.PeerUpdate{State: &draining})
		return err
	})
	if err != nil {
		return err
	}
	return d.follow(ctx, operation, resp)
}
