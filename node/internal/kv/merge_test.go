package kv_test

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// crampedFS is a disk that may have no room for what is merged.
type crampedFS struct {
	vfs.FS
	cramped atomic.Bool
	refused atomic.Int64
	mu      sync.Mutex
	begun   []string // tables that were refused room
}

func (fs *crampedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	if err == nil && category == "pebble-compaction" {
		f = &crampedFile{File: f, fs: fs, name: name}
	}
	return f, err
}

type crampedFile struct {
	vfs.File
	fs   *crampedFS
	name string
}

func (f *crampedFile) Write(p []byte) (int, error) {
	if !f.fs.cramped.Load() {
		return f.File.Write(p)
	}
	f.fs.refused.Add(1)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.begun = append(f.fs.begun, f.name)
	return 0, syscall.ENOSPC
}

// left tells how many of the tables that found no room are there.
func (fs *crampedFS) left(t *testing.T) (n int) {
	t.Helper()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, name := range fs.begun {
		switch _, err := fs.Stat(name); {
		case err == nil:
			n++
		case !os.IsNotExist(err):
			t.Error(err)
		}
	}
	return n
}

// GetDiskUsage tells of a disk of 1 GiB that is almost empty, whatever is on it.
func (fs *crampedFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: 1000 << 20, TotalBytes: 1 << 30}, nil
}

// What is in memory, and what is merged next, has to be free on the disk, or it is full.
func TestWhatIsStillToBeWrittenIsKeptFree(t *testing.T) {
	fs := &crampedFS{FS: newDisk()}
	fs.cramped.Store(true) // so that tables stay in level 0
	warden, err := disk.OpenWarden(disk.WardenOptions{FS: fs, Dir: "data", Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = warden.Close() })
	base := warden.Room().Low
	s, err := kv.Open(kv.Options{Dir: "data/store", FS: fs, Warden: warden})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	body := make([]byte, 400<<10)
	for n := range uint64(40) {
		commit(t, s, func(b *kv.Batch) { b.PutPayload(gen, point.Num(n%5), n, body, kv.Refs{}) })
		low := warden.Room().Low
		if memory, _, _ := s.Unmerged(); low < base+memory {
			t.Fatalf("%d bytes are in memory, and with %d free the disk is full", memory, low)
		}
	}
	for deadline := time.Now().Add(3 * time.Minute); ; <-time.After(5 * time.Millisecond) {
		low := warden.Room().Low
		memory, tables, next := s.Unmerged()
		if tables > 0 && next >= tables && low >= base+memory+next {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are in memory, %d in level 0, %d may be merged next, and with %d free the disk is full", memory, tables, next, low)
		}
	}
}

// A merging that finds no room is given up, and holds none; writes and reads go on; when there is room it is made.
func TestAMergingWithoutRoomIsGivenUp(t *testing.T) {
	fs := &crampedFS{FS: newDisk()}
	fs.cramped.Store(true)
	s := open(t, fs)
	body := make([]byte, 400<<10)
	wait := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(3 * time.Minute); !ok(); <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain until %s\n%s", what, s.Metrics())
			}
		}
	}
	write := func(version uint64) {
		for id := range uint64(50) {
			commit(t, s, func(b *kv.Batch) { b.PutPayload(gen, point.Num(id), version, body, kv.Refs{}) })
		}
	}
	version := uint64(0)
	for range 3 {
		version++
		write(version)
	}
	wait("mergings are given up", func() bool { return fs.refused.Load() >= 3 })
	wait("nothing is left of them", func() bool { return fs.left(t) == 0 })
	version++
	write(version)
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for id := range uint64(50) {
		if r, ok, err := v.Payload(gen, point.Num(id)); err != nil || !ok || r.Version != version {
			t.Errorf("point %d: %v, version %d, %v; want version %d", id, ok, r.Version, err, version)
		}
	}
	if err := s.Err(); err != nil {
		t.Errorf("a full disk is no failure: %v", err)
	}
	fs.cramped.Store(false)
	wait("tables are merged", func() bool { return s.Merged() })
}
