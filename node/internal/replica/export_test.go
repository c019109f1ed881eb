package replica

import (
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
