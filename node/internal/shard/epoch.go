package shard

import "sync"

// epochs knows which publishes readers under way have not seen yet: what went with a later one than the oldest of them
// may still be in use.
type epochs struct {
	mu struct {
		sync.Mutex
		open map[uint64]int // readers by the publish that they began after
	}
}

func (e *epochs) enter(seq uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.open == nil {
		e.mu.open = map[uint64]int{}
	}
	e.mu.open[seq]++
}

func (e *epochs) leave(seq uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.open[seq]--; e.mu.open[seq] == 0 {
		delete(e.mu.open, seq)
	}
}

// oldest returns the publish that every reader has seen; now is the last one.
func (e *epochs) oldest(now uint64) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	for seq := range e.mu.open {
		now = min(now, seq)
	}
	return now
}
