package replica_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// must applies a command that has to succeed.
func (c *cluster) must(cmd catalog.Command) catalog.Result {
	c.t.Helper()
	r := c.apply(cmd)
	if r.Err != nil {
		c.t.Fatal(r.Err)
	}
	return r
}

// second makes a second shard without slots, and begins to move the upper half of the slots to it.
func (c *cluster) second(ref catalog.ShardRef, peers ...catalog.PeerID) (target catalog.ShardRef, id catalog.MoveID) {
	c.t.Helper()
	c.must(catalog.Command{Reshard: &catalog.Reshard{Collection: ref.Collection, ShardNumber: 2, Placement: [][]catalog.PeerID{peers}}})
	target = catalog.ShardRef{Collection: ref.Collection, Shard: 1}
	r := c.must(catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: ref.Collection, Begin: &catalog.BeginMove{
		Source: 0, Target: 1, Slots: []slot.Range{{From: slot.Count / 2, To: slot.Count - 1}},
	}}})
	return target, r.Move
}

// movingOn gives some peers of a new cluster of three disks that the test can stop, and makes a shard on all of them, which counts a
// write with one, holds points of both halves of the slots, and is about to give the upper half away.
func (c *cluster) movingOn(disks map[catalog.PeerID]*brake) (ref catalog.ShardRef, id catalog.MoveID) {
	c.t.Helper()
	c.disk = disks
	for peer := range disks {
		c.stop(peer)
		c.start(peer)
	}
	ref = c.create(1, 1, 2, 3)
	up, low := upperAndLower()
	c.write(ref, upsert(up, low))
	c.equal(ref, 1, 2, 3)
	_, id = c.second(ref, 2, 1)
	return ref, id
}

// upper returns the first id whose slot is in the upper half, lower one in the lower.
func upperAndLower() (upper, lower uint64) {
	for upper == 0 || lower == 0 {
		for i := uint64(1); ; i++ {
			if s := slot.Of(point.Num(i)); s >= slot.Count/2 && upper == 0 {
				upper = i
			} else if s < slot.Count/2 && lower == 0 {
				lower = i
			}
			if upper != 0 && lower != 0 {
				return upper, lower
			}
		}
	}
	return upper, lower
}

func TestAPrimaryTakesWritesOfTheSlotsThatItsCatalogGivesIt(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(1, 1, 2)
	up, low := upperAndLower()
	ctx := context.Background()
	write := func(ref catalog.ShardRef, peer catalog.PeerID, epoch, id uint64) error {
		_, _, err := c.mu.up[peer].manager.Write(ctx, ref, 1, epoch, upsert(id), true)
		return err
	}
	c.eventually("the shard takes writes", func() error { return write(ref, 1, 1, up) })
	if err := write(ref, 1, 2, up); !fault.Is(err, fault.StaleEpoch) || !strings.Contains(err.Error(), "knows epoch 1") || fault.Hint(err, move.HintEpoch) != "1" {
		t.Errorf("a write of a newer epoch: %v", err)
	}
	target, id := c.second(ref, 2, 1)
	if err := write(ref, 1, 1, up); err != nil {
		t.Errorf("while slots are copied: %v", err)
	}
	c.eventually("the new shard leads", func() error {
		if err := write(target, 2, 1, up); !fault.Is(err, fault.StaleEpoch) || !strings.Contains(err.Error(), "does not own") {
			return err
		}
		return nil
	})
	change := func(version uint64, m catalog.ChangeMove) {
		t.Helper()
		m.Collection, m.Move, m.Version = ref.Collection, id, version
		c.must(catalog.Command{ChangeMove: &m})
	}
	change(1, catalog.ChangeMove{Seal: true})
	change(2, catalog.ChangeMove{Flip: &catalog.FlipMove{}})
	c.eventually("the source knows", func() error {
		if err := write(ref, 1, 1, low); !fault.Is(err, fault.StaleEpoch) || fault.Hint(err, move.HintEpoch) != "2" {
			return errors.Join(errors.New("it does not"), err)
		}
		return nil
	})
	if err := write(ref, 1, 2, low); err != nil {
		t.Errorf("what it owns still: %v", err)
	}
	if err := write(ref, 1, 2, up); !fault.Is(err, fault.StaleEpoch) {
		t.Errorf("what it owns no more: %v", err)
	}
}

func TestAReaderWaitsForTheCatalogThatItKnows(t *testing.T) {
	c := newTunedCluster(t, 1, func(o *replica.Options) { o.ReadWait = time.Minute })
	ref := c.create(1, 1)
	up, low := upperAndLower()
	c.write(ref, upsert(up, low))
	m := c.mu.up[1].manager
	count := func(ctx context.Context, ref catalog.ShardRef, epoch uint64) (uint64, error) {
		n, _, err := m.Count(ctx, ref, 0, shard.CountRequest{Look: shard.Look{Epoch: epoch}})
		return n, err
	}
	ctx, brief := context.Background(), 100*time.Millisecond
	short, cancel := context.WithTimeout(ctx, brief)
	defer cancel()
	begun := time.Now()
	if _, err := count(short, ref, 2); !fault.Is(err, fault.StaleEpoch) || time.Since(begun) < brief/2 {
		t.Errorf("%v after %s: it should wait for a while", err, time.Since(begun))
	}
	target, id := c.second(ref, 1)
	c.eventually("the new shard can be read", func() error { _, err := count(ctx, target, 1); return err })
	c.must(catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: ref.Collection, Move: id, Version: 1, Seal: true}})
	answer := make(chan error, 1)
	go func() {
		n, err := count(ctx, ref, 2)
		if err == nil && n != 1 {
			t.Errorf("%d points in the new epoch", n)
		}
		answer <- err
	}()
	c.must(catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: ref.Collection, Move: id, Version: 2, Flip: &catalog.FlipMove{}}})
	if err := receive(t, "the reader is answered", answer); err != nil {
		t.Errorf("a reader of the new epoch: %v", err)
	}
	if _, err := count(ctx, ref, 1); !fault.Is(err, fault.StaleEpoch) || fault.Hint(err, move.HintWait) != "" {
		t.Errorf("a reader of the old epoch: %v", err)
	}
}

// TestALastPassEndsOnceTheSealIsWhereQuorumReadsLook: with W = 1 the primary's own disk is enough for all but that.
func TestALastPassEndsOnceTheSealIsWhereQuorumReadsLook(t *testing.T) {
	c := newCluster(t, 3)
	brakes := map[catalog.PeerID]*brake{2: {}, 3: {}}
	ref, id := c.movingOn(brakes)
	m := c.mu.up[1].manager
	whole := func() {} // called when the last piece has come
	pass := func(ctx context.Context, req replica.FeedRequest) (pieces int, last bool, cut uint64, err error) {
		req.Ref, req.Move = ref, id
		err = m.Feed(ctx, req, func(chunk replica.FeedChunk) error {
			if chunk.Begin != nil {
				cut = chunk.Begin.Cut
				return nil
			}
			if pieces, last = pieces+1, chunk.Last; last {
				whole()
			}
			return nil
		})
		return pieces, last, cut, err
	}
	var cursor uint64
	c.eventually("the slots are copied", func() (err error) {
		_, _, cursor, err = pass(context.Background(), replica.FeedRequest{})
		return err
	})
	c.must(catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: ref.Collection, Move: id, Version: 1, Seal: true}})
	c.frozen.Store(true) // those that do not answer stay active
	release := map[catalog.PeerID]func(){2: c.hold(brakes[2]), 3: c.hold(brakes[3])}
	last := replica.FeedRequest{Cursor: cursor, Seal: 2}
	c.eventually("everything comes", func() error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		whole = func() { time.AfterFunc(200*time.Millisecond, cancel) }
		_, all, cut, err := pass(ctx, last)
		if err == nil {
			t.Error("one replica of three has applied the seal, and the last pass has ended")
		}
		if !all || cut == 0 {
			return errors.Join(errors.New("it does not"), err)
		}
		return nil
	})
	whole = func() {}
	release[2]()
	c.eventually("two have", func() error {
		_, all, _, err := pass(context.Background(), last)
		if err == nil && !all {
			err = errors.New("it did not end")
		}
		return err
	})
}
