package replication_test

import (
	"encoding/binary"
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// node is a peer of the simulation: what it has on disk, and, while it is up, a Core and what the driver has in memory.
type node struct {
	id   peerID
	gen  uint64 // 0: it holds no replica
	disk struct {
		log     memLog
		state   replication.HardState
		applied index
		hash    uint64
	}
	core    *replication.Core // nil: down, or no replica
	down    bool
	ready   replication.Ready
	taken   bool // ready is outstanding
	commit  index
	change  *replication.Change // to be proposed until the version moves
	view    viewInfo            // the last it learned
	seen    index               // its commit index as last checked
	led     termNo              // the term it was last seen leading
	done    index               // its completed index as last checked
	stuck   termNo              // the term that it waits to be promoted out of
	sent    int                 // messages sent, to see that an idle shard is silent
	refused error               // of its last proposal
	reads   []reading
}

// reading is a linearizable read under way.
type reading struct {
	round replication.Round
	must  index // what was committed when it began
}

func (n *node) open(w *world) {
	n.core = replication.New(replication.Config{
		Self: n.id, Generation: n.gen, Log: &n.disk.log, State: n.disk.state, Applied: n.disk.applied, Options: w.plan.options,
	})
	replication.Waive(n.core, w.plan.waived)
	n.core.WantQuorum(w.quorum)
	n.seen, n.commit = n.disk.applied, n.disk.applied
	n.led, n.done = 0, 0
}

// stop loses everything that is not on disk.
func (n *node) stop() {
	n.core, n.taken, n.ready, n.change, n.stuck = nil, false, replication.Ready{}, nil, 0
	n.view, n.reads = viewInfo{}, nil
}

// crash takes the node down.
func (n *node) crash() {
	n.stop()
	n.down = true
}

// learn tells the node of a view, and makes its replica anew if the view says so.
func (n *node) learn(w *world, v viewInfo) {
	gen := v.Generations[n.id]
	switch {
	case gen > n.gen: // a new replica, empty
		n.stop()
		n.gen = gen
		n.disk.log, n.disk.state, n.disk.applied, n.disk.hash = memLog{}, replication.HardState{}, 0, 0
		n.open(w)
	case gen < n.gen && gen != 0:
		return // metadata older than what this replica was made from
	}
	n.view = v
	if n.core == nil {
		return
	}
	if n.change != nil && v.Version > n.change.Version {
		n.change = nil
	}
	n.core.Learn(v)
	w.check(n)
}

// take takes the next Ready, if there is one, and sends what need not wait for the disk.
func (n *node) take(w *world) {
	if n.taken || !n.core.HasReady() {
		return
	}
	n.ready, n.taken = n.core.Ready(), true
	w.send(n, n.ready.Early)
	if n.ready.Change != nil {
		n.change = n.ready.Change
	}
	if n.ready.WantPromotion != 0 {
		n.stuck = n.ready.WantPromotion
	}
}

// persist makes the outstanding Ready durable, in one step, and finishes it.
func (n *node) persist(w *world) {
	r := n.ready
	if r.TruncateFrom != 0 {
		if r.TruncateFrom <= n.disk.applied {
			w.fail("peer %d cuts its log at %d, applied %d", n.id, r.TruncateFrom, n.disk.applied)
		}
		n.disk.log.cut(r.TruncateFrom)
	}
	n.disk.log.add(r.Append)
	if r.State != nil {
		n.disk.state = *r.State
	}
	if w.chance(w.plan.crashInside) { // durable, but nobody was told, or only some
		w.send(n, r.Messages[:w.rng.IntN(len(r.Messages)+1)])
		n.crash()
		return
	}
	w.send(n, r.Messages)
	n.commit = max(n.commit, r.Commit)
	n.ready, n.taken = replication.Ready{}, false
	n.core.Advance()
	w.check(n)
}

// apply applies up to count committed entries, each durably together with the state it makes.
func (n *node) apply(w *world, count int) {
	for ; count > 0 && n.disk.applied < n.commit; count-- {
		entries, err := n.disk.log.Entries(n.disk.applied+1, n.disk.applied+2, 0)
		if err != nil {
			w.fail("peer %d has committed %d, but not on its disk", n.id, n.disk.applied+1)
			return
		}
		n.disk.applied++
		n.disk.hash = chain(n.disk.hash, entries[0])
		w.applied(n)
	}
	n.core.AppliedTo(n.disk.applied)
	w.check(n)
}

// value identifies an entry: every proposed one has its own number.
func value(e entry) uint64 {
	if e.Kind == replication.TermStart {
		return 1<<63 | uint64(e.Term)
	}
	return binary.LittleEndian.Uint64(e.Data)
}

func chain(h uint64, e entry) uint64 {
	h ^= value(e) + uint64(e.Index)<<20
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}

func (n *node) String() string {
	switch {
	case n.down:
		return fmt.Sprintf("peer %d is down, log %d, state %+v", n.id, n.disk.log.LastIndex(), n.disk.state)
	case n.core == nil:
		return fmt.Sprintf("peer %d holds no replica", n.id)
	}
	return n.core.Describe()
}
