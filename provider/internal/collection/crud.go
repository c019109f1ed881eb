package collection

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// Create declares the collection and waits for its replicas. From the moment it exists, the state says so: when only
// the replicas are late, a warning tells what is missing, because an error would make Terraform delete and re-create
// a collection that is as declared and may be in use.
func (c *collection) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !c.session.Ready(&resp.Diagnostics) {
		return
	}
	timeout, diags := plan.Timeouts.Create(ctx, createTimeout)
	resp.Diagnostics.Append(diags...)
	spec, diags := plan.spec(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := c.create(ctx, spec); err != nil {
		createFailed(spec.Name, err, &resp.Diagnostics)
		return
	}
	session.Identify(ctx, resp.Identity, identity{plan.Name}, &resp.Diagnostics)
	if spec.CustomSharding {
		tflog.Info(ctx, "shards come with shard keys", map[string]any{"collection": spec.Name})
	} else {
		c.settleCreated(ctx, spec, &resp.Diagnostics)
	}
	var unset error
	if spec.ReadFanOutDelayMS != nil || valueOf(spec.ReadFanOutFactor) > 0 { // a creation cannot say these
		if unset = c.update(ctx, spec, &resp.Diagnostics); unset != nil { // an error would have the next apply delete the collection
			resp.Diagnostics.AddWarning("Collection was created, but its read fan-out could not be set",
				unset.Error()+". The next plan shows it, and the next apply sets it.")
		}
	}
	reached, err := c.readBack(ctx, plan, &resp.Diagnostics)
	if err != nil { // it exists: the state must say so, the next refresh fills in the rest
		resp.Diagnostics.AddWarning("Collection was created but could not be read back", err.Error())
		reached = plan.known()
	}
	if unset != nil { // as planned, as it has to be after a creation; the next refresh tells what is real
		reached.ReadFanOutFactor, reached.ReadFanOutDelayMS = plan.ReadFanOutFactor, plan.known().ReadFanOutDelayMS
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, reached)...)
}

// settleCreated waits for the replicas of a new collection; whatever keeps them is a warning.
func (c *collection) settleCreated(ctx context.Context, spec wanted, diags *diag.Diagnostics) {
	if _, err := c.settle(ctx, spec, diags); err != nil {
		diags.AddWarning("Replicas are not all in place yet", fmt.Sprintf("Collection %q exists as declared, but waiting for its "+
			"replicas ended early: %s. The cluster goes on by itself; the data source ostraka_collection_placement shows how far it is.", spec.Name, err))
	}
}

func createFailed(name string, err error, diags *diag.Diagnostics) {
	if client.IsExists(err) {
		session.Exists(typeName, fmt.Sprintf("There is a collection (or an alias) named %q", name), name, path.Root("name"), err, diags)
		return
	}
	diags.AddError("Cannot create collection "+name, err.Error())
}

// Read brings the state to what the server says. Only NotFound removes the resource.
func (c *collection) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	session.Identify(ctx, resp.Identity, identity{state.Name}, &resp.Diagnostics)
	if !c.session.Online() {
		return // the provider's configuration is unknown: keep what we have
	}
	found, err := c.session.Client.GetCollection(ctx, state.Name.ValueString())
	if client.IsNotFound(err) {
		tflog.Warn(ctx, "collection is gone", map[string]any{"collection": state.Name.ValueString()})
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot read collection "+state.Name.ValueString(), err.Error())
		return
	}
	c.warnForeign(found, &resp.Diagnostics)
	observed, diags := observe(ctx, state, found)
	resp.Diagnostics.Append(diags...)
	if session.IsUnfinished(ctx, req.Private) || state.Heal.ValueBool() {
		if c.overlay(ctx, &observed) {
			session.MarkUnfinished(ctx, resp.Private, false, &resp.Diagnostics)
		}
	} else {
		observed.Unfinished = types.StringNull()
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, observed)...)
}

// warnForeign tells of settings that another client has made and that this resource cannot show.
func (c *collection) warnForeign(found *client.Collection, diags *diag.Diagnostics) {
	if len(found.Foreign) == 0 || !c.session.First("foreign-settings", found.Name) {
		return
	}
	diags.AddWarning("Collection has settings that are not managed here", fmt.Sprintf(
		"Collection %q has %s, which this version of the provider leaves alone: changes of them are not shown, and a replacement loses them.",
		found.Name, strings.Join(found.Foreign, ", ")))
}

// Update changes the collection step by step and waits for the placement where replicas are concerned. However it
// ends, the state holds what was reached.
func (c *collection) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !c.session.Ready(&resp.Diagnostics) {
		return
	}
	session.Identify(ctx, resp.Identity, identity{plan.Name}, &resp.Diagnostics)
	timeout, diags := plan.Timeouts.Update(ctx, updateTimeout)
	resp.Diagnostics.Append(diags...)
	spec, diags := plan.spec(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := c.update(ctx, spec, &resp.Diagnostics)
	joins := !state.Unfinished.IsNull() || plan.Heal.ValueBool() && !state.Heal.ValueBool()
	if err == nil && (joins || moves(state, plan)) { // also what was declared before, and is not reached yet
		err = c.reach(ctx, spec, plan.Heal.ValueBool(), &resp.Diagnostics)
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot change collection "+spec.Name, err.Error()+"\n\nWhat was reached is in the state; the next apply goes on from there.")
	}
	base := plan
	if resp.Diagnostics.HasError() {
		base.DeletionProtection, base.Timeouts, base.Heal = state.DeletionProtection, state.Timeouts, state.Heal
	}
	reached, err := c.readBack(ctx, base, &resp.Diagnostics)
	if err != nil {
		resp.Diagnostics.AddError("Cannot read back collection "+spec.Name, err.Error()+"\n\nThe state is left as it was before.")
		return
	}
	unfinished := resp.Diagnostics.HasError() && !c.overlayReached(ctx, &reached)
	session.MarkUnfinished(ctx, resp.Private, unfinished, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, reached)...)
}

// Delete deletes the collection; one that is gone already is fine.
func (c *collection) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !c.session.Ready(&resp.Diagnostics) {
		return
	}
	protect(change{state: &state}, &resp.Diagnostics) // a plan may be older than the protection
	timeout, diags := state.Timeouts.Delete(ctx, deleteTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := c.remove(ctx, state.Name.ValueString()); err != nil {
		resp.Diagnostics.AddError("Cannot delete collection "+state.Name.ValueString(), err.Error())
	}
}

// readBack reads what there is, also after ctx has ended: what was reached must get into the state.
func (c *collection) readBack(ctx context.Context, base model, diags *diag.Diagnostics) (model, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBack)
	defer cancel()
	found, err := c.session.Client.GetCollection(ctx, base.Name.ValueString())
	if err != nil {
		return base, err
	}
	observed, d := observe(ctx, base, found)
	diags.Append(d...)
	return observed, nil
}
