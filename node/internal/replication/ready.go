package replication

// Ready is what a Core wants done. The driver does it in this order:
//
//  1. Early may be sent at once: a primary's appends, which travel while its own disk works, and what linearizable reads ask
//     and are answered.
//  2. Cut the log from TruncateFrom on, append Append, store State: in one durable step. A crash may lose that step as a
//     whole, never a part of it.
//  3. Send Messages: they promise what step 2 made durable.
//  4. Advance. Log shows what step 2 did from now on (it may show it earlier).
//  5. Apply the log's entries up to Commit, and tell AppliedTo. This may go on behind, but in order.
//
// Change and WantPromotion go to the metadata whenever convenient. While a Ready is outstanding (taken, not advanced), the
// Core takes every other call, and gathers what they cause for the next Ready: that is the group commit. Messages may be
// lost, doubled and reordered; entries in them are shared with the Core and must not be modified.
type Ready struct {
	Early        []Message
	State        *HardState // nil: unchanged
	TruncateFrom Index      // 0: nothing to cut
	Append       []Entry
	Messages     []Message
	Commit       Index

	// Change is a wish, reported once. The driver proposes it until the shard's version moves past Change.Version.
	Change *Change
	// WantPromotion, when not 0, is the term that this replica is named primary of and cannot (go on to) lead. It is
	// repeated every PromotionTicks while that is so.
	WantPromotion Term
	// Charges are what the driver is to pay for, whenever it sees fit, by Paid.
	Charges []Charge
	// NeedSnapshot names replicas that newly need entries which the log no longer has. Status lists all such.
	NeedSnapshot []PeerID
}

// HasReady reports whether there is something to do. It is false while a Ready is outstanding.
func (c *Core) HasReady() bool {
	if c.outbox.outstanding {
		return false
	}
	return c.state != c.handed || len(c.outbox.replies)+len(c.outbox.early) > 0 || c.commit > c.outbox.commit || c.want.due ||
		(c.tail.waiting() && !c.holding()) || c.leadershipWaits()
}

// Ready hands out what there is to do. It panics while another Ready is outstanding.
func (c *Core) Ready() Ready {
	if c.outbox.outstanding {
		panic("replication: ready while one is outstanding")
	}
	c.outbox.outstanding = true
	var r Ready
	if c.state != c.handed {
		state := c.state
		r.State, c.handed = &state, c.state
	}
	if !c.holding() {
		r.TruncateFrom, r.Append = c.tail.take()
	}
	r.Early, c.outbox.early = c.outbox.early, nil
	if c.lead != nil {
		c.leadershipReady(&r)
	}
	r.Messages, c.outbox.replies = c.outbox.replies, nil
	r.Commit, c.outbox.commit = c.commit, c.commit
	if c.want.due {
		r.WantPromotion, c.want.due = c.view.Term, false
	}
	return r
}

// Advance tells that everything of the outstanding Ready is durable. It panics when none is outstanding.
func (c *Core) Advance() {
	if !c.outbox.outstanding {
		panic("replication: advance without a ready")
	}
	c.outbox.outstanding = false
	c.durable = c.handed
	c.tail.advance()
	if c.lead != nil {
		c.settle() // the primary's own copy counts from here
	}
}

// leadershipWaits reports whether the primary has something for the next Ready.
func (c *Core) leadershipWaits() bool {
	l := c.lead
	if l == nil {
		return false
	}
	if l.change != nil && !l.announced {
		return true
	}
	if !c.leads() {
		return false
	}
	if c.roundDue() {
		return true
	}
	for _, p := range l.peers {
		if p.lacksLog && !p.lackReported || c.sendable(p) {
			return true
		}
	}
	return false
}

func (c *Core) leadershipReady(r *Ready) {
	l := c.lead
	if l.change != nil && !l.announced {
		change := *l.change
		r.Change, l.announced = &change, true
	}
	if !c.leads() {
		return // R7
	}
	r.Early = c.startRound(r.Early)
	for _, p := range l.peers {
		r.Early = c.send(p, r.Early)
		r.Charges = p.arrears.bill(p.id, r.Charges)
		if p.lacksLog && !p.lackReported {
			p.lackReported = true
			r.NeedSnapshot = append(r.NeedSnapshot, p.id)
		}
	}
}
