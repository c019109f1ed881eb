// Package wait is how an apply goes through time: it asks again what may succeed later, and watches what the cluster does
// until that is as declared.
//
// It promises that every wait ends with its context, that the error of one that ended early says how far things were, and
// that progress is logged. It changes nothing by itself.
package wait

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// How long to pause between two tries of a request that may succeed later.
const (
	retryFirst = 100 * time.Millisecond
	retryMax   = 5 * time.Second
)

// Retry runs try until it succeeds, fails for good, or ctx ends. Try is told how many tries went before it.
func Retry(ctx context.Context, what string, try func(tries int) error) error {
	pause := retryFirst
	for tries := 0; ; tries++ {
		err := try(tries)
		if err == nil || !client.IsTransient(err) || ctx.Err() != nil {
			return err
		}
		tflog.Warn(ctx, "trying again", map[string]any{"what": what, "error": err.Error()})
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %d tries: %w", tries+1, err)
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, retryMax)
	}
}
