package arena_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func newArena(t testing.TB, o arena.Options) *arena.Arena {
	t.Helper()
	a, err := arena.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// each runs a test on anonymous memory and on a file, with rows that do and do not divide pages.
func each(t *testing.T, test func(t *testing.T, a *arena.Arena)) {
	for _, stride := range []int{1, 4, 100, 128, 3136, 70_001} {
		t.Run("memory", func(t *testing.T) { test(t, newArena(t, arena.Options{Stride: stride})) })
		t.Run("file", func(t *testing.T) {
			test(t, newArena(t, arena.Options{Stride: stride, File: filepath.Join(t.TempDir(), "rows")}))
		})
	}
}

func fill(row []byte, number int) {
	for i := range row {
		row[i] = byte(number*31 + i)
	}
}

func TestRowsKeepTheirPlaceAndContentWhileTheArenaGrows(t *testing.T) {
	each(t, func(t *testing.T, a *arena.Arena) {
		var rows [][]byte
		for _, n := range []int{1, 2, 100, 1000, 3000} {
			if n*a.Stride() > 16<<20 {
				break
			}
			if err := a.Grow(n); err != nil {
				t.Fatal(err)
			}
			if a.Capacity() < n || a.Bytes() < int64(n*a.Stride()) {
				t.Fatalf("%d rows in %d bytes after growing to %d", a.Capacity(), a.Bytes(), n)
			}
			for i := len(rows); i < n; i++ {
				row := a.Row(uint32(i))
				if len(row) != a.Stride() || !bytes.Equal(row, make([]byte, len(row))) {
					t.Fatalf("row %d is not %d zeros", i, a.Stride())
				}
				fill(row, i)
				rows = append(rows, row)
			}
		}
		want := make([]byte, a.Stride())
		for i, row := range rows {
			fill(want, i)
			if !bytes.Equal(row, want) || &row[0] != &a.Row(uint32(i))[0] {
				t.Fatalf("row %d moved or changed", i)
			}
		}
	})
}

func TestRowsUpToTheCapacityMayBeWritten(t *testing.T) {
	each(t, func(t *testing.T, a *arena.Arena) {
		for n := 1; n < 10_000; n += n/3 + 1 {
			if err := a.Grow(n); err != nil {
				t.Fatal(err)
			}
			last := a.Row(uint32(a.Capacity() - 1))
			last[0], last[len(last)-1] = 1, 1
		}
	})
}

func TestAFileHoldsTheRows(t *testing.T) {
	name := filepath.Join(t.TempDir(), "rows")
	a := newArena(t, arena.Options{Stride: 8, File: name})
	if err := a.Grow(1000); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(1000) {
		binary.LittleEndian.PutUint64(a.Row(i), uint64(i))
	}
	if err := a.Sync(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil || len(b) < 8000 {
		t.Fatal(len(b), err)
	}
	for i := range 1000 {
		if binary.LittleEndian.Uint64(b[8*i:]) != uint64(i) {
			t.Fatalf("row %d is not in the file", i)
		}
	}
}

func TestReadersGoOnWhileTheArenaGrows(t *testing.T) {
	a := newArena(t, arena.Options{Stride: 1 << 10})
	if err := a.Grow(1); err != nil {
		t.Fatal(err)
	}
	a.Row(0)[0] = 7
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if arena.Slice[byte](a.Table(), 0, 1)[0] != 7 {
						t.Error("row 0 changed")
						return
					}
				}
			}
		})
	}
	for n := 1; n < 20_000; n += 500 {
		if err := a.Grow(n); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	for _, stride := range []int{0, -1, arena.MaxStride + 1} {
		if _, err := arena.New(arena.Options{Stride: stride}); !fault.Is(err, fault.Invalid) {
			t.Errorf("stride %d: %v", stride, err)
		}
	}
	a := newArena(t, arena.Options{Stride: 1})
	if err := a.Grow(arena.MaxRows + 1); !fault.Is(err, fault.Exhausted) {
		t.Error(err)
	}
	if _, err := arena.New(arena.Options{Stride: 1, File: filepath.Join(t.TempDir(), "no", "such")}); err == nil {
		t.Error("a file in no directory was made")
	}
}

func TestCloseForgetsAll(t *testing.T) {
	a, err := arena.New(arena.Options{Stride: 64})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Grow(100); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil || a.Capacity() != 0 || a.Bytes() != 0 || len(a.Table().Chunks) != 0 {
		t.Error(a.Capacity(), a.Bytes(), err)
	}
}
