package consensus_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func TestAChangeThroughAFollowerIsVisibleThereAtOnce(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		f := c.follower()
		results := c.must(f.Propose(c.within(time.Minute), declare("docs")))
		got, ok := f.State().Lookup("docs")
		if !ok || got.ID != results[0].Collection {
			t.Fatalf("the follower that took the change shows\n%s", f.State().Describe())
		}
		if _, err := f.Propose(c.within(time.Minute), declare("docs")); !fault.Is(err, fault.Exists) {
			t.Fatalf("created twice: %v", err)
		}
		c.same()
	})
}

func TestManyCommandsAreOneEntryWithAResultEach(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		missing := "missing"
		results, err := c.follower().Propose(c.within(time.Minute),
			register(7), catalog.Command{DeleteCollection: &missing}, declare("docs"))
		if err != nil {
			t.Fatal(err)
		}
		if results[0].Err != nil || !fault.Is(results[1].Err, fault.NotFound) || results[2].Err != nil || results[2].Collection != 1 {
			t.Fatalf("%+v", results)
		}
	})
}

func TestMalformedCommandsAreRefusedBeforeTheyAreSent(t *testing.T) {
	bubble(t, 1, consensus.Options{}, func(c *cluster) {
		for name, cmd := range map[string]catalog.Command{
			"empty":    {},
			"nothing":  {ChangeAliases: []catalog.AliasAction{}},
			"bad name": declare("a|b"),
			"no JSON": {CreateCollection: &catalog.CreateCollection{Name: "x", Config: catalog.Config{
				Metadata: map[string]any{"channel": make(chan int)},
			}}},
		} {
			if _, err := c.leader().Propose(c.within(time.Minute), cmd); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
			if _, results, err := c.leader().ApplyHere(c.within(time.Minute), []catalog.Command{cmd}); err != nil || !fault.Is(results[0].Err, fault.Invalid) {
				t.Errorf("%s, here: %+v, %v", name, results, err)
			}
		}
	})
}

func TestChangesGoOnWhenTheLeaderIsLostAndItCatchesUp(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		c.must(c.leader().Propose(c.within(time.Minute), declare("before")))
		lost := c.idOf(c.leader())
		survivor := c.follower()
		c.stop(lost)
		start := time.Now()
		c.must(survivor.Propose(c.within(time.Minute), declare("after"))) // waits for the election
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		back := c.start(lost)
		if err := back.Barrier(c.within(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, ok := back.State().Lookup("after"); !ok {
			t.Fatalf("the node that came back shows\n%s", back.State().Describe())
		}
		c.same()
	})
}

func TestEverythingSurvivesARestartOfAllNodes(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		for i := range 5 {
			c.must(c.leader().Propose(c.within(time.Minute), declare(fmt.Sprint("c", i))))
		}
		want := c.same()
		for id := catalog.PeerID(1); id <= 3; id++ {
			c.stop(id)
		}
		for id := catalog.PeerID(1); id <= 3; id++ {
			if c.start(id).Fresh() {
				t.Errorf("node %d takes itself for a fresh one", id)
			}
		}
		if got := c.same(); got != want {
			t.Fatalf("after the restart:\n%s\nbefore:\n%s", got, want)
		}
		if err := c.nodes[1].Bootstrap(c.within(time.Minute)); err != nil {
			t.Errorf("bootstrap of a member: %v", err)
		}
	})
}

func TestTheLogIsCompactedAndSnapshotsReplaceIt(t *testing.T) {
	opts := consensus.Options{Compaction: consensus.Compaction{Threshold: 20, Interval: time.Second, Trailing: 1}}
	bubble(t, 3, opts, func(c *cluster) {
		lagging := c.idOf(c.follower())
		c.stop(lagging)
		lead := c.leader()
		for i := range 60 {
			c.must(lead.Propose(c.within(time.Minute), declare(fmt.Sprint("c", i))))
		}
		<-time.After(10 * time.Second) // virtual: several looks at the log
		if first, err := lead.FirstLogIndex(); err != nil || first < 40 {
			t.Fatalf("the log starts at %d, %v: not compacted", first, err)
		}
		back := c.start(lagging) // what it lacks is no longer in the log
		if err := back.Barrier(c.within(time.Minute)); err != nil {
			t.Fatal(err)
		}
		want := c.same()
		for id := catalog.PeerID(1); id <= 3; id++ {
			c.stop(id)
		}
		for id := catalog.PeerID(1); id <= 3; id++ {
			c.start(id)
		}
		if got := c.same(); got != want {
			t.Fatalf("from snapshots:\n%s\nbefore:\n%s", got, want)
		}
	})
}

func TestMembersJoinAndLeave(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		c.must(c.leader().Propose(c.within(time.Minute), declare("docs")))
		joined := c.start(4)
		if !joined.Fresh() {
			t.Error("an empty directory is not taken for fresh")
		}
		if err := c.follower().AddVoter(c.within(time.Minute), 4, address(4)); !fault.Is(err, fault.NotPrimary) {
			t.Errorf("a follower added a voter: %v", err)
		}
		for range 2 { // asking again is harmless
			if err := c.leader().AddVoter(c.within(time.Minute), 4, address(4)); err != nil {
				t.Fatal(err)
			}
		}
		if err := joined.Barrier(c.within(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := joined.Voters(); len(got) != 4 || got[4] != address(4) {
			t.Errorf("voters: %v", got)
		}
		c.same()
		lead := c.leader()
		other := c.idOf(c.follower())
		c.stop(other)
		if err := lead.RemoveVoter(c.within(time.Minute), other); err != nil {
			t.Fatal(err)
		}
		if got := lead.Voters(); len(got) != 3 || got[other] != "" {
			t.Errorf("voters: %v", got)
		}
	})
}

func anybody(catalog.PeerID) bool { return true }

func TestHandoverMovesLeadership(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		old := c.leader()
		_, changed := old.WatchLeader()
		if err := old.Handover(c.within(10*time.Second), anybody); err != nil {
			t.Fatal(err)
		}
		<-changed
		if c.leader() == old {
			t.Fatal("it still leads")
		}
		for {
			l, changed := old.WatchLeader()
			if l.Leader == c.idOf(c.leader()) && !l.Here {
				break
			}
			<-changed
		}
		if err := old.Handover(c.within(time.Second), anybody); err != nil {
			t.Errorf("a follower's handover: %v", err)
		}
	})
}

func TestNoChangeIsLostByAHandover(t *testing.T) {
	bubble(t, 5, consensus.Options{}, func(c *cluster) {
		c.must(c.leader().Propose(c.within(time.Minute), declare("docs")))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var made atomic.Int64
		for id, n := range c.nodes {
			for client := range 8 {
				wg.Go(func() {
					for i := 0; !t.Failed(); i++ {
						select {
						case <-stop:
							return
						case <-time.After(time.Millisecond):
						}
						action := catalog.AliasAction{Create: &struct{ Alias, Collection string }{fmt.Sprintf("a-%d-%d-%d", id, client, i), "docs"}}
						if _, err := n.Propose(c.within(10*time.Second), catalog.Command{ChangeAliases: []catalog.AliasAction{action}}); err != nil {
							t.Errorf("a change through %d: %v", id, err)
						}
						made.Add(1)
					}
				})
			}
		}
		for range 30 {
			<-time.After(3 * time.Millisecond)
			if err := c.leader().Handover(c.within(10*time.Second), anybody); err != nil {
				t.Errorf("handover: %v", err)
			}
		}
		close(stop)
		wg.Wait()
		if got := int64(len(c.leader().State().Aliases)); got != made.Load() || got < 20 {
			t.Errorf("%d aliases, %d were made", got, made.Load())
		}
	})
}

func TestAHandoverGoesToWhoIsWanted(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		for range 6 {
			old := c.leader()
			var to catalog.PeerID
			for id := range c.nodes {
				if id != c.idOf(old) && id > to {
					to = id
				}
			}
			if err := old.Handover(c.within(10*time.Second), func(id catalog.PeerID) bool { return id == to }); err != nil {
				t.Fatal(err)
			}
			if got := c.idOf(c.leader()); got != to {
				t.Errorf("%d leads, want %d", got, to)
			}
		}
		old := c.leader()
		err := old.Handover(c.within(time.Second), func(catalog.PeerID) bool { return false })
		if !fault.Is(err, fault.FailedPrecondition) || !old.IsLeader() {
			t.Errorf("nobody was wanted, and yet: %v", err)
		}
		c.must(old.Propose(c.within(time.Second), declare("after"))) // the gate is open again
	})
}

func TestALostLeaderSaysThatTheOutcomeIsUnknown(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		lead := c.leader()
		c.isolate(c.idOf(lead), true)
		_, err := lead.Propose(c.within(time.Minute), register(9))
		if fault.Hint(err, fault.HintOutcome) != fault.OutcomeUnknown || !strings.Contains(err.Error(), "may still be applied") {
			t.Fatalf("cut off while it led: %v", err)
		}
		_, err = lead.Propose(c.within(3*time.Second), declare("more"))
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Fatalf("cut off, without a leader: %v", err)
		}
		c.must(c.leader().Propose(c.within(time.Minute), declare("elsewhere")))
		c.isolate(c.idOf(lead), false)
		c.same()
		if _, ok := lead.State().Lookup("elsewhere"); !ok {
			t.Error("the old leader did not follow")
		}
	})
}

func TestANodeThatTookBackEntriesStartsAgain(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		lead := c.leader()
		id := c.idOf(lead)
		c.isolate(id, true)
		if _, err := lead.Propose(c.within(time.Minute), register(9)); err == nil {
			t.Fatal("a leader without followers made a change")
		}
		c.must(c.leader().Propose(c.within(time.Minute), declare("elsewhere")))
		c.isolate(id, false)
		c.same() // the entry that nobody else has is gone from the old leader's log
		c.stop(id)
		back := c.start(id)
		if err := back.Barrier(c.within(time.Minute)); err != nil {
			t.Fatal(err)
		}
		c.same()
	})
}

func TestOnlyWhatWasSurelyNotMadeIsTriedAgain(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		f, calls := c.follower(), 0
		c.lose = func(_ uint64, err error) error {
			calls++
			if calls == 1 {
				return fault.New(fault.Unavailable, "the connection broke").With(fault.HintOutcome, fault.OutcomeUnknown)
			}
			return err
		}
		one := uint32(1)
		ref := catalog.ShardRef{Collection: 1}
		_, err := f.Propose(c.within(time.Minute), declare("docs"))
		if calls != 1 || !fault.Is(err, fault.Unavailable) || fault.Hint(err, fault.HintOutcome) != fault.OutcomeUnknown ||
			!strings.Contains(err.Error(), "collection `docs` may still be created") {
			t.Fatalf("%d calls: %v", calls, err)
		}
		calls = 0
		_, err = f.Propose(c.within(time.Minute), catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: 1, SetWriteQuorum: &one}})
		if calls != 1 || !strings.Contains(err.Error(), "read its version") {
			t.Fatalf("%d calls: %v", calls, err)
		}
		calls = 0
		if err := f.Barrier(c.within(time.Minute)); err != nil || calls != 2 {
			t.Fatalf("a barrier changes nothing and may be tried again: %d calls, %v", calls, err)
		}
		calls = 0
		c.lose = func(_ uint64, err error) error {
			if calls++; calls < 4 {
				return fault.New(fault.Unavailable, "not reached")
			}
			return err
		}
		// The fake forwarder did make the change; said to be not made, it is tried again until it is refused.
		if _, err := f.Propose(c.within(time.Minute), declare("again")); calls != 4 || !fault.Is(err, fault.Exists) {
			t.Fatalf("%d calls: %v", calls, err)
		}
	})
}

func TestCollectionsCreatedAtOnceAreSpread(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		var wg sync.WaitGroup
		for i := range 9 {
			n := c.nodes[catalog.PeerID(i%3+1)]
			wg.Go(func() { c.must(n.Propose(c.within(time.Minute), declare(fmt.Sprint("c", i)))) })
		}
		wg.Wait()
		for id := catalog.PeerID(1); id <= 3; id++ {
			if got := c.leader().State().ReplicasOn(id); got != 3 {
				t.Errorf("peer %d holds %d of 9 replicas", id, got)
			}
		}
	})
}

func TestAnUnreadableEntryStopsTheStateAndIsNeverCompactedAway(t *testing.T) {
	bubble(t, 3, consensus.Options{}, func(c *cluster) {
		lead := c.leader()
		c.must(lead.Propose(c.within(time.Minute), declare("docs")))
		newer := catalog.EncodeCommands([]catalog.Command{declare("x")})
		newer[3] = 9
		if err := lead.RawApply(newer); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second) // virtual: until the followers have it
		for id, n := range c.nodes {
			if !fault.Is(n.Problem(), fault.Unsupported) {
				t.Errorf("node %d: %v", id, n.Problem())
			}
			if err := n.Compact(c.within(time.Minute)); err == nil {
				t.Errorf("node %d compacted what it could not read", id)
			}
		}
		if _, err := lead.Propose(c.within(time.Minute), declare("y")); !fault.Is(err, fault.Unsupported) {
			t.Errorf("a change after it: %v", err)
		}
		if _, ok := lead.State().Lookup("docs"); !ok {
			t.Error("what was applied before is gone")
		}
	})
}

func TestWatchersSeeEveryStateInTheEnd(t *testing.T) {
	bubble(t, 1, consensus.Options{}, func(c *cluster) {
		n := c.leader()
		ctx, cancel := context.WithCancel(c.within(time.Minute))
		seen := make(chan int, 1)
		go func() {
			for {
				s, changed := n.Watch()
				if len(s.Collections) == 20 {
					seen <- 20
					return
				}
				select {
				case <-changed:
				case <-ctx.Done():
					return
				}
			}
		}()
		for i := range 20 {
			c.must(n.Propose(ctx, declare(fmt.Sprint("c", i))))
		}
		<-seen
		cancel()
	})
}
