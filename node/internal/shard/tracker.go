package shard

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// tracker knows which points of the slots of a move have changed since some cut was taken, so that a pass that follows need not
// look at all points (docs/design/resharding.md, M5). It is in memory only.
type tracker struct {
	move     catalog.MoveID
	slots    slot.Set
	reach    uint64    // all changes behind this index are known
	segments []segment // between cuts, in their order; nobody changes them
	current  map[point.ID]struct{}
	count    int // ids in segments
}

// segment is what had changed when a cut was taken at upTo, since the one before.
type segment struct {
	upTo uint64
	ids  map[point.ID]struct{}
}

// maxTracked bounds the ids that a tracker knows. With more, a pass has to look at all points.
const maxTracked = 1 << 20

// trackLocked makes the trackers those of the moves that the catalog shows under way. What is stored of an operation that a crash
// interrupted was not seen, so a tracker does not reach back before that.
func (s *Shard) trackLocked(st *move.Standing) {
	var all []*tracker
	for _, m := range st.Outgoing() {
		t := &tracker{move: m.ID, slots: slot.SetOf(m.Slots...), reach: max(s.mu.applied, s.mu.pending), current: map[point.ID]struct{}{}}
		for _, old := range s.mu.trackers {
			if old.move == t.move {
				t = old
			}
		}
		all = append(all, t)
	}
	s.mu.trackers = all
}

// note takes note of a change that became visible at applied.
func (t *tracker) note(id point.ID, applied uint64) {
	if !t.slots.Has(slot.Of(id)) {
		return
	}
	if t.count+len(t.current) >= maxTracked {
		t.reach, t.segments, t.count, t.current = applied, nil, 0, map[point.ID]struct{}{}
		return
	}
	t.current[id] = struct{}{}
}

// cut ends a segment at a cut that is taken at applied, and returns those with the changes behind cursor; ok is false if some are not
// known. Who asks has what was up to cursor, so that is forgotten.
func (t *tracker) cut(cursor, applied uint64) (changed []segment, ok bool) {
	if len(t.current) > 0 {
		t.segments = append(t.segments, segment{upTo: applied, ids: t.current})
		t.count += len(t.current)
		t.current = map[point.ID]struct{}{}
	}
	if cursor == 0 || cursor < t.reach || cursor > applied {
		return nil, false
	}
	for len(t.segments) > 0 && t.segments[0].upTo <= cursor {
		t.count -= len(t.segments[0].ids)
		t.segments = t.segments[1:]
	}
	t.reach = cursor
	return t.segments[:len(t.segments):len(t.segments)], true
}
