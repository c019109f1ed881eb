package mover_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// writers write points of their own, one after another, until each write is acknowledged.
type writers struct {
	w    *world
	id   catalog.CollectionID
	wg   sync.WaitGroup
	stop chan struct{}
	quit chan struct{}                                 // the test is over, whatever is on its way
	part func(*catalog.Collection) *catalog.Collection // that is written to
	mu   struct {
		sync.Mutex
		points map[uint64]int64 // what is acknowledged
		writes int
	}
}

func (w *world) write(id catalog.CollectionID, many int, keys uint64) *writers {
	return w.writeTo(id, many, keys, func(c *catalog.Collection) *catalog.Collection { return c })
}

// writeTo is write for a part of a collection.
func (w *world) writeTo(id catalog.CollectionID, many int, keys uint64, part func(*catalog.Collection) *catalog.Collection) *writers {
	ws := &writers{w: w, id: id, stop: make(chan struct{}), quit: make(chan struct{}), part: part}
	w.t.Cleanup(func() {
		close(ws.quit)
		ws.wg.Wait()
	})
	ws.mu.points = map[uint64]int64{}
	for i := range many {
		ws.wg.Go(func() { ws.run(uint64(i), uint64(many), keys) })
	}
	return ws
}

func (ws *writers) run(first, stride, keys uint64) {
	rng := rand.New(rand.NewPCG(first, 7))
	for n := int64(1); ; n++ {
		select {
		case <-ws.stop:
			return
		case <-ws.quit:
			return
		default:
		}
		key := rng.Uint64N(keys)*stride + first
		gone := rng.IntN(4) == 0
		if err := ws.one(key, n, gone); errors.Is(err, errQuit) {
			return
		} else if err != nil {
			ws.w.t.Error(err)
			return
		}
		ws.mu.Lock()
		ws.mu.writes++
		if delete(ws.mu.points, key); !gone {
			ws.mu.points[key] = n
		}
		ws.mu.Unlock()
	}
}

func operation(key uint64, value int64, gone bool) []byte {
	if gone {
		return point.EncodeOp(point.Delete{Selector: point.Selector{IDs: []point.ID{point.Num(key)}}})
	}
	return point.EncodeOp(point.Upsert{Points: []point.Point{{
		ID: point.Num(key), Vectors: point.Vectors{"": {float32(value), 1}}, Payload: point.Payload{"v": value, "pad": strings.Repeat("x", 100)},
	}}})
}

var errQuit = errors.New("the test is over")

// one writes until somebody takes it.
func (ws *writers) one(key uint64, value int64, gone bool) error {
	op := operation(key, value, gone)
	deadline := time.Now().Add(time.Minute)
	for {
		err := ws.try(key, op)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("point %d: nobody takes a write: %w", key, err)
		}
		select {
		case <-ws.quit:
			return errQuit
		case <-time.After(time.Millisecond):
		}
	}
}

func (ws *writers) try(key uint64, op []byte) error {
	state, _ := ws.w.Watch()
	col := ws.part(state.Collections[ws.id])
	owner := col.ShardOf(slot.Of(point.Num(key)))
	n := ws.w.node(owner.Primary)
	if n == nil {
		return errDown
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, completed, err := n.manager.Write(ctx, catalog.ShardRef{Collection: ws.id, Shard: owner.ID}, owner.Term, col.Epoch, op, true)
	if err == nil && !completed {
		return errors.New("not completed")
	}
	return err
}

// end stops the writers and returns what has to be there.
func (ws *writers) end() map[uint64]int64 {
	close(ws.stop)
	ws.wg.Wait()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.w.t.Logf("%d writes, %d points", ws.mu.writes, len(ws.mu.points))
	return ws.mu.points
}

// holds checks that the shards hold exactly these points, each in the shard that owns it, on each of its replicas alike.
func (w *world) holds(id catalog.CollectionID, want map[uint64]int64) {
	w.t.Helper()
	state, _ := w.Watch()
	col := state.Collections[id]
	found := map[uint64]int64{}
	for _, sh := range col.Shards {
		ref := catalog.ShardRef{Collection: id, Shard: sh.ID}
		w.equal(ref, sh)
		n := w.node(sh.Primary)
		w.eventually("no row is left of what the shard does not own", func() error {
			if rows := n.manager.RowsIn(ref, slot.SetOf(slot.Range{To: slot.Count - 1}).Minus(sh.Owned())); rows != 0 {
				return fmt.Errorf("shard %d: %d rows", sh.ID, rows)
			}
			if moves := n.manager.Moves(ref); moves != nil && len(moves.In)+len(moves.Sealed)+len(moves.Drops) > 0 {
				return fmt.Errorf("shard %d knows of moves: %+v", sh.ID, moves)
			}
			return nil
		})
		records, _, err := n.manager.Scroll(context.Background(), ref, 0, shard.ScrollRequest{
			Look: shard.Look{Epoch: col.Epoch}, Limit: 1 << 20, Payload: shard.PayloadSelector{Enable: true},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range records {
			key := r.ID.Number()
			if _, twice := found[key]; twice {
				w.t.Errorf("point %d is in two shards", key)
			}
			found[key] = r.Payload["v"].(int64)
		}
	}
	if !maps.Equal(found, want) {
		for key, v := range want {
			if found[key] != v {
				w.t.Errorf("point %d is %d, not %d", key, found[key], v)
			}
		}
		for key, v := range found {
			if _, ok := want[key]; !ok {
				w.t.Errorf("point %d is back, with %d", key, v)
			}
		}
	}
}

// equal waits until the active replicas of a shard hold the same.
func (w *world) equal(ref catalog.ShardRef, sh *catalog.Shard) {
	w.t.Helper()
	w.eventually("replicas are equal", func() error {
		var first uint64
		for i, id := range sh.Active() {
			n := w.node(id)
			if n == nil {
				return errDown
			}
			digest, _, err := n.manager.Digest(context.Background(), ref)
			if err != nil {
				return err
			}
			if i == 0 {
				first = digest
			} else if digest != first {
				return fmt.Errorf("shard %d: node %d has another digest than node %d", ref.Shard, id, sh.Active()[0])
			}
		}
		return nil
	})
}

func TestSlotsMoveUnderWrites(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create(2, 1, 2)
	ws := w.write(id, 4, 500)
	for _, number := range []int{3, 2, 4, 1} {
		w.reshard(id, number, 1, 2)
		w.rests(id)
	}
	w.holds(id, ws.end())
	state, _ := w.Watch()
	if col := state.Collections[id]; len(col.Shards) != 1 || col.Epoch < 5 {
		t.Errorf("%d shards in epoch %d", len(col.Shards), col.Epoch)
	}
}

func TestAnotherNumberTurnsAMoveRound(t *testing.T) {
	w := newWorld(t, 1)
	id := w.create(1, 1)
	ws := w.write(id, 2, 300)
	for range 8 {
		w.reshard(id, 3, 1)
		<-time.After(rand.N(60 * time.Millisecond)) // anywhere in it
		w.reshard(id, 1, 1)
	}
	w.rests(id)
	w.holds(id, ws.end())
}

func TestSlotsMoveThroughCrashes(t *testing.T) {
	w := newWorld(t, 3)
	id := w.create(2, 1, 2, 3)
	ws := w.write(id, 2, 500)
	w.throughCrashes(3, 200, func() {
		w.reshard(id, 3, 1, 2, 3)
		w.rests(id)
		w.reshard(id, 1, 1, 2, 3)
		w.rests(id)
	})
	w.holds(id, ws.end())
}

// throughCrashes restarts one of so many nodes after the other while something happens, at most so often: a slow machine has to come to its end too.
func (w *world) throughCrashes(nodes, most int, happens func()) {
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for range most {
			select {
			case <-over:
				return
			case <-time.After(10*time.Millisecond + rand.N(80*time.Millisecond)):
			}
			victim := catalog.PeerID(1 + rand.N(nodes))
			w.halt(victim)
			w.start(victim)
		}
	})
	defer wg.Wait()
	defer close(over)
	happens()
}

func TestADamagedChunkIsAskedForAgain(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create(1, 1)
	ws := w.write(id, 2, 300)
	w.eventually("there are points", func() error {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		if len(ws.mu.points) < 200 {
			return errors.New("few")
		}
		return nil
	})
	var mu sync.Mutex
	chunks, damaged := 0, 0
	w.feed = func(_ catalog.PeerID, c *replica.FeedChunk) error {
		mu.Lock()
		defer mu.Unlock()
		if chunks++; chunks%3 == 0 && len(c.Data) > 0 && damaged < 5 {
			c.Data = append([]byte{}, c.Data...)
			c.Data[len(c.Data)/2] ^= 1
			damaged++
		}
		return nil
	}
	w.reshard(id, 2, 2)
	w.rests(id)
	w.holds(id, ws.end())
	if mu.Lock(); damaged == 0 {
		t.Error("no chunk was damaged")
	}
	mu.Unlock()
}

func TestSlotsDoNotMoveToFewerCopies(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create(1, 1, 2)
	ws := w.write(id, 1, 50)
	target := catalog.ShardRef{Collection: id, Shard: 1}
	w.deny(func(cmd catalog.Command) bool { return cmd.ChangeShard != nil && cmd.ChangeShard.Ref == target })
	w.hold(true)
	w.reshard(id, 2, 2, 1) // what is placed second counts up from the other end
	second := catalog.PeerID(2)
	w.must(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: target, Version: 1, Demote: &second}})
	w.hold(false)
	w.eventually("the mover tells what is missing", func() error {
		for _, p := range w.node(1).mover.Progress() {
			if strings.Contains(p.Problem, "1 active replicas of 2") {
				return nil
			}
		}
		return errors.New("it does not")
	})
	if state, _ := w.Watch(); state.Collections[id].Epoch != 1 || len(state.Collections[id].Moves) != 1 || state.Collections[id].Moves[0].Phase != catalog.Copying {
		t.Errorf("epoch %d, move %+v", state.Collections[id].Epoch, state.Collections[id].Moves[0])
	}
	w.deny(nil)
	w.rests(id)
	w.holds(id, ws.end())
}

func TestWritesGoOnWhenTheLastPassDoesNotEnd(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create(1, 1)
	ws := w.write(id, 1, 50)
	w.deny(func(cmd catalog.Command) bool { return cmd.ChangeMove != nil && cmd.ChangeMove.Flip != nil })
	w.reshard(id, 2, 2)
	w.eventually("two attempts are given up", func() error {
		for _, p := range w.node(2).mover.Progress() {
			if p.Attempts >= 2 {
				return nil
			}
		}
		return errors.New("they are not")
	})
	w.eventually("writes go on", ws.more(4)) // between attempts, which last longer and longer
	w.deny(nil)
	w.rests(id)
	w.holds(id, ws.end())
}

// TestWhoNoLongerLeadsLetsTheLastPassGo has the target's primary change while its last pass does not come to its end. It is the next one's
// to make: the old one would only tell of an attempt in vain.
func TestWhoNoLongerLeadsLetsTheLastPassGo(t *testing.T) {
	w := newPatientWorld(t, 2, time.Hour)
	var broken atomic.Int64 // how many last passes broke off; below 0 none does
	w.feed = func(_ catalog.PeerID, c *replica.FeedChunk) error {
		if c.Begin != nil && c.Begin.Sealed != 0 && broken.Add(1) > 0 {
			return errors.New("the last pass breaks off")
		}
		return nil
	}
	id := w.create(2, 1, 2)
	ws := w.write(id, 1, 50)
	w.reshard(id, 2, 1, 2)
	var target catalog.ShardRef
	w.eventually("writes wait for the last pass", func() error {
		state, _ := w.Watch()
		for _, mv := range state.Collections[id].Moves {
			target = catalog.ShardRef{Collection: id, Shard: mv.Target}
		}
		if broken.Load() == 0 {
			return errors.New("none has begun")
		}
		return nil
	})
	w.eventually("node 1 leads the target", func() error {
		state, _ := w.Watch()
		_, sh, _ := state.Shard(target)
		if sh.Primary == 1 {
			return nil
		}
		return w.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{
			Ref: target, Version: sh.Version, Promote: &catalog.Promote{Term: sh.Term + 1, Candidate: 1},
		}}).Err
	})
	w.eventually("node 2 has let the move go", func() error {
		if p := w.node(2).mover.Progress(); len(p) > 0 {
			return fmt.Errorf("it drives %v", p)
		}
		return nil
	})
	broken.Store(math.MinInt64)
	w.rests(id)
	w.holds(id, ws.end())
}
