package replica

import (
	"context"
	"sync"
)

// watermark is an index that only grows, and lets readers wait for it.
type watermark struct {
	mu struct {
		sync.Mutex
		value   uint64
		changed chan struct{} // closed at the next raise; nil while nobody waits
	}
}

func (w *watermark) get() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.value
}

func (w *watermark) raise(to uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if to <= w.mu.value {
		return
	}
	w.mu.value = to
	if w.mu.changed != nil {
		close(w.mu.changed)
		w.mu.changed = nil
	}
}

// wait returns nil once the value is at least n, or the context's error.
func (w *watermark) wait(ctx context.Context, n uint64) error {
	for {
		w.mu.Lock()
		if w.mu.value >= n {
			w.mu.Unlock()
			return nil
		}
		if w.mu.changed == nil {
			w.mu.changed = make(chan struct{})
		}
		changed := w.mu.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
