package server

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// Metadata returns the metadata as this node shows it, and the index of the last change in it. It may be a moment
// older than what other nodes show.
func (s *Server) Metadata() (*catalog.State, uint64) {
	index := s.raft.AppliedIndex()
	return s.raft.State(), index
}

// Replicas returns this node's replicas, for whoever runs several nodes in one process and compares their copies. It
// stays the server's to close.
func (s *Server) Replicas() *replica.Manager { return s.replicas }

// Self returns the id that this node's data directory has.
func (s *Server) Self() catalog.PeerID { return s.id.PeerID }

// LeadsMetadata reports whether this node is the Raft leader.
func (s *Server) LeadsMetadata() bool { return s.raft.IsLeader() }
