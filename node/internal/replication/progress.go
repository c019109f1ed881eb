package replication

import "slices"

// progress is what the primary knows of another replica. It sends optimistically: next runs ahead of match, within a window.
// After a gap, a loss or a change of primary it probes: one append at a time, until one is answered.
type progress struct {
	id         PeerID
	generation uint64
	role       role
	retiring   bool

	match   Index // its log agrees with the primary's up to here, durably
	next    Index // the next entry to send
	applied Index
	told    Index // the commit index that it was last sent

	probing bool
	paused  bool // a probe is out
	due     bool // send something, even if there is nothing new
	flights []flight
	flying  int // bytes in flights

	silent int  // ticks without an answer while it owes one
	resend int  // ticks until the unanswered is sent again
	heard  bool // it has answered in its present role
	away   bool // nothing arrives there, as the driver said last: while it does not count either, it is left alone

	confirmed Round // the last round that it confirmed

	full bool // its disk is full: it takes what it must, and is spared what it need not take
	shed bool // it is given up for that

	leaving bool  // R2: it does not count any more
	mark    Index // what the log held when it stopped counting (R3)

	lack
	arrears arrears
}

// lack says what keeps a replica from following the log.
type lack struct {
	lacksLog     bool // it needs entries that the log no longer has, or to be made anew: a snapshot
	lackReported bool
	diverged     bool // what it applied contradicts the log
	near         int  // ticks for which it has been sent everything without ever holding all of it
	holds        uint // how often new entries have waited for it since
}

// flight is one append on its way.
type flight struct {
	last  Index
	bytes int
}

func (l *leadership) peer(id PeerID) *progress {
	for _, p := range l.peers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// landed forgets the appends that are answered.
func (p *progress) landed(match Index) {
	n := 0
	for n < len(p.flights) && p.flights[n].last <= match {
		p.flying -= p.flights[n].bytes
		n++
	}
	p.flights = p.flights[n:]
}

// rewind starts to probe from next on.
func (p *progress) rewind(next Index) {
	p.next = next
	p.probing, p.paused, p.due = true, false, true
	p.flights, p.flying = p.flights[:0], 0
}

// retry probes again after a silence.
func (p *progress) retry() {
	next := p.next
	if !p.probing {
		next = p.match + 1
	}
	p.rewind(next)
}

// found notes whether p can be brought up to date from the log.
func (p *progress) found(lacksLog, diverged bool) {
	if !lacksLog {
		p.lackReported = false
	}
	p.lacksLog, p.diverged = lacksLog, diverged
}

// stay lets a replica that answers again count again, unless its demotion is proposed already: then it may be decided any time.
func (c *Core) stay(p *progress) {
	proposed := c.lead.change != nil && c.lead.change.Demote == p.id
	if p.leaving && !p.retiring && !p.lacksLog && !p.shed && (!proposed || !c.keeps(r2Unknown)) {
		p.leaving = false
	}
}

// owes reports whether p has something to answer.
func (c *Core) owes(p *progress) bool {
	return p.probing || p.match < c.tail.handed || p.applied < c.commit
}

// relearn fits the primary's knowledge to a new view.
func (c *Core) relearn() {
	l, old := c.lead, c.lead.peers
	if l.change != nil && l.change.Version < c.view.Version {
		l.change, l.announced = nil, false // decided, one way or the other
	}
	l.peers = make([]*progress, 0, len(old))
	c.view.others(c.self, func(id PeerID, r role) {
		generation := c.view.Generations[id]
		i := indexOf(old, id)
		switch {
		case i < 0 || old[i].generation != generation:
			l.peers = append(l.peers, c.newProgress(id, generation, r, max(l.start, c.tail.log.FirstIndex())))
			return
		case old[i].role == dead && r != dead:
			// It may have been made anew meanwhile, where generations are unknown: what it held says nothing.
			l.peers = append(l.peers, c.newProgress(id, generation, r, old[i].next))
			return
		}
		p := old[i]
		if p.role != r {
			p.role, p.silent, p.near, p.holds, p.heard = r, 0, 0, 0, r != dead && p.heard
			p.leaving = p.leaving && r == active
			c.missed(p)
			if r == dead {
				p.retry()
				p.due, p.resend = false, c.opts.ProbeTicks
			}
		}
		l.peers = append(l.peers, p)
	})
	for _, p := range l.peers {
		p.retiring = slices.Contains(c.view.Retiring, p.id)
	}
}

func (c *Core) newProgress(id PeerID, generation uint64, r role, next Index) *progress {
	p := &progress{id: id, generation: generation, role: r, next: next, probing: true, due: true, resend: c.opts.ResendTicks}
	c.missed(p)
	return p
}

func indexOf(peers []*progress, id PeerID) int {
	for i, p := range peers {
		if p.id == id {
			return i
		}
	}
	return -1
}
