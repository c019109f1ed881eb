package peer

import (
	"context"
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
)

// hintExpelled marks the answer to a node that was removed for good.
const hintExpelled = "expelled"

// Standing is what a node tells the others about itself when it shuts down.
type Standing uint8

// The standings. A node that serves does not say so: its answers to pings do.
const (
	Draining Standing = 1 // it is shutting down: it hands over what it leads
	Leaving  Standing = 2 // it ends now, and answers nobody until it has started again
)

func standingFromWire(w peerpb.Standing) (Standing, error) {
	switch w {
	case peerpb.Standing_STANDING_DRAINING, peerpb.Standing_STANDING_LEAVING:
		return Standing(w), nil
	default:
		return 0, fault.New(fault.Invalid, "standing %d is not known", w)
	}
}

// Announce tells every other peer of the catalog how this node stands, and returns when all have heard it or ctx ends. Who
// does not hear it finds out by itself.
func (p *Pool) Announce(ctx context.Context, s Standing) {
	state, _ := p.opts.Metadata.Watch()
	req := &peerpb.PingRequest{From: uint64(p.opts.Self), Standing: peerpb.Standing(s)}
	var wg sync.WaitGroup
	for id, peer := range state.Peers {
		if id == p.opts.Self || peer.Gone() {
			continue
		}
		wg.Go(func() {
			if _, err := call(ctx, p, id, peerpb.PeerClient.Ping, req); err != nil {
				p.opts.Logger.Debug("peer was not told that this node shuts down", "peer", uint64(id), "error", err)
			}
		})
	}
	wg.Wait()
}

// Heard takes what a peer says about itself. One that leaves counts as dead from now on, and not only when it has been silent
// for the grace; it lives again when it answers without saying that it is shutting down. What it was asked before, it still
// answers: calls to it are ended once it does not answer a ping.
func (m *Monitor) Heard(id catalog.PeerID, s Standing) {
	m.mu.Lock()
	w, ok := m.mu.peers[id]
	if !ok {
		m.mu.Unlock()
		return
	}
	news := !w.draining || s == Leaving && w.alive
	w.draining = true
	if s == Leaving {
		w.left, w.alive = true, false
	}
	if news {
		m.changedLocked()
	}
	m.mu.Unlock()
	if s == Leaving {
		m.opts.Logger.Info("peer has shut down", "peer", uint64(id))
	}
}
