package replica_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// The next primary's first words can bring an entry of its own for the place of a write that waits, and that it is
// committed, in one: the write was not.
func TestAWriteIsNotAcknowledgedByTheCommitOfItsSuccessor(t *testing.T) {
	for _, wait := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait=%t", wait), func(t *testing.T) {
			c := newCluster(t, 3)
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
				_, _, err := m.manager.Write(ctx, ref, sh.Term, upsert(900), wait)
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
			if err := <-answer; fault.Hint(err, fault.HintOutcome) != fault.OutcomeUnknown {
				t.Errorf("the write was answered %v, want an unknown outcome", err)
			}
		})
	}
}
