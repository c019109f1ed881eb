package point

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Every encoding of this package is sealed the same way:
//
//	version  1 byte   formatVersion, or versionSparse where a sparse vector is
//	body              as drawn beside its encoder
//	check    4 bytes  CRC-32C of all before, little endian
//
// In bodies, uint is an unsigned LEB128 number in its shortest form, int the same of its zigzag form, and bytes a
// uint length followed by that many bytes. Lists open with their uint count. Maps are lists in ascending byte order of
// their keys, so that equal values have equal bytes; decoders refuse every other order and every longer number.
const (
	formatVersion = 1
	versionSparse = 2
	sealSize      = 1 + crc32.Size
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// open begins an encoding with room for about n bytes of body.
func open(n int) []byte { return openAs(formatVersion, n) }

func openAs(version byte, n int) []byte { return append(make([]byte, 0, n+sealSize), version) }

// seal ends what open began.
func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

// unseal checks version and checksum and returns a reader of the body. The version comes first: a newer form may
// be sealed otherwise.
func unseal(what string, b []byte, upTo byte) (reader, error) {
	if len(b) == 0 {
		return reader{}, damaged(what, "no bytes")
	}
	if b[0] > upTo {
		return reader{}, fault.Wrap(fault.Unsupported, ErrVersion, "decode %s: format %d, known up to %d", what, b[0], upTo)
	}
	end := len(b) - crc32.Size
	if b[0] < formatVersion || end < 1 {
		return reader{}, damaged(what, "not an encoding")
	}
	if crc32.Checksum(b[:end], castagnoli()) != binary.LittleEndian.Uint32(b[end:]) {
		return reader{}, damaged(what, "checksum does not match")
	}
	return reader{what: what, version: b[0], b: b[1:end]}, nil
}

func appendBytes[T ~string | ~[]byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// reader takes values off the front of b. Its first error sticks: every later read gives zero values, so that callers
// may look at err once, but for loops, which must end at it.
type reader struct {
	what    string
	version byte
	b       []byte
	err     error

	sparseSeen bool // without one, version 2 is not the canonical one
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = damaged(r.what, why)
		r.b = nil
	}
}

// done returns the first error, and an error if anything is left over.
func (r *reader) done() error {
	if len(r.b) > 0 {
		r.fail("bytes left over")
	}
	if r.version == versionSparse && !r.sparseSeen {
		r.fail("no sparse vector where the version tells of one")
	}
	return r.err
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail("ends too early")
		return nil
	}
	head := r.b[:n:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	if shortest := max(1, (bits.Len64(v)+6)/7); n != shortest {
		r.fail("number not in its shortest form")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	u := r.uint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads the length of a list whose elements take at least size bytes each, so that a caller may allocate it.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail("list longer than its bytes")
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte { return r.take(r.count(1)) }

func (r *reader) string() string { return string(r.bytes()) }

// key reads a map's next key, which must be greater than the one before (first says that there is none).
func (r *reader) key(before string, first bool) string {
	k := r.string()
	if !first && k <= before {
		r.fail("keys out of order")
	}
	return k
}

func (r *reader) id() ID {
	if r.err != nil {
		return ID{}
	}
	id, rest, err := CutKey(r.b)
	if err != nil {
		r.fail("bad point id")
		return ID{}
	}
	r.b = rest
	return id
}
