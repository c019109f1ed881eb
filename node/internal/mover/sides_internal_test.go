package mover

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// desk is a node's catalog, and its replicas as far as these tests ask them: it leads all shards but those that it has lost. Whatever is
// appended waits until it is released.
type desk struct {
	Replicas
	stray   catalog.ShardRef // that has something for the sweep; the zero ref: none has
	swept   chan struct{}    // closed when the sweep has begun
	once    sync.Once
	release chan struct{} // ends all that waits
	source  chan struct{} // a source's driver looks
	mu      struct {
		sync.Mutex
		state   *catalog.State
		changed chan struct{}
		lost    catalog.ShardRef
	}
}

func newDesk(moves ...*catalog.Move) *desk {
	d := &desk{swept: make(chan struct{}), release: make(chan struct{}), source: make(chan struct{}, 1)}
	d.mu.changed = make(chan struct{})
	d.set(catalog.ShardRef{}, moves...)
	return d
}

// set makes the catalog anew: collection 1 with shards 0 and 1, and those moves between them.
func (d *desk) set(lost catalog.ShardRef, moves ...*catalog.Move) {
	d.mu.Lock()
	defer d.mu.Unlock()
	shards := []*catalog.Shard{{ID: 0}, {ID: 1}}
	d.mu.lost = lost
	d.mu.state = &catalog.State{Collections: map[catalog.CollectionID]*catalog.Collection{1: {ID: 1, Shards: shards, Moves: moves}}}
	close(d.mu.changed)
	d.mu.changed = make(chan struct{})
}

func (d *desk) Watch() (*catalog.State, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.state, d.mu.changed
}

func (d *desk) Propose(ctx context.Context, _ ...catalog.Command) ([]catalog.Result, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (d *desk) Feed(ctx context.Context, _ catalog.PeerID, _ replica.FeedRequest, _ func(replica.FeedChunk) error) error {
	<-ctx.Done()
	return ctx.Err()
}

func (d *desk) Office(ref catalog.ShardRef) (replica.Office, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return replica.Office{Term: 1, Shard: &catalog.Shard{ID: ref.Shard}, Standing: &move.Standing{}}, ref != d.mu.lost
}

func (d *desk) Stray(ref catalog.ShardRef, _ replica.Office, _ uint32) move.Op {
	if ref != d.stray || ref == (catalog.ShardRef{}) {
		return nil
	}
	return move.Forget{Move: 99}
}

func (d *desk) RowsIn(catalog.ShardRef, slot.Set) uint64 {
	select {
	case d.source <- struct{}{}:
	default:
	}
	return 0
}

func (d *desk) Control(ctx context.Context, _ catalog.ShardRef, _ uint64, op move.Op) (uint64, error) {
	if forget, ok := op.(move.Forget); ok && forget.Move == 99 {
		d.once.Do(func() { close(d.swept) })
	}
	<-d.release // whatever ctx says: a test may be slow
	return 0, ctx.Err()
}

// at starts a mover at the desk.
func (d *desk) at(t *testing.T, sweep time.Duration) *Mover {
	t.Helper()
	m, err := New(Options{Self: 1, Metadata: d, Replicas: d.replicas(), Feeds: d, Sweep: sweep})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(d.release)
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// replicas are the desk without the Feed of Feeds.
func (d *desk) replicas() Replicas {
	return struct {
		Offices
		Logs
		Traffic
	}{d, d, d.Replicas}
}

// soon waits until f is so.
func soon(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline, again := time.After(20*time.Second), time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !f() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func between(phase catalog.MovePhase) *catalog.Move {
	return &catalog.Move{ID: 1, Version: 1, Source: 0, Target: 1, Phase: phase}
}

// TestAMoveNeedNotWaitForTheSweep, which may wait for a quorum that is not there, shard after shard.
func TestAMoveNeedNotWaitForTheSweep(t *testing.T) {
	d := newDesk()
	d.stray = catalog.ShardRef{Collection: 1, Shard: 1}
	d.at(t, time.Millisecond)
	<-d.swept
	d.set(catalog.ShardRef{}, between(catalog.Copying))
	select {
	case <-d.source:
	case <-time.After(20 * time.Second):
		t.Error("the move is not driven while the sweep waits")
	}
}

// TestWhatIsKnownOfAMoveIsItsTargets: the end of the source's driver on the same node changes nothing about it.
func TestWhatIsKnownOfAMoveIsItsTargets(t *testing.T) {
	d := newDesk(between(catalog.Copying))
	m := d.at(t, time.Hour)
	source, target := catalog.ShardRef{Collection: 1, Shard: 0}, catalog.ShardRef{Collection: 1, Shard: 1}
	driven := func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.mu.at)
	}
	soon(t, "both sides are driven", func() bool { return driven() == 2 })
	m.note(1, func(p *Progress) { p.Attempts, p.Problem = 3, "slow" })
	d.set(source, between(catalog.Copying))
	soon(t, "the source is driven no more", func() bool { return driven() == 1 })
	if p, ok := m.Progress()[target]; !ok || p.Attempts != 3 || p.Problem != "slow" {
		t.Errorf("%+v, %t", p, ok)
	}
}
