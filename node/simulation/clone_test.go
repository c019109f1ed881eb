package simulation_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// cloneDir copies a tree.
func cloneDir(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return nil // nothing was kept yet
		}
		if err != nil {
			return err
		}
		name := filepath.Join(to, path[len(from):])
		if d.IsDir() {
			return os.MkdirAll(name, 0o700)
		}
		return cloneFile(name, path)
	})
}

// Where data begins and where it ends, for Seek, as Linux and others have it.
const (
	seekData = 3
	seekHole = 4
)

// cloneFile copies a file without its holes, of which preallocated files mostly consist.
func cloneFile(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = dst.Truncate(info.Size())
	for at := int64(0); err == nil && at < info.Size(); {
		begin, end := nextData(src, at, info.Size())
		_, err = io.Copy(io.NewOffsetWriter(dst, begin), io.NewSectionReader(src, begin, end-begin))
		at = end
	}
	return errors.Join(err, dst.Close())
}

// nextData returns where the next data of a file stands from at on, all of the rest if the system knows no holes.
func nextData(f *os.File, at, size int64) (begin, end int64) {
	begin, err := f.Seek(at, seekData)
	if errors.Is(err, syscall.ENXIO) {
		return size, size // a hole up to the end
	}
	if err == nil {
		end, err = f.Seek(begin, seekHole)
	}
	if err != nil {
		return at, size
	}
	return begin, end
}
