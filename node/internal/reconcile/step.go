package reconcile

import (
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// Step is one thing to do; exactly one of Failover, Change and RemoveVoter is set.
type Step struct {
	Failover    *Failover
	Change      *catalog.Command
	RemoveVoter catalog.PeerID
	Why         string
}

// Failover gives a shard a primary in Term: fence the active replicas (R5), choose (R6), promote.
type Failover struct {
	Ref     catalog.ShardRef
	Version uint64
	Term    uint64
	// Unsafe permits a promotion with fewer answers than R6 asks for (W = 1, after the grace).
	Unsafe bool
	// Drain moves a primary that could go on: only to a replica that loses nothing.
	Drain bool
}

// Kind returns what the step does, in one word.
func (s Step) Kind() string {
	switch {
	case s.Failover != nil:
		return "failover"
	case s.RemoveVoter != 0:
		return "remove_voter"
	case s.Change.RemovePeer != nil:
		return "remove_peer"
	case s.Change.ChangeShard.AddReplica != nil:
		return "add_replica"
	case s.Change.ChangeShard.DropReplica != nil:
		return "drop_replica"
	}
	return "retire_replica"
}

// String returns the step in one line.
func (s Step) String() string {
	what := ""
	switch {
	case s.Failover != nil:
		f := s.Failover
		what = fmt.Sprintf("shard %s v%d term %d", f.Ref, f.Version, f.Term)
		if f.Unsafe {
			what += " unsafe"
		}
		if f.Drain {
			what += " drain"
		}
	case s.RemoveVoter != 0:
		what = fmt.Sprintf("peer %d", s.RemoveVoter)
	case s.Change.RemovePeer != nil:
		what = fmt.Sprintf("peer %d", *s.Change.RemovePeer)
	default:
		c := s.Change.ChangeShard
		for _, peer := range []*catalog.PeerID{c.AddReplica, c.DropReplica, c.Retire} {
			if peer != nil {
				what = fmt.Sprintf("shard %s v%d peer %d", c.Ref, c.Version, *peer)
			}
		}
	}
	return s.Kind() + " " + what + ": " + s.Why
}

// key names what the step is about, so that a failed one is not tried again too soon.
func (s Step) key() string {
	switch {
	case s.Failover != nil:
		return "failover " + s.Failover.Ref.String()
	case s.RemoveVoter != 0:
		return fmt.Sprint("voter ", s.RemoveVoter)
	case s.Change.RemovePeer != nil:
		return fmt.Sprint("peer ", *s.Change.RemovePeer)
	}
	return "shard " + s.Change.ChangeShard.Ref.String()
}
