package move_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

var (
	simWalks   = flag.Int("sim.walks", 400, "how many walks")
	simSeed    = flag.Uint64("sim.seed", 1, "the first seed")
	simWithout = flag.Int("sim.without", 8000, "how many walks at most to see that a rule is missing")
	simTrace   = flag.Bool("sim.trace", false, "print every walk")
)

const simSteps = 2500

// act makes one random step.
func (w *world) act() {
	w.now++
	refs := w.refs()
	ref := refs[w.random.IntN(len(refs))]
	n := w.random.IntN(simNodes)
	if w.biased() {
		return
	}
	switch k := w.random.IntN(100); {
	case k < 18:
		if !w.lags(w.slow, n) {
			for range w.pace() {
				w.apply(ref, w.shards[ref][n])
			}
		}
	case k < 32:
		if !w.lags(w.slow, n) {
			w.sync(ref, w.shards[ref][n])
		}
	case k < 50:
		w.drive(n)
		if w.narrow {
			w.drive(w.random.IntN(simNodes))
		}
	case k < 56:
		if !w.lags(w.lazy, n) {
			w.learn(n, min(w.nodes[n].view+1+w.random.IntN(3), len(w.history)-1))
		}
	case k < 66:
		w.writers[w.random.IntN(len(w.writers))].step()
	case k < 75:
		if i := len(w.pending); i > 0 {
			i = w.random.IntN(i)
			p := w.pending[i]
			w.pending = slices.Delete(w.pending, i, i+1)
			w.deliver(p)
		}
	case k < 83:
		if i := len(w.flight); i > 0 {
			i = w.random.IntN(i)
			cmd := w.flight[i]
			if w.bias == loseSeals && !w.calm && cmd.ChangeMove != nil && cmd.ChangeMove.Flip != nil && w.random.IntN(10) > 0 {
				return // there is time for much before it arrives
			}
			w.flight = slices.Delete(w.flight, i, i+1)
			if w.calm || w.random.IntN(10) > 0 {
				w.propose(cmd)
			}
		}
	case k < 85:
		w.reconcile(n)
		if w.narrow && len(w.flight) > 5 {
			w.flight = w.flight[len(w.flight)-5:]
		}
	case k < 88:
		w.beginRead()
	case k < 97:
		w.askOne()
	case w.calm || w.narrow && !w.trouble:
	case k < 98 && w.random.IntN(2) == 0:
		w.promote(ref)
	case k < 99 && w.random.IntN(3) == 0:
		w.crash(n)
	case w.random.IntN(4) == 0 && !w.narrow:
		w.declare(1 + w.random.Uint32N(4))
	}
}

// askOne lets one of the reads go on.
func (w *world) askOne() {
	if i := len(w.reads); i > 0 {
		i = w.random.IntN(i)
		if r := w.reads[i]; r.step(w) {
			w.reads = slices.Delete(w.reads, i, i+1)
		}
	}
}

func (w *world) declare(shards uint32) {
	if w.fills {
		w.declareFill(shards)
		return
	}
	w.propose(catalog.Command{Reshard: &catalog.Reshard{Collection: 1, ShardNumber: shards}})
}

// biased makes, in a walk that is about one thing, a step that leads there.
func (w *world) biased() bool {
	switch {
	case w.calm || w.random.IntN(4) > 0:
		return false
	case w.bias == promoteSealing && w.random.IntN(3) == 0:
		for _, c := range w.latest().Collections {
			for _, m := range c.Moves {
				if m.Sealed() {
					w.promote(catalog.ShardRef{Collection: c.ID, Shard: m.Source})
					return true
				}
			}
		}
	case w.bias == readMore:
		if len(w.reads) < 20 {
			w.beginRead()
		}
		for range 4 {
			w.askOne()
		}
		return true
	case w.bias == loseSeals:
		return w.loseSeal()
	case w.bias == promoteFlipping && w.random.IntN(3) == 0:
		for _, cmd := range w.flight {
			if cmd.ChangeMove != nil && cmd.ChangeMove.Flip != nil {
				if m, ok := w.latest().Collections[cmd.ChangeMove.Collection].Move(cmd.ChangeMove.Move); ok && m.Phase == catalog.Sealing {
					w.promote(catalog.ShardRef{Collection: cmd.ChangeMove.Collection, Shard: m.Source})
					return true
				}
			}
		}
	}
	return false
}

// loseSeal loses the primary of a source, if it alone has the seal that a last pass is about.
func (w *world) loseSeal() bool {
	for _, ref := range w.refs() {
		p := w.primary(ref)
		if p == nil {
			continue
		}
		for _, f := range w.feeds {
			if f.source != ref || f.from != p.node || f.reigns != p.lead {
				continue
			}
			var others []int
			for n, q := range w.shards[ref] {
				if n != p.node && len(q.log) < f.seal {
					others = append(others, n)
				}
			}
			if slices.Sort(others); len(others) == simNodes-1 {
				w.promoteBy(ref, others)
				return true
			}
		}
	}
	return false
}

// lags tells whether the node that a walk has chosen to be behind stays so.
func (w *world) lags(who, n int) bool { return who == n && !w.calm && w.random.IntN(15) > 0 }

// reconcile does, by a node's catalog, what the reconciler does on the leader.
func (w *world) reconcile(n int) {
	w.endFills(n)
	for _, c := range w.view(n).Sorted() {
		plan := catalog.PlanMoves(c)
		for _, m := range plan.Cancel {
			w.change(m, c, catalog.ChangeMove{Cancel: true})
		}
		for _, b := range plan.Begin {
			w.flight = append(w.flight, catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: c.ID, Begin: &b}})
		}
		for _, id := range plan.Drop {
			w.flight = append(w.flight, catalog.Command{DropShard: &catalog.DropShard{Ref: catalog.ShardRef{Collection: c.ID, Shard: id}}})
		}
	}
}

// rest lets everything come to its end without trouble, and compares.
func (w *world) rest() {
	w.calm = true
	for range 60 {
		for range w.turns() {
			w.act()
			if w.failed != "" {
				return
			}
		}
		for n := range simNodes {
			w.learn(n, len(w.history)-1)
		}
		c, _ := w.latest().Lookup("c")
		led := true
		for ref, sh := range w.latest().Shards() {
			if w.primary(ref) == nil { // its node restarted
				led = false
				w.propose(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: sh.Version, Promote: &catalog.Promote{Term: sh.Term + 1, Candidate: w.best(ref)}}})
			}
		}
		if plan := catalog.PlanMoves(c); led && plan.Rest() && len(c.Moves) == 0 && w.quiet() {
			w.compare()
			return
		}
	}
	w.violate("it does not come to rest:\n%s", w.latest().Describe())
}

// pace is how many entries a replica applies at once: with many shards, each has its turn less often.
func (w *world) pace() int {
	if w.fills {
		return len(w.shards)
	}
	return 2
}

// turns is how many steps it takes for all shards to have come on.
func (w *world) turns() int {
	if w.fills {
		return 300 * max(1, len(w.shards)/2) // two keys have more of them
	}
	return 300
}

func (w *world) best(ref catalog.ShardRef) catalog.PeerID {
	best := 0
	for n := range simNodes {
		f, b := w.shards[ref][n], w.shards[ref][best]
		if last(f) > last(b) || last(f) == last(b) && len(f.log) > len(b.log) {
			best = n
		}
	}
	return catalog.PeerID(best + 1)
}

// quiet lets the requests end, and the replicas catch up.
func (w *world) quiet() bool {
	for _, k := range w.writers {
		for range 2000 {
			if k.req == nil {
				break
			}
			if k.req.age > 0 && len(w.pending) > 0 {
				p := w.pending[0]
				w.pending = w.pending[1:]
				w.deliver(p)
			}
			k.step()
			for _, ref := range w.refs() {
				for n := range simNodes {
					w.sync(ref, w.shards[ref][n])
					w.apply(ref, w.shards[ref][n])
				}
			}
		}
		if k.req != nil {
			return false
		}
	}
	w.pending = nil
	for range 400 {
		for _, ref := range w.refs() {
			for n := range simNodes {
				w.sync(ref, w.shards[ref][n])
				w.apply(ref, w.shards[ref][n])
			}
		}
	}
	return true
}

func (w *world) compare() {
	rows := map[int]int64{}
	for _, ref := range w.refs() {
		_, sh, _ := w.latest().Shard(ref)
		owned := sh.Owned()
		first := w.shards[ref][0]
		for n := range simNodes {
			f := w.shards[ref][n]
			if f.applied != first.applied || !maps.Equal(f.data, first.data) || string(f.state.Encode()) != string(first.state.Encode()) {
				w.violate("%s: replicas differ: %v at %d, %v at %d", ref, first.data, first.applied, f.data, f.applied)
			}
		}
		for id, val := range first.data {
			if !owned.Has(slotOf(id)) {
				w.violate("%s has a row of point %d, slot %d, which it does not own", ref, id, slotOf(id))
			}
			if w.shows(sh, id) {
				rows[id] = val
			}
		}
		if s := first.state; s != nil && len(s.In)+len(s.Sealed)+len(s.Drops) > 0 {
			w.violate("%s knows of moves still: %s", ref, s.Encode())
		}
	}
	if w.weak {
		return
	}
	for _, k := range w.writers {
		for _, id := range k.all() {
			if val := rows[id]; val != k.acked[id] && !k.late[id][val] {
				w.violate("point %d is %d in the end, %d was acknowledged", id, val, k.acked[id])
			}
		}
	}
}

// walk returns what went wrong, "" if nothing did.
func walk(seed uint64, weak, fills bool, r rules, b bias) *world {
	w := newWorld(seed, weak, fills, r)
	w.bias = b
	for range simSteps {
		if w.act(); w.failed != "" {
			return w
		}
	}
	w.rest()
	return w
}

// narrow is a walk about one move or two, and short.
func narrow(seed uint64, weak, fills bool, r rules, b bias) *world {
	w := newWorld(seed, weak, fills, r)
	w.bias, w.narrow = b, true
	c, _ := w.latest().Lookup("c")
	n := c.Config.ShardNumber
	for range 200 {
		w.act()
	}
	if fills || n == 1 || n == 2 && seed%2 == 0 {
		w.declare(n + 1)
	} else {
		w.declare(n - 1)
	}
	w.trouble = true
	for range 6000 {
		if w.act(); w.failed != "" {
			return w
		}
		if c, _ := w.latest().Lookup("c"); w.flips > 0 && len(c.Moves) == 0 && w.now >= w.until {
			break
		}
	}
	if w.bias != readMore {
		w.rest()
	}
	return w
}

func TestMovesKeepTheirPromises(t *testing.T) {
	count, flips := walks(t, false, func(w *world) int { return w.flips })
	t.Logf("%d walks, %d flips", count, flips)
	if flips < count {
		t.Errorf("only %d flips in %d walks", flips, count)
	}
}

// walks makes walks with all rules in force, and adds up what they came to.
func walks(t *testing.T, fills bool, came func(*world) int) (count, total int) {
	t.Helper()
	count = *simWalks
	if testing.Short() {
		count = min(count, 60)
	}
	for i := range count {
		seed := *simSeed + uint64(i)
		w := walk(seed, seed%3 == 2, fills, rules{}, bias(seed/3)%biases)
		total += came(w)
		if w.failed != "" || *simTrace {
			t.Logf("seed %d:\n%s", seed, strings.Join(w.trace, "\n"))
		}
		if w.failed != "" {
			t.Fatalf("seed %d: %s (go test ./node/internal/move -run %s -sim.seed=%d -sim.walks=1 -v)", seed, w.failed, t.Name(), seed)
		}
	}
	return count, total
}

// TestLeavingOutARuleIsNoticed takes the rules out of force, one at a time.
func TestLeavingOutARuleIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		rules rules
		weak  bool
		fills bool
		bias  bias
		from  uint64 // seeds before it have been looked through: they go well
	}{
		"M2: writes of sealed slots are refused":             {rules: rules{noSeals: true}},
		"M2: only the owner takes a write":                   {rules: rules{noOwner: true}},
		"M2: a new primary looks for a seal before it":       {rules: rules{noSettled: true}, bias: promoteSealing},
		"M2: a primary remembers the seals it has appended":  {rules: rules{noMore: true}},
		"M4: a seal holds until the phase is left":           {rules: rules{eagerUnseal: true}},
		"M4: a flip rests on the seal of its own version":    {rules: rules{noVersion: true}},
		"M5: a flip waits until the seal stands":             {rules: rules{noStand: true}, bias: loseSeals},
		"M5: what is committed has to be in its place":       {rules: rules{noPlace: true}},
		"M5: the tracker misses nothing":                     {rules: rules{noTracker: true}},
		"M6: unsafe promotions are counted":                  {rules: rules{noUnsafe: true}, weak: true, bias: promoteFlipping},
		"M7: slots are accepted before they are written":     {rules: rules{noAccept: true}, from: 1640},
		"M7: operations with filters pass foreign slots by":  {rules: rules{noForeign: true}},
		"M8: a target shows slots once it has them":          {rules: rules{noFloor: true}, bias: readMore},
		"M8: a source that has dropped rows says so":         {rules: rules{noEpochFloor: true}},
		"M9: a sealed source does not answer a fresh reader": {rules: rules{noFresh: true}, bias: readMore},

		"F1: all parts are sealed when a key begins to serve":  {rules: rules{noTogether: true}, fills: true},
		"F2: writes of sealed slots are refused":               {rules: rules{noSeals: true}, fills: true},
		"F2: a seal holds until the phase is left":             {rules: rules{eagerUnseal: true}, fills: true},
		"F2: what is counted with is of one history":           {rules: rules{noUnsafe: true}, fills: true, weak: true, bias: promoteFlipping, from: 125},
		"F3: a source refuses writes of before the activation": {rules: rules{noSourceEpoch: true}, fills: true},
		"F4: a new primary looks for a seal before it":         {rules: rules{noSettled: true}, fills: true, bias: promoteSealing, from: 600},
		"F4: a source that has ended its seal says so":         {rules: rules{noEpochFloor: true}, fills: true, bias: readMore, from: 730},
		"F5: a target shows slots once it has them":            {rules: rules{noFloor: true}, fills: true, bias: readMore, from: 260},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := c.from; seed < c.from+uint64(*simWithout); seed++ {
				if w := narrow(seed+1, c.weak, c.fills, c.rules, c.bias); w.failed != "" {
					t.Logf("seed %d: %s", seed+1, w.failed)
					return
				}
			}
			t.Errorf("%d walks went well without it", *simWithout)
		})
	}
}
