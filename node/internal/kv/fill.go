package kv

import (
	"encoding/binary"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Fill tells how far a generation has been filled from a snapshot of another replica.
type Fill struct {
	// Whole: everything is there, and was checked. Such a generation is a replica; one with a Fill that is not whole is none.
	Whole bool
	// Index: the points up to Through are as a snapshot at Index, or at a later one, had them. Whole: all are as at Index.
	Index uint64
	// Through is the key of the last point that is there, nil if there is none.
	Through []byte
}

// sealFill makes the value: crc(4) | whole(8) | index(8) | key of a point, or nothing.
func sealFill(key []byte, f Fill) []byte {
	content := make([]byte, 16, 16+len(f.Through))
	if f.Whole {
		content[7] = 1
	}
	binary.BigEndian.PutUint64(content[8:], f.Index)
	return sealSmall(key, append(content, f.Through...))
}

func openFill(key, value []byte) (Fill, error) {
	content, err := openSmall(key, value)
	if err != nil {
		return Fill{}, err
	}
	if len(content) < 16 || binary.BigEndian.Uint64(content) > 1 {
		return Fill{}, damaged("value of key %x: %d bytes", key, len(value))
	}
	f := Fill{Whole: content[7] == 1, Index: binary.BigEndian.Uint64(content[8:])}
	if len(content) > 16 {
		f.Through = content[16:]
		if _, rest, err := point.CutKey(f.Through); err != nil || len(rest) > 0 {
			return Fill{}, damaged("value of key %x: not the key of a point", key)
		}
	}
	return f, nil
}

// Fill returns how far a generation has been filled; ok tells whether that was ever begun.
func (v *View) Fill(generation uint64) (f Fill, ok bool, err error) {
	key := keyField(generation, fieldFill)
	value, err := v.get(key)
	if value == nil || err != nil {
		return Fill{}, false, err
	}
	f, err = openFill(key, value)
	return f, err == nil, err
}

// Fill is View.Fill of what is durable now.
func (s *Store) Fill(generation uint64) (f Fill, ok bool, err error) {
	err = s.withView(func(v *View) error { f, ok, err = v.Fill(generation); return err })
	return f, ok, err
}
