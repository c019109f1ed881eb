package vec

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// The benchmarks report nanoseconds per distance: of rows that stay in the first cache, and of rows at random places of
// 512 MiB, each row by itself and 32 at a time, as the links of one node of a graph are.
//
//	go test ./node/internal/vec -run '^$' -bench 'Kernels/dot_float32/.*/784'

const (
	benchBytes = 512 << 20
	benchBatch = 32
)

// benchMemory is filled with bytes that are ordinary numbers in every format.
type benchMemory []byte

func newBenchMemory() benchMemory {
	m := make(benchMemory, benchBytes)
	for i := range m {
		m[i] = 0x3c
	}
	return m
}

// benchCase hides the types of a kernel. run compares with n rows, singly or in batches.
type benchCase struct {
	name string
	run  func(b *testing.B, memory benchMemory, dim int, random, batches bool)
}

func newBenchCase[Q, R any, S Sum](name string, k Kernel[Q, R, S], bits int) benchCase {
	return benchCase{name, func(b *testing.B, memory benchMemory, dim int, random, batches bool) {
		var (
			element R
			size    = (dim + bits - 1) / bits
			query   = unsafe.Slice((*Q)(unsafe.Pointer(&memory[0])), size)
			block   = unsafe.Slice((*R)(unsafe.Pointer(&memory[0])), len(memory)/int(unsafe.Sizeof(element)))
			offsets = make([]int, 1<<15)
			sums    = make([]S, benchBatch)
			r       = rand.New(rand.NewPCG(3, 4))
		)
		for i := range offsets {
			if random {
				offsets[i] = r.IntN(len(block)/size) * size
			} else {
				offsets[i] = size * (i % 4)
			}
		}
		done := 0
		for b.Loop() {
			some := offsets[done%len(offsets):][:benchBatch]
			if batches {
				k.Rows(query, block, some, sums)
			} else {
				for i, offset := range some {
					sums[i] = k.One(query, block[offset:offset+size])
				}
			}
			done += benchBatch
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(done), "ns/distance")
		b.ReportMetric(0, "ns/op")
	}}
}

func benchCases(k kernels) []benchCase {
	return []benchCase{
		newBenchCase("dot_float32", k.dotFloat32, 1),
		newBenchCase("euclid_float32", k.euclidFloat32, 1),
		newBenchCase("manhattan_float32", k.manhattanFloat32, 1),
		newBenchCase("dot_float16", k.dotFloat16, 1),
		newBenchCase("euclid_bfloat16", k.euclidBFloat16, 1),
		newBenchCase("dot_int8", k.dotInt8, 1),
		newBenchCase("dot_uint8", k.dotUint8, 1),
		newBenchCase("euclid_uint8", k.euclidUint8, 1),
		newBenchCase("hamming", k.hamming, 64),
	}
}

func BenchmarkKernels(b *testing.B) {
	memory := newBenchMemory()
	sets := available()
	for i := range benchCases(active) {
		for _, k := range sets {
			c := benchCases(k)[i]
			for _, dim := range []int{100, 128, 768, 784, 1536} {
				for _, random := range []bool{false, true} {
					for _, batches := range []bool{false, true} {
						where, how := "L1", "one"
						if random {
							where = "512MiB"
						}
						if batches {
							how = "rows"
						}
						b.Run(fmt.Sprintf("%s/%s/%d/%s/%s", c.name, k.name, dim, where, how), func(b *testing.B) {
							c.run(b, memory, dim, random, batches)
						})
					}
				}
			}
		}
	}
}

// BenchmarkCall measures what a call costs that compares nothing: through the exported function, a kernel that was
// chosen before, the bare function that it holds, and with 32 rows.
func BenchmarkCall(b *testing.B) {
	var (
		query = []float32{}
		k     = ForFloat32(Dot)
		sums  = make([]float32, benchBatch)
	)
	b.Run("function", func(b *testing.B) {
		for b.Loop() {
			DotProduct(query, query)
		}
	})
	b.Run("kernel", func(b *testing.B) {
		for b.Loop() {
			k.One(query, query)
		}
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			k.one(nil, nil, 0)
		}
	})
	b.Run("rows", func(b *testing.B) {
		offsets := make([]int, benchBatch)
		for b.Loop() {
			k.Rows(query, query, offsets, sums)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchBatch, "ns/distance")
	})
}
