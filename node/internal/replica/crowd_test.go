package replica_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disktest"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// disks says whose disks are full, as all peers hear it.
type disks struct{ full atomic.Value } // map[catalog.PeerID]error

func (d *disks) Full() map[catalog.PeerID]error {
	full, _ := d.full.Load().(map[catalog.PeerID]error)
	return full
}

func (d *disks) set(peers ...catalog.PeerID) {
	full := map[catalog.PeerID]error{}
	for _, id := range peers {
		full[id] = disk.Room{Free: 1 << 20, Total: 1 << 30, Low: 8 << 20, Enough: 16 << 20, Full: true}.Refusal(fmt.Sprintf("n%d (peer %d)", id, id))
	}
	d.full.Store(full)
}

func newCrowdedCluster(t *testing.T, peers int) (*cluster, *disks) {
	d := &disks{}
	return newTunedCluster(t, peers, func(o *replica.Options) { o.Disks = d }), d
}

// at sends an operation to a peer that leads.
func (c *cluster) at(ref catalog.ShardRef, peer catalog.PeerID, op []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c.mu.Lock()
	m := c.mu.up[peer]
	c.mu.Unlock()
	_, _, err := m.manager.Write(ctx, ref, c.shard(ref).Term, 0, op, true)
	return err
}

func remove(ids ...uint64) []byte {
	op := point.Delete{Selector: point.Selector{IDs: []point.ID{}}}
	for _, id := range ids {
		op.IDs = append(op.IDs, point.Num(id))
	}
	return point.EncodeOp(op)
}

func TestAReplicaWithoutRoomIsGivenUpUntilItHasRoom(t *testing.T) {
	c, d := newCrowdedCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	c.write(ref, upsert(1))
	c.equal(ref, 1, 2, 3)
	d.set(3)
	if err := c.at(ref, 1, remove(9)); err != nil || c.state(ref, 3).State != catalog.Active {
		t.Errorf("a delete costs the replica its place: %v, %+v", err, c.state(ref, 3))
	}
	for id := range uint64(20) {
		if err := c.at(ref, 1, upsert(id)); err != nil {
			t.Fatalf("two of three have room: %v", err)
		}
	}
	c.eventually("the replica without room is given up", func() error {
		if got := c.state(ref, 3); got.State != catalog.Dead {
			return fmt.Errorf("it is %v", got.State)
		}
		return nil
	})
	for id, begun := uint64(100), time.Now(); time.Since(begun) < 300*time.Millisecond; id++ { // long enough for it to be received again
		if err := c.at(ref, 1, upsert(id)); err != nil {
			t.Fatal(err)
		}
		if got := c.state(ref, 3); got.State != catalog.Dead {
			t.Fatalf("it is %v again without room", got.State)
		}
	}
	d.set()
	c.equal(ref, 1, 2, 3)
}

func TestAWriteWithoutRoomOnEnoughDisksIsRefusedWithAllThatHelps(t *testing.T) {
	c, d := newCrowdedCluster(t, 3)
	strong, quorum := c.createNamed("strong", 2, 1, 2), c.createNamed("quorum", 2, 1, 2, 3)
	c.write(strong, upsert(1, 2))
	c.write(quorum, upsert(1, 2))
	c.equal(quorum, 1, 2, 3)
	refused := func(ref catalog.ShardRef, texts ...string) {
		t.Helper()
		before := c.shard(ref).Version
		err := c.at(ref, 1, upsert(77))
		if !fault.Is(err, fault.Exhausted) || fault.Hint(err, disk.HintFull) == "" {
			t.Fatalf("got %v (hint %q)", err, fault.Hint(err, disk.HintFull))
		}
		for _, text := range texts {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q is not in %q", text, err)
			}
		}
		if n, err := c.has(ref, 1, 0, 77); err != nil || n != 0 {
			t.Errorf("what was refused is there: %d, %v", n, err)
		}
		if err := c.at(ref, 1, remove(1)); err != nil {
			t.Errorf("delete: %v", err)
		}
		if n, err := c.has(ref, 1, 0, 2); err != nil || n != 1 {
			t.Errorf("read: %d, %v", n, err)
		}
		if c.shard(ref).Version != before {
			t.Errorf("somebody was given up although all are needed")
		}
	}
	d.set(2)
	refused(strong, "shard 0: needs 2 of 2 replicas with room on their disks, 1 has it", "the disk of n2 (peer 2) is full: 1.0 MiB of 1.0 GiB are free, writes need 16.0 MiB", "Delete points or collections")
	d.set(1, 2)
	refused(quorum, "needs 2 of 3 replicas with room on their disks, 1 has it")
	d.set(1)
	if err := c.at(quorum, 1, upsert(5)); !fault.Is(err, fault.Exhausted) || fault.Hint(err, disk.HintFull) != "" {
		t.Errorf("a primary without room, where others have it: %v; want an error after which the write is tried again", err)
	}
	d.set()
	for _, ref := range []catalog.ShardRef{strong, quorum} {
		if err := c.at(ref, 1, upsert(78)); err != nil {
			t.Errorf("with room again: %v", err)
		}
	}
}

func TestASnapshotWaitsForRoom(t *testing.T) {
	d := &disks{}
	c := newTunedCluster(t, 3, func(o *replica.Options) { o.Disks, o.LogEntries, o.LogHold = d, 16, 1 })
	ref := c.create(2, 1, 2, 3)
	c.equal(ref, 1, 2, 3)
	c.away(ref, 3, 200)
	d.set(3)
	c.start(3)
	c.eventually("the replica is to begin anew", func() error {
		if c.state(ref, 3).Previous == 0 {
			return fmt.Errorf("it is %+v", c.state(ref, 3))
		}
		return nil
	})
	c.eventually("the snapshot waits", func() error {
		for _, tr := range c.mu.up[3].manager.Transfers() {
			if strings.Contains(tr.Problem, "the snapshot waits") && strings.Contains(tr.Problem, "is full") && tr.Failures == 0 {
				return nil
			}
		}
		return fmt.Errorf("transfers: %+v", c.mu.up[3].manager.Transfers())
	})
	d.set()
	c.equal(ref, 1, 2, 3)
}

// What is deleted from a full disk gives no room back as long as the log holds it.
func TestALogIsShortWhileTheDiskIsFull(t *testing.T) {
	fs := &disktest.Sized{FS: vfs.NewMem()}
	fs.Free.Store(1000 << 20)
	warden, err := disk.OpenWarden(disk.WardenOptions{FS: fs, Dir: "disk", Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = warden.Close() }) // after the peers
	c := newTunedCluster(t, 1, small)
	c.stop(1)
	c.warden = warden
	c.start(1)
	ref := c.create(1, 1)
	for id := range uint64(20) {
		c.write(ref, upsert(id))
	}
	if st := c.status(1); st.FirstIndex != 1 || st.LastIndex < 20 {
		t.Fatalf("the log holds %d..%d while there is room", st.FirstIndex, st.LastIndex)
	}
	fs.Free.Store(1 << 20)
	warden.Look()
	c.eventually("the log is short", func() error {
		if st := c.status(1); st.LastIndex-st.FirstIndex > 5 {
			return fmt.Errorf("it holds %d..%d", st.FirstIndex, st.LastIndex)
		}
		return nil
	})
	c.write(ref, remove(1, 2, 3))
}
