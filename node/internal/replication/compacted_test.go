package replication_test

import (
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// A replica whose log begins behind a snapshot of a primary that was replaced unsafely cannot compare what it has not kept; it
// compares the last entry before its log, whose term it knows.
func TestEntriesThatContradictTheEndOfWhatWasCompactedAreRefused(t *testing.T) {
	from := []entry{{Term: 2, Index: 3}, {Term: 2, Index: 4}, {Term: 2, Index: 5}, {Term: 2, Index: 6}}
	for name, test := range map[string]struct {
		terms []termNo // of the replica, compacted through 5
		want  bool     // it refuses
	}{
		"nothing kept, another term": {[]termNo{1, 1, 1, 1, 1}, true},
		"nothing kept, the same":     {[]termNo{1, 1, 2, 2, 2}, false},
		"a tail kept, another term":  {[]termNo{1, 1, 1, 1, 1, 1}, true},
	} {
		log := logOf(test.terms...)
		log.compact(5)
		c := newSolo(3, log, replication.HardState{Promised: 2}, 5, replication.Options{})
		v := threeReplicas(1)
		v.Term = 2
		c.Learn(v)
		c.Step(message{Type: replication.MsgAppend, From: 1, To: 3, Term: 2, PrevIndex: 2, PrevTerm: 1, Entries: from, Commit: 4})
		out, _ := c.drain()
		last := out[len(out)-1]
		if refused := last.Reject && last.Match < last.Applied; refused != test.want || (c.Status().Diverged != 0) != test.want {
			t.Errorf("%s: %s, %s", name, text(last), c.Describe())
		}
	}
}

// What a replica has compacted away it takes for committed. Where it has applied more than its primary has, that cannot be.
func TestAReplicaThatHasAppliedMoreThanItsPrimaryHasIsMadeAnew(t *testing.T) {
	c := newSolo(1, logOf(1, 1, 1), replication.HardState{Promised: 1, Led: 1}, 3, replication.Options{})
	c.Learn(viewInfo{Version: 1, Term: 2, Primary: 1, Active: []peerID{1}, Partial: []peerID{2}, WriteQuorum: 1})
	c.drain()
	c.Step(message{Type: replication.MsgAppendReply, From: 2, To: 1, Term: 2, Match: 4, Applied: 9})
	r := c.Ready()
	c.Advance()
	if r.Change != nil || !slices.Contains(c.Status().NeedSnapshot, 2) {
		t.Errorf("change %v, %s", r.Change, c.Describe())
	}
}
