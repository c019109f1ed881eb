package replication

// Rule is one of R1..R7, by number, for the proofs that each is needed; 8 and 9 are L1 and L2; 0 is none.
type Rule uint8

// The rules of linearizable reads.
const (
	L1 Rule = 8
	L2 Rule = 9
)

func (r Rule) mask() rules {
	if r == 0 {
		return 0
	}
	return 1 << (r - 1)
}

// Waive takes a rule out of force.
func Waive(c *Core, r Rule) { c.waived = r.mask() }

// ChooseWaived is Choose without a rule.
func ChooseWaived(r Rule, term Term, activeCount, w int, answers []FenceAnswer) (FenceAnswer, bool, bool) {
	return choose(term, activeCount, w, answers, r.mask())
}

// EntryAt returns the entry at i as the Core sees it, durable or not.
func EntryAt(c *Core, i Index) (Entry, bool) {
	entries, err := c.tail.read(i, i, 0)
	if err != nil || len(entries) == 0 || i > c.tail.last() {
		return Entry{}, false
	}
	return entries[0], true
}

// TermAndLast returns the term a Core leads, 0 if it does not, and its last index.
func TermAndLast(c *Core) (Term, Index) {
	if !c.Leading() {
		return 0, c.tail.last()
	}
	return c.lead.term, c.tail.last()
}

// Diverged returns the first committed entry that contradicts the primary's log.
func Diverged(c *Core) Index { return c.follow.diverged }

// QuorumInUse returns the W that a primary uses.
func QuorumInUse(c *Core) int { return c.writeQuorum() }
