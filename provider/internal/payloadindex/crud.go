package payloadindex

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// Create declares the index. The server would replace one that exists without a word, so it is looked for first.
func (p *payloadIndex) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !p.session.Ready(&resp.Diagnostics) {
		return
	}
	timeout, diags := plan.Timeouts.Create(ctx, changeTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, found, err := p.find(ctx, plan)
	id := plan.Collection.ValueString() + "/" + plan.Field.ValueString()
	switch {
	case err != nil:
		p.failed("Cannot create the index of "+id, err, &resp.Diagnostics)
		return
	case found:
		session.Exists(typeName, fmt.Sprintf("Field %q of collection %q has an index", plan.Field.ValueString(), plan.Collection.ValueString()), id,
			path.Root("field"), nil, &resp.Diagnostics)
		return
	}
	reached, exists := p.declare(ctx, plan, &resp.Diagnostics)
	if exists {
		session.Identify(ctx, resp.Identity, plan.identity(), &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, reached)...)
	}
}

// declare asks for the index until the outcome is known, and returns what there is then.
func (p *payloadIndex) declare(ctx context.Context, plan model, diags *diag.Diagnostics) (reached model, exists bool) {
	want, d := plan.declared(ctx)
	diags.Append(d...)
	if diags.HasError() {
		return plan, false
	}
	name, field := plan.Collection.ValueString(), plan.Field.ValueString()
	err := wait.Retry(ctx, "create payload index", func(int) error { return p.session.Client.CreateFieldIndex(ctx, name, field, want) })
	if err != nil {
		p.failed("Cannot create the index of "+name+"/"+field, err, diags)
		if !client.OutcomeUnknown(err) {
			return plan, false
		}
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBack)
	defer cancel()
	shown, found, lookErr := p.find(look, plan)
	switch {
	case lookErr != nil && err == nil: // it was declared: the state must say so, the next refresh shows it
		diags.AddWarning("Index was created but could not be read back", lookErr.Error())
		return plan, true
	case lookErr != nil || !found:
		if err == nil {
			diags.AddError("The index is not there", fmt.Sprintf("Field %q of collection %q was given an index, and has none: does somebody else remove it?", field, name))
		}
		return plan, false
	}
	reached, d = observe(ctx, plan, shown)
	diags.Append(d...)
	return reached, true
}

// find returns the index as the server shows it.
func (p *payloadIndex) find(ctx context.Context, m model) (index client.FieldIndex, found bool, err error) {
	var collection *client.Collection
	err = wait.Retry(ctx, "look for the payload index", func(int) (err error) {
		collection, err = p.session.Client.GetCollection(ctx, m.Collection.ValueString())
		return err
	})
	if err != nil {
		return client.FieldIndex{}, false, err
	}
	index, found = collection.Indexes[m.Field.ValueString()]
	return index, found, nil
}

func (p *payloadIndex) failed(summary string, err error, diags *diag.Diagnostics) {
	if client.IsNotFound(err) {
		diags.AddAttributeError(path.Root("collection"), "No such collection", err.Error())
		return
	}
	diags.AddError(summary, err.Error())
}

// Read brings the state to what the schema says. Only an answer without the collection, or without the field, removes it.
func (p *payloadIndex) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	session.Identify(ctx, resp.Identity, state.identity(), &resp.Diagnostics)
	if !p.session.Online() {
		return
	}
	collection, err := p.session.Client.GetCollection(ctx, state.Collection.ValueString())
	id := state.Collection.ValueString() + "/" + state.Field.ValueString()
	if err != nil && !client.IsNotFound(err) {
		resp.Diagnostics.AddError("Cannot read the index of "+id, err.Error())
		return
	}
	if err == nil {
		if index, ok := collection.Indexes[state.Field.ValueString()]; ok {
			observed, diags := observe(ctx, state, index)
			resp.Diagnostics.Append(diags...)
			resp.Diagnostics.Append(resp.State.Set(ctx, observed)...)
			return
		}
	}
	tflog.Warn(ctx, "payload index is gone", map[string]any{"index": id})
	resp.State.RemoveResource(ctx)
}

// Update declares another index of the field, which replaces the one that it has.
func (p *payloadIndex) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !p.session.Ready(&resp.Diagnostics) {
		return
	}
	session.Identify(ctx, resp.Identity, plan.identity(), &resp.Diagnostics)
	timeout, diags := plan.Timeouts.Update(ctx, changeTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reached, exists := p.declare(ctx, plan, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		reached.Timeouts = state.Timeouts
	}
	if exists { // else the state stays as it was, and the next refresh tells
		resp.Diagnostics.Append(resp.State.Set(ctx, reached)...)
	}
}

// Delete removes the index; one that is gone already, alone or with its collection, is fine.
func (p *payloadIndex) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !p.session.Ready(&resp.Diagnostics) {
		return
	}
	timeout, diags := state.Timeouts.Delete(ctx, changeTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	name, field := state.Collection.ValueString(), state.Field.ValueString()
	err := wait.Retry(ctx, "delete payload index", func(int) error { return p.session.Client.DeleteFieldIndex(ctx, name, field) })
	if err != nil && !client.IsNotFound(err) {
		resp.Diagnostics.AddError("Cannot delete the index of "+name+"/"+field, err.Error())
	}
}
