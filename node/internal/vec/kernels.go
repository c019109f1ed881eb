package vec

import "unsafe"

// kernels is a set of kernels of one kind of processor.
type kernels struct {
	name string

	dotFloat32, euclidFloat32, manhattanFloat32    Kernel[float32, float32, float32]
	dotFloat16, euclidFloat16, manhattanFloat16    Kernel[float32, Float16, float32]
	dotBFloat16, euclidBFloat16, manhattanBFloat16 Kernel[float32, BFloat16, float32]

	dotInt8                               Kernel[int8, uint8, int32]
	dotUint8, euclidUint8, manhattanUint8 Kernel[uint8, uint8, uint32]
	hamming                               Kernel[uint64, uint64, uint32]

	unpack func(row, to unsafe.Pointer, n int)
}

// active is the best set that this processor can run; it never changes.
var active = best()

func best() kernels {
	all := available()
	return all[len(all)-1]
}

// Kernels names the set of kernels that was chosen, for logs and benchmarks.
func Kernels() string { return active.name }

// choose returns the kernel of a valid distance, and the zero Kernel for another.
func choose[K any](d Distance, dot, euclid, manhattan K) (k K) {
	switch d {
	case Cosine, Dot:
		return dot
	case Euclid:
		return euclid
	case Manhattan:
		return manhattan
	}
	return k
}

// ForFloat32 returns the kernel of a valid distance for float32: the dot product for Cosine and Dot, the squared distance
// for Euclid, the sum of the absolute differences for Manhattan.
func ForFloat32(d Distance) Kernel[float32, float32, float32] {
	return choose(d, active.dotFloat32, active.euclidFloat32, active.manhattanFloat32)
}

// ForFloat16 returns the kernel of a valid distance for rows of Float16 and a query of float32, as ForFloat32 does. Rows are
// converted exactly, nothing is rounded to 16 bits.
func ForFloat16(d Distance) Kernel[float32, Float16, float32] {
	return choose(d, active.dotFloat16, active.euclidFloat16, active.manhattanFloat16)
}

// ForBFloat16 returns the kernel of a valid distance for rows of BFloat16 and a query of float32, as ForFloat32 does. Rows
// are converted exactly, nothing is rounded to 16 bits.
func ForBFloat16(d Distance) Kernel[float32, BFloat16, float32] {
	return choose(d, active.dotBFloat16, active.euclidBFloat16, active.manhattanBFloat16)
}

// ForUint8 returns the kernel of a valid distance for bytes, as ForFloat32 does.
func ForUint8(d Distance) Kernel[uint8, uint8, uint32] {
	return choose(d, active.dotUint8, active.euclidUint8, active.manhattanUint8)
}

// ForInt8 returns the kernel of the dot product of a signed query with unsigned rows.
func ForInt8() Kernel[int8, uint8, int32] { return active.dotInt8 }

// ForBits returns the kernel that counts the bits in which a query and a row differ.
func ForBits() Kernel[uint64, uint64, uint32] { return active.hamming }

// DotProduct returns the dot product of a and b, which have equal length.
func DotProduct(a, b []float32) float32 { return active.dotFloat32.One(a, b) }

// EuclidSquared returns the squared Euclidean distance of a and b, which have equal length.
func EuclidSquared(a, b []float32) float32 { return active.euclidFloat32.One(a, b) }

// ManhattanSum returns the sum of the absolute differences of a and b, which have equal length.
func ManhattanSum(a, b []float32) float32 { return active.manhattanFloat32.One(a, b) }
