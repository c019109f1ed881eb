package replication

import (
	"slices"
	"strconv"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
)

// leadership is what a replica keeps while it acts as primary, all of it volatile: R7 is what makes forgetting it safe.
type leadership struct {
	term  Term
	start Index // its TermStart entry
	peers []*progress

	// change is proposed and its outcome unknown; nothing else is proposed until a newer view shows it.
	change    *Change
	announced bool // a Ready has carried it

	raise     int   // a larger W in use already, before the metadata has it; 0: none
	raiseMark Index // what the log held when that began

	completed Index
	outbid    Term // the highest term that a replica has promised to somebody else
	hold      int  // ticks for which new entries stay out of the log (see holding)

	// What is proposed in this term and not committed: sizes[i] is the data of entry sized+1+i.
	sized   Index
	sizes   []int
	pending int
}

// Propose appends operations to the log and returns the index of the first; the others follow it. All of them or, with an
// error, none. NotPrimary (hints "primary" and "term"): it does not lead. FailedPrecondition: fewer than W replicas count.
// Unavailable: likewise, but a lower W is on its way with which enough do, as after a handover.
// Exhausted: too much is proposed and not committed. An appended operation is not yet committed, and is lost if this replica
// stops leading first.
func (c *Core) Propose(data ...[]byte) (first Index, err error) {
	if c.lead == nil {
		return 0, c.notPrimary()
	}
	if n, w := c.counted(), c.writeQuorum(); n < w {
		if c.quorum > 0 && c.quorum <= n {
			return 0, fault.New(fault.Unavailable, "needs %d replicas until the metadata show that %d will do, %d count; nothing was logged", w, c.quorum, n).
				With(HintMetadata, "true")
		}
		return 0, tooFew(w, max(w, c.view.replicas()), n, "")
	}
	l, bytes := c.lead, 0
	for _, d := range data {
		bytes += len(d)
	}
	if len(l.sizes) > 0 && (l.pending+bytes > c.opts.MaxPendingBytes || len(l.sizes)+len(data) > c.opts.MaxPendingEntries) {
		return 0, fault.New(fault.Exhausted, "%d entries with %d bytes wait to be committed", len(l.sizes), l.pending)
	}
	first = c.tail.last() + 1
	for i, d := range data {
		c.tail.append(Entry{Term: l.term, Index: first + Index(i), Kind: Normal, Data: d})
		l.sizes = append(l.sizes, len(d))
	}
	l.pending += bytes
	return first, nil
}

// Hints of a write that too few replicas count for: how many it needs, of how many, and how many are active.
const (
	HintNeeded   = "replicas_needed"
	HintReplicas = "replicas"
	HintActive   = "replicas_active"
	// HintMetadata marks one that enough count for once the metadata have changed: in vain, if they cannot.
	HintMetadata = "awaits_metadata"
)

func tooFew(needed, of, active int, whose string) *fault.Error {
	verb := "are"
	if active == 1 {
		verb = "is"
	}
	return fault.New(fault.FailedPrecondition, "needs %d of %d replicas%s, %d %s active", needed, of, whose, active, verb).
		With(HintNeeded, strconv.Itoa(needed)).With(HintReplicas, strconv.Itoa(of)).With(HintActive, strconv.Itoa(active))
}

// OfShard words the refusal of a write that too few replicas count for with the shard's name, such as "needs 2 of 2 replicas of
// shard 3, 1 is active". Other errors stay as they are.
func OfShard(err error, shard uint32) error {
	needed, err1 := strconv.Atoi(fault.Hint(err, HintNeeded))
	of, err2 := strconv.Atoi(fault.Hint(err, HintReplicas))
	active, err3 := strconv.Atoi(fault.Hint(err, HintActive))
	if !fault.Is(err, fault.FailedPrecondition) || err1 != nil || err2 != nil || err3 != nil {
		return err
	}
	return tooFew(needed, of, active, " of shard "+strconv.FormatUint(uint64(shard), 10))
}

func (c *Core) notPrimary() error {
	e := fault.New(fault.NotPrimary, "replica does not lead").With("term", strconv.FormatUint(uint64(c.view.Term), 10))
	switch {
	case c.barred():
		e.Text = "replica may not lead its term any more and waits for a promotion"
	case c.view.Primary != 0 && c.view.Primary != c.self:
		e = e.With("primary", strconv.FormatUint(uint64(c.view.Primary), 10))
	}
	return e
}

// writeQuorum is the W in use: the metadata's, or a larger one that is on its way there.
func (c *Core) writeQuorum() int {
	if mutation.On(mutation.AnswerBeforeQuorum) {
		return 1
	}
	w, raise := c.view.WriteQuorum, c.lead.raise
	if !c.keeps(r3Use) {
		raise = 0
	}
	if !c.keeps(r3Lower) && c.quorum > 0 {
		w = min(w, c.quorum)
	}
	return max(w, raise, 1)
}

// counted is how many replicas count: the active ones but for those on their way out (R2).
func (c *Core) counted() int {
	n := 1
	for _, p := range c.lead.peers {
		if c.countsNow(p) {
			n++
		}
	}
	return n
}

func (c *Core) countsNow(p *progress) bool {
	if !c.keeps(r4Known) && c.lead.change != nil && c.lead.change.Activate == p.id {
		return true
	}
	return p.role == active && (!p.leaving || !c.keeps(r2)) // R2, R4: a partial one counts only once the view says so
}

// settle draws the conclusions from whatever has just changed.
func (c *Core) settle() {
	c.advanceCommit()
	c.advanceCompleted()
	c.planChange()
	c.confirm() // fewer may be enough by now
}

// advanceCommit moves the commit index to what W counted replicas hold durably, the primary among them.
func (c *Core) advanceCommit() {
	l := c.lead
	held := min(c.tail.durable(), c.reached(func(p *progress) Index { return p.match }, c.tail.durable()))
	// R1: an entry of an older term is committed only by one of this term behind it: alone it could still be replaced by a primary
	// that never saw it, whose log ends in a higher term.
	if held <= c.commit || (held < l.start && c.keeps(r1)) {
		return
	}
	c.commit = held
	for l.sized < held && len(l.sizes) > 0 {
		l.pending -= l.sizes[0]
		l.sizes = l.sizes[1:]
		l.sized++
	}
}

func (c *Core) advanceCompleted() {
	done := c.reached(func(p *progress) Index { return p.applied }, c.applied)
	c.lead.completed = max(c.lead.completed, min(done, c.applied, c.commit))
}

// reached returns the highest value that W counted replicas have got to; 0 while fewer count.
func (c *Core) reached(of func(*progress) Index, own Index) Index {
	var buf [8]Index
	values := append(buf[:0], own)
	for _, p := range c.lead.peers {
		if c.countsNow(p) {
			values = append(values, of(p))
		}
	}
	w := c.writeQuorum()
	if len(values) < w {
		return 0
	}
	slices.Sort(values)
	return values[len(values)-w]
}

// handleReply takes what a replica says of its log.
func (c *Core) handleReply(m Message) {
	l, p := c.lead, c.lead.peer(m.From)
	if p == nil || (m.Generation != 0 && p.generation != 0 && m.Generation != p.generation) {
		return
	}
	if m.Term > l.term && m.Reject {
		c.outbidBy(p, m.Term)
		return
	}
	if m.Term != l.term || m.Match > c.tail.handed {
		return
	}
	if !p.heard {
		c.missed(p)
	}
	p.silent, p.heard, p.away = 0, true, false
	switch {
	case m.Applied > c.tail.last():
		p.found(true, true) // it took for committed what this log does not have; it may have compacted that and not see it
	case m.Reject:
		c.rejected(p, m)
	default:
		c.accepted(p, m)
	}
	c.settle()
}

// accepted notes that p's log agrees up to m.Match.
func (c *Core) accepted(p *progress, m Message) {
	if m.Match > p.match || m.Applied > p.applied {
		p.resend = c.opts.ResendTicks
	}
	p.match = max(p.match, m.Match)
	p.applied = max(p.applied, min(m.Applied, c.tail.last()))
	p.next = max(p.next, p.match+1)
	p.landed(p.match)
	p.probing, p.paused = false, false
	if p.lacksLog { // a snapshot has brought it nearer
		c.missed(p)
	}
	p.found(false, false)
	c.stay(p)
}

// rejected goes back to where p's log may agree.
func (c *Core) rejected(p *progress, m Message) {
	if m.Match < m.Applied {
		p.found(true, true)
		return
	}
	if stale := m.PrevIndex <= p.match && p.match > 0 || p.probing && m.PrevIndex != p.next-1; stale {
		return
	}
	c.stay(p)
	next := c.lastNotAbove(min(m.Match, m.PrevIndex), m.PrevTerm) + 1
	p.found(next < c.tail.log.FirstIndex(), false)
	p.rewind(max(next, p.match+1))
	p.due = p.role != dead && !p.lacksLog // those are asked again in time only
}
