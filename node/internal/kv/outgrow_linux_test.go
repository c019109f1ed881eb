package kv_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disktest"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// hoard is what one writer stores: a generation with a log of the last entries, as a replica does.
type hoard struct {
	gen     uint64
	warden  *disk.Warden
	s       *kv.Store
	random  *rand.Rand
	entries uint64            // of the log, so far
	points  map[uint64]uint64 // the version of each one that is stored
	noise   []byte
}

const keptEntries = 64

// entry adds a log entry and now and then forgets old ones.
func (h *hoard) entry(b *kv.Batch, data []byte) {
	h.entries++
	b.AppendLog(h.gen, kv.LogEntry{Index: h.entries, Term: 1, Data: data})
	if h.entries > keptEntries && h.entries%16 == 0 {
		b.CompactLog(h.gen, h.entries-keptEntries)
	}
	b.SetApplied(h.gen, h.entries)
}

// fill writes as fast as it can, until it is refused.
func (h *hoard) fill() error {
	for !h.warden.Room().Full {
		id, body, before := h.random.Uint64(), h.noise[:1+h.random.IntN(len(h.noise))], h.entries
		var b kv.Batch
		h.entry(&b, body)
		b.PutPayload(h.gen, point.Num(id), h.entries, body, kv.Refs{})
		err := h.s.TryCommit(context.Background(), &b)
		if errors.Is(err, kv.ErrFull) {
			h.entries = before
			return nil
		}
		if err != nil {
			return err
		}
		h.points[id] = h.entries
	}
	return nil
}

// clear deletes everything.
func (h *hoard) clear() error {
	for id, version := range h.points {
		var b kv.Batch
		h.entry(&b, nil)
		b.DeletePoint(h.gen, point.Num(id), kv.Refs{Payload: kv.Ref{Version: version}})
		if err := h.s.Commit(context.Background(), &b); err != nil {
			return err
		}
		delete(h.points, id)
	}
	return nil
}

// check demands every point that is stored, and no other.
func (h *hoard) check(t *testing.T) {
	t.Helper()
	v, err := h.s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for id, version := range h.points {
		if r, ok, err := v.Payload(h.gen, point.Num(id)); err != nil || !ok || r.Version != version {
			t.Fatalf("point %d: %v, version %d, %v; want version %d", id, ok, r.Version, err, version)
		}
	}
}

// Several writers fill a disk that nobody else uses, at full speed, until all are refused. Then deletes are taken, and give the room
// back; again and again.
func TestAStoreThatFillsItsDiskGivesRoomBack(t *testing.T) {
	sizes := []int{64, 96, 160}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size, " MiB"), func(t *testing.T) { fillAndClear(t, size) })
	}
}

func fillAndClear(t *testing.T, size int) {
	dir := disktest.Small(t, size)
	warden, err := disk.OpenWarden(disk.WardenOptions{FS: vfs.Default, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = warden.Close() })
	s, err := kv.Open(kv.Options{Dir: filepath.Join(dir, "store"), Warden: warden})
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 64<<10)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	var hoards []*hoard
	for w := range uint64(4) {
		hoards = append(hoards, &hoard{gen: gen + w, warden: warden, s: s, random: rand.New(rand.NewPCG(uint64(size), w)), points: map[uint64]uint64{}, noise: noise})
	}
	each := func(what func(*hoard) error) {
		t.Helper()
		var wg sync.WaitGroup
		for _, h := range hoards {
			wg.Go(func() {
				if err := what(h); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, h := range hoards {
			h.check(t)
		}
	}
	for round := range 2 {
		each((*hoard).fill)
		stored := 0
		for _, h := range hoards {
			stored += len(h.points)
		}
		if stored < 20 {
			t.Fatalf("round %d: only %d writes were taken", round, stored)
		}
		each((*hoard).clear)
		for deadline := time.Now().Add(3 * time.Minute); warden.Room().Full; <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("round %d: deleting %d points gave no room back: %+v\n%s", round, stored, warden.Room(), listing(dir))
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
