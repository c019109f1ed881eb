package move

import (
	"slices"
	"strconv"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Standing is what a node's catalog says about the slots of one shard. It is immutable.
type Standing struct {
	Epoch uint64   // of the collection
	Since uint64   // of the last change of the shard's slots
	Owned slot.Set // the shard's slots
	All   bool     // they are all slots there are
	Floor uint64   // the index that must be applied before the slots are shown
	shard catalog.ShardID
	moves []*catalog.Move
	last  catalog.MoveID // that the catalog has given to any move
}

// StandingOf draws it from a catalog.
func StandingOf(s *catalog.State, col *catalog.Collection, sh *catalog.Shard) *Standing {
	st := &Standing{Epoch: col.Epoch, Since: sh.Epoch, Owned: sh.Owned(), Floor: sh.MinIndex(), shard: sh.ID, last: s.NextMove}
	st.All = st.Owned.Len() == slot.Count
	for _, m := range col.Moves {
		if m.About(sh.ID) {
			st.moves = append(st.moves, m)
		}
	}
	return st
}

// HintEpoch is the hint of a StaleEpoch error that tells the epoch which the replica knows.
const HintEpoch = "epoch"

// Write decides whether a primary may append an operation of a sender who split it by epoch, and which touches some slots (nil: whatever
// the shard owns). s is the shard's state as applied, more are seals that the primary has appended since; settled tells
// that its TermStart is applied (M2). The error is of class StaleEpoch: nothing was done, and after a while it may be.
func (st *Standing) Write(epoch uint64, touches *slot.Set, s *State, more []Seal, settled bool) error {
	if err := st.agree(epoch, s); err != nil {
		return err
	}
	if touches == nil {
		touches = &st.Owned
	}
	if !st.All && !touches.Within(&st.Owned) {
		return st.stale("it does not own all of the slots that are written")
	}
	sealed := s.SealedSlots()
	for _, x := range more {
		sealed = sealed.Or(slot.SetOf(x.Slots...))
	}
	if !settled {
		for _, m := range st.moves {
			if m.Source == st.shard && (m.Sealed() || m.Fill != 0 && m.Phase == catalog.Moved && !m.SourceDone) { // a predecessor's seal may stand in the log
				sealed = sealed.Or(slot.SetOf(m.Slots...))
			}
		}
	}
	if touches.Meets(&sealed) {
		return st.stale("some of the slots that are written are being handed over")
	}
	return nil
}

// HintWait marks a refusal that a newer catalog here, or more that is applied, may end.
const HintWait = "wait"

// Read decides whether a replica may answer a reader who split its request by epoch. s is the shard's state of the moment that is read.
// A fresh read is one that promises to see what others wrote (M9).
func (st *Standing) Read(epoch uint64, fresh bool, s *State) error {
	if err := st.agree(epoch, s); err != nil {
		return err
	}
	if !fresh || s == nil {
		return nil
	}
	for _, x := range s.Sealed {
		if st.open(x) {
			return st.stale("its slots are being handed over").With(HintWait, "true")
		}
	}
	return nil
}

// agree compares the sender's epoch with the catalog here. 0 is of a sender who does not ask.
func (st *Standing) agree(epoch uint64, s *State) error {
	switch {
	case epoch == 0:
		return nil
	case st.Epoch < epoch:
		return st.stale("this node knows epoch %d, the request is of %d", st.Epoch, epoch).With(HintWait, "true")
	case st.Since > epoch:
		return st.stale("its slots changed in epoch %d, the request is of %d", st.Since, epoch)
	case s != nil && s.Epoch > epoch:
		return st.stale("its slots changed in epoch %d, the request is of %d", s.Epoch, epoch).With(HintEpoch, strconv.FormatUint(s.Epoch, 10))
	}
	return nil
}

func (st *Standing) stale(format string, args ...any) *fault.Error {
	return fault.New(fault.StaleEpoch, format, args...).With(HintEpoch, strconv.FormatUint(st.Epoch, 10))
}

// open reports whether a seal may have led, or may yet lead, to a flip that the catalog here does not show.
func (st *Standing) open(x Sealed) bool {
	for _, m := range st.moves {
		if m.ID == x.Move {
			return m.Version < x.Version || m.SealedBy() == x.Version
		}
	}
	return x.Move > st.last // else the move is over
}

// Fills reports whether a move is a part of a fill.
func (st *Standing) Fills(id catalog.MoveID) bool {
	return slices.ContainsFunc(st.moves, func(m *catalog.Move) bool { return m.ID == id && m.Fill != 0 })
}

// MaySeal tells whether a primary may append a Seal, by its catalog.
func (st *Standing) MaySeal(x Seal) bool {
	for _, m := range st.moves {
		if m.ID == x.Move {
			return m.Phase == catalog.Sealing && m.Version == x.Version
		}
	}
	return false
}

// End is an entry that ends a seal.
type End struct {
	Sealed
	Op Op
}

// Ends lists what ends the seals that the catalog does not stand for any more: their primary appends it (M4). A seal of a move that led to a flip
// stays until the rows are dropped. That of a fill ends with a Drop of nothing: who has applied that refuses readers of before it (F4).
func (st *Standing) Ends(s *State) []End {
	if s == nil {
		return nil
	}
	var ends []End
	for _, x := range s.Sealed {
		switch m := st.moved(x.Move); {
		case st.open(x):
		case m == nil:
			ends = append(ends, End{x, Unseal{Move: x.Move, Version: x.Version}})
		case m.Fill != 0:
			ends = append(ends, End{x, Drop{Move: x.Move, Epoch: st.Since}})
		}
	}
	return ends
}

// moved returns a move from here that has led to a flip, nil if it has not.
func (st *Standing) moved(id catalog.MoveID) *catalog.Move {
	for _, m := range st.moves {
		if m.ID == id && m.Phase == catalog.Moved {
			return m
		}
	}
	return nil
}

// Accepts lists the moves whose slots the catalog has given to this shard and that may not be accepted in its log (M7). Their primary
// appends Accept before it appends any write of the new epoch.
func (st *Standing) Accepts(s *State) []Accept {
	var all []Accept
	for _, m := range st.moves {
		if m.Phase != catalog.Moved || m.Target != st.shard || m.TargetDone {
			continue
		}
		if in, ok := s.Incoming(m.ID); !ok || !in.Accepted {
			all = append(all, Accept{Move: m.ID})
		}
	}
	if s == nil {
		return all
	}
	for _, in := range s.In { // an unsafe promotion may have brought back what was over
		if slots := slot.SetOf(in.Slots...); !in.Accepted && st.over(in.Move) && slots.Meets(&st.Owned) {
			all = append(all, Accept{Move: in.Move})
		}
	}
	return all
}

// over reports whether the catalog has known a move and does so no more.
func (st *Standing) over(id catalog.MoveID) bool {
	return id <= st.last && !slices.ContainsFunc(st.moves, func(m *catalog.Move) bool { return m.ID == id })
}

// Stray returns what a primary has to append to be rid of what no move accounts for, nil if there is nothing: what an unsafe promotion
// has brought back. rows tells whether the shard has rows of some slots.
func (st *Standing) Stray(s *State, rows func(slot.Set) bool, limit uint32) Op {
	if s != nil {
		for _, in := range s.In {
			switch {
			case !st.over(in.Move):
			case in.Accepted:
				return Forget{Move: in.Move}
			default:
				return Drop{Move: in.Move, Slots: in.Slots, Limit: limit}
			}
		}
		for _, x := range s.Drops {
			if x.Move != 0 && st.over(x.Move) {
				return Forget{Move: x.Move}
			}
		}
	}
	if st.All {
		return nil
	}
	stray := slot.SetOf(slot.Range{To: slot.Count - 1}).Minus(st.Owned)
	for _, m := range st.moves {
		stray = stray.Minus(slot.SetOf(m.Slots...))
	}
	if _, dropping := s.Dropped(0); dropping || rows(stray) {
		return Drop{Slots: stray.Ranges(), Limit: limit}
	}
	return nil
}

// Outgoing lists the moves that are under way from this shard.
func (st *Standing) Outgoing() []*catalog.Move {
	var all []*catalog.Move
	for _, m := range st.moves {
		if m.Source == st.shard && m.Running() {
			all = append(all, m)
		}
	}
	return all
}

// Hidden returns the slots whose rows the shard may have without owning them, nil if there can be none.
func (st *Standing) Hidden() *slot.Set {
	if st.All {
		return nil
	}
	all := slot.SetOf(slot.Range{To: slot.Count - 1}).Minus(st.Owned)
	return &all
}

// Touched returns the slots that an operation names points of; nil if it goes by a filter.
func Touched(op point.Op) *slot.Set {
	var set slot.Set
	add := func(id point.ID) { set.Add(slot.Of(id)) }
	selector := func(sel point.Selector) *slot.Set {
		if sel.IDs == nil {
			return nil
		}
		for _, id := range sel.IDs {
			add(id)
		}
		return &set
	}
	switch op := op.(type) {
	case point.Upsert:
		for i := range op.Points {
			add(op.Points[i].ID)
		}
	case point.UpdateVectors:
		for i := range op.Points {
			add(op.Points[i].ID)
		}
	case point.Delete:
		return selector(op.Selector)
	case point.SetPayload:
		return selector(op.Selector)
	case point.OverwritePayload:
		return selector(op.Selector)
	case point.DeletePayload:
		return selector(op.Selector)
	case point.ClearPayload:
		return selector(op.Selector)
	case point.DeleteVectors:
		return selector(op.Selector)
	default:
		return nil
	}
	return &set
}
