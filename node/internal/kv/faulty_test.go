package kv_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// faulty is a disk some of whose operations fail.
type faulty struct {
	fails atomic.Pointer[func(op errorfs.Op) error] // nil: none
}

func (f *faulty) String() string { return "faulty" }

// MaybeError implements errorfs.Injector.
func (f *faulty) MaybeError(op errorfs.Op) error {
	if fails := f.fails.Load(); fails != nil {
		return (*fails)(op)
	}
	return nil
}

func (f *faulty) set(fails func(op errorfs.Op) error) { f.fails.Store(&fails) }

// failing gives a disk that fails as f says.
func failing(disk vfs.FS) (*faulty, vfs.FS) {
	f := &faulty{}
	return f, reusing{errorfs.Wrap(disk, f)}
}

// reusing is a file system whose files can fail also where they are used again.
type reusing struct{ vfs.FS }

// ReuseForWrite makes a file of another one.
func (fs reusing) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.Rename(old, name); err != nil {
		return nil, err
	}
	return fs.OpenReadWrite(name, category)
}

func isSync(k errorfs.OpKind) bool { return k == errorfs.OpFileSync || k == errorfs.OpFileSyncData }

// holdsPoints tells files of the database from the witness beside them and its directory's entry: that is of what was durable before,
// and may be on its way when a file fails.
func holdsPoints(path string) bool {
	return strings.HasSuffix(path, ".log") || strings.HasSuffix(path, ".sst") || strings.Contains(path, "MANIFEST")
}

// After a failed fsync the kernel may have dropped what it could not write, and the next fsync succeeds without it. So the first one
// that fails, of whatever file, is the last: nothing that was written since counts, and nothing is written any more.
func TestAFailedSyncIsTheLast(t *testing.T) {
	for what, suffix := range map[string]string{"write-ahead file": ".log", "table": ".sst"} {
		t.Run(what, func(t *testing.T) {
			disk := newDisk()
			bad, fs := failing(disk)
			s := open(t, fs)
			var acked uint64
			next := func() error {
				err := tryCommit(s, func(b *kv.Batch) {
					b.PutPayload(gen, point.Num(acked), 1, make([]byte, 200<<10), kv.Refs{})
					b.SetApplied(gen, acked+1)
				})
				if err == nil {
					acked++
				}
				return err
			}
			for range 3 {
				if err := next(); err != nil {
					t.Fatal(err)
				}
			}
			var failed, later atomic.Int64
			var known atomic.Bool
			bad.set(func(op errorfs.Op) error {
				switch {
				case !isSync(op.Kind) || !holdsPoints(op.Path):
				case known.Load():
					later.Add(1)
				case failed.Load() > 0: // of another file, before this one's failure was told
				case strings.HasSuffix(op.Path, suffix):
					failed.Add(1)
					return syscall.EIO
				}
				return nil
			})
			var err error
			for range 500 { // tables are written once memory is full
				if err = next(); err != nil {
					known.Store(true)
					break
				}
			}
			if failed.Load() != 1 || !errors.Is(err, kv.ErrFailed) || !errors.Is(err, syscall.EIO) || !fault.Is(err, fault.Unavailable) {
				t.Fatalf("after %d failed fsyncs: %v", failed.Load(), err)
			}
			if err := next(); !errors.Is(err, kv.ErrFailed) || !errors.Is(s.Err(), kv.ErrFailed) {
				t.Errorf("the store goes on: %v, %v", err, s.Err())
			}
			if n, err := s.Applied(gen); err != nil || n != acked {
				t.Errorf("what is durable can be read: %d of %d, %v", n, acked, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if n := later.Load(); n > 0 {
				t.Errorf("%d fsyncs were made after it was known that one had failed", n)
			}
			again := crash(t, disk)
			if n, err := again.Applied(gen); err != nil || n != acked && n != acked+1 { // of the last one nobody knows
				t.Errorf("%d were acknowledged, %d are there: %v", acked, n, err)
			}
		})
	}
}

// A commit that finds no room is refused, and nothing of it is there; once there is room, the next one is made.
func TestACommitWithoutRoomIsRefused(t *testing.T) {
	disk := newDisk()
	bad, fs := failing(disk)
	s := open(t, fs)
	try := func(n uint64, size int) error {
		var b kv.Batch
		b.AppendLog(gen, entries(1, n, size)...)
		return s.TryCommit(context.Background(), &b)
	}
	if err := try(1, 100); err != nil {
		t.Fatal(err)
	}
	bad.set(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFilePreallocate || op.Kind == errorfs.OpCreate {
			return syscall.ENOSPC
		}
		return nil
	})
	var refused uint64
	for n := uint64(2); refused == 0; n++ {
		switch err := try(n, 1<<20); {
		case errors.Is(err, kv.ErrFull) && fault.Is(err, fault.Exhausted):
			refused = n
		case err != nil:
			t.Fatal(err)
		case n > 400:
			t.Fatal("400 MiB went into no room at all")
		}
	}
	if _, last, err := s.LogBounds(gen); err != nil || last != refused-1 {
		t.Errorf("entry %d was refused, the log ends at %d: %v", refused, last, err)
	}
	if _, last, err := crash(t, disk).LogBounds(gen); err != nil || last != refused-1 {
		t.Errorf("entry %d was refused, after a crash the log ends at %d: %v", refused, last, err)
	}
	bad.set(func(errorfs.Op) error { return nil })
	if err := try(refused, 1<<20); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("a full disk is no failure: %v", err)
	}
}

// Power is lost while commits are under way, and of what was not synced, any pages may be there or not: what was acknowledged is.
func TestATornTailTakesNothingThatWasAcknowledged(t *testing.T) {
	rounds := 24
	if testing.Short() {
		rounds = 6
	}
	for round := range uint64(rounds) {
		random := rand.New(rand.NewPCG(round, 1))
		disk := newDisk()
		s := open(t, disk)
		const writers = 4
		var acked [writers]atomic.Uint64
		var wg sync.WaitGroup
		stop, cut := make(chan struct{}), make(chan struct{})
		at := int64(1 + random.IntN(60))
		var total atomic.Int64
		for w := range uint64(writers) {
			size := 1 + random.IntN(40<<10)
			wg.Go(func() {
				for n := uint64(1); ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					if err := tryCommit(s, func(b *kv.Batch) {
						b.AppendLog(gen+w, entries(1, n, size)...)
						b.SetApplied(gen+w, n)
					}); err != nil {
						t.Error(err)
						return
					}
					acked[w].Store(n)
					if total.Add(1) == at {
						close(cut)
					}
				}
			})
		}
		<-cut
		var promised [writers]uint64
		for w := range promised {
			promised[w] = acked[w].Load()
		}
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 20 * random.IntN(6), RNG: random})
		close(stop)
		wg.Wait()
		again := open(t, left)
		for w, n := range promised {
			_, last, err := again.LogBounds(gen + uint64(w))
			if err != nil || last < n {
				t.Fatalf("round %d: writer %d was acknowledged %d entries, %d are there: %v", round, w, n, last, err)
			}
			if got, err := again.ReadLog(gen+uint64(w), 1, last+1, 1<<40); err != nil || uint64(len(got)) != last {
				t.Fatalf("round %d: %d of %d entries: %v", round, len(got), last, err)
			}
			if applied, err := again.Applied(gen + uint64(w)); err != nil || applied < n || applied > last {
				t.Fatalf("round %d: applied %d of %d: %v", round, applied, last, err)
			}
		}
		if err := errors.Join(again.Close(), s.Close()); err != nil {
			t.Fatal(fmt.Errorf("round %d: %w", round, err))
		}
	}
}
