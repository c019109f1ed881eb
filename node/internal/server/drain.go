package server

import (
	"context"
	"fmt"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Run opens a node, serves until ctx ends, and shuts it down. It returns nil after a clean shutdown.
func Run(ctx context.Context, opts Options) error {
	s, err := Open(ctx, opts)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return s.Shutdown(context.WithoutCancel(ctx))
	case err := <-s.Failed():
		_ = s.Close() // what broke is the news
		return err
	}
}

// Shutdown says that this node is leaving, hands Raft leadership over, waits until other peers lead what they can
// lead (both DrainTimeout at most), and closes. Leadership goes first: it is the Raft leader that moves primaries.
func (s *Server) Shutdown(ctx context.Context) error {
	s.logger.Info("shutting down")
	s.draining.Store(true)
	bounded, cancel := context.WithTimeout(ctx, s.opts.DrainTimeout)
	if err := s.raft.Handover(bounded); err != nil {
		s.logger.Warn("raft leadership was not handed over", "error", err)
	}
	if err := s.handPrimariesOver(bounded); err != nil {
		s.logger.Warn("shutting down although this node still leads shards", "error", err)
	}
	cancel()
	return s.Close()
}

// handPrimariesOver waits until no shard that another live replica could lead is led from here. The Raft leader
// moves them: it hears from this node's pings that it is draining.
func (s *Server) handPrimariesOver(ctx context.Context) error {
	for {
		left := s.movable()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d shards: %w", left, fault.New(fault.Timeout, "nobody took them over in time"))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// movable counts the shards led from here that have another active replica on a live peer.
func (s *Server) movable() int {
	n := 0
	for _, col := range s.raft.State().Collections {
		for _, sh := range col.Shards {
			if sh.Primary == s.id.PeerID && s.hasHeir(sh) {
				n++
			}
		}
	}
	return n
}

func (s *Server) hasHeir(sh *catalog.Shard) bool {
	for _, id := range sh.Active() {
		if id != s.id.PeerID && s.network.monitor.Alive(id) && !s.network.monitor.Draining(id) {
			return true
		}
	}
	return false
}
