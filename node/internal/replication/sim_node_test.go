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
		past    []place // what log has forgotten: not on disk, known to the observer only
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
	charges []replication.Charge // to be paid at the next tick
	filling bool                 // its replica waits for a snapshot
	source  *snapshot            // on its way
	lacking bool                 // as a primary, it has heard of replicas that its log does not reach back to
	ticks   int
	heard   map[peerID]uint64 // generations that are replicas already, not being filled: something is applied there
}

// reading is a linearizable read under way.
type reading struct {
	round replication.Round
	must  index // what was committed when it began
}

func (n *node) open(w *world) {
	gen := n.gen
	if w.without.bent == sameGeneration {
		gen = 0
	}
	n.core = replication.New(replication.Config{
		Self: n.id, Generation: gen, Log: &n.disk.log, State: n.disk.state, Applied: n.disk.applied, Options: w.plan.options,
	})
	replication.Waive(n.core, w.without.waived)
	n.core.WantQuorum(w.quorum)
	n.seen, n.commit = n.disk.applied, n.disk.applied
	n.led, n.done = 0, 0
}

// stop loses everything that is not on disk.
func (n *node) stop() {
	n.core, n.taken, n.ready, n.change, n.stuck = nil, false, replication.Ready{}, nil, 0
	n.charges = nil
	n.view, n.reads, n.source, n.lacking, n.heard = viewInfo{}, nil, nil, false, nil
}

// crash takes the node down.
func (n *node) crash(w *world) {
	n.stop()
	n.down = true
	w.stats.crashes++
	switch w.without.bent {
	case forgetPromise:
		n.disk.state.Promised = n.disk.state.Led
	case forgetLed:
		n.disk.state.Led = 0
	case forgetEntry:
		if last := n.disk.log.LastIndex(); last > max(n.disk.applied, n.disk.log.base) {
			n.disk.log.cut(last)
		}
	}
}

// step hands a message over.
func (n *node) step(w *world, m message) {
	if n.filling && m.Type == replication.MsgAppend && !n.down { // nothing is held here, but somebody is there
		w.send(n, []message{{
			Type: replication.MsgAppendReply, From: n.id, To: m.From, Term: m.Term, Generation: n.gen, Reject: true, PrevIndex: m.PrevIndex,
		}})
	}
	if n.core == nil {
		return
	}
	if m.Type == replication.MsgAppendReply && m.Applied > 0 {
		if n.heard == nil {
			n.heard = map[peerID]uint64{}
		}
		n.heard[m.From] = m.Generation
	}
	if m.Type == replication.MsgFence && n.deaf(w) {
		_, last := replication.TermAndLast(n.core)
		e, _ := replication.EntryAt(n.core, last)
		w.send(n, []message{{Type: replication.MsgFenceReply, From: n.id, To: m.From, Term: m.Term, Generation: n.gen, LastTerm: e.Term, LastIndex: last}})
		return
	}
	n.core.Step(m)
	w.check(n)
}

// deaf reports whether n answers a fence and goes on as if nothing had been, a fault on purpose.
func (n *node) deaf(w *world) bool {
	bent := w.without.bent
	return bent == primaryGoesOn && n.core.Leading() || bent == followersGoOn && !n.core.Leading()
}

// lookTicks is after how many ticks a driver takes a peer that it has called away for reachable.
const lookTicks = 16

// tick passes time at n. A driver may leave a quiet replica alone; if it does not, nothing may come of it.
func (n *node) tick(w *world) {
	for _, c := range n.charges {
		n.core.Paid(c.Peer)
	}
	n.charges = nil
	if n.ticks++; n.ticks%lookTicks == 0 {
		for _, id := range n.core.Away() {
			n.core.Reachable(id)
		}
	}
	quiet, had := n.core.Quiet(), n.core.HasReady()
	if quiet && w.plan.lazy {
		return
	}
	n.core.Tick()
	if quiet && (!n.core.Quiet() || n.core.HasReady() != had) {
		w.fail("peer %d is quiet, and a tick changes something", n.id)
	}
	w.crowd(n)
	w.check(n)
}

// crowd lets disks become full and have room again, in some of the walks, and tells a primary of it, which may then give up the
// replicas on them. The choices come from a source of their own, so that they leave the rest of a walk as it was.
func (w *world) crowd(n *node) {
	if w.crowds == nil {
		return
	}
	if w.crowds.IntN(20) == 0 {
		w.full = nil
		for _, other := range w.nodes {
			if w.crowds.IntN(4) == 0 {
				w.full = append(w.full, other.id)
			}
		}
	}
	n.core.Crowd(w.full)
	if w.crowds.IntN(3) == 0 {
		n.core.Shed()
	}
}

// learn tells the node of a view, and makes its replica anew if the view says so.
func (n *node) learn(w *world, v viewInfo) {
	gen := v.Generations[n.id]
	switch {
	case gen > n.gen: // a new replica, empty
		n.stop()
		n.gen, n.filling = gen, w.meta.snapshot[gen]
		n.disk.log, n.disk.state, n.disk.applied, n.disk.hash, n.disk.past = memLog{}, replication.HardState{}, 0, 0, nil
		if !n.filling {
			n.open(w)
		}
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
	if w.without.bent == sameGeneration {
		v.Generations = nil
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
	n.charges = append(n.charges, n.ready.Charges...)
	w.send(n, n.ready.Early)
	if w.without.bent == sendEarly {
		w.send(n, n.ready.Messages)
	}
	n.lacking = n.lacking || len(n.ready.NeedSnapshot) > 0
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
	if w.chance(w.mood.crashInside) { // durable, but nobody was told, or only some
		w.send(n, r.Messages[:w.rng.IntN(len(r.Messages)+1)])
		n.crash(w)
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
	first := n.disk.applied + 1
	for ; count > 0 && n.disk.applied < n.commit; count-- {
		entries, err := n.disk.log.Entries(n.disk.applied+1, n.disk.applied+2, 0)
		if err != nil {
			w.fail("peer %d has committed %d, but not on its disk", n.id, n.disk.applied+1)
			return
		}
		n.disk.applied++
		n.disk.hash = chain(n.disk.hash, entries[0])
		w.applied(n, entries[0])
	}
	if n.disk.applied >= first {
		w.say("peer %d has applied %d", n.id, n.disk.applied)
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
	case n.filling:
		return fmt.Sprintf("peer %d waits for a snapshot", n.id)
	case n.core == nil:
		return fmt.Sprintf("peer %d holds no replica", n.id)
	}
	return n.core.Describe()
}
