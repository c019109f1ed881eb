package inproc

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func clock(id int32) time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(id, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// threadCPU is what the calling thread has used, processCPU what the process has.
func threadCPU() time.Duration  { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }
func processCPU() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

// residentBytes is how much memory the process holds.
func residentBytes() int64 {
	var total, pages int64
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(b), &total, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
