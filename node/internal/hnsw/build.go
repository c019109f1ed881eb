package hnsw

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Build inserts rows from up to but not including to, with as many goroutines as threads says, each with a Space of its
// own. It returns the first error, and that of ctx when it ends before; rows that were inserted by then stay.
func (g *Graph) Build(ctx context.Context, from, to uint32, threads int, newSpace func() Space) error {
	if to > from {
		if err := g.grow(to - 1); err != nil {
			return err
		}
	}
	var next atomic.Uint64
	next.Store(uint64(from))
	errs := make([]error, max(threads, 1))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			space := newSpace()
			for errs[i] == nil && ctx.Err() == nil {
				row := next.Add(1) - 1
				if row >= uint64(to) {
					return
				}
				if errs[i] = g.Insert(uint32(row), space); errs[i] != nil {
					next.Store(uint64(to))
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("build graph: %w", ctx.Err())
	}
	return errors.Join(errs...)
}
