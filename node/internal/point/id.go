package point

import (
	"cmp"
	"encoding/binary"
	"strconv"

	"github.com/google/uuid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// ID is a point's id: an unsigned number or a UUID. It is comparable; the zero value is the number 0.
type ID struct {
	isUUID bool
	hi, lo uint64
}

// Num returns the id of a number.
func Num(n uint64) ID { return ID{lo: n} }

// UUID returns the id of a UUID (16 bytes, big endian as in RFC 9562 section 4).
func UUID(u [16]byte) ID {
	return ID{isUUID: true, hi: binary.BigEndian.Uint64(u[:8]), lo: binary.BigEndian.Uint64(u[8:])}
}

// ParseUUID reads any of the accepted text forms: hyphenated, simple, braced, or urn:uuid:.
func ParseUUID(s string) (ID, error) {
	u, err := uuid.Parse(s)
	if err != nil || uuid.Validate(s) != nil { // Parse alone takes any two bytes for braces
		return ID{}, fault.New(fault.Invalid, "Unable to parse UUID: %.64q", s)
	}
	return UUID(u), nil
}

// IsUUID reports whether id is a UUID.
func (id ID) IsUUID() bool { return id.isUUID }

// Number returns the number of a numeric id.
func (id ID) Number() uint64 { return id.lo }

// Bytes returns the UUID of a UUID id.
func (id ID) Bytes() (u [16]byte) {
	binary.BigEndian.PutUint64(u[:8], id.hi)
	binary.BigEndian.PutUint64(u[8:], id.lo)
	return u
}

// String returns the number in decimal, or the UUID hyphenated in lower case.
func (id ID) String() string {
	if id.isUUID {
		return uuid.UUID(id.Bytes()).String()
	}
	return strconv.FormatUint(id.lo, 10)
}

// Compare orders numbers before UUIDs, and each by value: the order of scrolling and of keys.
func (id ID) Compare(o ID) int {
	if id.isUUID != o.isUUID {
		if o.isUUID {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(id.hi, o.hi), cmp.Compare(id.lo, o.lo))
}

// AppendKey appends id's key, whose byte order is the order of Compare:
//
//	number  0x00 | value  (8 bytes, big endian)
//	UUID    0x01 | value (16 bytes, big endian)
func (id ID) AppendKey(dst []byte) []byte {
	if !id.isUUID {
		return binary.BigEndian.AppendUint64(append(dst, 0), id.lo)
	}
	dst = binary.BigEndian.AppendUint64(append(dst, 1), id.hi)
	return binary.BigEndian.AppendUint64(dst, id.lo)
}

// CutKey reads a key from the front of b and returns the rest.
func CutKey(b []byte) (id ID, rest []byte, err error) {
	switch {
	case len(b) >= 9 && b[0] == 0:
		return Num(binary.BigEndian.Uint64(b[1:9])), b[9:], nil
	case len(b) >= 17 && b[0] == 1:
		return UUID([16]byte(b[1:17])), b[17:], nil
	}
	return ID{}, nil, fault.New(fault.Corrupt, "point id: %d bytes are not a key", len(b))
}

// AppendText writes id as String does.
func (id ID) AppendText(dst []byte) ([]byte, error) { return append(dst, id.String()...), nil }

// MarshalText writes id as String does, so that ids can stand in JSON.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText reads what MarshalText writes, and every form that ParseID reads.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

// ParseID reads a number in decimal, or any text that ParseUUID reads. 32 decimal digits are a UUID.
func ParseID(s string) (ID, error) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil && len(s) < 32 {
		return Num(n), nil
	}
	id, err := ParseUUID(s)
	if err != nil {
		return ID{}, fault.New(fault.Invalid, "%.64q is no point id: write an unsigned number or a UUID", s)
	}
	return id, nil
}
