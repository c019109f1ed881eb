package replication

import "slices"

// Change is one wish for the metadata of the shard, a compare-and-set on its version. Exactly one field beside Version is set.
type Change struct {
	Version        uint64
	Demote         PeerID // Active or Partial -> Dead
	Receive        PeerID // Dead -> Partial
	Activate       PeerID // Partial -> Active
	SetWriteQuorum int
}

// WantQuorum tells which W is declared. The primary moves the metadata there as the rules allow: up only when so many
// replicas are active and hold everything.
func (c *Core) WantQuorum(w int) {
	if c.quorum = w; c.lead != nil {
		c.settle()
	}
}

// planChange decides which replicas stop counting and proposes the next change, one at a time.
func (c *Core) planChange() {
	l := c.lead
	if !c.leads() {
		return
	}
	for _, p := range l.peers {
		if p.role == active && !p.leaving && c.failing(p) {
			p.leaving, p.mark = true, c.tail.last() // R2
		}
	}
	if l.change != nil {
		return // its outcome is unknown until a newer view
	}
	c.planRaise()
	if change, ok := c.nextChange(); ok {
		change.Version = c.view.Version
		l.change, l.announced = &change, false
	}
}

// nextChange returns the most urgent change that the rules allow.
func (c *Core) nextChange() (Change, bool) {
	if change, ok := c.planDemote(); ok {
		return change, true
	}
	if change, ok := c.planQuorum(); ok {
		return change, true
	}
	if change, ok := c.planActivate(); ok {
		return change, true
	}
	return c.planReceive()
}

// failing reports whether p is to be demoted.
func (c *Core) failing(p *progress) bool {
	return p.retiring || p.lacksLog || p.shed || p.silent >= c.opts.DemoteTicks
}

// Crowd tells whose disks are full, of which nobody else's is any more. What is in the log goes to such a replica as well, but it is
// not received again before there is room, nor brought up to date.
func (c *Core) Crowd(full []PeerID) {
	if c.lead == nil {
		return
	}
	for _, p := range c.lead.peers {
		p.full = slices.Contains(full, p.id)
		p.shed = p.shed && p.full
	}
	c.settle()
}

// Roomy returns how many replicas count and have room, this one apart from its own disk among them, and how many of them a write needs.
func (c *Core) Roomy() (roomy, needed int) {
	if c.lead == nil {
		return 0, 0
	}
	roomy = 1
	for _, p := range c.lead.peers {
		if c.countsNow(p) && !p.full {
			roomy++
		}
	}
	return roomy, c.writeQuorum()
}

// Shed gives up the replicas whose disks are full, if as many as a write needs remain: they are demoted, as slow ones are, and
// taken back when there is room. It is for the moment at which something is to be written that grows.
func (c *Core) Shed() {
	if roomy, needed := c.Roomy(); c.lead == nil || roomy < needed {
		return
	}
	for _, p := range c.lead.peers {
		if p.full && p.role == active && !p.shed {
			p.shed = true
		}
	}
	c.settle()
}

// planDemote picks an active replica that no longer counts and that the others can do without (R3), or a partial one that is silent.
func (c *Core) planDemote() (Change, bool) {
	for _, p := range c.lead.peers {
		switch {
		case p.role == active && p.leaving && c.replaceable(p):
			return Change{Demote: p.id}, true
		case p.role == partial && (p.retiring || p.full || p.silent >= c.opts.DemoteTicks):
			return Change{Demote: p.id}, true
		}
	}
	return Change{}, false
}

// replaceable is R3: what the log held when p stopped counting stands on min(W, |new active|) members of the new active set, so
// that R6 finds it there with the smaller set's arithmetic. A member that is itself on its way out is still a member.
func (c *Core) replaceable(p *progress) bool {
	if !c.keeps(r3) {
		return true
	}
	remaining := len(c.view.Active) - 1
	return remaining >= 1 && c.holders(p.mark, p.id) >= min(c.writeQuorum(), remaining)
}

// holders counts the active replicas but one that durably hold the log up to i.
func (c *Core) holders(i Index, but PeerID) int {
	n := 0
	if c.tail.durable() >= i {
		n++
	}
	for _, p := range c.lead.peers {
		if p.role == active && p.id != but && p.match >= i {
			n++
		}
	}
	return n
}

// planRaise uses a larger W before anybody is told, and gives it up again, while nothing is proposed, when too few count.
func (c *Core) planRaise() {
	l := c.lead
	if c.quorum <= c.view.WriteQuorum || c.counted() < c.quorum {
		l.raise = 0
		return
	}
	if l.raise != c.quorum {
		l.raise, l.raiseMark = c.quorum, c.tail.last()
	}
}

// planQuorum lowers W at once, to be used when learned, and raises it when, as in R3, what the log held when the larger W came
// into use stands on so many.
func (c *Core) planQuorum() (Change, bool) {
	l := c.lead
	switch {
	case c.quorum <= 0 || c.quorum == c.view.WriteQuorum:
		return Change{}, false
	case c.quorum < c.view.WriteQuorum:
		return Change{SetWriteQuorum: c.quorum}, true
	case l.raise == c.quorum && (c.holders(l.raiseMark, 0) >= c.quorum || !c.keeps(r3Raise)):
		return Change{SetWriteQuorum: c.quorum}, true
	}
	return Change{}, false
}

// planActivate is the first half of R4: only a replica that holds the whole log. What waits for the next Ready is not in the log
// yet: it is neither on this disk nor on its way anywhere. The entry of this term's start must be among what it holds, for only
// that rules out a longer tail of older terms behind.
func (c *Core) planActivate() (Change, bool) {
	for _, p := range c.lead.peers {
		if p.role != partial || p.retiring || p.full || !p.heard || p.lacksLog {
			continue
		}
		whole := p.match == c.tail.handed && p.match >= c.lead.start
		if whole || !c.keeps(r4) {
			c.lead.hold, p.near = 0, 0
			return Change{Activate: p.id}, true
		}
	}
	return Change{}, false
}

// planReceive takes a dead replica back that has answered.
func (c *Core) planReceive() (Change, bool) {
	for _, p := range c.lead.peers {
		if p.role == dead && p.heard && !p.retiring && !p.full {
			return Change{Receive: p.id}, true
		}
	}
	return Change{}, false
}
