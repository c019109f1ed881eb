package coordinator

import (
	"sync"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// session remembers, per shard, the newest log index that a write through this node was answered with, so that later
// reads through this node see it. An index is forgotten with its shard, and after an unsafe promotion, which may
// have dropped what was acknowledged: to wait for it would be to wait for ever.
type session struct {
	mu struct {
		sync.Mutex
		shards map[catalog.ShardRef]mark
	}
}

type mark struct {
	index  uint64
	unsafe uint64 // catalog.Shard.UnsafePromotions when it was noted
}

// pruneAt is how many marks may gather before those of shards that no longer exist are looked for.
const pruneAt = 1024

func newSession() *session {
	s := new(session)
	s.mu.shards = map[catalog.ShardRef]mark{}
	return s
}

// note remembers an index; it never goes back.
func (s *session) note(state *catalog.State, ref catalog.ShardRef, index uint64) {
	_, sh, ok := state.Shard(ref)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.mu.shards[ref]
	if old.unsafe == sh.UnsafePromotions && old.index >= index {
		return
	}
	s.mu.shards[ref] = mark{index: index, unsafe: sh.UnsafePromotions}
	if len(s.mu.shards)%pruneAt == 0 {
		for ref := range s.mu.shards {
			if _, _, ok := state.Shard(ref); !ok {
				delete(s.mu.shards, ref)
			}
		}
	}
}

// min returns the index that a read of the shard must see.
func (s *session) min(ref catalog.ShardRef, sh *catalog.Shard) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.mu.shards[ref]; m.unsafe == sh.UnsafePromotions {
		return m.index
	}
	return 0
}

// rotation spreads reads over replicas that are equally good.
type rotation struct{ n atomic.Uint64 }

func (r *rotation) next() uint64 { return r.n.Add(1) }
