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
		p := x.pace(threads)
		end := min(to, from+p.step)
		if err := x.linkSome(ctx, c, from, end, p); err != nil {
			return err
		}
		c.linked.Store(end)
		x.mu.Lock()
		x.progressLocked()
		x.mu.Unlock()
	}
	return nil
}

// pace is how rows are linked for a while.
type pace struct {
	step     uint32 // so many
	threads  int    // so many at a time
	searched bool   // after each row, searches have their turn
}

// pace looks whether somebody searches.
func (x *Index) pace(threads int) pace {
	searched := !x.pool.quiet(&x.worker.searches)
	if x.worker.searched.Store(searched); searched {
		return pace{step: searchedStep, threads: min(threads, max(1, cap(x.pool.slots)-1)), searched: true}
	}
	return pace{step: linkStep, threads: threads}
}

// linkSome links rows side by side. Those that died already are left out.
func (x *Index) linkSome(ctx context.Context, c *core, from, to uint32, p pace) error {
	n := c.net.Load()
	if n.codes != nil {
		if err := n.codes.Grow(int(to)); err != nil {
			return err
		}
	}
	return x.sideBySide(ctx, from, to, p, func() (insert func(row uint32) error, done func()) {
		space, whole := n.builder()
		buffer := c.form.buffer()
		return func(row uint32) error {
			if b, at := c.place(row); b.died[at].Load() != 0 {
				return nil
			}
			return n.insert(row, space, buffer)
		}, func() { n.done(space, whole) }
	})
}

// sideBySide inserts from..to-1 in threads of the pool, each of which begins with what begin returns.
func (x *Index) sideBySide(ctx context.Context, from, to uint32, p pace, begin func() (insert func(uint32) error, done func())) error {
	threads, err := x.pool.take(ctx, min(p.threads, int(to-from)))
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
			insert, done := begin()
			defer done()
			turn := newTurn(p.searched)
			defer turn.close()
			for errs[i] == nil {
				at := next.Add(1) - 1
				if at >= to {
					return
				}
				if errs[i] = ctx.Err(); errs[i] != nil {
					return
				}
				errs[i] = insert(at)
				turn.give()
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
