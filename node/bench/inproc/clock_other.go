//go:build !linux

package inproc

import "time"

// Elsewhere only the wall's clock is read.
func threadCPU() time.Duration  { return 0 }
func processCPU() time.Duration { return 0 }

func residentBytes() int64 { return 0 }
