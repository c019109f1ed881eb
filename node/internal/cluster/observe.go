package cluster

import (
	"fmt"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// Observations is what one node sees of the others at one moment. Alive is needed; the rest may be nil.
type Observations struct {
	Now      time.Time
	Alive    func(catalog.PeerID) bool
	LastSeen func(catalog.PeerID) time.Time // zero = never
	// Status is what a replica said of itself; false when it did not answer. Without it, only what the metadata and the
	// peers' liveness show is told.
	Status func(ref catalog.ShardRef, r catalog.Replica) (replica.Status, bool)
	// Gauge is how large things are on a peer, as it last said.
	Gauge func(catalog.PeerID) peer.Gauge
}

func (o Observations) gauge(id catalog.PeerID) peer.Gauge {
	if o.Gauge == nil {
		return peer.Gauge{}
	}
	return o.Gauge(id)
}

func (o Observations) status(ref catalog.ShardRef, r catalog.Replica) (replica.Status, bool) {
	if o.Status == nil {
		return replica.Status{}, false
	}
	return o.Status(ref, r)
}

func (o Observations) lastSeen(id catalog.PeerID) time.Time {
	if o.LastSeen == nil {
		return time.Time{}
	}
	return o.LastSeen(id)
}

// silence says for how long a peer has not answered.
func (o Observations) silence(id catalog.PeerID) string {
	seen := o.lastSeen(id)
	if seen.IsZero() {
		return "does not answer"
	}
	return fmt.Sprintf("has not answered for %s", o.Now.Sub(seen).Truncate(time.Second))
}

// name names a peer for people.
func name(state *catalog.State, id catalog.PeerID) string {
	if p, ok := state.Peers[id]; ok {
		return p.Name
	}
	return fmt.Sprintf("peer %d", id)
}
