package alias

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// Create makes the alias. The server would move one that exists without a word, so it is looked for first.
func (a *alias) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !a.session.Ready(&resp.Diagnostics) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	name := plan.Name.ValueString()
	target, found, err := a.find(ctx, name)
	switch {
	case err != nil:
		resp.Diagnostics.AddError("Cannot list the aliases", err.Error())
		return
	case found:
		session.Exists(typeName, leadsTo(name, target), name, path.Root("name"), nil, &resp.Diagnostics)
		return
	}
	reached, exists := a.lead(ctx, plan, &resp.Diagnostics, client.CreateAlias(name, plan.Collection.ValueString()))
	if exists {
		session.Identify(ctx, resp.Identity, identity{plan.Name}, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, reached)...)
	}
}

// lead makes the actions, which may be repeated, and returns what there is then, which may be as planned also when the
// request failed: its reply may have been lost.
func (a *alias) lead(ctx context.Context, plan model, diags *diag.Diagnostics, actions ...client.AliasAction) (reached model, exists bool) {
	name, collection := plan.Name.ValueString(), plan.Collection.ValueString()
	err := wait.Retry(ctx, "lead alias", func(int) error { return a.session.Client.ChangeAliases(ctx, actions...) })
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBack)
	defer cancel()
	target, found, lookErr := a.find(look, name)
	switch {
	case lookErr == nil && found && target == collection:
	case client.IsNotFound(err):
		diags.AddAttributeError(path.Root("collection"), "No such collection",
			fmt.Sprintf("Alias %q cannot lead to collection %q, which does not exist: %s", name, collection, err))
	case client.IsExists(err):
		diags.AddAttributeError(path.Root("name"), "A collection has this name", fmt.Sprintf("%q cannot be an alias: %s", name, err))
	case err != nil:
		diags.AddError("Cannot let alias "+name+" lead to "+collection, err.Error())
	case lookErr != nil: // it was done: the state must say so
		diags.AddWarning("Alias was changed but could not be read back", lookErr.Error())
		return plan, true
	default:
		diags.AddAttributeError(path.Root("collection"), "The alias leads elsewhere", fmt.Sprintf(
			"Alias %q was to lead to %q, and leads to %q. Is %q an alias, or does somebody else move it?", name, collection, target, collection))
	}
	plan.Collection = types.StringValue(target)
	return plan, found && (err == nil || target == collection)
}

// find returns where the alias of that name leads.
func (a *alias) find(ctx context.Context, name string) (collection string, found bool, err error) {
	var all []client.Alias
	err = wait.Retry(ctx, "list aliases", func(int) (err error) {
		all, err = a.session.Client.ListAliases(ctx)
		return err
	})
	if err != nil {
		return "", false, err
	}
	i := slices.IndexFunc(all, func(one client.Alias) bool { return one.Name == name })
	if i < 0 {
		return "", false, nil
	}
	return all[i].Collection, true, nil
}

// Read brings the state to where the alias leads. Only an answer without it removes it.
func (a *alias) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	session.Identify(ctx, resp.Identity, identity{state.Name}, &resp.Diagnostics)
	if !a.session.Online() {
		return
	}
	name := state.Name.ValueString()
	aliases, err := a.session.Client.ListAliases(ctx)
	if err != nil {
		resp.Diagnostics.AddError("Cannot read alias "+name, err.Error())
		return
	}
	i := slices.IndexFunc(aliases, func(one client.Alias) bool { return one.Name == name })
	if i < 0 {
		tflog.Warn(ctx, "alias is gone", map[string]any{"alias": name})
		resp.State.RemoveResource(ctx)
		return
	}
	state.Collection = types.StringValue(aliases[i].Collection)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

// Update lets the alias lead to another collection: the old one and the new one change places in one request.
func (a *alias) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !a.session.Ready(&resp.Diagnostics) {
		return
	}
	session.Identify(ctx, resp.Identity, identity{plan.Name}, &resp.Diagnostics)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	name := plan.Name.ValueString()
	reached, exists := a.lead(ctx, plan, &resp.Diagnostics, client.DeleteAlias(name), client.CreateAlias(name, plan.Collection.ValueString()))
	if exists { // else the state stays as it was, and the next refresh tells
		resp.Diagnostics.Append(resp.State.Set(ctx, reached)...)
	}
}

// Delete removes the alias; one that is gone already is fine.
func (a *alias) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !a.session.Ready(&resp.Diagnostics) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	name := state.Name.ValueString()
	err := wait.Retry(ctx, "delete alias", func(int) error { return a.session.Client.ChangeAliases(ctx, client.DeleteAlias(name)) })
	if err != nil && !client.IsNotFound(err) {
		resp.Diagnostics.AddError("Cannot delete alias "+name, err.Error())
	}
}
