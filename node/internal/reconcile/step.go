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
	// Whole forbids one, however long the answers take.
	Whole bool
	// Drain moves a primary that could go on: only to a replica that loses nothing, one of Heirs (none: any that is not leaving).
	Drain   bool
	Heirs   []catalog.PeerID
	Balance bool // only for the sake of balance: there is no hurry
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
	case s.Change.EndOperation != nil:
		return "end_operation"
	case s.Change.DropShard != nil:
		return "drop_shard"
	case s.Change.ChangeMove != nil && s.Change.ChangeMove.Begin != nil:
		return "move_slots"
	case s.Change.ChangeMove != nil:
		return "withdraw_slots"
	}
	switch c := s.Change.ChangeShard; {
	case c.AddReplica != nil:
		return "add_replica"
	case c.Replace != nil:
		return "move_replica"
	case c.DropReplica != nil:
		return "drop_replica"
	case c.Settle != nil:
		return "settle_replica"
	case c.Handover != nil:
		return "hand_over"
	}
	return "retire_replica"
}

// Shard returns the shard that a step is about, if it is about one.
func (s Step) Shard() (catalog.ShardRef, bool) {
	switch {
	case s.Failover != nil:
		return s.Failover.Ref, true
	case s.Change != nil && s.Change.DropShard != nil:
		return s.Change.DropShard.Ref, true
	case s.Change != nil && s.Change.ChangeMove != nil && s.Change.ChangeMove.Begin != nil:
		return catalog.ShardRef{Collection: s.Change.ChangeMove.Collection, Shard: s.Change.ChangeMove.Begin.Target}, true
	case s.Change != nil && s.Change.ChangeShard != nil:
		return s.Change.ChangeShard.Ref, true
	}
	return catalog.ShardRef{}, false
}

// String returns the step in one line.
func (s Step) String() string {
	var what string
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
		if f.Balance {
			what += fmt.Sprintf(" to %d", f.Heirs)
		}
	case s.RemoveVoter != 0:
		what = fmt.Sprintf("peer %d", s.RemoveVoter)
	case s.Change.RemovePeer != nil:
		what = fmt.Sprintf("peer %d", *s.Change.RemovePeer)
	case s.Change.EndOperation != nil:
		what = fmt.Sprintf("%d as %s", s.Change.EndOperation.ID, s.Change.EndOperation.State)
	case s.Change.DropShard != nil:
		what = "shard " + s.Change.DropShard.Ref.String()
	case s.Change.ChangeMove != nil:
		what = describeMove(s.Change.ChangeMove)
	default:
		what = describeChange(s.Change.ChangeShard)
	}
	return s.Kind() + " " + what + ": " + s.Why
}

func describeMove(c *catalog.ChangeMove) string {
	if c.Begin == nil {
		return fmt.Sprintf("move %d v%d", c.Move, c.Version)
	}
	return fmt.Sprintf("collection %d from shard %d to %d", c.Collection, c.Begin.Source, c.Begin.Target)
}

func describeChange(c *catalog.ChangeShard) string {
	what := fmt.Sprintf("shard %s v%d", c.Ref, c.Version)
	switch {
	case c.Replace != nil:
		return fmt.Sprintf("%s peer %d for peer %d", what, c.Replace.Peer, c.Replace.Of)
	case c.Handover != nil:
		return fmt.Sprintf("%s %t", what, *c.Handover)
	}
	for _, peer := range []*catalog.PeerID{c.AddReplica, c.DropReplica, c.Retire, c.Settle} {
		if peer != nil {
			what += fmt.Sprintf(" peer %d", *peer)
		}
	}
	return what
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
	case s.Change.EndOperation != nil:
		return fmt.Sprint("operation ", s.Change.EndOperation.ID)
	case s.Change.DropShard != nil:
		return "drop " + s.Change.DropShard.Ref.String()
	case s.Change.ChangeMove != nil:
		return describeMove(s.Change.ChangeMove)
	}
	return "shard " + s.Change.ChangeShard.Ref.String()
}
