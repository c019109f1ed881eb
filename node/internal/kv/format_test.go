package kv_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// What stands in the golden file is on users' disks: a difference needs another FormatVersion.
func TestStoredBytesAreThoseOfTheFormat(t *testing.T) {
	s := open(t, newDisk())
	commit(t, s, func(b *kv.Batch) {
		b.AppendLog(gen, entries(1, 1, 2, 4)...)
		b.AppendLog(gen, entries(5, 3, 0)...)
		b.PutPoint(gen, point.Num(258), 3, []byte("payload"), []byte("vectors"), kv.Refs{})
		b.PutPoint(gen, point.UUID([16]byte{0: 0xab, 15: 1}), 4, nil, nil, kv.Refs{})
		b.SetHardState(gen, kv.HardState{Promised: 6, Led: 5})
		b.SetApplied(gen, 2)
		b.SetMeta("peer", []byte("id"))
	})
	commit(t, s, func(b *kv.Batch) {
		b.CompactLog(gen, 1)
		b.SetPending(gen, 3)
		b.SetFill(gen, kv.Fill{Index: 2, Through: point.Num(258).AppendKey(nil)})
	})
	l := s.Ledger()
	for _, err := range []error{
		l.Append(t.Context(), kv.LedgerEntry{Index: 9, Data: []byte("change")}), l.SetValue(t.Context(), "vote", []byte("me")),
		l.PutBlob(t.Context(), "snap", []byte("meta"), []byte("state")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden := filepath.Join("testdata", "format-1.golden")
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Dump(); got != string(want) {
		t.Errorf("stored:\n%s\nwant:\n%s", got, want)
	}
}

func FuzzValuesNeverPanic(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 14))
	f.Add(append(make([]byte, 12), 0xff, 0xff))
	f.Add(append([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, make([]byte, 9)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, err := range kv.OpenValues(b) {
			if err != nil && !fault.Is(err, fault.Corrupt) {
				t.Fatal(err)
			}
		}
	})
}
