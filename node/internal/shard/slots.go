package shard

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Look is how a reader looks at a shard (docs/design/resharding.md).
type Look struct {
	Epoch uint64 // of the catalog that the reader split its request by; 0: it does not ask
	Fresh bool   // it is promised to see what others wrote: slots that are being handed over have to wait
}

// rowCounts counts the rows by slot.
type rowCounts [slot.Count]uint32

func (c *rowCounts) in(slots *slot.Set) (n uint64) {
	for at, rows := range c {
		if rows > 0 && slots.Has(slot.Slot(at)) {
			n += uint64(rows)
		}
	}
	return n
}

// SetStanding tells what the catalog says of the shard's slots. Readers see rows of those that it gives to the shard, and no others.
func (s *Shard) SetStanding(st *move.Standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.standing = st
	s.trackLocked(st)
	s.mu.hidden = 0
	if h := st.Hidden(); h != nil {
		s.mu.hidden = s.mu.counts.in(h)
	}
}

// countLocked notes that a row has come or gone.
func (s *Shard) countLocked(id point.ID, by int) {
	at := slot.Of(id)
	s.mu.counts[at] = uint32(int(s.mu.counts[at]) + by)
	if st := s.mu.standing; st != nil && !st.Owned.Has(at) {
		s.mu.hidden = uint64(int(s.mu.hidden) + by)
	}
}

// lookLocked decides whether the shard may be read as it is now, and notes in the reader which rows it does not see.
func (s *Shard) lookLocked(r *reader, look Look) error {
	st := s.mu.standing
	if st == nil {
		return nil
	}
	if s.mu.applied < st.Floor {
		return fault.New(fault.Unavailable, "this copy of the shard has applied %d, its slots are shown from %d on", s.mu.applied, st.Floor).With(move.HintWait, "true")
	}
	if err := st.Read(look.Epoch, look.Fresh, s.mu.moves); err != nil {
		return err
	}
	if s.mu.hidden > 0 {
		r.hidden = st.Hidden()
	}
	return nil
}

// hides reports whether the reader does not see a point.
func (r *reader) hides(id point.ID) bool { return r.hidden != nil && r.hidden.Has(slot.Of(id)) }

// Moves is what the shard knows of its moves, as of Applied.
func (s *Shard) Moves() *move.State {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.moves
}
