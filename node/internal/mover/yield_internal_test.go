package mover

import (
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// TestWhatCanWaitYieldsToOneFlip: to that of another move, of any collection, and not for ever.
func TestWhatCanWaitYieldsToOneFlip(t *testing.T) {
	in := func(phases ...catalog.MovePhase) *catalog.State {
		s := &catalog.State{Collections: map[catalog.CollectionID]*catalog.Collection{}}
		for i, phase := range phases {
			id := catalog.CollectionID(i + 1)
			s.Collections[id] = &catalog.Collection{ID: id, Moves: []*catalog.Move{{ID: catalog.MoveID(i + 1), Phase: phase}}}
		}
		return s
	}
	d := &driver{side: side{move: 1}}
	if d.yield(in(catalog.Sealing, catalog.Copying, catalog.Moved)) != 0 {
		t.Error("it yields to its own flip, or to none")
	}
	if got := d.dropLimit(in(catalog.Moved, catalog.Withdrawn)); got != dropLimit {
		t.Errorf("%d points are dropped at once when no move is under way", got)
	}
	another := in(catalog.Copying, catalog.Sealing)
	if wait := d.yield(another); wait <= 0 || wait > yieldFor {
		t.Errorf("it yields for %s", wait)
	}
	if got := d.dropLimit(another); got != dropGently {
		t.Errorf("%d points are dropped at once beside another move", got)
	}
	d.yielding = d.yielding.Add(-yieldFor + time.Hour/1e6)
	if wait := d.yield(another); wait > time.Hour/1e6 {
		t.Errorf("it yields for %s more", wait)
	}
	d.yielding = d.yielding.Add(-yieldFor)
	if d.yield(another) != 0 {
		t.Error("it yields for ever")
	}
	if d.yield(another) == 0 {
		t.Error("having gone on once, it does not yield any more")
	}
	if d.yield(in(catalog.Copying, catalog.Moved)) != 0 || !d.yielding.IsZero() {
		t.Error("it yields when nothing is sealed any more")
	}
}
