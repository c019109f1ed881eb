package consensus

import (
	"sync"

	"github.com/hashicorp/raft"
)

// announcer tells followers at once what is committed. Raft itself does so with the next entries, or when it has been idle for
// Timing.Commit; until then a change shows on no follower, and whoever proposed it there waits.
//
// It notes how far each follower's log is known to be the leader's: from the calls of Raft that the follower has confirmed. Once an entry of
// the same term is applied here, it is committed, and a follower that has it is sent an empty call, as Raft would make it, that says so.
//
// That is true for ever, whoever leads by then: in one term one node leads, a follower that has confirmed a call of that term has
// its log up to there for as long as it knows of no later term, and one that knows of a later term refuses the call.
type announcer struct {
	fullTransport
	spawn func(func()) bool // false: the node is closing
	mu    struct {
		sync.Mutex
		index, term uint64 // the newest entry that is applied here
		followers   map[raft.ServerID]*follower
	}
}

// fullTransport is what Raft makes use of if a transport has it.
type fullTransport interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

// follower is what one follower has confirmed, in the newest term in which it was sent anything.
type follower struct {
	addr raft.ServerAddress
	has  raft.AppendEntriesRequest // a call without entries that it would confirm; it knows as committed what the call says
	busy bool                      // a call is under way
}

func newAnnouncer(t fullTransport, spawn func(func()) bool) *announcer {
	a := &announcer{fullTransport: t, spawn: spawn}
	a.mu.followers = map[raft.ServerID]*follower{}
	return a
}

// AppendEntries makes a call of Raft.
func (a *announcer) AppendEntries(id raft.ServerID, to raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	err := a.fullTransport.AppendEntries(id, to, req, resp)
	if err == nil && resp.Success {
		a.confirmed(id, to, req)
	}
	return err
}

// confirmed notes what a follower has.
func (a *announcer) confirmed(id raft.ServerID, to raft.ServerAddress, req *raft.AppendEntriesRequest) {
	index, term := req.PrevLogEntry, req.PrevLogTerm
	if n := len(req.Entries); n > 0 {
		index, term = req.Entries[n-1].Index, req.Entries[n-1].Term
	}
	if index == 0 {
		return // a heartbeat, which says nothing of the log
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.mu.followers[id]
	if f == nil {
		f = &follower{}
		a.mu.followers[id] = f
	}
	switch {
	case req.Term < f.has.Term:
		return
	case req.Term > f.has.Term:
		f.has = raft.AppendEntriesRequest{Term: req.Term}
	}
	f.addr, f.has.RPCHeader = to, req.RPCHeader
	f.has.LeaderCommitIndex = max(f.has.LeaderCommitIndex, min(req.LeaderCommitIndex, index))
	if index > f.has.PrevLogEntry {
		f.has.PrevLogEntry, f.has.PrevLogTerm = index, term
	}
	a.tellLocked(id, f)
}

// applied notes that an entry is committed.
func (a *announcer) applied(index, term uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.index, a.mu.term = index, term
	for id, f := range a.mu.followers {
		a.tellLocked(id, f)
	}
}

// tellLocked tells a follower what it does not know yet, one call at a time.
func (a *announcer) tellLocked(id raft.ServerID, f *follower) {
	if f.busy || a.mu.term != f.has.Term || a.mu.index > f.has.PrevLogEntry || a.mu.index <= f.has.LeaderCommitIndex {
		return
	}
	f.has.LeaderCommitIndex = a.mu.index // or it is lost, and Raft tells it later
	req, to := f.has, f.addr
	f.busy = a.spawn(func() {
		var resp raft.AppendEntriesResponse
		_ = a.fullTransport.AppendEntries(id, to, &req, &resp)
		a.mu.Lock()
		defer a.mu.Unlock()
		f.busy = false
		a.tellLocked(id, f)
	})
}
