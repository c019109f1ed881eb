package server

import (
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// ready tells why this node cannot serve now, or nil.
func (s *Server) ready() error {
	switch {
	case s.draining.Load():
		return fault.New(fault.Unavailable, "this node is shutting down")
	case !s.formed.Load():
		return fault.New(fault.Unavailable, "this node has not caught up with its cluster's metadata yet")
	}
	if err := s.store.Err(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "this node's disk has failed")
	}
	if err := s.raft.Problem(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "this node cannot follow the metadata")
	}
	if leader, _ := s.raft.Leader(); leader == 0 {
		return fault.New(fault.Unavailable, "the cluster has no Raft leader: metadata cannot change")
	}
	if n := s.behind(); n > 0 {
		return fault.New(fault.Unavailable, "this node has started and %d of its replicas are being brought up to date", n)
	}
	for _, st := range s.replicas.Status(nil) {
		if st.Problem != "" {
			return fault.New(fault.Unavailable, "shard %d of collection %d: %s", st.Ref.Shard, st.Ref.Collection, st.Problem)
		}
	}
	return nil
}

// Ready tells why this node cannot serve now, or nil: what /readyz says.
func (s *Server) Ready() error { return s.ready() }

// catchUpPatience bounds how long a node that has started says that it is not ready because of its replicas: longer than that they
// wait for another node, or for a snapshot, and this one can serve what it has.
const catchUpPatience = time.Minute

// behind counts the replicas here that do not count again since this node started. Whoever restarts nodes one after the other by
// their readiness must not go on before: of three copies, two would be away at once.
func (s *Server) behind() int {
	if s.caughtUp.Load() {
		return 0
	}
	n := 0
	for _, sh := range s.raft.State().Shards() {
		if r, here := sh.Replica(s.id.PeerID); here && !r.Retiring && r.State != catalog.Active {
			n++
		}
	}
	if n == 0 || time.Since(s.began) > catchUpPatience {
		s.caughtUp.Store(true)
		return 0
	}
	return n
}
