//go:build !purego

package vec

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// available returns the sets of kernels that this processor can run, the best last.
func available() []kernels {
	set := plainKernels()
	all := []kernels{set}
	use := func(name string, bind func(*kernels)) {
		set.name = name
		bind(&set)
		all = append(all, set)
	}
	x86 := &cpu.X86
	if !x86.HasAVX2 || !x86.HasFMA || !x86.HasF16C || !x86.HasPOPCNT {
		return all
	}
	use("AVX2", func(k *kernels) {
		k.useAVX2()
		k.unpack = unpackAVX2
	})
	if !x86.HasAVX512F || !x86.HasAVX512BW || !x86.HasAVX512DQ || !x86.HasAVX512VL || !x86.HasBMI2 {
		return all
	}
	use("AVX-512", (*kernels).useAVX512)
	if x86.HasAVX512VNNI {
		use(set.name+" VNNI", (*kernels).useVNNI)
	}
	if x86.HasAVX512VPOPCNTDQ {
		use(set.name+" VPOPCNTDQ", (*kernels).useVPOPCNTDQ)
	}
	return all
}

//go:noescape
func prefetch(from unsafe.Pointer, n int)

//go:noescape
func ahead(rows *unsafe.Pointer, count, n int)

//go:noescape
func unpackAVX2(row, to unsafe.Pointer, n int)
