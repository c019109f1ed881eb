package dense

import (
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// form is how the rows of an index hold vectors: as components of the datatype that was declared, so that a row is no
// longer than what it says, and is compared as it lies there.
//
// Bytes have no length of 1. With Cosine such a row is as it came; what else is made of it, codes, and what a visitor is
// shown, is made of the vector brought to that length.
type form struct {
	datatype vec.Datatype
	distance vec.Distance
	size     int
	rows     quant.Held
}

func newForm(t vec.Datatype, d vec.Distance, size int) (f form, err error) {
	if t == "" {
		t = vec.Float32
	}
	f = form{datatype: t, distance: d, size: size}
	f.rows, err = quant.NewHeld(t, d, size)
	return f, err
}

// bytes is the length of a row.
func (f *form) bytes() int { return f.rows.Bytes() }

// normalises reports whether a vector is compared in another form than it is held in.
func (f *form) normalises() bool { return f.datatype == vec.ByteType && f.distance == vec.Cosine }

// compared returns a vector that is of the datatype as codes are made of it.
func (f *form) compared(v []float32) []float32 {
	if f.normalises() {
		return vec.Normalize(v)
	}
	return v
}

// vector returns what a row holds: the row itself, if it can, or else what it writes to buffer.
func (f *form) vector(t *vec.Table, row uint32, buffer []float32) []float32 {
	if f.datatype == vec.Float32 {
		return arena.Slice[float32](t, row, f.size)
	}
	f.rows.Decode(arena.Slice[byte](t, row, f.bytes()), buffer)
	return f.compared(buffer)
}

// buffer returns what vector needs.
func (f *form) buffer() []float32 {
	if f.datatype == vec.Float32 {
		return nil
	}
	return make([]float32, f.size)
}

// Alike tells how alike two vectors of a datatype are, as Several.Combine is told, bit for bit.
func Alike(t vec.Datatype, d vec.Distance, a, b []float32) float64 {
	f, err := newForm(t, d, len(a))
	if err != nil {
		return math.NaN()
	}
	return alike(f.rows.Compare(a, b))
}

// Score compares two vectors of a datatype as a search that is exact does, bit for bit.
func Score(t vec.Datatype, d vec.Distance, a, b []float32) float32 {
	f, err := newForm(t, d, len(a))
	if err != nil {
		return float32(math.NaN())
	}
	return scoreOf(d, f.rows.Compare(a, b))
}

// scoreOf turns what scorers compare by into a score of the distance.
func scoreOf(d vec.Distance, compared float32) float32 {
	switch {
	case d.LargerIsBetter():
		return -compared
	case d == vec.Euclid:
		return float32(math.Sqrt(float64(max(compared, 0))))
	}
	return compared
}
