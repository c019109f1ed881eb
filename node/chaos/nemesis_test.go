//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// kind is one way to hurt a cluster.
type kind string

// The kinds of fault. What each needs of the machine is told by (*cluster).unavailable.
const (
	killing    kind = "kill"      // kill -9, then a restart
	pausing    kind = "pause"     // SIGSTOP, then SIGCONT
	restarting kind = "restart"   // SIGTERM and a restart of every node, one after the other
	outage     kind = "outage"    // kill -9 of all nodes
	isolating  kind = "isolate"   // a minority and the rest do not hear each other
	deafening  kind = "one-way"   // packets are dropped in one direction only
	parting    kind = "partial"   // two nodes do not hear each other, and hear everybody else
	slowing    kind = "slow"      // packets are late and lost
	throttling kind = "throttle"  // little goes through at a time
	filling    kind = "full-disk" // a node's file system has no space left
	skewing    kind = "clock"     // the wall clock jumps, and jumps back
)

// weights is how often each kind is drawn, relative to the others.
var weights = []struct {
	kind kind
	n    int
}{
	{killing, 4}, {pausing, 3}, {isolating, 3}, {deafening, 3}, {parting, 2}, {slowing, 2}, {throttling, 2},
	{restarting, 1}, {outage, 1}, {filling, 2}, {skewing, 3},
}

// step is one decision of the nemesis. The steps are a function of the seed, the kinds available and the number of
// nodes; when they come to pass depends on the cluster as well.
type step struct {
	kind    kind
	victims []int
	inward  bool // of a one-way cut: the victim hears nobody; else nobody hears it
	gap     time.Duration
	hold    time.Duration
	settled bool // begins only when the cluster is whole
	jump    time.Duration
}

// nemesis hurts a cluster such that a majority of its nodes is left at any time, but for outages, and heals it.
type nemesis struct {
	c       *cluster
	rnd     *rand.Rand
	kinds   []kind
	size    int           // nodes that it may hurt
	longest time.Duration // the longest hold of a fault
	bag     []kind
	mu      struct {
		sync.Mutex
		busy map[int]bool // nodes that are being hurt
	}
	freed chan struct{}
}

func newNemesis(c *cluster, seed uint64, longest time.Duration) *nemesis {
	n := &nemesis{c: c, rnd: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), size: len(c.nodes), longest: longest, freed: make(chan struct{}, 1)}
	for _, w := range weights {
		if c.unavailable[w.kind] == "" {
			n.kinds = append(n.kinds, slices.Repeat([]kind{w.kind}, w.n)...)
		}
	}
	n.mu.busy = map[int]bool{}
	return n
}

// minority is how many nodes may be hurt at once.
func (n *nemesis) minority() int { return (n.size - 1) / 2 }

// next draws the next step. Kinds come out of a bag that is refilled when it is empty, so that each has its turn.
func (n *nemesis) next() step {
	if len(n.bag) == 0 {
		n.bag = slices.Clone(n.kinds)
		n.rnd.Shuffle(len(n.bag), func(i, j int) { n.bag[i], n.bag[j] = n.bag[j], n.bag[i] })
	}
	k := n.bag[0]
	n.bag = n.bag[1:]
	s := step{
		kind: k, inward: n.rnd.IntN(2) == 0, settled: n.rnd.IntN(2) == 0,
		gap:  time.Duration(n.rnd.Int64N(int64(n.longest/4) + 1)),
		hold: n.longest/20 + time.Duration(n.rnd.Int64N(int64(n.longest))),
	}
	order, jump := n.rnd.Perm(n.size), jumps[n.rnd.IntN(len(jumps))]
	switch k {
	case skewing:
		s.victims = order[:1+n.rnd.IntN(n.size)]
		if s.jump = jump; s.inward {
			s.jump = -jump
		}
	case restarting, outage:
		s.victims, s.settled = order, true
	case parting:
		s.victims = order[:2] // the second is hurt no more than everybody is when a node is lost
	case filling:
		s.victims = []int{n.size - 1}
	default:
		s.victims = order[:1+n.rnd.IntN(max(1, n.minority()))]
	}
	return s
}

// run hurts the cluster until ctx ends, and returns when everything is healed.
func (n *nemesis) run(ctx context.Context) {
	var faults sync.WaitGroup
	defer faults.Wait()
	for ctx.Err() == nil {
		s := n.next()
		if !rest(ctx, s.gap) || !n.acquire(ctx, s) {
			return
		}
		if s.settled {
			bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
			_ = until(bounded, func() error { return n.c.whole(bounded) })
			cancel()
		}
		faults.Go(func() {
			defer n.release(s)
			n.c.line.count(s.kind)
			// The healing of a fault does not depend on whether time is over.
			n.do(context.WithoutCancel(ctx), ctx, s)
		})
	}
}

// costs are the nodes that a step takes out of the majority.
func (s step) costs() []int {
	switch s.kind {
	case parting:
		return s.victims[:1]
	case skewing:
		return nil // whoever tells the time wrongly has to work all the same
	}
	return s.victims
}

// acquire waits until the step's victims may be hurt: all others healed, for a step that concerns all.
func (n *nemesis) acquire(ctx context.Context, s step) bool {
	for {
		if n.tryAcquire(s) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-n.freed:
		}
	}
}

func (n *nemesis) tryAcquire(s step) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, v := range s.victims {
		if n.mu.busy[v] && len(s.costs()) > 0 {
			return false
		}
	}
	allowed := n.minority()
	if len(s.costs()) == n.size { // on purpose, and alone
		allowed = n.size
	}
	if len(n.mu.busy)+len(s.costs()) > allowed {
		return false
	}
	for _, v := range s.costs() {
		n.mu.busy[v] = true
	}
	return true
}

// alone reports whether s hurts one node and nothing else is wrong.
func (n *nemesis) alone(s step) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(s.victims) == 1 && len(n.mu.busy) == 1
}

func (n *nemesis) release(s step) {
	n.mu.Lock()
	for _, v := range s.costs() {
		delete(n.mu.busy, v)
	}
	n.mu.Unlock()
	select {
	case n.freed <- struct{}{}:
	default:
	}
}

// do hurts and heals. always is for what must be done, ctx for what may be cut short.
func (n *nemesis) do(always, ctx context.Context, s step) {
	say, names := n.c.line.say, n.c.called(s.victims)
	begin, end := n.effects(always, s)
	if s.kind == restarting {
		say("rolling restart of %s", names)
		n.rolling(ctx, s)
		say("rolling restart is over")
		return
	}
	if s.kind == killing || s.kind == outage {
		n.c.line.killed(s.kind == killing && n.alone(s) && n.c.whole(ctx) == nil)
	}
	say("%s %s%s for %.1fs", s.kind, names, s.detail(), s.hold.Seconds())
	if err := begin(); err != nil {
		n.c.t.Errorf("%s %s: %v", s.kind, names, err)
	}
	rest(ctx, s.hold)
	if err := end(); err != nil {
		n.c.t.Errorf("heal %s %s: %v", s.kind, names, err)
	}
	say("%s %s is healed", s.kind, names)
}

func (s step) detail() string {
	switch {
	case s.kind == skewing:
		return fmt.Sprintf(" by %s", s.jump)
	case s.kind != deafening:
		return ""
	case s.inward:
		return " (hears no other)"
	default:
		return " (heard by no other)"
	}
}

// effects are how a step begins and how it is healed.
func (n *nemesis) effects(ctx context.Context, s step) (begin, end func() error) {
	each := func(f func(*node) error) func() error {
		return func() error { return n.c.each(s.victims, f) }
	}
	net := n.c.net
	switch s.kind {
	case killing, outage:
		return each((*node).kill), each(func(v *node) error { return v.start(n.c.bin) })
	case pausing:
		return each(func(v *node) error { return v.signal(syscall.SIGSTOP) }), each(func(v *node) error { return v.signal(syscall.SIGCONT) })
	case filling:
		return n.c.disk.fill, n.c.disk.free
	case skewing:
		return each(func(v *node) error { return v.jump(s.jump) }), each(func(v *node) error { return v.jump(-s.jump) })
	case slowing, throttling:
		by := func(times int) func() error {
			return func() error { return net.slower(ctx, s.victims, s.kind, times) }
		}
		return by(1), by(-1)
	default:
		pairs := n.deaf(s)
		return func() error { return net.cut(ctx, pairs...) }, func() error { return net.mend(ctx, pairs...) }
	}
}

// deaf lists who does not hear whom.
func (n *nemesis) deaf(s step) [][2]int {
	var pairs [][2]int
	if s.kind == parting {
		return [][2]int{{s.victims[0], s.victims[1]}, {s.victims[1], s.victims[0]}}
	}
	for _, v := range s.victims {
		for other := range n.size + 1 { // the spare node as well
			if slices.Contains(s.victims, other) {
				continue
			}
			if s.kind == isolating || s.inward {
				pairs = append(pairs, [2]int{v, other})
			}
			if s.kind == isolating || !s.inward {
				pairs = append(pairs, [2]int{other, v})
			}
		}
	}
	return pairs
}

// rolling restarts the nodes one after the other, as an operator would: the next when the cluster is whole again.
func (n *nemesis) rolling(ctx context.Context, s step) {
	for _, v := range s.victims {
		if ctx.Err() != nil {
			return
		}
		victim, began := n.c.nodes[v], time.Now()
		if err := victim.stop(); err != nil {
			n.c.t.Errorf("rolling restart: %v", err)
		}
		ended := time.Since(began)
		if err := victim.start(n.c.bin); err != nil {
			n.c.t.Errorf("rolling restart: %v", err)
			return
		}
		bounded, cancel := context.WithTimeout(ctx, 60*time.Second)
		err := until(bounded, func() error { return n.c.whole(bounded) })
		cancel()
		if err != nil && ctx.Err() == nil {
			n.c.line.say("after the restart of %s the cluster is not whole: %v", victim.name, err)
		}
		n.c.line.say("%s ended in %dms and the cluster was whole after %.1fs", victim.name, ended.Milliseconds(), time.Since(began).Seconds())
	}
}

// rest waits, and reports whether ctx let it.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (c *cluster) called(victims []int) string {
	names := make([]string, len(victims))
	for i, v := range victims {
		names[i] = c.nodes[v].name
	}
	return strings.Join(names, "+")
}

// each does f to all of them at once and returns the first error.
func (c *cluster) each(victims []int, f func(*node) error) error {
	errs := make(chan error, len(victims))
	for _, v := range victims {
		go func() { errs <- f(c.nodes[v]) }()
	}
	var first error
	for _, v := range victims {
		if err := <-errs; err != nil && first == nil {
			first = fmt.Errorf("%s (of %s): %w", c.nodes[v].name, c.called(victims), err)
		}
	}
	return first
}
