package collection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// planDeadline bounds what a plan waits for the cluster, all endpoints together.
const planDeadline = 3 * time.Second

// ValidateConfig checks what needs no cluster and no defaults.
func (c *collection) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if config.ReplicationFactor.IsNull() {
		config.ReplicationFactor = types.Int64Value(defaultReplicationFactor)
	}
	checkFactor(config, &resp.Diagnostics)
}

// checkFactor refuses a write consistency that could never be met.
func checkFactor(m model, diags *diag.Diagnostics) {
	factor, replicas := m.WriteConsistencyFactor, m.ReplicationFactor
	if factor.IsNull() || factor.IsUnknown() || replicas.IsUnknown() || factor.ValueInt64() <= replicas.ValueInt64() {
		return
	}
	diags.AddAttributeError(path.Root("write_consistency_factor"), "More acknowledgements than replicas",
		fmt.Sprintf("write_consistency_factor is %d, but replication_factor is %d: no write could ever succeed. Raise "+
			"replication_factor or lower write_consistency_factor.", factor.ValueInt64(), replicas.ValueInt64()))
}

// ModifyPlan protects against deletion and asks the live cluster whether it can fulfil the plan. It never changes it.
func (c *collection) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state, plan *model
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if !req.Plan.Raw.IsNull() {
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	protect(state, plan, &resp.Diagnostics)
	if plan == nil {
		return
	}
	checkFactor(*plan, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || !c.session.Online() || c.session.Checks == session.Off {
		return
	}
	c.checkPlacement(ctx, state, *plan, &resp.Diagnostics)
}

// protect refuses to lose a protected collection. What counts is the protection in the state, so that lifting it and
// deleting take two applies.
func protect(state, plan *model, diags *diag.Diagnostics) {
	if state == nil || !state.DeletionProtection.ValueBool() {
		return
	}
	switch {
	case plan == nil:
		diags.AddAttributeError(path.Root("deletion_protection"), "Collection is protected against deletion",
			protectedText(state.Name.ValueString(), "destroy it"))
	case replaces(*state, *plan):
		diags.AddAttributeError(path.Root("deletion_protection"), "Collection is protected against replacement",
			protectedText(state.Name.ValueString(), "replace it, and so delete its points"))
	}
}

func protectedText(name, act string) string {
	return fmt.Sprintf("The plan would %s, but collection %q has deletion_protection = true. To go on, apply "+
		"deletion_protection = false first.", act, name)
}

// replaces reports whether the plan differs from the state in what a node cannot change in place. It restates the
// schema's plan modifiers, whose verdict the framework does not pass on; a test holds the two together.
func replaces(state, plan model) bool {
	if differs(state.Name, plan.Name) || differs(state.ShardNumber, plan.ShardNumber) {
		return true
	}
	if plan.Vectors.IsUnknown() {
		return true
	}
	before, after := state.Vectors.Elements(), plan.Vectors.Elements()
	if !sameNames(before, after) {
		return true
	}
	for name := range after {
		if vectorReplaces(before[name], after[name]) {
			return true
		}
	}
	return false
}

func vectorReplaces(before, after attr.Value) bool {
	old, ok := before.(types.Object)
	planned, okay := after.(types.Object)
	if !ok || !okay || planned.IsUnknown() {
		return true
	}
	return differs(old.Attributes()["size"], planned.Attributes()["size"]) ||
		differs(old.Attributes()["distance"], planned.Attributes()["distance"])
}

func differs(before, after attr.Value) bool { return !before.Equal(after) }

// checkPlacement compares the declared replicas with the living peers. A collection whose replicas do not change is
// never refused: a dead peer must not block unrelated changes.
func (c *collection) checkPlacement(ctx context.Context, state *model, plan model, diags *diag.Diagnostics) {
	if plan.ReplicationFactor.IsUnknown() {
		return
	}
	renewed := state == nil || replaces(*state, plan)
	if !renewed && plan.ReplicationFactor.Equal(state.ReplicationFactor) {
		return
	}
	replicas := plan.ReplicationFactor.ValueInt64()
	name := plan.Name.ValueString()
	at := path.Root("replication_factor")
	if replicas == 1 && c.session.First("one-replica", name) {
		diags.AddAttributeWarning(at, "A lost node loses its data",
			fmt.Sprintf("Collection %q keeps one replica of each shard: the points on a node whose disk is lost are gone. Set "+
				"replication_factor = 2 or more to survive that, or plan_checks = \"off\" to silence all checks.", name))
	}
	ctx, cancel := context.WithTimeout(ctx, planDeadline)
	defer cancel()
	cluster, err := c.session.Client.Cluster(ctx)
	if err != nil {
		c.warnUnchecked(err, diags)
		return
	}
	grows := renewed || replicas > state.ReplicationFactor.ValueInt64()
	if alive := wait.Living(cluster); replicas > int64(alive) && grows {
		c.tooFewPeers(at, name, replicas, alive, diags)
	}
}

func (c *collection) tooFewPeers(at path.Path, name string, replicas int64, alive int, diags *diag.Diagnostics) {
	const summary = "More replicas than peers"
	text := fmt.Sprintf("Collection %q declares %d replicas of each shard, each on another peer, but %d peers are alive.", name, replicas, alive)
	switch {
	case c.session.Checks == session.Error:
		diags.AddAttributeError(at, summary, text+" Start more nodes, lower replication_factor, or set plan_checks = \"warn\" in the "+
			"provider block to accept missing replicas, which the cluster makes when peers join.")
	case c.session.First("too-few-peers", name):
		diags.AddAttributeWarning(at, summary, text+" The missing replicas are made when peers join.")
	}
}

// warnUnchecked says once that plans could not be checked against the cluster.
func (c *collection) warnUnchecked(err error, diags *diag.Diagnostics) {
	if errors.Is(err, client.ErrNotOstraka) {
		if c.session.First("foreign", "") {
			diags.AddWarning("Plans are not checked against the cluster", err.Error()+".")
		}
		return
	}
	if c.session.First("unreachable", "") {
		diags.AddWarning("The cluster could not be asked about the plan",
			"The plan itself does not depend on it, but whether there are enough peers is not known: "+err.Error()+".")
	}
}
