package server

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// announceRetry is the pause between attempts to register changed addresses, which need a Raft leader.
const announceRetry = time.Second

// form gets the node into its cluster: the one that it belongs to already, a new one, or one that it joins.
func (s *Server) form(ctx context.Context) error {
	if !s.raft.Fresh() && s.membership.ID() != "" {
		// A node that comes back may be the one whose vote a leader needs: it does not wait for one to go on starting.
		s.wg.Add(1)
		go s.announce()
		return nil
	}
	seek := peer.SeekOptions{
		Addresses: s.opts.Join, Self: s.self(), Membership: s.membership, Dial: s.opts.Dial, Logger: s.logger.Named("join"),
	}
	var err error
	switch {
	case s.opts.Bootstrap:
		err = s.found(ctx)
	case s.opts.BootstrapExpect > 0:
		err = s.formExpected(ctx, seek)
	case len(s.opts.Join) > 0:
		err = s.join(ctx, seek)
	default:
		err = fault.New(fault.Invalid, "%s is new and belongs to no cluster: give --bootstrap for the first node of a new one, or --join HOST:PORT,... for another", s.opts.DataDir)
	}
	if err != nil {
		return fmt.Errorf("form cluster: %w", err)
	}
	s.formed.Store(true)
	return nil
}

// formExpected is --bootstrap-expect: all nodes start alike, one founds the cluster, the others join it.
func (s *Server) formExpected(ctx context.Context, seek peer.SeekOptions) error {
	if s.opts.BootstrapExpect == 1 && len(s.opts.Join) == 0 {
		return s.found(ctx)
	}
	part, err := peer.Form(ctx, seek, s.opts.BootstrapExpect)
	if err != nil {
		return err
	}
	if part == peer.FoundCluster {
		return s.found(ctx)
	}
	return s.join(ctx, seek)
}

// found makes this node the first of a new cluster. A crash half-way is finished by the next start, which still has
// the flags: every step may be made again.
func (s *Server) found(ctx context.Context) error {
	if err := s.raft.Bootstrap(ctx); err != nil {
		return err
	}
	id := s.raft.State().ClusterID
	if id == "" {
		id = uuid.NewString()
		if _, err := s.raft.Propose(ctx, catalog.Command{Found: &catalog.Found{ClusterID: id}}); err != nil {
			return err
		}
		id = s.raft.State().ClusterID
	}
	self := s.self()
	if _, err := s.raft.Propose(ctx, catalog.Command{RegisterPeer: &self}); err != nil {
		return err
	}
	s.logger.Info("founded a cluster", "cluster", id)
	return s.membership.Adopt(id)
}

// join asks members to be let in, and waits until this node has caught up with the metadata.
func (s *Server) join(ctx context.Context, seek peer.SeekOptions) error {
	if _, err := peer.Join(ctx, seek); err != nil {
		return err
	}
	s.logger.Info("joined a cluster", "cluster", s.membership.ID())
	return s.raft.Barrier(ctx)
}

// announce waits until this node has caught up with the metadata, and tells the cluster if it came back with other
// addresses, zone or version. It tries until a leader takes it or the node closes.
func (s *Server) announce() {
	defer s.wg.Done()
	for {
		err := s.announceOnce(s.ctx)
		if err == nil {
			return
		}
		s.logger.Info("not announced yet", "error", err)
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(announceRetry):
		}
	}
}

func (s *Server) announceOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.raft.Barrier(ctx); err != nil {
		s.greet()
		return err
	}
	s.formed.Store(true)
	self := s.self()
	known, ok := s.raft.State().Peers[self.ID]
	if ok && known.Says(self) {
		return nil
	}
	if ok && known.PeerAddr != self.PeerAddr {
		// Raft's own configuration has the address as well: the leader changes both.
		_, err := peer.Join(ctx, peer.SeekOptions{
			Addresses: s.memberAddresses(), Self: self, Membership: s.membership, Dial: s.opts.Dial, Logger: s.logger.Named("join"),
		})
		return err
	}
	_, err := s.raft.Propose(ctx, catalog.Command{RegisterPeer: &self})
	return err
}

// greet pings the members that Raft knows. A node that was removed while it was away hears of no leader, and, before it has heard of
// one, knows no other peer: so it learns what it is.
func (s *Server) greet() {
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	for id, addr := range s.raft.Voters() {
		if id != s.id.PeerID {
			_ = s.network.pool.Greet(ctx, addr)
		}
	}
}

func (s *Server) memberAddresses() []string {
	var addrs []string
	for id, p := range s.raft.State().Peers {
		if id != s.id.PeerID && !p.Gone() {
			addrs = append(addrs, p.PeerAddr)
		}
	}
	return addrs
}
