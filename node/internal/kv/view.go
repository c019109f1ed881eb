package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// View is the state of the store at one moment, with whole Batches only. It is safe for concurrent use and must be
// closed; while it is open, Badger keeps what it shows.
type View struct {
	store *Store
	txn   *badger.Txn // read-only: Badger allows concurrent Gets and iterators on it
	ts    uint64
	users atomic.Int32
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

// ownView is View for the committer, which ends before the database is closed.
func (s *Store) ownView() *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewLocked()
}

func (s *Store) viewLocked() *View {
	v := &View{store: s, ts: s.mu.durable, txn: s.db.NewTransactionAt(s.mu.durable, false)}
	v.users.Store(1)
	s.mu.views[v.ts]++
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
	v.txn.Discard()
	s := v.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.views[v.ts]--; s.mu.views[v.ts] == 0 {
		delete(s.mu.views, v.ts)
	}
	if len(s.mu.views) == 0 {
		s.mu.idle.Broadcast()
	}
}

// get returns a copy of a value, nil if there is none.
func (v *View) get(key []byte) ([]byte, error) {
	item, err := v.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read key %x: %w", key, err)
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return nil, fmt.Errorf("read key %x: %w", key, err)
	}
	return value, nil
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

func (v *View) scanRecords(ctx context.Context, field byte, generation uint64, from *point.ID, fn func(Record) (bool, error)) error {
	pre := keyField(generation, field)
	start := pre
	if from != nil {
		start = keyPoint(generation, field, *from)
	}
	return v.scan(ctx, pre, start, func(key []byte, item *badger.Item) (more bool, err error) {
		id, err := cutPointKey(key)
		if err != nil {
			return false, err
		}
		err = item.Value(func(value []byte) error {
			r, err := v.open(field, generation, id, value)
			if err == nil {
				more, err = fn(r)
			}
			return err
		})
		return more, err
	})
}

// ctxEvery is how many keys a scan reads between two looks at its context.
const ctxEvery = 256

// scan calls fn with the items of a prefix in order, from a key on.
func (v *View) scan(ctx context.Context, pre, start []byte, fn func(key []byte, item *badger.Item) (bool, error)) error {
	opt := badger.IteratorOptions{Prefix: pre}
	it := v.txn.NewIterator(opt)
	defer it.Close()
	n := 0
	for it.Seek(start); it.Valid(); it.Next() {
		if n++; n%ctxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		more, err := fn(it.Item().Key(), it.Item())
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// lastKey returns the last key of a prefix, nil if there is none.
func (v *View) lastKey(pre []byte) []byte {
	it := v.txn.NewIterator(badger.IteratorOptions{Prefix: pre, Reverse: true})
	defer it.Close()
	it.Seek(append(bytes.Clone(pre), bytes.Repeat([]byte{0xff}, 16)...))
	if !it.Valid() {
		return nil
	}
	return it.Item().KeyCopy(nil)
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
	err := v.scan(context.Background(), nil, nil, func([]byte, *badger.Item) (bool, error) {
		empty = false
		return false, nil
	})
	if err != nil {
		return err
	}
	if !empty {
		return fault.New(fault.FailedPrecondition, "it holds a Badger database that is not a node's; choose another directory")
	}
	var b Batch
	b.add(&b.body, write{keyFormat(), sealNumbers(keyFormat(), FormatVersion)})
	return s.Commit(context.Background(), &b)
}
