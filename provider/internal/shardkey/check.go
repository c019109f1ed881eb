package shardkey

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/forecast"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// change is a plan for one key: to create it (state is nil), or to change it in place.
type change struct {
	state *model
	plan  model
}

func (ch change) differs(of func(model) attr.Value) bool {
	planned := of(ch.plan)
	return ch.state == nil || !planned.IsUnknown() && !of(*ch.state).Equal(planned)
}

// What changes of a key in place; of a new one, all.
func (ch change) cuts() bool { return ch.differs(func(m model) attr.Value { return m.ShardsNumber }) }
func (ch change) copies() bool {
	return ch.differs(func(m model) attr.Value { return m.ReplicationFactor })
}
func (ch change) places() bool { return ch.differs(func(m model) attr.Value { return m.Placement }) }
func (ch change) any() bool    { return ch.cuts() || ch.copies() || ch.places() }

// check asks the cluster what a plan leads to. It never changes the plan. A key of a collection that does not exist yet is looked at when it
// is applied.
func (s *shardKey) check(ctx context.Context, ch change, diags *diag.Diagnostics) {
	if s.session.Checks == session.Off || ch.plan.Collection.IsUnknown() || ch.plan.Key.IsUnknown() || ch.plan.KeyNumber.IsUnknown() || ch.plan.Placement.IsUnknown() {
		return
	}
	if !ch.any() {
		return // a peer that is away must not block what has nothing to do with it
	}
	hypothesis, err := ch.hypothesis(ctx)
	if err != nil {
		diags.Append(err...)
		return
	}
	foreseen, asked := s.session.Client.PlanCollection(ctx, hypothesis)
	switch {
	case client.IsNotFound(asked), client.IsUnsupported(asked), errors.Is(asked, client.ErrNotOstraka):
	case asked != nil:
		if s.session.First("unreachable", "") {
			diags.AddWarning("The cluster could not be asked about the plan", "The plan itself does not depend on it: "+asked.Error()+".")
		}
	default:
		forecast.Findings{Session: s.session, Subject: ch.plan.id(), Fails: ch.grows, At: attributeOf}.Say(foreseen, diags)
		if ch.state != nil {
			s.sayMoves(ch, foreseen, diags)
		}
	}
}

// hypothesis is the change as the cluster is asked about it: what is left to the cluster is left out.
func (ch change) hypothesis(ctx context.Context) (client.CollectionChange, diag.Diagnostics) {
	key := ch.plan.key()
	out := client.CollectionChange{Collection: ch.plan.Collection.ValueString(), ShardKey: &key}
	if ch.cuts() {
		out.ShardNumber = number(ch.plan.ShardsNumber)
	}
	update, diags := ch.update(ctx)
	out.ReplicationFactor, out.Placement = update.ReplicationFactor, update.Placement
	return out, diags
}

// update is what changes of the copies.
func (ch change) update(ctx context.Context) (update client.ShardKeyUpdate, diags diag.Diagnostics) {
	if ch.copies() {
		update.ReplicationFactor = number(ch.plan.ReplicationFactor)
	}
	if ch.places() {
		spec, problems := ch.plan.spec(ctx)
		if update.Placement, diags = spec.Placement, problems; ch.state != nil && update.Placement == nil {
			update.Placement = []client.PeerID{} // all, where there were some
		}
	}
	return update, diags
}

func number(v types.Int64) *uint32 {
	if v.IsNull() || v.IsUnknown() {
		return nil
	}
	n := uint32(v.ValueInt64())
	return &n
}

// grows reports whether the change asks for more of what a finding is about: what was so before never fails a plan.
func (ch change) grows(f client.Finding) bool {
	switch {
	case ch.state == nil, f.Code == "refused":
		return true
	case f.Field == "shard_number", f.Code == "quorum_unreachable" && f.Field == "":
		return ch.cuts()
	case f.Field == "replication_factor":
		return ch.copies() && ch.plan.ReplicationFactor.ValueInt64() > ch.state.ReplicationFactor.ValueInt64() || ch.places()
	}
	return true
}

// attributeOf is the attribute that a field of a plan's findings is called here.
func attributeOf(field string) string {
	switch field {
	case "shard_number":
		return "shards_number"
	case "shard_key", "write_consistency_factor":
		return "" // a word or a number; and the collection's
	}
	return field
}

// sayMoves tells what a change of a key in use costs.
func (s *shardKey) sayMoves(ch change, p *client.Plan, diags *diag.Diagnostics) {
	if !s.session.First("moves", ch.plan.id()) {
		return
	}
	at, what := "placement", []string{}
	note := func(changes bool, attribute, text string) {
		if changes {
			at, what = attribute, append(what, text)
		}
	}
	note(ch.places(), "placement", "it is placed elsewhere")
	note(ch.copies(), "replication_factor", fmt.Sprintf("%d -> %d replicas", ch.state.ReplicationFactor.ValueInt64(), ch.plan.ReplicationFactor.ValueInt64()))
	note(ch.cuts(), "shards_number", fmt.Sprintf("%d -> %d shards", ch.state.ShardsNumber.ValueInt64(), ch.plan.ShardsNumber.ValueInt64()))
	text := fmt.Sprintf("Shard key %s: %s. %s", ch.plan.id(), strings.Join(what, ", "), forecast.Cost(p))
	if p.Paused {
		text += " The cluster is paused: nothing moves until it is let go on."
	}
	diags.AddAttributeWarning(path.Root(at), "What the change does", text)
}
