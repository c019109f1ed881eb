// Package move owns the protocol by which slots change their shard (docs/design/resharding.md), as pure values and functions:
// the entries that moves put into the logs of shards, the state that a shard keeps of its moves, who may read and write
// slots while they move, and what the drivers of a move do next.
//
// It touches no disk, clock or network, and knows no points: what entries do to points is done by package shard. Rules M2 to
// M9 stand in the code under their names.
package move

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Op is an entry of a shard's log that is about moves. The set of kinds is closed: Open, Begin, Chunk, Delta, Accept, Forget,
// Seal, Unseal, Drop, Within (all used as values).
type Op interface{ moveOp() }

// Open begins the state of a move in the target's log.
type Open struct {
	Move  catalog.MoveID
	Slots []slot.Range
}

// Begin begins a pass over all points of the slots, as of a cut of the source at its index Cut. Unsafe is the source's number of unsafe
// promotions: another one than before says that its history is another (M6).
type Begin struct {
	Move   catalog.MoveID
	Cut    uint64
	Unsafe uint64
}

// Chunk is a piece of such a pass: what there is behind the key From, up to the key To (included), and with Last to the end.
type Chunk struct {
	Move     catalog.MoveID
	Cut      uint64
	From, To []byte // keys of points; From is empty at the start
	Last     bool
	Data     []byte // as package shard encodes it
}

// Delta is a piece of the points that changed behind the source's index After, up to its index To. Pieces count from 0. With Last,
// Sealed is the version of the move behind whose seal, or right before it, the cut was taken, or 0.
type Delta struct {
	Move      catalog.MoveID
	After, To uint64
	Part      uint32
	Last      bool
	Sealed    uint64
	Data      []byte
}

// Accept makes the slots of a move the target's own.
type Accept struct{ Move catalog.MoveID }

// Forget ends the state of a move.
type Forget struct{ Move catalog.MoveID }

// Seal makes the source take no writes of the slots any more, for the version of the move.
type Seal struct {
	Move    catalog.MoveID
	Version uint64
	Slots   []slot.Range
}

// Unseal undoes the Seal of a version.
type Unseal struct {
	Move    catalog.MoveID
	Version uint64
}

// Drop deletes up to Limit points of slots that the shard does not own, and goes on from where the last Drop of the move ended. Readers
// have to have seen Epoch.
type Drop struct {
	Move  catalog.MoveID
	Slots []slot.Range
	Epoch uint64
	Limit uint32
}

// Within is an operation on points (point.EncodeOp) that touches only points of some slots.
type Within struct {
	Slots []slot.Range
	Op    []byte
}

func (Open) moveOp()   {}
func (Begin) moveOp()  {}
func (Chunk) moveOp()  {}
func (Delta) moveOp()  {}
func (Accept) moveOp() {}
func (Forget) moveOp() {}
func (Seal) moveOp()   {}
func (Unseal) moveOp() {}
func (Drop) moveOp()   {}
func (Within) moveOp() {}
