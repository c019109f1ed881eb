package replica_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// has returns which of ids a peer's replica shows.
func (c *cluster) has(ref catalog.ShardRef, peer catalog.PeerID, minIndex uint64, ids ...uint64) (int, error) {
	req := shard.GetRequest{}
	for _, id := range ids {
		req.IDs = append(req.IDs, point.Num(id))
	}
	records, _, err := c.mu.up[peer].manager.Get(context.Background(), ref, minIndex, req)
	return len(records), err
}

func TestWritesReachEveryReplica(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	for i := range uint64(20) {
		c.write(ref, upsert(i, i+100))
	}
	c.equal(ref, 1, 2, 3)
	if n, err := c.has(ref, 3, 0, 5, 105); err != nil || n != 2 {
		t.Errorf("peer 3 shows %d of 2 points: %v", n, err)
	}
}

func TestConcurrentWritersAreAllAnswered(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(2, 1, 2)
	c.write(ref, upsert(0))
	var wg sync.WaitGroup
	errs := make(chan error, 200)
	for w := range uint64(8) {
		wg.Go(func() {
			for i := range uint64(25) {
				_, _, err := c.mu.up[1].manager.Write(context.Background(), ref, 1, 0, upsert(w<<32|i), i%2 == 0)
				errs <- err
			}
		})
	}
	wg.Wait()
	for range 200 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	c.equal(ref, 1, 2)
}

func TestReadsWaitForTheIndexTheyNeed(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(1, 1, 2)
	for i := range uint64(50) {
		index := c.write(ref, upsert(i))
		c.eventually("the other replica shows the write", func() error {
			n, err := c.has(ref, 2, index, i)
			if err == nil && n != 1 {
				t.Fatalf("peer 2 said that it had applied %d and does not show point %d", index, i)
			}
			return err
		})
	}
	if _, err := c.has(ref, 2, 1000, 1); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a read of an index that does not come: %v, want Unavailable", err)
	}
}

func TestAcknowledgedWritesSurviveThePrimary(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	var ids []uint64
	for round := range uint64(4) {
		for i := range uint64(10) {
			id := round*100 + i
			c.write(ref, upsert(id))
			ids = append(ids, id)
		}
		primary := c.shard(ref).Primary
		c.stop(primary)
		c.write(ref, upsert(round*100+50))
		ids = append(ids, round*100+50)
		c.start(primary)
		c.equal(ref, 1, 2, 3)
	}
	for _, peer := range []catalog.PeerID{1, 2, 3} {
		if n, err := c.has(ref, peer, 0, ids...); err != nil || n != len(ids) {
			t.Errorf("peer %d shows %d of %d acknowledged points: %v", peer, n, len(ids), err)
		}
	}
}

func TestEverythingSurvivesARestartOfAll(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(3, 1, 2, 3)
	for i := range uint64(30) {
		c.write(ref, upsert(i))
	}
	for _, id := range []catalog.PeerID{1, 2, 3} {
		c.stop(id)
	}
	for _, id := range []catalog.PeerID{1, 2, 3} {
		c.start(id)
	}
	c.write(ref, upsert(1000))
	c.equal(ref, 1, 2, 3)
	if term := c.shard(ref).Term; term < 2 {
		t.Errorf("term %d after a restart: a primary led on in its old term (R7)", term)
	}
	var ids []uint64
	for i := range uint64(30) {
		ids = append(ids, i)
	}
	if n, err := c.has(ref, 2, 0, ids...); err != nil || n != 30 {
		t.Errorf("%d of 30 points: %v", n, err)
	}
}

func TestAReplicaThatWasAwayIsDemotedAndCatchesUp(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	c.write(ref, upsert(1))
	c.equal(ref, 1, 2, 3)
	c.stop(3)
	c.write(ref, upsert(2))
	c.eventually("the replica on peer 3 is demoted", func() error {
		if rep, _ := c.shard(ref).Replica(3); rep.State != catalog.Dead {
			return fmt.Errorf("state %d", rep.State)
		}
		return nil
	})
	for i := range uint64(300) {
		c.write(ref, upsert(10+i))
	}
	m := c.start(3)
	if _, _, err := m.manager.Count(context.Background(), ref, 0, shard.CountRequest{}); err == nil {
		if rep, _ := c.shard(ref).Replica(3); rep.State != catalog.Active {
			t.Error("a replica that does not count was read")
		}
	}
	c.equal(ref, 1, 2, 3)
}

func TestAPeerThatStaysAwayCostsNothing(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(1, 1, 2)
	c.write(ref, upsert(1))
	c.equal(ref, 1, 2)
	still := func() error {
		for _, m := range c.members() {
			if !m.manager.Still() {
				return fmt.Errorf("peer %d has something outstanding", m.id)
			}
		}
		return nil
	}
	c.eventually("all are at rest", still)
	c.stop(2)
	c.eventually("the copy that is away is demoted, and left alone", func() error {
		if active := c.shard(ref).Active(); len(active) != 1 {
			return fmt.Errorf("active: %v", active)
		}
		return still()
	})
	c.write(ref, upsert(2))
	c.eventually("a write is no reason to ask for it", still)
	c.start(2)
	c.equal(ref, 1, 2)
	c.eventually("all are at rest again", still)
}

func TestANewReplicaIsFilledFromTheLog(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2)
	for i := range uint64(100) {
		c.write(ref, upsert(i))
	}
	third := catalog.PeerID(3)
	r := c.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: c.shard(ref).Version, AddReplica: &third}})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	c.equal(ref, 1, 2, 3)
}

func TestWritesThatCannotReachWAreRefusedBeforehand(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(2, 1, 2)
	c.write(ref, upsert(1))
	c.stop(2)
	c.eventually("a write is refused for want of replicas", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _, err := c.mu.up[1].manager.Write(ctx, ref, 1, 0, upsert(2), true)
		if !fault.Is(err, fault.FailedPrecondition) {
			return fmt.Errorf("got %w, want FailedPrecondition", err)
		}
		return nil
	})
	c.start(2)
	c.write(ref, upsert(3))
	c.equal(ref, 1, 2)
}

func TestAWriteThatIsLateSaysThatItMayStillBeCommitted(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(2, 1, 2)
	c.write(ref, upsert(1))
	c.stop(2)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, _, err := c.mu.up[1].manager.Write(ctx, ref, 1, 0, upsert(2), true)
	if err == nil {
		t.Fatal("a write was acknowledged by one replica of two")
	}
	if fault.Is(err, fault.Timeout) && fault.Hint(err, fault.HintOutcome) != fault.OutcomeUnknown {
		t.Errorf("the error does not say that the outcome is unknown: %v", err)
	}
}

func TestAnOperationsOwnFailureIsTheWritersAlone(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(2, 1, 2)
	c.write(ref, upsert(1))
	op := point.EncodeOp(point.UpdateVectors{Points: []point.Point{{ID: point.Num(99), Vectors: point.Vectors{"": {1, 2}}}}})
	_, _, err := c.mu.up[1].manager.Write(context.Background(), ref, 1, 0, op, true)
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("update of a point that does not exist: %v, want NotFound", err)
	}
	c.write(ref, upsert(2))
	c.equal(ref, 1, 2)
}

func TestGarbageNeverEntersTheLog(t *testing.T) {
	c := newCluster(t, 1)
	ref := c.create(1, 1)
	c.write(ref, upsert(1))
	before := c.mu.up[1].manager.Status(nil)[0].LastIndex
	if _, _, err := c.mu.up[1].manager.Write(context.Background(), ref, 1, 0, []byte("garbage"), true); err == nil {
		t.Error("garbage was accepted as an operation")
	}
	if after := c.mu.up[1].manager.Status(nil)[0].LastIndex; after != before {
		t.Errorf("the log grew from %d to %d", before, after)
	}
}

func TestTheDataOfADeletedCollectionGoes(t *testing.T) {
	c := newCluster(t, 1)
	ref := c.create(1, 1)
	c.write(ref, upsert(1))
	name := "c"
	if r := c.apply(catalog.Command{DeleteCollection: &name}); r.Err != nil {
		t.Fatal(r.Err)
	}
	c.eventually("nothing is left on disk", func() error {
		gens, err := c.mu.up[1].store.Generations()
		if err == nil && len(gens) > 0 {
			err = fmt.Errorf("generations %v", gens)
		}
		return err
	})
	if _, _, err := c.mu.up[1].manager.Write(context.Background(), ref, 1, 0, upsert(2), true); !fault.Is(err, fault.StaleEpoch) {
		t.Errorf("write to a shard that is gone: %v, want StaleEpoch", err)
	}
}

func TestRaisedAndLoweredWriteQuorumFollowsTheDeclaration(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(1, 1, 2, 3)
	c.write(ref, upsert(1))
	for _, want := range []uint32{3, 2} {
		state, _ := c.Watch()
		col, _ := state.Lookup("c")
		config := col.Config
		config.WriteConsistencyFactor = want
		if r := c.apply(catalog.Command{UpdateCollection: &catalog.UpdateCollection{Name: "c", ID: col.ID, Base: col.Config, Config: config}}); r.Err != nil {
			t.Fatal(r.Err)
		}
		c.eventually(fmt.Sprintf("W is %d", want), func() error {
			if w := c.shard(ref).WriteQuorum; w != want {
				return fmt.Errorf("W = %d", w)
			}
			return nil
		})
		c.write(ref, upsert(uint64(want)))
	}
}
