package replication

import "slices"

// A linearizable read has to see every write that was committed before it began. Its primary may be one no longer without knowing
// it, so it asks: a round is one question to the replicas, put after the reads that it serves had come in. Two rules make the
// answer sufficient (docs/design/consistency.md, "Reading"):
//
//	L1  a round is confirmed once replicas enough to leave no promotion without one of them have said, after it began, that
//	    they had promised no higher term. Enough means enough in the view's membership and in the one that a change with an unknown
//	    outcome may have made of it.
//	L2  what is read has applied everything up to the commit index at the round's start, and no less than this term's TermStart:
//	    before that is committed, a new primary does not know how much of what it inherited is.

// Round counts the questions of a replica while it is open, whatever terms it leads; later rounds confirm earlier ones.
type Round uint64

// confirming is where the rounds stand.
type confirming struct {
	asked   Round // the last round that a read waits for
	started Round // the last round that was put to the replicas
	index   Index // L2, of the started round
	done    Round // the last round that is confirmed
	until   Index // L2, of the confirmed round
	resend  int   // ticks until the started round is put again
}

// Confirm asks for proof that this replica leads its term at some moment after the call. The read that calls it waits until
// Confirmed names the returned round or a later one, then until the index named with it is applied. Reads that come in while
// a round is under way share the next one. NotPrimary (hints "primary" and "term"): it does not lead.
func (c *Core) Confirm() (Round, error) {
	if err := c.Refusal(); err != nil {
		return 0, err
	}
	c.reads.asked = c.reads.started + 1
	return c.reads.asked, nil
}

// Refusal returns the NotPrimary error of a replica that does not lead, and nil while it does or is about to.
func (c *Core) Refusal() error {
	if c.lead == nil {
		return c.notPrimary()
	}
	return nil
}

// Confirmed returns the last round that is confirmed, and the index that its reads have to see.
func (c *Core) Confirmed() (Round, Index) { return c.reads.done, c.reads.until }

// confirming reports whether a read waits.
func (c *Core) confirming() bool { return c.lead != nil && c.reads.done < c.reads.asked }

// roundDue reports whether the next round can begin: one at a time, so that what comes in meanwhile shares it.
func (c *Core) roundDue() bool {
	r := &c.reads
	return r.asked > r.started && (r.done == r.started || r.resend <= 0)
}

// startRound begins a round and adds its questions to out.
func (c *Core) startRound(out []Message) []Message {
	if !c.roundDue() {
		return out
	}
	c.reads.started = c.reads.asked
	c.reads.index = c.commit
	if c.keeps(l2) {
		c.reads.index = max(c.commit, c.lead.start)
	}
	c.reads.resend = c.opts.ResendTicks
	for _, p := range c.lead.peers {
		if p.role == active || c.lead.change != nil && c.lead.change.Activate == p.id {
			out = append(out, Message{Type: MsgConfirm, From: c.self, To: p.id, Term: c.lead.term, Round: c.reads.started})
		}
	}
	c.confirm()
	return out
}

// tickRounds puts the question again, as a new round that serves everybody, once answers are late.
func (c *Core) tickRounds() {
	if !c.confirming() {
		return
	}
	if c.reads.resend--; c.reads.resend <= 0 && c.reads.done < c.reads.started {
		c.reads.asked = c.reads.started + 1
	}
}

// confirm notes which rounds are confirmed by now.
func (c *Core) confirm() {
	r := &c.reads
	if r.done == r.started || !c.leads() {
		return
	}
	members, w := c.view.Active, c.view.WriteQuorum
	confirmed := c.covered(members, w)
	if change := c.lead.change; change != nil && c.keeps(l1Change) {
		members, w = change.made(members, w)
		confirmed = min(confirmed, c.covered(members, w))
	}
	if confirmed > r.done {
		r.done, r.until = min(confirmed, r.started), r.index
	}
}

// covered is L1 for one membership: the last round answered by so many of its members that no promotion can have done without one
// of them. R6 asks |active| - W + 1 of them, so min(W, |active|) leave it too few. Where W = 1 a promotion may do with any one
// (unsafely), so only all of them will do.
func (c *Core) covered(members []PeerID, w int) Round {
	need := min(w, len(members))
	if w <= 1 {
		need = len(members)
	}
	if !c.keeps(l1) {
		need = 1
	}
	var buf [8]Round
	answered := buf[:0]
	for _, id := range members {
		if id == c.self {
			answered = append(answered, c.reads.started)
		} else if p := c.lead.peer(id); p != nil {
			answered = append(answered, p.confirmed)
		}
	}
	if len(answered) < need || need < 1 {
		return 0
	}
	slices.Sort(answered)
	return answered[len(answered)-need]
}

// made returns the membership and W that a change leads to.
func (c Change) made(members []PeerID, w int) ([]PeerID, int) {
	switch {
	case c.Demote != 0:
		return slices.DeleteFunc(slices.Clone(members), func(id PeerID) bool { return id == c.Demote }), w
	case c.Activate != 0:
		return append(slices.Clone(members), c.Activate), w
	case c.SetWriteQuorum != 0:
		return members, c.SetWriteQuorum
	}
	return members, w
}

// handleConfirm answers a primary's question. What it says is about this moment, so it need not wait for the disk: a promise
// that is not durable yet has not been told to anybody.
func (c *Core) handleConfirm(m Message) {
	reply := Message{Type: MsgConfirmReply, From: c.self, To: m.From, Term: m.Term, Generation: c.generation, Round: m.Round}
	if m.Term < c.state.Promised {
		reply.Term, reply.Reject = c.state.Promised, true
	}
	for i, old := range c.outbox.early { // of a primary's questions the last matters
		if old.To == m.From && old.Term <= reply.Term {
			c.outbox.early[i] = reply
			return
		}
	}
	c.outbox.early = append(c.outbox.early, reply)
}

// handleConfirmReply takes an answer.
func (c *Core) handleConfirmReply(m Message) {
	l, p := c.lead, c.lead.peer(m.From)
	if p == nil || (m.Generation != 0 && p.generation != 0 && m.Generation != p.generation) {
		return // also: a copy made anew does not know what its predecessor promised
	}
	if m.Reject {
		c.outbidBy(p, m.Term)
		return
	}
	if m.Term != l.term || m.Round > c.reads.started {
		return
	}
	p.confirmed = max(p.confirmed, m.Round)
	c.confirm()
}

// outbidBy takes it that p has promised a higher term and will never follow this one. The term goes on without it, but asks to
// be replaced.
func (c *Core) outbidBy(p *progress, t Term) {
	p.silent = 0
	if t > c.lead.term && t > c.lead.outbid {
		c.lead.outbid = t
		c.wantPromotion()
	}
}
