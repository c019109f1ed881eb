//go:build linux || darwin || freebsd

package disk

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Space returns how many bytes the file system of a path has left for this process, and how many it has at all.
func Space(path string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, fmt.Errorf("ask for the space of %s: %w", path, err)
	}
	size := uint64(st.Bsize)
	return uint64(st.Bavail) * size, st.Blocks * size, nil //nolint:unconvert // signed on some systems
}

// allocated returns how many bytes a file takes on its disk.
func allocated(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512 //nolint:unconvert // signed on some systems
	}
	return 0
}
