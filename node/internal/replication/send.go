package replication

// sendable reports whether there is something to send to p now.
func (c *Core) sendable(p *progress) bool {
	if p.due {
		return true
	}
	if p.role == dead || p.paused {
		return false
	}
	return !p.lacksLog && (p.told < c.commit || p.next <= c.tail.handed && c.roomFor(p))
}

// roomFor reports whether p's window takes another append.
func (c *Core) roomFor(p *progress) bool {
	if p.role == partial && p.arrears.debt > 0 {
		return false
	}
	if p.probing {
		return !p.paused
	}
	return p.flying < c.opts.MaxInflightBytes && int(p.next-1-p.match) < c.opts.MaxInflightEntries
}

// send adds what is to be sent to p to out.
func (c *Core) send(p *progress, out []Message) []Message {
	if !c.sendable(p) {
		return out
	}
	sent := false
	for p.role != dead && !p.lacksLog && p.next <= c.tail.handed && c.roomFor(p) {
		m, ok := c.batch(p)
		if !ok {
			break
		}
		out, sent = append(out, m), true
	}
	if !sent && (p.due || p.told < c.commit) {
		// Nothing new: a probe, or the news of what is committed. Where the log does not reach back to p, its end serves as
		// the place to ask about: the refusal tells whether a snapshot has brought p nearer.
		prev := p.next - 1
		if _, ok := c.tail.term(prev); !ok || p.lacksLog {
			prev = c.tail.handed
			p.next = prev + 1
		}
		out = append(out, c.appendTo(p, prev, nil))
		p.paused = p.probing
	}
	p.due = false
	return out
}

// batch makes the next append with entries for p; false if the log no longer has them or cannot be read.
func (c *Core) batch(p *progress) (Message, bool) {
	if p.next < c.tail.log.FirstIndex() {
		p.lacksLog = true
		return Message{}, false
	}
	room := min(c.opts.MaxBatchBytes, max(1, c.opts.MaxInflightBytes-p.flying))
	hi := min(c.tail.handed, p.next+Index(c.opts.MaxInflightEntries)-1)
	charges := c.charges(p)
	if charges {
		hi = min(hi, p.arrears.until)
	}
	entries, err := c.tail.read(p.next, hi, room)
	c.problem = err
	if err != nil || len(entries) == 0 {
		return Message{}, false
	}
	if charges {
		p.arrears.charge(size(entries))
	}
	m := c.appendTo(p, p.next-1, entries)
	if p.probing {
		p.paused = true
		return m, true
	}
	p.flights = append(p.flights, flight{last: entries[len(entries)-1].Index, bytes: size(entries)})
	p.flying += p.flights[len(p.flights)-1].bytes
	p.next += Index(len(entries))
	return m, true
}

func (c *Core) appendTo(p *progress, prev Index, entries []Entry) Message {
	term, _ := c.tail.term(prev)
	p.told = c.commit
	return Message{
		Type: MsgAppend, From: c.self, To: p.id, Term: c.lead.term,
		PrevIndex: prev, PrevTerm: term, Entries: entries, Commit: c.commit,
	}
}

func size(entries []Entry) int {
	n := 0
	for _, e := range entries {
		n += len(e.Data)
	}
	return n
}

// tickPeers resends what was lost, counts silence, and probes the dead.
func (c *Core) tickPeers() {
	if c.lead.hold > 0 {
		c.lead.hold--
	}
	for _, p := range c.lead.peers {
		p.resend--
		switch {
		case p.parked():
			continue
		case p.role == dead:
			if p.resend <= 0 {
				p.due, p.paused, p.resend = true, false, c.opts.ProbeTicks
			}
			continue
		case !c.owes(p):
			p.silent, p.resend = 0, c.opts.ResendTicks
			continue
		}
		p.silent++
		if p.resend <= 0 {
			p.retry()
			p.resend = c.opts.ResendTicks
		}
		c.tickHold(p)
	}
}

// Unreachable tells that messages to p are known not to arrive: p is taken for silent at once, and once it is dead it is not even
// probed until Reachable is called or p is heard. The driver owes that call: as long as Away lists p, nothing else brings it back.
func (c *Core) Unreachable(id PeerID) {
	if c.lead == nil || !c.leads() {
		return
	}
	p := c.lead.peer(id)
	if p == nil {
		return
	}
	p.away = true
	if p.role == dead {
		p.due = false
		return
	}
	p.silent = c.opts.DemoteTicks
	p.heard = false
	p.retry()
	c.settle()
}

// Reachable tells that messages to p arrive again, as far as is known: what it lacks, or whether it is there at all, is found out at
// the next tick.
func (c *Core) Reachable(id PeerID) {
	if c.lead == nil {
		return
	}
	if p := c.lead.peer(id); p != nil {
		p.away, p.resend = false, 0
	}
}

// Away lists the replicas that Unreachable was called of, and since then neither Reachable nor any answer came. Nil if this
// replica does not lead.
func (c *Core) Away() []PeerID {
	if c.lead == nil {
		return nil
	}
	var away []PeerID
	for _, p := range c.lead.peers {
		if p.away {
			away = append(away, p.id)
		}
	}
	return away
}

// parked reports whether p is left alone: it does not count, and nothing arrives there.
func (p *progress) parked() bool { return p.role == dead && p.away }

// tickHold lets a partial replica catch up entirely under steady load. R4 asks for one moment at which it holds the whole
// log; with appends always on their way that moment might never come. So once everything has been sent to it for a few ticks, new
// entries wait outside the log (neither handed to the disk nor sent) until it has answered, two ticks at most. If it has not, the next
// hold comes later.
func (c *Core) tickHold(p *progress) {
	if p.role != partial || p.retiring || p.probing || p.next <= c.tail.handed {
		p.near = 0
		return
	}
	if p.near++; p.near >= 2*c.opts.ResendTicks<<p.holds {
		p.near, c.lead.hold = 0, 2
		p.holds = min(p.holds+1, maxHolds)
	}
}

// maxHolds bounds how much rarer the holds for one replica become, each half as often as the one before: one that cannot answer
// within a hold must not slow all writes down for ever.
const maxHolds = 10

// holding reports whether new entries wait outside the log.
func (c *Core) holding() bool { return c.lead != nil && c.lead.hold > 0 }
