package replica_test

import (
	"context"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// What was promised before a restart is promised after it: an older primary gets no acknowledgement, and no older fence an answer
// that would let it promote.
func TestAPromiseSurvivesARestart(t *testing.T) {
	c := newCluster(t, 2)
	ref := c.create(2, 1, 2)
	c.write(ref, upsert(1))
	c.equal(ref, 1, 2)
	c.frozen.Store(true)
	sh := c.shard(ref)
	rep, _ := sh.Replica(2)
	fence := func(term uint64) (promised, last uint64) {
		t.Helper()
		c.eventually("the replica answers a fence", func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			a, err := c.mu.up[2].manager.Fence(ctx, ref, rep.Generation, term, false)
			promised, last = a.Promised, a.LastIndex
			return err
		})
		return promised, last
	}
	const term = 9
	if promised, _ := fence(term); promised != term {
		t.Fatalf("it promises %d", promised)
	}
	c.stop(1) // nobody says anything but this test
	c.stop(2)
	c.start(2)
	promised, last := fence(sh.Term)
	if promised != term {
		t.Errorf("after a restart it has promised %d, not %d", promised, term)
	}
	c.mu.up[2].manager.Step(ref, rep.Generation, replication.Message{
		Type: replication.MsgAppend, From: 1, To: 2, Term: replication.Term(sh.Term), PrevIndex: replication.Index(last), PrevTerm: replication.Term(sh.Term),
		Entries: []replication.Entry{{Term: replication.Term(sh.Term), Index: replication.Index(last) + 1, Data: upsert(2)}},
	})
	if _, now := fence(sh.Term); now != last {
		t.Errorf("it follows a primary of term %d: its log ends at %d, not %d", sh.Term, now, last)
	}
}

// A replica acknowledges what is on its disk, not what is on its way there.
func TestAReplicaAcknowledgesWhatIsDurable(t *testing.T) {
	c := newCluster(t, 2)
	var held brake
	c.disk = map[catalog.PeerID]*brake{2: &held}
	c.stop(2)
	c.start(2)
	ref := c.create(2, 1, 2)
	c.write(ref, upsert(1))
	c.equal(ref, 1, 2)
	c.frozen.Store(true) // nobody is demoted
	release := c.hold(&held)
	sh := c.shard(ref)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answered := make(chan error, 1)
	go func() {
		_, _, err := c.mu.up[sh.Primary].manager.Write(ctx, ref, sh.Term, 0, upsert(2), false)
		answered <- err
	}()
	timer := time.NewTimer(300 * time.Millisecond) // any time will do: it never is
	defer timer.Stop()
	select {
	case err := <-answered:
		t.Fatalf("a write is answered (%v) while one of two disks does not have it", err)
	case <-timer.C:
	}
	release()
	c.frozen.Store(false)
	receive(t, "the write is answered", answered) // with whatever: how long the disk took is nobody's promise
	c.write(ref, upsert(3))
	c.equal(ref, 1, 2)
}
