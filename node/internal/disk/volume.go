package disk

import (
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// On returns the part of a volume that this package needs: of the operating system's, or of one in memory whose power can be cut.
func On(v vfs.FS) FS { return volume{v} }

type volume struct{ vfs.FS }

// category is what a volume is told of the files of this package.
const category vfs.DiskWriteCategory = "ostraka-file"

// Create makes an empty file in place of the one that had the name.
func (v volume) Create(name string) (File, error) { return v.FS.Create(name, category) }

// Read returns a file's content, up to MaxFile bytes.
func (v volume) Read(name string) ([]byte, error) {
	f, err := v.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(b) > MaxFile {
		err = errors.New("larger than any file of this kind")
	}
	return b, errors.Join(err, f.Close())
}

// SyncDir makes the names in a directory durable.
func (v volume) SyncDir(dir string) error {
	d, err := v.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeDir makes a directory and those above it, durably: each new name is synced in its parent.
func MakeDir(v vfs.FS, dir string) error {
	if info, err := v.Stat(dir); err == nil {
		if !info.IsDir() {
			return fault.New(fault.FailedPrecondition, "make directory %s: a file has that name", dir)
		}
		return nil
	}
	parent := v.PathDir(dir)
	if parent != dir {
		if err := MakeDir(v, parent); err != nil {
			return err
		}
	}
	if err := v.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Internal, err, "make directory")
	}
	return fault.Wrap(fault.Internal, volume{v}.SyncDir(parent), "make directory %s", dir)
}
