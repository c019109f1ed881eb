package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
)

// world is everything around a Runner, in memory.
type world struct {
	t *testing.T
	sync.Mutex
	state    *catalog.State
	newer    chan struct{}
	term     uint64
	here     bool
	led      chan struct{}
	dead     map[catalog.PeerID]bool
	draining map[catalog.PeerID]bool
	live     chan struct{}
	ends     map[catalog.PeerID]uint64 // last index, of every replica there; term 1
	promises map[catalog.ShardRef]uint64
	silent   map[catalog.PeerID]bool // alive, but its fences are lost
	fences   int                     // requests
	yields   []string                // who was asked, in order, and whether it may finish first
	asked    chan struct{}           // one for the first request
	proposed [][]catalog.Command
	refuse   error // of the next proposal
	voters   map[catalog.PeerID]string
	rounds   int // in which voters were asked for
}

func newWorld(t *testing.T, peers int) *world {
	w := &world{
		t: t, state: catalog.Empty(), newer: make(chan struct{}), led: make(chan struct{}), live: make(chan struct{}),
		dead: map[catalog.PeerID]bool{}, draining: map[catalog.PeerID]bool{}, ends: map[catalog.PeerID]uint64{},
		asked: make(chan struct{}, 1), promises: map[catalog.ShardRef]uint64{}, silent: map[catalog.PeerID]bool{}, voters: map[catalog.PeerID]string{},
	}
	for i := range peers {
		id := catalog.PeerID(i + 1)
		w.apply(catalog.Command{RegisterPeer: &catalog.Peer{ID: id, Name: fmt.Sprint("n", id), PeerAddr: "h:1"}})
		w.voters[id] = "h:1"
	}
	return w
}

func (w *world) apply(cmds ...catalog.Command) []catalog.Result {
	next, results := catalog.ApplyAll(w.state, cmds)
	w.state = next
	close(w.newer)
	w.newer = make(chan struct{})
	return results
}

func (w *world) create(name string, shards, replicas, wcf uint32) {
	w.Lock()
	defer w.Unlock()
	cmd, err := catalog.Prepare(w.state, catalog.Command{CreateCollection: &catalog.CreateCollection{
		Name: name, Config: catalog.Config{ShardNumber: shards, ReplicationFactor: replicas, WriteConsistencyFactor: wcf},
	}}, func(catalog.PeerID) bool { return true })
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(cmd)
}

// set changes the world under the lock and tells the Runner of a new leadership or liveness.
func (w *world) set(change func()) {
	w.Lock()
	defer w.Unlock()
	change()
	close(w.led)
	close(w.live)
	w.led, w.live = make(chan struct{}), make(chan struct{})
}

func (w *world) lead(term uint64, here bool) { w.set(func() { w.term, w.here = term, here }) }

func (w *world) shard(ref catalog.ShardRef) *catalog.Shard {
	w.Lock()
	defer w.Unlock()
	_, sh, _ := w.state.Shard(ref)
	return sh
}

// entries returns how many proposals were made and the number of commands in them.
func (w *world) entries() (entries, commands, fences int) {
	w.Lock()
	defer w.Unlock()
	for _, cmds := range w.proposed {
		commands += len(cmds)
	}
	return len(w.proposed), commands, w.fences
}

func (w *world) Watch() (*catalog.State, <-chan struct{}) {
	w.Lock()
	defer w.Unlock()
	return w.state, w.newer
}

func (w *world) Propose(_ context.Context, cmds ...catalog.Command) ([]catalog.Result, error) {
	w.Lock()
	defer w.Unlock()
	w.proposed = append(w.proposed, cmds)
	if err := w.refuse; err != nil {
		w.refuse = nil
		return nil, err
	}
	return w.apply(cmds...), nil
}

func (w *world) Leading() (uint64, bool, <-chan struct{}) {
	w.Lock()
	defer w.Unlock()
	return w.term, w.here, w.led
}

func (w *world) Alive(id catalog.PeerID) bool {
	w.Lock()
	defer w.Unlock()
	return !w.dead[id]
}

func (w *world) Draining(id catalog.PeerID) bool {
	w.Lock()
	defer w.Unlock()
	return w.draining[id]
}

func (w *world) Changed() <-chan struct{} {
	w.Lock()
	defer w.Unlock()
	return w.live
}

func (w *world) Voters() map[catalog.PeerID]string {
	w.Lock()
	defer w.Unlock()
	w.rounds++
	voters := map[catalog.PeerID]string{}
	for id, addr := range w.voters {
		voters[id] = addr
	}
	return voters
}

func (w *world) Handover(_ context.Context, want func(catalog.PeerID) bool) error {
	for id := range w.Voters() {
		if id != 1 && want(id) {
			w.lead(w.term+1, false)
			return nil
		}
	}
	return fault.New(fault.FailedPrecondition, "nobody else could lead")
}

func (w *world) RemoveVoter(_ context.Context, id catalog.PeerID) error {
	w.Lock()
	defer w.Unlock()
	delete(w.voters, id)
	return nil
}

func (w *world) Fence(ctx context.Context, to catalog.PeerID, fences []reconcile.Fence) ([]reconcile.FenceAnswer, error) {
	w.Lock()
	if w.fences++; w.fences == 1 {
		w.asked <- struct{}{}
	}
	lost := w.silent[to] || w.dead[to]
	w.yields = append(w.yields, fmt.Sprintf("%d %t", to, fences[0].Yield))
	w.Unlock()
	if lost {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	w.Lock()
	defer w.Unlock()
	answers := make([]reconcile.FenceAnswer, len(fences))
	for i, f := range fences {
		_, sh, ok := w.state.Shard(f.Ref)
		r, holds := sh.Replica(to)
		if !ok || !holds || r.Generation != f.Generation {
			continue
		}
		promised := max(f.Term, w.promises[f.Ref])
		answers[i] = reconcile.FenceAnswer{Answered: true, Promised: promised, LastTerm: 1, LastIndex: w.ends[to]}
	}
	return answers, nil
}

func (w *world) start() (*reconcile.Runner, *prometheus.Registry) {
	w.t.Helper()
	reg := prometheus.NewRegistry()
	r, err := reconcile.NewRunner(reconcile.RunnerOptions{
		Self: 1, Metadata: w, Members: w, Liveness: w, Fencer: w, Registerer: reg,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return r, reg
}

func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// pass lets virtual time pass and everything that is due happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestOnlyTheLeaderActs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 3, 2)
		w.start()
		w.set(func() { w.dead[1] = true })
		pass(10 * time.Second)
		if entries, _, fences := w.entries(); entries+fences > 0 {
			t.Fatalf("%d entries and %d fences without leadership", entries, fences)
		}
		w.lead(2, true)
		pass(100 * time.Millisecond)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); sh.Term != 2 || sh.Primary == 1 {
			t.Fatalf("%s", sh)
		}
		w.lead(3, false)
		synctest.Wait() // it may be at a round, and knows a moment later
		w.set(func() { w.dead[2], w.dead[1] = true, false })
		before, _, _ := w.entries()
		pass(10 * time.Second)
		if after, _, _ := w.entries(); after != before {
			t.Fatal("it went on after it lost leadership")
		}
	})
}

func TestRoundsAreRareWhereThereIsNothingToDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 3, 2)
		w.start()
		w.lead(2, true)
		rounds := func(within time.Duration) int {
			w.Lock()
			before := w.rounds
			w.Unlock()
			pass(within)
			w.Lock()
			defer w.Unlock()
			return w.rounds - before
		}
		if n := rounds(5 * time.Second); n < 20 {
			t.Errorf("%d rounds in five seconds after the peers were first seen", n)
		}
		rounds(10 * time.Second)
		if n := rounds(20 * time.Second); n < 15 || n > 30 {
			t.Errorf("%d rounds in twenty seconds of rest", n)
		}
		w.set(func() { w.dead[3] = true })
		if n := rounds(5 * time.Second); n < 20 {
			t.Errorf("%d rounds in five seconds after a peer was lost", n)
		}
		rounds(10 * time.Second)
		if n := rounds(20 * time.Second); n < 15 || n > 30 {
			t.Errorf("%d rounds in twenty seconds while it stays away", n)
		}
		w.Lock()
		w.apply(catalog.Command{UpdatePeer: &catalog.UpdatePeer{ID: 2, Zone: new(string)}})
		w.Unlock()
		if n := rounds(100 * time.Millisecond); n == 0 {
			t.Error("no round at once after the metadata changed")
		}
	})
}

func TestThousandsOfShardsFailOverInAHandfulOfCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		for i := range 4 {
			w.create(fmt.Sprint("c", i), 750, 3, 2)
		}
		_, reg := w.start()
		w.lead(1, true)
		pass(time.Second)
		w.set(func() { w.dead[2] = true })
		pass(500 * time.Millisecond)
		entries, commands, fences := w.entries()
		for ref, sh := range w.state.Shards() {
			if sh.Primary == 2 {
				t.Fatalf("%s still has its dead primary: %s", ref, sh)
			}
		}
		if entries > 2 || commands != 1000 || fences > 4 {
			t.Errorf("%d shards took %d entries and %d fence requests", commands, entries, fences)
		}
		led := map[catalog.PeerID]int{}
		for _, sh := range w.state.Shards() {
			led[sh.Primary]++
		}
		if led[1] != 1500 || led[3] != 1500 {
			t.Errorf("primaries afterwards: %v", led)
		}
		if n := testutil.CollectAndCount(reg, "ostraka_reconcile_steps_total"); n == 0 {
			t.Error("nothing was counted")
		}
	})
}

func TestTheLongestLogIsPromotedAndASilentPeerDelaysNobodyForLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.create("docs", 1, 4, 3) // R6 asks for 2 of 4
		w.start()
		w.ends = map[catalog.PeerID]uint64{1: 9, 2: 7, 3: 8, 4: 9}
		w.silent[4] = true
		w.lead(1, true)
		w.set(func() { w.dead[1] = true })
		pass(1500 * time.Millisecond)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); sh.Primary != 3 || sh.UnsafePromotions != 0 {
			t.Fatalf("%s", sh)
		}
	})
}

func TestTooFewAnswersPromoteNobodyUntilMoreCome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 3, 2)
		w.start()
		w.silent[3] = true
		w.lead(1, true)
		w.set(func() { w.dead[1] = true })
		pass(time.Minute)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); sh.Term != 1 {
			t.Fatalf("promoted with one answer of two: %s", sh)
		}
		_, _, fences := w.entries()
		if fences > 60 {
			t.Errorf("%d fence requests in a minute", fences)
		}
		w.set(func() { w.silent[3] = false })
		pass(5 * time.Second)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); sh.Term != 2 || sh.Primary == 1 {
			t.Fatalf("%s", sh)
		}
	})
}

func TestAWeakCollectionFailsOverUnsafelyAfterTheGraceAndSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 2, 1)
		_, reg := w.start()
		w.lead(1, true)
		w.set(func() { w.dead[1] = true })
		pass(900 * time.Millisecond)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); sh.Term != 1 {
			t.Fatalf("before the grace: %s", sh)
		}
		pass(400 * time.Millisecond)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); sh.Primary != 2 || sh.UnsafePromotions != 1 {
			t.Fatalf("after the grace: %s", sh)
		}
		if got := counter(t, reg, "ostraka_reconcile_unsafe_promotions_total"); got != 1 {
			t.Errorf("counted %v", got)
		}
	})
}

func TestAReplicaThatNeverAnswersDoesNotBlockAWeakShardForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 3, 1)
		r, _ := w.start()
		w.silent[2] = true
		w.lead(1, true)
		r.WantPromotion(1, catalog.ShardRef{Collection: 1}, 1) // all are alive, and R6 asks for all three
		pass(1900 * time.Millisecond)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); sh.Term != 1 {
			t.Fatalf("before the grace: %s", sh)
		}
		w.set(func() { w.dead[1] = true })
		pass(10 * time.Second)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); sh.Primary != 3 || sh.UnsafePromotions != 1 {
			t.Fatalf("%s", sh)
		}
	})
}

func TestAWishForPromotionGivesThePrimaryANewTermOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 2, 2)
		r, _ := w.start()
		w.lead(1, true)
		ref := catalog.ShardRef{Collection: 1}
		r.WantPromotion(2, ref, 1) // no longer the primary: not its wish
		r.WantPromotion(1, ref, 1)
		r.WantPromotion(1, catalog.ShardRef{Collection: 9}, 1)
		pass(time.Second)
		r.WantPromotion(1, ref, 1) // late
		pass(time.Second)
		if sh := w.shard(ref); sh.Term != 2 || sh.Primary != 1 {
			t.Fatalf("%s", sh)
		}
	})
}

func TestATermThatOthersPromisedIsPassed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 3, 2)
		w.start()
		ref := catalog.ShardRef{Collection: 1}
		w.promises[ref] = 9
		w.lead(1, true)
		w.set(func() { w.dead[1] = true })
		pass(time.Second)
		if sh := w.shard(ref); sh.Term != 9 || sh.Primary == 1 {
			t.Fatalf("%s", sh)
		}
	})
}

func TestADrainingPrimaryHandsOverAndIsNotAskedOverAndOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 3, 2)
		w.start()
		ref := catalog.ShardRef{Collection: 1}
		w.ends = map[catalog.PeerID]uint64{1: 9, 2: 8, 3: 9}
		w.lead(1, true)
		w.set(func() { w.draining[1], w.silent[3] = true, true })
		pass(10 * time.Second)
		if sh := w.shard(ref); sh.Primary != 1 || sh.Term < 2 || sh.Term > 15 {
			t.Fatalf("behind: %s", sh)
		}
		w.set(func() { w.ends[2] = 9 })
		pass(5 * time.Second)
		if sh := w.shard(ref); sh.Primary != 2 || sh.UnsafePromotions != 0 {
			t.Fatalf("caught up: %s", sh)
		}
	})
}

func TestBeforeAWeakShardIsHandedOverTwoCopiesHoldAWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.create("docs", 1, 2, 1)
		w.start()
		ref := catalog.ShardRef{Collection: 1}
		w.ends = map[catalog.PeerID]uint64{1: 9, 2: 8}
		w.lead(1, true)
		w.set(func() { w.draining[1] = true })
		pass(10 * time.Second)
		if sh := w.shard(ref); sh.Primary != 1 || sh.Term != 1 || !sh.Handover {
			t.Fatalf("W is 1: %s", sh)
		}
		two := uint32(2)
		w.set(func() {
			w.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: w.state.Collections[1].Shards[0].Version, SetWriteQuorum: &two}})
		})
		pass(time.Second)
		// What the copy lacks has been acknowledged to nobody, or it would have it.
		if sh := w.shard(ref); sh.Primary != 2 || sh.UnsafePromotions != 0 || sh.Handover {
			t.Fatalf("W is 2: %s", sh)
		}
	})
}

func TestAPrimaryThatMovesAsPlannedIsAskedBeforeTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 3, 2)
		w.start()
		w.lead(1, true)
		from := w.shard(catalog.ShardRef{Collection: 1}).Primary
		w.set(func() { w.draining[from] = true })
		pass(time.Second)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); sh.Primary == from || sh.Term != 2 {
			t.Fatalf("not moved: %s", sh)
		}
		if len(w.yields) != 3 || w.yields[0] != fmt.Sprintf("%d true", from) {
			t.Errorf("asked %v, want %d first", w.yields, from)
		}
		w.yields = nil
		to := w.shard(catalog.ShardRef{Collection: 1}).Primary
		w.set(func() { w.dead[to] = true })
		pass(time.Second)
		for _, asked := range w.yields {
			if strings.HasSuffix(asked, "true") {
				t.Errorf("asked %v to finish first although the primary is dead", w.yields)
			}
		}
	})
}

func TestHundredsOfPrimariesGiveWayInGroups(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 900, 3, 2)
		w.start()
		w.lead(1, true)
		pass(time.Second)
		before := len(w.proposed)
		w.set(func() { w.draining[2] = true })
		pass(time.Second)
		for ref, sh := range w.state.Shards() {
			if sh.Primary == 2 {
				t.Fatalf("%s still has its primary: %s", ref, sh)
			}
		}
		moved := 0
		for _, cmds := range w.proposed[before:] {
			moved += len(cmds)
			if len(cmds) > 64 {
				t.Errorf("%d primaries gave way at once: the first is missed for as long as the last takes", len(cmds))
			}
		}
		if moved != 300 {
			t.Errorf("%d primaries gave way, want 300", moved)
		}
	})
}

func TestAPrimaryThatDiffersGivesWayOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.create("docs", 1, 3, 2)
		r, _ := w.start()
		ref := catalog.ShardRef{Collection: 1}
		w.ends = map[catalog.PeerID]uint64{1: 9, 2: 9, 3: 8}
		r.MovePrimary(ref, 1)
		pass(time.Second)
		if sh := w.shard(ref); sh.Primary != 1 {
			t.Fatalf("nobody leads, yet %s", sh)
		}
		w.lead(1, true)
		pass(5 * time.Second)
		sh := w.shard(ref)
		if sh.Primary != 2 || sh.Term != 2 {
			t.Fatalf("moved: %s", sh)
		}
		r.MovePrimary(ref, 1) // a wish that comes late
		pass(time.Minute)
		if now := w.shard(ref); now.Term != 2 {
			t.Errorf("moved again: %s", now)
		}
	})
}

func TestARefusedProposalIsPlannedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.create("docs", 1, 2, 1)
		w.start()
		w.refuse = fault.New(fault.Unavailable, "no quorum")
		w.lead(1, true)
		w.set(func() {
			w.apply(catalog.Command{RegisterPeer: &catalog.Peer{ID: 2, Name: "n2", PeerAddr: "h:1"}})
		})
		pass(time.Second)
		if sh := w.shard(catalog.ShardRef{Collection: 1}); len(sh.In(catalog.Partial)) != 1 {
			t.Fatalf("%s", sh)
		}
		if entries, _, _ := w.entries(); entries != 2 {
			t.Errorf("%d proposals", entries)
		}
	})
}

func TestAWipedNodesFormerSelfIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.start()
		w.lead(1, true)
		w.set(func() {
			w.dead[3] = true
			w.apply(catalog.Command{RegisterPeer: &catalog.Peer{ID: 30, Name: "n3", PeerAddr: "h:1"}})
			w.voters[30] = "h:1"
		})
		pass(time.Second)
		if voters := w.Voters(); len(voters) != 3 || voters[3] != "" {
			t.Errorf("voters: %v", voters)
		}
		if state, _ := w.Watch(); state.Peers[3] != nil || state.Peers[30] == nil {
			t.Errorf("%s", state.Describe())
		}
	})
}

func TestARemovedPeersVoteIsEndedByOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.start()
		w.lead(1, true)
		expel := func(id catalog.PeerID) {
			w.set(func() {
				if r := w.apply(catalog.Command{ExpelPeer: &catalog.ExpelPeer{ID: id}}); r[0].Err != nil {
					t.Fatal(r[0].Err)
				}
			})
			pass(time.Second)
		}
		expel(3)
		if voters := w.Voters(); len(voters) != 2 || voters[3] != "" {
			t.Errorf("voters: %v", voters)
		}
		if state, _ := w.Watch(); state.Peers[3] != nil || !state.WasExpelled(3) {
			t.Errorf("it held nothing and is not forgotten, or not remembered as removed: %s", state.Describe())
		}
		expel(1)
		if _, here, _ := w.Leading(); here || len(w.Voters()) != 2 {
			t.Errorf("leads: %t; voters: %v; a leader leaves its own end to the next one", here, w.Voters())
		}
	})
}

// Peers that know of its removal answer a leader no more: to it they look dead, though they vote as before. It must not lead for ever.
func TestARemovedLeaderThatNobodyAnswersHandsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.start()
		w.lead(1, true)
		w.set(func() {
			w.dead[2], w.dead[3] = true, true
			if r := w.apply(catalog.Command{ExpelPeer: &catalog.ExpelPeer{ID: 1}}); r[0].Err != nil {
				t.Fatal(r[0].Err)
			}
		})
		pass(time.Second)
		if _, here, _ := w.Leading(); here || len(w.Voters()) != 3 {
			t.Errorf("leads: %t; voters: %v", here, w.Voters())
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	defer goleak.VerifyNone(t)
	w := newWorld(t, 3)
	w.create("docs", 3, 3, 2)
	w.silent[2], w.silent[3], w.dead[1] = true, true, true
	w.here = true
	r, err := reconcile.NewRunner(reconcile.RunnerOptions{Self: 1, Metadata: w, Members: w, Liveness: w, Fencer: w})
	if err != nil {
		t.Fatal(err)
	}
	<-w.asked
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := reconcile.NewRunner(reconcile.RunnerOptions{Self: 1}); !fault.Is(err, fault.Invalid) {
		t.Errorf("without what it needs: %v", err)
	}
}

func counter(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return -1
}
