package move_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// In a walk about fills the collection has two shard keys: the fallback, and one that is Partial at first. Two of the writers ask for the
// second with that fallback, and the third for the fallback alone. Points of the two, and those that all write, are what is copied.
const (
	simFallback = "f"
	simTenant   = "k"
)

func simKey(word string) point.ShardKey { return point.ShardKey{Keyword: word} }

func (k *writer) tenant() bool { return k.index < simWriters-1 }

// copied tells whether a move takes a point along.
func copied(m *catalog.Move, id int) bool { return m.Fill == 0 || id/100 != simWriters }

func (w *world) createKey(word string, partial bool) {
	key := catalog.ShardKey{Key: simKey(word), ShardNumber: 1 + w.random.Uint32N(3), Partial: partial}
	w.propose(catalog.Command{CreateShardKey: &catalog.CreateShardKey{Collection: 1, ShardKey: key}})
}

// route narrows a collection to the shards that a writer's requests are for. No node is asked whether it is up to date.
func (k *writer) route(col *catalog.Collection) *catalog.Collection {
	if !k.w.fills {
		return col
	}
	word := simFallback
	if key, ok := col.ShardKey(simKey(simTenant)); ok && !key.Partial && k.tenant() {
		word = simTenant
	}
	part, err := col.Within(simKey(word))
	if err != nil {
		panic(err)
	}
	return part
}

// shows tells whether a point is asked for in a shard.
func (w *world) shows(sh *catalog.Shard, id int) bool {
	if !w.fills {
		return true
	}
	col, _ := w.latest().Lookup("c")
	part := w.writers[(id/100-1)%simWriters].route(col)
	_, ok := part.Shard(sh.ID)
	return ok
}

// clear has the writer of the fallback delete there what another key has by now.
func (k *writer) clear() bool {
	col, _ := k.w.view(k.node).Lookup("c")
	if !k.w.fills || k.tenant() || k.w.random.IntN(3) > 0 && k.w.bias != readMore {
		return false
	}
	if key, ok := col.ShardKey(simKey(simTenant)); !ok || key.Partial {
		return false
	}
	r := &request{writer: k, seq: k.seq, ids: map[int]int64{}, shared: true, clears: 1 + k.w.random.IntN(simWriters-1), del: 1 + k.w.random.IntN(simClasses)}
	k.req = r
	k.split(r, nil, nil)
	return true
}

// declareFill begins a fill, gives one up, or changes something else of the keys.
func (w *world) declareFill(n uint32) {
	c, _ := w.latest().Lookup("c")
	key, ok := c.ShardKey(simKey(simTenant))
	_, running := w.latest().RunningOperation(func(o *catalog.Operation) bool { return o.Kind == catalog.Fill })
	switch k := w.random.IntN(12); {
	case !ok:
		w.createKey(simTenant, true)
	case k == 0 && key.Partial && !w.narrow:
		w.propose(catalog.Command{DeleteShardKey: &catalog.DeleteShardKey{Collection: 1, Key: simKey(simTenant)}})
	case k == 1 && running && !w.narrow:
		o, _ := w.latest().RunningOperation(func(o *catalog.Operation) bool { return o.Kind == catalog.Fill })
		w.propose(catalog.Command{CancelOperation: &catalog.CancelOperation{ID: o.ID}})
	case k < 4 && !w.narrow || !key.Partial:
		word := []string{simFallback, simTenant}[w.random.IntN(2)]
		w.propose(catalog.Command{Reshard: &catalog.Reshard{Collection: 1, Key: new(simKey(word)), ShardNumber: n}})
	case !running:
		w.propose(catalog.Command{FillShardKey: &catalog.FillShardKey{Collection: 1, Filling: catalog.Filling{From: simKey(simFallback), To: simKey(simTenant)}}})
	}
}

// endFills ends, by a node's catalog, the fills that have nothing left to do.
func (w *world) endFills(n int) {
	s := w.view(n)
	for _, o := range s.Operations {
		if o.Kind == catalog.Fill && o.State == catalog.Running && len(s.Collections[o.Collection].Parts(o.ID)) == 0 {
			w.flight = append(w.flight, catalog.Command{EndOperation: &catalog.EndOperation{ID: o.ID, State: catalog.Done}})
		}
	}
}

// checkFlips demands of a flip what it promises: that of the last part of a fill promises it for all of them.
func (w *world) checkFlips(before, after *catalog.State, cmd catalog.Command) {
	id := cmd.ChangeMove.Collection
	c := before.Collections[id]
	m, _ := c.Move(cmd.ChangeMove.Move)
	now, _ := after.Collections[id].Move(m.ID)
	if m.Fill == 0 || now.Phase == catalog.Ready {
		w.checkFlip(before, c, m)
		return
	}
	w.activated, w.until = w.activated+1, w.now+1500
	for _, p := range c.Parts(m.Fill) {
		w.checkFlip(before, c, p)
	}
}

// mutated is what a command finds: without the rule that all parts are awaited, those that are not ready pass for it.
func (w *world) mutated(s *catalog.State, cmd catalog.Command) *catalog.State {
	if !w.rules.noTogether || cmd.ChangeMove == nil || cmd.ChangeMove.Flip == nil {
		return s
	}
	next, c := *s, *s.Collections[cmd.ChangeMove.Collection]
	c.Moves = slices.Clone(c.Moves)
	for i, m := range c.Moves {
		if m.Fill != 0 && m.Phase == catalog.Sealing && m.ID != cmd.ChangeMove.Move {
			source, _ := c.Shard(m.Source)
			target, _ := c.Shard(m.Target)
			ready := *m
			ready.Phase, ready.Version = catalog.Ready, m.Version+1
			ready.Flip = &catalog.FlipMove{SourceUnsafe: source.UnsafePromotions, TargetUnsafe: target.UnsafePromotions}
			c.Moves[i] = &ready
		}
	}
	next.Collections = maps.Clone(s.Collections)
	next.Collections[c.ID] = &c
	return &next
}

// mutate takes the epoch of an activation back from the sources, in a state that nobody else has yet.
func (w *world) mutate(before, after *catalog.State) {
	if !w.rules.noSourceEpoch {
		return
	}
	for _, sh := range after.Shards() {
		if _, was, ok := before.Shard(catalog.ShardRef{Collection: 1, Shard: sh.ID}); ok && sh.Epoch != was.Epoch && slices.Equal(sh.Slots, was.Slots) {
			sh.Epoch = was.Epoch
		}
	}
}

func TestFillsKeepTheirPromises(t *testing.T) {
	count, activated := walks(t, true, func(w *world) int { return w.activated })
	t.Logf("%d walks, %d activations", count, activated)
	if activated < count/4 {
		t.Errorf("only %d activations in %d walks", activated, count)
	}
}
