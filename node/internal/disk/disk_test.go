package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

var kind = disk.Kind{'t', 'e', 's', 't'}

// careless is a file system that lies about one kind of sync.
type careless struct {
	disk.FS
	skipFile, skipDir bool
}

func (c careless) SyncDir(dir string) error {
	if c.skipDir {
		return nil
	}
	return c.FS.SyncDir(dir)
}

func (c careless) Create(name string) (disk.File, error) {
	f, err := c.FS.Create(name)
	return carelessFile{f, c.skipFile}, err
}

type carelessFile struct {
	disk.File
	skip bool
}

func (f carelessFile) Sync() error {
	if f.skip {
		return nil
	}
	return f.File.Sync()
}

// crashing saves versions 1, 2, 3, cuts the power after the given number of steps, and says what is wrong with what
// is found after the restart, and whether all was saved before the crash.
func crashing(wrap func(disk.FS) disk.FS, steps int, seed uint64) (wrong string, done bool) {
	const name = "data/node"
	m := disk.NewMemory(seed)
	fsys := wrap(m)
	m.CrashAfter(steps)
	acknowledged, attempted := uint16(0), uint16(0)
	for v := uint16(1); v <= 3 && acknowledged == v-1; v++ {
		attempted = v
		if err := disk.Save(fsys, name, kind, v, body(v)); err == nil {
			acknowledged = v
		} else if !errors.Is(err, disk.ErrCrashed) {
			return err.Error(), false
		}
	}
	m.Restart()
	found, b, err := disk.Load(fsys, name, kind, 3)
	switch {
	case fault.Is(err, fault.NotFound) && acknowledged == 0:
	case err != nil:
		return fmt.Sprintf("version %d was saved: %v", acknowledged, err), false
	case found < acknowledged || found > attempted:
		return fmt.Sprintf("version %d was saved, %d attempted, %d found", acknowledged, attempted, found), false
	case !bytes.Equal(b, body(found)):
		return fmt.Sprintf("version %d has the content %q", found, b), false
	}
	if err := disk.Save(fsys, name, kind, 3, body(3)); err != nil {
		return "after the restart: " + err.Error(), false
	}
	return "", acknowledged == 3
}

func body(v uint16) []byte { return bytes.Repeat([]byte{byte('0' + v)}, 20*int(v)) }

func TestACrashAtAnyStepLeavesTheOldOrTheNew(t *testing.T) {
	honest := func(f disk.FS) disk.FS { return f }
	for steps, done := 0, false; !done; steps++ {
		for seed := range uint64(40) {
			var wrong string
			if wrong, done = crashing(honest, steps, seed); wrong != "" {
				t.Fatalf("power cut after %d steps, seed %d: %s", steps, seed, wrong)
			}
		}
		if steps > 100 {
			t.Fatal("three files take more than 100 steps")
		}
	}
}

// The crash test is worth something only if it notices when a sync is left out.
func TestTheCrashTestNoticesMissingSyncs(t *testing.T) {
	for name, wrap := range map[string]func(disk.FS) disk.FS{
		"content":   func(f disk.FS) disk.FS { return careless{FS: f, skipFile: true} },
		"directory": func(f disk.FS) disk.FS { return careless{FS: f, skipDir: true} },
	} {
		noticed := false
		for steps := 0; steps < 20 && !noticed; steps++ {
			for seed := range uint64(40) {
				wrong, _ := crashing(wrap, steps, seed)
				noticed = noticed || wrong != ""
			}
		}
		if !noticed {
			t.Errorf("without syncing the %s nothing goes wrong", name)
		}
	}
}

func TestFilesOfTheOperatingSystem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	name := filepath.Join(dir, "node")
	for range 2 {
		if err := disk.MakeDir(vfs.Default, dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := disk.Load(disk.On(vfs.Default), name, kind, 1); !fault.Is(err, fault.NotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for v := uint16(1); v <= 2; v++ {
		if err := disk.Save(disk.On(vfs.Default), name, kind, v, body(v)); err != nil {
			t.Fatal(err)
		}
		if found, b, err := disk.Load(disk.On(vfs.Default), name, kind, v); found != v || !bytes.Equal(b, body(v)) || err != nil {
			t.Errorf("version %d: found %d, %q, %v", v, found, b, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("something was left behind: %v, %v", entries, err)
	}
	for range 2 {
		if err := disk.RemoveFile(disk.On(vfs.Default), name); err != nil {
			t.Error(err)
		}
	}
	if err := disk.WriteFile(disk.On(vfs.Default), filepath.Join(dir, "no", "such"), nil); err == nil {
		t.Error("a file in no directory was written")
	}
}

func TestMakeDirSaysWhatIsInTheWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := disk.WriteFile(disk.On(vfs.Default), file, nil); err != nil {
		t.Fatal(err)
	}
	if err := disk.MakeDir(vfs.Default, file); !fault.Is(err, fault.FailedPrecondition) {
		t.Errorf("got %v", err)
	}
	if err := disk.MakeDir(vfs.Default, filepath.Join(file, "below")); !fault.Is(err, fault.FailedPrecondition) {
		t.Errorf("got %v", err)
	}
}

func TestDamageOtherKindsAndNewerVersionsAreToldApart(t *testing.T) {
	m := disk.NewMemory(1)
	if err := disk.Save(m, "f", kind, 2, []byte("content")); err != nil {
		t.Fatal(err)
	}
	whole, err := m.Read("f")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := disk.Load(m, "f", kind, 1); !errors.Is(err, disk.ErrVersion) || !fault.Is(err, fault.Unsupported) {
		t.Errorf("newer version: %v", err)
	}
	if _, _, err := disk.Load(m, "f", disk.Kind{'o'}, 2); !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "kind") {
		t.Errorf("other kind: %v", err)
	}
	load := func(b []byte) error {
		if err := disk.WriteFile(m, "f", b); err != nil {
			t.Fatal(err)
		}
		_, _, err := disk.Load(m, "f", kind, 2)
		return err
	}
	for i := range whole {
		if err := load(whole[:i]); !fault.Is(err, fault.Corrupt) {
			t.Errorf("cut at %d: %v", i, err)
		}
		bad := bytes.Clone(whole)
		bad[i] ^= 0x10
		if err := load(bad); !fault.Is(err, fault.Corrupt) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	if err := load(append(bytes.Clone(whole), 0)); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a byte too many: %v", err)
	}
}

// These bytes stand in users' data directories.
func TestSealedFilesNeverChange(t *testing.T) {
	m := disk.NewMemory(1)
	if err := disk.Save(m, "f", kind, 2, []byte("content")); err != nil {
		t.Fatal(err)
	}
	b, err := m.Read("f")
	if got := fmt.Sprintf("%x", b); err != nil || got != "74657374020007000000636f6e74656e74494a9b42" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestTooLargeABodyIsRefused(t *testing.T) {
	if err := disk.Save(disk.NewMemory(1), "f", kind, 1, make([]byte, disk.MaxFile)); !fault.Is(err, fault.Exhausted) {
		t.Errorf("got %v", err)
	}
}

func FuzzLoadNeverPanics(f *testing.F) {
	f.Add([]byte("test\x02\x00\x07\x00\x00\x00content"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := disk.NewMemory(1)
		if err := disk.WriteFile(m, "f", b); err != nil {
			t.Fatal(err)
		}
		v, body, err := disk.Load(m, "f", kind, 1<<16-1)
		if err != nil {
			return
		}
		if err := disk.Save(m, "f", kind, v, body); err != nil {
			t.Fatal(err)
		}
		if again, err := m.Read("f"); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x was read, and written as %x", b, again)
		}
	})
}
