package catalog

import (
	"cmp"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// MoveID identifies a move of slots for ever.
type MoveID uint64

// MovePhase says how far a move is (docs/design/resharding.md).
type MovePhase string

// The phases of a move. In Moved and Withdrawn only cleaning up is left, in the others it is under way.
const (
	Copying   MovePhase = "copying"   // the target receives what the source has
	Sealing   MovePhase = "sealing"   // the source may refuse writes of the slots; the owner may flip
	Ready     MovePhase = "ready"     // of a fill: sealed, and the target has everything; the others of the fill are waited for
	Moved     MovePhase = "moved"     // the target owns the slots
	Withdrawn MovePhase = "withdrawn" // the source goes on to own them
)

// Move is slots on their way from one shard of a collection to another.
type Move struct {
	ID      MoveID       `json:"id"`
	Version uint64       `json:"version"` // every change is a compare-and-set on it; a seal bears that of its Sealing
	Phase   MovePhase    `json:"phase"`
	Source  ShardID      `json:"source"`
	Target  ShardID      `json:"target"`
	Slots   []slot.Range `json:"slots"`
	// SourceDone and TargetDone say, in the last two phases, who has nothing left to clean up. With both the move is removed.
	SourceDone bool `json:"source_done,omitempty"`
	TargetDone bool `json:"target_done,omitempty"`

	// Fill is the operation that copies points into another shard key of which this is a part; 0: the slots change their owner.
	Fill OperationID `json:"fill,omitempty"`
	// Near says, of a part of a fill that is Copying, that it lacks little: the parts are sealed together.
	Near bool `json:"near,omitempty"`
	// Flip is what the flip of a part that is Ready rests on.
	Flip *FlipMove `json:"flip,omitempty"`
}

// Running reports whether the move may still lead to a flip.
func (m *Move) Running() bool { return m.Phase == Copying || m.Sealed() }

// Sealed reports whether the source may refuse writes of the slots, for a flip that may come.
func (m *Move) Sealed() bool { return m.Phase == Sealing || m.Phase == Ready }

// SealedBy returns the version that a seal of the move bears while a flip may rest on it; 0: none may.
func (m *Move) SealedBy() uint64 {
	switch m.Phase {
	case Sealing:
		return m.Version
	case Ready:
		return m.Version - 1 // nothing else leads to Ready than what made it so
	case Copying, Moved, Withdrawn:
	}
	return 0
}

// Floor is an index of a shard's log that a replica must have applied before it shows the shard's slots. It holds while the shard's
// UnsafePromotions are Unsafe: another number says that the log may not have it.
type Floor struct {
	Index  uint64 `json:"index"`
	Unsafe uint64 `json:"unsafe,omitempty"`
}

// MinIndex returns the index that a replica must have applied to be read; 0 for most shards.
func (sh *Shard) MinIndex() uint64 {
	if sh.Floor == nil || sh.Floor.Unsafe != sh.UnsafePromotions {
		return 0
	}
	return sh.Floor.Index
}

// Owns counts the shard's slots.
func (sh *Shard) Owns() int { return slot.Total(sh.Slots) }

// Owned returns the shard's slots as a set.
func (sh *Shard) Owned() slot.Set { return slot.SetOf(sh.Slots...) }

// Move finds a move of the collection.
func (c *Collection) Move(id MoveID) (*Move, bool) {
	i, ok := c.findMove(id)
	if !ok {
		return nil, false
	}
	return c.Moves[i], true
}

func (c *Collection) findMove(id MoveID) (int, bool) {
	return slices.BinarySearchFunc(c.Moves, id, func(m *Move, id MoveID) int { return cmp.Compare(m.ID, id) })
}

// Shard finds a shard of the collection.
func (c *Collection) Shard(id ShardID) (*Shard, bool) {
	i, ok := c.findShard(id)
	if !ok {
		return nil, false
	}
	return c.Shards[i], true
}

// findShard is quick where no shard has been dropped: then a shard's id is its place.
func (c *Collection) findShard(id ShardID) (int, bool) {
	if int(id) < len(c.Shards) && c.Shards[id].ID == id {
		return int(id), true
	}
	return slices.BinarySearchFunc(c.Shards, id, func(sh *Shard, id ShardID) int { return cmp.Compare(sh.ID, id) })
}

// nextShard is the id of the collection's next shard: ids are never used again, for what is known of a shard goes by its id.
func (c *Collection) nextShard() ShardID {
	next := c.NextShard
	if n := len(c.Shards); n > 0 {
		next = max(next, c.Shards[n-1].ID+1)
	}
	return next
}

// Owners returns the shards that own slots: those that requests go to.
func (c *Collection) Owners() []*Shard {
	if !slices.ContainsFunc(c.Shards, func(sh *Shard) bool { return len(sh.Slots) == 0 }) {
		return c.Shards
	}
	return slices.DeleteFunc(slices.Clone(c.Shards), func(sh *Shard) bool { return len(sh.Slots) == 0 })
}

// Reshard declares into how many shards a group is cut: a collection, or one shard key of it. Placement is filled in on the Raft leader (Prepare): the peers of
// each shard that has to be made, its first primary first.
type Reshard struct {
	Collection  CollectionID    `json:"collection"`
	Key         *point.ShardKey `json:"key,omitempty"`
	ShardNumber uint32          `json:"shard_number"`
	Placement   [][]PeerID      `json:"placement,omitempty"`
	At          int64           `json:"at,omitempty"` // Unix milliseconds
}

// Renumbering is what a Resharding operation does: from one declared number of shards to another.
type Renumbering struct {
	Key  *point.ShardKey `json:"key,omitempty"` // whose shards they are; nil: the collection's
	From uint32          `json:"from"`
	To   uint32          `json:"to"`
}

// ChangeMove changes one move; exactly one of the fields behind Version is set. But for Begin it is a compare-and-set on the move's version.
type ChangeMove struct {
	Collection CollectionID `json:"collection"`
	Move       MoveID       `json:"move,omitempty"` // 0 for Begin
	Version    uint64       `json:"version,omitempty"`

	Begin      *BeginMove `json:"begin,omitempty"`
	Seal       bool       `json:"seal,omitempty"`        // Copying -> Sealing
	Reopen     bool       `json:"reopen,omitempty"`      // Sealing -> Copying
	Flip       *FlipMove  `json:"flip,omitempty"`        // Sealing -> Moved, or Ready
	Cancel     bool       `json:"cancel,omitempty"`      // Copying or Sealing -> Withdrawn
	SourceDone bool       `json:"source_done,omitempty"` // in Moved and Withdrawn
	TargetDone bool       `json:"target_done,omitempty"` // in Moved and Withdrawn
}

// BeginMove begins a move of slots that the source owns.
type BeginMove struct {
	Source ShardID      `json:"source"`
	Target ShardID      `json:"target"`
	Slots  []slot.Range `json:"slots"`
}

// FlipMove gives the slots to the target. It is refused when either shard has had an unsafe promotion since (M6), or when the target has
// fewer active replicas than the source has, at most as many as are declared.
type FlipMove struct {
	SourceUnsafe uint64 `json:"source_unsafe,omitempty"`
	TargetUnsafe uint64 `json:"target_unsafe,omitempty"`
	Index        uint64 `json:"index"` // of the target's log, with which it holds everything that the source had
}

// DropShard removes a shard that owns no slots and is one too many.
type DropShard struct {
	Ref ShardRef `json:"ref"`
}
