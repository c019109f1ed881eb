package quant

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Held is a codec that keeps vectors of a datatype as they are: Decode returns what Encode was given, if that was of the
// datatype.
type Held interface {
	Codec
	// Decode writes the components that a row holds to vector.
	Decode(row []byte, vector []float32)
	// Compare returns what a Scorer does of a query and the row of a vector, bit for bit.
	Compare(query, vector []float32) float32
}

// NewHeld makes the codec of a datatype.
func NewHeld(t vec.Datatype, d vec.Distance, size int) (Held, error) {
	switch t {
	case "", vec.Float32:
		return NewFull(d, size)
	case vec.HalfType:
		return NewHalf(d, size)
	case vec.ByteType:
		return NewBytes(d, size)
	}
	return nil, fault.New(fault.Invalid, "vectors of datatype %.32q", string(t))
}
