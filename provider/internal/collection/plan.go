package collection

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
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
	checkNames(config, &resp.Diagnostics)
	checkStrict(config, &resp.Diagnostics)
}

// checkNames demands at least one vector, and one name for one vector.
func checkNames(m model, diags *diag.Diagnostics) {
	if m.Vectors.IsUnknown() || m.SparseVectors.IsUnknown() {
		return
	}
	if len(m.Vectors.Elements())+len(m.SparseVectors.Elements()) == 0 {
		diags.AddAttributeError(path.Root("vectors"), "No vectors", "A collection needs at least one vector, in vectors or in sparse_vectors.")
	}
	for name := range m.SparseVectors.Elements() {
		if _, ok := m.Vectors.Elements()[name]; ok {
			diags.AddAttributeError(path.Root("sparse_vectors").AtMapKey(name), "Two vectors of one name",
				fmt.Sprintf("%q is the name of a vector in vectors, too.", name))
		}
	}
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

// ModifyPlan decides between changing in place and replacing where that depends on what the cluster can do, protects against
// deletion, and asks the live cluster whether it can fulfil the plan, what that takes, and whether all is as declared.
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
	ctx, cancel := context.WithTimeout(ctx, planDeadline)
	defer cancel()
	change := change{state: state, plan: plan}
	if state != nil && plan != nil {
		keepsGoing(ctx, change, req, resp)
		change.replaces = replaces(*state, *plan)
		c.decide(ctx, &change, resp)
	}
	protect(change, &resp.Diagnostics)
	if plan == nil {
		return
	}
	checkFactor(*plan, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || !c.session.Online() || c.session.Checks == session.Off {
		return
	}
	c.check(ctx, change, &resp.Diagnostics)
}

// keepsGoing leaves the number of shards to what the cluster is on its way to, where none is declared and the state shows how far that is.
func keepsGoing(ctx context.Context, ch change, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var own types.Int64
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("shard_number"), &own)...)
	if !own.IsNull() || ch.state.Unfinished.IsNull() {
		return
	}
	ch.plan.ShardNumber = types.Int64Unknown()
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("shard_number"), ch.plan.ShardNumber)...)
}

// change is a plan for one collection: to create, change, replace or, with a nil plan, destroy it.
type change struct {
	state, plan *model
	replaces    bool
}

// renews reports whether a new collection comes of it.
func (ch change) renews() bool { return ch.plan != nil && (ch.state == nil || ch.replaces) }

// decide replaces the collection for what the cluster cannot do in place. A cluster that cannot be asked is taken for one
// that can: the apply would say otherwise.
func (c *collection) decide(ctx context.Context, ch *change, resp *resource.ModifyPlanResponse) {
	state, plan := *ch.state, *ch.plan
	shards := differs(state.ShardNumber, plan.ShardNumber) && !plan.ShardNumber.IsUnknown()
	names := namesDiffer(state, plan)
	if ch.replaces || !shards && !names || !c.session.Online() {
		return
	}
	can, err := c.session.Capabilities(ctx)
	if err != nil {
		c.warnUnchecked(err, &resp.Diagnostics)
		return
	}
	custom := plan.ShardingMethod.ValueString() == customSharding
	if shards && (!can.Reshard || custom) {
		ch.replaces = true
		resp.RequiresReplace.Append(path.Root("shard_number"))
		c.sayReplaced("shard_number", whyShards(can, custom), plan.Name.ValueString(), &resp.Diagnostics)
	}
	if names && !can.Vectors {
		ch.replaces = true
		resp.RequiresReplace.Append(path.Root("vectors"), path.Root("sparse_vectors"))
		c.sayReplaced("vectors", "The cluster cannot add or remove a vector in place", plan.Name.ValueString(), &resp.Diagnostics)
	}
}

func whyShards(can session.Capabilities, custom bool) string {
	switch {
	case custom:
		return "With sharding_method = \"custom\" the number of shards of a new key cannot change in place"
	case !can.Ostraka:
		return "A plain Qdrant cannot change the number of shards in place"
	}
	return "The nodes are of a version that cannot change the number of shards in place"
}

// sayReplaced explains a replacement that other clusters would not need.
func (c *collection) sayReplaced(attribute, why, name string, diags *diag.Diagnostics) {
	if c.session.First("replaced because of "+attribute, name) {
		diags.AddAttributeWarning(path.Root(attribute), "The change replaces the collection",
			fmt.Sprintf("%s: collection %q is deleted with its points and created anew.", why, name))
	}
}

// protect refuses to lose a protected collection. What counts is the protection in the state, so that lifting it and
// deleting take two applies.
func protect(ch change, diags *diag.Diagnostics) {
	if ch.state == nil || !ch.state.DeletionProtection.ValueBool() {
		return
	}
	switch {
	case ch.plan == nil:
		diags.AddAttributeError(path.Root("deletion_protection"), "Collection is protected against deletion",
			protectedText(ch.state.Name.ValueString(), "destroy it"))
	case ch.replaces:
		diags.AddAttributeError(path.Root("deletion_protection"), "Collection is protected against replacement",
			protectedText(ch.state.Name.ValueString(), "replace it, and so delete its points"))
	}
}

func protectedText(name, act string) string {
	return fmt.Sprintf("The plan would %s, but collection %q has deletion_protection = true. To go on, apply "+
		"deletion_protection = false first.", act, name)
}

// replaces reports whether the plan differs from the state in what no node can change in place. It restates the schema's
// plan modifiers, whose verdict the framework does not pass on; a test holds the two together.
func replaces(state, plan model) bool {
	if differs(state.Name, plan.Name) || differs(state.ShardingMethod, plan.ShardingMethod) || differs(state.WAL, plan.WAL) {
		return true
	}
	return elementsReplace(state.Vectors, plan.Vectors, "size", "distance", "datatype", "multivector") ||
		elementsReplace(state.SparseVectors, plan.SparseVectors, "datatype")
}

// elementsReplace compares attributes of the elements that both maps have. What is not known yet counts as different.
func elementsReplace(state, plan types.Map, attributes ...string) bool {
	if plan.IsUnknown() {
		return true
	}
	before := state.Elements()
	for name, after := range plan.Elements() {
		planned, ok := after.(types.Object)
		old, existed := before[name].(types.Object)
		if !ok || planned.IsUnknown() {
			return true
		}
		for _, attribute := range attributes {
			if existed && differs(old.Attributes()[attribute], planned.Attributes()[attribute]) {
				return true
			}
		}
	}
	return false
}

// namesDiffer reports whether vectors come or go.
func namesDiffer(state, plan model) bool {
	return !sameNames(state.Vectors.Elements(), plan.Vectors.Elements()) || !sameNames(state.SparseVectors.Elements(), plan.SparseVectors.Elements())
}

func differs(before, after attr.Value) bool { return !before.Equal(after) }
