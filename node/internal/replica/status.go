package replica

import (
	"fmt"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// Status is what a replica says of itself.
type Status struct {
	Ref          catalog.ShardRef
	Generation   catalog.Generation
	Term         uint64
	Leading      bool
	WriteQuorum  uint32
	FirstIndex   uint64 // of its log
	LastIndex    uint64
	CommitIndex  uint64
	AppliedIndex uint64
	Points       uint64
	Vectors      uint64
	Bytes        uint64
	PayloadBytes uint64                    // the payloads' part of Bytes
	Indexed      uint64                    // vectors in graphs
	Indexing     bool                      // vectors are being put into graphs
	IndexProblem string                    // why that was given up
	Fields       map[string]payload.Status // payload indexes by path
	Schema       uint64                    // shard.Schema.Mark of what it follows; 0: it does not tell
	Problem      string                    // why it does not serve, "" if it does
	Differs      string                    // in what it is not like the other copies, "" if it is as far as anybody knows (Judge)
	Lag          uint64                    // of a primary: how many entries the replica that is furthest behind, not counting dead ones, lacks
	Transfer     *Transfer                 // the snapshot that it is being filled from; it is no replica yet then
	Moving       *Moving                   // of the primary of a shard that slots move to
	active       []catalog.PeerID
	shard        *catalog.Shard
	quiet        bool                 // the protocol needs no ticks
	away         []replication.PeerID // whom it takes for unreachable
	yielding     bool
	parked       int
	standing     *move.Standing
	settled      bool // it leads and has applied its TermStart
	declared     int  // copies
}

// Moving is how far slots have come that move to a shard.
type Moving struct {
	Points, TotalPoints uint64 // of the first pass
	Bytes               uint64 // that have come, in all passes
	Attempts            int    // at the last pass that failed
	Problem             string // why the last step failed; "" once one has succeeded
}

// holders tells a writer who counts, for error texts.
func (s *Status) holders() string {
	names := make([]string, len(s.active))
	for i, id := range s.active {
		names[i] = fmt.Sprint(id)
	}
	return "active: peers " + strings.Join(names, ", ")
}

// publish makes the runner's state visible to others.
func (r *runner) publish() {
	info := r.shard.Info()
	st := &Status{
		Ref: r.ref, Generation: r.gen, Term: r.view.Term, Leading: r.core.Leading(), WriteQuorum: r.view.WriteQuorum,
		FirstIndex: uint64(r.log.FirstIndex()), LastIndex: uint64(r.log.LastIndex()), CommitIndex: uint64(r.core.CommitIndex()), AppliedIndex: uint64(r.appliedTo),
		Points: info.Points, Vectors: info.Vectors, Bytes: info.Bytes, PayloadBytes: info.PayloadBytes,
		active: r.view.Active(), shard: r.view, quiet: r.core.Quiet() && !r.yielding.busy(), yielding: r.yielding.busy(), parked: len(r.yielding.parked),
	}
	st.standing, st.declared = r.standing, r.declared
	st.settled = st.Leading && r.appliedTo >= r.reign.start
	if st.Leading && !st.quiet {
		st.Lag = r.lag
	}
	if r.failure != nil {
		st.Problem = r.failure.Error()
		st.Leading = false
	}
	st.away = r.core.Away()
	if was := r.status.Swap(st); st.stirs(was) {
		r.opts.restless.add(r.ref)
	}
}

// lagOf is how many entries the replica that is furthest behind lacks, as its primary knows.
func lagOf(s replication.Status) uint64 {
	var lag uint64
	for _, p := range s.Peers {
		if p.Role != "dead" && p.Match < s.LastIndex {
			lag = max(lag, uint64(s.LastIndex-p.Match))
		}
	}
	return lag
}

// describe names a change for the log.
func describe(c *catalog.ChangeShard) string {
	switch {
	case c.Demote != nil:
		return fmt.Sprintf("demote %d", *c.Demote)
	case c.Receive != nil:
		return fmt.Sprintf("receive %d", *c.Receive)
	case c.Activate != nil:
		return fmt.Sprintf("activate %d", *c.Activate)
	case c.Rebuild != nil:
		return fmt.Sprintf("rebuild %d", *c.Rebuild)
	case c.SetWriteQuorum != nil:
		return fmt.Sprintf("write quorum %d", *c.SetWriteQuorum)
	}
	return "other"
}
