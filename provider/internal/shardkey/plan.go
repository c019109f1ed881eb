package shardkey

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// ModifyPlan replaces the key where the cluster cannot change it in place, protects its points, and asks the cluster what comes of the plan.
func (s *shardKey) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if !s.session.Online() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, planDeadline)
	defer cancel()
	var state, plan *model
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if !req.Plan.Raw.IsNull() {
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	}
	switch {
	case resp.Diagnostics.HasError():
	case plan == nil:
		s.protect(ctx, *state, "destroy", &resp.Diagnostics)
	case state == nil:
		s.check(ctx, change{plan: *plan}, &resp.Diagnostics)
	default:
		s.modify(ctx, *state, *plan, req, resp)
	}
}

func (s *shardKey) modify(ctx context.Context, state, plan model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	replaces := !state.Collection.Equal(plan.Collection) || !state.Key.Equal(plan.Key) || !state.KeyNumber.Equal(plan.KeyNumber)
	ch := change{state: &state, plan: plan}
	if !replaces && ch.any() {
		replaces = s.replaceWhatCannotChange(ctx, ch, resp)
	}
	if replaces {
		s.protect(ctx, state, "replace", &resp.Diagnostics)
		return
	}
	// What is not declared is the collection's, which may change in the same apply; of what is unfinished the state shows how far it is.
	for attribute, planned := range map[string]*types.Int64{"replication_factor": &ch.plan.ReplicationFactor, "shards_number": &ch.plan.ShardsNumber} {
		var own types.Int64
		resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root(attribute), &own)...)
		if own.IsNull() && (!state.Unfinished.IsNull() || ch.any() && attribute == "replication_factor") {
			*planned = types.Int64Unknown()
			resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root(attribute), *planned)...)
		}
	}
	s.check(ctx, ch, &resp.Diagnostics)
}

// replaceWhatCannotChange replaces the key for what the cluster cannot do in place, and reports whether it does. A cluster that cannot be asked is
// taken for one that can.
func (s *shardKey) replaceWhatCannotChange(ctx context.Context, ch change, resp *resource.ModifyPlanResponse) (replaces bool) {
	can, err := s.session.Capabilities(ctx)
	if err != nil {
		return false
	}
	for _, c := range []struct {
		attribute   string
		changes, in bool // in place
		why         string
	}{
		{"shards_number", ch.cuts(), can.ReshardKeys, "cut shards anew"},
		{"replication_factor", ch.copies(), can.UpdateKeys, "change the number of a shard key's replicas"},
		{"placement", ch.places(), can.UpdateKeys, "move a shard key"},
	} {
		if !c.changes || c.in {
			continue
		}
		replaces = true
		resp.RequiresReplace.Append(path.Root(c.attribute))
		if s.session.First("replaced because of "+c.attribute, ch.state.id()) {
			resp.Diagnostics.AddAttributeWarning(path.Root(c.attribute), "The change replaces the shard key", fmt.Sprintf(
				"The cluster cannot %s in place: shard key %s is deleted with its points and created anew.", c.why, ch.state.id()))
		}
	}
	return replaces
}

// protect refuses to lose points, and warns of points that are lost.
func (s *shardKey) protect(ctx context.Context, state model, act string, diags *diag.Diagnostics) {
	points, err := s.points(ctx, state)
	switch {
	case err == nil && points == 0:
	case state.DeletionProtection.ValueBool():
		text := fmt.Sprintf("holds %d points", points)
		if err != nil {
			text = "may hold points: " + err.Error()
		}
		diags.AddAttributeError(path.Root("deletion_protection"), "Shard key is protected against deletion", fmt.Sprintf(
			"The plan would %s shard key %s, which %s. Move or delete them, or apply deletion_protection = false first.", act, state.id(), text))
	case err == nil && s.session.First("loses points", state.id()):
		diags.AddWarning("Points are deleted with the shard key", fmt.Sprintf("Shard key %s holds %d points; to %s it deletes them.", state.id(), points, act))
	}
}

// points counts the points of the key, each once.
func (s *shardKey) points(ctx context.Context, m model) (uint64, error) {
	placements, err := s.session.Client.Placement(ctx, m.Collection.ValueString())
	if client.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	total := uint64(0)
	for _, p := range placements {
		for _, shard := range p.Shards {
			if shard.Key == nil || *shard.Key != m.key() || len(shard.Replicas) == 0 {
				continue
			}
			total += slices.MaxFunc(shard.Replicas, func(a, b client.ReplicaPlacement) int { return int(a.Points) - int(b.Points) }).Points
		}
	}
	return total, nil
}
