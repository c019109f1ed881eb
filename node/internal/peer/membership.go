package peer

import (
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Membership is what a node knows of the cluster it belongs to: "" until it has joined or founded one, and one id
// from then on.
//
// How a joining node gets its id: the leader must reach it by Raft before the configuration with it can be
// committed, which is before Join is answered. So a node without an id accepts the Raft stream of any cluster and
// adopts that stream's id at once; from the first id on (kept on disk by Keep) every other one is refused.
type Membership struct {
	keep func(id string) error
	mu   struct {
		sync.Mutex
		id string
	}
}

// NewMembership returns a membership that starts with the id kept on disk ("" for none). keep, which may be nil,
// makes a newly adopted id durable before anybody sees it.
func NewMembership(known string, keep func(id string) error) *Membership {
	m := &Membership{keep: keep}
	m.mu.id = known
	return m
}

// ID returns the cluster's id, or "" before the node is a member.
func (m *Membership) ID() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.id
}

// Adopt takes id as the cluster's, once. Another id than the one held already is fault.FailedPrecondition.
func (m *Membership) Adopt(id string) error {
	if id == "" || len(id) > maxClusterID {
		return fault.New(fault.Invalid, "cluster id of %d bytes: want 1..%d", len(id), maxClusterID)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.mu.id {
	case id:
		return nil
	case "":
	default:
		return fault.New(fault.FailedPrecondition, "this node belongs to cluster %q, not to %q", m.mu.id, id)
	}
	// Kept under the lock: it happens once in a node's life, and nobody may act on an id that could be forgotten.
	if m.keep != nil {
		if err := m.keep(id); err != nil {
			return fault.Wrap(fault.Internal, err, "keep cluster id")
		}
	}
	m.mu.id = id
	return nil
}
