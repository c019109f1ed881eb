package replication

// Rule is a set of rules or parts of rules, for the proofs that each is needed.
type Rule = rules

// The rules and their parts, as rules.go explains them.
const (
	R1        = r1
	R2        = r2
	R2Unknown = r2Unknown
	R3        = r3
	R3Raise   = r3Raise
	R3Use     = r3Use
	R3Lower   = r3Lower
	R4        = r4
	R4Known   = r4Known
	R5        = r5
	R7        = r7
	R7First   = r7First
	L1        = l1
	L1Change  = l1Change
	L2        = l2
)

// Waive takes rules out of force.
func Waive(c *Core, r Rule) { c.waived |= r }

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

// Writable reports whether a primary would take an operation.
func Writable(c *Core) bool { return c.Leading() && c.counted() >= c.writeQuorum() }
