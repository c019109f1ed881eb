package kv_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
)

func TestLedgerSurvivesACrash(t *testing.T) {
	disk := newDisk()
	l := open(t, disk).Ledger()
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var entries []kv.LedgerEntry
	for i := range uint64(20) {
		entries = append(entries, kv.LedgerEntry{Index: 5 + i, Data: fmt.Append(nil, "entry ", 5+i)})
	}
	ok(l.Append(ctx, entries...))
	ok(l.Append(ctx, kv.LedgerEntry{Index: 24, Data: []byte("replaced")}))
	ok(l.Delete(ctx, 0, 9))
	ok(l.Delete(ctx, 23, ^uint64(0)))
	ok(l.Append(ctx, kv.LedgerEntry{Index: 23, Data: []byte("again")}))
	ok(l.SetValue(ctx, "term", []byte{7}))
	large := bytes.Repeat([]byte("0123456789"), 300_000) // six parts
	ok(l.PutBlob(ctx, "b", []byte("meta"), large))
	ok(l.PutBlob(ctx, "a", nil, nil))
	ok(l.PutBlob(ctx, "a1", nil, []byte("stays")))
	ok(l.DeleteBlob(ctx, "a"))

	l = crash(t, disk).Ledger()
	ok(l.Check(ctx))
	if first, last, err := l.Bounds(); first != 10 || last != 23 || err != nil {
		t.Errorf("bounds %d to %d, %v", first, last, err)
	}
	for index, want := range map[uint64]string{9: "", 10: "entry 10", 22: "entry 22", 23: "again", 24: ""} {
		if got, err := l.Entry(index); string(got) != want || err != nil {
			t.Errorf("entry %d: %q, %v", index, got, err)
		}
	}
	if v, err := l.Value("term"); !bytes.Equal(v, []byte{7}) || err != nil {
		t.Errorf("value %v, %v", v, err)
	}
	if v, err := l.Value("vote"); v != nil || err != nil {
		t.Errorf("absent value %v, %v", v, err)
	}
	if got, err := l.Blob("b"); !bytes.Equal(got, large) || err != nil {
		t.Errorf("blob of %d bytes, %v", len(got), err)
	}
	if got, err := l.Blob("a1"); string(got) != "stays" || err != nil {
		t.Errorf("blob %q, %v", got, err)
	}
	if all, err := l.Blobs(); len(all) != 2 || all[1].Name != "b" || string(all[1].Meta) != "meta" || all[1].Size != 3_000_000 || err != nil {
		t.Errorf("blobs %+v, %v", all, err)
	}
	if _, err := l.Blob("a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleted blob: %v", err)
	}
}

func TestLedgerFindsDamage(t *testing.T) {
	ctx := t.Context()
	for name, key := range map[string][]byte{
		"entry": kv.LedgerKey(7), "value": kv.ValueKey("vote"), "blob": kv.BlobKey("b"), "part": kv.BlobPartKey("b", 1),
	} {
		s := open(t, newDisk())
		l := s.Ledger()
		for i := range uint64(9) {
			if err := l.Append(ctx, kv.LedgerEntry{Index: 5 + i, Data: []byte("entry")}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.SetValue(ctx, "vote", []byte("for me")); err != nil {
			t.Fatal(err)
		}
		if err := l.PutBlob(ctx, "b", nil, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		sound := s.Raw(key)
		if err := l.Check(ctx); err != nil || sound == nil {
			t.Fatalf("%s: %v", name, err)
		}
		bad := bytes.Clone(sound)
		bad[len(bad)-1] ^= 4
		for what, value := range map[string][]byte{"flipped": bad, "cut": sound[:len(sound)-1], "missing": nil} {
			s.SetRaw(key, value)
			err := l.Check(ctx)
			if lost := what == "missing" && (name == "value" || name == "blob"); lost {
				continue // nothing tells that it was ever there
			}
			if !fault.Is(err, fault.Corrupt) {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
	}
}
