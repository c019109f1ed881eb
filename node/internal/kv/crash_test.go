package kv_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestCrashBetweenPartsLeavesAContiguousLogAndTheOldApplied(t *testing.T) {
	old := entries(1, 1, 100, 3<<20, 100, 3<<20, 100)
	fresh := entries(2, 3, 100, 3<<20, 2<<20, 100)
	for parts := range 7 {
		if testing.Short() && parts%3 != 1 {
			continue // the race detector is there for the others
		}
		disk := newDisk()
		s := open(t, disk)
		commit(t, s, func(b *kv.Batch) {
			b.AppendLog(gen, old...)
			b.SetApplied(gen, 2)
			b.SetHardState(gen, kv.HardState{Promised: 1})
		})
		s.FailCommitsAfter(parts, errors.New("power cut"))
		err := tryCommit(s, func(b *kv.Batch) {
			b.SetApplied(gen, 6)
			b.TruncateLog(gen, 3)
			b.AppendLog(gen, fresh...)
			b.SetHardState(gen, kv.HardState{Promised: 2})
		})
		c := crash(t, disk)
		_, last, lerr := c.LogBounds(gen)
		if lerr != nil {
			t.Fatalf("%d parts: %v", parts, lerr)
		}
		want := append(old[:2:2], fresh...)
		if term, _ := c.LogTerm(gen, last); term == 1 {
			want = old
		}
		wantLog(t, c, 1, want[:last]...)
		hs, _ := c.HardState(gen)
		applied, _ := c.Applied(gen)
		term, _ := c.LogTerm(gen, last)
		if hs.Promised < term || (err != nil) != (applied == 2) || err == nil && last != 6 {
			t.Fatalf("%d parts, %v: promised %d, last term %d, applied %d, last %d", parts, err, hs.Promised, term, applied, last)
		}
		commit(t, c, func(b *kv.Batch) { // the log can be written on from there
			b.TruncateLog(gen, min(3, last+1))
			b.AppendLog(gen, entries(3, min(3, last+1), 3<<20, 10)...)
		})
		wantLog(t, c, 1, append(want[:min(2, last):min(2, last)], entries(3, min(3, last+1), 3<<20, 10)...)...)
	}
}

func TestCrashDuringCompactionKeepsTheRestOfTheLog(t *testing.T) {
	es := entries(1, 1, make([]int, 40_000)...)
	for parts := range 4 {
		disk := newDisk()
		s := open(t, disk)
		commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, es...) })
		s.FailCommitsAfter(parts, errors.New("power cut"))
		err := tryCommit(s, func(b *kv.Batch) { b.CompactLog(gen, 39_990) })
		s = crash(t, disk)
		first, last, lerr := s.LogBounds(gen)
		if lerr != nil || last != 40_000 || first != 1 && first != 39_991 || err == nil && first == 1 {
			t.Fatalf("%d parts (%v): %d to %d, %v", parts, err, first, last, lerr)
		}
		commit(t, s, func(b *kv.Batch) { b.CompactLog(gen, 39_995) })
		if n := s.CountKeys(gen); n != 5+1 {
			t.Fatalf("%d parts: %d keys left", parts, n)
		}
	}
}

func TestFlippedBitsAreFound(t *testing.T) {
	s := open(t, newDisk())
	id := point.Num(5)
	commit(t, s, func(b *kv.Batch) {
		b.AppendLog(gen, kv.LogEntry{Index: 1, Term: 3, Kind: 1, Data: []byte("operation")})
		b.PutPayload(gen, id, 9, []byte("payload"), kv.Refs{})
		b.SetMeta("name", []byte("value"))
	})
	reads := map[string]func() error{
		string(kv.LogKey(gen, 1, 0)): func() error { _, err := s.ReadLog(gen, 1, 2, 100); return err },
		string(kv.PayloadKey(gen, id.AppendKey(nil))): func() error {
			v, err := s.View()
			if err != nil {
				return err
			}
			defer v.Close()
			_, _, err = v.Payload(gen, id)
			return err
		},
		string(append([]byte{1}, "name"...)): func() error { _, err := s.Meta("name"); return err },
	}
	for key, read := range reads {
		sound := s.Raw([]byte(key))
		if err := read(); err != nil {
			t.Fatal(err)
		}
		for i := range sound {
			bad := bytes.Clone(sound)
			bad[i] ^= 1 << (i % 8)
			s.SetRaw([]byte(key), bad)
			if err := read(); !fault.Is(err, fault.Corrupt) {
				t.Fatalf("key %x, byte %d: %v", key, i, err)
			}
		}
		for _, n := range []int{0, 3, 4, 12, len(sound) - 1} {
			s.SetRaw([]byte(key), sound[:n:n])
			if err := read(); !fault.Is(err, fault.Corrupt) {
				t.Fatalf("key %x cut to %d bytes: %v", key, n, err)
			}
		}
		s.SetRaw([]byte(key), sound)
	}
}

func TestDamagedLogDoesNotStopTheOthers(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	commit(t, s, func(b *kv.Batch) {
		b.AppendLog(gen, entries(1, 1, 4, 4, 4)...)
		b.AppendLog(8, entries(1, 1, 4)...)
	})
	s.SetRaw(kv.LogKey(gen, 3, 0), []byte("short"))
	s = reopen(t, s, disk)
	if _, _, err := s.LogBounds(gen); !fault.Is(err, fault.Corrupt) {
		t.Errorf("damaged log: %v", err)
	}
	if err := tryCommit(s, func(b *kv.Batch) { b.AppendLog(gen, entries(1, 4, 4)...) }); !fault.Is(err, fault.Corrupt) {
		t.Errorf("append to the damaged log: %v", err)
	}
	if _, last, err := s.LogBounds(8); err != nil || last != 1 {
		t.Errorf("sound log ends at %d, %v", last, err)
	}
	if err := s.DropGeneration(context.Background(), gen); err != nil {
		t.Error(err)
	}
}

func TestMissingEntryIsDamage(t *testing.T) {
	s := open(t, newDisk())
	commit(t, s, func(b *kv.Batch) { b.AppendLog(gen, entries(1, 1, 4, 4, 4)...) })
	s.SetRaw(kv.LogKey(gen, 2, 0), nil)
	if _, err := s.ReadLog(gen, 1, 4, 100); !fault.Is(err, fault.Corrupt) {
		t.Error(err)
	}
}

// The log as a list, over any changes and restarts.
func TestLogBehavesAsAList(t *testing.T) {
	disk := newDisk()
	s := open(t, disk)
	var next uint64 = 1000
	rapid.Check(t, func(rt *rapid.T) {
		g := next
		next++
		var list []kv.LogEntry
		var first, term uint64 = 1, 1
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			var b kv.Batch
			last := first + uint64(len(list)) - 1
			switch rapid.IntRange(0, 30).Draw(rt, "step") / 5 {
			case 0:
				from := rapid.Uint64Range(first, last+1).Draw(rt, "from")
				b.TruncateLog(g, from)
				list = list[:from-first]
			case 1:
				through := rapid.Uint64Range(first-1, last).Draw(rt, "through")
				b.CompactLog(g, through)
				list, first = list[through+1-first:], through+1
			case 6:
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = open(t, disk)
			}
			term += rapid.Uint64Range(0, 1).Draw(rt, "term")
			if b.Empty() {
				for range rapid.IntRange(1, 4).Draw(rt, "entries") {
					e := entries(term, first+uint64(len(list)), rapid.SampledFrom([]int{0, 8, 600 << 10}).Draw(rt, "size"))
					b.AppendLog(g, e...)
					list = append(list, e...)
				}
			}
			if err := s.Commit(context.Background(), &b); err != nil {
				rt.Fatal(err)
			}
			lo, hi, err := s.LogBounds(g)
			if err != nil || lo != first || hi != first+uint64(len(list))-1 {
				rt.Fatalf("%d to %d, %v; want %d and %d entries", lo, hi, err, first, len(list))
			}
			got, err := s.ReadLog(g, lo, hi+1, 1<<40)
			if err != nil || len(got) != len(list) {
				rt.Fatalf("%d entries, %v; want %d", len(got), err, len(list))
			}
			for i, e := range list {
				if got[i].Term != e.Term || !bytes.Equal(got[i].Data, e.Data) {
					rt.Fatalf("entry %d differs", e.Index)
				}
				if tm, err := s.LogTerm(g, e.Index); err != nil || tm != e.Term {
					rt.Fatalf("term of %d: %d, %v", e.Index, tm, err)
				}
			}
		}
	})
}
