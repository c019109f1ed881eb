package kv

import (
	"context"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// FailCommitsAfter lets n more transactions through; the others fail with err, if it is not nil, and store nothing.
func (s *Store) FailCommitsAfter(n int, err error) {
	s.commitBatch = func(b *pebble.Batch) error {
		if n--; n < 0 && err != nil {
			return err
		}
		return b.Commit(pebble.Sync)
	}
}

// CountKeys counts what is stored of a generation.
func (s *Store) CountKeys(generation uint64) (n int) {
	err := s.withView(func(v *View) error {
		return v.scan(context.Background(), prefix(generation), prefix(generation), func(iterator) (bool, error) {
			n++
			return true, nil
		})
	})
	if err != nil {
		panic(err)
	}
	return n
}

// SetRaw stores a value as it is.
func (s *Store) SetRaw(key, value []byte) {
	var b Batch
	b.add(&b.body, write{key: key, value: value})
	if err := s.Commit(context.Background(), &b); err != nil {
		panic(err)
	}
}

// SetFormat stores another format version.
func (s *Store) SetFormat(version uint64) { s.SetRaw(keyFormat(), sealNumbers(keyFormat(), version)) }

// ForgetFormat makes the database look like somebody else's.
func (s *Store) ForgetFormat() {
	s.SetRaw([]byte("foreign"), []byte{1})
	s.SetRaw(keyFormat(), nil)
}

// LogKey and PayloadKey are the keys of an entry and of a payload.
var (
	LogKey     = keyLog
	PayloadKey = func(generation uint64, idKey []byte) []byte {
		return append(keyField(generation, fieldPayload), idKey...)
	}
)

// LedgerKey, ValueKey, BlobKey and BlobPartKey are the keys of what stands in a ledger.
var (
	LedgerKey   = keyLedger
	ValueKey    = keyValue
	BlobKey     = keyBlob
	BlobPartKey = keyBlobPart
)

// Raw returns the stored bytes of a key.
func (s *Store) Raw(key []byte) (value []byte) {
	_ = s.withView(func(v *View) (err error) { value, err = v.get(key); return err })
	return value
}

// Dump lists everything that is stored, in hex, a key and its value per line.
func (s *Store) Dump() string {
	var out strings.Builder
	err := s.withView(func(v *View) error {
		return v.scan(context.Background(), nil, nil, func(it iterator) (bool, error) {
			value, err := it.value()
			fmt.Fprintf(&out, "%x = %x\n", it.Key(), value)
			return true, err
		})
	})
	if err != nil {
		panic(err)
	}
	return out.String()
}

// OpenValues tries each decoder of values on b and returns what they found wrong.
func OpenValues(b []byte) []error {
	none := func(Ref, uint16) ([]byte, error) { return nil, nil }
	_, e1 := openNumbers([]byte{1}, b, 2)
	_, e2 := openSmall([]byte{1}, b)
	_, e3 := openEntryHeader(1, b)
	_, _, _, e4 := openRecord(point.Num(1), b, none)
	_, _, e5 := cutLogKey(b)
	r := logReader{next: 1, end: 2, left: 10}
	_, e6 := openFill([]byte{1}, b)
	_, e7 := openBlob([]byte{1}, b)
	_, e8 := cutLedgerKey(b)
	return []error{e1, e2, e3, e4, e5, e6, r.add(b), e7, e8}
}

// Metrics tells how the database is.
func (s *Store) Metrics() string { return s.db.Metrics().String() }

// Merged tells whether nothing is left in level 0.
func (s *Store) Merged() bool { return s.db.Metrics().Levels[0].TablesCount == 0 }

// Unmerged tells how much memory is taken for what is not in tables yet, how much is in level 0, and how much is held to be merged next.
func (s *Store) Unmerged() (memory, level0, next uint64) {
	m := s.db.Metrics()
	return m.MemTable.Size, uint64(m.Levels[0].TablesSize), s.volume.next.Load()
}
