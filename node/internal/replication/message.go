// Package replication owns the protocol by which the replicas of one shard stay the same, as a pure state machine.
//
// A Core is one replica. It does no I/O, reads no clock, starts no goroutine and never logs: messages, ticks and
// metadata go in; durable effects, messages and wishes for metadata changes come out (Ready). Whoever drives it (the
// replica package, or the simulation) makes the effects in the order that Ready states. The rules R1..R7 stand
// in the code under their names; docs/design/consistency.md explains each.
//
// The family is PacificA (Lin et al., 2008, sections 3 and 4) and Vertical Paxos (Lamport, Malkhi, Zhou, 2009) with
// flexible quorums (Howard, Malkhi, Spiegelman, 2016).
package replication

// PeerID names a replica's peer.
type PeerID uint64

// Term counts the primaries of a shard.
type Term uint64

// Index is a place in a shard's log; the first entry has 1.
type Index uint64

// EntryKind tells what an entry holds.
type EntryKind uint8

// The kinds of entries.
const (
	Normal    EntryKind = 0 // Data is an operation
	TermStart EntryKind = 1 // a new primary's first entry (R1); no data
)

// Entry is one place of the log.
type Entry struct {
	Term  Term
	Index Index
	Kind  EntryKind
	Data  []byte
}

// HardState is what a replica keeps durably beside its log and its applied index.
type HardState struct {
	Promised Term // the highest term it has answered to
	Led      Term // the last term in which it acted as primary (R7)
}

// View is what the metadata says of the shard.
type View struct {
	Version     uint64
	Term        Term
	Primary     PeerID
	Active      []PeerID // the replicas that count, the primary among them
	Partial     []PeerID // they receive, they never count
	Dead        []PeerID // demoted; probed, so that they are noticed when they return
	Retiring    []PeerID // members of Active or Partial that are to be demoted and never activated again
	WriteQuorum int      // W

	// Generations tells the incarnations of a peer's replica apart. A peer whose replica was dropped and made anew
	// between two views would otherwise inherit what its predecessor had acknowledged. Absent means unknown.
	Generations map[PeerID]uint64
}

// MessageType tells what a Message is.
type MessageType uint8

// The message types.
const (
	MsgAppend       MessageType = 1 // primary -> replica: entries after (PrevIndex, PrevTerm), and what is committed. No entries: a probe or commit notice
	MsgAppendReply  MessageType = 2 // replica -> primary
	MsgFence        MessageType = 3 // Raft leader -> replica: R5
	MsgFenceReply   MessageType = 4 // replica -> Raft leader: its promise and the end of its log
	MsgConfirm      MessageType = 5 // primary -> replica: have you promised a higher term? (L1)
	MsgConfirmReply MessageType = 6 // replica -> primary; Reject: it has, Term
)

// Message is what replicas of a shard say to one another. From and To are filled in by the Core, but for MsgFence.
type Message struct {
	Type     MessageType
	From, To PeerID
	Term     Term // the sender's term (MsgFence: the term to promise; replies: the promised term)

	// MsgAppend
	PrevIndex Index
	PrevTerm  Term
	Entries   []Entry
	Commit    Index

	// MsgAppendReply. When the log does not fit, PrevIndex repeats the refused append's and PrevTerm is the replica's
	// term at Match, so that the primary skips whole terms; Match < Applied then says that what was applied itself
	// contradicts the primary's log.
	Reject     bool
	Match      Index  // accepted: the log agrees with the primary's up to here, durably. Rejected: a hint where to try next
	Applied    Index  // the replica has applied up to here
	Generation uint64 // the incarnation that replies (View.Generations); 0: unknown

	// MsgFenceReply (and MsgAppendReply with Reject because Term < promised)
	LastTerm  Term
	LastIndex Index

	// MsgConfirm, MsgConfirmReply
	Round Round
}
