package vec

import (
	"encoding/binary"
	"unsafe"
)

// UnpackedAtOnce is what the length of a row that Unpack takes is a multiple of.
const UnpackedAtOnce = 32

// Unpack writes bytes of which a row holds only the upper halves: byte i of row has those of bytes i and len(row)+i of to, in its lower
// and upper half. The lower half of each becomes the same as its upper one, so that 0 to 15 become 0 to 255 in equal steps. to is twice
// as long as row.
func Unpack(row, to []byte) {
	if len(row)%UnpackedAtOnce != 0 || len(to) != 2*len(row) {
		panic("vec: rows of such a length cannot be unpacked")
	}
	active.unpack(unsafe.Pointer(unsafe.SliceData(row)), unsafe.Pointer(unsafe.SliceData(to)), len(row))
}

func plainUnpack(from, to unsafe.Pointer, n int) {
	const word, halves = 8, 0x0f0f0f0f0f0f0f0f
	row, lower, upper := unsafe.Slice((*byte)(from), n), unsafe.Slice((*byte)(to), n), unsafe.Slice((*byte)(unsafe.Add(to, n)), n)
	for len(row) >= word && len(lower) >= word && len(upper) >= word {
		w := binary.LittleEndian.Uint64(row)
		low, high := w&halves, w&^halves
		binary.LittleEndian.PutUint64(lower, low|low<<4)
		binary.LittleEndian.PutUint64(upper, high|high>>4)
		row, lower, upper = row[word:], lower[word:], upper[word:]
	}
}
