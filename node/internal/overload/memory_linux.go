package overload

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// ownBytes returns the resident memory that is no file's.
func ownBytes() int64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return goBytes()
	}
	fields := strings.Fields(string(raw)) // in pages: all, resident, of those shared with files, ...
	if len(fields) < 3 {
		return goBytes()
	}
	resident, err1 := strconv.ParseInt(fields[1], 10, 64)
	shared, err2 := strconv.ParseInt(fields[2], 10, 64)
	if err1 != nil || err2 != nil {
		return goBytes()
	}
	return (resident - shared) * int64(os.Getpagesize())
}

// availableBytes returns the memory of the container, if there is one that has a limit, or of the machine; 0 if neither can be
// found out.
func availableBytes() int64 {
	total := memTotal()
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
		if err == nil && limit > 0 && (total == 0 || limit < total) { // "max", or a huge number, where there is none
			return limit
		}
	}
	return total
}

func memTotal() int64 {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(raw) {
		fields := strings.Fields(string(line))
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}
