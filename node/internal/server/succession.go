package server

import (
	"maps"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

const (
	hurryEvery = 200 * time.Millisecond
	hurryApart = 40 * time.Millisecond // longer than an election takes
)

// succeed has Raft replace a leader whose process is gone sooner than one that is merely silent, which may only be slow. Nodes do so
// one after the other, so that they do not all vote for themselves.
func (s *Server) succeed() {
	defer s.wg.Done()
	for {
		alive := s.network.monitor.Changed()
		l, changed := s.raft.WatchLeader()
		var due <-chan time.Time
		if l.Leader != 0 && !l.Here && s.network.monitor.Gone(l.Leader) {
			due = time.After(s.turn(time.Now(), l.Leader))
		} else {
			s.raft.Calm()
		}
		select {
		case <-due:
			s.raft.Hurry()
		case <-alive:
		case <-changed:
		case <-s.ctx.Done():
			return
		}
	}
}

// turn is how long it is until this node may hurry.
func (s *Server) turn(now time.Time, leader catalog.PeerID) time.Duration {
	due := now.Truncate(hurryEvery).Add(time.Duration(s.rank(leader)) * hurryApart)
	if !due.After(now) {
		due = due.Add(hurryEvery)
	}
	return due.Sub(now)
}

// rank is this node's place among those that could follow a leader.
func (s *Server) rank(leader catalog.PeerID) int {
	n := 0
	for _, id := range slices.Sorted(maps.Keys(s.raft.Voters())) {
		if id == s.id.PeerID {
			break
		}
		if id != leader && s.network.monitor.Alive(id) {
			n++
		}
	}
	return n % int(hurryEvery/hurryApart)
}
