package replica

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// watch is somebody who waits until what a primary knows of the other replicas is enough.
type watch struct {
	enough func(replication.Status) bool
	gone   atomic.Bool // nobody waits any more
	done   chan error  // capacity 1
}

// spread waits until what a primary knows of the other replicas is enough. enough is called by the runner, whenever it may have
// learned something, until it says so.
func (r *runner) spread(ctx context.Context, enough func(replication.Status) bool) error {
	w := &watch{enough: enough, done: make(chan error, 1)}
	err := r.inbox.put(func(ev *events) error {
		ev.watches = append(ev.watches, w)
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		w.gone.Store(true)
		return fmt.Errorf("shard %d: its replicas are behind: %w", r.ref.Shard, ctx.Err())
	}
}

// watched answers those who have waited long enough, and all when this replica cannot know any more.
func (r *runner) watched() {
	if len(r.watches) == 0 {
		return
	}
	switch {
	case r.failure != nil:
		r.endWatches(fault.Wrap(fault.Unavailable, r.failure, "this replica has failed"))
		return
	case !r.core.Leading():
		r.endWatches(fault.New(fault.NotPrimary, "shard %d is led from this node no more", r.ref.Shard))
		return
	}
	status, waiting := r.core.Status(), r.watches[:0]
	for _, w := range r.watches {
		switch {
		case w.gone.Load():
		case w.enough(status):
			w.done <- nil
		default:
			waiting = append(waiting, w)
		}
	}
	clear(r.watches[len(waiting):])
	r.watches = waiting
}

func (r *runner) endWatches(err error) {
	for _, w := range r.watches {
		w.done <- err
	}
	r.watches = nil
}
