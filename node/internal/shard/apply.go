package shard

import (
	"context"
	"fmt"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Entry is one place of the log.
type Entry struct {
	Index uint64
	Op    point.Op // nil: nothing but the index moves
	Move  move.Op  // of an entry that is about a move, instead of Op
}

// Apply applies entries in order; the first must follow the applied index, and those up to it are passed over, as they
// were applied before. The first result has one element per entry: the operation's own failure, which is the same on
// every replica and leaves the points as they were (the index moves on). The second is of the disk, of damage or of
// ctx: Applied then tells how far it came. Once the disk or damage stopped it, the shard has failed.
//
// Everything up to Applied is durable. What was applied is stored together with its index: a crash leaves whole
// operations, but for one that is larger than a transaction of the store. Such a one is applied alone and in
// parts, its index is marked as pending first, and after a crash the shard answers no reads until it was redone.
// Redoing an operation of which a part is stored gives what doing it once gives, because
//
//   - it is one pass over points, and what it does to a point depends on that point alone;
//   - both records of a point change together, and what was changed bears the operation's index as its version: a
//     point that has it is left as it is (or stored again as it is, by an upsert), without asking the filter again; a
//     deleted one is gone, and neither a filter nor a list finds it;
//   - whatever can refuse the operation as a whole (schema, absent points, filters that do not compile) is asked before
//     its first part, and is not changed by its parts: no operation that needs points to exist removes any.
func (s *Shard) Apply(ctx context.Context, entries []Entry) ([]error, error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.keepUp(ctx)
	results := make([]error, len(entries))
	a, err := s.newApplier()
	if err != nil {
		return results, err
	}
	defer a.close()
	for i, e := range entries {
		if err := ctx.Err(); err != nil {
			return results, a.stop(fmt.Errorf("apply: %w", err))
		}
		if e.Index <= a.applied {
			continue
		}
		if e.Index != a.applied+1 {
			return results, a.stop(fault.New(fault.Internal, "apply entry %d: %d are applied", e.Index, a.applied))
		}
		var fatal error
		if results[i], fatal = a.entry(e); fatal != nil {
			return results, s.fail(fatal)
		}
	}
	return results, a.flush()
}

// maxKeepUp bounds how long one Apply waits for the indexes.
const maxKeepUp = 2 * time.Second

// keepUp waits while an index has so much to link that searches would have to compare it all: so writes are never far
// ahead of what searches can bear.
func (s *Shard) keepUp(ctx context.Context) {
	var timeout <-chan time.Time
	for _, sp := range s.mu.spaces { // only Apply and SetSchema change it
		if sp.dense == nil {
			continue
		}
		for wait := sp.dense.Lagging(); wait != nil; wait = sp.dense.Lagging() {
			if timeout == nil {
				timer := time.NewTimer(maxKeepUp)
				defer timer.Stop()
				timeout = timer.C
			}
			select {
			case <-wait:
			case <-timeout:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// applier is one call of Apply. It collects the changes of whole operations in a stage, which one transaction stores.
type applier struct {
	s      *Shard
	schema Schema
	view   *kv.View // the points before the stage

	applied uint64 // the last operation in the stage
	stored  uint64 // the last one that is durable
	batch   *kv.Batch
	stage   drafts

	moves      *move.State // as of applied
	kept       *move.State // as of stored
	foreign    slot.Set    // slots whose rows are another shard's
	hasForeign bool
}

func (s *Shard) newApplier() (*applier, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.stateLocked(); err != nil {
		return nil, err
	}
	v, err := s.store.View()
	if err != nil {
		return nil, err
	}
	a := &applier{
		s: s, schema: s.mu.schema, view: v, applied: s.mu.applied, stored: s.mu.applied,
		batch: &kv.Batch{}, stage: newDrafts(), kept: s.mu.moves,
	}
	a.knows(s.mu.moves)
	return a, nil
}

// knows takes what is known of moves from here on.
func (a *applier) knows(s *move.State) {
	a.moves, a.foreign = s, s.Foreign()
	a.hasForeign = !a.foreign.Empty()
}

func (a *applier) close() { a.view.Close() }

// stop keeps what is in the stage and returns why Apply ends.
func (a *applier) stop(cause error) error {
	if err := a.flush(); err != nil {
		return err
	}
	return cause
}

// entry applies one operation into the stage.
func (a *applier) entry(e Entry) (opErr, fatal error) {
	switch {
	case e.Move != nil:
		return a.move(e)
	case e.Op != nil:
		return a.operation(&run{a: a, index: e.Index, batch: &kv.Batch{}, drafts: newDrafts()}, e.Op)
	}
	a.applied = e.Index
	return nil, nil
}

func (a *applier) operation(r *run, op point.Op) (opErr, fatal error) {
	if opErr, fatal = r.do(op); fatal != nil {
		return nil, fatal
	}
	if opErr == nil || r.spilled {
		return opErr, a.merge(r)
	}
	a.applied = r.index
	return opErr, nil
}

// merge takes a whole operation into the stage, which stays small enough for one transaction.
func (a *applier) merge(r *run) error {
	if a.batch.Bytes() > 0 && !a.batch.Fits(r.batch) {
		if err := a.flush(); err != nil {
			return err
		}
	}
	if !r.batch.Atomic() && !r.spilled {
		r.batch.SetPending(a.s.gen, r.index)
	}
	if r.learns {
		a.knows(r.moves)
	}
	a.batch.Append(r.batch)
	a.stage.merge(&r.drafts)
	a.applied = r.index
	if r.spilled || !a.batch.Atomic() {
		return a.flush()
	}
	return nil
}

// flush makes the stage durable, then visible. Its error is one that made the shard fail.
func (a *applier) flush() error {
	if a.applied == a.stored {
		return nil
	}
	a.batch.SetApplied(a.s.gen, a.applied)
	if a.moves != a.kept {
		a.batch.SetMoves(a.s.gen, a.moves.Encode())
	}
	if err := a.commit(a.batch); err != nil {
		return err
	}
	if err := a.s.publish(a.stage.order, a.applied, a.moves); err != nil {
		return a.s.fail(err)
	}
	a.kept = a.moves
	a.stored, a.batch, a.stage = a.applied, &kv.Batch{}, newDrafts()
	v, err := a.s.store.View()
	if err != nil {
		return a.s.fail(err)
	}
	a.view.Close()
	a.view = v
	return nil
}

// commit stores a batch while readers stay with what was before it.
func (a *applier) commit(b *kv.Batch) error {
	if err := a.s.pin(); err != nil {
		return a.s.fail(err)
	}
	if err := a.s.commit(b); err != nil {
		return a.s.fail(err)
	}
	return nil
}

// pin makes readers share a view of the present until publish.
func (s *Shard) pin() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.pinned == nil {
		s.mu.pinned, err = s.store.View()
	}
	return err
}

// publish changes the memory to what is durable now. Vectors are copied before anybody sees them; what readers see
// changes in one step, which is quick.
func (s *Shard) publish(changed []*draft, applied uint64, moves *move.State) error {
	oldest := s.epochs.oldest(s.mu.seq)
	for _, d := range changed {
		if err := s.stage(d, oldest); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.seq++
	for _, d := range changed {
		s.publishLocked(d)
		for _, t := range s.mu.trackers {
			t.note(d.id, applied)
		}
	}
	s.movedLocked(changed)
	publishAll(s.mu.spaces)
	s.mu.applied, s.mu.moves = applied, moves
	if s.mu.pending <= applied {
		s.mu.pending = 0
	}
	s.mu.pinned.Close()
	s.mu.pinned = nil
	return nil
}

// stage gives a draft its label and its vectors to their indexes.
func (s *Shard) stage(d *draft, oldest uint64) error {
	if !d.exists {
		l, ok := s.mu.table.labels[d.id]
		for _, sp := range s.mu.spaces {
			if ok {
				sp.remove(l)
			}
		}
		return nil
	}
	d.label = s.mu.table.label(d.id, oldest)
	d.index(s.mu.fields)
	for _, name := range d.touched {
		sp := s.mu.spaces[name]
		if sp == nil {
			continue
		}
		if !sp.schema.fits(name, d.vectors.value) {
			sp.remove(d.label)
		} else if err := sp.put(d.label, name, d.vectors.value); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shard) publishLocked(d *draft) {
	t := s.mu.table
	if !d.exists {
		if l, ok := t.labels[d.id]; ok {
			t.remove(l, s.mu.seq)
			s.countLocked(d.id, -1)
			s.mu.fields.Remove(l)
		}
		return
	}
	if t.put(d.label, d.id) {
		s.countLocked(d.id, 1)
	}
	if d.payload.changed {
		t.setPayload(d.label, d.payload.version, d.payload.bytes)
		s.mu.fields.Put(d.label, d.row)
	}
	if d.vectors.changed {
		t.setVectors(d.label, d.vectors.version, d.vectors.bytes)
	}
	t.setRefs(d.label, d.refs)
}
