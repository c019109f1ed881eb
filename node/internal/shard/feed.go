package shard

import (
	"bytes"
	"context"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// maxMoved is the most that a point may take to be moved: what has to stand in one entry of the target's log.
const maxMoved = 24 << 20

// SlotCut is the points of some slots at one moment, for the shard that they move to. Close has to follow; the shard's Close
// waits for it.
type SlotCut struct {
	Applied uint64      // the log index
	Moves   *move.State // of the same moment
	Points  uint64      // in the slots
	Changed uint64      // points, at most, since the cursor; Full: it is not known which
	Full    bool

	r        *reader
	slots    slot.Set
	segments []segment
	only     *filter.Matcher
}

// CutSlots takes a cut for a move that the catalog shows under way from here. cursor is the index of an earlier cut, all of which its
// target has; 0: none.
func (s *Shard) CutSlots(id catalog.MoveID, cursor uint64) (*SlotCut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.mu.trackers, func(t *tracker) bool { return t.move == id })
	if i < 0 {
		return nil, fault.New(fault.StaleEpoch, "this node does not know that move %d is under way", id)
	}
	r, err := s.readLocked(nil, nil)
	if err != nil {
		return nil, err
	}
	t := s.mu.trackers[i]
	c := &SlotCut{Applied: s.mu.applied, Moves: s.mu.moves, Points: s.mu.counts.in(&t.slots), r: r, slots: t.slots}
	segments, ok := t.cut(cursor, c.Applied)
	c.segments, c.Full = segments, !ok
	for _, seg := range segments {
		c.Changed += uint64(len(seg.ids))
	}
	return c, nil
}

// Only restricts the cut to points that match; what does not match is not there. What is stored of a point alone decides, so one that has not
// changed since is as it was.
func (c *SlotCut) Only(m *filter.Matcher) { c.only = m }

// shows reports whether a point of the shard is in the cut.
func (c *SlotCut) shows(rec kv.Record) (bool, error) {
	if c.only == nil || c.only.MatchesAll() {
		return true, nil
	}
	t := storedWhole{c.r.target(rec)}
	ok := c.only.Match(&t)
	return ok && t.err == nil, t.err
}

// storedWhole shows a filter also the vectors that do not fit the schema of the moment: those move too.
type storedWhole struct{ storedTarget }

func (t *storedWhole) HasVector(name string) bool { return t.loadVectors().Has(name) }

// Close ends the cut.
func (c *SlotCut) Close() { c.r.close() }

// Piece is some of the points of a cut: those behind the key From up to the key To, or, of changed ones, any.
type Piece struct {
	From, To []byte
	Last     bool
	Data     []byte
	Points   int // that were looked at; of a cut of points that match, fewer may be in Data
}

// maxLooks bounds how many points a piece is about, so that one comes in time where few match.
const maxLooks = 1 << 14

// All passes all points on in the order of their ids, in pieces of about size bytes; emit owns them. Of what the receiver has
// (through is nil with full: all) and that has not changed since, only the ids go.
func (c *SlotCut) All(ctx context.Context, have Have, full bool, size int, emit func(Piece) error) error {
	var p Piece
	err := c.r.view.ScanPayloads(ctx, c.r.s.gen, nil, func(rec kv.Record) (bool, error) {
		if !c.slots.Has(slot.Of(rec.ID)) {
			return true, nil
		}
		if err := c.add(&p, rec, have, full); err != nil {
			return false, err
		}
		if p.Points++; len(p.Data) < size && p.Points < maxLooks {
			return true, nil
		}
		p.To = rec.ID.AppendKey(nil)
		next := Piece{From: p.To, Data: make([]byte, 0, len(p.Data)+len(p.Data)/4)}
		err := emit(p)
		p = next
		return true, err
	})
	if err != nil {
		return err
	}
	p.Last = true
	return emit(p)
}

// add adds a point to a piece, if it is in the cut.
func (c *SlotCut) add(p *Piece, rec kv.Record, have Have, full bool) error {
	if ok, err := c.shows(rec); err != nil || !ok {
		return err
	}
	t, err := c.whole(rec)
	if err != nil {
		return err
	}
	if full {
		have.Through = t.id.AppendKey(nil)
	}
	p.Data = appendTransfer(p.Data, t, have)
	return nil
}

// Changes passes the changed points on, as they are in the cut or as gone.
func (c *SlotCut) Changes(ctx context.Context, size int, emit func(Piece) error) error {
	var p Piece
	for i, seg := range c.segments {
		for id := range seg.ids {
			if err := ctx.Err(); err != nil {
				return err
			}
			if c.later(i, id) {
				continue
			}
			rec, ok, err := c.r.view.Payload(c.r.s.gen, id)
			if err != nil {
				return err
			}
			if ok {
				ok, err = c.shows(rec)
			}
			if err != nil {
				return err
			}
			t := transferred{id: id, gone: !ok}
			if ok {
				if t, err = c.whole(rec); err != nil {
					return err
				}
			}
			p.Data = appendTransfer(p.Data, t, Have{})
			if p.Points++; len(p.Data) < size {
				continue
			}
			full := p
			p = Piece{}
			if err := emit(full); err != nil {
				return err
			}
		}
	}
	p.Last = true
	return emit(p)
}

// later reports whether a point has changed again in a later segment.
func (c *SlotCut) later(i int, id point.ID) bool {
	for _, seg := range c.segments[i+1:] {
		if _, ok := seg.ids[id]; ok {
			return true
		}
	}
	return false
}

// whole adds the vectors to a payload.
func (c *SlotCut) whole(payload kv.Record) (transferred, error) {
	t := transferred{id: payload.ID, payload: payload}
	var err error
	if t.vectors, t.hasVectors, err = c.r.view.Vectors(c.r.s.gen, payload.ID); err != nil {
		return t, err
	}
	if n := len(t.payload.Body) + len(t.vectors.Body); n > maxMoved {
		return t, fault.New(fault.FailedPrecondition, "point %s takes %d bytes: at most %d can move to another shard; make it smaller", t.id, n, maxMoved)
	}
	t.payload.Body = bytes.Clone(t.payload.Body) // valid during the scan's call only
	return t, nil
}

// RowsIn counts the rows of some slots, whoever owns them.
func (s *Shard) RowsIn(slots slot.Set) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.counts.in(&slots)
}
