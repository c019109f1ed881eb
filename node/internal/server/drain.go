package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
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

// announceTimeout bounds how long the others are told about a shutdown: who does not hear it notices a silence later.
const announceTimeout = 500 * time.Millisecond

// lastAnswers is how long the other nodes wait at most for answers to what they had asked before they heard that this one ends.
const lastAnswers = 250 * time.Millisecond

// Shutdown ends this node so that nobody notices. It tells the others, hands Raft leadership over and waits until they lead what
// they can lead (DrainTimeout at most), finishes the requests of its clients, tells the others that it ends now, so that they
// neither wait for its replicas nor ask them, and closes. Leadership goes first: it is the Raft leader that moves primaries.
func (s *Server) Shutdown(ctx context.Context) error {
	s.logger.Info("shutting down")
	s.draining.Store(true)
	s.tell(ctx, peer.Draining)
	bounded, cancel := context.WithTimeout(ctx, s.opts.DrainTimeout)
	if err := s.handLeadershipOver(bounded); err != nil {
		s.logger.Warn("raft leadership was not handed over", "error", err)
	}
	if err := s.handPrimariesOver(bounded); err != nil {
		s.logger.Warn("shutting down although this node still leads shards", "error", err)
	}
	cancel()
	s.cancel() // ends what clients follow
	err := s.closeDownTo(clientDoor)
	s.tell(ctx, peer.Leaving)
	_ = s.network.sender.Close() // a replica that went on answering its primary would be taken for one that is back
	stopGRPC(s.peers, s.peerDoor, lastAnswers)
	return errors.Join(err, s.Close())
}

func (s *Server) tell(ctx context.Context, standing peer.Standing) {
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	s.network.pool.Announce(ctx, standing)
}

// hear takes what other nodes say about their shutdowns. When this one shuts down as well, it says nothing about their replicas: a
// cluster that is stopped as a whole keeps them all.
func (s *Server) hear(id catalog.PeerID, standing peer.Standing) {
	if standing == peer.Leaving && s.draining.Load() {
		return
	}
	s.network.monitor.Heard(id, standing)
}

// stays tells whether a peer could take something over.
func (s *Server) stays(id catalog.PeerID) bool {
	return id != s.id.PeerID && s.network.monitor.Alive(id) && !s.network.monitor.Draining(id)
}

// handLeadershipOver makes another node lead the metadata, if there is one that stays.
func (s *Server) handLeadershipOver(ctx context.Context) error {
	for id := range s.raft.State().Peers {
		if s.stays(id) {
			return s.raft.Handover(ctx, s.stays)
		}
	}
	return nil
}

// handPrimariesOver waits until no shard that another live replica could lead is led from here. The Raft leader
// moves them: it has heard that this node is draining.
func (s *Server) handPrimariesOver(ctx context.Context) error {
	for {
		alive := s.network.monitor.Changed()
		_, changed := s.raft.Watch()
		left := s.movable()
		if left == 0 {
			return nil
		}
		select {
		case <-alive:
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d shards: %w", left, fault.New(fault.Timeout, "nobody took them over in time"))
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
		if s.stays(id) {
			return true
		}
	}
	return false
}
