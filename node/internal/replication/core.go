package replication

import (
	"errors"
	"fmt"
)

// Config is what a Core starts from: what the replica had durable when it last stopped.
type Config struct {
	Self       PeerID
	Generation uint64 // of this replica; it marks its replies. 0: unknown
	Log        Log
	State      HardState
	Applied    Index
	Options    Options
}

// Check reports what is wrong with c, such as a log that ends before what was applied.
func (c Config) Check() error {
	switch {
	case c.Self == 0:
		return errors.New("self is 0")
	case c.Log == nil:
		return errors.New("log is missing")
	case c.Applied > c.Log.LastIndex():
		return fmt.Errorf("applied %d is beyond the log's last index %d", c.Applied, c.Log.LastIndex())
	case c.Applied+1 < c.Log.FirstIndex():
		return fmt.Errorf("applied %d leaves a gap before the log's first index %d", c.Applied, c.Log.FirstIndex())
	case c.State.Led > c.State.Promised:
		return fmt.Errorf("led term %d is beyond the promised term %d", c.State.Led, c.State.Promised)
	}
	return nil
}

// Core is one replica of a shard: the protocol's state machine. It is not safe for concurrent use; its driver
// serialises the calls.
type Core struct {
	self       PeerID
	generation uint64
	opts       Options
	waived     rules // zero but in tests

	tail    tail
	state   HardState // as it is here
	handed  HardState // as a Ready last carried it
	durable HardState
	commit  Index
	applied Index
	view    View
	quorum  int // W as wanted by WantQuorum; 0: as the view says

	follow  following
	lead    *leadership // nil: it does not lead
	reads   confirming
	want    wish
	outbox  outbox
	problem error
}

// following is what a replica knows of the primary it follows.
type following struct {
	term     Term
	primary  PeerID
	matched  Index // its log agrees with that primary's up to here
	diverged Index // the first committed entry that contradicts that primary's log; 0: none
}

// wish is the report that this replica is named primary of a term that it may not lead.
type wish struct {
	due   bool
	ticks int // since the last report
}

// outbox gathers what the next Ready carries beside the log and the state.
type outbox struct {
	outstanding bool  // a Ready is out and not advanced
	commit      Index // as a Ready last carried it
	replies     []Message
	early       []Message // replies that promise nothing
}

// New makes the replica's state machine. It panics on a Config that Check refuses: the driver checks what comes from disk.
func New(c Config) *Core {
	if err := c.Check(); err != nil {
		panic("replication: new core: " + err.Error())
	}
	return &Core{
		self: c.Self, generation: c.Generation, opts: c.Options.withDefaults(), waived: broken(),
		tail:  newTail(c.Log),
		state: c.State, handed: c.State, durable: c.State,
		// Only committed entries are applied, so this much is known without asking.
		commit: c.Applied, applied: c.Applied,
		outbox: outbox{commit: c.Applied},
	}
}

// CommitIndex is the last index that this replica knows to be committed. It is volatile.
func (c *Core) CommitIndex() Index { return c.commit }

// CompletedIndex is the last index that W counted replicas have applied, the primary among them; 0 when it does not lead.
func (c *Core) CompletedIndex() Index {
	if c.lead == nil {
		return 0
	}
	return c.lead.completed
}

// Acting returns the term in which this replica acts as primary, from when it learns of its office on; 0 when it does not.
// Propose takes entries from then on, Leading tells whether they may leave this replica yet.
func (c *Core) Acting() Term {
	if c.lead == nil {
		return 0
	}
	return c.lead.term
}

// Leading reports whether this replica acts as the shard's primary, with its term durably led.
func (c *Core) Leading() bool { return c.lead != nil && c.leads() }

// leads reports whether the term is durably marked as led: before, nothing may leave this replica in that term (R7).
func (c *Core) leads() bool { return c.durable.Led >= c.lead.term || !c.keeps(r7First) }

// AppliedTo tells that the entries up to i are applied, durably together with the state they made. It panics if i is
// not committed: the driver applies only what a Ready told it to.
func (c *Core) AppliedTo(i Index) {
	if i > c.commit {
		panic(fmt.Sprintf("replication: applied %d beyond commit %d", i, c.commit))
	}
	if i <= c.applied {
		return
	}
	c.applied = i
	if c.lead != nil {
		c.settle()
		return
	}
	c.report()
}

// Tick passes time.
func (c *Core) Tick() {
	if c.lead != nil && c.leads() {
		c.tickPeers()
		c.tickRounds()
		c.settle()
	}
	if c.barred() {
		if c.want.ticks++; c.want.ticks >= c.opts.PromotionTicks {
			c.wantPromotion()
		}
	}
}

// barred reports whether the metadata wants this replica to lead but its term cannot go on: it may not lead it (R5, R7), or a
// replica has promised a higher term and will not follow it any more.
func (c *Core) barred() bool {
	if c.view.Primary != c.self || c.view.Term == 0 {
		return false
	}
	if c.lead != nil {
		return c.lead.outbid > c.lead.term
	}
	return c.follow.term <= c.view.Term // else somebody leads a later term already: the view is merely late
}

func (c *Core) wantPromotion() { c.want = wish{due: true} }

// Learn tells what the metadata says of the shard. Older views than the last are ignored. The view is copied.
func (c *Core) Learn(v View) {
	if v.Version <= c.view.Version {
		return
	}
	c.view = v.clone()
	if c.lead != nil && (v.Term != c.lead.term || v.Primary != c.self) {
		c.lead = nil
	}
	switch {
	case c.lead != nil:
		c.relearn()
		c.settle()
	case v.Primary == c.self:
		c.tryLead()
	}
}

// tryLead starts leading the view's term if the rules allow it, and asks for a promotion to another term if not.
func (c *Core) tryLead() {
	t := c.view.Term
	fresh := t > c.state.Led || !c.keeps(r7) // R7
	if t == 0 || t < c.state.Promised || !fresh || !c.view.counts(c.self) {
		c.wantPromotion()
		return
	}
	c.want = wish{}
	c.state = HardState{Promised: t, Led: t}
	c.outbox.replies = nil
	c.follow = following{}
	// R1: what older terms left in the log is committed by this entry, and not before it.
	c.tail.append(Entry{Term: t, Index: c.tail.last() + 1, Kind: TermStart})
	c.lead = &leadership{term: t, start: c.tail.last(), sized: c.tail.last()}
	// A round of an earlier term is not answered in this one, and an answer has to see what happened in between.
	c.reads.resend, c.reads.index = 0, c.lead.start
	c.relearn()
	c.settle()
}
