package vec

import (
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// The kernels sum in four independent accumulators, so that additions do not wait for one another, and step through
// both slices by eight, so that the compiler drops the bounds checks. Products are converted before they are added:
// that forbids fused multiply-add, and with it results that differ between architectures.
//
// Sums that leave float32 become infinite or NaN; Better orders those too.

// DotProduct returns the dot product of a and b, which have equal length.
func DotProduct(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	for len(a) >= 8 && len(b) >= 8 {
		s0 += float32(a[0] * b[0])
		s1 += float32(a[1] * b[1])
		s2 += float32(a[2] * b[2])
		s3 += float32(a[3] * b[3])
		s0 += float32(a[4] * b[4])
		s1 += float32(a[5] * b[5])
		s2 += float32(a[6] * b[6])
		s3 += float32(a[7] * b[7])
		a, b = a[8:], b[8:]
	}
	b = b[:len(a)]
	for i, x := range a {
		s0 += float32(x * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// EuclidSquared returns the squared Euclidean distance of a and b, which have equal length.
func EuclidSquared(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	for len(a) >= 8 && len(b) >= 8 {
		d0, d1, d2, d3 := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3]
		s0 += float32(d0 * d0)
		s1 += float32(d1 * d1)
		s2 += float32(d2 * d2)
		s3 += float32(d3 * d3)
		d0, d1, d2, d3 = a[4]-b[4], a[5]-b[5], a[6]-b[6], a[7]-b[7]
		s0 += float32(d0 * d0)
		s1 += float32(d1 * d1)
		s2 += float32(d2 * d2)
		s3 += float32(d3 * d3)
		a, b = a[8:], b[8:]
	}
	b = b[:len(a)]
	for i, x := range a {
		d := x - b[i]
		s0 += float32(d * d)
	}
	return (s0 + s1) + (s2 + s3)
}

// ManhattanSum returns the sum of the absolute differences of a and b, which have equal length.
func ManhattanSum(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	for len(a) >= 8 && len(b) >= 8 {
		s0 += abs(a[0] - b[0])
		s1 += abs(a[1] - b[1])
		s2 += abs(a[2] - b[2])
		s3 += abs(a[3] - b[3])
		s0 += abs(a[4] - b[4])
		s1 += abs(a[5] - b[5])
		s2 += abs(a[6] - b[6])
		s3 += abs(a[7] - b[7])
		a, b = a[8:], b[8:]
	}
	b = b[:len(a)]
	for i, x := range a {
		s0 += abs(x - b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// abs clears the sign bit: no branch on a sign that is as good as random.
func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// normalised is how far the squared length of a vector may be from 1 for Normalize to keep it. What Normalize
// returns lies well within, so that normalising twice changes nothing.
const normalised = 1e-6

// Normalize returns a copy of v of length 1. The zero vector, which has no direction, and vectors that have length 1
// already are copied bit for bit. It sums in float64: no finite vector is too short or too long for it.
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
