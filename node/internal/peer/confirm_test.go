package peer_test

import (
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func TestConfirmReachesThePrimaryAndKeepsItsHints(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, _ *node) {
		index, err := a.pool.Confirm(t.Context(), 2, ref, 3)
		if err != nil || index != 103 {
			t.Errorf("got %d, %v", index, err)
		}
		_, err = a.pool.Confirm(t.Context(), 2, ref, 2)
		if !fault.Is(err, fault.NotPrimary) || fault.Hint(err, "primary") != "9" || fault.Hint(err, "term") != "4" {
			t.Errorf("got %v with hints %v", err, fault.Hints(err))
		}
	})
}
