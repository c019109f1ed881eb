package replication

// Charge is for what a partial replica has been sent of what it had missed. Until that is paid (Paid) it is sent no more of it.
type Charge struct {
	Peer  PeerID
	Bytes int
}

// arrears is what a partial replica had missed when it was first heard of. What is written from then on costs nothing, whichever rate the
// driver pays at: so a replica that is being brought up to date never falls further behind for being charged.
//
// What was written while it caught up is the next round's, at half the price, and so on: it gets there however much is written.
type arrears struct {
	until   Index // the entries up to here
	round   uint
	debt    int // bytes sent and not paid for
	charged bool
}

// maxRounds: from there on it costs nothing.
const maxRounds = 32

// missed begins to count what p has missed.
func (c *Core) missed(p *progress) { p.arrears = arrears{until: c.tail.last()} }

// charges reports whether what is next for p is charged.
func (c *Core) charges(p *progress) bool {
	if !c.opts.Charge || p.role != partial {
		return false
	}
	if a := &p.arrears; p.next > a.until && a.round < maxRounds {
		a.until = c.tail.last()
		a.round++
	}
	return p.next <= p.arrears.until
}

// charge notes what p has been sent.
func (a *arrears) charge(bytes int) { a.debt += bytes >> a.round }

// bill hands out the charges that are new.
func (a *arrears) bill(id PeerID, all []Charge) []Charge {
	if a.debt == 0 || a.charged {
		return all
	}
	a.charged = true
	return append(all, Charge{Peer: id, Bytes: a.debt})
}

// Paid tells that the last charge for a replica is paid: it may be sent more.
func (c *Core) Paid(id PeerID) {
	if c.lead == nil {
		return
	}
	if p := c.lead.peer(id); p != nil {
		p.arrears.debt, p.arrears.charged = 0, false
	}
}
