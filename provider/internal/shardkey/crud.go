package shardkey

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// Create declares the key and waits for its replicas; that they are late is a warning, as with a collection.
func (s *shardKey) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !s.session.Ready(&resp.Diagnostics) {
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
	if !s.create(ctx, plan, spec, &resp.Diagnostics) {
		return
	}
	session.Identify(ctx, resp.Identity, plan.identity(), &resp.Diagnostics)
	if _, err := wait.Placement(ctx, s.session.Client, plan.Collection.ValueString()); err != nil && !errors.Is(err, client.ErrNotOstraka) {
		resp.Diagnostics.AddWarning("Replicas are not all in place yet", fmt.Sprintf("Shard key %s exists as declared, but waiting for its replicas "+
			"ended early: %s. The cluster goes on by itself.", plan.id(), err))
	}
	s.readBack(ctx, plan, &resp.Diagnostics, func(m model) diag.Diagnostics { return resp.State.Set(ctx, m) })
}

func (m model) spec(ctx context.Context) (client.ShardKeySpec, diag.Diagnostics) {
	spec := client.ShardKeySpec{
		Key: m.key(), ShardNumber: uint32(m.ShardsNumber.ValueInt64()), ReplicationFactor: uint32(m.ReplicationFactor.ValueInt64()),
	}
	var peers []int64
	diags := m.Placement.ElementsAs(ctx, &peers, false)
	for _, id := range peers {
		spec.Placement = append(spec.Placement, client.PeerID(id))
	}
	return spec, diags
}

// create asks until the key is there. One that was there before is not taken over.
func (s *shardKey) create(ctx context.Context, plan model, spec client.ShardKeySpec, diags *diag.Diagnostics) bool {
	name := plan.Collection.ValueString()
	there := func() (bool, error) {
		keys, err := s.session.Client.ListShardKeys(ctx, name)
		return slices.Contains(keys, spec.Key), err
	}
	found := false
	err := wait.Retry(ctx, "list shard keys", func(int) (err error) { found, err = there(); return err })
	if err == nil && found {
		session.Exists(typeName, fmt.Sprintf("Collection %q has a shard key %s", name, spec.Key), plan.id(), path.Root("key"), nil, diags)
		return false
	}
	if err == nil {
		doubtful := false
		err = wait.Retry(ctx, "create shard key", func(int) error {
			err := s.session.Client.CreateShardKey(ctx, name, spec)
			if doubtful = doubtful || client.OutcomeUnknown(err); err == nil || !doubtful {
				return err
			}
			if found, lookErr := there(); lookErr == nil && found {
				return nil
			}
			return err
		})
	}
	switch {
	case err == nil:
		return true
	case client.IsNotFound(err):
		diags.AddAttributeError(path.Root("collection"), "No such collection", err.Error())
	default:
		diags.AddError("Cannot create shard key "+plan.id(), err.Error())
	}
	return false
}

// observe returns prior with what the cluster says of the key, or, with reached, with what has been reached of it, and what is left; false when
// there is none. Unfinished says that shards or copies are not there as declared.
func (s *shardKey) observe(ctx context.Context, prior model, reached bool) (m model, exists, unfinished bool, err error) {
	m = prior
	if !reached {
		m.Unfinished = types.StringNull()
	}
	keys, err := s.session.Client.ListShardKeys(ctx, prior.Collection.ValueString())
	if client.IsNotFound(err) || err == nil && !slices.Contains(keys, prior.key()) {
		return m, false, false, nil
	}
	if err != nil {
		return m, true, false, err
	}
	if m.DeletionProtection.IsNull() || m.DeletionProtection.IsUnknown() {
		m.DeletionProtection = types.BoolValue(false)
	}
	placements, err := s.session.Client.Placement(ctx, prior.Collection.ValueString())
	if errors.Is(err, client.ErrNotOstraka) {
		return m, true, false, s.observePlain(ctx, &m)
	}
	if err != nil || len(placements) != 1 {
		return m, true, false, err
	}
	for _, k := range placements[0].ShardKeys {
		if k.Key != prior.key() {
			continue
		}
		if k.TargetShardNumber == 0 {
			k.TargetShardNumber = k.ShardNumber
		}
		there := reachedBy(k, placements[0])
		unfinished = k.TargetShardNumber != k.ShardNumber || k.ReplicationFactor != there.ReplicationFactor || !slices.Equal(k.Placement, there.Placement)
		if reached {
			m.Unfinished = left(k, there)
			k = there
		}
		m.ShardsNumber, m.ReplicationFactor = types.Int64Value(int64(k.TargetShardNumber)), types.Int64Value(int64(k.ReplicationFactor))
		m.Placement = types.SetNull(types.Int64Type)
		if len(k.Placement) > 0 {
			ids := make([]attr.Value, len(k.Placement))
			for i, id := range k.Placement {
				ids[i] = types.Int64Value(int64(id))
			}
			m.Placement = types.SetValueMust(types.Int64Type, ids)
		}
	}
	return m, true, unfinished, nil
}

// left says what is not there as declared.
func left(declared, there client.ShardKeyPlacement) types.String {
	var texts []string
	if a, b := declared.TargetShardNumber, there.TargetShardNumber; a != b {
		texts = append(texts, fmt.Sprintf("%d shards are declared, there are %d", a, b))
	}
	if a, b := declared.ReplicationFactor, there.ReplicationFactor; a != b {
		texts = append(texts, fmt.Sprintf("%d replicas are declared, there are %d", a, b))
	}
	if !slices.Equal(declared.Placement, there.Placement) {
		texts = append(texts, "replicas are on peers on which they are not to be")
	}
	return session.Left(texts)
}

// reachedBy is a key's declaration with what there is: as many shards and copies, on the peers that it may be on or still is.
func reachedBy(k client.ShardKeyPlacement, p client.CollectionPlacement) client.ShardKeyPlacement {
	k.TargetShardNumber, k.Placement = k.ShardNumber, slices.Clone(k.Placement)
	declared, most := k.ReplicationFactor, k.ReplicationFactor
	for _, shard := range p.Shards {
		if shard.Key == nil || *shard.Key != k.Key || shard.Pinned {
			continue
		}
		k.ReplicationFactor, most = min(k.ReplicationFactor, shard.ActiveReplicas), max(most, uint32(len(shard.Replicas)))
		for _, r := range shard.Replicas {
			if len(k.Placement) > 0 && !slices.Contains(k.Placement, r.Peer) {
				k.Placement = append(k.Placement, r.Peer)
			}
		}
	}
	if k.ReplicationFactor == declared {
		k.ReplicationFactor = most // while some are left over
	}
	return k
}

// observePlain counts what a plain Qdrant shows: the shards of the key and the replicas of one of them.
func (s *shardKey) observePlain(ctx context.Context, m *model) error {
	setup, err := s.session.Client.Setup(ctx, m.Collection.ValueString())
	if err != nil {
		return err
	}
	replicas := map[uint32]int64{}
	most := int64(0)
	for _, r := range setup.Replicas {
		if r.Key != nil && *r.Key == m.key() {
			replicas[r.Shard]++
			most = max(most, replicas[r.Shard])
		}
	}
	m.ShardsNumber, m.ReplicationFactor = types.Int64Value(int64(len(replicas))), types.Int64Value(most)
	return nil
}

// readBack puts what there is into the state, also after ctx has ended.
func (s *shardKey) readBack(ctx context.Context, base model, diags *diag.Diagnostics, set func(model) diag.Diagnostics) (unfinished bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBack)
	defer cancel()
	m, exists, unfinished, err := s.observe(ctx, base, diags.HasError())
	switch {
	case err != nil: // it exists: the state must say so, the next refresh fills in the rest
		diags.AddWarning("Shard key could not be read back", err.Error())
		diags.Append(set(base.known())...)
	case !exists:
		diags.AddError("The shard key is not there", fmt.Sprintf("Shard key %s was declared, and is gone: does somebody else delete it?", base.id()))
	default:
		diags.Append(set(m.known())...)
	}
	return unfinished
}

// known returns m with null for what only the cluster knows.
func (m model) known() model {
	for _, number := range []*types.Int64{&m.ShardsNumber, &m.ReplicationFactor} {
		if number.IsUnknown() {
			*number = types.Int64Null()
		}
	}
	return m
}

// Read brings the state to what the cluster says. Only an answer without the key removes it.
func (s *shardKey) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	session.Identify(ctx, resp.Identity, state.identity(), &resp.Diagnostics)
	if !s.session.Online() {
		return
	}
	marked := session.IsUnfinished(ctx, req.Private)
	m, exists, unfinished, err := s.observe(ctx, state, marked)
	switch {
	case err != nil:
		resp.Diagnostics.AddError("Cannot read shard key "+state.id(), err.Error())
	case !exists:
		tflog.Warn(ctx, "shard key is gone", map[string]any{"key": state.id()})
		resp.State.RemoveResource(ctx)
	default:
		if marked && !unfinished {
			session.MarkUnfinished(ctx, resp.Private, false, &resp.Diagnostics)
		}
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}

// Update changes the copies of the key's shards, cuts these anew, and waits for both.
func (s *shardKey) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !s.session.Ready(&resp.Diagnostics) {
		return
	}
	session.Identify(ctx, resp.Identity, plan.identity(), &resp.Diagnostics)
	timeout, diags := plan.Timeouts.Update(ctx, updateTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	base := plan
	ch, joins, err := s.since(ctx, state, plan)
	if err != nil {
		resp.Diagnostics.AddError("Cannot read shard key "+plan.id(), err.Error())
		return
	}
	if ch.any() || joins {
		if err := s.change(ctx, ch, &resp.Diagnostics); err != nil {
			resp.Diagnostics.AddError("Cannot change shard key "+plan.id(), err.Error()+"\n\nIt goes on in the cluster; the next apply joins it.")
			base.DeletionProtection, base.Timeouts = state.DeletionProtection, state.Timeouts
		}
	}
	unfinished := s.readBack(ctx, base, &resp.Diagnostics, func(m model) diag.Diagnostics { return resp.State.Set(ctx, m) })
	session.MarkUnfinished(ctx, resp.Private, unfinished && resp.Diagnostics.HasError(), &resp.Diagnostics)
}

// since is the change from what the cluster is on its way to, if that is not what the state shows. Joins says that it is on its way.
func (s *shardKey) since(ctx context.Context, state, plan model) (ch change, joins bool, err error) {
	if state.Unfinished.IsNull() {
		return change{state: &state, plan: plan}, false, nil
	}
	declared, _, _, err := s.observe(ctx, state, false)
	if declared.ShardsNumber.Equal(state.ShardsNumber) || plan.ShardsNumber.IsUnknown() {
		return change{state: &declared, plan: plan}, true, err
	}
	declared.ShardsNumber = types.Int64Null() // shards move: to ask for a number joins that, or turns it round
	return change{state: &declared, plan: plan}, true, err
}

func (s *shardKey) change(ctx context.Context, ch change, diags *diag.Diagnostics) error {
	name, key := ch.plan.Collection.ValueString(), ch.plan.key()
	var err error
	if ch.copies() || ch.places() {
		update, problems := ch.update(ctx)
		diags.Append(problems...)
		err = wait.Retry(ctx, "change a shard key", func(int) error {
			_, err := s.session.Client.UpdateShardKey(ctx, name, key, update)
			return err
		})
	}
	var operation *client.Operation
	if err == nil && ch.cuts() {
		err = wait.Retry(ctx, "cut shards anew", func(int) (err error) {
			operation, err = s.session.Client.Reshard(ctx, name, uint32(ch.plan.ShardsNumber.ValueInt64()), &key)
			return err
		})
	}
	if err == nil && operation != nil {
		err = wait.Operation(ctx, s.session.Client, *operation)
	}
	if err == nil {
		_, err = wait.Placement(ctx, s.session.Client, name)
	}
	return err
}

// Delete removes the key; one that is gone already, alone or with its collection, is fine.
func (s *shardKey) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !s.session.Ready(&resp.Diagnostics) {
		return
	}
	timeout, diags := state.Timeouts.Delete(ctx, deleteTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if state.DeletionProtection.ValueBool() { // a plan may be older than the points
		s.protect(ctx, state, "destroy", &resp.Diagnostics)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	name, key := state.Collection.ValueString(), state.key()
	err := wait.Retry(ctx, "delete shard key", func(int) error { return s.session.Client.DeleteShardKey(ctx, name, key) })
	if err == nil || client.IsNotFound(err) {
		return
	}
	if keys, lookErr := s.session.Client.ListShardKeys(ctx, name); client.IsNotFound(lookErr) || lookErr == nil && !slices.Contains(keys, key) {
		return
	}
	resp.Diagnostics.AddError("Cannot delete shard key "+state.id(), err.Error())
}
