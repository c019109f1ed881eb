package kv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
)

var (
	errUnreadable   = errors.New("the disk does not give back what was written")
	errVolumeClosed = errors.New("the volume is closed")
)

// What Pebble says when it makes a file.
const (
	categoryWAL   vfs.DiskWriteCategory = "pebble-wal"
	categoryMerge vfs.DiskWriteCategory = "pebble-compaction"
)

// volume stands between Pebble and its files.
//
// It promises that after one failed write or fsync nothing is written ever again: the kernel may have dropped the pages that it
// could not write, and the next fsync would succeed without them. From then on, what goes to write-ahead files is swallowed:
// nobody is told that it is durable, for the committer looks at the volume after each commit, and Pebble panics where such
// a write fails while it changes to another file. Everything else waits until close, and fails: Pebble would try it again at
// once, for ever.
//
// A disk without room is no failure (room.go): Pebble never hears of it.
type volume struct {
	vfs.FS
	warden  *disk.Warden // nil: nobody watches the disk
	onFail  func(error)
	onStuck func() // a write of a table finds no room
	closing chan struct{}
	metrics metrics
	mu      struct {
		sync.Mutex
		failed error
	}
	room
	merges
	witnesses witnesses
}

func newVolume(fs vfs.FS, warden *disk.Warden, onFail func(error), onStuck func()) *volume {
	return &volume{FS: fs, warden: warden, onFail: onFail, onStuck: onStuck, closing: make(chan struct{}), metrics: newMetrics(nil, nil),
		witnesses: witnesses{news: make(chan struct{}, 1)}}
}

// fail ends writing. The first cause counts.
func (v *volume) fail(cause error) {
	v.mu.Lock()
	first := v.mu.failed == nil
	if first {
		v.mu.failed = cause
	}
	v.mu.Unlock()
	if first {
		v.onFail(cause)
	}
}

func (v *volume) failure() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mu.failed
}

// close lets whoever waits in a failed volume go on.
func (v *volume) close() { close(v.closing) }

// change runs an operation that changes the disk. Where there is no room, it is tried again until there is, but merging is given up.
func (v *volume) change(of purpose, what, name string, f func() error) error {
	err := v.failure()
	for stuck := false; err == nil; {
		if err = f(); err == nil || mutation.On(mutation.RetriedSync) && what == doSync && f() == nil {
			return nil
		}
		full := disk.IsFull(err) && what != doSync
		if full && of == ofMerge {
			if v.roomToMerge() {
				err = v.failure()
				continue
			}
			return v.giveUpMerge()
		}
		if full {
			if !stuck {
				stuck = true
				v.waiting.Add(1)
				v.onStuck()
				defer v.waiting.Add(-1)
			}
			if v.makeRoom() {
				err = v.failure()
				continue
			}
		}
		err = fmt.Errorf("%s %s: %w", what, name, err)
		v.fail(err)
	}
	if of == ofWAL {
		return nil // swallowed
	}
	<-v.closing
	return errors.Join(errVolumeClosed, err)
}

const doSync = "sync"

// purpose is what a file is for.
type purpose int

const (
	ofTable purpose = iota // or anything else that is waited for
	ofWAL                  // or a directory, whose fsync may follow a new write-ahead file
	ofMerge                // a table that takes the place of others
)

// Create makes a file.
func (v *volume) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return v.open(name, category, func() (vfs.File, error) {
		if category == categoryWAL {
			return v.createWAL(name)
		}
		return v.FS.Create(name, category)
	})
}

// ReuseForWrite makes a file of another one.
func (v *volume) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return v.open(name, category, func() (vfs.File, error) { return v.FS.ReuseForWrite(old, name, category) })
}

// OpenReadWrite opens or makes a file.
func (v *volume) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return v.open(name, category, func() (vfs.File, error) { return v.FS.OpenReadWrite(name, category, opts...) })
}

func (v *volume) open(name string, category vfs.DiskWriteCategory, f func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	wal, of := category == categoryWAL, ofTable
	if wal {
		of = ofWAL
	} else if category == categoryMerge {
		of = ofMerge
		v.beforeMerge()
	}
	var made bool
	err := v.change(of, "open", name, func() (err error) { file, err = f(); made = err == nil; return err })
	if err != nil {
		return nil, err
	}
	if !made {
		file = vfs.NewMemFile(nil) // of a volume that has failed: nobody will read it
	}
	opened := &volumeFile{File: file, v: v, name: name, of: of}
	if _, ok := witnessed(name, wal); ok && made {
		opened.sum = &running{}
	}
	if wal {
		v.begin(opened)
	}
	return opened, nil
}

// Open opens a file to read.
func (v *volume) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := v.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	return &volumeFile{File: file, v: v, name: name}, nil
}

// OpenDir opens a directory, to sync it.
func (v *volume) OpenDir(name string) (vfs.File, error) {
	dir, err := v.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &volumeFile{File: dir, v: v, name: name, of: ofWAL}, nil
}

// Rename gives a file another name.
func (v *volume) Rename(old, name string) error {
	return v.change(ofTable, "rename", old, func() error { return v.FS.Rename(old, name) })
}

// Link gives a file one more name.
func (v *volume) Link(old, name string) error {
	return v.change(ofTable, "link", old, func() error { return v.FS.Link(old, name) })
}

// Lock takes the directory's lock.
func (v *volume) Lock(name string) (io.Closer, error) {
	lock, err := v.FS.Lock(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return lock, err
}

// Unwrap returns what the volume is on.
func (v *volume) Unwrap() vfs.FS { return v.FS }

// volumeFile is an open file of a volume.
type volumeFile struct {
	vfs.File
	v    *volume
	name string
	of   purpose

	written, allocated atomic.Int64 // of a write-ahead file
	sum                *running     // nil: nobody wants to know
}

// Write appends.
func (f *volumeFile) Write(p []byte) (int, error) {
	done := 0 // of p: what there was no room for is written later
	return f.write(p, func() (int, error) {
		n, err := f.File.Write(p[done:])
		done += n
		return done, err
	})
}

// WriteAt writes somewhere in the file.
func (f *volumeFile) WriteAt(p []byte, at int64) (int, error) {
	if f.sum != nil {
		f.sum.lost()
	}
	return f.write(p, func() (int, error) { return f.File.WriteAt(p, at) })
}

func (f *volumeFile) write(p []byte, write func() (int, error)) (n int, err error) {
	var after synced
	if f.sum != nil {
		after = f.sum.with(p) // before it is written: a file may do with p what it likes
	}
	err = f.v.change(f.of, "write", f.name, func() error { n, err = write(); return err })
	if err == nil {
		n = len(p) // or swallowed
	}
	if f.of != ofWAL { // it was allocated ahead
		f.v.took(int64(n))
	}
	f.written.Add(int64(n))
	if f.sum != nil && n == len(p) {
		f.sum.wrote(after)
	} else if f.sum != nil {
		f.sum.lost()
	}
	return n, err
}

// Preallocate does nothing for a write-ahead file: room sees to it, and wants to know how it went.
func (f *volumeFile) Preallocate(offset, length int64) error {
	if f.of == ofWAL {
		return nil
	}
	return f.File.Preallocate(offset, length)
}

// Sync makes the file durable.
func (f *volumeFile) Sync() error { return f.sync(f.File.Sync) }

// SyncData makes what was written durable.
func (f *volumeFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *volumeFile) sync(sync func() error) error {
	begun := time.Now()
	var now synced
	known, wal := false, f.of == ofWAL
	if f.sum != nil {
		now, known = f.sum.now() // what comes meanwhile may be synced or not
	}
	err := f.v.change(f.of, doSync, f.name, sync)
	f.v.metrics.synced.Observe(time.Since(begun).Seconds())
	if known && err == nil && f.v.failure() == nil {
		now.Name, _ = witnessed(f.name, wal)
		f.v.witnesses.note(now, wal)
	}
	return err
}

// SyncTo begins to make the front of the file durable.
func (f *volumeFile) SyncTo(length int64) (full bool, err error) {
	err = f.v.change(f.of, doSync, f.name, func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Close closes the file. That of a file which was written tells of writes that failed late.
func (f *volumeFile) Close() error { return f.File.Close() }

// ReadAt reads somewhere in the file.
func (f *volumeFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	return n, unreadable(f.name, err)
}

// Read reads on.
func (f *volumeFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	return n, unreadable(f.name, err)
}

func unreadable(name string, err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", errUnreadable, name, err)
}
