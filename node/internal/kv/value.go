package kv

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Values carry their own CRC32C (Castagnoli), big endian like all numbers here, over what identifies them and what they
// hold. Pebble's own are those of blocks; these also tell when a value turns up under another's key, whoever is to blame.
//
//	log entry, part 0     crc(4) | length of data(4) | term(8) | kind(1) | data
//	log entry, part 1..   data, continued; the crc covers index | term | kind | all data
//	record                crc(4) | version(8) | pieces(2) | body     the crc covers id key | version | pieces | body
//	record in pieces      crc(4) | version(8) | pieces(2)            body = the pieces put together
//	small value           crc(4) | numbers or bytes                  the crc covers key | numbers or bytes
//
// A part is at most partSize long, so that large values are spread over transactions and blocks.
const partSize = 512 << 10

// MaxLogData is the most that one log entry holds.
const MaxLogData = 1 << 30

const (
	crcLen          = 4
	entryHeaderLen  = crcLen + 4 + 8 + 1
	recordHeaderLen = crcLen + 8 + 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func damaged(format string, args ...any) error { return fault.New(fault.Corrupt, format, args...) }

// sound reports whether a value, which begins with a checksum, is what it was.
func sound(crc uint32, value []byte) bool {
	return crc == binary.BigEndian.Uint32(value) || mutation.On(mutation.UncheckedValue)
}

// sealSmall makes a small value.
func sealSmall(key, content []byte) []byte {
	v := append(make([]byte, crcLen, crcLen+len(content)), content...)
	crc := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, content)
	binary.BigEndian.PutUint32(v, crc)
	return v
}

// openSmall reads a small value.
func openSmall(key, v []byte) ([]byte, error) {
	if len(v) < crcLen || !sound(crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, v[crcLen:]), v) {
		return nil, damaged("value of key %x: wrong checksum", key)
	}
	return v[crcLen:], nil
}

// sealNumbers makes a small value of numbers.
func sealNumbers(key []byte, numbers ...uint64) []byte {
	content := make([]byte, 0, 8*len(numbers))
	for _, n := range numbers {
		content = binary.BigEndian.AppendUint64(content, n)
	}
	return sealSmall(key, content)
}

// openNumbers reads a small value of n numbers.
func openNumbers(key, v []byte, n int) ([]uint64, error) {
	content, err := openSmall(key, v)
	if err == nil && len(content) != 8*n {
		err = damaged("value of key %x: %d bytes", key, len(v))
	}
	if err != nil {
		return nil, err
	}
	numbers := make([]uint64, n)
	for i := range numbers {
		numbers[i] = binary.BigEndian.Uint64(content[8*i:])
	}
	return numbers, nil
}

func entryCRC(index, term uint64, kind uint8, data []byte) uint32 {
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], index)
	binary.BigEndian.PutUint64(head[8:], term)
	head[16] = kind
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, data)
}

// sealEntry cuts an entry into its parts.
func sealEntry(e LogEntry) [][]byte {
	first := e.Data[:min(len(e.Data), partSize-entryHeaderLen)]
	v := make([]byte, crcLen, entryHeaderLen+len(first))
	binary.BigEndian.PutUint32(v, entryCRC(e.Index, e.Term, e.Kind, e.Data))
	v = binary.BigEndian.AppendUint32(v, uint32(len(e.Data)))
	v = binary.BigEndian.AppendUint64(v, e.Term)
	v = append(append(v, e.Kind), first...)
	parts := [][]byte{v}
	for rest := e.Data[len(first):]; len(rest) > 0; {
		n := min(len(rest), partSize)
		parts = append(parts, rest[:n])
		rest = rest[n:]
	}
	return parts
}

// entryHeader is part 0 of an entry, not yet checked.
type entryHeader struct {
	crc    uint32
	length int
	term   uint64
	kind   uint8
	data   []byte
}

func openEntryHeader(index uint64, v []byte) (entryHeader, error) {
	if len(v) < entryHeaderLen {
		return entryHeader{}, damaged("log entry %d: %d bytes", index, len(v))
	}
	h := entryHeader{
		crc: binary.BigEndian.Uint32(v), length: int(binary.BigEndian.Uint32(v[4:])),
		term: binary.BigEndian.Uint64(v[8:]), kind: v[16], data: v[entryHeaderLen:],
	}
	if h.length > MaxLogData || len(h.data) > h.length {
		return entryHeader{}, damaged("log entry %d: length %d", index, h.length)
	}
	return h, nil
}

// parts is the number of parts that an entry of this length takes.
func (h entryHeader) parts() int { return entryParts(h.length) }

func entryParts(length int) int {
	return 1 + (max(0, length-(partSize-entryHeaderLen))+partSize-1)/partSize
}

func recordCRC(id point.ID, fixed, body []byte) uint32 {
	var key [17]byte
	crc := crc32.Checksum(id.AppendKey(key[:0]), castagnoli)
	return crc32.Update(crc32.Update(crc, castagnoli, fixed), castagnoli, body)
}

// Ref tells where the body of a stored record is, so that it can be replaced: in the record itself (the zero Ref) or
// in pieces of their own.
type Ref struct {
	Version uint64
	Pieces  uint16
}

// MaxBody is the most that one record's body holds. The removal of its pieces fits into one transaction.
const MaxBody = 256 << 20

// sealRecord makes a record's value and the pieces of a body that does not fit into it.
func sealRecord(id point.ID, version uint64, body []byte) (head []byte, pieces [][]byte, ref Ref) {
	if len(body) > partSize-recordHeaderLen {
		ref = Ref{Version: version, Pieces: uint16((len(body) + partSize - 1) / partSize)}
		for rest := body; len(rest) > 0; {
			n := min(len(rest), partSize)
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
	}
	head = make([]byte, crcLen, recordHeaderLen+len(body))
	head = binary.BigEndian.AppendUint64(head, version)
	head = binary.BigEndian.AppendUint16(head, ref.Pieces)
	binary.BigEndian.PutUint32(head, recordCRC(id, head[crcLen:], body))
	if ref.Pieces == 0 {
		head = append(head, body...)
	}
	return head, pieces, ref
}

// openHead reads what stands before a record's body. Unless it is whole, its body is in pieces, and its length not known.
func openHead(id point.ID, v []byte) (h Head, whole bool, err error) {
	if len(v) < recordHeaderLen {
		return Head{}, false, damaged("record of point %s: %d bytes", id, len(v))
	}
	h = Head{ID: id, Version: binary.BigEndian.Uint64(v[crcLen:]), Length: len(v) - recordHeaderLen}
	if n := binary.BigEndian.Uint16(v[crcLen+8:]); n > 0 {
		h.Ref = Ref{Version: h.Version, Pieces: n}
	}
	return h, h.Ref.Pieces == 0, nil
}

// openRecord reads a record; fetch gets a piece.
func openRecord(id point.ID, v []byte, fetch func(Ref, uint16) ([]byte, error)) (version uint64, body []byte, ref Ref, err error) {
	if len(v) < recordHeaderLen {
		return 0, nil, Ref{}, damaged("record of point %s: %d bytes", id, len(v))
	}
	version = binary.BigEndian.Uint64(v[crcLen:])
	body = v[recordHeaderLen:]
	if n := binary.BigEndian.Uint16(v[crcLen+8:]); n > 0 {
		if len(body) > 0 || n > MaxBody/partSize {
			return 0, nil, Ref{}, damaged("record of point %s: %d pieces", id, n)
		}
		ref, body = Ref{Version: version, Pieces: n}, nil // never append to the database's memory
		for part := range n {
			piece, err := fetch(ref, part)
			if err != nil {
				return 0, nil, Ref{}, err
			}
			body = append(body, piece...)
		}
	}
	if !sound(recordCRC(id, v[crcLen:recordHeaderLen], body), v) {
		return 0, nil, Ref{}, damaged("record of point %s: wrong checksum", id)
	}
	return version, body, ref, nil
}
