package move

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// leading is the first byte of every entry, which no operation on points begins with: those begin with their format's version, and
// a program that does not know moves takes this for a newer one.
const leading = 0x81

// The kinds of entries in logs; numbers are never reused.
const (
	kindOpen   = 1
	kindBegin  = 2
	kindChunk  = 3
	kindDelta  = 4
	kindAccept = 5
	kindForget = 6
	kindSeal   = 7
	kindUnseal = 8
	kindDrop   = 9
	kindWithin = 10
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// IsEntry reports whether an entry's data is about moves.
func IsEntry(data []byte) bool { return len(data) > 0 && data[0] == leading }

// Encode encodes an entry:
//
//	leading (1) | kind (1) | body by kind | CRC-32C of all before (4, little endian)
//
//	 1 open    move, ranges
//	 2 begin   move, cut, unsafe
//	 3 chunk   move, cut, from, to, last (1), data
//	 4 delta   move, after, to, part, last (1), sealed, data
//	 5 accept  move
//	 6 forget  move
//	 7 seal    move, version, ranges
//	 8 unseal  move, version
//	 9 drop    move, ranges, epoch, limit
//	10 within  ranges, data
//
// Numbers are unsigned LEB128; ranges are a count, then from and to of each; keys and data are a length and bytes.
func Encode(op Op) []byte {
	w := &writer{b: make([]byte, 0, 64)}
	switch op := op.(type) {
	case Open:
		w.head(kindOpen, op.Move).ranges(op.Slots)
	case Begin:
		w.head(kindBegin, op.Move).numbers(op.Cut, op.Unsafe)
	case Chunk:
		w.b = make([]byte, 0, 96+len(op.Data))
		w.head(kindChunk, op.Move).numbers(op.Cut).bytes(op.From).bytes(op.To).flag(op.Last).bytes(op.Data)
	case Delta:
		w.b = make([]byte, 0, 96+len(op.Data))
		w.head(kindDelta, op.Move).numbers(op.After, op.To, uint64(op.Part)).flag(op.Last).numbers(op.Sealed).bytes(op.Data)
	case Accept:
		w.head(kindAccept, op.Move)
	case Forget:
		w.head(kindForget, op.Move)
	case Seal:
		w.head(kindSeal, op.Move).numbers(op.Version).ranges(op.Slots)
	case Unseal:
		w.head(kindUnseal, op.Move).numbers(op.Version)
	case Drop:
		w.head(kindDrop, op.Move).ranges(op.Slots).numbers(op.Epoch, uint64(op.Limit))
	case Within:
		w.b = append(w.b, leading, kindWithin)
		w.ranges(op.Slots).bytes(op.Op)
	default:
		panic(fmt.Sprintf("move: %T is no entry", op))
	}
	return binary.LittleEndian.AppendUint32(w.b, crc32.Checksum(w.b, castagnoli()))
}

type writer struct{ b []byte }

func (w *writer) head(kind byte, id catalog.MoveID) *writer {
	w.b = append(w.b, leading, kind)
	return w.numbers(uint64(id))
}

func (w *writer) numbers(all ...uint64) *writer {
	for _, n := range all {
		w.b = binary.AppendUvarint(w.b, n)
	}
	return w
}

func (w *writer) ranges(all []slot.Range) *writer {
	w.numbers(uint64(len(all)))
	for _, r := range all {
		w.numbers(uint64(r.From), uint64(r.To))
	}
	return w
}

func (w *writer) bytes(b []byte) *writer {
	w.numbers(uint64(len(b)))
	w.b = append(w.b, b...)
	return w
}

func (w *writer) flag(on bool) *writer {
	if on {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
	return w
}

// Decode reads what Encode wrote. Data shares memory with b. Errors are of class Corrupt, or Unsupported for a kind that a newer
// version knows.
func Decode(b []byte) (Op, error) {
	end := len(b) - crc32.Size
	if end < 2 || b[0] != leading || crc32.Checksum(b[:end], castagnoli()) != binary.LittleEndian.Uint32(b[end:]) {
		return nil, fault.New(fault.Corrupt, "decode an entry of a move: it is damaged")
	}
	r := &reader{b: b[2:end]}
	op, known := r.op(b[1])
	switch {
	case !known:
		return nil, fault.New(fault.Unsupported, "decode an entry of a move: kind %d is of a newer version", b[1])
	case r.bad || len(r.b) > 0:
		return nil, fault.New(fault.Corrupt, "decode an entry of a move, kind %d: it is malformed", b[1])
	}
	return op, nil
}

func (r *reader) op(kind byte) (op Op, known bool) {
	if kind == kindWithin {
		return Within{Slots: r.ranges(), Op: r.bytes()}, true
	}
	id := catalog.MoveID(r.number())
	switch kind {
	case kindOpen:
		return Open{Move: id, Slots: r.ranges()}, true
	case kindBegin:
		return Begin{Move: id, Cut: r.number(), Unsafe: r.number()}, true
	case kindChunk:
		return Chunk{Move: id, Cut: r.number(), From: r.bytes(), To: r.bytes(), Last: r.flag(), Data: r.bytes()}, true
	case kindDelta:
		return Delta{
			Move: id, After: r.number(), To: r.number(), Part: uint32(r.number()), Last: r.flag(), Sealed: r.number(), Data: r.bytes(),
		}, true
	case kindAccept:
		return Accept{Move: id}, true
	case kindForget:
		return Forget{Move: id}, true
	case kindSeal:
		return Seal{Move: id, Version: r.number(), Slots: r.ranges()}, true
	case kindUnseal:
		return Unseal{Move: id, Version: r.number()}, true
	case kindDrop:
		return Drop{Move: id, Slots: r.ranges(), Epoch: r.number(), Limit: uint32(r.number())}, true
	}
	return nil, false
}

// reader takes values off the front of b; the first bad one sticks.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	if n == 0 {
		return nil
	}
	head := r.b[:n:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) flag() bool {
	if len(r.b) == 0 || r.b[0] > 1 {
		r.b, r.bad = nil, true
		return false
	}
	on := r.b[0] == 1
	r.b = r.b[1:]
	return on
}

func (r *reader) ranges() []slot.Range {
	n := r.number()
	if n > slot.Count {
		r.b, r.bad = nil, true
		return nil
	}
	var all []slot.Range
	for range n {
		from, to := r.number(), r.number()
		if from > to || to >= slot.Count {
			r.b, r.bad = nil, true
			return nil
		}
		all = append(all, slot.Range{From: slot.Slot(from), To: slot.Slot(to)})
	}
	return all
}
