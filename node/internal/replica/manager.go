package replica

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// openAtOnce bounds how many replicas load from disk at the same time.
const openAtOnce = 4

// Manager opens, runs and closes the replicas that the catalog puts on this peer.
//
// One goroutine (run) watches the catalog and ticks the replicas; opening and dropping happen in goroutines of
// their own, which Close awaits.
type Manager struct {
	opts    Options
	logger  hclog.Logger
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	slots   chan struct{} // one per replica being opened
	traffic *traffic
	orphans bool // there may be some; of the goroutine that follows the catalog

	undropped atomic.Bool // something could not be deleted: it is an orphan
	turns     *turns
	mu        struct {
		sync.RWMutex
		slots   map[catalog.ShardRef]*seat
		leaving map[catalog.Generation]bool // being closed or dropped
	}
}

// seat is the place of one replica in a Manager: being filled from a snapshot, being opened, running, failed to open, or being
// closed.
type seat struct {
	gen      catalog.Generation
	filler   *filler // nil unless it begins with a snapshot
	runner   *runner // nil until it is open
	err      error   // why it could not be opened
	col      *catalog.Collection
	view     *catalog.Shard     // the newest that the catalog says, pushed to the runner
	standing *move.Standing     // that came with view
	cancel   context.CancelFunc // ends filling and opening
	opened   chan struct{}      // closed when open has returned
}

// NewManager starts to follow the catalog.
func NewManager(opts Options) (*Manager, error) {
	opts, err := opts.validated()
	if err != nil {
		return nil, err
	}
	m := &Manager{orphans: true, opts: opts, logger: opts.Logger.Named("replica"), slots: make(chan struct{}, openAtOnce), turns: newTurns(opts.Reads, opts.ReadsWaiting), traffic: newTraffic(opts.Transfers.under(catalog.Settings{}))}
	m.opts.Logger, m.opts.traffic, m.opts.restless = m.logger, m.traffic, newRestless()
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.mu.slots = map[catalog.ShardRef]*seat{}
	m.mu.leaving = map[catalog.Generation]bool{}
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
	alive := m.opts.Liveness.Changed()
	for ticks := 1; ; {
		state, changed := m.opts.Metadata.Watch()
		m.follow(state)
	waiting:
		for {
			select {
			case <-m.ctx.Done():
				return
			case <-changed:
				break waiting
			case <-alive:
				alive = m.opts.Liveness.Changed() // before looking, so that no change is missed
				m.beat(m.seats(), 0)
			case <-ticker.C:
				m.beat(m.due(ticks), ticks)
				ticks++
			}
		}
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
	m.traffic.bound(m.opts.Transfers.under(state.Settings))
	left := m.dropGone(state)
	for _, col := range state.Collections {
		for _, sh := range col.Shards {
			if _, ok := sh.Replica(m.opts.Self); ok {
				left = m.seatReplica(state, col, sh) || left
			}
		}
	}
	if left || m.orphans || m.undropped.Swap(false) {
		m.orphans = m.dropOrphans(state)
	}
}

// seatReplica makes sure that the replica is open, and tells it the catalog's newest word. It reports whether the replica has just
// made up for the one that it replaces, which is an orphan now.
func (m *Manager) seatReplica(state *catalog.State, col *catalog.Collection, sh *catalog.Shard) bool {
	ref := catalog.ShardRef{Collection: col.ID, Shard: sh.ID}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.mu.slots[ref]
	if !ok {
		m.mu.slots[ref] = m.newSeat(state, col, sh)
		return false
	}
	if s.view == sh && s.col == col {
		return false
	}
	was, _ := s.view.Replica(m.opts.Self)
	now, _ := sh.Replica(m.opts.Self)
	s.view, s.col, s.standing = sh, col, move.StandingOf(state, col, sh)
	if s.filler != nil {
		s.filler.learn(sh)
	}
	if s.runner != nil {
		push(s)
	}
	return was.Previous != 0 && now.Previous == 0
}

// newSeat begins to fill or open this peer's replica of a shard.
func (m *Manager) newSeat(state *catalog.State, col *catalog.Collection, sh *catalog.Shard) *seat {
	rep, _ := sh.Replica(m.opts.Self)
	s := &seat{gen: rep.Generation, col: col, view: sh, standing: move.StandingOf(state, col, sh), opened: make(chan struct{})}
	if rep.Previous != 0 {
		s.filler = newFiller(&m.opts, m.traffic, col, sh, rep.Generation)
	}
	ctx, cancel := context.WithCancel(m.ctx)
	s.cancel = cancel
	m.wg.Go(func() {
		defer close(s.opened)
		defer cancel()
		r, err := m.open(ctx, s)
		m.mu.Lock()
		defer m.mu.Unlock()
		switch {
		case err == nil:
			s.runner = r
			push(s)
		case ctx.Err() == nil:
			s.err = err
			m.opts.restless.add(catalog.ShardRef{Collection: s.col.ID, Shard: sh.ID})
			m.logger.Error("cannot open replica", "collection", s.col.Name, "shard", sh.ID, "error", err)
		}
	})
	return s
}

// push tells an open replica what the catalog says now.
func push(s *seat) {
	view, quorum, schema, standing, declared := s.view, s.col.WantedQuorum(s.view), SchemaOf(s.col), s.standing, s.col.Factor(s.view)
	_ = s.runner.inbox.put(func(ev *events) error {
		ev.view, ev.quorum, ev.schema, ev.standing, ev.declared = view, quorum, &schema, standing, declared
		return nil
	})
}

// open fills a replica if it begins with a snapshot, and loads it. The catalog may move on meanwhile: the seat keeps its newest
// word, which is pushed after.
func (m *Manager) open(ctx context.Context, s *seat) (*runner, error) {
	if s.filler != nil {
		if err := s.filler.run(ctx); err != nil {
			return nil, err
		}
	}
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m.mu.RLock()
	col, view, standing := s.col, s.view, s.standing
	m.mu.RUnlock()
	return openRunner(&m.opts, col, view, standing, s.gen)
}

// dropGone closes the replicas that the catalog no longer puts here, and deletes their data: all but that of a replica whose
// successor here is not complete. It reports whether there were any.
func (m *Manager) dropGone(state *catalog.State) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := false
	for ref, s := range m.mu.slots {
		kept := false
		if _, sh, ok := state.Shard(ref); ok {
			rep, here := sh.Replica(m.opts.Self)
			if here && rep.Generation == s.gen {
				continue
			}
			kept = here && rep.Previous == s.gen
		}
		gone = true
		delete(m.mu.slots, ref)
		m.mu.leaving[s.gen] = true
		m.wg.Go(func() { m.discard(s, kept) })
	}
	return gone
}

func (m *Manager) discard(s *seat, kept bool) {
	s.cancel()
	<-s.opened
	if s.runner != nil {
		if err := s.runner.close(); err != nil {
			m.logger.Warn("closing a dropped replica failed", "error", err)
		}
		if kept {
			s.runner.tellLost()
		}
	}
	if !kept {
		m.drop(s.gen)
	}
	m.left(s.gen)
}

func (m *Manager) left(gen catalog.Generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mu.leaving, gen)
}

func (m *Manager) drop(gen catalog.Generation) {
	if err := m.opts.Store.DropGeneration(m.ctx, uint64(gen)); err != nil && m.ctx.Err() == nil {
		m.logger.Warn("cannot delete a dropped replica's data", "generation", gen, "error", err)
		m.undropped.Store(true)
	}
	if err := shard.RemoveSaved(m.opts.IndexDir, uint64(gen)); err != nil {
		m.logger.Warn("cannot delete a dropped replica's saved indexes", "generation", gen, "error", err)
		m.undropped.Store(true)
	}
}

// dropOrphans deletes generations on disk that no replica uses, such as those dropped while this node was away. A
// node that starts may hold an old catalog at first: a generation is an orphan only if that catalog has handed it
// out already (generations are never reused, so it can never come back). It reports whether it has to look again with a newer
// catalog: something could not be listed, or is of a generation that this one does not know.
//
// It is called when something may have become an orphan, not with each catalog: to list what is on disk takes long where
// there is much.
func (m *Manager) dropOrphans(state *catalog.State) (again bool) {
	stored, err := m.opts.Store.Generations()
	if err != nil {
		m.logger.Warn("cannot list the replicas on disk", "error", err)
		return true
	}
	saved, err := shard.SavedGenerations(m.opts.IndexDir)
	if err != nil {
		m.logger.Warn("cannot list the saved indexes", "error", err)
		again = true
	}
	stored = append(stored, saved...)
	slices.Sort(stored)
	m.mu.Lock()
	defer m.mu.Unlock()
	used := m.usedLocked(state)
	for _, gen := range slices.Compact(stored) {
		if gen >= uint64(state.NextGeneration) {
			again = true
			continue
		}
		if !used[catalog.Generation(gen)] {
			m.mu.leaving[catalog.Generation(gen)] = true
			m.wg.Go(func() {
				m.drop(catalog.Generation(gen))
				m.left(catalog.Generation(gen))
			})
		}
	}
	return again
}

// usedLocked lists the generations that are no orphans: those of the replicas here, those that they replace and have not
// made up for yet, and those that somebody is closing or dropping.
func (m *Manager) usedLocked(state *catalog.State) map[catalog.Generation]bool {
	used := maps.Clone(m.mu.leaving)
	for _, s := range m.mu.slots {
		used[s.gen] = true
	}
	for _, sh := range state.Shards() {
		if rep, ok := sh.Replica(m.opts.Self); ok && rep.Previous != 0 {
			used[rep.Previous] = true
		}
	}
	return used
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
	case s.runner == nil && s.filler != nil:
		return nil, fault.New(fault.Unavailable, "the replica of shard %d on this node is being filled from a snapshot", ref.Shard)
	case s.runner == nil:
		return nil, fault.New(fault.Unavailable, "the replica of shard %d on this node is being opened", ref.Shard)
	}
	return s.runner, nil
}

// Step hands a message of another peer to the replica that it is for. A message for another generation is dropped:
// it speaks of a copy that is gone.
func (m *Manager) Step(ref catalog.ShardRef, gen catalog.Generation, msg replication.Message) {
	m.mu.RLock()
	var s seat
	if at, ok := m.mu.slots[ref]; ok {
		s = *at
	}
	m.mu.RUnlock()
	switch {
	case s.gen != gen:
	case s.runner != nil:
		s.runner.inbox.putMessage(msg)
	case s.err != nil:
		refuseDamaged(m.opts.Sender, s.view, ref, gen, msg, s.err)
	case s.filler != nil:
		s.filler.refuse(msg, m.opts.Sender)
	}
}

// Status tells of the replicas of refs on this peer, or of all when refs is nil.
func (m *Manager) Status(refs []catalog.ShardRef) []Status {
	if refs == nil {
		refs = m.refs()
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
			x := s.runner.shard.Indexes() // goes on while the runner has nothing to do
			st.Indexed, st.Indexing, st.IndexProblem = x.Indexed, x.Busy, x.Problem
			st.Fields, st.Schema = x.Fields, x.Schema
			all = append(all, st)
		case s.err != nil:
			all = append(all, Status{Ref: ref, Generation: s.gen, Problem: s.err.Error()})
		case s.filler != nil:
			t := s.filler.progress.get()
			all = append(all, Status{Ref: ref, Generation: s.gen, Transfer: &t})
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
