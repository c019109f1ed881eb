// Package disk owns small files that are either as they were or as they shall be, whatever happens while they are
// written: identity, settings, indexes of other files.
//
// A file that Save or WriteFile returned from survives the loss of power; one whose writing was cut short is the old
// one, whole. Damage is told apart from absence and from a newer version. The package never logs, never repairs, and
// locks nothing: a file has one writer at a time.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// FS is what this package needs of a file system. On gives the real one, Memory is one whose power can be cut.
type FS interface {
	// Create makes an empty file, or empties the one of that name.
	Create(name string) (File, error)
	// Read returns a file's content, and an error that is fs.ErrNotExist if there is none.
	Read(name string) ([]byte, error)
	// Rename gives a file another name, in place of the one that had it.
	Rename(from, to string) error
	// Remove takes a file's name away.
	Remove(name string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
}

// File is a file that is being written.
type File interface {
	io.WriteCloser
	// Sync makes the content, but not the name, durable.
	Sync() error
}

// MaxFile bounds the files of this package.
const MaxFile = 64 << 20

// tempSuffix marks a file that is not finished. A crash may leave one; the next write takes its place.
const tempSuffix = ".tmp"

// WriteFile writes data to the file name such that a crash at any moment leaves the old content or the new one, and
// the new one once WriteFile returned nil. After an error, either may be there.
//
// The order is what makes it so: the data is durable before the name points to it, the name before the return.
func WriteFile(fsys FS, name string, data []byte) error {
	temp := name + tempSuffix
	if err := writeSynced(fsys, temp, data); err != nil {
		_ = fsys.Remove(temp) // the error that matters is err
		return fault.Wrap(fault.Internal, err, "write %s", name)
	}
	if err := fsys.Rename(temp, name); err != nil {
		return fault.Wrap(fault.Internal, err, "write %s", name)
	}
	return fault.Wrap(fault.Internal, fsys.SyncDir(filepath.Dir(name)), "write %s", name)
}

func writeSynced(fsys FS, name string, data []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ReadFile returns a file's content. A missing file is an error of class fault.NotFound.
func ReadFile(fsys FS, name string) ([]byte, error) {
	b, err := fsys.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.NotFound, err, "read %s", name)
	}
	return b, fault.Wrap(fault.Internal, err, "read %s", name)
}

// RemoveFile removes a file durably. A missing one is no error.
func RemoveFile(fsys FS, name string) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Internal, err, "remove %s", name)
	}
	return fault.Wrap(fault.Internal, fsys.SyncDir(filepath.Dir(name)), "remove %s", name)
}
