package replication_test

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// recover ends the trouble and sees that the shard becomes whole by itself: every declared replica active and equal, a new write
// completed, and silence afterwards.
func (w *world) recover() {
	w.say("everything is healed")
	w.mood = mood{}
	w.cut = [8][8]bool{}
	w.inbox = nil
	w.crowds = nil
	for _, n := range w.nodes {
		if n.core != nil {
			n.core.Crowd(nil)
		}
	}
	v := w.meta.view()
	w.quorum = min(w.quorum, max(1, len(v.Generations)-len(v.Retiring)))
	for _, n := range w.nodes {
		if n.down {
			w.restart(n)
		}
		if n.core != nil {
			n.core.WantQuorum(w.quorum)
			w.check(n)
		}
	}
	written := false
	for range 300 {
		w.round()
		if w.failure != nil {
			return
		}
		p := w.primary()
		if p == nil || !w.whole(p) {
			continue
		}
		if written && len(p.reads) == 0 {
			w.silence()
			return
		}
		if !written {
			w.read(p)
			w.propose(p, 1)
		}
		written = written || p.refused == nil
	}
	w.failure = &failure{mild: true, text: "the shard does not recover"}
	for _, n := range w.nodes {
		w.failure.text += "\n\t" + n.String()
	}
}

// round lets everybody do everything once, in order.
func (w *world) round() {
	for _, n := range w.nodes {
		w.learn(n)
		w.fill(n)
		if n.core == nil {
			continue
		}
		for _, id := range n.core.Away() {
			n.core.Reachable(id)
		}
		n.tick(w)
		w.rebuild(n)
		w.work(n)
		if n.change != nil {
			w.ask(proposal{change: *n.change})
		}
		w.rescue(n)
	}
	for hops := 0; hops < 4 && len(w.net) > 0; hops++ { // a tick is longer than a round trip
		for range len(w.net) {
			w.deliver(0)
		}
		for _, n := range w.nodes {
			w.work(n)
		}
	}
	w.reconcile()
	for len(w.inbox) > 0 {
		w.decide(0)
	}
}

func (w *world) work(n *node) {
	if n.core == nil {
		return
	}
	if n.taken {
		n.persist(w)
	}
	for n.core.HasReady() && w.failure == nil {
		n.take(w)
		n.persist(w)
	}
	n.apply(w, 100)
}

// reconcile does what the Raft leader does meanwhile: promote, and drop what is retired.
func (w *world) reconcile() {
	v := w.meta.view()
	for _, a := range w.attempts {
		if p, ok := a.outcome(w.without, w.plan.unsafe); ok && a.view.Version == v.Version {
			w.ask(p)
		}
	}
	for _, p := range v.Retiring {
		if slices.Contains(v.Dead, p) {
			w.ask(proposal{change: replication.Change{Version: v.Version}, drop: p})
		}
	}
}

func (w *world) primary() *node {
	for _, n := range w.nodes {
		if n.core != nil && n.core.Leading() && n.view.Version == w.meta.view().Version {
			return n
		}
	}
	return nil
}

// whole reports whether every declared replica is active and has applied the whole log, and W is as declared.
func (w *world) whole(p *node) bool {
	v := w.meta.view()
	_, last := replication.TermAndLast(p.core)
	if len(v.Active) != len(v.Generations) || v.WriteQuorum != w.quorum || p.core.CompletedIndex() != last {
		return false
	}
	for _, id := range v.Active {
		if n := w.nodes[id-1]; n.disk.applied != last || n.disk.log.LastIndex() != last {
			return false
		}
	}
	return true
}

// silence sees that a shard in which nothing happens sends nothing.
func (w *world) silence() {
	for range 3 {
		w.round()
	}
	before := w.sent()
	if p := w.primary(); p == nil || !p.core.Quiet() {
		w.failure = &failure{mild: true, text: "an idle shard's primary is not quiet"}
		return
	}
	for range 20 {
		w.round()
	}
	if after := w.sent(); after != before && w.failure == nil {
		w.failure = &failure{mild: true, text: "an idle shard sends messages"}
	}
}

func (w *world) sent() int {
	sum := 0
	for _, n := range w.nodes {
		sum += n.sent
	}
	return sum
}
