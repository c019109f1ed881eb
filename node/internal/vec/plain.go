package vec

import (
	"math"
	"math/bits"
	"unsafe"
)

// The kernels in plain Go: what runs without SIMD, and what the others are tested against.
//
// Those of float32 sum in four independent accumulators, so that additions do not wait for one another, and step
// through both slices by eight, so that the compiler drops the bounds checks. Products are converted before they are
// added, which forbids fused multiply-add: these kernels, but not those in assembly, give the same bits everywhere.

// plain makes a kernel of a function.
func plain[Q, R any, S Sum](compare func(query []Q, row []R) S) Kernel[Q, R, S] {
	one := func(query, row unsafe.Pointer, n int) S {
		return compare(unsafe.Slice((*Q)(query), n), unsafe.Slice((*R)(row), n))
	}
	return Kernel[Q, R, S]{one: one, many: fours(func(
		query unsafe.Pointer, n int, row0, row1, row2, row3, _, _, _, _ unsafe.Pointer, sums *[4]S,
	) {
		*sums = [4]S{one(query, row0, n), one(query, row1, n), one(query, row2, n), one(query, row3, n)}
	})}
}

func plainKernels() kernels {
	return kernels{
		name:             "plain",
		unpack:           plainUnpack,
		dotFloat32:       plain(plainDot),
		euclidFloat32:    plain(plainEuclid),
		manhattanFloat32: plain(plainManhattan),

		dotFloat16:       plain(plainDotFloat16),
		euclidFloat16:    plain(plainEuclidFloat16),
		manhattanFloat16: plain(plainManhattanFloat16),

		dotBFloat16:       plain(plainDotBFloat16),
		euclidBFloat16:    plain(plainEuclidBFloat16),
		manhattanBFloat16: plain(plainManhattanBFloat16),

		dotInt8:        plain(plainDotInt8),
		dotUint8:       plain(plainDotUint8),
		euclidUint8:    plain(plainEuclidUint8),
		manhattanUint8: plain(plainManhattanUint8),
		hamming:        plain(plainHamming),
	}
}

func plainDot(a, b []float32) float32 {
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

func plainEuclid(a, b []float32) float32 {
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

func plainManhattan(a, b []float32) float32 {
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

// Rows of 16 bit floats are summed in float64: without SIMD their conversion takes longer than that.

func plainDotFloat16(query []float32, row []Float16) float32 {
	var sum float64
	for i, x := range query {
		sum += float64(x) * float64(row[i].Float32()) // exact: fusing could not change it
	}
	return float32(sum)
}

func plainEuclidFloat16(query []float32, row []Float16) float32 {
	var sum float64
	for i, x := range query {
		d := float64(x) - float64(row[i].Float32())
		sum += float64(d * d)
	}
	return float32(sum)
}

func plainManhattanFloat16(query []float32, row []Float16) float32 {
	var sum float64
	for i, x := range query {
		sum += math.Abs(float64(x) - float64(row[i].Float32()))
	}
	return float32(sum)
}

func plainDotBFloat16(query []float32, row []BFloat16) float32 {
	var sum float64
	for i, x := range query {
		sum += float64(x) * float64(row[i].Float32()) // exact: fusing could not change it
	}
	return float32(sum)
}

func plainEuclidBFloat16(query []float32, row []BFloat16) float32 {
	var sum float64
	for i, x := range query {
		d := float64(x) - float64(row[i].Float32())
		sum += float64(d * d)
	}
	return float32(sum)
}

func plainManhattanBFloat16(query []float32, row []BFloat16) float32 {
	var sum float64
	for i, x := range query {
		sum += math.Abs(float64(x) - float64(row[i].Float32()))
	}
	return float32(sum)
}

func plainDotInt8(query []int8, row []uint8) int32 {
	var sum int32
	for i, x := range query {
		sum += int32(x) * int32(row[i])
	}
	return sum
}

func plainDotUint8(query, row []uint8) uint32 {
	var sum uint32
	for i, x := range query {
		sum += uint32(x) * uint32(row[i])
	}
	return sum
}

func plainEuclidUint8(query, row []uint8) uint32 {
	var sum uint32
	for i, x := range query {
		d := int32(x) - int32(row[i])
		sum += uint32(d * d)
	}
	return sum
}

func plainManhattanUint8(query, row []uint8) uint32 {
	var sum uint32
	for i, x := range query {
		sum += uint32(max(x, row[i]) - min(x, row[i]))
	}
	return sum
}

func plainHamming(query, row []uint64) uint32 {
	var sum uint32
	for i, x := range query {
		sum += uint32(bits.OnesCount64(x ^ row[i]))
	}
	return sum
}
