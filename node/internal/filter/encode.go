package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// ErrVersion is in the chain of Decode's error (of class fault.Unsupported) for bytes of a newer program.
var ErrVersion = errors.New("written by a newer version")

const (
	formatVersion = 1
	// maxNesting is that of the brackets around a condition at the deepest level that Compile allows: one level takes
	// at most five, those of the filter, min_should, its conditions, one of them, and its nested.
	maxNesting = 5*(MaxDepth+joinedDepth) + 8
)

// MaxEncodedBytes bounds the encoding of a filter. What Compile lets in with keys and values of common lengths stays
// far below.
const MaxEncodedBytes = 16 << 20

// Encode encodes a filter that compiles; a nil one gives nil. It panics on numbers and times that Compile refuses.
//
//	version  1 byte
//	JSON     the Filter with its field names, ids as text, times as RFC 3339 in UTC
//
// There is no checksum: the encoding only travels and rests inside operations and requests, which have their own.
func Encode(f *Filter) []byte {
	if f == nil {
		return nil
	}
	text, err := json.Marshal(f)
	if err != nil {
		panic("filter: Encode before Compile: " + err.Error())
	}
	return append([]byte{formatVersion}, text...)
}

// Decode reads what Encode wrote; no bytes give nil. A field that is not known is an error, not ignored: it could be a
// condition. Compile checks what the tree says.
func Decode(b []byte) (*Filter, error) {
	switch {
	case len(b) == 0:
		return nil, nil
	case b[0] > formatVersion:
		return nil, fault.Wrap(fault.Unsupported, ErrVersion, "decode filter: format %d, known up to %d", b[0], formatVersion)
	case b[0] != formatVersion || len(b) < 2 || b[1] != '{':
		return nil, fault.New(fault.Corrupt, "decode filter: not an encoding")
	case len(b) > MaxEncodedBytes:
		return nil, fault.New(fault.Invalid, "filter of %d bytes: at most %d are allowed", len(b), MaxEncodedBytes)
	case point.JSONNesting(b[1:]) > maxNesting:
		return nil, fault.New(fault.Invalid, "filter is nested more than %d levels deep", MaxDepth)
	}
	d := json.NewDecoder(bytes.NewReader(b[1:]))
	d.DisallowUnknownFields()
	f := &Filter{}
	if err := d.Decode(f); err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "decode filter")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.New(fault.Corrupt, "decode filter: bytes left over")
	}
	return f, nil
}

// MarshalJSON writes the bounds in UTC, so that equal moments have equal bytes.
func (r DatetimeRange) MarshalJSON() ([]byte, error) {
	type plain DatetimeRange
	return json.Marshal(plain{LT: inUTC(r.LT), GT: inUTC(r.GT), GTE: inUTC(r.GTE), LTE: inUTC(r.LTE)})
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
