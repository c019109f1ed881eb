package kv

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
)

const (
	walSlack    = 64 << 10 // for the frames of records, and for what is urgent
	roomPause   = 250 * time.Millisecond
	categoryOwn = vfs.DiskWriteCategory("ostraka-spare")
)

// room sees to it that a commit that begins also ends, however full the disk is, and that one which could not is refused
// before anything of it is written.
//
// A commit appends to the write-ahead file, which is allocated ahead, and may go on in another one, for which a spare is kept.
// Tables are written in the background; where they find no room, a piece of the warden's reserve is given up for them, and when
// that is used up they wait. Meanwhile commits go on for as long as memory takes what is not in tables yet.
type room struct {
	walSize int64                      // what a write-ahead file is allocated to: more than a memtable of records
	wal     atomic.Pointer[volumeFile] // the write-ahead file in use
	spare   string                     // its name; the committer's alone, and that of whoever opens the store
	spared  atomic.Bool                // there is one
	waiting atomic.Int32               // writes of tables that find no room
	files   atomic.Int64               // write-ahead files begun
}

// begin notes the write-ahead file in use.
func (v *volume) begin(f *volumeFile) {
	defer v.files.Add(1)
	size := int64(0)
	if info, err := f.File.Stat(); err == nil {
		size = info.Size() // of one that is used again
	}
	if size < v.walSize && f.File.Preallocate(size, v.walSize-size) == nil {
		v.took(v.walSize - size)
		size = v.walSize
	}
	f.allocated.Store(size)
	v.wal.Store(f)
}

// createWAL makes a write-ahead file, of the spare one if there is one.
func (v *volume) createWAL(name string) (vfs.File, error) {
	if v.spared.Swap(false) {
		if f, err := v.FS.ReuseForWrite(v.spare, name, categoryWAL); err == nil {
			return f, nil
		}
		_ = v.FS.Remove(v.spare)
	}
	return v.FS.Create(name, categoryWAL)
}

// admit tells whether a commit of so many bytes can be made now. The committer asks before it begins. What is urgent (a term,
// a vote) may use what is kept for it.
func (v *volume) admit(bytes int, urgent bool, behind func() bool) bool {
	f := v.wal.Load()
	if f == nil || v.failure() != nil {
		return true // it will hear of that
	}
	need := int64(bytes) + int64(bytes)/256
	if !urgent {
		need += walSlack
	}
	for f.allocated.Load()-f.written.Load() < need {
		step := max(v.walSize/4, need) // it has to be larger than foreseen
		err := f.File.Preallocate(f.allocated.Load(), step)
		switch {
		case !disk.IsFull(err): // or a file system that does not allocate ahead
			f.allocated.Add(step)
			v.took(step)
		case !v.giveUpReserve():
			return false
		}
	}
	return urgent || v.makeSpare() && (!v.stuck() || !behind())
}

// makeSpare makes sure that there is a spare write-ahead file.
func (v *volume) makeSpare() bool {
	if v.spared.Load() {
		return true
	}
	for {
		err := v.tryMakeSpare()
		if err == nil {
			v.spared.Store(true)
			return true
		}
		if !disk.IsFull(err) {
			return true // the next file will tell what is wrong
		}
		if !v.giveUpReserve() {
			return false
		}
	}
}

func (v *volume) tryMakeSpare() error {
	f, err := v.FS.Create(v.spare, categoryOwn)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing is in it
	if err := f.Preallocate(0, v.walSize); disk.IsFull(err) {
		return err
	}
	v.took(v.walSize)
	return nil
}

// took tells the warden of room that was taken.
func (v *volume) took(bytes int64) {
	if v.warden != nil {
		v.warden.Took(bytes)
	}
}

func (v *volume) giveUpReserve() bool { return v.warden != nil && v.warden.NoRoom(true) }

// makeRoom waits until a write that found no room may be tried again. It returns false when the volume is closed.
func (v *volume) makeRoom() bool {
	if v.giveUpReserve() {
		return true
	}
	timer := time.NewTimer(roomPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-v.closing:
		return false
	}
}
