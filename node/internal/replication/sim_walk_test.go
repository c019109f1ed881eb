package replication_test

import (
	"math/rand/v2"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// plan is the mood of a walk: how large, how unkind, and what happens how often. Walks in different moods find different faults.
type plan struct {
	waived                   replication.Rule
	options                  replication.Options
	replicas, spares, quorum int
	steps                    int
	loss, double, reorder    float64
	crashInside, staleView   float64
	weights                  [actions]int
	totalWeight              int
	maxProposals, maxDown    int
}

// The kinds of steps.
const (
	actDeliver = iota
	actTake
	actPersist
	actApply
	actTick
	actPropose
	actDecide
	actLearn
	actRepropose
	actFence
	actPromote
	actCrash
	actRestart
	actCut
	actHeal
	actAdmin
	actUnreachable
	actRead
	actions
)

func newPlan(rng *rand.Rand, waived replication.Rule) plan {
	pick := func(values ...int) int { return values[rng.IntN(len(values))] }
	some := func(values ...float64) float64 { return values[rng.IntN(len(values))] }
	p := plan{waived: waived, replicas: pick(3, 3, 3, 4, 5), spares: pick(0, 0, 1), steps: pick(400, 800, 1600)}
	p.quorum = 1 + rng.IntN(p.replicas)
	if pick(0, 1, 2) > 0 {
		p.quorum = p.replicas/2 + 1
	}
	p.options = replication.Options{
		MaxBatchBytes: pick(1, 16, 1000), MaxInflightBytes: pick(1, 64, 1000), MaxInflightEntries: pick(1, 8, 100),
		MaxPendingBytes: 400, MaxPendingEntries: 50,
		ResendTicks: pick(1, 2), DemoteTicks: pick(3, 5, 8), ProbeTicks: pick(1, 3), PromotionTicks: 2,
	}
	p.loss, p.double, p.reorder = some(0, 0, 0.05, 0.2), some(0, 0, 0.1), some(0, 0.1, 0.5)
	p.crashInside, p.staleView = some(0, 0.02, 0.1), some(0, 0.2, 0.6)
	p.maxProposals, p.maxDown = pick(1, 1, 3), pick(1, p.replicas)
	p.weights = [actions]int{
		actDeliver: pick(40, 80), actTake: 40, actPersist: pick(10, 25, 40), actApply: pick(2, 10), actTick: pick(2, 4, 8),
		actPropose: pick(2, 6), actDecide: pick(6, 60), actLearn: pick(5, 60, 60), actRepropose: pick(5, 40),
		actFence: 0, actPromote: pick(10, 60), actCrash: 0, actRestart: pick(2, 10), actCut: 0, actHeal: pick(1, 3), actRead: pick(1, 4),
	}
	switch rng.IntN(3) {
	case 0: // a little of everything
		p.weights[actCrash], p.weights[actCut], p.weights[actFence] = pick(0, 1), pick(0, 1), pick(0, 1)
		p.weights[actAdmin], p.weights[actUnreachable] = pick(0, 1, 2), pick(0, 1)
	case 1: // primaries come and go
		p.weights[actFence], p.weights[actCrash], p.weights[actPropose] = pick(1, 3), pick(0, 2), pick(1, 3)
		if pick(0, 1) == 0 { // small, one entry at a time, and nobody is given up: what a primary inherits spreads slowly
			p.replicas, p.quorum, p.spares, p.loss = 3, 2, 0, some(0.05, 0.15, 0.3)
			p.options.DemoteTicks, p.options.MaxInflightEntries = 1000, 1
		}
	case 2: // replicas come and go
		p.weights[actUnreachable], p.weights[actCut], p.weights[actFence] = pick(1, 3), pick(0, 1), pick(1, 2)
		p.weights[actAdmin] = pick(0, 2)
	}
	for _, x := range p.weights {
		p.totalWeight += x
	}
	return p
}

// walk takes the plan's steps, then heals everything and sees that the shard recovers.
func (w *world) walk() *failure {
	for i := 0; i < w.plan.steps && w.failure == nil; i++ {
		w.step()
	}
	if w.failure == nil {
		w.recover()
	}
	return w.failure
}

func (w *world) step() {
	x := w.rng.IntN(w.plan.totalWeight)
	for action, weight := range w.plan.weights {
		if x -= weight; x < 0 {
			w.act(action)
			return
		}
	}
}

func (w *world) act(action int) {
	n := w.someone(action)
	if n == nil { // nothing to do of that kind: rather than idle, let messages or time pass
		if action, n = actDeliver, w.nodes[0]; len(w.net) == 0 {
			action = actTick
		}
	}
	switch action {
	case actDeliver:
		w.deliverSome()
	case actTake, actPersist, actApply, actPropose, actUnreachable, actRead:
		w.actReplica(n, action)
	case actTick:
		w.tick()
	case actDecide:
		if len(w.inbox) > 0 {
			w.decide(w.rng.IntN(len(w.inbox)))
		}
	case actLearn:
		w.learn(n)
	case actRepropose:
		if n.change != nil && !w.cut[n.id][0] {
			w.ask(proposal{change: *n.change})
		}
	case actFence, actPromote:
		w.actFailover(n, action)
	case actCrash, actRestart:
		w.actPower(n, action)
	case actCut, actHeal:
		w.actNetwork(n, action)
	case actAdmin:
		w.admin(n)
	}
}

// someone returns a random node that the action would do something to, or nil.
func (w *world) someone(action int) *node {
	from := w.rng.IntN(len(w.nodes))
	for i := range w.nodes {
		if n := w.nodes[(from+i)%len(w.nodes)]; w.concerns(action, n) {
			return n
		}
	}
	return nil
}

func (w *world) concerns(action int, n *node) bool {
	switch action {
	case actTake:
		return n.core != nil && !n.taken && n.core.HasReady()
	case actPersist:
		return n.taken
	case actApply:
		return n.disk.applied < n.commit && n.core != nil
	case actPropose, actUnreachable, actRead:
		return n.core != nil && n.core.Leading()
	case actRepropose:
		return n.change != nil && !w.cut[n.id][0]
	case actLearn:
		return !n.down && n.view.Version < w.meta.view().Version && !w.cut[0][n.id]
	case actRestart:
		return n.down
	case actCrash: // the primary rather than others: most depends on it
		return !n.down && (n.id == w.meta.view().Primary || w.rng.IntN(4) == 0)
	case actDeliver:
		return len(w.net) > 0
	case actDecide:
		return len(w.inbox) > 0
	case actPromote:
		return n.stuck != 0 || w.open() != nil || w.leaderless()
	case actFence:
		return len(w.attempts) < 60 && (w.open() == nil || w.rng.IntN(3) == 0)
	}
	return true
}

// tick lets time pass for everybody, more or less.
func (w *world) tick() {
	for _, n := range w.nodes {
		if n.core != nil && w.rng.IntN(4) > 0 {
			n.core.Tick()
			w.check(n)
		}
	}
}

func (w *world) deliverSome() {
	if len(w.net) == 0 {
		return
	}
	i := 0
	if w.chance(w.plan.reorder) {
		i = w.rng.IntN(len(w.net))
	}
	w.deliver(i)
}

func (w *world) actReplica(n *node, action int) {
	if n.core == nil {
		return
	}
	switch action {
	case actTake:
		n.take(w)
	case actPersist:
		if n.taken {
			n.persist(w)
		}
	case actApply:
		n.apply(w, 1+w.rng.IntN(4))
	case actPropose:
		if term, last := replication.TermAndLast(n.core); term != 0 && last < 60 {
			w.propose(n, 1+w.rng.IntN(w.plan.maxProposals))
		}
	case actRead:
		w.read(n)
		w.check(n)
	case actUnreachable:
		n.core.Unreachable(peerID(1 + w.rng.IntN(len(w.nodes))))
		w.check(n)
	}
}

// learn brings n to the newest view, or to one on the way there.
func (w *world) learn(n *node) {
	if n.down || w.cut[0][n.id] {
		return
	}
	newest := w.meta.view().Version
	to := newest
	if n.view.Version < newest && w.chance(w.plan.staleView) {
		to = n.view.Version + 1 + uint64(w.rng.IntN(int(newest-n.view.Version)))
	}
	if to > n.view.Version {
		n.learn(w, w.meta.history[to-1])
	}
}

func (w *world) actFailover(n *node, action int) {
	if action == actFence {
		if len(w.attempts) < 60 {
			w.fence(w.meta.history[len(w.meta.history)-1-w.rng.IntN(min(2, len(w.meta.history)))])
		}
		return
	}
	if len(w.attempts) < 60 && (w.open() == nil || w.rng.IntN(6) == 0) && w.rescue(n) {
		return
	}
	if w.open() == nil && w.leaderless() && len(w.attempts) < 60 {
		w.fence(w.meta.view())
	}
	for _, a := range w.attempts[max(0, len(w.attempts)-4):] {
		current := a.view.Version == w.meta.view().Version
		p, ok := a.outcome(w.plan.waived)
		switch {
		case ok && (current || w.rng.IntN(20) == 0):
			w.ask(p)
		case !ok && current && w.rng.IntN(8) == 0:
			w.sendFences(a)
		}
	}
}

// leaderless reports whether the primary is down, which the Raft leader's failure detector sees.
func (w *world) leaderless() bool { return w.nodes[w.meta.view().Primary-1].down }

// open returns an attempt whose view is current, or nil.
func (w *world) open() *attempt {
	if len(w.attempts) == 0 {
		return nil
	}
	if a := w.attempts[len(w.attempts)-1]; a.view.Version == w.meta.view().Version {
		return a
	}
	return nil
}

// rescue starts an attempt for a primary that waits for a promotion, unless the metadata has moved on already.
func (w *world) rescue(n *node) bool {
	stuck := n.stuck
	n.stuck = 0
	if stuck == 0 || stuck != w.meta.view().Term {
		return false
	}
	w.fence(w.meta.view())
	return true
}

func (w *world) actPower(n *node, action int) {
	if action == actRestart {
		if n.down {
			w.restart(n)
		}
		return
	}
	down := 0
	for _, other := range w.nodes {
		if other.down {
			down++
		}
	}
	if !n.down && down < w.plan.maxDown {
		w.say("peer %d crashes", n.id)
		n.crash()
	}
}

func (w *world) actNetwork(n *node, action int) {
	if action == actHeal {
		w.cut = [8][8]bool{}
		return
	}
	other := w.nodes[w.rng.IntN(len(w.nodes))]
	for _, third := range w.nodes {
		if w.rng.IntN(2) == 0 || third == other { // one link, or the node from everybody, one way or both
			w.cut[n.id][third.id] = true
			w.cut[third.id][n.id] = w.rng.IntN(4) > 0
		}
	}
	if w.rng.IntN(2) == 0 { // from the metadata as well: it does not hear that it was replaced
		w.cut[0][n.id], w.cut[n.id][0] = true, w.rng.IntN(4) > 0
	}
	w.say("peer %d is cut off", n.id)
}

// admin changes what is declared: replicas to retire, drop and add, another W.
func (w *world) admin(n *node) {
	v := w.meta.view()
	change := replication.Change{Version: v.Version}
	staying := len(v.Generations) - len(v.Retiring)
	switch w.rng.IntN(4) {
	case 0:
		if staying > 2 {
			w.ask(proposal{change: change, retire: n.id})
		}
	case 1:
		if slices.Contains(v.Dead, n.id) || slices.Contains(v.Partial, n.id) {
			w.ask(proposal{change: change, drop: n.id})
		}
	case 2:
		w.ask(proposal{change: change, add: n.id})
	case 3:
		w.quorum = 1 + w.rng.IntN(max(1, staying))
	}
	for _, n := range w.nodes {
		if n.core != nil && w.rng.IntN(2) == 0 {
			n.core.WantQuorum(w.quorum)
			w.check(n)
		}
	}
}
