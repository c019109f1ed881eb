package replica

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// crowd tells the protocol whose disks are full, and returns it.
func (r *runner) crowd() map[catalog.PeerID]error {
	full := r.opts.Disks.Full()
	if len(full) == 0 && !r.crowding {
		return nil
	}
	r.crowding = len(full) > 0
	var peers []replication.PeerID
	for id := range full {
		peers = append(peers, replication.PeerID(id))
	}
	r.core.Crowd(peers)
	return full
}

// crowded tells why a write that grows cannot be taken for want of room; nil if it can. Replicas without room are given up when W
// others have it, so that they hold up nobody. It is asked before anything is appended.
func (r *runner) crowded() error {
	full := r.crowd()
	if len(full) == 0 || r.core.Acting() == 0 {
		return nil
	}
	roomy, needed := r.core.Roomy()
	own := full[r.opts.Self]
	if own != nil {
		roomy--
	}
	switch {
	case roomy >= needed && own == nil:
		r.core.Shed()
		return nil
	case roomy >= needed:
		// Not with the hint: it is worth trying again.
		return fault.New(fault.Exhausted, "%s; its primary is about to be another one", own)
	}
	if without := r.without(full); len(without) > 0 && roomy+len(without) >= needed {
		why := full[without[0]]
		e := fault.New(fault.Exhausted, "needs %d of %d replicas with room on their disks, %d %s it: %s",
			needed, max(needed, len(r.view.Replicas)), roomy, have(roomy), why)
		e.Hints = maps.Clone(fault.Hints(why))
		return e
	}
	return nil // the protocol says what is missing
}

func have(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

// without lists the peers of this shard's replicas, also of those that were given up, whose disks are full.
func (r *runner) without(full map[catalog.PeerID]error) []catalog.PeerID {
	var peers []catalog.PeerID
	for _, rep := range r.view.Replicas {
		if full[rep.Peer] != nil && !rep.Retiring {
			peers = append(peers, rep.Peer)
		}
	}
	slices.Sort(peers)
	return peers
}

// room returns why this node's disk takes no snapshot now; nil if it does.
func (o *Options) room() error {
	if err := o.Disks.Full()[o.Self]; err != nil {
		return fmt.Errorf("the snapshot waits: %w", err)
	}
	return nil
}
