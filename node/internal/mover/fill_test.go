package mover_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func wordKey(word string) point.ShardKey { return point.ShardKey{Keyword: word} }

// keyed declares a collection with the shard keys "all", of two shards, and "own", of three, which is to be filled.
func (w *world) keyed(quorum uint32, peers ...catalog.PeerID) catalog.CollectionID {
	w.t.Helper()
	config, err := catalog.Config{
		Vectors: map[string]catalog.VectorParams{"": {Size: 2, Distance: vec.Dot}}, Sharding: catalog.CustomSharding,
		ShardNumber: 1, ReplicationFactor: uint32(len(peers)), WriteConsistencyFactor: quorum,
	}.Normalized(len(peers))
	if err != nil {
		w.t.Fatal(err)
	}
	id := w.must(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: "c", Config: config}}).Collection
	for _, k := range []catalog.ShardKey{{Key: wordKey("all"), ShardNumber: 2}, {Key: wordKey("own"), ShardNumber: 3, Partial: true}} {
		create := &catalog.CreateShardKey{Collection: id, ShardKey: k}
		for i := range int(k.ShardNumber) {
			create.Placement = append(create.Placement, append(append([]catalog.PeerID{}, peers[i%len(peers):]...), peers[:i%len(peers)]...))
		}
		w.must(catalog.Command{CreateShardKey: create})
	}
	return id
}

// ownElseAll is what requests are for that name "own", with "all" as their fallback.
func ownElseAll(c *catalog.Collection) *catalog.Collection {
	if k, ok := c.ShardKey(wordKey("own")); ok && !k.Partial {
		return within(c, "own")
	}
	return within(c, "all")
}

func within(c *catalog.Collection, word string) *catalog.Collection {
	part, err := c.Within(wordKey(word))
	if err != nil {
		panic(err)
	}
	return part
}

func (w *world) fill(id catalog.CollectionID, f *filter.Filter) catalog.OperationID {
	w.t.Helper()
	return w.must(catalog.Command{FillShardKey: &catalog.FillShardKey{
		Collection: id, Filling: catalog.Filling{From: wordKey("all"), To: wordKey("own"), Filter: filter.Encode(f)},
	}}).Operation
}

// filled waits until "own" serves and nothing is left of the fill.
func (w *world) filled(id catalog.CollectionID) {
	w.t.Helper()
	w.eventually("the key is filled", func() error {
		state, _ := w.Watch()
		c := state.Collections[id]
		if k, _ := c.ShardKey(wordKey("own")); k.Partial || len(c.Moves) > 0 {
			return errors.New(c.Describe())
		}
		return nil
	})
}

// holdsKey checks that the shards of a key hold exactly these points, on each replica alike.
func (w *world) holdsKey(id catalog.CollectionID, word string, want map[uint64]int64) {
	w.t.Helper()
	state, _ := w.Watch()
	found := map[uint64]int64{}
	for _, sh := range within(state.Collections[id], word).Shards {
		ref := catalog.ShardRef{Collection: id, Shard: sh.ID}
		w.equal(ref, sh)
		records, _, err := w.node(sh.Primary).manager.Scroll(context.Background(), ref, 0, shard.ScrollRequest{
			Look: shard.Look{Epoch: state.Collections[id].Epoch}, Limit: 1 << 20, Payload: shard.PayloadSelector{Enable: true},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range records {
			found[r.ID.Number()] = r.Payload["v"].(int64)
		}
	}
	if !maps.Equal(found, want) {
		w.t.Errorf("key %s has %d points, want %d:\n%v\n%v", word, len(found), len(want), found, want)
	}
}

// Writers who name the new key, with the other as their fallback, go on through the fill and through crashes: what was acknowledged to them is there.
func TestAKeyIsFilledThroughCrashes(t *testing.T) {
	w := newWorld(t, 3)
	id := w.keyed(2, 1, 2, 3)
	ws := w.writeTo(id, 3, 300, ownElseAll)
	w.throughCrashes(3, 20, func() {
		w.fill(id, nil)
		w.filled(id)
	})
	w.eventually("writes go on", ws.more(20))
	w.holdsKey(id, "own", ws.end())
}

// more fails until there are so many writes more than when it was made.
func (ws *writers) more(n int) func() error {
	count := func() int {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		return ws.mu.writes
	}
	before := count()
	return func() error {
		if count() < before+n {
			return errors.New("few writes")
		}
		return nil
	}
}

// below matches the points whose value is below 40: each stops to match once it is written often enough.
func below() *filter.Filter {
	return &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "v", Range: &filter.Range{LT: new(40.0)}}}}}
}

// A point that matched and does so no more is not there in the end, nor is one that was deleted.
func TestOnlyWhatMatchesIsCopied(t *testing.T) {
	w := newWorld(t, 2)
	id := w.keyed(2, 1, 2)
	ws := w.writeTo(id, 2, 40, func(c *catalog.Collection) *catalog.Collection { return within(c, "all") })
	w.eventually("there are points", ws.more(20))
	w.deny(func(cmd catalog.Command) bool { return cmd.ChangeMove != nil && cmd.ChangeMove.Seal })
	w.fill(id, below())
	for i := range 4 {
		w.eventually("there are more", ws.more(25))
		victim := catalog.PeerID(1 + i%2)
		w.halt(victim)
		w.start(victim)
	}
	all := ws.end()
	w.deny(nil)
	w.filled(id)
	w.holdsKey(id, "all", all)
	want := maps.Clone(all)
	maps.DeleteFunc(want, func(_ uint64, v int64) bool { return v >= 40 })
	w.holdsKey(id, "own", want)
}

// While one part cannot become ready, the others give their seals up, and writes go on; a fill that is cancelled leaves nothing behind.
func TestAFillThatCannotEndHoldsNoWritesUp(t *testing.T) {
	w := newWorld(t, 2)
	id := w.keyed(1, 1, 2)
	ws := w.writeTo(id, 2, 100, ownElseAll)
	op := w.fill(id, nil)
	state, _ := w.Watch()
	stuck := state.Collections[id].Parts(op)[0].ID
	w.deny(func(cmd catalog.Command) bool {
		return cmd.ChangeMove != nil && cmd.ChangeMove.Flip != nil && cmd.ChangeMove.Move == stuck
	})
	w.eventually("two attempts are given up", func() error {
		for _, n := range w.nodes() {
			for _, p := range n.mover.Progress() {
				if p.Attempts >= 2 {
					return nil
				}
			}
		}
		return errors.New("they are not")
	})
	w.eventually("writes go on", ws.more(4)) // between attempts, which last longer and longer
	w.must(catalog.Command{CancelOperation: &catalog.CancelOperation{ID: op}})
	w.eventually("nothing is left of it", func() error {
		state, _ := w.Watch()
		if c := state.Collections[id]; len(c.Moves) > 0 {
			return errors.New(c.Describe())
		}
		return nil
	})
	w.holdsKey(id, "own", map[uint64]int64{})
	w.deny(nil)
	w.fill(id, nil)
	w.filled(id)
	w.holdsKey(id, "own", ws.end())
}

// What is copied needs room as what clients write does: where disks are full it waits, and says so.
func TestAFillWaitsForRoom(t *testing.T) {
	w := newWorld(t, 1)
	id := w.keyed(1, 1)
	ws := w.writeTo(id, 1, 50, func(c *catalog.Collection) *catalog.Collection { return within(c, "all") })
	w.eventually("there are points", ws.more(60))
	want := ws.end()
	w.crowd(1)
	w.fill(id, nil)
	w.eventually("it waits for room", func() error {
		for _, p := range w.node(1).mover.Progress() {
			if strings.Contains(p.Problem, "disk") {
				return nil
			}
		}
		return errors.New("it does not say so")
	})
	w.crowd()
	w.filled(id)
	w.holdsKey(id, "own", want)
}
