package replica

import (
	"slices"
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

const (
	// livenessTicks is how often, in ticks, primaries that are not at rest are told which of their replicas' peers are away.
	livenessTicks = 5
	// sweepTicks is how often all replicas are looked at, whatever they have said.
	sweepTicks = 50
)

// restless are the shards whose replicas here have something outstanding, or have said something since the manager last looked: only they
// are looked at with each tick, so that of thousands those at rest cost nothing.
type restless struct {
	mu struct {
		sync.Mutex
		refs map[catalog.ShardRef]struct{}
	}
}

func newRestless() *restless {
	r := &restless{}
	r.mu.refs = map[catalog.ShardRef]struct{}{}
	return r
}

func (r *restless) add(ref catalog.ShardRef) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.refs[ref] = struct{}{}
}

// take empties it; who is still restless is added again.
func (r *restless) take() map[catalog.ShardRef]struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.mu.refs) == 0 {
		return nil // each tick of a node at rest
	}
	refs := r.mu.refs
	r.mu.refs = make(map[catalog.ShardRef]struct{}, len(refs))
	return refs
}

// stirs reports whether a replica's manager has to look at it after what it has just said; was is what it said before, nil at first.
func (s *Status) stirs(was *Status) bool {
	return was == nil || !s.quiet || s.Problem != "" || s.Leading && (!was.Leading || s.shard != was.shard) || !slices.Equal(s.away, was.away)
}

// due lists the replicas to look at in a tick: the restless ones, now and then all.
func (m *Manager) due(ticks int) []seat {
	refs := m.opts.restless.take() // before looking at them, so that what they say meanwhile is not missed
	if ticks%sweepTicks == 0 {
		return m.seats()
	}
	seats := make([]seat, 0, len(refs))
	m.mu.RLock()
	defer m.mu.RUnlock()
	for ref := range refs {
		if s, ok := m.mu.slots[ref]; ok {
			seats = append(seats, *s)
		}
	}
	return seats
}

// beat moves the clocks of the replicas among seats that have something outstanding, and tells primaries who is away: now and then, as
// they may have begun to lead since, and when it changes, which is between two ticks (0). With each sweep it tells all if the disk is full.
func (m *Manager) beat(seats []seat, ticks int) {
	b := beat{clock: ticks > 0, liveness: ticks%livenessTicks == 0}
	b.full = b.clock && ticks%sweepTicks == 0 && m.opts.Store.Full()
	for i := range seats {
		if s := &seats[i]; m.nudge(s, b) {
			m.opts.restless.add(catalog.ShardRef{Collection: s.col.ID, Shard: s.view.ID})
		}
	}
}

// beat is what replicas are told at once.
type beat struct{ clock, liveness, full bool }

// nudge does so for one replica, and reports whether it has to be looked at again.
func (m *Manager) nudge(s *seat, b beat) bool {
	if b.clock && b.liveness {
		m.resign(s)
	}
	if s.runner == nil {
		return true // being opened, or failed
	}
	st := s.runner.status.Load()
	var away, back []catalog.PeerID
	if b.liveness && st.Leading {
		away, back = m.missing(st, b.clock)
	}
	ticks := b.clock && (!st.quiet || len(away) > 0)
	if ticks || b.full || len(away)+len(back) > 0 {
		_ = s.runner.inbox.put(func(ev *events) error {
			ev.tick, ev.full = ev.tick || ticks, ev.full || b.full
			if len(away) > 0 {
				ev.away = away
			}
			if len(back) > 0 {
				ev.back = back
			}
			return nil
		})
	}
	return !b.liveness || !st.quiet || st.Problem != "" || len(away)+len(back) > 0
}

// missing lists the peers of a shard's replicas that do not answer while their primary counts on them or probes them, and those of its
// other replicas that do answer. With each tick it names only those of the latter that the primary takes for away: of the others it
// is about to find out by itself.
func (m *Manager) missing(st *Status, clock bool) (away, back []catalog.PeerID) {
	for _, r := range st.shard.Replicas {
		if r.Peer == m.opts.Self {
			continue
		}
		given := slices.Contains(st.away, replication.PeerID(r.Peer))
		alive := m.opts.Liveness.Alive(r.Peer)
		switch {
		case alive && (given || !clock && r.State != catalog.Active):
			back = append(back, r.Peer)
		case !alive && (r.State == catalog.Active || r.State == catalog.Dead && !r.Retiring && !given):
			away = append(away, r.Peer)
		}
	}
	return away, back
}

// resign asks for another primary of a shard whose replica here is named primary and has failed.
func (m *Manager) resign(s *seat) {
	failed := s.err != nil || s.runner != nil && s.runner.status.Load().Problem != ""
	if failed && s.view.Primary == m.opts.Self {
		m.opts.Promoter.WantPromotion(catalog.ShardRef{Collection: s.col.ID, Shard: s.view.ID}, s.view.Term)
	}
}
