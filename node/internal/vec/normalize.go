package vec

import (
	"math"
	"slices"

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
	if i, ok := Finite(v); !ok {
		return fault.New(fault.Invalid, "vector component %d is %v: components must be finite numbers", i, v[i])
	}
	return nil
}

// Finite returns the place of the first component that is NaN or infinite, or true if there is none. Most vectors have none, so it
// looks at them without a branch for each: what is finite gives 0 taken from itself, and the rest NaN, which stays one in a sum.
func Finite(v []float32) (at int, ok bool) {
	var a, b, c, d float32
	for rest := v; ; rest = rest[4:] {
		if len(rest) < 4 {
			for _, x := range rest {
				a += x - x
			}
			break
		}
		a += rest[0] - rest[0]
		b += rest[1] - rest[1]
		c += rest[2] - rest[2]
		d += rest[3] - rest[3]
	}
	if a+b+c+d == 0 {
		return 0, true
	}
	return slices.IndexFunc(v, func(x float32) bool { return x-x != 0 }), false
}
