package replica_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// The next primary's first words can bring an entry of its own for the place of a write that waits, and that it is
// committed, in one: the write was not.
func TestAWriteIsNotAcknowledgedByTheCommitOfItsSuccessor(t *testing.T) {
	for _, wait := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait=%t", wait), func(t *testing.T) {
			c := newTunedCluster(t, 3, func(o *replica.Options) { o.Tick = 200 * time.Millisecond }) // nobody is taken for silent soon
			ref := c.create(2, 1, 2, 3)
			c.equal(ref, 1, 2, 3)
			c.frozen.Store(true) // nobody is demoted
			sh := c.shard(ref)
			next := sh.Primary%3 + 1
			for _, id := range []catalog.PeerID{1, 2, 3} {
				if id != sh.Primary {
					c.stop(id)
				}
			}
			m := c.mu.up[sh.Primary]
			last := replication.Index(c.status(m.id).LastIndex)
			answer := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				_, _, err := m.manager.Write(ctx, ref, sh.Term, 0, upsert(900), wait)
				answer <- err
			}()
			c.eventually("the write is in the primary's log", func() error {
				if st := c.status(m.id); st.LastIndex != uint64(last+1) {
					return fmt.Errorf("last %d", st.LastIndex)
				}
				return nil
			})
			rep, _ := sh.Replica(m.id)
			m.manager.Step(ref, rep.Generation, replication.Message{
				Type: replication.MsgAppend, From: replication.PeerID(next), To: replication.PeerID(m.id), Term: replication.Term(sh.Term + 1),
				PrevIndex: last, PrevTerm: replication.Term(sh.Term), Commit: last + 1,
				Entries: []replication.Entry{{Term: replication.Term(sh.Term + 1), Index: last + 1, Data: upsert(901)}},
			})
			if err := receive(t, "the write is answered", answer); fault.Hint(err, fault.HintOutcome) != fault.OutcomeUnknown {
				t.Errorf("the write was answered %v, want an unknown outcome", err)
			}
		})
	}
}

// A replica takes writes from the moment it learns that it is the primary, before its disk has it: such writes are
// no safer than others when the office is lost again before the disk answers.
func TestAWriteIsNotAcknowledgedByAPrimaryThatNeverLed(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	c.equal(ref, 1, 2, 3)
	c.stop(2)
	held := &brake{}
	c.disk = map[catalog.PeerID]*brake{2: held}
	m := c.start(2)
	c.equal(ref, 1, 2, 3)
	c.frozen.Store(true) // nobody is demoted

	last := replication.Index(c.status(2).LastIndex)
	release := c.hold(held)
	sh := c.shard(ref)
	c.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: sh.Version, Promote: &catalog.Promote{Term: sh.Term + 1, Candidate: 2}}})
	answer := make(chan error, 1)
	c.eventually("the new primary takes a write", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		refused := make(chan error, 1)
		go func() {
			defer cancel()
			_, _, err := m.manager.Write(ctx, ref, sh.Term+1, 0, upsert(900), false)
			refused <- err
		}()
		select {
		case err := <-refused:
			return fmt.Errorf("refused: %w", err)
		case <-time.After(50 * time.Millisecond):
			go func() { answer <- <-refused }()
			return nil
		}
	})
	if n := m.manager.Untaken(ref); n != 0 {
		t.Fatalf("%d writes wait at the door", n)
	}
	rep, _ := sh.Replica(2)
	later := replication.Term(sh.Term + 2)
	m.manager.Step(ref, rep.Generation, replication.Message{
		Type: replication.MsgAppend, From: 3, To: 2, Term: later, PrevIndex: last, PrevTerm: replication.Term(sh.Term), Commit: last + 2,
		Entries: []replication.Entry{
			{Term: later, Index: last + 1, Kind: replication.TermStart}, {Term: later, Index: last + 2, Data: upsert(901)},
		},
	})
	release()
	if err := receive(t, "the write is answered", answer); fault.Hint(err, fault.HintOutcome) != fault.OutcomeUnknown {
		t.Errorf("the write was answered %v, want an unknown outcome", err)
	}
}
