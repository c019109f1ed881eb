package kv

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Ledger is the part of the store in which the cluster's metadata stands: entries by index, values by name, and blobs. It
// shares transactions and fsyncs with everything else.
type Ledger struct{ store *Store }

// LedgerEntry is an entry of the ledger.
type LedgerEntry struct {
	Index uint64
	Data  []byte
}

// Blob tells of something large that is kept as a whole.
type Blob struct {
	Name string
	Meta []byte // what its owner wants to know without reading it
	Size int64
}

// maxBlob bounds a blob.
const maxBlob = 1 << 30

// Ledger returns the ledger of the store.
func (s *Store) Ledger() *Ledger { return &Ledger{s} }

// Bounds returns the first and the last index; both are 0 if there are no entries.
func (l *Ledger) Bounds() (first, last uint64, err error) {
	err = l.store.withView(func(v *View) (err error) {
		it, err := v.iterator([]byte{spaceLedger})
		if err != nil {
			return err
		}
		defer it.close(&err)
		if !it.First() {
			return nil
		}
		if first, err = cutLedgerKey(it.Key()); err == nil && it.Last() {
			last, err = cutLedgerKey(it.Key())
		}
		return err
	})
	return first, last, err
}

// Entry returns the data of an entry, nil if there is none.
func (l *Ledger) Entry(index uint64) (data []byte, err error) {
	err = l.store.withView(func(v *View) error {
		key := keyLedger(index)
		value, err := v.get(key)
		if value != nil && err == nil {
			data, err = openSmall(key, value)
		}
		return err
	})
	return data, err
}

// Check reads every entry, value and blob, and returns the first damage: after it, nothing but the disk can fail.
func (l *Ledger) Check(ctx context.Context) error {
	return l.store.withView(func(v *View) error {
		for _, space := range []byte{spaceLedger, spaceValue} {
			var next uint64
			err := v.scan(ctx, []byte{space}, []byte{space}, func(it iterator) (bool, error) {
				value, err := it.value()
				if err != nil {
					return false, err
				}
				if _, err = openSmall(it.Key(), value); err != nil || space != spaceLedger {
					return err == nil, err
				}
				index, err := cutLedgerKey(it.Key())
				if err == nil && next != 0 && index != next {
					err = damaged("metadata log: entry %d is missing", next)
				}
				next = index + 1
				return err == nil, err
			})
			if err != nil {
				return err
			}
		}
		blobs, err := v.blobs(ctx)
		for _, b := range blobs {
			if err == nil {
				_, err = v.blob(b.Name)
			}
		}
		return err
	})
}

// Append adds entries, or replaces those with the same index. On a full disk it fails with ErrFull, as PutBlob does.
func (l *Ledger) Append(ctx context.Context, entries ...LedgerEntry) error {
	var b Batch
	for _, e := range entries {
		key := keyLedger(e.Index)
		b.add(&b.body, write{key: key, value: sealSmall(key, e.Data)})
	}
	return l.store.TryCommit(ctx, &b)
}

// Delete removes the entries between two indexes, both included.
func (l *Ledger) Delete(ctx context.Context, from, through uint64) error {
	end := after([]byte{spaceLedger})
	if through+1 != 0 {
		end = keyLedger(through + 1)
	}
	b := Batch{Urgent: true}
	b.add(&b.body, write{key: keyLedger(from), end: end})
	return l.store.Commit(ctx, &b)
}

// Value returns a value, nil if there is none.
func (l *Ledger) Value(name string) (value []byte, err error) {
	err = l.store.withView(func(v *View) error {
		key := keyValue(name)
		stored, err := v.get(key)
		if stored != nil && err == nil {
			value, err = openSmall(key, stored)
		}
		return err
	})
	return value, err
}

// SetValue stores a value. It waits for room on a full disk, but uses room that others may not use.
func (l *Ledger) SetValue(ctx context.Context, name string, value []byte) error {
	b := Batch{Urgent: true}
	key := keyValue(name)
	b.add(&b.body, write{key: key, value: sealSmall(key, value)})
	return l.store.await(ctx, ctx.Done(), &request{batch: &b, done: make(chan error, 1)})
}

// PutBlob stores a blob: it is there once all of it is.
func (l *Ledger) PutBlob(ctx context.Context, name string, meta, data []byte) error {
	if len(data) > maxBlob {
		return fault.New(fault.Invalid, "store %s: %d bytes, at most %d are allowed", name, len(data), maxBlob)
	}
	var b Batch
	parts := uint16(0)
	for rest := data; len(rest) > 0; parts++ {
		n := min(len(rest), partSize)
		key := keyBlobPart(name, parts)
		b.add(&b.body, write{key: key, value: sealSmall(key, rest[:n])})
		rest = rest[n:]
	}
	key := keyBlob(name)
	head := binary.BigEndian.AppendUint64(nil, uint64(len(data)))
	b.add(&b.tail, write{key: key, value: sealSmall(key, append(head, meta...))})
	return l.store.TryCommit(ctx, &b)
}

// DeleteBlob removes a blob.
func (l *Ledger) DeleteBlob(ctx context.Context, name string) error {
	b := Batch{Urgent: true}
	b.add(&b.head, write{key: keyBlob(name)})
	pre := keyBlobPart(name, 0)
	b.add(&b.body, write{key: pre, end: after(pre[:len(pre)-2])})
	return l.store.Commit(ctx, &b)
}

// Blobs lists what blobs there are, in the order of their names.
func (l *Ledger) Blobs() (all []Blob, err error) {
	err = l.store.withView(func(v *View) error { all, err = v.blobs(context.Background()); return err })
	return all, err
}

// Blob reads a blob.
func (l *Ledger) Blob(name string) (data []byte, err error) {
	err = l.store.withView(func(v *View) error { data, err = v.blob(name); return err })
	return data, err
}

func (v *View) blobs(ctx context.Context) (all []Blob, err error) {
	err = v.scan(ctx, []byte{spaceBlob}, []byte{spaceBlob}, func(it iterator) (bool, error) {
		value, err := it.value()
		if err != nil {
			return false, err
		}
		b, err := openBlob(it.Key(), value)
		all = append(all, b)
		return err == nil, err
	})
	return all, err
}

// openBlob reads a blob's head.
func openBlob(key, value []byte) (Blob, error) {
	head, err := openSmall(key, value)
	if err != nil {
		return Blob{}, err
	}
	if len(head) < 8 || binary.BigEndian.Uint64(head) > maxBlob {
		return Blob{}, damaged("value of key %x: %d bytes", key, len(value))
	}
	return Blob{Name: string(key[1:]), Size: int64(binary.BigEndian.Uint64(head)), Meta: append([]byte{}, head[8:]...)}, nil
}

func (v *View) blob(name string) ([]byte, error) {
	key := keyBlob(name)
	value, err := v.get(key)
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, fault.New(fault.NotFound, "there is no %s", name)
	}
	b, err := openBlob(key, value)
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, b.Size)
	for part := uint16(0); int64(len(data)) < b.Size; part++ {
		key := keyBlobPart(name, part)
		value, err := v.get(key)
		if err != nil {
			return nil, err
		}
		if value == nil {
			return nil, damaged("%s: part %d is missing", name, part)
		}
		piece, err := openSmall(key, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(piece) == 0 {
			return nil, damaged("%s: part %d is empty", name, part)
		}
		data = append(data, piece...)
	}
	if int64(len(data)) != b.Size {
		return nil, damaged("%s: %d bytes instead of %d", name, len(data), b.Size)
	}
	return data, nil
}
