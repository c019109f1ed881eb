package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// genFill begins a fill, or changes a part of one.
func genFill(t *rapid.T, s *catalog.State, name string, key point.ShardKey) catalog.Command {
	c, ok := s.Lookup(name)
	if ok && len(c.Moves) > 0 && rapid.IntRange(0, 9).Draw(t, "go on") > 0 {
		return catalog.Command{ChangeMove: genMoveChange(t, c)}
	}
	fill := &catalog.FillShardKey{Collection: s.Names[name], Filling: catalog.Filling{To: key}}
	if ok && len(c.Keys) > 0 {
		fill.From = rapid.SampledFrom(c.Keys).Draw(t, "from").Key
	}
	return catalog.Command{FillShardKey: fill}
}

// checkActivation demands of a key that begins to serve that its parts were ready, and that nobody passes for one who knows it.
func checkActivation(t *rapid.T, before, after *catalog.State) {
	for id, c := range before.Collections {
		for _, k := range c.Keys {
			now, ok := after.Collections[id]
			if !k.Partial || !ok {
				continue
			}
			if key, ok := now.ShardKey(k.Key); !ok || key.Partial {
				continue
			}
			sealing := 0
			for _, m := range c.Moves {
				target, ok := c.Shard(m.Target)
				if m.Fill == 0 || !ok || *target.Key != k.Key || !m.Running() {
					continue
				}
				if m.Phase != catalog.Ready {
					sealing++
				}
				source, _ := now.Shard(m.Source)
				target, _ = now.Shard(m.Target)
				if source.Epoch != c.Epoch+1 || target.Epoch != now.Epoch || target.Floor == nil || target.Owns() == 0 {
					t.Fatalf("part %s: source %s, target %s in epoch %d", m, source, target, now.Epoch)
				}
			}
			if sealing != 1 {
				t.Fatalf("%d parts were not ready:\n%s", sealing, c.Describe())
			}
		}
	}
}

// TestFillsComeToTheirEnd: whoever does what is next for each part, in whatever order and with whatever that gives it up in between, the
// key serves in the end with all slots, and the source has all of its own.
func TestFillsComeToTheirEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := catalog.Empty()
		s = must(t, s, catalog.Command{RegisterPeer: &catalog.Peer{ID: 1, Name: "a", PeerAddr: "h:1"}})
		config, _ := catalog.Config{Sharding: catalog.CustomSharding}.Normalized(1)
		s = must(t, s, catalog.Command{CreateCollection: &catalog.CreateCollection{Name: "c", Config: config}})
		for word, partial := range map[string]bool{"from": false, "to": true} {
			key := catalog.ShardKey{Key: keyOf(word), ShardNumber: rapid.Uint32Range(1, 5).Draw(t, word), Partial: partial}
			cmd, err := catalog.Prepare(s, catalog.Command{CreateShardKey: &catalog.CreateShardKey{Collection: 1, ShardKey: key}}, everyone)
			if err != nil {
				t.Fatal(err)
			}
			s = must(t, s, cmd)
		}
		s = must(t, s, catalog.Command{FillShardKey: &catalog.FillShardKey{Collection: 1, Filling: catalog.Filling{From: keyOf("from"), To: keyOf("to")}}})
		for step := 0; len(s.Collections[1].Moves) > 0; step++ {
			m := rapid.SampledFrom(s.Collections[1].Moves).Draw(t, "move")
			cmd := &catalog.ChangeMove{Collection: 1, Move: m.ID, Version: m.Version}
			switch {
			case m.Sealed() && step < 30 && rapid.IntRange(0, 5).Draw(t, "give up") == 0:
				cmd.Reopen = true
			case m.Near || m.Phase == catalog.Ready:
				continue
			case m.Phase == catalog.Copying:
				cmd.Seal = true
			case m.Phase == catalog.Sealing:
				cmd.Flip = &catalog.FlipMove{Index: uint64(rapid.IntRange(1, 9).Draw(t, "index"))}
			case !m.SourceDone:
				cmd.SourceDone = true
			default:
				cmd.TargetDone = true
			}
			next := must(t, s, catalog.Command{ChangeMove: cmd})
			checkActivation(t, s, next)
			if s = next; s.Check() != nil {
				t.Fatalf("%v\n%s", s.Check(), s.Describe())
			}
		}
		for _, g := range s.Collections[1].Groups() {
			owned := 0
			for _, sh := range g.Shards {
				owned += sh.Owns()
			}
			if plan := g.Plan(); g.Partial() || owned != slot.Count || !plan.Rest() {
				t.Fatalf("%s", s.Describe())
			}
		}
	})
}

// fillCommands follow keyCommands and set every field of what came with filling a key from another.
func fillCommands() []catalog.Command {
	from := point.ShardKey{Keyword: "é<&>"}
	to := func(word string, op int64) catalog.Command {
		return catalog.Command{FillShardKey: &catalog.FillShardKey{
			Collection: 2, Filling: catalog.Filling{From: from, To: point.ShardKey{Keyword: word}, Filter: []byte("\x01{}")}, At: op,
		}}
	}
	create := func(word string) catalog.Command {
		return catalog.Command{CreateShardKey: &catalog.CreateShardKey{
			Collection: 2, ShardKey: catalog.ShardKey{Key: point.ShardKey{Keyword: word}, ShardNumber: 1, Partial: true}, Placement: [][]catalog.PeerID{{1}},
		}}
	}
	change := func(m catalog.MoveID, version uint64, c catalog.ChangeMove) catalog.Command {
		c.Collection, c.Move, c.Version = 2, m, version
		return catalog.Command{ChangeMove: &c}
	}
	flip := &catalog.FlipMove{Index: 7}
	return []catalog.Command{
		create("ready"), create("served"), create("near"), create("gone"),
		to("served", 5), change(1, 1, catalog.ChangeMove{Seal: true}), change(2, 1, catalog.ChangeMove{Seal: true}),
		change(1, 3, catalog.ChangeMove{Reopen: true}), change(1, 4, catalog.ChangeMove{Seal: true}), change(2, 3, catalog.ChangeMove{Seal: true}),
		change(2, 4, catalog.ChangeMove{Flip: flip}), change(1, 6, catalog.ChangeMove{Flip: flip}), change(1, 7, catalog.ChangeMove{SourceDone: true}),
		to("near", 6), change(3, 1, catalog.ChangeMove{Seal: true}),
		to("ready", 7), change(5, 1, catalog.ChangeMove{Seal: true}), change(6, 1, catalog.ChangeMove{Seal: true}), change(6, 2, catalog.ChangeMove{Flip: flip}),
		to("gone", 8), {CancelOperation: &catalog.CancelOperation{ID: 4, At: 9}},
	}
}

func fillState(t *testing.T) *catalog.State {
	t.Helper()
	s := allApplied(t, keyState(t), fillCommands())
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFillsDecodeToTheSame(t *testing.T) {
	decodesToTheSame(t, keyState(t), fillCommands(), fillState(t))
}

// What would change the shards of a key that points are copied from or into is refused, and what ends it leaves nothing half done.
func TestWhatAFillRefusesAndWhatEndsIt(t *testing.T) {
	s := fillState(t)
	parts := func(id catalog.OperationID) string {
		var all []string
		for _, m := range s.Collections[2].Parts(id) {
			all = append(all, string(m.Phase))
		}
		return strings.Join(slices.Compact(all), ",")
	}
	if got := []string{parts(1), parts(2), parts(3), parts(4)}; !slices.Equal(got, []string{"moved", "copying", "sealing,ready", "withdrawn"}) {
		t.Fatalf("%q\n%s", got, s.Describe())
	}
	fill := func(from, to string) catalog.Command {
		return catalog.Command{FillShardKey: &catalog.FillShardKey{Collection: 2, Filling: catalog.Filling{From: keyOf(from), To: keyOf(to)}}}
	}
	reshard := func(word string) catalog.Command {
		return catalog.Command{Reshard: &catalog.Reshard{Collection: 2, Key: new(keyOf(word)), ShardNumber: 2, Placement: [][]catalog.PeerID{{1}}}}
	}
	flip := func(m catalog.MoveID, version, unsafe uint64) catalog.Command {
		return catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: 2, Move: m, Version: version, Flip: &catalog.FlipMove{SourceUnsafe: unsafe, Index: 9}}}
	}
	number := func(m catalog.MoveID) uint64 { mv, _ := s.Collections[2].Move(m); return mv.Version }
	for text, cmd := range map[string]catalog.Command{
		"serves already":               fill("é<&>", "served"),
		"is to be filled itself":       fill("near", "gone"),
		"while operation 2 runs":       fill("0", "near"),
		"before operation 4":           fill("é<&>", "gone"),
		"cannot be cut anew":           {Reshard: &catalog.Reshard{Collection: 2, Key: new(keyOf("é<&>")), ShardNumber: 3, Placement: [][]catalog.PeerID{{1}}}},
		"is Partial":                   reshard("near"),
		"before operation 1":           reshard("served"),
		"an unsafe promotion":          flip(5, number(5), 1),
		"a part of operation 2, is":    {ChangeMove: &catalog.ChangeMove{Collection: 2, Move: 4, Version: number(4), Reopen: true}},
		"a part of operation 3, is re": {ChangeMove: &catalog.ChangeMove{Collection: 2, Move: 6, Version: number(6), Flip: &catalog.FlipMove{}}},
		"a part of operation 2, is co": {ChangeMove: &catalog.ChangeMove{Collection: 2, Move: 3, Version: number(3), Cancel: true}},
	} {
		if next, r := catalog.Apply(s, cmd); !fault.Is(r.Err, fault.FailedPrecondition) || !strings.Contains(r.Err.Error(), text) || next != s {
			t.Errorf("want %q: %v", text, r.Err)
		}
	}
	do := func(cmd catalog.Command) {
		t.Helper()
		next, r := catalog.Apply(s, cmd)
		if r.Err == nil {
			r.Err = next.Check()
		}
		if s = next; r.Err != nil {
			t.Fatalf("%v\n%s", r.Err, s.Describe())
		}
	}
	do(catalog.Command{DeleteShardKey: &catalog.DeleteShardKey{Collection: 2, Key: keyOf("near"), At: 11}})
	if o, _ := s.Operation(2); o.State != catalog.Cancelled || !strings.Contains(o.Problem, `"near" was deleted`) || parts(2) != "withdrawn" {
		t.Errorf("%s\n%s", o, s.Describe())
	}
	do(catalog.Command{DeleteShardKey: &catalog.DeleteShardKey{Collection: 2, Key: keyOf("é<&>"), At: 12}})
	if o, _ := s.Operation(3); o.State != catalog.Cancelled || parts(3) != "withdrawn" || parts(2) != "" {
		t.Errorf("%s\n%s", o, s.Describe())
	}
	for _, m := range s.Collections[2].Moves {
		if !m.SourceDone {
			t.Errorf("%s waits for a source that is gone", m)
		}
	}
	if k, _ := s.Collections[2].ShardKey(keyOf("ready")); !k.Partial {
		t.Error("a fill that was given up made its key serve")
	}
}
