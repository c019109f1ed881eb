package arena

import (
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func TestRowsThatLieTogetherAreFetchedTogether(t *testing.T) {
	type run struct {
		first uint32
		n     int
	}
	table := &vec.Table{Shift: 3, Stride: 100} // chunks of eight rows
	for _, c := range []struct {
		rows []uint32
		want []run
	}{
		{nil, nil},
		{[]uint32{5}, []run{{5, 1}}},
		{[]uint32{0, 1, 2}, []run{{0, 3}}},
		{[]uint32{6, 7, 8, 9}, []run{{6, 2}, {8, 2}}},
		{[]uint32{4, 3, 9, 9, 10, 1}, []run{{4, 1}, {3, 1}, {9, 1}, {9, 2}, {1, 1}}},
	} {
		var got []run
		eachRun(c.rows, table, func(first uint32, n int) { got = append(got, run{first, n}) })
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.rows, got, c.want)
		}
	}
}

// Whatever is fetched, first and last rows of chunks too, stays what it was.
func TestFetchedRowsStayWhatTheyAre(t *testing.T) {
	for _, stride := range []int{100, 4096, 70_001} {
		a, err := New(Options{Stride: stride, File: filepath.Join(t.TempDir(), "rows")})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = a.Close() }()
		perChunk := uint32(1) << a.shift
		if err := a.Grow(int(perChunk) + 1); err != nil {
			t.Fatal(err)
		}
		rows := []uint32{0, 1, 2, perChunk - 1, perChunk, 1}
		for _, row := range rows {
			a.Row(row)[0] = byte(row) + 1
		}
		if page := pagesOf(a.Table().At(perChunk), 1); unix.Mlock(page) == nil {
			if !there(a.Table(), perChunk) {
				t.Errorf("rows of %d bytes: one that was locked in memory is not there", stride)
			}
			_ = unix.Munlock(page)
		}
		for range 2 {
			a.Fetch(rows)
			a.Fetch(rows[:1])
			a.Fetch(nil)
			for _, row := range rows {
				if got := a.Row(row)[0]; got != byte(row)+1 {
					t.Errorf("rows of %d bytes: row %d is %d", stride, row, got)
				}
			}
			a.Forget()
		}
	}
}
