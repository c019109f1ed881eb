package vec

import (
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// normalised is how far the squared length of a vector may be from 1 for Normalize to keep it. What Normalize
// returns lies well within, so that normalising twice changes nothing.
const normalised = 1e-6

// Normalize returns a copy of v of length 1. The zero vector, which has no direction, and vectors that have length 1
// already are copied bit for bit. It sums in float64: no finite vector is too short or too long for it.
//
// Replicas store what it returns, so it is plain Go without a kernel and gives the same bits everywhere.
func Normalize(v []float32) []float32 {
	out := append(make([]float32, 0, len(v)), v...)
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x) // exact: fusing could not change it
	}
	if sum == 0 || math.Abs(sum-1) <= normalised {
		return out
	}
	length := math.Sqrt(sum)
	for i, x := range v {
		out[i] = float32(float64(x) / length)
	}
	return out
}

// CheckFinite returns an error of class fault.Invalid that names the first component that is NaN or infinite.
func CheckFinite(v []float32) error {
	for i, x := range v {
		if x-x != 0 {
			return fault.New(fault.Invalid, "vector component %d is %v: components must be finite numbers", i, x)
		}
	}
	return nil
}
