// Package mutation names faults that can be put into a node on purpose: each breaks one promise, and the tests must see it
// (node/mutations proves that they do).
//
// A program that is built without the tag "mutation" has none of them: On is a constant there, and what stands behind it is not
// compiled in. With the tag, the environment variable Variable chooses one for the life of the process.
package mutation

// Mutation is one fault.
type Mutation string

// Variable is the environment variable that chooses a mutation by its name.
const Variable = "OSTRAKA_MUTATION"

// The mutations.
const (
	// UnsyncedCommit answers a commit before its fsync.
	UnsyncedCommit Mutation = "unsynced-commit"
	// RetriedSync makes a second fsync after a failed one, as if nothing had happened.
	RetriedSync Mutation = "retried-sync"
	// FullDiskSuccess says of a commit that found no room that it was made.
	FullDiskSuccess Mutation = "full-disk-success"
	// UncheckedValue reads stored values without comparing their checksums.
	UncheckedValue Mutation = "unchecked-value"
	// ForgottenTombstone leaves a deleted point on the disk.
	ForgottenTombstone Mutation = "forgotten-tombstone"
	// AnswerBeforeQuorum counts the primary alone where W replicas have to hold, or to have applied, an entry.
	AnswerBeforeQuorum Mutation = "answer-before-quorum"
	// EarlyReply sends what promises that something is durable before it is.
	EarlyReply Mutation = "early-reply"
	// UnfencedReads answers linearizable reads of a primary that was fenced (without L1).
	UnfencedReads Mutation = "unfenced-reads"
	// ForgottenPromise loses the promised and the led term in a restart (R5, R7).
	ForgottenPromise Mutation = "forgotten-promise"
	// UncheckedPrevious appends entries without comparing the one before them.
	UncheckedPrevious Mutation = "unchecked-previous"
	// OlderTerm follows a primary of a lower term than was promised (R5).
	OlderTerm Mutation = "older-term"
	// KeptTail keeps entries of its own where the primary's contradict them.
	KeptTail Mutation = "kept-tail"
	// FewAnswers promotes whoever answers a fence first (without R6).
	FewAnswers Mutation = "few-answers"
	// UncheckedSnapshot takes a snapshot without comparing what has arrived with the source's digest.
	UncheckedSnapshot Mutation = "unchecked-snapshot"
	// StaleReads reads a replica that has not applied what the reader was acknowledged.
	StaleReads Mutation = "stale-reads"
	// DeniedExistence denies what a node that is behind does not know, without asking whether it is behind.
	DeniedExistence Mutation = "denied-existence"
	// EarlyFlip gives slots to the target of a move before the source has stopped taking writes.
	EarlyFlip Mutation = "early-flip"
	// ReusedGeneration hands out generations again.
	ReusedGeneration Mutation = "reused-generation"
)
