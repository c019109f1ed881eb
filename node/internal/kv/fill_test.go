package kv_test

import (
	"bytes"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestAFillIsReadBackAsItWasStored(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	if _, ok, err := s.Fill(gen); ok || err != nil {
		t.Fatalf("a generation that was never filled: %v, %v", ok, err)
	}
	for _, want := range []kv.Fill{
		{Index: 7}, {Index: 7, Through: point.Num(9).AppendKey(nil)},
		{Index: 8, Through: point.UUID([16]byte{3}).AppendKey(nil)}, {Whole: true, Index: 9},
	} {
		commit(t, s, func(b *kv.Batch) { b.SetFill(gen, want) })
		got, ok, err := s.Fill(gen)
		if err != nil || !ok || got.Whole != want.Whole || got.Index != want.Index || !bytes.Equal(got.Through, want.Through) {
			t.Errorf("stored %+v, read %+v, %v", want, got, err)
		}
	}
}

func TestLogSizesCountEveryPartOfTheLogThatIsThere(t *testing.T) {
	s := open(t, newDisk())
	commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, entries(1, 1, 10, 20, 600<<10, 30, 40)...) })
	commit(t, s, func(b *kv.Batch) { b.CompactLog(gen, 1); b.SetHardState(gen, kv.HardState{Promised: 1}) })
	got := map[uint64]int{}
	if err := s.LogSizes(t.Context(), gen, func(index uint64, bytes int) { got[index] += bytes }); err != nil {
		t.Fatal(err)
	}
	for index, data := range map[uint64]int{2: 20, 3: 600 << 10, 4: 30, 5: 40} {
		if got[index] < data || got[index] > data+64 {
			t.Errorf("entry %d: %d bytes, its data is %d", index, got[index], data)
		}
	}
	if len(got) != 4 {
		t.Errorf("entries: %v", got)
	}
}
