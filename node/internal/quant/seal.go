package quant

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// A marshalled codec, little-endian:
//
//	magic 4 "OSTQ", version u8, kind u8, distance u8, 0 u8, size u32, body length u32, body, crc32c u32 of all before
const (
	sealMagic   = "OSTQ"
	sealVersion = 1
	sealHeader  = 16
	sealSum     = 4
)

type kind uint8

const (
	kindFull    kind = 1
	kindScalar  kind = 2
	kindHalf    kind = 3
	kindBytes   kind = 4
	kindProduct kind = 5
	kindBinary  kind = 6
	kindPacked  kind = 7 // as kindScalar
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(to []byte, k kind, d vec.Distance, size int, body []byte) []byte {
	from := len(to)
	to = append(to, sealMagic...)
	to = append(to, sealVersion, byte(k), byte(d), 0)
	to = binary.LittleEndian.AppendUint32(to, uint32(size))
	to = binary.LittleEndian.AppendUint32(to, uint32(len(body)))
	to = append(to, body...)
	return binary.LittleEndian.AppendUint32(to, crc32.Checksum(to[from:], castagnoli))
}

// Unmarshal reads a codec that Marshal wrote, all of b. Damage is an error of class fault.Corrupt, a version or kind that
// this program does not know one of class fault.Unsupported.
func Unmarshal(b []byte) (Codec, error) {
	if len(b) < sealHeader+sealSum || string(b[:4]) != sealMagic {
		return nil, fault.New(fault.Corrupt, "codec: no header")
	}
	if b[4] != sealVersion {
		return nil, fault.New(fault.Unsupported, "codec: version %d, this program knows %d", b[4], sealVersion)
	}
	end := len(b) - sealSum
	if binary.LittleEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli) {
		return nil, fault.New(fault.Corrupt, "codec: wrong checksum")
	}
	size, length := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	if int64(length) != int64(end-sealHeader) || size > MaxSize || b[7] != 0 {
		return nil, fault.New(fault.Corrupt, "codec: %d components, %d bytes", size, length)
	}
	d, body := vec.Distance(b[6]), b[sealHeader:end]
	if err := check(d, int(size)); err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "codec")
	}
	switch kind(b[5]) {
	case kindFull:
		return unmarshalFull(d, int(size), body)
	case kindScalar, kindPacked:
		return unmarshalScalar(d, int(size), body, kind(b[5]) == kindPacked)
	case kindHalf:
		return unmarshalHalf(d, int(size), body)
	case kindBytes:
		return unmarshalBytes(d, int(size), body)
	case kindProduct:
		return unmarshalProduct(d, int(size), body)
	case kindBinary:
		return unmarshalBinary(d, int(size), body)
	}
	return nil, fault.New(fault.Unsupported, "codec: kind %d", b[5])
}
