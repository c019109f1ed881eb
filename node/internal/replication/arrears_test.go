package replication_test

import (
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// What a partial replica has missed is charged for, and sent no faster than that is paid; what replicas that count are sent, and what they
// commit, waits for nobody.
func TestWhatAPartialReplicaHasMissedIsCharged(t *testing.T) {
	const missed, each = 50, 10
	c := newSolo(1, &memLog{}, replication.HardState{}, 0, replication.Options{Charge: true, MaxBatchBytes: 5 * each, MaxPendingEntries: 1000})
	v := viewInfo{Version: 1, Term: 1, Primary: 1, Active: []peerID{1, 3}, WriteQuorum: 2}
	c.Learn(v)
	charged, sent := 0, index(0)
	// turn makes everything there is to do, answers for the replica that counts, and returns how far the partial one was sent the log.
	turn := func() (to index) {
		for range 3 {
			for c.HasReady() {
				r := c.Ready()
				c.log.add(r.Append)
				c.Advance()
				for _, m := range r.Early {
					end := m.PrevIndex + index(len(m.Entries))
					if m.To == 3 {
						c.Step(message{Type: replication.MsgAppendReply, From: 3, To: 1, Term: 1, Match: end, Applied: c.CommitIndex()})
					} else if len(m.Entries) > 0 {
						to = max(to, end)
					}
				}
				for _, x := range r.Charges {
					charged += x.Bytes
				}
			}
		}
		return to
	}
	propose := func() {
		t.Helper()
		if _, err := c.Propose(make([]byte, each)); err != nil {
			t.Fatal(err)
		}
		if turn(); c.CommitIndex() != c.Status().LastIndex {
			t.Fatalf("%d of %d is committed", c.CommitIndex(), c.Status().LastIndex)
		}
	}
	for range missed {
		propose()
	}
	v.Version, v.Partial = 2, []peerID{2}
	c.Learn(v)
	sent = turn()
	answer := func() {
		c.Step(message{Type: replication.MsgAppendReply, From: 2, To: 1, Term: 1, Match: sent})
	}
	answer()
	first := charged
	if sent = max(sent, turn()); sent > 12 {
		t.Fatalf("%d were sent, and nothing is paid", sent)
	}
	for paid := 0; sent < c.Status().LastIndex; paid++ {
		if paid > 5*missed {
			t.Fatalf("it has been sent %d of %d", sent, c.Status().LastIndex)
		}
		answer()
		if to := turn(); to > sent {
			t.Fatalf("%d were sent before %d was paid", to, charged)
		}
		if paid < missed/10 {
			propose() // not charged in the first round, and less later
		}
		c.Paid(2)
		to := turn()
		if to > sent+5 {
			t.Fatalf("%d were sent at once behind %d", to, sent)
		}
		sent = max(sent, to)
	}
	if charged -= first; charged < (missed-10)*each || charged > (missed+10)*each {
		t.Errorf("%d bytes were charged behind the first batch, %d were missed", charged, missed*each)
	}
	answer()
	turn()
	if change := c.Status().Change; change == nil || change.Activate != 2 {
		t.Errorf("it is not to count: %v", change)
	}
}
