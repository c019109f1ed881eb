package consensus

import (
	"testing"

	"github.com/hashicorp/raft"
)

// heard is a transport whose other side confirms everything.
type heard struct {
	*raft.InmemTransport
	calls []raft.AppendEntriesRequest
}

func (h *heard) AppendEntries(_ raft.ServerID, _ raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	h.calls = append(h.calls, *req)
	resp.Success = true
	return nil
}

func TestOnlyWhatAFollowerHasOfTheSameTermIsAnnounced(t *testing.T) {
	_, net := raft.NewInmemTransport("a")
	h := &heard{InmemTransport: net}
	var under []func() // calls under way
	a := newAnnouncer(h, func(f func()) bool { under = append(under, f); return true })
	sent := func(term, last, committed uint64) {
		req := &raft.AppendEntriesRequest{Term: term, LeaderCommitIndex: committed, Entries: []*raft.Log{{Index: last, Term: term}}}
		if err := a.AppendEntries("b", "b", req, &raft.AppendEntriesResponse{}); err != nil {
			t.Fatal(err)
		}
		h.calls = nil
	}
	told := func(what string, want ...uint64) {
		t.Helper()
		for len(under) > 0 {
			f := under[0]
			under = under[1:]
			f()
		}
		if len(h.calls) != len(want) {
			t.Fatalf("%s: %d announcements, want %d: %+v", what, len(h.calls), len(want), h.calls)
		}
		for i, c := range h.calls {
			if c.LeaderCommitIndex != want[i] || c.PrevLogEntry < want[i] || c.PrevLogTerm != c.Term || len(c.Entries) > 0 {
				t.Errorf("%s: %+v, want one of %d", what, c, want[i])
			}
		}
		h.calls = nil
	}
	a.applied(4, 1)
	told("nobody has it")
	sent(2, 5, 4)
	told("known already")
	a.applied(5, 1)
	told("of another term: what is there in its place may be another entry")
	a.applied(6, 2)
	told("the follower does not have it")
	sent(2, 7, 5)
	told("it has it now", 6)
	a.applied(6, 2)
	told("told already")
	a.applied(7, 2)
	sent(2, 8, 5)
	a.applied(8, 2)
	told("one call at a time", 7, 8)
	sent(3, 9, 8)
	a.applied(9, 2)
	told("a later term has begun")
	sent(2, 10, 8)
	a.applied(9, 3)
	told("an answer of an earlier term came late", 9)
}
