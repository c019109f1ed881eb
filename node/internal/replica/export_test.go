package replica

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// Untaken returns how many writes wait at the door of a shard's replica.
func (m *Manager) Untaken(ref catalog.ShardRef) int {
	r, err := m.runner(ref)
	if err != nil {
		return -1
	}
	r.inbox.mu.Lock()
	defer r.inbox.mu.Unlock()
	return len(r.inbox.mu.writes)
}

// Yielding reports whether a shard's replica is giving way.
func (m *Manager) Yielding(ref catalog.ShardRef) bool {
	r, err := m.runner(ref)
	return err == nil && r.status.Load().yielding
}

// Parked returns how many writes wait until a shard's replica has given way.
func (m *Manager) Parked(ref catalog.ShardRef) int {
	r, err := m.runner(ref)
	if err != nil {
		return -1
	}
	return r.status.Load().parked
}

// Occupy keeps the primary of a shard from noticing anything, from when it knows enough on, until released is closed. What it has begun
// to write or to apply goes on.
func (m *Manager) Occupy(ref catalog.ShardRef, enough func(replication.Status) bool, released <-chan struct{}) (occupied <-chan struct{}) {
	r, err := m.runner(ref)
	if err != nil {
		panic(err)
	}
	is := make(chan struct{})
	err = r.inbox.put(func(ev *events) error {
		ev.watches = append(ev.watches, &watch{done: make(chan error, 1), enough: func(s replication.Status) bool {
			if !enough(s) {
				return false
			}
			close(is)
			<-released
			return true
		}})
		return nil
	})
	if err != nil {
		panic(err)
	}
	return is
}

// Follows reports whether the primary of a shard follows what a collection's declaration says, and has nothing to apply.
func (m *Manager) Follows(ref catalog.ShardRef, col *catalog.Collection) bool {
	m.mu.RLock()
	s := *m.mu.slots[ref]
	m.mu.RUnlock()
	if s.col != col || s.runner == nil {
		return false
	}
	var follows bool
	err := s.runner.spread(context.Background(), func(now replication.Status) bool {
		follows = s.runner.standing == s.standing && s.runner.wanted == nil && !s.runner.applying && s.runner.appliedTo == now.CommitIndex
		return true
	})
	return err == nil && follows
}

// Still reports whether none of the replicas here has anything outstanding.
func (m *Manager) Still() bool {
	for _, s := range m.seats() {
		if s.runner == nil || !s.runner.status.Load().quiet {
			return false
		}
	}
	m.opts.restless.mu.Lock()
	defer m.opts.restless.mu.Unlock()
	return len(m.opts.restless.mu.refs) == 0
}
