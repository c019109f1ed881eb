package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// errAbsent is a name that no member has.
var errAbsent = errors.New("no peer of this name is a member of the cluster")

// Create waits for the node and declares what is to be of it. If that fails, the peer is not in the state: it would be there as tainted,
// and the next apply would remove it from the cluster to create it anew. That apply finds it as it is, and goes on.
func (p *peer) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !p.session.Ready(&resp.Diagnostics) {
		return
	}
	timeout, diags := plan.Timeouts.Create(ctx, createTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, err := p.join(ctx, plan.Name.ValueString())
	if err != nil {
		failed("Cannot find peer "+plan.Name.ValueString(), err, &resp.Diagnostics)
		return
	}
	reached, err := p.declare(ctx, plan, found)
	if err != nil {
		failed("Cannot change peer "+plan.Name.ValueString(), fmt.Errorf("%w\n\nThe peer is not in the state; the next apply goes on from there", err), &resp.Diagnostics)
		return
	}
	session.Identify(ctx, resp.Identity, identity{plan.Name}, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, reached)...)
}

// join waits until the node is a member and alive.
func (p *peer) join(ctx context.Context, name string) (client.Peer, error) {
	const pollFirst, pollMax = 50 * time.Millisecond, 3 * time.Second
	var known error // why it was waited for, by the last answer
	for pause := pollFirst; ; pause = min(2*pause, pollMax) {
		found, err := p.find(ctx, name)
		switch {
		case err == nil && found.Alive, errors.Is(err, client.ErrNotOstraka):
			return found, err
		case err == nil:
			err = fmt.Errorf("peer %s is a member, but does not answer", name)
			known = err
		case errors.Is(err, errAbsent):
			known = err
		case ctx.Err() != nil && known != nil:
			err = known // that time ran out while it was asked once more tells nothing
		case !client.IsTransient(err):
			return found, err
		}
		tflog.Info(ctx, "waiting for the peer to join", map[string]any{"peer": name, "problem": err.Error()})
		select {
		case <-ctx.Done():
			return found, fmt.Errorf("gave up waiting: %w", err)
		case <-time.After(pause):
		}
	}
}

// find returns the member of that name. One that has lost its disk and returned is the one that returned.
func (p *peer) find(ctx context.Context, name string) (client.Peer, error) {
	cluster, err := p.session.Client.Cluster(ctx)
	if err != nil {
		return client.Peer{}, err
	}
	for _, member := range cluster.Peers {
		if member.Name == name && !member.Replaced {
			return member, nil
		}
	}
	return client.Peer{}, fmt.Errorf("%w: %s", errAbsent, name)
}

// declare changes what differs, waits for a drain, and returns what there is then, whatever has happened.
func (p *peer) declare(ctx context.Context, plan model, have client.Peer) (reached model, err error) {
	var update client.PeerUpdate
	if !plan.Zone.IsUnknown() && !plan.Zone.IsNull() && plan.Zone.ValueString() != have.Zone {
		update.Zone = plan.Zone.ValueStringPointer()
	}
	labels := map[string]string{}
	for key, value := range plan.Labels.Elements() {
		if text, ok := value.(types.String); ok {
			labels[key] = text.ValueString()
		}
	}
	if !sameLabels(labels, have.Labels) {
		update.Labels = labels
	}
	state := client.PeerState(plan.State.ValueString())
	drains := state == client.PeerDraining
	if state != have.State || drains { // a drain that runs is joined
		update.State = &state
	}
	if update.Zone != nil || update.Labels != nil || update.State != nil {
		err = p.update(ctx, have.ID, update)
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBack)
	defer cancel()
	now, lookErr := p.find(look, have.Name)
	if lookErr != nil {
		return observe(plan, have), errors.Join(err, lookErr)
	}
	reached = observe(plan, now)
	if err != nil && drains && now.State == client.PeerDraining {
		reached.Unfinished = leftOn(now)
	}
	return reached, err
}

// update asks until the change is made, and stays with a drain until it ends.
func (p *peer) update(ctx context.Context, id client.PeerID, u client.PeerUpdate) error {
	var operation *client.Operation
	err := wait.Retry(ctx, "change peer", func(int) (err error) {
		_, operation, err = p.session.Client.UpdatePeer(ctx, id, u)
		return err
	})
	if err != nil || operation == nil {
		return err
	}
	return wait.Operation(ctx, p.session.Client, *operation)
}

func sameLabels(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range a {
		if other, ok := b[key]; !ok || other != value {
			return false
		}
	}
	return true
}

// observe returns prior with what the cluster says.
func observe(prior model, p client.Peer) model {
	out := prior
	out.Name, out.ID = types.StringValue(p.Name), types.Int64Value(int64(p.ID))
	out.Zone, out.State = types.StringValue(p.Zone), types.StringValue(string(p.State))
	labels, _ := types.MapValueFrom(context.Background(), types.StringType, p.Labels)
	if p.Labels == nil {
		labels, _ = types.MapValueFrom(context.Background(), types.StringType, map[string]string{})
	}
	out.Labels = labels
	if out.OnDestroy.IsNull() || out.OnDestroy.IsUnknown() {
		out.OnDestroy = types.StringValue(remove)
	}
	return out
}

// leftOn says how far from empty a peer is that is being drained.
func leftOn(p client.Peer) types.String {
	return types.StringValue(fmt.Sprintf("it is being drained, and has %d replicas left", p.Replicas))
}

func failed(summary string, err error, diags *diag.Diagnostics) {
	switch {
	case errors.Is(err, client.ErrNotOstraka):
		diags.AddError("Not an Ostraka cluster", err.Error()+".")
	case errors.Is(err, errAbsent):
		diags.AddAttributeError(path.Root("name"), summary, err.Error())
	default:
		diags.AddError(summary, err.Error())
	}
}

// Read brings the state to what the cluster says. Only an answer without the peer removes it.
func (p *peer) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	session.Identify(ctx, resp.Identity, identity{state.Name}, &resp.Diagnostics)
	if !p.session.Online() {
		return
	}
	found, err := p.find(ctx, state.Name.ValueString())
	switch {
	case errors.Is(err, errAbsent):
		tflog.Warn(ctx, "peer is gone", map[string]any{"peer": state.Name.ValueString()})
		resp.State.RemoveResource(ctx)
	case err != nil:
		failed("Cannot read peer "+state.Name.ValueString(), err, &resp.Diagnostics)
	default:
		observed := observe(state, found)
		observed.Unfinished = types.StringNull()
		if session.IsUnfinished(ctx, req.Private) {
			unfinished := found.State == client.PeerDraining && found.Replicas > 0
			if unfinished { // the next apply goes on waiting, or ends it
				observed.Unfinished = leftOn(found)
			}
			session.MarkUnfinished(ctx, resp.Private, unfinished, &resp.Diagnostics)
		}
		resp.Diagnostics.Append(resp.State.Set(ctx, observed)...)
	}
}

// Update changes what is declared of the peer.
func (p *peer) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !p.session.Ready(&resp.Diagnostics) {
		return
	}
	session.Identify(ctx, resp.Identity, identity{plan.Name}, &resp.Diagnostics)
	timeout, diags := plan.Timeouts.Update(ctx, updateTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, err := p.find(ctx, plan.Name.ValueString())
	if err != nil {
		failed("Cannot find peer "+plan.Name.ValueString(), err, &resp.Diagnostics)
		return
	}
	reached, err := p.declare(ctx, plan, found)
	if err != nil {
		failed("Cannot change peer "+plan.Name.ValueString(), err, &resp.Diagnostics)
		reached.OnDestroy, reached.Timeouts = state.OnDestroy, state.Timeouts
	}
	session.MarkUnfinished(ctx, resp.Private, err != nil && plan.State.ValueString() == string(client.PeerDraining), &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, reached)...)
}

// Delete drains the peer, waits until it is empty, and removes it; one that is gone already is fine.
func (p *peer) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || state.OnDestroy.ValueString() == forget || !p.session.Ready(&resp.Diagnostics) {
		return
	}
	timeout, diags := state.Timeouts.Delete(ctx, deleteTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	name := state.Name.ValueString()
	found, err := p.find(ctx, name)
	if errors.Is(err, errAbsent) {
		return
	}
	if err == nil {
		draining := client.PeerDraining
		if err = p.update(ctx, found.ID, client.PeerUpdate{State: &draining}); err != nil {
			err = fmt.Errorf("draining it: %w", err)
		}
	}
	if err == nil {
		err = wait.Retry(ctx, "remove peer", func(int) error {
			_, err := p.session.Client.RemovePeer(ctx, found.ID)
			return err
		})
	}
	if err != nil && !client.IsNotFound(err) {
		failed("Cannot remove peer "+name, fmt.Errorf("%w\n\nThe drain goes on in the cluster; the next apply joins it", err), &resp.Diagnostics)
	}
}
