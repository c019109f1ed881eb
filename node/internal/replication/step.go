package replication

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
)

// Step takes a message of another replica, or a fence of the Raft leader (also when it is on this very peer). A message
// that no correct sender makes is dropped.
func (c *Core) Step(m Message) {
	if m.To != 0 && m.To != c.self {
		return
	}
	if m.Type == MsgFence {
		c.fence(m)
		return
	}
	if m.From == 0 || m.From == c.self {
		return
	}
	switch m.Type {
	case MsgAppend:
		if m.wellFormed() {
			c.handleAppend(m)
		}
	case MsgAppendReply:
		if c.lead != nil && c.leads() {
			c.handleReply(m)
		}
	case MsgConfirm:
		c.handleConfirm(m)
	case MsgConfirmReply:
		if c.lead != nil && c.leads() {
			c.handleConfirmReply(m)
		}
	case MsgFence, MsgFenceReply: // not from a replica, not to one
	}
}

// wellFormed reports whether an append could come from a correct primary: consecutive entries whose terms never fall and
// never exceed the sender's.
func (m Message) wellFormed() bool {
	if m.Term == 0 || m.PrevTerm > m.Term || (m.PrevIndex == 0) != (m.PrevTerm == 0) {
		return false
	}
	index, term := m.PrevIndex, m.PrevTerm
	for _, e := range m.Entries {
		index++
		if index == 0 || e.Index != index || e.Term < term || e.Term == 0 || e.Term > m.Term || e.Kind > TermStart {
			return false
		}
		term = e.Term
	}
	return true
}

// fence answers a fence, R5: it promises the term, so that no primary of a lower one gets another acknowledgement here, and
// ends its own leading of one. The answer tells where the log ends, and leaves only after the promise is durable.
func (c *Core) fence(m Message) {
	if m.Term > c.state.Promised && c.keeps(r5) {
		c.promise(m.Term)
		if c.barred() {
			c.wantPromotion()
		}
	}
	reply := Message{Type: MsgFenceReply, From: c.self, To: m.From, Term: max(c.state.Promised, m.Term), Generation: c.generation}
	if c.keeps(r5) {
		reply.Term = c.state.Promised
	}
	reply.LastTerm, reply.LastIndex = c.tail.end()
	c.outbox.replies = append(c.outbox.replies, reply)
}

// promise raises the promised term and ends what belongs to lower ones.
func (c *Core) promise(t Term) {
	c.state.Promised = t
	c.lead = nil
	// Replies in lower terms would speak for entries that the new term may cut before they are durable.
	c.outbox.replies = slices.DeleteFunc(c.outbox.replies, func(m Message) bool { return m.Type == MsgAppendReply })
}

// handleAppend makes the log agree with the primary's as far as the message reaches.
func (c *Core) handleAppend(m Message) {
	switch {
	case m.Term < c.state.Promised && !mutation.On(mutation.OlderTerm):
		c.refuseTerm(m)
		return
	case m.Term > c.state.Promised:
		c.promise(m.Term)
	case c.lead != nil:
		return // there is one primary in a term, and it is this one
	}
	if c.follow.term != m.Term {
		c.follow, c.want = following{term: m.Term}, wish{}
	}
	c.follow.primary = m.From
	if c.follow.diverged != 0 {
		c.refuseDiverged(m, c.follow.diverged)
		return
	}
	if prev, ok := c.tail.term(m.PrevIndex); m.PrevIndex+1 >= c.tail.log.FirstIndex() && (!ok || prev != m.PrevTerm && !mutation.On(mutation.UncheckedPrevious)) {
		c.refusePlace(m, ok)
		return
	}
	c.accept(m)
}

// accept appends what the log lacks of m, and drops a conflicting tail first.
func (c *Core) accept(m Message) {
	first := c.tail.log.FirstIndex()
	for n, e := range m.Entries {
		if e.Index+1 < first {
			continue // compacted away, so committed: the same, if what comes at the end of it is
		}
		have, ok := c.tail.term(e.Index)
		if ok && (have == e.Term || mutation.On(mutation.KeptTail)) {
			continue
		}
		if ok && e.Index <= c.commit {
			c.refuseDiverged(m, e.Index)
			return
		}
		if ok {
			c.tail.truncate(e.Index)
		}
		c.tail.append(m.Entries[n:]...)
		break
	}
	match := m.PrevIndex + Index(len(m.Entries))
	c.follow.matched = max(c.follow.matched, match)
	c.commit = max(c.commit, min(m.Commit, match))
	c.report()
}

// report tells the primary how far log and applied state reach. One report stands for all before it.
func (c *Core) report() {
	f := c.follow
	if f.primary == 0 || f.term != c.state.Promised && !mutation.On(mutation.OlderTerm) || f.diverged != 0 {
		return
	}
	m := Message{
		Type: MsgAppendReply, From: c.self, To: f.primary, Term: f.term, Generation: c.generation,
		Match: f.matched, Applied: c.applied,
	}
	for i, old := range c.outbox.replies {
		if old.Type == MsgAppendReply && old.To == m.To && !old.Reject {
			c.outbox.replies[i] = m
			return
		}
	}
	c.outbox.replies = append(c.outbox.replies, m)
}

// refuseTerm tells a primary of a lower term what is promised here.
func (c *Core) refuseTerm(m Message) {
	reply := Message{
		Type: MsgAppendReply, From: c.self, To: m.From, Term: c.state.Promised, Generation: c.generation,
		Reject: true, PrevIndex: m.PrevIndex, Applied: c.applied,
	}
	reply.LastTerm, reply.LastIndex = c.tail.end()
	c.refuse(reply)
}

// refusePlace tells the primary where to try next: the last place at or before the refused one where the logs may agree.
func (c *Core) refusePlace(m Message, have bool) {
	hint := c.tail.last()
	if have {
		if m.PrevIndex <= c.commit {
			c.refuseDiverged(m, m.PrevIndex)
			return
		}
		hint = m.PrevIndex - 1
	}
	hint = c.lastNotAbove(min(hint, m.PrevIndex), m.PrevTerm)
	reply := Message{
		Type: MsgAppendReply, From: c.self, To: m.From, Term: m.Term, Generation: c.generation,
		Reject: true, PrevIndex: m.PrevIndex, Match: max(hint, c.commit), Applied: c.applied,
	}
	reply.PrevTerm, _ = c.tail.term(reply.Match)
	c.refuse(reply)
}

// refuseDiverged tells the primary that the entry at i contradicts its log although it is committed here. Only a promotion with
// fewer answers than R6 asks for makes that possible. The replica has to be made anew.
func (c *Core) refuseDiverged(m Message, i Index) {
	c.follow.diverged = i
	c.refuse(Message{
		Type: MsgAppendReply, From: c.self, To: m.From, Term: m.Term, Generation: c.generation,
		Reject: true, PrevIndex: m.PrevIndex, Match: i - 1, Applied: max(i, c.applied),
	})
}

// refuse queues a refusal in place of one that waits for the same primary: the pipeline behind a gap is refused once.
func (c *Core) refuse(m Message) {
	for i, old := range c.outbox.replies {
		if old.Type == MsgAppendReply && old.To == m.To && old.Reject {
			if old.Term == m.Term && old.PrevIndex < m.PrevIndex && old.PrevIndex > c.follow.matched {
				return // the first gap matters
			}
			c.outbox.replies[i] = m
			return
		}
	}
	c.outbox.replies = append(c.outbox.replies, m)
}

// lastNotAbove returns the last index up to i whose entry's term is at most t. Terms never fall along a log.
func (c *Core) lastNotAbove(i Index, t Term) Index {
	floor := c.tail.log.FirstIndex() - 1
	for i > floor {
		if have, ok := c.tail.term(i); ok && have <= t {
			break
		}
		i--
	}
	return i
}
