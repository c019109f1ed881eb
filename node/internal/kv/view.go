package kv

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// View is the state of the store at one moment, with whole Batches only. It is safe for concurrent use and must be
// closed; while it is open, the database keeps what it shows.
type View struct {
	store *Store
	at    *moment
	users atomic.Int32
}

// moment is what is durable at one time. All views of that time share it.
type moment struct {
	*pebble.Snapshot
	users int // under Store.mu: views, and the store while it is the newest
}

// View opens a view of what is durable now. It does not wait for commits under way.
func (s *Store) View() (*View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, s.errLocked()
	}
	return s.viewLocked(), nil
}

func (s *Store) viewLocked() *View {
	v := &View{store: s, at: s.mu.durable}
	v.users.Store(1)
	v.at.users++
	s.mu.views++
	return v
}

// Share adds a user to an open view: it stays open until each user has called Close. The result is v.
func (v *View) Share() *View {
	v.users.Add(1)
	return v
}

// Close ends one use of the view.
func (v *View) Close() {
	if v.users.Add(-1) > 0 {
		return
	}
	s := v.store
	s.release(v.at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.views--; s.mu.views == 0 {
		s.mu.idle.Broadcast()
	}
}

// release ends one use of a moment.
func (s *Store) release(m *moment) {
	s.mu.Lock()
	m.users--
	last := m.users == 0
	s.mu.Unlock()
	if last {
		_ = m.Snapshot.Close() // it never fails
	}
}

// get returns a copy of a value, nil if there is none.
func (v *View) get(key []byte) ([]byte, error) {
	value, closer, err := v.at.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, readError(err, key)
	}
	value = append([]byte{}, value...)
	return value, closer.Close()
}

func (v *View) numbers(key []byte, n int) ([]uint64, error) {
	value, err := v.get(key)
	if value == nil || err != nil {
		return make([]uint64, n), err
	}
	return openNumbers(key, value, n)
}

// HardState returns a replica's promised and led terms, zero if none were stored.
func (v *View) HardState(generation uint64) (HardState, error) {
	n, err := v.numbers(keyField(generation, fieldHardState), 2)
	if err != nil {
		return HardState{}, err
	}
	return HardState{Promised: n[0], Led: n[1]}, nil
}

// Applied returns the index up to which the points show the log.
func (v *View) Applied(generation uint64) (uint64, error) {
	n, err := v.numbers(keyField(generation, fieldApplied), 1)
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// Pending returns the index of an operation of which a part is stored, 0 if there is none.
func (v *View) Pending(generation uint64) (uint64, error) {
	n, err := v.numbers(keyField(generation, fieldPending), 1)
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// Moves returns what a replica knows of moves; nil if it knows of none.
func (v *View) Moves(generation uint64) ([]byte, error) {
	key := keyField(generation, fieldMoves)
	value, err := v.get(key)
	if value == nil || err != nil {
		return nil, err
	}
	return openSmall(key, value)
}

// Meta returns a value of the node, nil if there is none.
func (v *View) Meta(name string) ([]byte, error) {
	key := keyMeta(name)
	value, err := v.get(key)
	if value == nil || err != nil {
		return nil, err
	}
	return openSmall(key, value)
}

// Record is a stored payload or vectors of a point.
type Record struct {
	ID      point.ID
	Version uint64
	Body    []byte // what was given to PutPayload or PutVectors
	Ref     Ref
}

// Payload returns the payload record of a point; ok tells whether there is one.
func (v *View) Payload(generation uint64, id point.ID) (r Record, ok bool, err error) {
	return v.record(fieldPayload, generation, id)
}

// Vectors returns the vectors record of a point; ok tells whether there is one.
func (v *View) Vectors(generation uint64, id point.ID) (r Record, ok bool, err error) {
	return v.record(fieldVectors, generation, id)
}

func (v *View) record(field byte, generation uint64, id point.ID) (Record, bool, error) {
	value, err := v.get(keyPoint(generation, field, id))
	if value == nil || err != nil {
		return Record{}, false, err
	}
	r, err := v.open(field, generation, id, value)
	return r, err == nil, err
}

func (v *View) open(field byte, generation uint64, id point.ID, value []byte) (Record, error) {
	version, body, ref, err := openRecord(id, value, func(ref Ref, part uint16) ([]byte, error) {
		piece, err := v.get(keyPiece(generation, field, id, ref.Version, part))
		if piece == nil && err == nil {
			err = damaged("record of point %s: piece %d of %d is missing", id, part, ref.Pieces)
		}
		return piece, err
	})
	return Record{ID: id, Version: version, Body: body, Ref: ref}, err
}

// ScanPayloads calls fn with the payload records from an id on (nil: all) in the order of ids, until fn returns false.
// The Body is valid until fn returns.
func (v *View) ScanPayloads(ctx context.Context, generation uint64, from *point.ID, fn func(Record) (bool, error)) error {
	return v.scanRecords(ctx, fieldPayload, generation, from, fn)
}

// ScanVectors is ScanPayloads for vectors.
func (v *View) ScanVectors(ctx context.Context, generation uint64, from *point.ID, fn func(Record) (bool, error)) error {
	return v.scanRecords(ctx, fieldVectors, generation, from, fn)
}

// Head is what a record says before its body.
type Head struct {
	ID      point.ID
	Version uint64
	Length  int // of the body
	Ref     Ref
}

// ScanVectorHeads is ScanVectors without the bodies, and without their checksums: for who has the vectors already.
func (v *View) ScanVectorHeads(ctx context.Context, generation uint64, fn func(Head) (bool, error)) error {
	pre := keyField(generation, fieldVectors)
	return v.scan(ctx, pre, pre, func(it iterator) (bool, error) {
		id, err := cutPointKey(it.Key())
		if err != nil {
			return false, err
		}
		value, err := it.value()
		if err != nil {
			return false, err
		}
		h, whole, err := openHead(id, value)
		if err == nil && !whole {
			var r Record
			r, err = v.open(fieldVectors, generation, id, value)
			h.Length = len(r.Body)
		}
		if err != nil {
			return false, err
		}
		return fn(h)
	})
}

func (v *View) scanRecords(ctx context.Context, field byte, generation uint64, from *point.ID, fn func(Record) (bool, error)) error {
	pre := keyField(generation, field)
	start := pre
	if from != nil {
		start = keyPoint(generation, field, *from)
	}
	return v.scan(ctx, pre, start, func(it iterator) (bool, error) {
		id, err := cutPointKey(it.Key())
		if err != nil {
			return false, err
		}
		value, err := it.value()
		if err != nil {
			return false, err
		}
		r, err := v.open(field, generation, id, value)
		if err != nil {
			return false, err
		}
		return fn(r)
	})
}

// ctxEvery is how many keys a scan reads between two looks at its context.
const ctxEvery = 256

// scan calls fn with the keys of a prefix in order, from a key on.
func (v *View) scan(ctx context.Context, pre, start []byte, fn func(iterator) (bool, error)) (err error) {
	it, err := v.iterator(pre)
	if err != nil {
		return err
	}
	defer it.close(&err)
	n := 0
	for ok := it.SeekGE(start); ok; ok = it.Next() {
		if n++; n%ctxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		more, err := fn(it)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// iterator walks over the keys of a prefix. What it shows is valid until its next step. A step that finds nothing may have
// failed: only close tells.
type iterator struct {
	*pebble.Iterator
	pre []byte
}

func (v *View) iterator(pre []byte) (iterator, error) {
	it, err := v.at.NewIter(&pebble.IterOptions{LowerBound: pre, UpperBound: after(pre)})
	if err != nil {
		return iterator{}, readError(err, pre)
	}
	return iterator{it, pre}, nil
}

// value returns the value at the iterator's place.
func (it iterator) value() ([]byte, error) {
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, readError(err, it.pre)
	}
	return value, nil
}

// close ends the iterator, and puts what went wrong in it into *err, unless something else is there.
func (it iterator) close(err *error) {
	if failed := it.Iterator.Close(); failed != nil && *err == nil {
		*err = readError(failed, it.pre)
	}
}

// lastKey returns the last key of a prefix, nil if there is none.
func (v *View) lastKey(pre []byte) (key []byte, err error) {
	it, err := v.iterator(pre)
	if err != nil {
		return nil, err
	}
	defer it.close(&err)
	if it.Last() {
		key = bytes.Clone(it.Key())
	}
	return key, nil
}

// withView runs fn with a view of its own.
func (s *Store) withView(fn func(*View) error) error {
	v, err := s.View()
	if err != nil {
		return err
	}
	defer v.Close()
	return fn(v)
}

// HardState is View.HardState of what is durable now.
func (s *Store) HardState(generation uint64) (hs HardState, err error) {
	err = s.withView(func(v *View) error { hs, err = v.HardState(generation); return err })
	return hs, err
}

// Applied is View.Applied of what is durable now.
func (s *Store) Applied(generation uint64) (index uint64, err error) {
	err = s.withView(func(v *View) error { index, err = v.Applied(generation); return err })
	return index, err
}

// Meta is View.Meta of what is durable now.
func (s *Store) Meta(name string) (value []byte, err error) {
	err = s.withView(func(v *View) error { value, err = v.Meta(name); return err })
	return value, err
}

// checkFormat reads the format version, or writes it into an empty directory.
func (s *Store) checkFormat() error {
	v, err := s.View()
	if err != nil {
		return err
	}
	defer v.Close()
	stored, err := v.get(keyFormat())
	if err != nil {
		return err
	}
	if stored == nil {
		return s.writeFormat(v)
	}
	n, err := openNumbers(keyFormat(), stored, 1)
	if err != nil {
		return err
	}
	if n[0] > FormatVersion {
		return fault.Wrap(fault.FailedPrecondition, ErrNewerFormat,
			"its format is %d, this program knows up to %d; use a newer program", n[0], FormatVersion)
	}
	return nil
}

func (s *Store) writeFormat(v *View) error {
	empty := true
	err := v.scan(context.Background(), nil, nil, func(iterator) (bool, error) {
		empty = false
		return false, nil
	})
	if err != nil {
		return err
	}
	if !empty {
		return fault.New(fault.FailedPrecondition, "it holds a database that is not a node's; choose another directory")
	}
	var b Batch
	b.add(&b.body, write{key: keyFormat(), value: sealNumbers(keyFormat(), FormatVersion)})
	return s.Commit(context.Background(), &b)
}
