package replication_test

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// walk takes the plan's steps, then heals everything and sees that the shard recovers.
func (w *world) walk() *failure {
	until, troubled := w.plan.steps, true
	for i := 0; i < w.plan.steps && w.failure == nil; i++ {
		if len(w.plan.kinds) > 0 && (i == 0 || i == until) {
			troubled = !troubled
			until = i + w.turn(troubled)
		}
		w.step()
		if i%8 == 0 {
			w.observe()
		}
	}
	if w.failure == nil {
		w.recover()
	}
	w.close()
	return w.failure
}

// turn begins the next episode and returns how many steps it takes.
func (w *world) turn(troubled bool) int {
	if troubled {
		if w.plan.deep && w.rng.IntN(3) == 0 {
			w.fence(w.meta.view())
		}
		w.mood = w.plan.episode(w.rng)
		w.say("trouble: %+v", w.mood)
		return 40 + w.rng.IntN(160)
	}
	w.mood = w.plan.first
	if w.rng.IntN(4) > 0 {
		w.cut = [8][8]bool{}
	}
	w.say("calm")
	return 60 + w.rng.IntN(400)
}

func (w *world) step() {
	x := w.rng.IntN(w.mood.total)
	for action, weight := range w.mood.weights {
		if x -= weight; x < 0 {
			w.act(action)
			return
		}
	}
}

func (w *world) act(action int) {
	n := w.someone(action)
	if n == nil {
		if action, n = w.instead(); n == nil {
			return
		}
	}
	switch action {
	case actDeliver:
		w.deliverSome()
	case actTake, actPersist, actApply, actPropose, actUnreachable, actRead:
		w.actReplica(n, action)
	case actCompact:
		n.compact(w)
	case actRebuild:
		w.rebuild(n)
	case actFill:
		w.fill(n)
	case actTick:
		w.tick()
	case actDecide:
		w.decide(w.rng.IntN(len(w.inbox)))
	case actLearn:
		w.learn(n)
	case actRepropose:
		w.ask(proposal{change: *n.change})
	case actFence, actPromote:
		w.actFailover(n, action)
	case actCrash, actRestart:
		w.actPower(n, action)
	case actCut, actDeafen, actUnlink, actHeal, actMend:
		w.actNetwork(n, action)
	case actRenew:
		w.renew(n)
	case actQuorum:
		w.declare(1 + w.rng.IntN(len(w.meta.view().Generations)))
	case actAdmin:
		w.admin(n)
	}
}

// instead is what happens when there is nothing to do of the kind that was drawn: rather than idle, work goes on, or time passes.
func (w *world) instead() (int, *node) {
	if w.plan.deep {
		from := w.rng.IntN(4)
		for i := range 4 {
			action := [4]int{actDeliver, actTake, actPersist, actApply}[(from+i)%4]
			if n := w.someone(action); n != nil && w.mood.weights[action] > 9 {
				return action, n
			}
		}
	} else if len(w.net) > 0 {
		return actDeliver, w.nodes[0]
	}
	return actTick, w.nodes[0]
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
	case actCompact:
		return n.core != nil && n.disk.applied > n.disk.log.base
	case actRebuild:
		return n.lacking && n.core != nil && n.core.Leading()
	case actFill:
		return n.filling && !n.down
	case actCrash: // the primary rather than others: most depends on it
		return !n.down && (n.id == w.meta.view().Primary || w.rng.IntN(4) == 0)
	case actDeliver:
		return len(w.net) > 0
	case actDecide:
		return len(w.inbox) > 0
	case actPromote:
		return n.stuck != 0 || w.open() != nil || w.leaderless()
	case actFence:
		return len(w.attempts) < w.plan.maxAttempts && (w.open() == nil || w.rng.IntN(3) == 0)
	}
	return true
}

// tick lets time pass for everybody, more or less.
func (w *world) tick() {
	for _, n := range w.nodes {
		if n.core != nil && w.rng.IntN(4) > 0 {
			n.tick(w)
		}
	}
}

func (w *world) deliverSome() {
	if len(w.net) == 0 {
		return
	}
	i := 0
	if w.chance(w.mood.reorder) {
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
		if term, last := replication.TermAndLast(n.core); term != 0 && last < w.plan.maxLog {
			w.propose(n, 1+w.rng.IntN(w.plan.maxProposals))
		}
	case actRead:
		w.read(n)
		w.check(n)
	case actUnreachable:
		other := peerID(1 + w.rng.IntN(len(w.nodes)))
		if w.rng.IntN(4) == 0 {
			n.core.Reachable(other)
		} else {
			n.core.Unreachable(other)
		}
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
	if n.view.Version < newest && w.chance(w.mood.staleView) {
		to = n.view.Version + 1 + uint64(w.rng.IntN(int(newest-n.view.Version)))
	}
	if to > n.view.Version {
		n.learn(w, w.meta.history[to-1])
	}
}

func (w *world) actFailover(n *node, action int) {
	if action == actFence {
		if len(w.attempts) < w.plan.maxAttempts {
			w.fence(w.meta.history[len(w.meta.history)-1-w.rng.IntN(min(2, len(w.meta.history)))])
		}
		return
	}
	if len(w.attempts) < w.plan.maxAttempts && (w.open() == nil || w.rng.IntN(6) == 0) && w.rescue(n) {
		return
	}
	if w.open() == nil && w.leaderless() && len(w.attempts) < w.plan.maxAttempts {
		w.fence(w.meta.view())
	}
	for _, a := range w.attempts[max(0, len(w.attempts)-4):] {
		current := a.view.Version == w.meta.view().Version
		p, ok := a.outcome(w.without, w.plan.unsafe && w.rng.IntN(10) == 0)
		switch {
		case ok && (current || w.rng.IntN(w.plan.tardy) == 0):
			w.ask(p)
		case !ok && current && w.rng.IntN(8) == 0:
			w.sendFences(a)
		}
	}
}

// leaderless reports whether the Raft leader's failure detector misses the primary.
func (w *world) leaderless() bool {
	p := w.meta.view().Primary
	return w.nodes[p-1].down || w.plan.deep && (w.cut[0][p] || w.cut[p][0])
}

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
		n.crash(w)
	}
}

func (w *world) actNetwork(n *node, action int) {
	primary := w.meta.view().Primary
	switch action {
	case actHeal:
		w.cut = [8][8]bool{}
	case actMend: // some links, not others
		for i := range w.cut {
			for j := range w.cut[i] {
				w.cut[i][j] = w.cut[i][j] && w.rng.IntN(2) == 0
			}
		}
	case actDeafen: // the primary tells the metadata, and does not hear
		w.cut[0][primary] = true
		w.say("peer %d does not hear the metadata", primary)
	case actUnlink:
		if w.rng.IntN(3) == 0 {
			primary = w.nodes[w.rng.IntN(len(w.nodes))].id
		}
		if n.id != primary {
			w.cut[primary][n.id] = true
			w.cut[n.id][primary] = w.rng.IntN(4) > 0
			w.say("peer %d is cut off from %d", n.id, primary)
		}
	case actCut:
		w.cutOff(n)
	}
}

// cutOff cuts n off from another node or from many, one way or both, and perhaps from the metadata as well: then it does not hear
// that it was replaced.
func (w *world) cutOff(n *node) {
	other := w.nodes[w.rng.IntN(len(w.nodes))]
	for _, third := range w.nodes {
		if w.rng.IntN(2) == 0 || third == other {
			w.cut[n.id][third.id] = true
			w.cut[third.id][n.id] = w.rng.IntN(4) > 0
		}
	}
	if w.rng.IntN(2) == 0 {
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
		w.declare(1 + w.rng.IntN(max(1, staying)))
	}
}

// renew drops a replica and adds it again at once, so that not everybody sees the view between.
func (w *world) renew(n *node) {
	v := w.meta.view()
	if slices.Contains(v.Dead, n.id) || slices.Contains(v.Partial, n.id) {
		w.ask(proposal{change: replication.Change{Version: v.Version}, drop: n.id})
		w.ask(proposal{change: replication.Change{Version: v.Version + 1}, add: n.id})
	}
}

// declare declares another W; not everybody hears of it at once.
func (w *world) declare(quorum int) {
	w.quorum = quorum
	for _, n := range w.nodes {
		if n.core != nil && w.rng.IntN(2) == 0 {
			n.core.WantQuorum(w.quorum)
			w.check(n)
		}
	}
}
