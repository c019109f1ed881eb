package replica

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// openAtOnce bounds how many replicas load from disk at the same time.
const openAtOnce = 4

// livenessTicks is how often, in ticks, primaries are told which of their replicas' peers are away.
const livenessTicks = 5

// Manager opens, runs and closes the replicas that the catalog puts on this peer.
//
// One goroutine (run) watches the catalog and ticks the replicas; opening and dropping happen in goroutines of
// their own, which Close awaits.
type Manager struct {
	opts   Options
	logger hclog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	slots  chan struct{} // one per replica being opened
	mu     struct {
		sync.RWMutex
		slots map[catalog.ShardRef]*seat
	}
}

// seat is the place of one replica in a Manager: being opened, running, failed to open, or being closed.
type seat struct {
	gen    catalog.Generation
	runner *runner // nil until it is open
	err    error   // why it could not be opened
	col    *catalog.Collection
	view   *catalog.Shard // the newest that the catalog says, pushed to the runner
}

// NewManager starts to follow the catalog.
func NewManager(opts Options) (*Manager, error) {
	opts, err := opts.validated()
	if err != nil {
		return nil, err
	}
	m := &Manager{opts: opts, logger: opts.Logger.Named("replica"), slots: make(chan struct{}, openAtOnce)}
	m.opts.Logger = m.logger
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.mu.slots = map[catalog.ShardRef]*seat{}
	m.wg.Add(1)
	go m.run()
	return m, nil
}

// Close stops every replica and returns when all have ended.
func (m *Manager) Close() error {
	m.cancel()
	m.wg.Wait()
	m.mu.Lock()
	seats := m.mu.slots
	m.mu.slots = map[catalog.ShardRef]*seat{}
	m.mu.Unlock()
	errs := make([]error, 0, len(seats))
	for _, s := range seats {
		if s.runner != nil {
			errs = append(errs, s.runner.close())
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) run() {
	defer m.wg.Done()
	ticker := time.NewTicker(m.opts.Tick)
	defer ticker.Stop()
	for ticks := 0; ; {
		state, changed := m.opts.Metadata.Watch()
		m.follow(state)
	waiting:
		for {
			select {
			case <-m.ctx.Done():
				return
			case <-changed:
				break waiting
			case <-ticker.C:
				ticks++
				m.tick(ticks%livenessTicks == 0)
			}
		}
	}
}

// tick moves the clocks of the replicas that have something outstanding, and tells primaries who is away.
func (m *Manager) tick(liveness bool) {
	for _, s := range m.seats() {
		if s.runner == nil {
			continue
		}
		st := s.runner.status.Load()
		var away []catalog.PeerID
		if liveness && st.Leading {
			for _, id := range st.active {
				if id != m.opts.Self && !m.opts.Liveness.Alive(id) {
					away = append(away, id)
				}
			}
		}
		if st.quiet && len(away) == 0 {
			continue
		}
		_ = s.runner.inbox.put(func(ev *events) error {
			ev.tick = true
			ev.away = away
			return nil
		})
	}
}

func (m *Manager) seats() []seat {
	m.mu.RLock()
	defer m.mu.RUnlock()
	seats := make([]seat, 0, len(m.mu.slots))
	for _, s := range m.mu.slots {
		seats = append(seats, *s)
	}
	return seats
}

// follow opens, updates and closes replicas so that they are those of state.
func (m *Manager) follow(state *catalog.State) {
	m.dropGone(state)
	for _, col := range state.Collections {
		for _, sh := range col.Shards {
			if rep, ok := sh.Replica(m.opts.Self); ok {
				m.seatReplica(col, sh, rep.Generation)
			}
		}
	}
	m.dropOrphans(state)
}

// seatReplica makes sure that the replica is open, and tells it the catalog's newest word.
func (m *Manager) seatReplica(col *catalog.Collection, sh *catalog.Shard, gen catalog.Generation) {
	ref := catalog.ShardRef{Collection: col.ID, Shard: sh.ID}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.mu.slots[ref]
	if !ok {
		s = &seat{gen: gen, col: col, view: sh}
		m.mu.slots[ref] = s
		m.wg.Add(1)
		go m.open(ref, s)
		return
	}
	if s.view == sh && s.col == col {
		return
	}
	s.view, s.col = sh, col
	if s.runner != nil {
		push(s)
	}
}

// push tells an open replica what the catalog says now.
func push(s *seat) {
	view, quorum := s.view, s.col.Config.WriteConsistencyFactor
	_ = s.runner.inbox.put(func(ev *events) error {
		ev.view, ev.quorum = view, quorum
		return nil
	})
}

// open loads a replica. The catalog may move on meanwhile: the seat keeps its newest word, which is pushed after.
func (m *Manager) open(ref catalog.ShardRef, s *seat) {
	defer m.wg.Done()
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-m.ctx.Done():
		return
	}
	m.mu.RLock()
	col, view := s.col, s.view
	m.mu.RUnlock()
	r, err := openRunner(&m.opts, col, view, s.gen)

	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		s.err = err
		m.logger.Error("cannot open replica", "collection", col.Name, "shard", ref.Shard, "error", err)
		return
	}
	if m.mu.slots[ref] != s { // dropped while it was being opened
		m.wg.Add(1)
		go m.discard(r, s.gen)
		return
	}
	s.runner = r
	push(s)
}

// dropGone closes the replicas that the catalog no longer puts here, and deletes their data.
func (m *Manager) dropGone(state *catalog.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ref, s := range m.mu.slots {
		_, sh, ok := state.Shard(ref)
		if ok {
			if rep, here := sh.Replica(m.opts.Self); here && rep.Generation == s.gen {
				continue
			}
		}
		delete(m.mu.slots, ref)
		if s.runner != nil {
			m.wg.Add(1)
			go m.discard(s.runner, s.gen)
		}
	}
}

func (m *Manager) discard(r *runner, gen catalog.Generation) {
	defer m.wg.Done()
	if err := r.close(); err != nil {
		m.logger.Warn("closing a dropped replica failed", "error", err)
	}
	m.drop(gen)
}

func (m *Manager) drop(gen catalog.Generation) {
	if err := m.opts.Store.DropGeneration(m.ctx, uint64(gen)); err != nil && m.ctx.Err() == nil {
		m.logger.Warn("cannot delete a dropped replica's data", "generation", gen, "error", err)
	}
}

// dropOrphans deletes generations on disk that no replica uses, such as those dropped while this node was away. A
// node that starts may hold an old catalog at first: a generation is an orphan only if that catalog has handed it
// out already (generations are never reused, so it can never come back).
func (m *Manager) dropOrphans(state *catalog.State) {
	stored, err := m.opts.Store.Generations()
	if err != nil {
		m.logger.Warn("cannot list the replicas on disk", "error", err)
		return
	}
	used := map[uint64]bool{}
	m.mu.RLock()
	for _, s := range m.mu.slots {
		used[uint64(s.gen)] = true
	}
	m.mu.RUnlock()
	for _, gen := range stored {
		if !used[gen] && gen < uint64(state.NextGeneration) {
			m.wg.Add(1)
			go func() {
				defer m.wg.Done()
				m.drop(catalog.Generation(gen))
			}()
		}
	}
}

// runner returns the open replica of a shard on this peer.
func (m *Manager) runner(ref catalog.ShardRef) (*runner, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s, ok := m.mu.slots[ref]
	switch {
	case !ok:
		return nil, fault.New(fault.StaleEpoch, "shard %d has no replica on this node", ref.Shard)
	case s.err != nil:
		return nil, fault.Wrap(fault.Unavailable, s.err, "the replica of shard %d on this node cannot be opened", ref.Shard)
	case s.runner == nil:
		return nil, fault.New(fault.Unavailable, "the replica of shard %d on this node is being opened", ref.Shard)
	}
	return s.runner, nil
}

// Step hands a message of another peer to the replica that it is for. A message for another generation is dropped:
// it speaks of a copy that is gone.
func (m *Manager) Step(ref catalog.ShardRef, gen catalog.Generation, msg replication.Message) {
	if r, err := m.runner(ref); err == nil && r.gen == gen {
		r.inbox.putMessage(msg)
	}
}

// Status tells of the replicas of refs on this peer, or of all when refs is nil.
func (m *Manager) Status(refs []catalog.ShardRef) []Status {
	if refs == nil {
		for _, s := range m.refs() {
			refs = append(refs, s)
		}
	}
	all := make([]Status, 0, len(refs))
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, ref := range refs {
		s, ok := m.mu.slots[ref]
		switch {
		case !ok:
		case s.runner != nil:
			st := *s.runner.status.Load()
			st.Differs = s.runner.verdict()
			all = append(all, st)
		case s.err != nil:
			all = append(all, Status{Ref: ref, Generation: s.gen, Problem: s.err.Error()})
		default:
			all = append(all, Status{Ref: ref, Generation: s.gen, Problem: "being opened"})
		}
	}
	return all
}

func (m *Manager) refs() []catalog.ShardRef {
	m.mu.RLock()
	defer m.mu.RUnlock()
	refs := make([]catalog.ShardRef, 0, len(m.mu.slots))
	for ref := range m.mu.slots {
		refs = append(refs, ref)
	}
	return refs
}
