package replica_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

func (c *cluster) lastIndex(peer catalog.PeerID, ref catalog.ShardRef) uint64 {
	return c.mu.up[peer].manager.Status([]catalog.ShardRef{ref})[0].LastIndex
}

// TestASealThatWasJustAppliedIsLookedForWhereItStands: its index is not yet known to be applied.
func TestASealThatWasJustAppliedIsLookedForWhereItStands(t *testing.T) {
	c, held := newTunedCluster(t, 3, func(o *replica.Options) { o.Tick = 100 * time.Millisecond }), &brake{}
	ref, id := c.movingOn(map[catalog.PeerID]*brake{2: held, 3: held})
	m := c.mu.up[1].manager
	feed := func(ctx context.Context, req replica.FeedRequest, begun func(cut uint64)) error {
		req.Ref, req.Move = ref, id
		return m.Feed(ctx, req, func(chunk replica.FeedChunk) error {
			if chunk.Begin != nil {
				begun(chunk.Begin.Cut)
			}
			return nil
		})
	}
	last := replica.FeedRequest{Seal: 2}
	c.eventually("the slots are copied", func() error {
		return feed(context.Background(), replica.FeedRequest{}, func(cut uint64) { last.Cursor = cut })
	})
	c.eventually("all three are active, and stay so whoever does not answer", func() error {
		if c.frozen.Store(true); len(c.shard(ref).Active()) == 3 {
			return nil
		}
		c.frozen.Store(false)
		return errors.New("they are not")
	})
	c.hold(held)
	end := replication.Index(c.lastIndex(1, ref))
	c.must(catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: ref.Collection, Move: id, Version: 1, Seal: true}})
	state, _ := c.Watch()
	c.eventually("the primary does nothing but wait for the seal", func() error {
		if !m.Follows(ref, state.Collections[ref.Collection]) {
			return errors.New("it does not")
		}
		return nil
	})
	released := make(chan struct{})
	release := unblocks(t, released)
	occupied := m.Occupy(ref, func(s replication.Status) bool { return s.CommitIndex > end }, released)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil && feed(ctx, last, func(uint64) {}) != nil { // the shard may learn of the phase later than it waits for it
		}
	}()
	receive(t, "the primary is occupied", occupied)
	c.eventually("the seal is applied", func() error {
		if _, ok := m.Moves(ref).Seal(id); !ok {
			return errors.New("it is not")
		}
		return nil
	})
	free := time.AfterFunc(time.Second, release) // should the answer wait for the replica
	looked := false
	err := feed(ctx, last, func(uint64) {
		looked = true
		free.Stop()
		release()
		time.AfterFunc(200*time.Millisecond, cancel)
	})
	if err == nil || !looked {
		t.Errorf("one replica of three has applied the seal, and the last pass has ended: %v, begun: %t", err, looked)
	}
	cancel()
	receive(t, "the other pass ends", ended)
}
