package replica

import (
	"context"
	"sync"
)

// places bounds how many are inside at once; the bound may change at any time. The zero value lets nobody in.
type places struct {
	mu struct {
		sync.Mutex
		bound, taken int
		free         chan struct{} // closed when a place may have become free; nil: nobody waits
	}
}

func (p *places) set(bound int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.bound = bound
	p.wakeLocked()
}

// try takes a place if one is free.
func (p *places) try() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.taken >= p.mu.bound {
		return false
	}
	p.mu.taken++
	return true
}

// enter waits for a place, or returns the error of ctx.
func (p *places) enter(ctx context.Context) error {
	for {
		p.mu.Lock()
		if p.mu.taken < p.mu.bound {
			p.mu.taken++
			p.mu.Unlock()
			return nil
		}
		if p.mu.free == nil {
			p.mu.free = make(chan struct{})
		}
		free := p.mu.free
		p.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *places) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.taken--
	p.wakeLocked()
}

func (p *places) wakeLocked() {
	if p.mu.free != nil {
		close(p.mu.free)
		p.mu.free = nil
	}
}
