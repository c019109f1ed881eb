package replica_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// digestAt asks the replica on peer.
func (c *cluster) digestAt(ref catalog.ShardRef, peer catalog.PeerID, index uint64) (replica.Digest, error) {
	rep, _ := c.shard(ref).Replica(peer)
	c.mu.Lock()
	m := c.mu.up[peer]
	c.mu.Unlock()
	return m.manager.DigestAt(context.Background(), ref, rep.Generation, index, 0)
}

func TestDigestsAtOneIndexAreEqualWhileWritesGoOn(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	c.write(ref, upsert(1))
	stop, wg := make(chan struct{}), sync.WaitGroup{}
	for w := range 4 {
		wg.Go(func() {
			for i := uint64(0); ; i++ {
				select {
				case <-stop:
					return
				default:
					c.write(ref, upsert(uint64(w)*1000+i%50))
				}
			}
		})
	}
	matched := 0
	for ahead := uint64(20); matched < 5 && ahead < 1<<20; ahead += 20 {
		now, err := c.digestAt(ref, 1, 0)
		if err != nil || !now.Exact {
			t.Fatalf("now: %+v, %v", now, err)
		}
		index := now.Index + ahead
		var got [3]replica.Digest
		var ask sync.WaitGroup
		for i := range got {
			ask.Go(func() {
				var err error
				if got[i], err = c.digestAt(ref, catalog.PeerID(i+1), index); err != nil {
					t.Errorf("peer %d: %v", i+1, err)
				}
			})
		}
		ask.Wait()
		if !got[0].Exact || !got[1].Exact || !got[2].Exact {
			continue
		}
		matched++
		if got[0] != got[1] || got[1] != got[2] || got[0].Index != index {
			t.Errorf("at %d: %+v", index, got)
		}
	}
	close(stop)
	wg.Wait()
	if matched == 0 {
		t.Error("the replicas were never seen at the same index")
	}
}

func TestAReplicaThatIsPastAnIndexOrNotThereYetSaysWhereItIs(t *testing.T) {
	c := newCluster(t, 1)
	ref := c.create(1, 1)
	last := c.write(ref, upsert(1))
	for _, index := range []uint64{last - 1, last + 5} {
		if got, err := c.digestAt(ref, 1, index); err != nil || got.Exact || got.Index != last {
			t.Errorf("at %d: %+v, %v, it stands at %d", index, got, err, last)
		}
	}
	at, err := c.digestAt(ref, 1, last)
	now, err2 := c.digestAt(ref, 1, 0)
	if err != nil || err2 != nil || !at.Exact || at != now || at.Points != 1 {
		t.Errorf("at %d: %+v, %v; now: %+v, %v", last, at, err, now, err2)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	rep, _ := c.shard(ref).Replica(1)
	if _, err := c.members()[0].manager.DigestAt(ctx, ref, rep.Generation, last+5, 0); err == nil {
		t.Error("nobody waits any more, yet there was an answer")
	}
	if _, err := c.members()[0].manager.DigestAt(context.Background(), ref, rep.Generation+1, 0, 0); !fault.Is(err, fault.StaleEpoch) {
		t.Errorf("another generation: %v", err)
	}
	c.write(ref, upsert(2)) // the shard goes on although somebody has left
}

func TestWhatChangesBehindTheNodesBackChangesTheDigest(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(2, 1, 2)
	c.write(ref, upsert(1, 2, 3))
	c.equal(ref, 1, 2)
	rep, _ := c.shard(ref).Replica(2)
	var b kv.Batch
	b.PutPayload(uint64(rep.Generation), point.Num(2), 2, point.EncodePayload(point.Payload{"id": "no"}), kv.Refs{})
	if err := c.mu.up[2].store.Commit(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	one, err1 := c.digestAt(ref, 1, 0)
	two, err2 := c.digestAt(ref, 2, 0)
	if err1 != nil || err2 != nil || one.Index != two.Index || one.Digest == two.Digest {
		t.Errorf("%+v, %v and %+v, %v", one, err1, two, err2)
	}
}

func TestACopyThatDiffersIsNotReadUntilItIsJudgedEqualAgain(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(2, 1, 2)
	index := c.write(ref, upsert(1))
	rep, _ := c.shard(ref).Replica(2)
	m := c.mu.up[2].manager
	if err := m.Judge(ref, rep.Generation, "digest 1 at 2, others 3"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.has(ref, 2, index, 1); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "others 3") {
		t.Errorf("read: %v", err)
	}
	if st := m.Status([]catalog.ShardRef{ref}); st[0].Differs == "" {
		t.Errorf("status %+v", st)
	}
	if err := m.Judge(ref, rep.Generation, ""); err != nil {
		t.Fatal(err)
	}
	if n, err := c.has(ref, 2, index, 1); n != 1 || err != nil {
		t.Errorf("read: %d, %v", n, err)
	}
	if err := m.Judge(ref, rep.Generation+1, "x"); !fault.Is(err, fault.StaleEpoch) {
		t.Errorf("another generation: %v", err)
	}
}

func TestADistrustedReplicaIsDemoted(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	c.write(ref, upsert(1))
	version := c.shard(ref).Version
	c.eventually("the replica is demoted", func() error {
		if sh := c.shard(ref); sh.Version > version {
			return nil
		}
		if err := c.mu.up[1].manager.Distrust(ref, 3); err != nil {
			t.Fatal(err)
		}
		return fmt.Errorf("it is still %v", c.shard(ref).Active())
	})
	c.equal(ref, 1, 2, 3)
}
