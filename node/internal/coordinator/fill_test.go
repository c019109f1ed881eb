package coordinator_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

func keyNamed(word string) point.ShardKey { return point.ShardKey{Keyword: word} }

// keyed makes shards 0 and 1 those of the key "all", and shards 2 and 3 those of "own", which is to be filled.
func (w *world) keyed() {
	w.edit(func(c *catalog.Collection) {
		c.Config.Sharding = catalog.CustomSharding
		c.Keys = []*catalog.ShardKey{{Key: keyNamed("all"), ShardNumber: 2}, {Key: keyNamed("own"), ShardNumber: 2, Partial: true}}
		halves := slot.Spread(2)
		for i, sh := range c.Shards {
			next := *sh
			next.Key, next.Slots = &c.Keys[i/2].Key, halves[i%2:i%2+1]
			if i >= 2 {
				next.Slots = nil
			}
			c.Shards[i] = &next
		}
	})
}

// serve lets "own" begin to serve.
func (w *world) serve() {
	w.edit(func(c *catalog.Collection) {
		c.Epoch++
		own := *c.Keys[1]
		own.Partial = false
		c.Keys = []*catalog.ShardKey{c.Keys[0], &own}
		halves := slot.Spread(2)
		for i, sh := range c.Shards {
			next := *sh
			next.Epoch, next.Slots = c.Epoch, halves[i%2:i%2+1]
			c.Shards[i] = &next
		}
	})
}

func (w *world) edit(change func(*catalog.Collection)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	state, c := *w.mu.state, *w.mu.state.Collections[5]
	c.Shards = slices.Clone(c.Shards)
	change(&c)
	state.Collections = map[catalog.CollectionID]*catalog.Collection{5: &c}
	w.mu.state = &state
	close(w.mu.changed)
	w.mu.changed = make(chan struct{})
}

// ownElseAll names "own", with "all" as its fallback.
func ownElseAll() *coordinator.Keys {
	all := keyNamed("all")
	return &coordinator.Keys{Keys: []point.ShardKey{keyNamed("own")}, Fallback: &all}
}

// What of a write the fallback's shards refuse, because the key serves by now, goes to the shards of that key, and no more than that.
func TestAWriteGoesOnToTheKeyThatServesByNow(t *testing.T) {
	for name, op := range map[string]point.Op{
		"points":   point.Upsert{Points: upsert(40).Points},
		"a filter": point.ClearPayload{Selector: point.Selector{Filter: filter.Encode(&filter.Filter{})}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.keyed()
				w.write = func(_ context.Context, _ int, c call) (uint64, bool, error) {
					if c.shard == 1 {
						return 0, false, tooOld(2)
					}
					return 1, true, nil
				}
				go func() {
					pass(300 * time.Millisecond)
					w.serve()
				}()
				if _, err := w.c.Write(context.Background(), col, op, coordinator.WriteOptions{Keys: ownElseAll()}); err != nil {
					t.Fatal(err)
				}
				done := map[catalog.ShardID]int{}
				for _, c := range w.calls() {
					if c.shard != 1 {
						done[c.shard]++
					}
				}
				if done[0] != 1 || done[2] != 0 || done[3] != 1 {
					t.Errorf("done by shards: %v", done)
				}
			}, ids{1}, ids{1}, ids{1}, ids{1})
		})
	}
}

func TestAReadGoesOnToTheKeyThatServesByNow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.keyed()
		w.count = func(_ context.Context, c call) (uint64, error) {
			switch {
			case c.shard >= 2:
				return 100, nil
			case c.shard == 1:
				return 0, tooOld(2)
			}
			return 1, nil
		}
		go func() {
			pass(300 * time.Millisecond)
			w.serve()
		}()
		o := one
		o.Keys = ownElseAll()
		if n, err := w.c.Count(context.Background(), col, nil, o); err != nil || n != 200 {
			t.Errorf("%d, %v", n, err)
		}
	}, ids{1}, ids{1}, ids{1}, ids{1})
}

// Who names no key does not see one that is not filled, and who names it alone is refused, by metadata that are up to date.
func TestAKeyThatIsNotFilledAnswersNobody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.keyed()
		w.count = func(_ context.Context, c call) (uint64, error) { return 1, nil }
		if n, err := w.c.Count(context.Background(), col, nil, one); err != nil || n != 2 {
			t.Errorf("all that there is: %d, %v", n, err)
		}
		barriers := 0
		w.barrier = func(context.Context) error { barriers++; return nil }
		o := one
		o.Keys = &coordinator.Keys{Keys: []point.ShardKey{keyNamed("own")}}
		if _, err := w.c.Count(context.Background(), col, nil, o); !fault.Is(err, fault.FailedPrecondition) || barriers != 1 {
			t.Errorf("%v after %d looks at the metadata", err, barriers)
		}
		if _, err := w.c.Write(context.Background(), col, upsert(1), coordinator.WriteOptions{Keys: o.Keys}); !fault.Is(err, fault.FailedPrecondition) {
			t.Errorf("%v", err)
		}
		w.barrier = func(context.Context) error { w.serve(); return nil }
		if n, err := w.c.Count(context.Background(), col, nil, o); err != nil || n != 2 {
			t.Errorf("once it serves, which this node had not heard of: %d, %v", n, err)
		}
	}, ids{1}, ids{1}, ids{1}, ids{1})
}
