//go:build unix

package vec

import (
	"os"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guarded is memory between two pages that must not be touched.
type guarded []byte

func newGuarded(t *testing.T, size int) guarded {
	t.Helper()
	page := os.Getpagesize()
	size = (size + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(all); err != nil {
			t.Error(err)
		}
	})
	for _, guard := range [][]byte{all[:page], all[page+size:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return guarded(all[page : page+size])
}

// first and last put n elements right after the guard before, and right before the guard after.
func first[T any](g guarded, n int) []T { return unsafe.Slice((*T)(unsafe.Pointer(&g[0])), n) }

func last[T any](g guarded, n int) []T {
	var element T
	at := len(g) - n*int(unsafe.Sizeof(element))
	return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(&g[0]), at)), n)
}

// touchNothingElse runs a kernel of every length on memory whose neighbourhood faults.
func touchNothingElse[Q, R any, S Sum](t *testing.T, name string, k Kernel[Q, R, S], query, rows guarded) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // of this goroutine
	length := 0
	defer func() {
		if fault := recover(); fault != nil {
			t.Errorf("%s of %d components reads what it must not: %v", name, length, fault)
		}
	}()
	sums := make([]S, 9)
	for ; length <= longest; length++ {
		const apart = 3 // elements between rows, for odd alignments
		offsets := make([]int, len(sums))
		for i := range offsets {
			offsets[i] = i % 5 * (length + apart)
		}
		size := 5*length + 4*apart
		k.Rows(first[Q](query, length), first[R](rows, size), offsets, sums)
		k.Rows(last[Q](query, length), last[R](rows, size), offsets, sums)
		k.One(first[Q](query, length), first[R](rows, length))
		k.One(last[Q](query, length), last[R](rows, length))
	}
}

func TestKernelsReadNothingBeyondTheirVectors(t *testing.T) {
	query, rows := newGuarded(t, 8*longest), newGuarded(t, 8*(5*longest+12))
	eachSet(t, func(t *testing.T, k kernels) {
		for _, f := range float32Kernels(k) {
			touchNothingElse(t, f.name, f.kernel, query, rows)
		}
		for _, f := range float16Kernels(k) {
			touchNothingElse(t, f.name, f.kernel, query, rows)
		}
		for _, f := range bfloat16Kernels(k) {
			touchNothingElse(t, f.name, f.kernel, query, rows)
		}
		touchNothingElse(t, "dot int8", k.dotInt8, query, rows)
		for _, i := range uint8Kernels(k) {
			touchNothingElse(t, i.name, i.kernel, query, rows)
		}
		touchNothingElse(t, "hamming", k.hamming, query, rows)
	})
}

func TestTheGuardsAroundVectorsFault(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	g := newGuarded(t, 4096)
	for _, beyond := range []unsafe.Pointer{unsafe.Add(unsafe.Pointer(&g[0]), -1), unsafe.Add(unsafe.Pointer(&g[0]), len(g))} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("what lies beside a vector could be read")
				}
			}()
			sink = *(*byte)(beyond)
		}()
	}
	Prefetch(unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(&g[0]), -100)), len(g)+200))
}

var sink byte
