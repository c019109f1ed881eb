package replica_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// The new primary's entry and the news that it is committed come in one message: the entry of the old term that stands
// in its place is still in the log then, until the cut is durable, and must not be taken for the committed one.
func TestAnEntryThatIsAboutToBeCutIsNeverApplied(t *testing.T) {
	c := newCluster(t, 3)
	ref := c.create(2, 1, 2, 3)
	c.equal(ref, 1, 2, 3)
	sh := c.shard(ref)
	old, next := sh.Primary, catalog.PeerID(0)
	m := c.mu.up[1]
	for _, id := range []catalog.PeerID{1, 2, 3} {
		switch {
		case id == old:
		case next == 0:
			next = id
		default:
			m = c.mu.up[id]
		}
	}
	c.eventually("its log has begun", func() error {
		if st := c.status(m.id); st.LastIndex == 0 {
			return errors.New("it is empty")
		}
		return nil
	})
	c.stop(old)
	c.stop(next)
	rep, _ := sh.Replica(m.id)
	last := replication.Index(c.status(m.id).LastIndex)
	reaches := func(what string, want func() bool) {
		t.Helper()
		c.eventually(what, func() error {
			if st := c.status(m.id); !want() {
				return fmt.Errorf("last %d, applied %d", st.LastIndex, st.AppliedIndex)
			}
			return nil
		})
	}
	say := func(from catalog.PeerID, term replication.Term, id uint64, commit replication.Index) {
		m.manager.Step(ref, rep.Generation, replication.Message{
			Type: replication.MsgAppend, From: replication.PeerID(from), To: replication.PeerID(m.id), Term: term,
			PrevIndex: last, PrevTerm: replication.Term(sh.Term), Commit: commit,
			Entries: []replication.Entry{{Term: term, Index: last + 1, Data: upsert(id)}},
		})
	}
	say(old, replication.Term(sh.Term), 900, last)
	reaches("the entry of the old term is in the log", func() bool { return c.status(m.id).LastIndex == uint64(last+1) })
	say(next, replication.Term(sh.Term+1), 901, last+1)
	reaches("the entry of the new term is applied", func() bool { return c.status(m.id).AppliedIndex == uint64(last+1) })
	c.eventually("the point of the new term is there", func() error {
		if n, err := c.has(ref, m.id, 0, 901); err != nil || n != 1 {
			return errors.Join(fmt.Errorf("%d points", n), err)
		}
		return nil
	})
	if n, err := c.has(ref, m.id, 0, 900); err != nil || n != 0 {
		t.Errorf("the point of the entry that was cut is shown: %d, %v", n, err)
	}
}
