package replication

import "github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"

// rules names the rules R1..R7 of docs/design/consistency.md, and L1 and L2 of linearizable reads, the parts of a rule apart. A Core's
// waived set is zero but in the tests that prove that each is needed.
type rules uint32

const (
	// r1: entries of older terms become committed only together with one of the primary's own term.
	r1 rules = 1 << iota
	// r2: a replica stops counting before its demotion is proposed.
	r2
	// r2Unknown: it does not count again while the outcome is unknown.
	r2Unknown
	// r3: the demotion is proposed only when the remaining replicas hold what the log held at that moment.
	r3
	// r3Raise: a larger W is proposed only when so many hold what the log held when it came into use.
	r3Raise
	// r3Use: a larger W is used before it is proposed.
	r3Use
	// r3Lower: a smaller W is not used before it is known to be decided.
	r3Lower
	// r4: a replica is activated only when it holds the whole log.
	r4
	// r4Known: it counts only once its activation is known to be decided.
	r4Known
	// r5: a fence is a durable promise that also ends leading in lower terms.
	r5
	// r6: a promotion needs answers from |active| - W + 1, and takes the one with the longest log.
	r6
	// r7: a term that was led before a restart is never led again.
	r7
	// r7First: nothing leaves a primary in a term before it is durable that it leads it.
	r7First
	// l1: a linearizable read is confirmed after it began, by so many that no promotion was made without one of them.
	l1
	// l1Change: also not in the membership that a change with an unknown outcome may have made.
	l1Change
	// l2: it sees at least the entry with which the primary's term starts.
	l2
)

// keeps reports whether the rule is in force: always, outside the proofs.
func (c *Core) keeps(r rules) bool { return c.waived&r == 0 }

// broken are the rules that a mutated program lives without.
func broken() (r rules) {
	if mutation.On(mutation.UnfencedReads) {
		r |= l1 | l1Change
	}
	if mutation.On(mutation.FewAnswers) {
		r |= r6
	}
	return r
}
