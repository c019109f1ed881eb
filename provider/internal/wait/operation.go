package wait

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// Operation stays with an operation until it is done. An end otherwise is an error of class FAILED_PRECONDITION, so that
// nobody takes it for something that waiting would mend.
func Operation(ctx context.Context, c *client.Client, o client.Operation) error {
	return Telling(ctx, c, o, func(client.Operation) {})
}

// Telling is Operation that also tells how far it is.
func Telling(ctx context.Context, c *client.Client, o client.Operation, tell func(client.Operation)) error {
	last := o
	err := Retry(ctx, "follow "+o.Kind, func(int) error {
		ended, err := c.WatchOperation(ctx, o.ID, func(now client.Operation) error {
			last = now
			tell(now)
			tflog.Info(ctx, "waiting for the operation", map[string]any{
				"operation": now.ID, "kind": now.Kind, "phase": now.Phase, "progress": Progress(now),
			})
			return nil
		})
		if err == nil {
			last = ended
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", Progress(last), err)
	case last.State != client.OperationDone:
		return &client.Error{Class: client.ClassFailedPrecondition, Message: fmt.Sprintf("operation %d (%s) ended as %s: %s", last.ID, last.Kind, last.State, last.Problem)}
	}
	return nil
}

// Progress is how far an operation is, in a few words.
func Progress(o client.Operation) string {
	text := o.Kind
	if o.FromShardNumber != o.ToShardNumber {
		text += fmt.Sprintf(" %d -> %d shards", o.FromShardNumber, o.ToShardNumber)
	}
	if o.Total > 0 {
		text += fmt.Sprintf(", %d of %d", o.Done, o.Total)
	}
	if o.BytesTotal > 0 {
		text += fmt.Sprintf(", %s of %s", Bytes(o.BytesDone), Bytes(o.BytesTotal))
	}
	if !o.Started.IsZero() {
		text += ", since " + o.Started.UTC().Format(time.RFC3339)
	}
	if o.Problem != "" {
		text += ": " + o.Problem
	}
	return text
}

// Bytes renders a size with the unit that fits.
func Bytes(n uint64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(n), 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if unit == 0 || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
