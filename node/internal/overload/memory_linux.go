package overload

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
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

// availableBytes returns the memory of the container or control group, if there is one that has a limit, or of the machine; 0 if neither
// can be found out.
func availableBytes() int64 {
	own, _ := os.ReadFile("/proc/self/cgroup") // without it, those at the root are asked
	return leastLimit("/sys/fs/cgroup", string(own), memTotal())
}

// leastLimit returns the least limit of the control groups that a process is in, as /proc/PID/cgroup tells of them, and of those around
// them; or total, if that is less and not 0.
func leastLimit(root, own string, total int64) int64 {
	least := total
	look := func(mount, group, file string) {
		for {
			raw, err := os.ReadFile(filepath.Join(mount, group, file))
			limit, err2 := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
			if err == nil && err2 == nil && limit > 0 && (least == 0 || limit < least) { // "max", or a huge number, where there is none
				least = limit
			}
			if group == "/" {
				return
			}
			group = filepath.Dir(group)
		}
	}
	two, one := "/", "/" // a container may not see what it is in, but the limits are at the root then
	for line := range strings.Lines(own) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) < 3:
		case parts[1] == "":
			two = filepath.Join("/", parts[2])
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			one = filepath.Join("/", parts[2])
		}
	}
	look(root, two, "memory.max")
	look(filepath.Join(root, "memory"), one, "memory.limit_in_bytes")
	return least
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
