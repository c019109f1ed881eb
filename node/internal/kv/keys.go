package kv

import (
	"bytes"
	"encoding/binary"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// FormatVersion is the version of everything drawn here. Whatever changes the meaning of stored bytes raises it.
const FormatVersion = 1

// Every key of a node's database begins with one of these bytes. Numbers are big endian, so that the order of keys is
// the order of what they name. docs/design/format/store-keys.md tells what each holds and what a crash leaves.
//
//	00                                       format: version (4 bytes)
//	01 | name                                node value
//	02 | index(8)                            entry of the metadata's log
//	03 | name                                value that Raft keeps
//	04 | name                                blob: size (8), what its owner wants to know; the parts are there if it is
//	05 | name | 00 | part(2)                 part of a blob
//	10 | generation(8) | 01                  hard state: promised (8), led (8)
//	10 | generation(8) | 02                  applied: index (8)
//	10 | generation(8) | 03                  log base: index (8), term (8) of the entry before the log's first
//	10 | generation(8) | 04                  pending: index (8) of an operation of which only a part is stored
//	10 | generation(8) | 05                  fill: whole (8), index (8), point id; how far a snapshot has been received
//	10 | generation(8) | 06                  moves: what is known of moves of slots, as package move encodes it
//	10 | generation(8) | 10 | index(8) | part(2)               log entry (value.go)
//	10 | generation(8) | 20 | point id (9 or 17)               payload record (value.go)
//	10 | generation(8) | 21 | point id | version(8) | part(2)  piece of a large payload
//	10 | generation(8) | 30 | point id                         vectors record
//	10 | generation(8) | 31 | point id | version(8) | part(2)  piece of large vectors
const (
	spaceFormat     = 0x00
	spaceMeta       = 0x01
	spaceLedger     = 0x02
	spaceValue      = 0x03
	spaceBlob       = 0x04
	spaceBlobPart   = 0x05
	spaceGeneration = 0x10

	fieldHardState = 0x01
	fieldApplied   = 0x02
	fieldBase      = 0x03
	fieldPending   = 0x04
	fieldFill      = 0x05
	fieldMoves     = 0x06
	fieldLog       = 0x10
	fieldPayload   = 0x20
	fieldVectors   = 0x30

	pieceOf = 0x01 // added to fieldPayload and fieldVectors: their pieces
)

const generationLen = 9 // bytes of a generation's prefix

func keyFormat() []byte          { return []byte{spaceFormat} }
func keyMeta(name string) []byte { return append([]byte{spaceMeta}, name...) }

func keyLedger(index uint64) []byte { return binary.BigEndian.AppendUint64([]byte{spaceLedger}, index) }
func keyValue(name string) []byte   { return append([]byte{spaceValue}, name...) }
func keyBlob(name string) []byte    { return append([]byte{spaceBlob}, name...) }

func keyBlobPart(name string, part uint16) []byte {
	return binary.BigEndian.AppendUint16(append(append([]byte{spaceBlobPart}, name...), 0), part)
}

func cutLedgerKey(key []byte) (uint64, error) {
	if len(key) != 1+8 {
		return 0, fault.New(fault.Corrupt, "ledger key of %d bytes", len(key))
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}

// prefix is what all keys of a generation begin with.
func prefix(generation uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 40), spaceGeneration), generation)
}

// after returns the first key behind all that begin with pre, nil if there is none.
func after(pre []byte) []byte {
	end := bytes.Clone(pre)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func keyField(generation uint64, field byte) []byte { return append(prefix(generation), field) }

func keyLog(generation, index uint64, part uint16) []byte {
	k := binary.BigEndian.AppendUint64(keyField(generation, fieldLog), index)
	return binary.BigEndian.AppendUint16(k, part)
}

func keyPoint(generation uint64, field byte, id point.ID) []byte {
	return id.AppendKey(keyField(generation, field))
}

func keyPiece(generation uint64, field byte, id point.ID, version uint64, part uint16) []byte {
	k := binary.BigEndian.AppendUint64(keyPoint(generation, field+pieceOf, id), version)
	return binary.BigEndian.AppendUint16(k, part)
}

// cutLogKey reads index and part of a log key.
func cutLogKey(key []byte) (index uint64, part uint16, err error) {
	if len(key) != generationLen+1+8+2 {
		return 0, 0, fault.New(fault.Corrupt, "log key of %d bytes", len(key))
	}
	rest := key[generationLen+1:]
	return binary.BigEndian.Uint64(rest), binary.BigEndian.Uint16(rest[8:]), nil
}

// cutPointKey reads the id of a payload or vectors key.
func cutPointKey(key []byte) (point.ID, error) {
	id, rest, err := point.CutKey(key[generationLen+1:])
	if err == nil && len(rest) != 0 {
		err = fault.New(fault.Corrupt, "point key has %d bytes too many", len(rest))
	}
	return id, err
}

func cutGeneration(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:generationLen]) }
