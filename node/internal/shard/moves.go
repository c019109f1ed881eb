package shard

import (
	"bytes"
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// What one Drop looks at and deletes at most, beside its own limit. It has to fit into one transaction: redone after a crash between
// two it would count anew, and delete more than on other replicas.
const (
	dropLooks = 20_000
	dropBytes = kv.AtomicBytes / 2
)

// move applies an entry that is about a move. Where it does not build on what there is, it does nothing: that is its own failure.
// It may be redone like any operation: what it does to a point depends on the entry alone.
func (a *applier) move(e Entry) (opErr, fatal error) {
	if err := a.moves.Permit(e.Move); err != nil {
		a.applied = e.Index
		return err, nil
	}
	r := &run{a: a, index: e.Index, batch: &kv.Batch{}, drafts: newDrafts()}
	var found move.Found
	switch op := e.Move.(type) {
	case move.Within:
		return a.within(r, op)
	case move.Open:
		found.Rows, fatal = a.holds(slot.SetOf(op.Slots...))
	case move.Chunk:
		opErr, fatal = r.chunk(op)
	case move.Delta:
		opErr, fatal = r.delta(op)
	case move.Drop:
		found, fatal = r.drop(op)
	}
	if fatal != nil {
		return nil, fatal
	}
	if opErr != nil {
		a.applied = e.Index
		return opErr, nil
	}
	r.learns, r.moves = true, a.moves.After(e.Move, e.Index, found)
	return nil, a.merge(r)
}

// within applies an operation with a filter to some slots.
func (a *applier) within(r *run, op move.Within) (opErr, fatal error) {
	inner, err := point.DecodeOp(op.Op)
	if err != nil {
		a.applied = r.index
		return err, nil
	}
	set := slot.SetOf(op.Slots...)
	r.within = &set
	return a.operation(r, inner)
}

// outside reports whether an operation with a filter passes a point by (M7).
func (r *run) outside(id point.ID) bool {
	if !r.byFilter || r.within == nil && !r.a.hasForeign {
		return false
	}
	at := slot.Of(id)
	return r.within != nil && !r.within.Has(at) || r.a.hasForeign && r.a.foreign.Has(at)
}

// holds reports whether there is a row of some slots, the stage included.
func (a *applier) holds(slots slot.Set) (bool, error) {
	if err := a.flush(); err != nil {
		return false, err
	}
	return a.s.mu.counts.in(&slots) > 0, nil // only Apply changes them, and this is it
}

// chunk makes the slots of a move, between two ids, what a source's cut has there.
func (r *run) chunk(op move.Chunk) (opErr, fatal error) {
	in, _ := r.a.moves.Incoming(op.Move)
	items, err := transfers(op.Data)
	if err != nil {
		return err, nil
	}
	own, err := r.own(in, op)
	if err != nil {
		return nil, err
	}
	for _, t := range items { // before anything is changed
		if t.gone || t.same && !own[t.id] {
			return fault.New(fault.Corrupt, "move %d: point %s was not sent and is not here", op.Move, t.id), nil
		}
		delete(own, t.id)
	}
	for id := range own {
		if err := r.remove(r.current(id)); err != nil {
			return nil, err
		}
	}
	return nil, r.take(items)
}

// own lists the points of a chunk's slots and ids that are here.
func (r *run) own(in *move.Incoming, op move.Chunk) (map[point.ID]bool, error) {
	own := map[point.ID]bool{}
	if !in.Full && bytes.Compare(op.From, in.Through) >= 0 {
		return own, nil // nothing has come so far yet
	}
	if err := r.a.flush(); err != nil { // so that the view shows everything
		return nil, err
	}
	var from *point.ID
	if len(op.From) > 0 {
		id, _, err := point.CutKey(op.From)
		if err != nil {
			return nil, err
		}
		from = &id
	}
	slots := slot.SetOf(in.Slots...)
	err := r.a.view.ScanPayloads(context.Background(), r.a.s.gen, from, func(rec kv.Record) (bool, error) {
		key := rec.ID.AppendKey(nil)
		if !op.Last && bytes.Compare(key, op.To) > 0 {
			return false, nil
		}
		if bytes.Compare(key, op.From) > 0 && slots.Has(slot.Of(rec.ID)) {
			own[rec.ID] = true
		}
		return true, nil
	})
	return own, err
}

// delta makes some points what they are in a source's cut.
func (r *run) delta(op move.Delta) (opErr, fatal error) {
	items, err := transfers(op.Data)
	if err != nil {
		return err, nil
	}
	return nil, r.take(items)
}

// take stores points as they came, or deletes them.
func (r *run) take(items []transferred) error {
	for _, t := range items {
		d := r.current(t.id)
		var err error
		switch {
		case t.same:
		case !t.gone:
			err = r.putRaw(d, t)
		case d.exists:
			err = r.remove(d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putRaw replaces a point, or makes it, as it was stored elsewhere. What of its vectors does not fit the schema stays in the record.
func (r *run) putRaw(d *draft, t transferred) error {
	payload, err := point.DecodePayload(t.payload.Body)
	if err != nil {
		return err
	}
	var vectors point.VectorSet
	var body []byte
	if t.hasVectors {
		body = t.vectors.Body
		if vectors, err = point.DecodeVectorSet(body); err != nil {
			return err
		}
	}
	d.exists = true
	d.payload.set(payload, r.index, len(t.payload.Body))
	d.vectors.set(vectors, r.index, len(body))
	d.touch(r.a.schema.names())
	d.refs = r.batch.PutPoint(r.a.s.gen, d.id, r.index, t.payload.Body, body, d.refs)
	return r.changed(d)
}

// drop deletes points of slots that the shard does not own. All of it is one batch.
func (r *run) drop(op move.Drop) (found move.Found, fatal error) {
	if err := r.a.flush(); err != nil {
		return found, err
	}
	was, _ := r.a.moves.Dropped(op.Move)
	found = move.Found{At: was.At, Done: true}
	var from *point.ID
	if len(was.At) > 0 {
		id, _, err := point.CutKey(was.At)
		if err != nil {
			return found, err
		}
		from = &id
	}
	slots := slot.SetOf(op.Slots...)
	if slots.Empty() {
		return move.Found{Done: true}, nil
	}
	looks, deleted := 0, uint32(0)
	fatal = r.a.view.ScanPayloads(context.Background(), r.a.s.gen, from, func(rec kv.Record) (bool, error) {
		if from != nil && rec.ID == *from {
			return true, nil
		}
		if looks == dropLooks || deleted == op.Limit || r.batch.Bytes() >= dropBytes {
			found.Done = false
			return false, nil
		}
		looks++
		found.At = rec.ID.AppendKey(nil)
		if slots.Has(slot.Of(rec.ID)) {
			d := r.current(rec.ID)
			r.batch.DeletePoint(r.a.s.gen, d.id, d.refs)
			*d = draft{id: d.id}
			r.drafts.add(d)
			deleted++
		}
		return true, nil
	})
	return found, fatal
}

// transfers reads the points of a piece.
func transfers(data []byte) (all []transferred, err error) {
	for len(data) > 0 {
		var t transferred
		if t, data, err = cutTransfer(data); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}
