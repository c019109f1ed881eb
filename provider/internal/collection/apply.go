package collection

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// errElse is a collection that appeared under our name while our own request was under way.
var errElse = errors.New("a collection of this name with another configuration appeared meanwhile")

// create sends the request until its outcome is known. After a reply was lost it looks before it asks again: what then
// stands under the name is ours if it is what we asked for.
func (c *collection) create(ctx context.Context, spec wanted) error {
	doubtful := false
	return wait.Retry(ctx, "create collection", func(int) error {
		err := c.session.Client.CreateCollection(ctx, spec.CollectionSpec)
		doubtful = doubtful || client.OutcomeUnknown(err)
		if err == nil || !doubtful {
			return err
		}
		look, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBack)
		defer cancel()
		found, lookErr := c.session.Client.GetCollection(look, spec.Name)
		switch {
		case lookErr != nil:
			return err
		case !matches(found, spec):
			return errElse
		}
		return nil
	})
}

// matches reports whether a collection is what spec asked for, as far as a creation can.
func matches(found *client.Collection, spec wanted) bool {
	if spec.CustomSharding != found.CustomSharding || spec.ShardNumber != nil && *spec.ShardNumber != found.ShardNumber {
		return false
	}
	for name, v := range spec.Vectors {
		have := found.Vectors[name]
		if have.Size != v.Size || have.Distance != v.Distance || have.MultiVector != v.MultiVector {
			return false
		}
	}
	spec.ReadFanOutFactor, spec.ReadFanOutDelayMS = nil, nil
	return len(steps(found, spec)) == 0
}

// update makes the steps that are left. Each may be tried again: it says what shall be, not what to add.
func (c *collection) update(ctx context.Context, spec wanted, diags *diag.Diagnostics) error {
	have, err := c.session.Client.GetCollection(ctx, spec.Name)
	if err != nil {
		return err
	}
	todo := steps(have, spec)
	for i, s := range todo {
		at := fmt.Sprintf("step %d of %d, %s", i+1, len(todo), s.what)
		tflog.Info(ctx, "changing the collection", map[string]any{"collection": spec.Name, "step": s.what, "number": i + 1, "of": len(todo)})
		if err := wait.Retry(ctx, s.what, func(int) error { return s.do(ctx, c.session.Client) }); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if s.settle {
			if _, err := c.settle(ctx, spec, diags); err != nil {
				return fmt.Errorf("%s: waiting for the placement: %w", at, err)
			}
		}
	}
	return nil
}

// settle waits for the placement; that it cannot become as declared for now is a warning.
func (c *collection) settle(ctx context.Context, spec wanted, diags *diag.Diagnostics) (wait.Outcome, error) {
	if spec.CustomSharding {
		keys, err := c.session.Client.ListShardKeys(ctx, spec.Name)
		if err == nil && len(keys) == 0 {
			return wait.Outcome{}, nil // there are no shards yet
		}
	}
	out, err := wait.Placement(ctx, c.session.Client, spec.Name)
	if errors.Is(err, client.ErrNotOstraka) {
		out, err = wait.ByHand(ctx, c.session.Client, spec.Name)
	}
	if err == nil && out.Short != "" && c.session.First("short", spec.Name) {
		diags.AddAttributeWarning(path.Root("replication_factor"), "Collection is under-replicated",
			fmt.Sprintf("Collection %q: %s", spec.Name, out.Short))
	}
	return out, err
}

// remove deletes until the collection is gone.
func (c *collection) remove(ctx context.Context, name string) error {
	return wait.Retry(ctx, "delete collection", func(int) error {
		_, err := c.session.Client.DeleteCollection(ctx, name)
		if client.IsNotFound(err) {
			return nil
		}
		return err
	})
}
