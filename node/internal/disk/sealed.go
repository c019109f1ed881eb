package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// ErrVersion is in the chain of Load's error (of class fault.Unsupported) for a file of a newer program.
var ErrVersion = errors.New("written by a newer version")

// Kind names what a sealed file holds: the first bytes of the file, so that one is never taken for another.
type Kind [4]byte

// A sealed file:
//
//	kind     4 bytes
//	version  2 bytes   of the body, little endian
//	length   4 bytes   of the body, little endian
//	body
//	check    4 bytes   CRC-32C of all before, little endian
const headerSize, checkSize = 10, 4

func seal(kind Kind, version uint16, body []byte) []byte {
	b := make([]byte, 0, headerSize+len(body)+checkSize)
	b = append(b, kind[:]...)
	b = binary.LittleEndian.AppendUint16(b, version)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, body...)
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Save writes body as a sealed file, as WriteFile does.
func Save(fsys FS, name string, kind Kind, version uint16, body []byte) error {
	if len(body) > MaxFile-headerSize-checkSize {
		return fault.New(fault.Exhausted, "write %s: %d bytes are more than a file of this kind may hold", name, len(body))
	}
	return WriteFile(fsys, name, seal(kind, version, body))
}

// Load reads a sealed file of a kind whose version is at most known, and returns the version and the body. Errors:
// fault.NotFound for no file, fault.Corrupt for one that is damaged or of another kind, fault.Unsupported with
// ErrVersion for a newer one.
func Load(fsys FS, name string, kind Kind, known uint16) (version uint16, body []byte, err error) {
	b, err := ReadFile(fsys, name)
	if err != nil {
		return 0, nil, err
	}
	version, body, why := unseal(b, kind)
	switch {
	case why != "":
		return 0, nil, fault.New(fault.Corrupt, "read %s: %s", name, why)
	case version > known:
		return 0, nil, fault.Wrap(fault.Unsupported, ErrVersion, "read %s: version %d, known up to %d", name, version, known)
	}
	return version, body, nil
}

// unseal takes a sealed file apart, or says why it cannot.
func unseal(b []byte, kind Kind) (version uint16, body []byte, why string) {
	if len(b) < headerSize+checkSize {
		return 0, nil, "too short to be a sealed file"
	}
	if !bytes.Equal(b[:len(kind)], kind[:]) {
		return 0, nil, "not a file of this kind"
	}
	end := len(b) - checkSize
	if uint64(binary.LittleEndian.Uint32(b[6:])) != uint64(end-headerSize) {
		return 0, nil, "its length is not what it says"
	}
	if checksum(b[:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return 0, nil, "checksum does not match"
	}
	return binary.LittleEndian.Uint16(b[4:]), b[headerSize:end:end], ""
}
