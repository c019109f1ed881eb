package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
)

// network is how a node reaches the others.
type network struct {
	mux      *peer.Mux
	pool     *peer.Pool
	monitor  *peer.Monitor
	sender   *peer.Sender
	promoter *peer.Promoter
	detector atomic.Pointer[peer.Monitor] // monitor, for who may ask before there is one
}

// forward sends metadata changes to the leader by a pool that is made after consensus, which it follows.
type forward func(ctx context.Context, leaderAddr string, commands []byte) (uint64, []catalog.Result, error)

// Propose implements consensus.Forwarder.
func (f forward) Propose(ctx context.Context, leaderAddr string, commands []byte) (uint64, []catalog.Result, error) {
	return f(ctx, leaderAddr, commands)
}

// openNetwork opens the peer listener, consensus over it, and what finds and watches the other peers.
func (s *Server) openNetwork(context.Context) error {
	var err error
	n := &s.network
	n.mux, err = peer.NewMux(peer.MuxOptions{
		Listener: s.opts.Listeners.Peer, Dial: s.opts.Dial, Self: s.id.PeerID, Membership: s.membership,
		Target: func(addr string) catalog.PeerID { return s.peerAt(addr) }, Logger: s.logger.Named("mux"),
	})
	if err != nil {
		return fmt.Errorf("peer listener: %w", err)
	}
	s.opened("peer listener", n.mux.Close)

	s.raft, err = consensus.Open(consensus.Options{
		Store: s.store, Self: s.id.PeerID, Address: s.opts.AdvertisePeer, Layer: n.mux.Raft(),
		Logger: s.logger, Await: s.awaitPeer,
		// Both run only once a change is proposed, when the pool and the monitor exist.
		Forward: forward(func(ctx context.Context, addr string, commands []byte) (uint64, []catalog.Result, error) {
			return n.pool.Propose(ctx, addr, commands)
		}),
		Prepare: s.prepare,
	})
	if err != nil {
		return s.advise(fmt.Errorf("metadata: %w", err))
	}
	s.opened("metadata", s.raft.Close)
	return s.openPeers()
}

// prepare fills in, on the Raft leader, what a change of the metadata needs from outside.
func (s *Server) prepare(state *catalog.State, cmd catalog.Command) (catalog.Command, error) {
	m := s.network.monitor
	usable := func(id catalog.PeerID) bool { return m.Alive(id) && !m.Draining(id) }
	if cmd.ExpelPeer == nil {
		return catalog.Prepare(state, cmd, usable)
	}
	expel, err := catalog.PrepareExpel(state, *cmd.ExpelPeer, catalog.Surroundings{
		Alive: m.Alive, Usable: usable, Voters: slices.Collect(maps.Keys(s.raft.Voters())),
	})
	cmd.ExpelPeer = &expel
	return cmd, err
}

// expelled ends a node that was removed: what it holds is nobody's any more, and whoever asked it would be told what was.
func (s *Server) expelled() {
	s.fail(fault.New(fault.FailedPrecondition, "this node was removed from its cluster for good: empty %s to let it join as a new peer", s.opts.DataDir))
}

// openPeers opens the connections to the other peers.
func (s *Server) openPeers() error {
	n, logger := &s.network, s.logger.Named("peer")
	metrics := peer.NewMetrics(s.registry)
	var err error
	n.pool, err = peer.NewPool(peer.PoolOptions{
		Self: s.id.PeerID, Membership: s.membership, Metadata: s.raft, Dial: s.opts.Dial, Logger: logger, Expelled: s.expelled,
	})
	if err != nil {
		return fmt.Errorf("peer connections: %w", err)
	}
	s.opened("peer connections", n.pool.Close)
	n.monitor, err = peer.NewMonitor(peer.MonitorOptions{
		Self: s.id.PeerID, Metadata: s.raft, Pinger: n.pool, Logger: logger, Metrics: metrics,
	})
	if err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	s.opened("monitor", n.monitor.Close)
	n.detector.Store(n.monitor)
	s.wg.Add(1)
	go s.succeed()
	n.sender, err = peer.NewSender(peer.SenderOptions{Pool: n.pool, Logger: logger, Metrics: metrics})
	if err != nil {
		return fmt.Errorf("replication streams: %w", err)
	}
	s.opened("replication streams", n.sender.Close)
	return s.openReconciler()
}

// openReconciler opens what acts on the Raft leader, and the way that replicas reach it.
func (s *Server) openReconciler() error {
	n := &s.network
	var err error
	s.runner, err = reconcile.NewRunner(reconcile.RunnerOptions{
		Self: s.id.PeerID, Metadata: s.raft, Liveness: n.monitor, Fencer: fencer{s}, Members: s.raft, Gauges: s.gauges,
		Logger: s.logger.Named("reconcile"), Registerer: s.registry,
	})
	if err != nil {
		return fmt.Errorf("reconciler: %w", err)
	}
	s.opened("reconciler", s.runner.Close)
	n.promoter, err = peer.NewPromoter(peer.PromoterOptions{
		Self: s.id.PeerID, Leader: s.raft.Leader, Local: s.runner, Pool: n.pool, Logger: s.logger.Named("peer"),
	})
	if err != nil {
		return fmt.Errorf("promoter: %w", err)
	}
	s.opened("promoter", n.promoter.Close)
	return nil
}

// awaitPeer returns when the peer at a peer address is not known to be dead, or ctx ends.
func (s *Server) awaitPeer(ctx context.Context, addr string) {
	for {
		m := s.network.detector.Load() // Raft dials before there is one
		if m == nil {
			return
		}
		alive := m.Changed()
		id := s.peerAt(addr)
		if id == 0 || m.Alive(id) {
			return
		}
		select {
		case <-alive:
		case <-ctx.Done():
			return
		}
	}
}

// peerAt finds the peer that advertises a peer address, 0 if none does.
func (s *Server) peerAt(addr string) catalog.PeerID {
	if s.raft == nil {
		return 0
	}
	for id, p := range s.raft.State().Peers {
		if p.PeerAddr == addr && !p.Gone() {
			return id
		}
	}
	return 0
}
