//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// machine measures what the machine itself adds while a benchmark runs: how long its disk takes to keep a page, and for how long
// somebody who computes has to wait for others who do. Where these are long, the benchmark's times say little about the cluster.
type machine struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     struct {
		sync.Mutex
		syncs, works []time.Duration
	}
}

// watchMachine measures on the disk of dir until stop is called.
func watchMachine(t *testing.T, dir string) *machine {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "fsync-probe"))
	must(t, err)
	m := &machine{}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.wg.Go(func() {
		defer f.Close()
		page := make([]byte, 4096)
		every(ctx, 100*time.Millisecond, func() {
			began := time.Now()
			if _, err := f.WriteAt(page, 0); err == nil && f.Sync() == nil {
				m.mu.Lock()
				m.mu.syncs = append(m.mu.syncs, time.Since(began))
				m.mu.Unlock()
			}
		})
	})
	m.wg.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		every(ctx, 100*time.Millisecond, func() {
			began, used := time.Now(), threadTime()
			for threadTime()-used < 5*time.Millisecond {
				continue
			}
			m.mu.Lock()
			m.mu.works = append(m.mu.works, time.Since(began))
			m.mu.Unlock()
		})
	})
	t.Cleanup(m.stop)
	return m
}

func (m *machine) stop() {
	m.cancel()
	m.wg.Wait()
}

// threadTime is how long the calling thread has computed.
func threadTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return time.Duration(time.Now().UnixNano())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// text tells what was measured.
func (m *machine) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("the machine itself: fsync p50 %s, p99 %s, max %s; 5 ms of computing took p50 %s, p99 %s, max %s",
		quantile(m.mu.syncs, 0.5), quantile(m.mu.syncs, 0.99), quantile(m.mu.syncs, 1),
		quantile(m.mu.works, 0.5), quantile(m.mu.works, 0.99), quantile(m.mu.works, 1))
}
