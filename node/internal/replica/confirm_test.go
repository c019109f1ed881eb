package replica_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func (c *cluster) confirm(ref catalog.ShardRef, peer catalog.PeerID, term uint64, patience time.Duration) (uint64, error) {
	c.mu.Lock()
	m := c.mu.up[peer]
	c.mu.Unlock()
	if m == nil {
		return 0, fault.New(fault.Unavailable, "peer %d is down", peer)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return m.manager.Confirm(ctx, ref, term)
}

func TestAConfirmedReadSeesEveryWriteBeforeIt(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	for i := range uint64(30) {
		written := c.write(ref, upsert(i))
		var wg sync.WaitGroup
		for range 4 { // they share questions
			wg.Go(func() {
				index, err := c.confirm(ref, 1, 1, 10*time.Second)
				if err != nil || index < written {
					t.Errorf("the write got %d, the read is to see %d: %v", written, index, err)
				}
			})
		}
		wg.Wait()
	}
	index, err := c.confirm(ref, 1, 1, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c.eventually("another replica shows as much", func() error {
		n, err := c.has(ref, 3, index, 29)
		if err == nil && n != 1 {
			t.Fatalf("peer 3 has applied %d and does not show the last write", index)
		}
		return err
	})
}

func TestOnlyAPrimaryConfirms(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(2, 1, 2)
	c.write(ref, upsert(1))
	c.eventually("the follower names the primary", func() error {
		_, err := c.confirm(ref, 2, 1, time.Second)
		if !fault.Is(err, fault.NotPrimary) || fault.Hint(err, "primary") != "1" {
			t.Errorf("got %v with hints %v", err, fault.Hints(err))
		}
		return nil
	})
	if _, err := c.confirm(ref, 1, 7, time.Second); !fault.Is(err, fault.StaleEpoch) {
		t.Errorf("a term that the primary does not know yet: %v", err)
	}
	if _, err := c.confirm(catalog.ShardRef{Collection: 99}, 1, 1, time.Second); !fault.Is(err, fault.StaleEpoch) {
		t.Errorf("a shard that is not here: %v", err)
	}
}

func TestAnOldPrimaryConfirmsNothing(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	c.write(ref, upsert(1))
	// The others have promised a higher term: fenced, not promoted yet.
	sh := c.shard(ref)
	for _, id := range []catalog.PeerID{2, 3} {
		rep, _ := sh.Replica(id)
		if _, err := c.mu.up[id].manager.Fence(context.Background(), ref, rep.Generation, sh.Term+5, false); err != nil {
			t.Fatal(err)
		}
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := c.confirm(ref, 1, 1, 20*time.Second)
		waiting <- err
	}()
	// The primary asks for a promotion when it hears of that, and is fenced by it: who waits is sent away at once.
	if err := receive(t, "the read is answered", waiting); !fault.Is(err, fault.NotPrimary) {
		t.Errorf("got %v, want NotPrimary", err)
	}
	c.eventually("the next primary confirms", func() error {
		sh := c.shard(ref)
		_, err := c.confirm(ref, sh.Primary, sh.Term, time.Second)
		return err
	})
}

func TestConfirmEndsWithItsContextAndItsReplica(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(2, 1, 2)
	c.write(ref, upsert(1))
	c.mu.Lock()
	follower := c.mu.up[2]
	c.mu.up[2] = &member{id: 2, c: c, inbox: make(chan envelope)} // alive for all that is known, and it takes nothing
	c.mu.Unlock()
	if _, err := c.confirm(ref, 1, 1, 50*time.Millisecond); !fault.Is(err, fault.Timeout) {
		t.Errorf("got %v, want Timeout", err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := c.confirm(ref, 1, 1, 20*time.Second)
		waiting <- err
	}()
	c.stop(1)
	if err := receive(t, "the read is answered", waiting); err == nil || fault.Is(err, fault.Timeout) {
		t.Errorf("after the replica was closed: %v", err)
	}
	c.mu.Lock()
	c.mu.up[2] = follower
	c.mu.Unlock()
}
