package replica

import "github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"

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
