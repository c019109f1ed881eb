//go:build !purego

package vec

import "unsafe"

// available returns the sets of kernels that this processor can run, the best last.
func available() []kernels { return []kernels{plainKernels()} }

func prefetch(unsafe.Pointer, int) {}
