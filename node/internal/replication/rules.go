package replication

// rules names the rules R1..R7 of docs/design/consistency.md, and L1 and L2 of linearizable reads. A Core's waived set is zero but in the tests that
// prove that each rule is needed.
type rules uint16

const (
	// r1: entries of older terms become committed only together with one of the primary's own term.
	r1 rules = 1 << iota
	// r2: a replica stops counting before its demotion is proposed.
	r2
	// r3: the demotion is proposed only when the remaining replicas hold what the log held at that moment.
	r3
	// r4: a replica is activated only when it holds the whole log, and counts only once that is known to be decided.
	r4
	// r5: a fence is a durable promise that also ends leading in lower terms.
	r5
	// r6: a promotion needs answers from |active| - W + 1, and takes the one with the longest log.
	r6
	// r7: a term that was led before a restart is never led again.
	r7
	// l1: a linearizable read is confirmed after it began, by so many that no promotion was made without one of them.
	l1
	// l2: it sees at least the entry with which the primary's term starts.
	l2
)

// keeps reports whether the rule is in force: always, outside the proofs.
func (c *Core) keeps(r rules) bool { return c.waived&r == 0 }
