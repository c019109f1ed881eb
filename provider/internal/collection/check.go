package collection

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/forecast"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/quorum"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// check asks the cluster about a plan: whether it can be fulfilled, what it moves, and whether what was declared before is
// so. It never changes the plan.
func (c *collection) check(ctx context.Context, ch change, diags *diag.Diagnostics) {
	if ch.state != nil && !ch.replaces {
		c.checkDrift(ctx, ch, diags)
	}
	if !ch.renews() && !moves(*ch.state, *ch.plan) && !differs(ch.state.WriteConsistencyFactor, ch.plan.WriteConsistencyFactor) {
		return // a peer that is away must not block what has nothing to do with it
	}
	name, replicas := ch.plan.Name.ValueString(), ch.plan.ReplicationFactor
	single := replicas.ValueInt64() == 1 && (ch.renews() || differs(ch.state.ReplicationFactor, replicas))
	if single && c.session.First("one-replica", name) {
		diags.AddAttributeWarning(path.Root("replication_factor"), "A lost node loses its data",
			fmt.Sprintf("Collection %q keeps one replica of each shard: the points on a node whose disk is lost are gone. Set "+
				"replication_factor = 2 or more to survive that, or plan_checks = \"off\" to silence all checks.", name))
	}
	if ch.plan.Name.IsUnknown() || replicas.IsUnknown() || ch.plan.WriteConsistencyFactor.IsUnknown() {
		return
	}
	cluster, err := c.session.Client.Cluster(ctx)
	if err != nil {
		c.warnUnchecked(err, diags)
		return
	}
	foreseen, err := c.session.Client.PlanCollection(ctx, hypothesis(ch, cluster))
	switch {
	case client.IsUnsupported(err):
		c.checkPeers(ch, cluster, diags)
	case err != nil:
		c.warnUnchecked(err, diags)
	default:
		c.findings(ch, single).Say(foreseen, diags)
		if !ch.renews() {
			c.sayMoves(ch, cluster, foreseen, diags)
		}
	}
}

// hypothesis is the change as the cluster is asked about it. A number of shards that is left to the cluster is what it will
// choose: one per peer.
func hypothesis(ch change, cluster *client.Cluster) client.CollectionChange {
	out := client.CollectionChange{
		Collection: ch.plan.Name.ValueString(), ShardNumber: uint32Of(ch.plan.ShardNumber),
		ReplicationFactor: uint32Of(ch.plan.ReplicationFactor), WriteConsistencyFactor: uint32Of(ch.plan.WriteConsistencyFactor),
		CustomSharding: ch.plan.ShardingMethod.ValueString() == customSharding,
	}
	if out.ShardNumber == nil && ch.renews() {
		peers := uint32(max(1, len(cluster.Peers)))
		out.ShardNumber = &peers
	}
	return out
}

// findings is what a plan has to say of a collection.
func (c *collection) findings(ch change, singleSaid bool) forecast.Findings {
	return forecast.Findings{
		Session: c.session, Subject: ch.plan.Name.ValueString(), Fails: ch.grows,
		Silent: func(f client.Finding) bool { return f.Code == "single_copy" && singleSaid },
	}
}

// grows reports whether the change asks for more of what a finding is about: what asks for less, or for the same, never fails
// because there is too little. That too few copies work now is what a change of their number, and healing, are for.
func (ch change) grows(f client.Finding) bool {
	if ch.renews() {
		return true
	}
	if f.Code == "quorum_unreachable" && f.Field == "" {
		return differs(ch.state.ShardNumber, ch.plan.ShardNumber)
	}
	switch f.Field {
	case "replication_factor":
		return ch.plan.ReplicationFactor.ValueInt64() > ch.state.ReplicationFactor.ValueInt64()
	case "write_consistency_factor":
		return ch.plan.WriteConsistencyFactor.ValueInt64() > ch.state.WriteConsistencyFactor.ValueInt64()
	case "shard_number":
		return differs(ch.state.ShardNumber, ch.plan.ShardNumber)
	}
	return true
}

// sayMoves tells what a change of a collection in use costs, and what it leads to.
func (c *collection) sayMoves(ch change, cluster *client.Cluster, p *client.Plan, diags *diag.Diagnostics) {
	at, what := "write_consistency_factor", []string{}
	note := func(attribute, noun string, before, after types.Int64) {
		if differs(before, after) && !after.IsUnknown() {
			at = attribute
			what = append(what, fmt.Sprintf("%d -> %d %s", before.ValueInt64(), after.ValueInt64(), noun))
		}
	}
	note("write_consistency_factor", "copies for a write to count", ch.state.WriteConsistencyFactor, ch.plan.WriteConsistencyFactor)
	note("replication_factor", "replicas", ch.state.ReplicationFactor, ch.plan.ReplicationFactor)
	note("shard_number", "shards", ch.state.ShardNumber, ch.plan.ShardNumber)
	if len(what) == 0 || !c.session.First("moves", ch.plan.Name.ValueString()) {
		return // it goes on with what it has begun
	}
	text := fmt.Sprintf("Collection %q: %s. %s %s", ch.plan.Name.ValueString(), strings.Join(what, ", "), forecast.Cost(p),
		quorum.Proof(uint32(ch.plan.ReplicationFactor.ValueInt64()), uint32(ch.plan.WriteConsistencyFactor.ValueInt64())))
	if differs(ch.state.ShardNumber, ch.plan.ShardNumber) && !ch.plan.ShardNumber.IsUnknown() {
		text += quorum.ShardAdvice(uint32(ch.plan.ShardNumber.ValueInt64()), uint32(wait.Living(cluster)))
	}
	if p.Paused {
		text += " The cluster is paused: nothing moves until it is let go on."
	}
	diags.AddAttributeWarning(path.Root(at), "What the change does", text)
}

// checkPeers compares the declared replicas with the living peers, for nodes that foresee nothing.
func (c *collection) checkPeers(ch change, cluster *client.Cluster, diags *diag.Diagnostics) {
	replicas, alive := ch.plan.ReplicationFactor.ValueInt64(), wait.Living(cluster)
	grows := ch.renews() || replicas > ch.state.ReplicationFactor.ValueInt64()
	if replicas <= int64(alive) || !grows {
		return
	}
	const summary = "More replicas than peers"
	name, at := ch.plan.Name.ValueString(), path.Root("replication_factor")
	text := fmt.Sprintf("Collection %q declares %d replicas of each shard, each on another peer, but %s.", name, replicas, wait.Alive(alive))
	switch {
	case c.session.Checks == session.Error:
		diags.AddAttributeError(at, summary, text+" Start more nodes, lower replication_factor, or set plan_checks = \"warn\" in the "+
			"provider block to accept missing replicas, which the cluster makes when peers join.")
	case c.session.First("too-few-peers", name):
		diags.AddAttributeWarning(at, summary, text+" The missing replicas are made when peers join.")
	}
}

// checkDrift tells what is not as it was declared, although the declaration is not what changes.
func (c *collection) checkDrift(ctx context.Context, ch change, diags *diag.Diagnostics) {
	name := ch.state.Name.ValueString()
	p, found, err := c.session.Placement(ctx, name)
	if err != nil || !found {
		return // who cannot be asked is told of elsewhere, if it matters
	}
	if p.TargetShardNumber != 0 && p.TargetShardNumber != p.ShardNumber && c.session.First("resharding", name) {
		diags.AddAttributeWarning(path.Root("shard_number"), "Points are moving between shards", fmt.Sprintf(
			"Collection %q is being cut into %d shards; there are %d so far. Reads and writes go on.", name, p.TargetShardNumber, p.ShardNumber))
	}
	if problem := wait.Missing(p); problem != "" && c.session.First("drift", name) {
		text := fmt.Sprintf("Collection %q is not as declared: %s.", name, problem)
		if !ch.plan.Heal.ValueBool() {
			text += " The cluster makes missing copies by itself where it can; with heal = true that is a change in the plan, and the apply waits for it."
		}
		diags.AddAttributeWarning(path.Root("replication_factor"), "Copies are missing", text)
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
