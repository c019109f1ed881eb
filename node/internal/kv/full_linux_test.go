package kv_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disktest"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// churn writes points until it is stopped: each point again and again, so that what it stores stays small.
type churn struct {
	warden  *disk.Warden
	s       *kv.Store
	body    []byte
	next    uint64        // the next point
	stored  atomic.Uint64 // acknowledged writes
	refused atomic.Int64
	stop    chan struct{}
	wg      sync.WaitGroup
}

const churned = 1500 // points

func (c *churn) start(t *testing.T, s *kv.Store) {
	c.s, c.stop = s, make(chan struct{})
	c.wg.Go(func() {
		for {
			select {
			case <-c.stop:
				return
			default:
			}
			if c.warden.Room().Full {
				c.refused.Add(1)
				<-time.After(time.Millisecond)
				continue
			}
			var b kv.Batch
			b.PutPayload(gen, point.Num(c.next%churned), c.next+1, c.body, kv.Refs{})
			b.SetApplied(gen, c.next+1)
			switch err := s.TryCommit(context.Background(), &b); {
			case err == nil:
				c.next++
				c.stored.Store(c.next)
			case errors.Is(err, kv.ErrFull) && fault.Is(err, fault.Exhausted):
				c.refused.Add(1)
			default:
				t.Error(err)
				return
			}
		}
	})
}

func (c *churn) end() {
	close(c.stop)
	c.wg.Wait()
}

// check demands every acknowledged write.
func (c *churn) check(t *testing.T, s *kv.Store) {
	t.Helper()
	if applied, err := s.Applied(gen); err != nil || applied != c.next {
		t.Errorf("applied %d, %v; acknowledged %d", applied, err, c.next)
	}
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for id := range min(c.next, churned) {
		want := c.next - (c.next-1-id)%churned // the last write to it
		r, ok, err := v.Payload(gen, point.Num(id))
		if err != nil || !ok || r.Version != want || len(r.Body) != len(c.body) {
			t.Fatalf("point %d: %v, version %d, %d bytes, %v; want version %d", id, ok, r.Version, len(r.Body), err, want)
		}
	}
}

// Somebody else fills the disk to the last byte, again and again, while commits go on; then the store is closed and opened on it.
func TestAStoreOutlivesAFullDisk(t *testing.T) {
	dir := disktest.Small(t, 160)
	warden, err := disk.OpenWarden(disk.WardenOptions{FS: vfs.Default, Dir: dir, Every: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer warden.Close()
	onDisk := func() *kv.Store {
		s, err := kv.Open(kv.Options{Dir: filepath.Join(dir, "store"), Warden: warden})
		if err != nil {
			t.Error(err)
		}
		return s
	}
	s, filler := onDisk(), filepath.Join(dir, "filler")
	c := &churn{warden: warden, body: make([]byte, 20<<10)}
	for i := range c.body {
		c.body[i] = byte(rand.Uint32())
	}
	wait := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(3 * time.Minute); !ok(); <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Log(listing(dir))
				t.Fatalf("waited in vain until %s (%+v, %d stored, %d refused)", what, warden.Room(), c.stored.Load(), c.refused.Load())
			}
		}
	}
	fill := func() {
		t.Helper()
		if err := disktest.FillUp(filler); err != nil {
			t.Fatal(err)
		}
	}
	c.start(t, s)
	for round := range 3 {
		goal, was := c.stored.Load()+1500, c.refused.Load()
		wait("writes go on", func() bool { return c.stored.Load() > goal })
		wait("writes are refused", func() bool {
			fill()
			return c.refused.Load() > was+50
		})
		if room := warden.Room(); !room.Full || !fault.Is(room.Refusal("n1"), fault.Exhausted) {
			t.Errorf("round %d: the disk is not called full: %+v", round, room)
		}
		if n, err := s.Applied(gen); err != nil || n < goal {
			t.Errorf("round %d: read %d, %v", round, n, err)
		}
		if round < 2 {
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			wait("the disk has room", func() bool { return !warden.Room().Full })
		}
	}
	c.end()
	c.check(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("close on a full disk: %v", err)
	}
	fill()
	opened := make(chan *kv.Store, 1)
	go func() { opened <- onDisk() }()
	select {
	case s = <-opened: // with what was held in reserve
	case <-time.After(200 * time.Millisecond):
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		s = <-opened
	}
	_ = os.Remove(filler)
	c.check(t, s)
	c.start(t, s)
	goal := c.stored.Load() + 100
	wait("writes go on after the restart", func() bool { return c.stored.Load() > goal })
	c.end()
	c.check(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// listing tells what takes the room.
func listing(dir string) string {
	var out strings.Builder
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, _ := d.Info()
			st, _ := info.Sys().(*syscall.Stat_t)
			fmt.Fprintf(&out, "%s %d bytes, %d allocated\n", path[len(dir):], info.Size(), st.Blocks*512)
		}
		return err
	})
	return out.String()
}
