package replica

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// reign is what a primary remembers of its term, as far as moves are concerned: all of it may be forgotten with the term
// (docs/design/resharding.md, M2 and M7).
type reign struct {
	term     replication.Term
	start    replication.Index // its TermStart
	sealing  []move.Seal       // appended, not yet applied
	accepted map[catalog.MoveID]bool
	undone   map[catalog.MoveID]uint64 // the version whose seal was ended
}

// office notices when this replica takes or loses the office of primary. That may happen twice between two answers of
// the disk, so that leadership never sees it. It comes before every proposal and after every view.
func (r *runner) office() {
	acting := r.core.Acting()
	if acting != r.writes.term { // to word the answer costs more than the rest of an event in which nothing happens
		r.writes.hold(acting, unknownOutcome(r.ref, "its primary was replaced"))
	}
	if acting == r.reign.term {
		return
	}
	r.reign = reign{term: acting, accepted: map[catalog.MoveID]bool{}, undone: map[catalog.MoveID]uint64{}}
	if acting != 0 {
		r.reign.start = r.core.Status().LastIndex
	}
}

// slotDuties appends what a primary has to append before it takes any more writes, and reports whether all of that stands in the log.
func (r *runner) slotDuties() bool {
	if r.reign.term == 0 || r.standing == nil {
		return true
	}
	all := true
	for _, a := range r.standing.Accepts(r.moves) { // M7
		if !r.reign.accepted[a.Move] {
			r.reign.accepted[a.Move] = r.control(a)
			all = all && r.reign.accepted[a.Move]
		}
	}
	for _, u := range r.standing.Ends(r.moves) { // M4
		if r.reign.undone[u.Move] < u.Version && r.control(u.Op) {
			r.reign.undone[u.Move] = u.Version
		}
	}
	return all
}

// control appends an entry for which nobody waits.
func (r *runner) control(op move.Op) bool {
	_, err := r.core.Propose(move.Encode(op))
	return err == nil
}

// admit decides whether a write may be appended (M2).
func (r *runner) admit(w *write) error {
	if w.control != nil {
		return r.admitControl(w)
	}
	if r.standing == nil {
		return nil
	}
	if !r.slotDuties() {
		return fault.New(fault.StaleEpoch, "its primary has taken over slots and cannot say so in its log yet")
	}
	return r.standing.Write(w.epoch, w.touches, r.moves, r.reign.sealing, r.appliedTo >= r.reign.start)
}

// admitControl: a driver knows what the log holds of its move only in the term of its look, and a seal has to stand for the phase that the
// catalog here shows.
func (r *runner) admitControl(w *write) error {
	if w.term != r.reign.term {
		return fault.New(fault.NotPrimary, "term %d of this primary is over", w.term)
	}
	seal, ok := w.control.(move.Seal)
	if !ok {
		return nil
	}
	if r.standing == nil || !r.standing.MaySeal(seal) {
		return fault.New(fault.StaleEpoch, "this node does not know that move %d is sealing in version %d", seal.Move, seal.Version)
	}
	return nil
}

// fills reports whether an entry brings points of another shard key, which need room on disks as those of clients do. What moves within a key has been
// given its room before.
func (r *runner) fills(w *write) bool {
	switch op := w.control.(type) {
	case move.Chunk:
		return r.standing != nil && r.standing.Fills(op.Move)
	case move.Delta:
		return r.standing != nil && r.standing.Fills(op.Move)
	}
	return false
}

// appended takes note of what stands in the log now.
func (r *runner) appended(w *write) {
	if seal, ok := w.control.(move.Seal); ok {
		r.reign.sealing = append(r.reign.sealing, seal)
	}
}

// appliedMoves takes note of what is applied.
func (r *runner) appliedMoves() {
	r.moves = r.shard.Moves()
	r.reign.sealing = slices.DeleteFunc(r.reign.sealing, func(x move.Seal) bool {
		have, ok := r.moves.Seal(x.Move)
		return ok && have.Version >= x.Version
	})
}

// touched tells which slots an operation is about, encoded as it comes from a coordinator (nil: it goes by a filter, over all that
// the shard owns), and whether it needs room on disks.
func touched(op []byte) (slots *slot.Set, grows bool, err error) {
	if !move.IsEntry(op) {
		decoded, err := point.DecodeOp(op)
		if err != nil {
			return nil, false, err
		}
		return move.Touched(decoded), point.Grows(decoded), nil
	}
	entry, err := move.Decode(op)
	if err != nil {
		return nil, false, err
	}
	within, ok := entry.(move.Within)
	if !ok {
		return nil, false, fault.New(fault.Invalid, "%T is no operation on points", entry)
	}
	decoded, err := point.DecodeOp(within.Op)
	if err != nil {
		return nil, false, err
	}
	set := slot.SetOf(within.Slots...)
	return &set, point.Grows(decoded), nil
}

// Moves is what a replica here knows of moves, as applied; nil if it knows of none, or is not open.
func (m *Manager) Moves(ref catalog.ShardRef) *move.State {
	r, err := m.runner(ref)
	if err != nil {
		return nil
	}
	return r.shard.Moves()
}
