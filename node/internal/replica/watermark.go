package replica

import "sync"

// watermark is an index that only grows, and tells who listens that there is news.
type watermark struct {
	mu struct {
		sync.Mutex
		value uint64
		news  chan struct{} // closed when there is news; nil while nobody listens
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
	w.ringLocked()
}

// ring tells that something else has changed.
func (w *watermark) ring() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ringLocked()
}

func (w *watermark) ringLocked() {
	if w.mu.news != nil {
		close(w.mu.news)
		w.mu.news = nil
	}
}

// listen returns a channel that is closed at the next news. Listen before looking.
func (w *watermark) listen() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.news == nil {
		w.mu.news = make(chan struct{})
	}
	return w.mu.news
}
