//go:build purego || (!amd64 && !arm64)

package vec

import "unsafe"

// available returns the sets of kernels that this processor can run, the best last.
func available() []kernels { return []kernels{plainKernels()} }

func prefetch(unsafe.Pointer, int) {}

func ahead(*unsafe.Pointer, int, int) {}
