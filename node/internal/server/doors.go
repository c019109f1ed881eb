package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/ops"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// doorGrace bounds how long a door waits for the requests inside before it is closed on them.
const doorGrace = 2 * time.Second

const clientDoor = "client door"

// openPeerDoor serves the other nodes. It opens before the node is a member, so that others can say hello.
func (s *Server) openPeerDoor(context.Context) error {
	admission, err := peer.NewAdmission(peer.AdmissionOptions{
		Self: s.id.PeerID, Membership: s.membership, Metadata: s.raft, Raft: s.raft, Proposer: s.raft,
		Liveness: s.network.monitor, Pool: s.network.pool, Dial: s.opts.Dial, Logger: s.logger.Named("admission"),
	})
	if err != nil {
		return fmt.Errorf("admission: %w", err)
	}
	if err := s.openGates(); err != nil {
		return err
	}
	service, err := peer.NewService(peer.ServiceOptions{
		Self: s.self(), Membership: s.membership, Data: s.replicas, Replicas: statuses{s.replicas, s.mover}, Snapshots: s.replicas, Feeds: s.replicas, Proposer: s.raft, Joiner: admission,
		Promotions: s.runner, Copies: s.auditor, Reads: s.replicas, Applied: s.raft.AppliedIndex, Draining: s.draining.Load, Heard: s.hear,
		Expelled: func(id catalog.PeerID) bool { return s.raft.State().WasExpelled(id) },
		Admit:    s.gates.peers.Wrap, Gauge: s.gauges.Own, Expect: uint32(s.opts.BootstrapExpect),
		Logger: s.logger.Named("peer"),
	})
	if err != nil {
		return fmt.Errorf("peer service: %w", err)
	}
	s.peers = grpc.NewServer(peer.ServerOptions(s.membership)...)
	service.Register(s.peers)
	s.peerDoor = s.serveGRPC("peer door", s.peers, s.network.mux.GRPC())
	return nil
}

// openClientDoor serves Qdrant's API and ours.
func (s *Server) openClientDoor(context.Context) error {
	requests, err := ops.NewRequests(s.registry)
	if err != nil {
		return fmt.Errorf("request metrics: %w", err)
	}
	refusals, err := cluster.NewRefusals(s.registry, s.events)
	if err != nil {
		return fmt.Errorf("request metrics: %w", err)
	}
	s.clients = grpc.NewServer(api.ServerOptions(requests.Unary, refusals.Unary, s.gate)...)
	var registrar grpc.ServiceRegistrar = s.clients
	if s.opts.NoClusterService {
		registrar = grpc.NewServer() // that nobody reaches
	}
	view, err := cluster.Register(registrar, cluster.Options{
		Self: s.id.PeerID, Version: s.opts.Version, Metadata: s.raft, Raft: s.raft, Liveness: s.network.monitor, Statuses: s.routes,
		Comparer: s.auditor, Proposer: s.raft, Planner: s.runner, Gauges: s.gauges, Events: s.events, Closing: s.ctx.Done(), CatchUp: s.routes.CatchUp,
	})
	if err != nil {
		return fmt.Errorf("cluster service: %w", err)
	}
	err = api.Register(s.clients, api.Options{
		Points: s.routes, Metadata: s.raft, Inspector: s.routes, Self: s.id.PeerID,
		Version: s.opts.Version, Commit: s.opts.Commit, LocalPoints: s.localPoints,
		Ready: s.ready, Settle: s.settle, Warnings: view.Warnings, CatchUp: s.routes.CatchUp, Admit: s.gates.clients.Wrap, Logger: s.logger.Named("api"),
	})
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	s.serveGRPC(clientDoor, s.clients, s.opts.Listeners.GRPC)
	return nil
}

// gate keeps requests about collections and points out until this node has caught up with the metadata after its
// start: until then it would deny that collections exist.
func (s *Server) gate(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	gated := strings.HasPrefix(info.FullMethod, "/qdrant.") && !strings.HasPrefix(info.FullMethod, "/qdrant.Qdrant/")
	if gated && !s.formed.Load() {
		return nil, fault.Status(fault.New(fault.Unavailable, "this node has started and not caught up with its cluster's metadata yet: ask another node, or again")).Err()
	}
	return h(ctx, req)
}

func (s *Server) serveGRPC(what string, server *grpc.Server, accepts net.Listener) *listener {
	l := newListener(accepts)
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		if err := server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			s.fail(fmt.Errorf("%s: %w", what, err))
		}
	}()
	s.opened(what, func() error { stopGRPC(server, l, doorGrace); return nil })
	return l
}

// stopGRPC lets the calls inside end, for a while. Streams of other peers never end by themselves.
func stopGRPC(server *grpc.Server, l *listener, grace time.Duration) {
	l.hush()
	done := make(chan struct{})
	go func() { server.GracefulStop(); close(done) }()
	select {
	case <-done:
	case <-time.After(grace):
		server.Stop()
		<-done
	}
}

// openHTTPDoor serves health and metrics, also while the node is not a member yet.
func (s *Server) openHTTPDoor(context.Context) error {
	handler, err := ops.Handler(ops.Options{
		Title: api.Title, APIVersion: api.Compatible, Version: s.opts.Version, Commit: s.opts.Commit,
		Ready: s.ready, Gatherer: s.registry, Logger: s.logger.Named("http"),
	})
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	s.http = ops.NewServer(handler, s.logger.Named("http"))
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		if err := s.http.Serve(s.opts.Listeners.HTTP); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("http door: %w", err))
		}
	}()
	s.opened("http door", s.http.Close)
	return nil
}

// localPoints counts the points of this node's replica of a shard.
func (s *Server) localPoints(ref catalog.ShardRef) uint64 {
	for _, st := range s.replicas.Status([]catalog.ShardRef{ref}) {
		return st.Points
	}
	return 0
}

// settle waits until every peer that answers shows the metadata that this node shows.
func (s *Server) settle(ctx context.Context) error {
	want := s.raft.AppliedIndex()
	for id := range s.raft.State().Peers {
		for s.stays(id) {
			pong, err := s.network.pool.Ping(ctx, id)
			if err == nil && pong.Applied >= want {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return nil
}
