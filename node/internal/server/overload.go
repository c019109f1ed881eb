package server

import (
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/overload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// gates are what requests of clients and of other nodes pass. Each door has its own: nodes that work for each other's clients would
// otherwise wait for one another.
type gates struct {
	clients, peers *overload.Gate
}

func (s *Server) openGates() error {
	metrics, err := overload.NewMetrics(s.registry)
	if err != nil {
		return fmt.Errorf("overload metrics: %w", err)
	}
	used, err := overload.NewMemory(s.opts.MemoryLimit, s.registry)
	if err != nil {
		return fmt.Errorf("memory metrics: %w", err)
	}
	s.gates.clients, err = overload.NewGate(overload.Options{
		Door: "client", Limits: s.opts.Limits, Memory: used, Exempt: api.HealthCheck, Large: api.Large, Adds: api.Adds,
		Metrics: metrics, Events: s.events,
	})
	if err != nil {
		return err
	}
	among := s.gates.clients.Limits()
	among.Body, among.Requests, among.Waiting = peer.MaxMessage, 4*among.Requests, 4*among.Waiting // several nodes' clients
	s.gates.peers, err = overload.NewGate(overload.Options{
		Door: "peer", Limits: among, Memory: used, Exempt: func(m string) bool { return !peer.Works(m) }, Large: peer.Writes, Adds: peer.Writes,
		Metrics: metrics, Events: s.events,
	})
	return err
}
