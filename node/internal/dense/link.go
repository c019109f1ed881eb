package dense

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// linkStep is how many rows are linked between two times that the mark moves: searches compare the rows behind it one
// by one, so the step is what they compare needlessly. While somebody searches it is shorter.
const (
	linkStep     = 512
	searchedStep = 64
)

// threads is how many rows are linked at a time.
func (c *Config) threads() int {
	if c.Threads > 0 {
		return c.Threads
	}
	return runtime.NumCPU()
}

func (x *Index) beginGraph() error {
	s := x.state.Load()
	n, err := x.newNet(s.core, *x.full.Load(), s.core, s.rows)
	if err == nil {
		s.core.net.Store(n)
	}
	return err
}

// linkAll links what is published.
func (x *Index) linkAll() error {
	s := x.state.Load()
	return x.link(x.worker.ctx, s.core, s.rows, x.full.Load().threads())
}

// link puts the rows up to a number into the core's graph.
func (x *Index) link(ctx context.Context, c *core, to uint32, threads int) error {
	for from := c.linked.Load(); from < to; from = c.linked.Load() {
		step, most := uint32(linkStep), threads
		searched := !x.pool.quiet(&x.worker.searches)
		if x.worker.searched.Store(searched); searched {
			step, most = searchedStep, min(threads, max(1, cap(x.pool.slots)-1))
		}
		end := min(to, from+step)
		if err := x.linkSome(ctx, c, from, end, most, searched); err != nil {
			return err
		}
		c.linked.Store(end)
		x.mu.Lock()
		x.progressLocked()
		x.mu.Unlock()
	}
	return nil
}

// linkSome links rows side by side. Those that died already are left out. After each row, searches have their turn if there are any.
func (x *Index) linkSome(ctx context.Context, c *core, from, to uint32, threads int, searched bool) error {
	n := c.net.Load()
	if n.codes != nil {
		if err := n.codes.Grow(int(to)); err != nil {
			return err
		}
	}
	threads, err := x.pool.take(ctx, min(threads, int(to-from)))
	if err != nil {
		return err
	}
	defer x.pool.done(threads)
	var next atomic.Uint32
	next.Store(from)
	errs := make([]error, threads)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			space, whole := n.builder()
			buffer := c.form.buffer()
			defer n.done(space, whole)
			turn := newTurn(searched)
			defer turn.close()
			for errs[i] == nil {
				row := next.Add(1) - 1
				if row >= to {
					return
				}
				if errs[i] = ctx.Err(); errs[i] != nil {
					return
				}
				if b, at := c.place(row); b.died[at].Load() == 0 {
					errs[i] = n.insert(row, space, buffer)
					turn.give()
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
