package collection

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// overlay puts what is there in the place of what is declared, notes what is left, and reports whether the two are the same. What cannot be
// found out counts as not the same, and stays as it was.
func (c *collection) overlay(ctx context.Context, m *model) bool {
	placements, err := c.session.Client.Placement(ctx, m.Name.ValueString())
	if errors.Is(err, client.ErrNotOstraka) {
		return c.overlayPlain(ctx, m)
	}
	if err != nil || len(placements) != 1 {
		tflog.Warn(ctx, "the placement could not be seen", map[string]any{"collection": m.Name.ValueString(), "error": fmt.Sprint(err)})
		return false
	}
	p := placements[0]
	var left []string
	if len(p.Shards) > 0 {
		shards, replicas := wait.Reached(p)
		if m.ShardingMethod.ValueString() == autoSharding {
			left = overlayNumber(&m.ShardNumber, shards, "shards", left)
		}
		left = overlayNumber(&m.ReplicationFactor, replicas, "replicas", left)
	}
	m.Unfinished = session.Left(left)
	return len(left) == 0
}

// overlayNumber puts the number that is there in the place of the declared one, and adds to what is left if they differ.
func overlayNumber(declared *types.Int64, there uint32, of string, left []string) []string {
	if int64(there) == declared.ValueInt64() {
		return left
	}
	left = append(left, fmt.Sprintf("%d %s are declared, there are %d", declared.ValueInt64(), of, there))
	*declared = types.Int64Value(int64(there))
	return left
}

// overlayPlain is overlay by what a plain Qdrant shows.
func (c *collection) overlayPlain(ctx context.Context, m *model) bool {
	setup, err := c.session.Client.Setup(ctx, m.Name.ValueString())
	if err != nil {
		return false
	}
	left := overlayNumber(&m.ReplicationFactor, wait.ReachedByHand(setup, uint32(m.ReplicationFactor.ValueInt64())), "replicas", nil)
	m.Unfinished = session.Left(left)
	return len(left) == 0
}

// overlayReached is overlay also after ctx has ended.
func (c *collection) overlayReached(ctx context.Context, m *model) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBack)
	defer cancel()
	return c.overlay(ctx, m)
}

// moves reports whether a plan is about shards or replicas.
func moves(state, plan model) bool {
	return differs(state.ShardNumber, plan.ShardNumber) || differs(state.ReplicationFactor, plan.ReplicationFactor)
}

// reach waits for the placement. To heal and to end with fewer copies than declared is to fail.
func (c *collection) reach(ctx context.Context, spec wanted, heal bool, diags *diag.Diagnostics) error {
	out, err := c.settle(ctx, spec, diags)
	if err != nil {
		return fmt.Errorf("waiting for the placement: %w", err)
	}
	if heal && out.Short != "" {
		return fmt.Errorf("the copies that are missing cannot be made: %s", out.Short)
	}
	return nil
}
