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
	use("NEON", (*kernels).useNEON)
	if cpu.ARM64.HasASIMDDP {
		use("NEON DOTPROD", (*kernels).useDOTPROD)
	}
	return all
}

//go:noescape
func prefetch(from unsafe.Pointer, n int)

func ahead(rows *unsafe.Pointer, count, n int) {
	for _, row := range unsafe.Slice(rows, count) {
		prefetch(row, n)
	}
}
