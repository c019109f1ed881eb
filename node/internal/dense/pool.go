package dense

import (
	"context"
	"runtime"
	"sync/atomic"
)

// Pool is the processors that the indexes of a node share for what they build in the background. It is safe for
// concurrent use.
type Pool struct {
	slots    chan struct{}
	searches atomic.Uint64
}

// NewPool makes a pool of so many threads; 0 means one per processor.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.NumCPU()
	}
	return &Pool{slots: make(chan struct{}, threads)}
}

// take waits for a thread and takes it, and as many more as are free, up to want. done gives them back.
func (p *Pool) take(ctx context.Context, want int) (got int, err error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for got = 1; got < want; got++ {
		select {
		case p.slots <- struct{}{}:
		default:
			return got, nil
		}
	}
	return got, nil
}

func (p *Pool) done(n int) {
	for range n {
		<-p.slots
	}
}

// quiet reports whether nobody has searched since the last call with the same mark. While somebody does, whoever builds
// leaves a processor free: the runtime looks for what came over the network only when one has nothing else to run.
func (p *Pool) quiet(mark *uint64) bool {
	now := p.searches.Load()
	same := now == *mark
	*mark = now
	return same
}
