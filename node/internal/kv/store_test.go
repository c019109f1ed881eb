package kv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const gen = 7

// disk is a file system in memory whose power can be cut.
func newDisk() *vfs.MemFS { return vfs.NewCrashableMem() }

func open(t *testing.T, disk vfs.FS) *kv.Store {
	t.Helper()
	s, err := kv.Open(kv.Options{Dir: "data/store", FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func reopen(t *testing.T, s *kv.Store, disk vfs.FS) *kv.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, disk)
}

// crash gives a store on what a loss of power leaves now: what was synced, and nothing else.
func crash(t *testing.T, disk *vfs.MemFS) *kv.Store {
	t.Helper()
	return open(t, disk.CrashClone(vfs.CrashCloneCfg{}))
}

func commit(t *testing.T, s *kv.Store, fill func(*kv.Batch)) {
	t.Helper()
	if err := tryCommit(s, fill); err != nil {
		t.Fatal(err)
	}
}

func tryCommit(s *kv.Store, fill func(*kv.Batch)) error {
	var b kv.Batch
	fill(&b)
	return s.Commit(context.Background(), &b)
}

func entries(term, from uint64, sizes ...int) []kv.LogEntry {
	var es []kv.LogEntry
	for i, n := range sizes {
		index := from + uint64(i)
		es = append(es, kv.LogEntry{Index: index, Term: term, Kind: uint8(index % 2), Data: bytes.Repeat([]byte{byte(index), byte(term)}, n/2)})
	}
	return es
}

func wantLog(t *testing.T, s *kv.Store, first uint64, want ...kv.LogEntry) {
	t.Helper()
	lo, hi, err := s.LogBounds(gen)
	if err != nil || lo != first || hi != first+uint64(len(want))-1 {
		t.Fatalf("bounds %d..%d, %v; want %d..%d", lo, hi, err, first, first+uint64(len(want))-1)
	}
	got, err := s.ReadLog(gen, lo, hi+1, 1<<40)
	if err != nil || len(got) != len(want) {
		t.Fatalf("read %d entries, %v; want %d", len(got), err, len(want))
	}
	for i, e := range got {
		if e.Index != want[i].Index || e.Term != want[i].Term || e.Kind != want[i].Kind || !bytes.Equal(e.Data, want[i].Data) {
			t.Fatalf("entry %d is %d/%d, %d bytes; want %d/%d, %d bytes", i, e.Index, e.Term, len(e.Data), want[i].Index, want[i].Term, len(want[i].Data))
		}
		if term, err := s.LogTerm(gen, e.Index); err != nil || term != e.Term {
			t.Fatalf("term of %d is %d, %v; want %d", e.Index, term, err, e.Term)
		}
	}
}

func TestSmallValuesSurviveCloseAndCrash(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	commit(t, s, func(b *kv.Batch) {
		b.SetHardState(gen, kv.HardState{Promised: 3, Led: 2})
		b.SetApplied(gen, 41)
		b.SetMeta("peer", []byte("me"))
		b.SetMeta("empty", nil)
	})
	check := func(s *kv.Store) {
		t.Helper()
		if hs, err := s.HardState(gen); err != nil || hs != (kv.HardState{Promised: 3, Led: 2}) {
			t.Errorf("hard state %+v, %v", hs, err)
		}
		if n, err := s.Applied(gen); err != nil || n != 41 {
			t.Errorf("applied %d, %v", n, err)
		}
		if v, err := s.Meta("peer"); err != nil || string(v) != "me" {
			t.Errorf("meta %q, %v", v, err)
		}
		if v, err := s.Meta("empty"); err != nil || v == nil || len(v) != 0 {
			t.Errorf("empty meta %v, %v", v, err)
		}
		if v, err := s.Meta("absent"); err != nil || v != nil {
			t.Errorf("absent meta %v, %v", v, err)
		}
	}
	check(s)
	check(crash(t, disk))
	check(reopen(t, s, disk))
}

func TestLogOfManySizesReadsBackAfterCrash(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	part := 512 << 10
	es := entries(1, 1, 0, 2, part-18, part-16, part, part+2, 3*part, 10)
	es = append(es, entries(4, 9, 100, 7*part, 6)...)
	commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, es...) }) // larger than a transaction
	wantLog(t, s, 1, es...)
	wantLog(t, crash(t, disk), 1, es...)
	wantLog(t, reopen(t, s, disk), 1, es...)
}

func TestTruncateAndAppendReplaceTheTail(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, entries(1, 1, 10, 1<<20, 10, 3<<20, 10)...) })
	fresh := entries(2, 2, 40, 40)
	commit(t, s, func(b *kv.Batch) {
		b.TruncateLog(gen, 2)
		b.AppendLog(gen, fresh...)
		b.SetHardState(gen, kv.HardState{Promised: 2})
	})
	want := append(entries(1, 1, 10), fresh...)
	wantLog(t, s, 1, want...)
	wantLog(t, crash(t, disk), 1, want...)
	commit(t, s, func(b *kv.Batch) { b.TruncateLog(gen, 1) })
	wantLog(t, s, 1)
	wantLog(t, reopen(t, s, disk), 1)
}

func TestCompactKeepsTheTermBeforeTheFirstEntry(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, append(entries(1, 1, 8, 1<<20, 8), entries(3, 4, 8, 8)...)...) })
	commit(t, s, func(b *kv.Batch) { b.CompactLog(gen, 3) })
	for range 2 {
		wantLog(t, s, 4, entries(3, 4, 8, 8)...)
		if term, err := s.LogTerm(gen, 3); err != nil || term != 1 {
			t.Errorf("term before the first: %d, %v", term, err)
		}
		if _, err := s.LogTerm(gen, 2); !errors.Is(err, kv.ErrOutsideLog) {
			t.Errorf("term of a compacted entry: %v", err)
		}
		if _, err := s.ReadLog(gen, 3, 5, 100); !errors.Is(err, kv.ErrOutsideLog) {
			t.Errorf("read of a compacted entry: %v", err)
		}
		s = reopen(t, s, disk)
	}
	commit(t, s, func(b *kv.Batch) { b.CompactLog(gen, 5) })
	s = reopen(t, s, disk)
	commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, entries(3, 6, 4)...) })
	wantLog(t, s, 6, entries(3, 6, 4)...)
	commit(t, s, func(b *kv.Batch) { b.SetLogBase(gen, 100, 9) })
	s = reopen(t, s, disk)
	wantLog(t, s, 101)
	if term, err := s.LogTerm(gen, 100); err != nil || term != 9 {
		t.Errorf("term of the base: %d, %v", term, err)
	}
}

func TestBatchWithAGapIsRefusedAndChangesNothing(t *testing.T) {
	s := open(t, newDisk())
	commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, entries(2, 1, 4, 4)...) })
	for name, fill := range map[string]func(*kv.Batch){
		"gap":                       func(b *kv.Batch) { b.AppendLog(gen, entries(2, 4, 4)...) },
		"overlap":                   func(b *kv.Batch) { b.AppendLog(gen, entries(2, 2, 4)...) },
		"lower term":                func(b *kv.Batch) { b.AppendLog(gen, entries(1, 3, 4)...) },
		"truncate before the first": func(b *kv.Batch) { b.TruncateLog(gen, 0) },
		"compact beyond the last":   func(b *kv.Batch) { b.CompactLog(gen, 3) },
	} {
		err := tryCommit(s, func(b *kv.Batch) { b.SetApplied(gen, 99); fill(b) })
		if !fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantLog(t, s, 1, entries(2, 1, 4, 4)...)
	if n, _ := s.Applied(gen); n != 0 || s.Err() != nil {
		t.Errorf("applied %d, %v", n, s.Err())
	}
}

func TestReadLogStopsAtMaxBytesButReturnsOne(t *testing.T) {
	s := open(t, newDisk())
	commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, entries(1, 1, 100, 100, 100, 100)...) })
	for _, c := range []struct{ max, want int }{{0, 1}, {1, 1}, {100, 1}, {199, 1}, {200, 2}, {1000, 3}} {
		got, err := s.ReadLog(gen, 1, 4, c.max)
		if err != nil || len(got) != c.want {
			t.Errorf("%d bytes: %d entries, %v; want %d", c.max, len(got), err, c.want)
		}
	}
}

func TestConcurrentCommitsAreAllStored(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	const writers, rounds = 16, 40
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			g := uint64(100 + w)
			for i := range rounds {
				if err := tryCommit(s, func(b *kv.Batch) {
					b.AppendLog(g, entries(1, uint64(i+1), 50)...)
					b.SetApplied(g, uint64(i+1))
				}); err != nil {
					t.Error(err)
				}
				if n, err := s.Applied(g); n != uint64(i+1) {
					t.Errorf("own write not seen: %d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	s = crash(t, disk)
	for w := range writers {
		if _, last, err := s.LogBounds(uint64(100 + w)); err != nil || last != rounds {
			t.Errorf("writer %d: log ends at %d, %v", w, last, err)
		}
	}
}

func TestViewShowsWholeBatchesOnly(t *testing.T) {
	s := open(t, newDisk())
	body := func(n byte) []byte { return bytes.Repeat([]byte{n}, 300<<10) }
	const points = 20 // 6 MB: several transactions
	refs := make([]kv.Refs, points)
	put := func(n byte) {
		commit(t, s, func(b *kv.Batch) {
			for i := range points {
				refs[i] = b.PutPayload(gen, point.Num(uint64(i)), uint64(n), body(n), refs[i])
			}
			b.SetApplied(gen, uint64(n))
		})
	}
	put(1)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			v, err := s.View()
			if err != nil {
				t.Error(err)
				return
			}
			applied, _ := v.Applied(gen)
			err = v.ScanPayloads(context.Background(), gen, nil, func(r kv.Record) (bool, error) {
				if r.Version != applied || r.Body[0] != byte(applied) {
					return false, fmt.Errorf("point %s has version %d, applied is %d", r.ID, r.Version, applied)
				}
				return true, nil
			})
			v.Close()
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	rounds := byte(12)
	if testing.Short() {
		rounds = 5
	}
	for n := byte(2); n < rounds; n++ {
		put(n)
	}
	close(stop)
	wg.Wait()
}

func TestLargeRecordsLeaveNoPiecesBehind(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	var ref kv.Refs
	for version, size := range []int{10, 600 << 10, 5 << 20, 512 << 10, 512<<10 - 14, 512<<10 - 13, 3 << 20, 0} {
		body := bytes.Repeat([]byte{byte(version + 1)}, size)
		commit(t, s, func(b *kv.Batch) { ref = b.PutVectors(gen, point.Num(1), uint64(version), body, ref) })
		s = reopen(t, s, disk)
		v, _ := s.View()
		r, ok, err := v.Vectors(gen, point.Num(1))
		if err != nil || !ok || !bytes.Equal(r.Body, body) || r.Version != uint64(version) || r.Ref != ref.Vectors {
			t.Fatalf("size %d: ok %v, %d bytes, version %d, ref %+v, %v", size, ok, len(r.Body), r.Version, r.Ref, err)
		}
		v.Close()
		if n := s.CountKeys(gen); n != 1+int(ref.Vectors.Pieces) {
			t.Fatalf("size %d: %d keys, %d pieces", size, n, ref.Vectors.Pieces)
		}
	}
	commit(t, s, func(b *kv.Batch) { ref = b.PutVectors(gen, point.Num(1), 50, make([]byte, 2<<20), ref) })
	commit(t, s, func(b *kv.Batch) { b.PutVectors(gen, point.Num(1), 50, make([]byte, 2<<20), ref) }) // redone
	v, _ := s.View()
	if r, _, err := v.Vectors(gen, point.Num(1)); err != nil || len(r.Body) != 2<<20 {
		t.Fatalf("redone: %d bytes, %v", len(r.Body), err)
	}
	v.Close()
	commit(t, s, func(b *kv.Batch) { b.DeletePoint(gen, point.Num(1), ref) })
	if n := s.CountKeys(gen); n != 0 {
		t.Fatalf("%d keys left", n)
	}
}

func TestDropGenerationRemovesEverythingOfItAndNothingElse(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	for _, g := range []uint64{1, 2, 3, ^uint64(0)} {
		commit(t, s, func(b *kv.Batch) {
			b.AppendLog(g, entries(1, 1, 10, 10)...)
			for i := range 6000 {
				b.PutPayload(g, point.Num(uint64(i)), 1, nil, kv.Refs{})
			}
			b.SetApplied(g, 2)
		})
	}
	if err := s.DropGeneration(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Generations(); err != nil || fmt.Sprint(got) != fmt.Sprint([]uint64{1, 3, ^uint64(0)}) {
		t.Fatalf("generations %v, %v", got, err)
	}
	if n := s.CountKeys(2); n != 0 || s.CountKeys(1) != 6003 || s.CountKeys(3) != 6003 {
		t.Fatalf("%d, %d, %d keys", n, s.CountKeys(1), s.CountKeys(3))
	}
	if _, last, _ := s.LogBounds(2); last != 0 {
		t.Fatalf("log of the dropped generation ends at %d", last)
	}
}

func TestDropIsOneStepThatACrashLeavesWholeOrNotAtAll(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	commit(t, s, func(b *kv.Batch) {
		for i := range 9000 {
			b.PutPayload(gen, point.Num(uint64(i)), 1, nil, kv.Refs{})
		}
	})
	before := disk.CrashClone(vfs.CrashCloneCfg{})
	if err := s.DropGeneration(context.Background(), gen); err != nil {
		t.Fatal(err)
	}
	if n := open(t, before).CountKeys(gen); n != 9000 {
		t.Errorf("before: %d keys", n)
	}
	for _, s := range []*kv.Store{crash(t, disk), s} {
		if n := s.CountKeys(gen); n != 0 {
			t.Errorf("%d keys left", n)
		}
		if got, err := s.Generations(); err != nil || len(got) != 0 {
			t.Errorf("generations %v, %v", got, err)
		}
		commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, entries(1, 1, 10)...) }) // as if nothing had ever been there
	}
}

func TestFailedWriteMakesTheStoreRefuseWritesForEver(t *testing.T) {
	s := open(t, newDisk())
	commit(t, s, func(b *kv.Batch) { b.SetApplied(gen, 1) })
	cause := errors.New("input/output error")
	s.FailCommitsAfter(0, cause)
	if err := tryCommit(s, func(b *kv.Batch) { b.SetApplied(gen, 2) }); !errors.Is(err, cause) || !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	s.FailCommitsAfter(1<<30, nil)
	if err := tryCommit(s, func(b *kv.Batch) { b.SetApplied(gen, 3) }); !errors.Is(err, kv.ErrFailed) {
		t.Fatal(err)
	}
	if n, err := s.Applied(gen); err != nil || n != 1 {
		t.Errorf("a view shows what was not durable: %d, %v", n, err)
	}
	if !errors.Is(s.Err(), kv.ErrFailed) {
		t.Error(s.Err())
	}
}

func TestOpenTellsWhatIsWrongWithADirectory(t *testing.T) {
	dir := t.TempDir()
	onDisk := func(dir string) *kv.Store {
		s, err := kv.Open(kv.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := onDisk(dir)
	if _, err := kv.Open(kv.Options{Dir: dir}); !errors.Is(err, kv.ErrLocked) || !fault.Is(err, fault.FailedPrecondition) {
		t.Errorf("locked: %v", err)
	}
	s.SetFormat(kv.FormatVersion + 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Open(kv.Options{Dir: dir}); !errors.Is(err, kv.ErrNewerFormat) || !fault.Is(err, fault.FailedPrecondition) {
		t.Errorf("newer: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Open(kv.Options{Dir: file}); err == nil {
		t.Error("a file was opened as a directory")
	}
	foreign := t.TempDir()
	f := onDisk(foreign)
	f.ForgetFormat()
	f.Close()
	if _, err := kv.Open(kv.Options{Dir: foreign}); !fault.Is(err, fault.FailedPrecondition) {
		t.Errorf("foreign: %v", err)
	}
}

func TestClosedStoreAnswersWithErrClosed(t *testing.T) {
	s := open(t, newDisk())
	v, _ := s.View()
	done := make(chan error)
	go func() { done <- s.Close() }()
	if _, err := v.Applied(gen); err != nil {
		t.Error("a view open during Close:", err)
	}
	v.Share().Close()
	v.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := tryCommit(s, func(b *kv.Batch) { b.SetApplied(gen, 1) }); !errors.Is(err, kv.ErrClosed) {
		t.Error(err)
	}
	if _, err := s.View(); !errors.Is(err, kv.ErrClosed) {
		t.Error(err)
	}
	if _, _, err := s.LogBounds(gen); !errors.Is(err, kv.ErrClosed) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
