package mover

import (
	"context"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// side is one side of a move that this node has to do with.
type side struct {
	ref    catalog.ShardRef // the shard that it leads
	move   catalog.MoveID
	target bool
}

// Mover drives the moves of which this node leads a side.
type Mover struct {
	opts   Options
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     struct {
		sync.Mutex
		at       map[side]context.CancelFunc // being driven
		progress map[catalog.MoveID]Progress // of targets
	}
}

// Progress is how far a move to a shard that this node leads has come.
type Progress = replica.Moving

// New starts to watch for moves.
func New(opts Options) (*Mover, error) {
	opts, err := opts.normalized()
	if err != nil {
		return nil, err
	}
	opts.Logger = opts.Logger.Named("mover")
	m := &Mover{opts: opts}
	m.mu.at, m.mu.progress = map[side]context.CancelFunc{}, map[catalog.MoveID]Progress{}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.wg.Go(func() { m.run(ctx) })
	m.wg.Go(func() { m.sweeps(ctx) })
	return m, nil
}

// Close ends all drivers and waits for them.
func (m *Mover) Close() error {
	m.cancel()
	m.wg.Wait()
	return nil
}

// lookEvery is how often the mover looks which shards this node leads, beside at each change of the catalog.
const lookEvery = 100 * time.Millisecond

func (m *Mover) run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		state, changed := m.opts.Metadata.Watch()
		m.follow(ctx, state)
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// follow starts a driver for each side of a move that this node leads. A driver ends by itself.
func (m *Mover) follow(ctx context.Context, state *catalog.State) {
	for id, col := range state.Collections {
		for _, mv := range col.Moves {
			m.begin(ctx, side{catalog.ShardRef{Collection: id, Shard: mv.Target}, mv.ID, true})
			m.begin(ctx, side{catalog.ShardRef{Collection: id, Shard: mv.Source}, mv.ID, false})
		}
	}
}

func (m *Mover) begin(ctx context.Context, s side) {
	if _, leads := m.opts.Replicas.Office(s.ref); !leads {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, driven := m.mu.at[s]; driven {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	m.mu.at[s] = cancel
	m.wg.Go(func() {
		d := &driver{m: m, opts: &m.opts, side: s}
		d.logger = m.opts.Logger.With("collection", uint64(s.ref.Collection), "shard", uint32(s.ref.Shard), "move", uint64(s.move))
		d.run(ctx)
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.mu.at, s)
		if s.target {
			delete(m.mu.progress, s.move)
		}
		cancel()
	})
}

// Progress tells how far the moves have come, by the shards that they go to and that this node leads.
func (m *Mover) Progress() map[catalog.ShardRef]Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[catalog.ShardRef]Progress, len(m.mu.progress))
	for s := range m.mu.at {
		if p, ok := m.mu.progress[s.move]; ok && s.target {
			all[s.ref] = together(all[s.ref], p)
		}
	}
	return all
}

// together adds up what comes to one shard: several parts of a fill may.
func together(a, b Progress) Progress {
	a.Points, a.TotalPoints, a.Bytes = a.Points+b.Points, a.TotalPoints+b.TotalPoints, a.Bytes+b.Bytes
	a.Attempts = max(a.Attempts, b.Attempts)
	if a.Problem == "" {
		a.Problem = b.Problem
	}
	return a
}

func (m *Mover) note(id catalog.MoveID, change func(*Progress)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.mu.progress[id]
	change(&p)
	m.mu.progress[id] = p
}

// sweeps sweeps now and then. What it waits for keeps no move waiting.
func (m *Mover) sweeps(ctx context.Context) {
	ticker := time.NewTicker(m.opts.Sweep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			state, _ := m.opts.Metadata.Watch()
			m.sweep(ctx, state)
		case <-ctx.Done():
			return
		}
	}
}

// sweep is rid of what no move accounts for, in the shards that this node leads. Only unsafe promotions bring such things.
func (m *Mover) sweep(ctx context.Context, state *catalog.State) {
	for ref := range state.Shards() {
		for range maxStrays {
			o, leads := m.opts.Replicas.Office(ref)
			if !leads || o.Standing == nil || ctx.Err() != nil {
				break
			}
			op := m.opts.Replicas.Stray(ref, o, dropLimit)
			if op == nil {
				break
			}
			m.opts.Logger.Warn("a shard has what no move accounts for; it is dropped", "collection", uint64(ref.Collection), "shard", uint32(ref.Shard))
			bounded, cancel := context.WithTimeout(ctx, stepTimeout)
			_, err := m.opts.Replicas.Control(bounded, ref, o.Term, op)
			cancel()
			if err != nil {
				break
			}
		}
	}
}

// maxStrays bounds how much of one shard is dropped between two looks at the moves.
const maxStrays = 16
