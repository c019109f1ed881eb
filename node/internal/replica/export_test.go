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
