package disktest

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Sized is a disk of 1 GiB of which a test says how much is free.
type Sized struct {
	vfs.FS
	Free atomic.Uint64 // bytes
}

// GetDiskUsage tells what the test has said.
func (s *Sized) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: s.Free.Load(), TotalBytes: 1 << 30}, nil
}
