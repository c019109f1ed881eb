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
func (c *collection) create(ctx context.Context, spec client.CollectionSpec) error {
	doubtful := false
	return wait.Retry(ctx, "create collection", func(int) error {
		err := c.session.Client.CreateCollection(ctx, spec)
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

// matches reports whether a collection is what spec asked for.
func matches(found *client.Collection, spec client.CollectionSpec) bool {
	if spec.ShardNumber != nil && *spec.ShardNumber != found.ShardNumber || len(found.Vectors) != len(spec.Vectors) {
		return false
	}
	for name, v := range spec.Vectors {
		if have, ok := found.Vectors[name]; !ok || have.Size != v.Size || have.Distance != v.Distance {
			return false
		}
	}
	return len(steps(found, spec)) == 0
}

// update makes the steps that are left. Each may be tried again: it says what shall be, not what to add.
func (c *collection) update(ctx context.Context, spec client.CollectionSpec, diags *diag.Diagnostics) error {
	have, err := c.session.Client.GetCollection(ctx, spec.Name)
	if err != nil {
		return err
	}
	todo := steps(have, spec)
	for i, s := range todo {
		tflog.Info(ctx, "changing the collection", map[string]any{
			"collection": spec.Name, "step": s.what, "number": i + 1, "of": len(todo),
		})
		err := wait.Retry(ctx, s.what, func(int) error {
			return c.session.Client.UpdateCollection(ctx, spec.Name, s.update)
		})
		if err != nil {
			return fmt.Errorf("step %d of %d, %s: %w", i+1, len(todo), s.what, err)
		}
		if !s.settle {
			continue
		}
		out, err := wait.Placement(ctx, c.session.Client, spec.Name)
		if err != nil {
			return fmt.Errorf("step %d of %d, %s: waiting for the placement: %w", i+1, len(todo), s.what, err)
		}
		if out.Short != "" && c.session.First("short", spec.Name) {
			diags.AddAttributeWarning(path.Root("replication_factor"), "Collection is under-replicated",
				fmt.Sprintf("Collection %q: %s", spec.Name, out.Short))
		}
	}
	return nil
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
