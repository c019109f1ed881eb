package replica_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

func large(id uint64) []byte {
	return point.EncodeOp(point.Upsert{Points: []point.Point{{
		ID: point.Num(id), Vectors: point.Vectors{"": {float32(id), 1}}, Payload: point.Payload{"pad": strings.Repeat("x", 128<<10)},
	}}})
}

// A rate of a byte a second lets only the first megabytes of what a replica has missed through, and holds up no write.
func TestTheTransferRateBoundsCatchingUpFromTheLogAndNoWrite(t *testing.T) {
	c := newTunedCluster(t, 3, func(o *replica.Options) { o.Transfers.BytesPerSecond = 1 })
	ref := c.create(2, 1, 2, 3)
	c.write(ref, upsert(1))
	c.equal(ref, 1, 2, 3)
	c.away(ref, 3, 0)
	was := c.status(1).LastIndex
	const missed = 48 // 6 MiB: an append holds 1 MiB at most, and the first ones go on credit
	for i := range uint64(missed) {
		c.write(ref, large(i))
	}
	c.start(3)
	c.eventually("the replica catches up", func() error {
		if open := c.mu.up[3].manager.Status(nil); len(open) == 0 || open[0].LastIndex <= was || c.state(ref, 3).State != catalog.Partial {
			return fmt.Errorf("%s, %+v", c.state(ref, 3).State, open)
		}
		return nil
	})
	for i := range uint64(20) {
		c.write(ref, upsert(1000+i))
	}
	// On a machine that is slow it may have been taken for silent again meanwhile; what counts is that it does not.
	if rep, at := c.state(ref, 3), c.status(3).LastIndex; rep.State == catalog.Active || at >= was+missed {
		t.Errorf("%s, its log ends at %d, that of the primary did at %d when it came back", rep.State, at, was+missed)
	}
}
