package replication_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// fencer is where attempts' messages seem to come from: attempt i is peer fencer+i.
const fencer = 100

type envelope struct {
	message
	gen uint64 // of the receiving replica
}

// world is one walk: peers, a network, the metadata, and what must hold.
type world struct {
	rng      *rand.Rand
	crowds   *rand.Rand // nil: no disk is ever full
	full     []replication.PeerID
	plan     plan
	mood     mood
	without  mutation
	stats    stats
	nodes    []*node
	net      []envelope
	cut      [8][8]bool // from, to; 0 is the metadata
	meta     *metadata
	inbox    []proposal // on their way to the metadata
	attempts []*attempt
	quorum   int // as declared
	values   uint64
	trace    func(format string, args ...any)
	failure  *failure
	ledger
}

// failure is a violated invariant.
type failure struct {
	text string
	mild bool // nothing is lost: it is late, or was reported too soon
}

func (w *world) fail(format string, args ...any) {
	if w.failure == nil {
		w.failure = &failure{text: fmt.Sprintf(format, args...)}
		w.say("VIOLATION: %s", w.failure.text)
	}
}

func (w *world) say(format string, args ...any) {
	if w.trace != nil {
		w.trace(format, args...)
	}
}

func newWorld(seed uint64, without mutation) *world {
	rng := rand.New(rand.NewPCG(seed, 0x05712a4a))
	w := &world{rng: rng, plan: newPlan(rng, without.theme), without: without, ledger: newLedger()}
	if seed%4 == 0 {
		w.crowds = rand.New(rand.NewPCG(seed, 0xd15c))
	}
	w.mood = w.plan.first
	w.meta = newMetadata(w.plan.replicas, w.plan.quorum)
	w.meta.unbound = without.bent == unboundPromotion
	w.quorum = w.plan.quorum
	for i := range w.plan.replicas + w.plan.spares {
		w.nodes = append(w.nodes, &node{id: peerID(i + 1)})
	}
	for _, n := range w.nodes {
		n.learn(w, w.meta.view())
	}
	return w
}

func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// send puts messages on the network, addressed to the replica that the sender knows of.
func (w *world) send(n *node, messages []message) {
	n.sent += len(messages)
	for _, m := range messages {
		w.net = append(w.net, envelope{m, n.view.Generations[m.To]})
	}
	for len(w.net) > 120 { // a bounded queue drops
		w.drop(w.rng.IntN(len(w.net)))
	}
}

// end is a message's end in the table of cuts: Raft's leader is where the metadata is.
func end(id peerID) peerID {
	if id >= fencer {
		return 0
	}
	return id
}

func (w *world) drop(i int) {
	w.net = append(w.net[:i], w.net[i+1:]...)
}

// deliver hands message i over; it may be lost, doubled, or meet a cut.
func (w *world) deliver(i int) {
	e := w.net[i]
	if !w.chance(w.mood.double) {
		w.drop(i)
	}
	if w.chance(w.mood.loss) || w.cut[end(e.From)][end(e.To)] {
		return
	}
	w.say("deliver %s", text(e.message))
	if e.To >= fencer {
		w.attempts[e.To-fencer].answered(e.message)
		return
	}
	n := w.nodes[e.To-1]
	if e.gen != n.gen && w.without.bent != sameGeneration {
		return
	}
	n.step(w, e.message)
}

// propose offers the metadata's next value to a primary.
func (w *world) propose(n *node, count int) {
	data := make([][]byte, count)
	buf := make([]byte, 8*count)
	for i := range data {
		w.values++
		data[i] = buf[8*i : 8*i+8 : 8*i+8]
		binary.LittleEndian.PutUint64(data[i], w.values)
	}
	var first index
	first, n.refused = n.core.Propose(data...)
	w.say("peer %d proposes %d values: %d %v", n.id, count, first, n.refused)
	w.check(n)
}

// decide applies one proposal to the metadata.
func (w *world) decide(i int) {
	p := w.inbox[i]
	w.inbox = append(w.inbox[:i], w.inbox[i+1:]...)
	if w.meta.apply(p) {
		if p.unsafe {
			w.unsafe = append(w.unsafe, p.promote.Promised)
		}
		w.say("metadata: %+v -> %+v", p, w.meta.view())
	}
}

func (w *world) ask(p proposal) {
	if len(w.inbox) < 16 {
		w.inbox = append(w.inbox, p)
	}
}

// fence starts an attempt to replace the primary of a view.
func (w *world) fence(v viewInfo) {
	a := &attempt{id: peerID(fencer + len(w.attempts)), view: v}
	w.attempts = append(w.attempts, a)
	w.say("attempt %d fences term %d", a.id, a.term())
	w.sendFences(a)
}

func (w *world) sendFences(a *attempt) {
	for _, p := range a.view.Active {
		w.net = append(w.net, envelope{message{Type: replication.MsgFence, From: a.id, To: p, Term: a.term()}, a.view.Generations[p]})
	}
}

func (w *world) restart(n *node) {
	n.down = false
	if n.gen != 0 && !n.filling {
		n.open(w)
	}
	w.say("peer %d restarts", n.id)
}

func text(m message) string {
	kind := [...]string{"?", "append", "reply", "fence", "answer", "confirm", "confirmed"}[m.Type]
	return fmt.Sprintf("%s %d->%d term %d prev %d@%d +%d commit %d reject %v match %d applied %d end %d@%d", kind, m.From, m.To, m.Term,
		m.PrevIndex, m.PrevTerm, len(m.Entries), m.Commit, m.Reject, m.Match, m.Applied, m.LastIndex, m.LastTerm)
}
