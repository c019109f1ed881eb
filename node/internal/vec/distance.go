// Package vec owns the distances between vectors: their names, their order, and the kernels that compute them.
//
// Kernels take slices of equal length, of any length and alignment, read nothing beyond them, and allocate nothing.
// They are chosen once, when the program starts, by what the processor knows: AVX-512, AVX2 or NEON in assembly that
// node/internal/vec/gen writes, or plain Go, which is all there is with the build tag purego.
//
// What is stored is the same on every machine, bit for bit: Normalize, Distance.Stored, ToFloat16, ToBFloat16 and
// their inverses are plain Go. Integer kernels are exact and so the same everywhere too. Scores of floating point
// kernels are the same for the same vectors on one machine, but the last bits may differ between machines, because
// the order of additions and the fusing of multiplications differ; where a sum leaves float32 on the way, one may be
// infinite or NaN and the other not. So nothing that replicas must agree on may depend on a score. NaN in a component
// gives NaN, as do infinities that cancel.
package vec

//go:generate go run ./gen .

import (
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Distance is how two vectors of a space are compared, numbered as in Qdrant's API (0 is unknown and invalid).
type Distance uint8

// The distances. Cosine normalises vectors when they are stored, and is their dot product.
const (
	Cosine    Distance = 1
	Euclid    Distance = 2
	Dot       Distance = 3
	Manhattan Distance = 4
)

var distanceNames = [...]string{Cosine: "Cosine", Euclid: "Euclid", Dot: "Dot", Manhattan: "Manhattan"}

// String returns the name that users write.
func (d Distance) String() string {
	if d.Valid() {
		return distanceNames[d]
	}
	return "Unknown"
}

// Valid reports whether d is one of the four.
func (d Distance) Valid() bool { return d >= Cosine && d <= Manhattan }

// LargerIsBetter reports the order of scores: true for Cosine and Dot, false for Euclid and Manhattan, whose score
// is the plain distance.
func (d Distance) LargerIsBetter() bool { return d == Cosine || d == Dot }

// ParseDistance reads a name as String writes it.
func ParseDistance(s string) (Distance, error) {
	for d, name := range distanceNames {
		if name != "" && name == s {
			return Distance(d), nil
		}
	}
	return 0, fault.New(fault.Invalid, "unknown distance %.32q: use Cosine, Euclid, Dot or Manhattan", s)
}

// Score compares a and b, which have equal length: the dot product for Cosine (of vectors that Normalize made) and Dot,
// the distance for Euclid and Manhattan. An invalid distance gives NaN.
func (d Distance) Score(a, b []float32) float32 {
	switch d {
	case Cosine, Dot:
		return DotProduct(a, b)
	case Euclid:
		return float32(math.Sqrt(float64(EuclidSquared(a, b))))
	case Manhattan:
		return ManhattanSum(a, b)
	}
	return float32(math.NaN())
}

// Better reports whether score a is strictly better than score b. Every score is better than NaN.
func (d Distance) Better(a, b float32) bool {
	switch {
	case a != a:
		return false
	case b != b:
		return true
	case d.LargerIsBetter():
		return a > b
	}
	return a < b
}

// Compare orders scores, best first: whoever sorts or merges scores uses it or Better. All NaN are equal, behind everything else.
func (d Distance) Compare(a, b float32) int {
	switch {
	case d.Better(a, b):
		return -1
	case d.Better(b, a):
		return 1
	}
	return 0
}

// Stored returns what is stored of a vector v of this distance: a copy, normalised for Cosine.
func (d Distance) Stored(v []float32) []float32 {
	if d == Cosine {
		return Normalize(v)
	}
	return append(make([]float32, 0, len(v)), v...)
}
