package kv

import (
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// A damaged end of the manifest, or of a write-ahead file, looks like one that a loss of power has torn: Pebble leaves it out, and
// with it tables, or commits, that were durable. So it is written down, beside both, how much of them was synced, and its sum: what
// is shorter, or sums up to something else, when the store is opened, is damaged.
//
// The witness of the manifest is saved after each change of it, a moment later and in the background: it may be behind, which only
// means that less is compared. That of the write-ahead file is saved when the store is closed; after a crash, what Pebble can tell
// by itself has to do: damage before the last synced block.
type witness struct {
	Manifest synced  `json:"manifest"`
	Log      *synced `json:"log,omitempty"`
}

// synced is how much of a file is on the disk.
type synced struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Sum   uint32 `json:"sum"` // CRC-32C
}

const (
	witnessFile    = "witness"
	witnessVersion = 1
	manifestPrefix = "MANIFEST-"
)

var witnessKind = disk.Kind{'O', 'S', 'W', 'T'}

// witnesses keep what is synced of the files that are witnessed.
type witnesses struct {
	mu struct {
		sync.Mutex
		witness
	}
	news chan struct{} // capacity 1: the manifest has changed
}

// note takes note of a file that was synced.
func (w *witnesses) note(s synced, log bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if log {
		w.mu.Log = &s
		return
	}
	w.mu.Manifest = s
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// running sums up a file as it is written from its beginning.
type running struct {
	mu struct {
		sync.Mutex
		synced
		astray bool // it was written elsewhere than at its end
	}
}

// with is what will have been written after p.
func (r *running) with(p []byte) synced {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.mu.synced
	s.Sum = crc32.Update(s.Sum, castagnoli, p)
	s.Bytes += int64(len(p))
	return s
}

// wrote takes note of what with has told. A file has one writer.
func (r *running) wrote(s synced) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.synced = s
}

func (r *running) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.astray = true
}

// now is what has been written, if it is known.
func (r *running) now() (synced, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.synced, !r.mu.astray
}

// witnessed tells whether a file is, and how it is called.
func witnessed(name string, wal bool) (base string, ok bool) {
	base = path.Base(name)
	return base, strings.HasPrefix(base, manifestPrefix) || wal && strings.HasSuffix(base, ".log")
}

// saveWitness writes down what is synced. log tells whether nothing will be written to the write-ahead file any more.
func (s *Store) saveWitness(log bool) {
	w := &s.volume.witnesses
	w.mu.Lock()
	known := w.mu.witness
	w.mu.Unlock()
	if !log {
		known.Log = nil
	}
	if known.Manifest.Name == "" {
		return
	}
	body, err := json.Marshal(known)
	if err == nil {
		err = disk.Save(disk.On(s.volume.FS), s.witnessPath, witnessKind, witnessVersion, body)
	}
	if err != nil && !disk.IsFull(err) {
		s.log.Warn("cannot write down what the disk holds; damage to it may be found later", "error", err)
	}
}

// runWitness saves the witness of the manifest until the store is closed.
func (s *Store) runWitness() {
	defer close(s.witnessed)
	for {
		select {
		case <-s.volume.witnesses.news:
			if s.volume.failure() == nil {
				s.saveWitness(false)
			}
		case <-s.closing:
			return
		}
	}
}

// checkWitness compares the files of a directory with what was written down.
func (s *Store) checkWitness(fs vfs.FS, dir string) error {
	_, body, err := disk.Load(disk.On(fs), s.witnessPath, witnessKind, witnessVersion)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	var known witness
	if err == nil {
		err = json.Unmarshal(body, &known)
	}
	if err != nil {
		s.log.Warn("what the disk held was written down, but cannot be read", "error", err)
		return nil
	}
	err = known.Manifest.check(fs, dir)
	if err == nil && known.Log != nil {
		err = known.Log.check(fs, dir)
	}
	if err != nil {
		return err
	}
	// A crash while the store opens may let it make a file of the same name again: what was written down is of the one before.
	return disk.RemoveFile(disk.On(fs), s.witnessPath)
}

// check reads a file's front. That it is not there is no damage: there is a newer one.
func (s synced) check(fs vfs.FS, dir string) error {
	if s.Name == "" || s.Name != path.Base(s.Name) {
		return nil
	}
	name := fs.PathJoin(dir, s.Name)
	f, err := fs.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	sum := crc32.New(castagnoli)
	n, err := io.Copy(sum, io.LimitReader(f, s.Bytes))
	switch {
	case err != nil:
		return fault.Wrap(fault.Corrupt, err, "read %s", name)
	case n < s.Bytes:
		return damaged("%s has %d bytes, %d were written", name, n, s.Bytes)
	case sum.Sum32() != s.Sum:
		return damaged("%s is not what was written: wrong checksum of its first %d bytes", name, s.Bytes)
	}
	return nil
}
