package consensus

import (
	"context"
	"sync"
)

// gate is passed by every change on its way into Raft's log, and closed while leadership is handed over: Raft would refuse
// changes then, and say of those under way that nobody knows what became of them. Its zero value is open.
type gate struct {
	mu     sync.Mutex
	inside int
	closed chan struct{} // closed when the gate opens again; nil while it is open
	empty  chan struct{} // closed when nobody is inside any more; nil if nobody waits for that
}

// enter waits until the gate is open, and returns what has to be called once the change is through.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	for {
		g.mu.Lock()
		opens := g.closed
		if opens == nil {
			g.inside++
			g.mu.Unlock()
			return g.leave, nil
		}
		g.mu.Unlock()
		select {
		case <-opens:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// close lets nobody in any more, waits until everybody has left, and returns what opens the gate again. If ctx ends before, the
// gate is open.
func (g *gate) close(ctx context.Context) (open func(), err error) {
	g.mu.Lock()
	if g.closed != nil {
		opens := g.closed
		g.mu.Unlock()
		select { // one handover at a time
		case <-opens:
			return g.close(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	g.closed = make(chan struct{})
	var empty chan struct{}
	if g.inside > 0 {
		empty = make(chan struct{})
		g.empty = empty
	}
	g.mu.Unlock()
	if empty != nil {
		select {
		case <-empty:
		case <-ctx.Done():
			g.open()
			return nil, ctx.Err()
		}
	}
	return g.open, nil
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.closed)
	g.closed, g.empty = nil, nil
}
