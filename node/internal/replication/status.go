package replication

import (
	"fmt"
	"strings"
)

// Status is a picture of a Core for people, metrics and tests.
type Status struct {
	Self         PeerID
	State        HardState
	View         View
	Leading      bool
	Barred       bool // named primary, and may not (go on to) lead: it waits for a promotion
	LastTerm     Term
	LastIndex    Index
	DurableIndex Index
	CommitIndex  Index
	AppliedIndex Index
	// CompletedIndex, WriteQuorum (the one in use), Counted, Peers, Change and NeedSnapshot are the primary's knowledge.
	CompletedIndex Index
	WriteQuorum    int
	Counted        int
	Peers          []PeerStatus
	Change         *Change  // proposed, outcome unknown
	NeedSnapshot   []PeerID // replicas that cannot be brought up to date from the log
	// Diverged is the first committed entry here that contradicts the primary's log; 0: none. Such a replica has to be
	// made anew; only a promotion with fewer answers than R6 asks for leads there.
	Diverged Index
	Problem  error // why the log could not be read
}

// PeerStatus is what a primary knows of another replica.
type PeerStatus struct {
	ID       PeerID
	Role     string // active, partial, dead
	Match    Index  // it durably holds the log up to here
	Next     Index
	Applied  Index
	Counts   bool
	Retiring bool
	Probing  bool
	Silent   int // ticks
	LacksLog bool
	Diverged bool
}

// Status returns a picture of the Core.
func (c *Core) Status() Status {
	s := Status{
		Self: c.self, State: c.state, View: c.view.clone(), Leading: c.Leading(), Barred: c.barred(), DurableIndex: c.tail.durable(),
		CommitIndex: c.commit, AppliedIndex: c.applied, CompletedIndex: c.CompletedIndex(), WriteQuorum: c.view.WriteQuorum,
		Diverged: c.follow.diverged, Problem: c.problem,
	}
	s.LastTerm, s.LastIndex = c.tail.end()
	if c.lead == nil {
		return s
	}
	s.WriteQuorum, s.Counted = c.writeQuorum(), c.counted()
	if c.lead.change != nil {
		change := *c.lead.change
		s.Change = &change
	}
	for _, p := range c.lead.peers {
		s.Peers = append(s.Peers, PeerStatus{
			ID: p.id, Role: p.role.String(), Match: p.match, Next: p.next, Applied: p.applied, Counts: c.countsNow(p),
			Retiring: p.retiring, Probing: p.probing, Silent: p.silent, LacksLog: p.lacksLog, Diverged: p.diverged,
		})
		if p.lacksLog {
			s.NeedSnapshot = append(s.NeedSnapshot, p.id)
		}
	}
	return s
}

// Describe returns the Core's status on one line.
func (c *Core) Describe() string { return c.Status().String() }

// String returns the status on one line, such as
//
//	replica 1 leads term 2: log 7@2 durable 7 commit 7 applied 6 completed 5, W=2 of 2 counted; 2 active match 7 applied 5
func (s Status) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "replica %d %s term %d: log %d@%d durable %d commit %d applied %d", s.Self, s.part(), s.State.Promised,
		s.LastIndex, s.LastTerm, s.DurableIndex, s.CommitIndex, s.AppliedIndex)
	if s.Diverged != 0 {
		fmt.Fprintf(&b, " diverged %d", s.Diverged)
	}
	if !s.Leading {
		return b.String()
	}
	fmt.Fprintf(&b, " completed %d, W=%d of %d counted", s.CompletedIndex, s.WriteQuorum, s.Counted)
	for _, p := range s.Peers {
		b.WriteString("; " + p.String())
	}
	if s.Change != nil {
		b.WriteString("; wants " + s.Change.String())
	}
	return b.String()
}

func (s Status) part() string {
	switch {
	case s.Leading && s.Barred:
		return "leads, outbid,"
	case s.Leading:
		return "leads"
	case s.Barred:
		return "is barred from"
	}
	return "follows"
}

// String returns what is known of the replica in a few words.
func (p PeerStatus) String() string {
	text := fmt.Sprintf("%d %s match %d applied %d", p.ID, p.Role, p.Match, p.Applied)
	for _, f := range []struct {
		set  bool
		word string
	}{
		{p.Role == active.String() && !p.Counts, " uncounted"}, {p.Retiring, " retiring"}, {p.Probing, " probing"},
		{p.LacksLog, " lacks-log"}, {p.Diverged, " diverged"},
	} {
		if f.set {
			text += f.word
		}
	}
	if p.Silent > 0 {
		text += fmt.Sprintf(" silent %d", p.Silent)
	}
	return text
}

// String returns the change in a few words, such as "demote 2 at version 5".
func (c Change) String() string {
	what := "nothing"
	switch {
	case c.Demote != 0:
		what = fmt.Sprintf("demote %d", c.Demote)
	case c.Receive != 0:
		what = fmt.Sprintf("receive %d", c.Receive)
	case c.Activate != 0:
		what = fmt.Sprintf("activate %d", c.Activate)
	case c.SetWriteQuorum != 0:
		what = fmt.Sprintf("W=%d", c.SetWriteQuorum)
	}
	return fmt.Sprintf("%s at version %d", what, c.Version)
}
