package catalog_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// slots runs the commands that move slots:
//
//	reshard C N [key=]
//	move C begin S T FROM TO, move C/ID seal|reopen|flip|withdraw|source-done|target-done [version=] [index=] [source-unsafe=] [target-unsafe=]
//	drop-shard C/S
//	follow C        what is left to be done, by PlanMoves
func (w *world) slots(verb string, plain []string, args map[string]string) string {
	var id catalog.CollectionID
	var move catalog.MoveID
	fmt.Sscanf(plain[0], "%d/%d", &id, &move)
	switch verb {
	case "reshard":
		cmd := catalog.Command{Reshard: &catalog.Reshard{Collection: id, ShardNumber: number[uint32](plain[1]), At: int64(number[uint64](args["at"]))}}
		if text, ok := args["key"]; ok {
			key := keyOf(text)
			cmd.Reshard.Key = &key
		}
		prepared, _ := catalog.Prepare(w.state, cmd, w.alive)
		_, result := catalog.Apply(w.state, prepared)
		if out := w.apply(cmd); out != "ok\n" || result.Operation == 0 {
			return out
		}
		return fmt.Sprintf("operation %d\n", result.Operation)
	case "drop-shard":
		return w.apply(catalog.Command{DropShard: &catalog.DropShard{Ref: catalog.ShardRef{Collection: id, Shard: catalog.ShardID(move)}}})
	case "follow":
		return describePlan(catalog.PlanMoves(w.state.Collections[id]))
	}
	cmd := catalog.ChangeMove{Collection: id, Move: move}
	if c, ok := w.state.Collections[id]; ok {
		if m, ok := c.Move(move); ok {
			cmd.Version = m.Version
		}
	}
	if v, ok := args["version"]; ok {
		cmd.Version = number[uint64](v)
	}
	switch plain[1] {
	case "begin":
		cmd.Begin = &catalog.BeginMove{
			Source: number[catalog.ShardID](plain[2]), Target: number[catalog.ShardID](plain[3]),
			Slots: []slot.Range{{From: slot.Slot(number[uint32](plain[4])), To: slot.Slot(number[uint32](plain[5]))}},
		}
	case "seal":
		cmd.Seal = true
	case "reopen":
		cmd.Reopen = true
	case "flip":
		cmd.Flip = &catalog.FlipMove{
			Index: number[uint64](args["index"]), SourceUnsafe: number[uint64](args["source-unsafe"]), TargetUnsafe: number[uint64](args["target-unsafe"]),
		}
	case "withdraw":
		cmd.Cancel = true
	case "source-done":
		cmd.SourceDone = true
	case "target-done":
		cmd.TargetDone = true
	}
	out := w.apply(catalog.Command{ChangeMove: &cmd})
	if c, ok := w.state.Collections[id]; ok && out == "ok\n" {
		if cmd.Begin != nil {
			return c.Moves[len(c.Moves)-1].String() + "\n"
		}
		if m, ok := c.Move(move); ok {
			return m.String() + "\n"
		}
		return "gone\n"
	}
	return out
}

func describePlan(p catalog.Moving) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d slots left\n", p.Left)
	for _, m := range p.Cancel {
		fmt.Fprintf(&b, "withdraw %d\n", m.ID)
	}
	for _, m := range p.Begin {
		fmt.Fprintf(&b, "from %d to %d: %v\n", m.Source, m.Target, m.Slots)
	}
	for _, id := range p.Drop {
		fmt.Fprintf(&b, "drop %d\n", id)
	}
	return b.String()
}

func genSlots(t *rapid.T, s *catalog.State) (catalog.Command, bool) {
	id := catalog.CollectionID(rapid.IntRange(1, 4).Draw(t, "collection"))
	c, ok := s.Collections[id]
	switch kind := rapid.IntRange(0, 5).Draw(t, "slots"); {
	case kind == 0 || !ok:
		cmd := catalog.Command{Reshard: &catalog.Reshard{Collection: id, ShardNumber: rapid.Uint32Range(0, 5).Draw(t, "shards")}}
		if ok && len(c.Keys) > 0 {
			key := rapid.SampledFrom(c.Keys).Draw(t, "key").Key
			cmd.Reshard.Key = &key
		}
		cmd, err := catalog.Prepare(s, cmd, everyone)
		return cmd, err == nil
	case kind == 1:
		ref := catalog.ShardRef{Collection: id, Shard: catalog.ShardID(rapid.IntRange(0, 6).Draw(t, "shard"))}
		return catalog.Command{DropShard: &catalog.DropShard{Ref: ref}}, true
	case kind <= 3 || len(c.Moves) == 0:
		if plan := catalog.PlanMoves(c); len(plan.Begin) > 0 && rapid.Bool().Draw(t, "planned") {
			return catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: id, Begin: &plan.Begin[0]}}, true
		}
		from := rapid.IntRange(0, slot.Count-1).Draw(t, "from")
		return catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: id, Begin: &catalog.BeginMove{
			Source: catalog.ShardID(rapid.IntRange(0, 5).Draw(t, "source")), Target: catalog.ShardID(rapid.IntRange(0, 5).Draw(t, "target")),
			Slots: []slot.Range{{From: slot.Slot(from), To: slot.Slot(from + 10)}},
		}}}, true
	}
	return catalog.Command{ChangeMove: genMoveChange(t, c)}, true
}

func genMoveChange(t *rapid.T, c *catalog.Collection) *catalog.ChangeMove {
	m := rapid.SampledFrom(c.Moves).Draw(t, "move")
	cmd := &catalog.ChangeMove{Collection: c.ID, Move: m.ID, Version: m.Version}
	switch rapid.IntRange(0, 8).Draw(t, "change") {
	case 0, 1:
		cmd.Seal = true
	case 2:
		cmd.Reopen = true
	case 3, 4, 5:
		cmd.Flip = &catalog.FlipMove{Index: 5}
	case 6:
		cmd.Cancel = true
	case 7:
		cmd.SourceDone = true
	default:
		cmd.TargetDone = true
	}
	return cmd
}

// genCut is a collection whose slots lie at random over shards, or one with several keys of which each is such a group.
func genCut(t *rapid.T) *catalog.Collection {
	keys := rapid.IntRange(0, 3).Draw(t, "keys")
	if keys == 0 {
		return genGroup(t)
	}
	all := &catalog.Collection{}
	for i := range keys {
		one := genGroup(t)
		key := point.ShardKey{Number: uint64(i)}
		all.Keys = append(all.Keys, &catalog.ShardKey{Key: key, ShardNumber: one.Config.ShardNumber})
		shards := all.Shards
		*all = catalog.Collection{ID: one.ID, Name: one.Name, Epoch: one.Epoch, Config: one.Config, Keys: all.Keys, Shards: shards}
		all.Config.Sharding = catalog.CustomSharding
		for _, sh := range one.Shards {
			mine := *sh
			mine.ID, mine.Key = catalog.ShardID(len(all.Shards)), &key
			all.Shards = append(all.Shards, &mine)
		}
	}
	return all
}

func genGroup(t *rapid.T) *catalog.Collection {
	s := create(t, genPeers(t, 3, 1), "c", rapid.Uint32Range(1, 12).Draw(t, "shards"), 1)
	c, _ := s.Lookup("c")
	next := *c
	if rapid.Bool().Draw(t, "uneven") {
		owned := make([]slot.Set, len(c.Shards))
		for at := 0; at < slot.Count; {
			n := rapid.IntRange(1, 900).Draw(t, "length")
			i := rapid.IntRange(0, len(owned)-1).Draw(t, "owner")
			for ; n > 0 && at < slot.Count; n-- {
				owned[i].Add(slot.Slot(at))
				at++
			}
		}
		next.Shards = nil
		for i, sh := range c.Shards {
			other := *sh
			other.Slots = owned[i].Ranges()
			next.Shards = append(next.Shards, &other)
		}
	}
	next.Config.ShardNumber = rapid.Uint32Range(1, 14).Draw(t, "declared")
	for len(next.Shards) < int(next.Config.ShardNumber) {
		sh := *next.Shards[0]
		sh.ID, sh.Slots = catalog.ShardID(len(next.Shards)), nil
		next.Shards = append(next.Shards, &sh)
	}
	return &next
}

// fewest is how many slots have to move at least: whoever has more than he may keep gives the rest, and as many may keep one more
// as do not divide.
func fewest(c *catalog.Collection) (total int) {
	for _, g := range c.Groups() {
		total += fewestIn(g)
	}
	return total
}

func fewestIn(g catalog.Group) int {
	var owned []int
	for _, sh := range g.Shards {
		owned = append(owned, sh.Owns())
	}
	slices.Sort(owned)
	slices.Reverse(owned)
	n := min(int(g.Number), len(owned))
	total, extra := 0, slot.Count%n
	for i, have := range owned {
		quota := 0
		if i < n {
			quota = slot.Count / n
			if have > quota && extra > 0 {
				quota++
				extra--
			}
		}
		total += max(have-quota, 0)
	}
	return total
}

func TestPlannedMovesAreFewestAndEvenItOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCut(t)
		want := fewest(c)
		state := catalog.Empty()
		state.Peers = map[catalog.PeerID]*catalog.Peer{c.Shards[0].Primary: {ID: c.Shards[0].Primary, Name: "a", PeerAddr: "h:1"}}
		for id := range 4 {
			state.Peers[catalog.PeerID(id)] = &catalog.Peer{ID: catalog.PeerID(id), Name: fmt.Sprint(id), PeerAddr: "h:1"}
		}
		state.Collections[c.ID], state.Names[c.Name] = c, c.ID
		state.NextCollection, state.NextGeneration = c.ID+1, 1000
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 1))
		moved := 0
		do := func(cmd catalog.Command) {
			next, r := catalog.Apply(state, cmd)
			if r.Err != nil {
				t.Fatalf("%v\n%s", r.Err, state.Describe())
			}
			state = next
		}
		for step := 0; ; step++ {
			now := state.Collections[c.ID]
			plan := catalog.PlanMoves(now)
			if plan.Rest() {
				break
			}
			if step > 1000 || len(plan.Cancel) > 0 {
				t.Fatalf("step %d: %s\n%s", step, describePlan(plan), now.Describe())
			}
			for _, b := range plan.Begin {
				if random.IntN(2) == 0 {
					do(catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: c.ID, Begin: &b}})
				}
			}
			for _, id := range plan.Drop {
				do(catalog.Command{DropShard: &catalog.DropShard{Ref: catalog.ShardRef{Collection: c.ID, Shard: id}}})
			}
			moves := state.Collections[c.ID].Moves
			if len(moves) == 0 {
				continue
			}
			m := moves[random.IntN(len(moves))]
			change := &catalog.ChangeMove{Collection: c.ID, Move: m.ID, Version: m.Version}
			switch {
			case m.Phase == catalog.Copying:
				change.Seal = true
			case m.Phase == catalog.Sealing:
				change.Flip = &catalog.FlipMove{}
				for _, r := range m.Slots {
					moved += r.Len()
				}
			case !m.SourceDone:
				change.SourceDone = true
			default:
				change.TargetDone = true
			}
			do(catalog.Command{ChangeMove: change})
		}
		if err := state.Check(); err != nil {
			t.Fatal(err)
		}
		for _, g := range state.Collections[c.ID].Groups() {
			low, high := slot.Count, 0
			for _, sh := range g.Shards {
				low, high = min(low, sh.Owns()), max(high, sh.Owns())
			}
			if high-low > 1 || len(g.Shards) != int(g.Number) {
				t.Fatalf("uneven:\n%s", state.Collections[c.ID].Describe())
			}
		}
		if moved != want {
			t.Fatalf("%d slots moved, %d have to:\n%s", moved, want, c.Describe())
		}
	})
}

// reshardCommands follow declaredCommands and set every field of what came after them.
func reshardCommands() []catalog.Command {
	begin := func(source, target catalog.ShardID, from, to slot.Slot) catalog.Command {
		return catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: 1, Begin: &catalog.BeginMove{
			Source: source, Target: target, Slots: []slot.Range{{From: from, To: to}},
		}}}
	}
	change := func(m catalog.MoveID, version uint64, c catalog.ChangeMove) catalog.Command {
		c.Collection, c.Move, c.Version = 1, m, version
		return catalog.Command{ChangeMove: &c}
	}
	return []catalog.Command{
		{Reshard: &catalog.Reshard{Collection: 1, ShardNumber: 5, Placement: [][]catalog.PeerID{{1}, {2, 1}, {1, 2}}, At: 9}},
		begin(0, 2, 100, 200), begin(1, 3, 3000, 4095),
		change(1, 1, catalog.ChangeMove{Seal: true}), change(1, 2, catalog.ChangeMove{Reopen: true}), change(1, 3, catalog.ChangeMove{Cancel: true}),
		change(1, 4, catalog.ChangeMove{SourceDone: true}), change(1, 5, catalog.ChangeMove{TargetDone: true}),
		change(2, 1, catalog.ChangeMove{Seal: true}),
		change(2, 2, catalog.ChangeMove{Flip: &catalog.FlipMove{SourceUnsafe: 1, Index: 77}}), change(2, 3, catalog.ChangeMove{TargetDone: true}),
		begin(0, 2, 5, 5),
		{CancelOperation: &catalog.CancelOperation{ID: 4, At: 10}},
		{DropShard: &catalog.DropShard{Ref: catalog.ShardRef{Collection: 1, Shard: 4}}},
	}
}

func reshardState(t *testing.T) *catalog.State {
	t.Helper()
	return allApplied(t, declaredState(t), reshardCommands())
}

// allApplied is a state after commands of which none is refused.
func allApplied(t *testing.T, s *catalog.State, cmds []catalog.Command) *catalog.State {
	t.Helper()
	s, results := catalog.ApplyAll(s, cmds)
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("command %d: %v\n%s", i, r.Err, s.Describe())
		}
	}
	return s
}

// decodesToTheSame tells whether commands, and the state that they lead to, are the same once encoded and decoded.
func decodesToTheSame(t *testing.T, from *catalog.State, cmds []catalog.Command, want *catalog.State) {
	t.Helper()
	cmds, err := catalog.DecodeCommands(catalog.EncodeCommands(cmds))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := catalog.ApplyAll(from, cmds)
	decoded, err := catalog.DecodeState(catalog.EncodeState(got))
	if err != nil || decoded.Describe() != want.Describe() || !bytes.Equal(catalog.EncodeState(decoded), catalog.EncodeState(want)) {
		t.Fatalf("%v\n%s\nnot\n%s", err, decoded.Describe(), want.Describe())
	}
}

func TestMovesDecodeToTheSame(t *testing.T) {
	decodesToTheSame(t, declaredState(t), reshardCommands(), reshardState(t))
}

// Ids of shards are never used again: what nodes remember of one must not be held for another's.
func TestAShardThatWasDroppedLeavesItsIDUnused(t *testing.T) {
	s := reshardState(t)
	cmd, err := catalog.Prepare(s, catalog.Command{Reshard: &catalog.Reshard{Collection: 1, ShardNumber: 5}}, everyone)
	if err != nil {
		t.Fatal(err)
	}
	s, r := catalog.Apply(s, cmd)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	shards := s.Collections[1].Shards
	if last := shards[len(shards)-1].ID; last != 5 || len(shards) != 5 {
		t.Fatalf("%d shards, the last is %d:\n%s", len(shards), last, s.Describe())
	}
	if _, sh, ok := s.Shard(catalog.ShardRef{Collection: 1, Shard: 5}); !ok || sh.ID != 5 {
		t.Fatal("shard 5 is not found")
	}
	if _, _, ok := s.Shard(catalog.ShardRef{Collection: 1, Shard: 4}); ok {
		t.Fatal("shard 4 is found")
	}
	if _, r := catalog.Apply(s, catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: 1}}); !fault.Is(r.Err, fault.Invalid) {
		t.Fatalf("a change of nothing: %v", r.Err)
	}
}

// cuttingCommands follow keyCommands and set every field of what came with cutting the shards of a key anew.
func cuttingCommands() []catalog.Command {
	key := &point.ShardKey{Number: 1<<64 - 1}
	zero := &point.ShardKey{}
	return []catalog.Command{
		{Reshard: &catalog.Reshard{Collection: 2, Key: key, ShardNumber: 3, Placement: [][]catalog.PeerID{{2}, {1}}, At: 5}},
		{ChangeMove: &catalog.ChangeMove{Collection: 2, Begin: &catalog.BeginMove{Source: 2, Target: 5, Slots: []slot.Range{{From: 7, To: 9}}}}},
		{Reshard: &catalog.Reshard{Collection: 2, Key: zero, ShardNumber: 2, Placement: [][]catalog.PeerID{{2}}, At: 6}},
		{ChangeMove: &catalog.ChangeMove{Collection: 2, Begin: &catalog.BeginMove{Source: 3, Target: 7, Slots: []slot.Range{{From: 7, To: 9}}}}},
		{DeleteShardKey: &catalog.DeleteShardKey{Collection: 2, Key: *zero, At: 7}},
	}
}

func cuttingState(t *testing.T) *catalog.State {
	t.Helper()
	s, results := catalog.ApplyAll(keyState(t), cuttingCommands())
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("command %d: %v\n%s", i, r.Err, s.Describe())
		}
	}
	return s
}

func TestCutKeysDecodeToTheSame(t *testing.T) {
	want := cuttingState(t)
	cmds, err := catalog.DecodeCommands(catalog.EncodeCommands(cuttingCommands()))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := catalog.ApplyAll(keyState(t), cmds)
	decoded, err := catalog.DecodeState(catalog.EncodeState(got))
	if err != nil || decoded.Describe() != want.Describe() {
		t.Fatalf("%v\n%s\nnot\n%s", err, decoded.Describe(), want.Describe())
	}
}
