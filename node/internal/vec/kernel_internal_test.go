package vec

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// longest is the greatest length that the tests go through: past every step of every kernel several times.
const longest = 1100

// eachSet runs a test with every set of kernels that this processor can run, plain Go included.
func eachSet(t *testing.T, test func(t *testing.T, k kernels)) {
	for _, k := range available() {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

func random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// term is what a pair of components adds to a sum.
type term func(q, r float64) float64

func product(q, r float64) float64    { return q * r }
func square(q, r float64) float64     { return (q - r) * (q - r) }
func difference(q, r float64) float64 { return math.Abs(q - r) }

// expected sums in float64, and the magnitudes that went into the sum, to which rounding errors are proportional.
func expected[Q, R any](query []Q, row []R, of term, q func(Q) float64, r func(R) float64) (sum, magnitude float64) {
	for i := range query {
		x := of(q(query[i]), r(row[i]))
		sum += x
		magnitude += math.Abs(x)
	}
	return sum, magnitude
}

// roundings bounds the error of a sum of float32 that has n terms. The least parallel kernel adds up in 4 sums, so that
// a term passes n/4 additions and at most 20 more; every rounding errs by 2^-24 of the magnitude at most, and a term
// itself comes from up to 3 roundings. Sums near zero lose subnormal parts.
func roundings(n int, magnitude float64) float64 {
	return float64(n/4+24)*magnitude/(1<<24) + float64(n)*1e-44
}

// floats describes a kernel of floating point rows.
type floats[R any] struct {
	name   string
	kernel Kernel[float32, R, float32]
	of     term
	narrow func(float32) R
	wide   func(R) float32
}

func (f floats[R]) row(values []float32) []R {
	row := make([]R, len(values))
	for i, x := range values {
		row[i] = f.narrow(x)
	}
	return row
}

func (f floats[R]) check(t testing.TB, query []float32, row []R) {
	t.Helper()
	want, magnitude := expected(query, row, f.of, wide64, func(r R) float64 { return float64(f.wide(r)) })
	got := float64(f.kernel.One(query, row))
	if !(math.Abs(got-want) <= roundings(len(query), magnitude)) {
		t.Fatalf("%s of %d components: got %v, want %v", f.name, len(query), got, want)
	}
}

func wide64(x float32) float64 { return float64(x) }

func same(x float32) float32 { return x }

func float32Kernels(k kernels) []floats[float32] {
	return []floats[float32]{
		{"dot float32", k.dotFloat32, product, same, same},
		{"euclid float32", k.euclidFloat32, square, same, same},
		{"manhattan float32", k.manhattanFloat32, difference, same, same},
	}
}

func float16Kernels(k kernels) []floats[Float16] {
	return []floats[Float16]{
		{"dot float16", k.dotFloat16, product, ToFloat16, Float16.Float32},
		{"euclid float16", k.euclidFloat16, square, ToFloat16, Float16.Float32},
		{"manhattan float16", k.manhattanFloat16, difference, ToFloat16, Float16.Float32},
	}
}

func bfloat16Kernels(k kernels) []floats[BFloat16] {
	return []floats[BFloat16]{
		{"dot bfloat16", k.dotBFloat16, product, ToBFloat16, BFloat16.Float32},
		{"euclid bfloat16", k.euclidBFloat16, square, ToBFloat16, BFloat16.Float32},
		{"manhattan bfloat16", k.manhattanBFloat16, difference, ToBFloat16, BFloat16.Float32},
	}
}

// integers describes an exact kernel.
type integers[Q, R any, S Sum] struct {
	name   string
	kernel Kernel[Q, R, S]
	want   func(query []Q, row []R) S
}

func (i integers[Q, R, S]) check(t testing.TB, query []Q, row []R) {
	t.Helper()
	if got, want := i.kernel.One(query, row), i.want(query, row); got != want {
		t.Fatalf("%s of %d components: got %v, want %v", i.name, len(query), got, want)
	}
}

// exactly sums in 64 bits and takes the lower 32.
func exactly[Q, R uint8 | int8](of func(q, r int64) int64) func([]Q, []R) uint32 {
	return func(query []Q, row []R) uint32 {
		var sum int64
		for i, q := range query {
			sum += of(int64(q), int64(row[i]))
		}
		return uint32(sum)
	}
}

func int8Kernel(k kernels) integers[int8, uint8, int32] {
	want := exactly[int8, uint8](func(q, r int64) int64 { return q * r })
	return integers[int8, uint8, int32]{"dot int8", k.dotInt8, func(q []int8, r []uint8) int32 { return int32(want(q, r)) }}
}

func uint8Kernels(k kernels) []integers[uint8, uint8, uint32] {
	return []integers[uint8, uint8, uint32]{
		{"dot uint8", k.dotUint8, exactly[uint8, uint8](func(q, r int64) int64 { return q * r })},
		{"euclid uint8", k.euclidUint8, exactly[uint8, uint8](func(q, r int64) int64 { return (q - r) * (q - r) })},
		{"manhattan uint8", k.manhattanUint8, exactly[uint8, uint8](func(q, r int64) int64 { return max(q-r, r-q) })},
	}
}

func bitsKernel(k kernels) integers[uint64, uint64, uint32] {
	return integers[uint64, uint64, uint32]{"hamming", k.hamming, func(q, r []uint64) uint32 {
		var sum uint32
		for i := range q {
			for x := q[i] ^ r[i]; x != 0; x &= x - 1 {
				sum++
			}
		}
		return sum
	}}
}

func floatsOf(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func bytesOf(r *rand.Rand, n int) []uint8 {
	v := make([]uint8, n)
	for i := range v {
		v[i] = uint8(r.Uint32())
	}
	return v
}

func signed(v []uint8) []int8 {
	s := make([]int8, len(v))
	for i, x := range v {
		s[i] = int8(x)
	}
	return s
}

func wordsOf(r *rand.Rand, n int) []uint64 {
	v := make([]uint64, n)
	for i := range v {
		v[i] = r.Uint64()
	}
	return v
}

func TestFloatKernelsAgreeWithFloat64AtEveryLength(t *testing.T) {
	eachSet(t, func(t *testing.T, k kernels) {
		r := random()
		for n := range longest + 1 {
			query, row := floatsOf(r, n), floatsOf(r, n)
			for _, f := range float32Kernels(k) {
				f.check(t, query, row)
			}
			for _, f := range float16Kernels(k) {
				f.check(t, query, f.row(row))
			}
			for _, f := range bfloat16Kernels(k) {
				f.check(t, query, f.row(row))
			}
		}
	})
}

func TestIntegerKernelsAreExactAtEveryLength(t *testing.T) {
	eachSet(t, func(t *testing.T, k kernels) {
		r := random()
		for n := range longest + 1 {
			query, row := bytesOf(r, n), bytesOf(r, n)
			int8Kernel(k).check(t, signed(query), row)
			for _, i := range uint8Kernels(k) {
				i.check(t, query, row)
			}
			bitsKernel(k).check(t, wordsOf(r, n), wordsOf(r, n))
		}
	})
}

// Saturation in 16 bits, which VPMADDUBSW has, and sums that need all 32 bits would show here.
func TestIntegerKernelsAreExactAtTheExtremes(t *testing.T) {
	eachSet(t, func(t *testing.T, k kernels) {
		for _, n := range []int{1, 31, 100, 1024, 33_026, 65_536, 65_537, 70_001} {
			for _, a := range []uint8{0, 1, 127, 128, 255} {
				for _, b := range []uint8{0, 127, 128, 255} {
					query, row := slices.Repeat([]uint8{a}, n), slices.Repeat([]uint8{b}, n)
					int8Kernel(k).check(t, signed(query), row)
					for _, i := range uint8Kernels(k) {
						i.check(t, query, row)
					}
				}
			}
			bitsKernel(k).check(t, make([]uint64, n), slices.Repeat([]uint64{math.MaxUint64}, n))
		}
	})
}

// tableOf lays rows out in chunks of four, each row a little apart from the next.
func tableOf[R any](rows [][]R) *Table {
	var element R
	bytes := 0
	if len(rows) > 0 {
		bytes = len(rows[0])*int(unsafe.Sizeof(element)) + 3*int(unsafe.Sizeof(element))
	}
	table := &Table{Shift: 2, Stride: bytes}
	for i, row := range rows {
		if i%4 == 0 {
			table.Chunks = append(table.Chunks, unsafe.Pointer(unsafe.SliceData(make([]R, 4*(len(row)+3)))))
		}
		copy(unsafe.Slice((*R)(table.At(uint32(i))), len(row)), row)
	}
	return table
}

// batch checks that Rows, Slices and Gather give the bits of One for any number of rows, in any order, with repetitions.
func batch[Q, R any, S Sum](t *testing.T, r *rand.Rand, k Kernel[Q, R, S], query []Q, block []R) {
	t.Helper()
	n := len(query)
	for _, count := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 31, 32, 33, 70} {
		offsets, rows := make([]int, count), make([][]R, count)
		for i := range offsets {
			offsets[i] = r.IntN(len(block) - n + 1)
			rows[i] = block[offsets[i] : offsets[i]+n]
		}
		sums, again := make([]S, count+1), make([]S, count+1)
		sums[count], again[count] = 42, 42
		k.Rows(query, block, offsets, sums)
		k.Slices(query, rows, again)
		for i := range rows {
			if want := k.One(query, rows[i]); sums[i] != want || again[i] != want {
				t.Fatalf("row %d of %d, %d components: One %v, Rows %v, Slices %v", i, count, n, want, sums[i], again[i])
			}
		}
		numbers, table := make([]uint32, count), tableOf(rows)
		for i := range numbers {
			numbers[i] = uint32(r.IntN(count))
		}
		table.Ahead(numbers, n)
		k.Gather(query, table, numbers, again)
		for i, number := range numbers {
			if want := sums[number]; again[i] != want {
				t.Fatalf("row %d of %d, %d components: One %v, Gather %v", number, count, n, want, again[i])
			}
		}
		if sums[count] != 42 || again[count] != 42 {
			t.Fatalf("%d rows: a sum was written after the last", count)
		}
	}
}

func TestManyRowsAtOnceGiveTheBitsOfOne(t *testing.T) {
	eachSet(t, func(t *testing.T, k kernels) {
		r := random()
		for n := 0; n <= 300; n += 1 + n/70 {
			query, block := floatsOf(r, n), floatsOf(r, 5*n+7)
			for _, f := range float32Kernels(k) {
				batch(t, r, f.kernel, query, block)
			}
			for _, f := range float16Kernels(k) {
				batch(t, r, f.kernel, query, f.row(block))
			}
			for _, f := range bfloat16Kernels(k) {
				batch(t, r, f.kernel, query, f.row(block))
			}
			codes, codeBlock := bytesOf(r, n), bytesOf(r, 5*n+7)
			batch(t, r, k.dotInt8, signed(codes), codeBlock)
			for _, i := range uint8Kernels(k) {
				batch(t, r, i.kernel, codes, codeBlock)
			}
			batch(t, r, k.hamming, wordsOf(r, n), wordsOf(r, 5*n+7))
		}
	})
}

func TestRowsOutsideTheirBlockPanic(t *testing.T) {
	query, block := make([]float32, 8), make([]float32, 40)
	for _, bad := range [][]int{{-1}, {33}, {0, 8, 16, 33}, {0, 8, 16, 24, -1}, {0, 0, 0, 0, 0, 0, 0, math.MaxInt}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("offsets %v were accepted", bad)
				}
			}()
			ForFloat32(Dot).Rows(query, block, bad, make([]float32, 8))
		}()
	}
	defer func() {
		if recover() == nil {
			t.Error("too short a row was accepted")
		}
	}()
	ForFloat32(Dot).Slices(query, [][]float32{block, block, block, block[:7:7]}, make([]float32, 4))
}

// NaN, infinities and what they cancel to come out as in the reference at every position of a vector.
func TestNaNAndInfinityPropagateFromEveryPosition(t *testing.T) {
	inf := float32(math.Inf(1))
	eachSet(t, func(t *testing.T, k kernels) {
		for _, n := range []int{1, 7, 16, 33, 100, 131} {
			for at := range n {
				for _, special := range [][2]float32{{inf, 1}, {-inf, 1}, {1, inf}, {inf, 0}, {inf, inf}, {float32(math.NaN()), 1}, {1, float32(math.NaN())}} {
					query, row := slices.Repeat([]float32{2}, n), slices.Repeat([]float32{3}, n)
					query[at], row[at] = special[0], special[1]
					for _, f := range float32Kernels(k) {
						f.propagates(t, query, row)
					}
					for _, f := range float16Kernels(k) {
						f.propagates(t, query, f.row(row))
					}
					for _, f := range bfloat16Kernels(k) {
						f.propagates(t, query, f.row(row))
					}
				}
			}
		}
	})
}

func (f floats[R]) propagates(t *testing.T, query []float32, row []R) {
	t.Helper()
	want, _ := expected(query, row, f.of, wide64, func(r R) float64 { return float64(f.wide(r)) })
	got := float64(f.kernel.One(query, row))
	if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
		t.Fatalf("%s of %d components: got %v, want %v", f.name, len(query), got, want)
	}
}

func TestSubnormalsAreNotFlushed(t *testing.T) {
	tiny := math.Float32frombits(3)
	eachSet(t, func(t *testing.T, k kernels) {
		for n := 1; n < 70; n++ {
			query, row := slices.Repeat([]float32{1}, n), slices.Repeat([]float32{tiny}, n)
			if got := k.dotFloat32.One(query, row); got != float32(n)*tiny {
				t.Fatalf("%d components: got %v", n, got)
			}
			half := slices.Repeat([]Float16{3}, n)
			if got, want := k.dotFloat16.One(query, half), float32(n)*Float16(3).Float32(); got != want {
				t.Fatalf("%d components: got %v, want %v", n, got, want)
			}
			brain := slices.Repeat([]BFloat16{3}, n)
			if got, want := k.dotBFloat16.One(query, brain), float32(n)*BFloat16(3).Float32(); got != want {
				t.Fatalf("%d components: got %v, want %v", n, got, want)
			}
		}
	})
}

func TestKernelsOfDistancesAreTheirOwn(t *testing.T) {
	query, row := []float32{1, 2, 3}, []float32{4, 6, 3}
	codes, codeRow := []uint8{1, 2, 3}, []uint8{4, 6, 3}
	for d, want := range map[Distance]float32{Cosine: 25, Dot: 25, Euclid: 25, Manhattan: 7} {
		got := []float32{
			ForFloat32(d).One(query, row),
			ForFloat16(d).One(query, float16Kernels(active)[0].row(row)),
			ForBFloat16(d).One(query, bfloat16Kernels(active)[0].row(row)),
			float32(ForUint8(d).One(codes, codeRow)),
		}
		if !slices.Equal(got, []float32{want, want, want, want}) {
			t.Errorf("%v: got %v, want %v", d, got, want)
		}
	}
	if got := ForInt8().One([]int8{-1, 2}, []uint8{200, 3}); got != -194 {
		t.Errorf("got %d", got)
	}
	if got := ForBits().One([]uint64{5}, []uint64{3}); got != 2 {
		t.Errorf("got %d", got)
	}
	if ForFloat32(0).one != nil || Kernels() == "" {
		t.Error("the unknown distance has a kernel, or the set has no name")
	}
}

// allocations counts those of one kernel in all the ways to call it.
func allocations[Q, R any, S Sum](k Kernel[Q, R, S]) float64 {
	query, block, sums := make([]Q, 100), make([]R, 1000), make([]S, 9)
	offsets := []int{0, 100, 200, 300, 400, 500, 600, 700, 800}
	rows := [][]R{block, block, block, block, block}
	return testing.AllocsPerRun(10, func() {
		k.One(query, block)
		k.Rows(query, block, offsets, sums)
		k.Slices(query, rows, sums)
		Prefetch(block)
	})
}

func TestNoKernelAllocates(t *testing.T) {
	eachSet(t, func(t *testing.T, k kernels) {
		var all []float64
		for _, f := range float32Kernels(k) {
			all = append(all, allocations(f.kernel))
		}
		for _, f := range float16Kernels(k) {
			all = append(all, allocations(f.kernel))
		}
		for _, f := range bfloat16Kernels(k) {
			all = append(all, allocations(f.kernel))
		}
		for _, i := range uint8Kernels(k) {
			all = append(all, allocations(i.kernel))
		}
		all = append(all, allocations(k.dotInt8), allocations(k.hamming))
		if slices.Max(all) != 0 {
			t.Errorf("allocations of each kernel: %v", all)
		}
	})
}

func TestPrefetchTakesAnyMemory(t *testing.T) {
	Prefetch[float32](nil)
	Prefetch([]uint8{})
	for n := range 300 {
		Prefetch(make([]uint8, n))
	}
}

func FuzzFloatKernels(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("eight bytes make one pair of components, and so on and on, past the steps of the kernels; 16 a step at most"))
	f.Add(binary.LittleEndian.AppendUint64(nil, 0x7f8000007fc00000))
	f.Fuzz(func(t *testing.T, data []byte) {
		var query, row []float32
		for ; len(data) >= 8; data = data[8:] {
			query, row = append(query, moderate(data)), append(row, moderate(data[4:]))
		}
		for _, k := range available() {
			for _, f := range float32Kernels(k) {
				f.check(t, query, row)
			}
			for _, f := range bfloat16Kernels(k) {
				f.check(t, query, f.row(row))
			}
			for i := range row {
				row[i] = float32(math.Mod(float64(row[i]), 65_000))
			}
			for _, f := range float16Kernels(k) {
				f.check(t, query, f.row(row))
			}
		}
	})
}

// moderate keeps magnitudes at which no square leaves float32.
func moderate(data []byte) float32 {
	x := math.Float32frombits(binary.LittleEndian.Uint32(data))
	if x-x != 0 || math.Abs(float64(x)) > 1e15 {
		return 1
	}
	return x
}

func FuzzIntegerKernels(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\xff\xff\x80\x7f\x00\x01 and so on, until some step of 64 bytes is full and a few bytes more are left over; twice that for the two halves!"))
	f.Fuzz(func(t *testing.T, data []byte) {
		query, row := data[:len(data)/2], data[len(data)/2:]
		row = row[:len(query)]
		var words, wordRow []uint64
		for i := 0; i+8 <= len(query); i += 8 {
			words = append(words, binary.LittleEndian.Uint64(query[i:]))
			wordRow = append(wordRow, binary.LittleEndian.Uint64(row[i:]))
		}
		for _, k := range available() {
			int8Kernel(k).check(t, signed(query), row)
			for _, i := range uint8Kernels(k) {
				i.check(t, query, row)
			}
			bitsKernel(k).check(t, words, wordRow)
		}
	})
}
