package replica_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// braked is a cluster of three peers, all active, of which 2 and 3 write to disks that the test can stop.
func braked(t *testing.T, quorum uint32, tick time.Duration) (c *cluster, ref catalog.ShardRef, held *brake) {
	t.Helper()
	c = newTunedCluster(t, 3, func(o *replica.Options) { o.Tick = tick })
	ref = c.create(quorum, 1, 2, 3)
	c.equal(ref, 1, 2, 3)
	held = &brake{}
	c.disk = map[catalog.PeerID]*brake{2: held, 3: held}
	c.frozen.Store(true) // nobody is demoted
	for _, id := range []catalog.PeerID{2, 3} {
		c.stop(id)
		c.start(id)
	}
	c.frozen.Store(false)
	c.equal(ref, 1, 2, 3)
	if sh := c.shard(ref); sh.Primary != 1 || len(sh.Active()) != 3 {
		t.Fatalf("not as the test wants it: %s", sh)
	}
	c.frozen.Store(true)
	return c, ref, held
}

// later starts a write on peer 1 and returns where its outcome comes.
func (c *cluster) later(ref catalog.ShardRef, id uint64) <-chan error {
	answer, term := make(chan error, 1), c.shard(ref).Term
	m := c.mu.up[1]
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, _, err := m.manager.Write(ctx, ref, term, 0, upsert(id), true)
		answer <- err
	}()
	return answer
}

// yield fences peer 1 as a planned move does.
func (c *cluster) yield(ref catalog.ShardRef) <-chan error {
	sh, answer := c.shard(ref), make(chan error, 1)
	rep, _ := sh.Replica(1)
	m := c.mu.up[1]
	go func() {
		got, err := m.manager.Fence(context.Background(), ref, rep.Generation, sh.Term+1, true)
		if err == nil && got.Promised != sh.Term+1 {
			err = fmt.Errorf("promised %d", got.Promised)
		}
		answer <- err
	}()
	return answer
}

func (c *cluster) inLog(ref catalog.ShardRef, last uint64) {
	c.t.Helper()
	c.eventually("the write is in the primary's log", func() error {
		if st := c.status(1); st.LastIndex != last {
			return fmt.Errorf("last %d, want %d", st.LastIndex, last)
		}
		return nil
	})
}

func TestAPrimaryThatGivesWayAnswersWhatItHasTakenFirst(t *testing.T) {
	for _, quorum := range []uint32{1, 2} {
		t.Run(fmt.Sprintf("W=%d", quorum), func(t *testing.T) {
			c, ref, held := braked(t, quorum, 500*time.Millisecond) // it gives way after four ticks at the latest
			last := c.status(1).LastIndex
			release := c.hold(held)
			first := c.later(ref, 900)
			c.inLog(ref, last+1)
			if quorum == 1 { // the write is answered, and nobody else has it: nobody else could lead
				if err := receive(t, "the first write is answered", first); err != nil {
					t.Fatal(err)
				}
			}
			fenced := c.yield(ref)
			c.eventually("the primary gives way", func() error {
				if !c.mu.up[1].manager.Yielding(ref) {
					return errors.New("it does not yet")
				}
				return nil
			})
			second := c.later(ref, 901)
			select {
			case err := <-fenced:
				t.Errorf("fenced at once: %v", err)
			case err := <-second:
				t.Errorf("a write that came meanwhile was answered: %v", err)
			case <-time.After(15 * time.Millisecond): // less than it waits at most
			}
			release()
			if quorum == 2 {
				if err := receive(t, "the first write is answered", first); err != nil {
					t.Errorf("the write that it had taken: %v", err)
				}
			}
			if err := receive(t, "the fence is answered", fenced); err != nil {
				t.Error(err)
			}
			if err := receive(t, "the second write is answered", second); !fault.Is(err, fault.NotPrimary) || fault.Hint(err, fault.HintOutcome) != "" {
				t.Errorf("the write that came meanwhile was answered %v, want NotPrimary", err)
			}
			if st := c.status(1); st.LastIndex != last+1 {
				t.Errorf("the log ends at %d, want %d", st.LastIndex, last+1)
			}
		})
	}
}

func TestAPrimaryGivesWayInTheEndWhateverItWaitsFor(t *testing.T) {
	c, ref, held := braked(t, 2, 100*time.Millisecond)
	last := c.status(1).LastIndex
	c.hold(held)
	first := c.later(ref, 900)
	c.inLog(ref, last+1)
	if err := receive(t, "the fence is answered", c.yield(ref)); err != nil {
		t.Error(err)
	}
	if err := receive(t, "the first write is answered", first); fault.Hint(err, fault.HintOutcome) != fault.OutcomeUnknown {
		t.Errorf("the write that found no quorum was answered %v", err)
	}
}

func TestWhatWaitsForAPrimaryThatGivesWayEndsWithIt(t *testing.T) {
	c := newTunedCluster(t, 3, func(o *replica.Options) { o.Tick = 2 * time.Second }) // it gives way four ticks later at the soonest
	c.stop(1)
	ref := c.create(2, 1, 2, 3)
	c.eventually("the others are open", func() error { // what comes before is lost, and without ticks it is not sent again
		for _, id := range []catalog.PeerID{2, 3} {
			if _, _, err := c.mu.up[id].manager.Digest(context.Background(), ref); err != nil {
				return err
			}
		}
		return nil
	})
	c.start(1)
	c.write(ref, upsert(1)) // its term has begun
	c.equal(ref, 1, 2, 3)
	last := c.status(1).LastIndex
	c.frozen.Store(true)
	c.stop(2)
	c.stop(3)
	first := c.later(ref, 900)
	c.inLog(ref, last+1)
	fenced := c.yield(ref)
	c.eventually("the primary gives way", func() error {
		if !c.mu.up[1].manager.Yielding(ref) {
			return errors.New("it does not yet")
		}
		return nil
	})
	second := c.later(ref, 901)
	c.eventually("the second write waits", func() error {
		if c.mu.up[1].manager.Untaken(ref) != 0 || c.mu.up[1].manager.Parked(ref) != 1 {
			return errors.New("it does not yet")
		}
		return nil
	})
	c.stop(1)
	if err := receive(t, "the first write is answered", first); fault.Hint(err, fault.HintOutcome) != fault.OutcomeUnknown {
		t.Errorf("the first write: %v", err)
	}
	for what, answer := range map[string]<-chan error{"fence": fenced, "second write": second} {
		if err := receive(t, what+" is answered", answer); !fault.Is(err, fault.Unavailable) || fault.Hint(err, fault.HintOutcome) != "" {
			t.Errorf("%s: %v", what, err)
		}
	}
}
