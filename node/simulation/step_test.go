package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
)

// TestWhoeverDiesAtAStepOfAMoveItGoesOn cuts a collection anew under writes, and at one step of the way by which slots move takes one
// party down: who leads the target, who leads the source, the reconciler, several of them, or all; killed, or without power; and then, in half
// of the schedules, somebody once more. The seed's number says at which step and whom, so that each of so many in a row has all of them. In the end the collection is cut as declared, and
// everything holds that TestClustersKeepTheirPromises demands.
func TestWhoeverDiesAtAStepOfAMoveItGoesOn(t *testing.T) {
	sum := &totals{counts: map[string]int{}}
	begun := time.Now()
	steps := moveSteps()
	all := len(steps) * len(parties())
	count := *seeds
	if testing.Short() {
		count = min(count, len(steps))
	}
	t.Run("seed", func(t *testing.T) {
		for i := range count {
			s := *seed + uint64(i)
			t.Run(fmt.Sprint(s), func(t *testing.T) {
				t.Parallel()
				if *begin > 0 && i >= 4*all && time.Since(begun) > *begin || *first && sum.broken.Load() {
					return // the report tells how many schedules there were
				}
				synctest.Test(t, func(t *testing.T) { simulateMove(t, s, sum) })
			})
		}
	})
	t.Logf("%d schedules in %s; %s of clusters' lives; requests: %d answered, %d failed; %d points, %d of them promised; as declared after %s on average, %s at most",
		sum.schedules, time.Since(begun).Round(time.Millisecond), sum.virtual.Round(time.Second), sum.answered, sum.failed, sum.points, sum.certain,
		(sum.healing / time.Duration(max(1, sum.schedules))).Round(time.Millisecond), sum.worst.Round(time.Millisecond))
	t.Logf("who died where: %v", sum.counts)
	for _, at := range steps {
		died := 0
		for _, who := range parties() {
			died += sum.counts[at.name+": "+who.name]
		}
		if died == 0 && sum.schedules >= all {
			t.Errorf("in %d schedules nobody died at the step %q", sum.schedules, at.name)
		}
	}
}

// scene is how far one move is, as the node with the newest metadata and those that lead its two sides show it.
type scene struct {
	mv             *catalog.Move
	target, source *machine       // nil: it is down
	in             *move.Incoming // nil: the target does not know of it
	sealed         bool           // the source has applied the seal of this version
}

// moveStep is one of the steps of docs/design/resharding.md.
type moveStep struct {
	name string
	is   func(scene) bool
}

func moveSteps() []moveStep {
	in := func(phase catalog.MovePhase, is func(scene) bool) func(scene) bool {
		return func(s scene) bool { return s.mv.Phase == phase && s.target != nil && s.source != nil && is(s) }
	}
	return []moveStep{
		{"begun", in(catalog.Copying, func(s scene) bool { return s.in == nil })},
		{"open", in(catalog.Copying, func(s scene) bool { return s.in != nil && s.in.Cursor == 0 })},
		{"copied", in(catalog.Copying, func(s scene) bool { return s.in != nil && s.in.Cursor > 0 })},
		{"sealing", in(catalog.Sealing, func(s scene) bool { return !s.sealed })},
		{"sealed", in(catalog.Sealing, func(s scene) bool { return s.sealed })},
		{"last pass", in(catalog.Sealing, func(s scene) bool { return s.in != nil && s.in.Sealed == s.mv.Version })},
		{"flipped", in(catalog.Moved, func(s scene) bool { return s.in != nil && !s.in.Accepted })},
		{"accepted", in(catalog.Moved, func(s scene) bool { return s.in != nil && s.in.Accepted && !s.mv.SourceDone })},
		{"one side is done", in(catalog.Moved, func(s scene) bool { return s.mv.SourceDone != s.mv.TargetDone })},
		{"withdrawn", in(catalog.Withdrawn, func(scene) bool { return true })},
	}
}

// party is who may die.
type party struct {
	name string
	of   func(n *nemesis, s scene) []*machine
}

func parties() []party {
	return []party{
		{"target", func(_ *nemesis, s scene) []*machine { return []*machine{s.target} }},
		{"source", func(_ *nemesis, s scene) []*machine { return []*machine{s.source} }},
		{"reconciler", func(n *nemesis, _ scene) []*machine { return []*machine{n.leader()} }},
		{"both", func(_ *nemesis, s scene) []*machine { return []*machine{s.target, s.source} }},
		{"all", func(n *nemesis, _ scene) []*machine { return n.c.machines }},
	}
}

// simulateMove runs one schedule in a bubble of its own.
func simulateMove(t *testing.T, seed uint64, sum *totals) {
	random := rand.New(rand.NewPCG(seed, 0x73746570))
	line := newTimeline()
	source := func() *rand.Rand { return rand.New(rand.NewPCG(random.Uint64(), 0)) }
	c := newCluster(t, source(), source(), line, 3)
	defer func() {
		if t.Failed() {
			sum.broken.Store(true)
			line.report(t, "TestWhoeverDiesAtAStepOfAMoveItGoesOn", seed)
		}
	}()
	steps, whom := moveSteps(), parties()
	at := steps[int(seed)%len(steps)]
	who := whom[int(seed)/len(steps)%len(whom)]
	line.event("seed %d: %s dies at the step %q", seed, who.name, at.name)
	finished := make(chan struct{})
	go watch(finished, line)
	c.startAll()
	g := &target{name: "quorum", factor: 2 + uint32(random.IntN(2)), quorum: 2}
	w := newWorkload(c, source(), clients, []*target{g})
	if _, ok := c.eventually(30*time.Second, "the collection is made", func(ctx context.Context) error { return w.create(ctx, g) }); !ok {
		return
	}
	n := &nemesis{c: c, random: source(), counts: map[string]int{}}
	o := newOperator(w, source())
	w.start()
	if s, ok := o.cutUntil(g, at); ok {
		n.strike(at, who, s)
	}
	_ = pass(context.Background(), n.between(0, 300*time.Millisecond))
	w.stop()
	line.event("healed")
	took := w.verify()
	line.event("verified")
	w.close()
	o.close()
	c.close()
	close(finished)
	alone(line)
	sum.add(w, n, took, time.Since(line.start))
}

// strike takes down whoever is to die, for a while.
func (n *nemesis) strike(at moveStep, who party, s scene) {
	_ = pass(context.Background(), n.between(0, time.Millisecond)) // the step lasts for some of these
	victims := who.of(n, s)
	if victims = slices.Compact(victims); victims[0] == victims[len(victims)-1] {
		victims = victims[:1]
	}
	what, end := n.crash(n.random.IntN(2) == 0, victims...)
	n.c.timeline.event("%s: %s", at.name, what)
	n.counts[at.name+": "+who.name]++
	_ = pass(context.Background(), n.between(10*time.Millisecond, 3*time.Second))
	end()
	if n.random.IntN(2) == 0 { // somebody else, while the move recovers
		_ = pass(context.Background(), n.between(0, time.Second))
		what, end = n.crash(n.random.IntN(2) == 0, n.some(1)...)
		n.c.timeline.event("and %s", what)
		_ = pass(context.Background(), n.between(10*time.Millisecond, time.Second))
		end()
	}
}

// cutUntil cuts the collection into other numbers of shards until a move is at a step, and returns that move. A step is over within
// milliseconds, and not every move is seen at each: then the next may be.
func (o *operator) cutUntil(g *target, at moveStep) (scene, bool) {
	const enough = 30
	shards := uint32(2)
	for range enough {
		back := shards
		for shards == back {
			shards = 1 + uint32(o.random.IntN(4))
		}
		_ = pass(context.Background(), time.Duration(o.random.Int64N(int64(300*time.Millisecond))))
		o.cut(g, shards)
		asked := false
		for range 20_000 {
			scenes, rest := o.w.c.scenes(g.name, shards)
			if i := slices.IndexFunc(scenes, at.is); i >= 0 {
				return scenes[i], true
			}
			if rest {
				break
			}
			if running := func(s scene) bool { return s.mv.Running() }; at.name == "withdrawn" && !asked && slices.ContainsFunc(scenes, running) {
				asked, shards = true, back
				o.cut(g, back)
			}
			_ = pass(context.Background(), 250*time.Microsecond)
		}
	}
	o.w.c.timeline.event("no move was ever seen at the step %q", at.name)
	return scene{}, false
}

// cut declares how many shards the collection is to have.
func (o *operator) cut(g *target, shards uint32) {
	o.w.c.timeline.event("%s into %d", g.name, shards)
	o.w.c.eventually(30*time.Second, "the number of shards is declared", func(context.Context) error {
		return o.ask(requestTimeout, reshardInto(g, shards))
	})
}

// scenes returns how far the moves of a collection are, and whether it is at rest with that many shards.
func (c *cluster) scenes(name string, shards uint32) (all []scene, rest bool) {
	var state *catalog.State
	newest, of := uint64(0), map[catalog.PeerID]*machine{}
	for _, m := range c.machines {
		if m.server == nil {
			continue
		}
		of[m.server.Self()] = m
		if s, index := m.server.Metadata(); index >= newest {
			state, newest = s, index
		}
	}
	col, ok := state.Lookup(name)
	if !ok {
		return nil, false
	}
	for _, mv := range col.Moves {
		s := scene{mv: mv}
		target, from := catalog.ShardRef{Collection: col.ID, Shard: mv.Target}, catalog.ShardRef{Collection: col.ID, Shard: mv.Source}
		if _, sh, ok := state.Shard(target); ok {
			if s.target = of[sh.Primary]; s.target != nil {
				s.in, _ = s.target.server.Replicas().Moves(target).Incoming(mv.ID)
			}
		}
		if _, sh, ok := state.Shard(from); ok {
			if s.source = of[sh.Primary]; s.source != nil {
				seal, _ := s.source.server.Replicas().Moves(from).Seal(mv.ID)
				s.sealed = seal.Version == mv.Version
			}
		}
		all = append(all, s)
	}
	for _, g := range col.Groups() {
		plan := g.Plan()
		rest = len(all) == 0 && plan.Rest() && g.Number == shards
	}
	return all, rest
}
