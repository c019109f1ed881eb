package kv_test

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

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

// A merging that finds no room is given up, and holds none; writes and reads go on; when there is room it is made.
func TestAMergingWithoutRoomIsGivenUp(t *testing.T) {
	fs := &crampedFS{FS: newDisk()}
	fs.cramped.Store(true)
	s := open(t, fs)
	body := make([]byte, 400<<10)
	wait := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !ok(); <-time.After(5 * time.Millisecond) {
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
