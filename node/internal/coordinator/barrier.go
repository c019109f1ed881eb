package coordinator

import (
	"context"
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
)

// barrier brings this node's metadata up to date, for those who are about to say that something does not exist. Only one runs at
// a time, and one that begins after a caller came serves all who came before it: a flood of misses costs one at a time.
type barrier struct {
	run  func(context.Context) error
	turn chan struct{} // capacity 1: held by who runs
	mu   struct {
		sync.Mutex
		begun  uint64 // barriers begun
		done   uint64 // the last that ended well
		failed uint64 // the last that failed by itself, and how
		err    error
	}
}

func newBarrier(run func(context.Context) error) *barrier {
	return &barrier{run: run, turn: make(chan struct{}, 1)}
}

// wait returns nil once a barrier has ended that began after the call.
func (b *barrier) wait(ctx context.Context) error {
	b.mu.Lock()
	mine := b.mu.begun + 1
	b.mu.Unlock()
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	switch {
	case b.mu.done >= mine:
		b.mu.Unlock()
		return nil
	case b.mu.failed >= mine:
		defer b.mu.Unlock()
		return b.mu.err
	}
	b.mu.begun++
	number := b.mu.begun
	b.mu.Unlock()
	var err error
	if !mutation.On(mutation.DeniedExistence) {
		err = b.run(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.mu.done = number
	case ctx.Err() == nil: // who gives up speaks for himself only
		b.mu.failed, b.mu.err = number, err
	}
	return err
}

// CatchUp returns once this node shows every metadata change that was committed before the call. It gives up with Unavailable after
// Options.BarrierTimeout: a node that is cut off can not know what it does not know.
func (c *Coordinator) CatchUp(ctx context.Context) error {
	if c.barrier == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.BarrierTimeout)
	defer cancel()
	if err := c.barrier.wait(ctx); err != nil {
		return fault.Wrap(fault.Unavailable, err, "this node cannot bring its metadata up to date")
	}
	return nil
}

// Lookup resolves a name or an alias. A name that this node does not know is looked for again once its metadata is up to date:
// NotFound says that the collection does not exist, and Unavailable that nobody here can tell.
func (c *Coordinator) Lookup(ctx context.Context, name string) (*catalog.Collection, error) {
	state, _ := c.opts.Metadata.Watch()
	if col, ok := state.Lookup(name); ok {
		return col, nil
	}
	if err := c.CatchUp(ctx); err != nil {
		return nil, annotate(err, "collection %q is not known here", name)
	}
	state, _ = c.opts.Metadata.Watch()
	if col, ok := state.Lookup(name); ok {
		return col, nil
	}
	return nil, catalog.ErrMissingCollection(name)
}
