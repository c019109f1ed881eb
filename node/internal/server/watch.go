package server

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/audit"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
)

// openAuditor opens what compares replicas.
func (s *Server) openAuditor(context.Context) error {
	var err error
	s.auditor, err = audit.New(audit.Options{
		Self: s.id.PeerID, Local: s.replicas, Remote: s.network.pool, Metadata: s.raft, Liveness: s.network.monitor, Mover: s.runner,
		Events: s.events, Logger: s.logger.Named("audit"), Every: s.opts.VerifyEvery, Pace: s.opts.VerifyPace, Registerer: s.registry,
	})
	if err != nil {
		return fmt.Errorf("auditor: %w", err)
	}
	s.opened("auditor", s.auditor.Close)
	return nil
}

// openWatcher opens what writes down what happens, from when the node has caught up with the metadata.
func (s *Server) openWatcher(context.Context) error {
	w, err := cluster.NewWatcher(cluster.WatcherOptions{
		Self: s.id.PeerID, Metadata: s.raft, Elections: s.raft, Detector: s.network.monitor, Replicas: s.replicas,
		Events: s.events, Registerer: s.registry, Begun: s.formed.Load,
	})
	if err != nil {
		return fmt.Errorf("watcher: %w", err)
	}
	s.opened("watcher", w.Close)
	return nil
}

// Describe sends what describes every metric that this node may expose, also those that have not been counted yet.
func (s *Server) Describe(ch chan<- *prometheus.Desc) { s.registry.Describe(ch) }
