package replica

import (
	"context"
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// compactStep is how many entries one compaction forgets at most, so that the commit that it takes stays short.
const compactStep = 8192

// retention is the state of a runner's compaction of its log, at most one at a time.
type retention struct {
	busy  bool
	again bool // there may be more to forget: one has just ended, or the disk is full
	done  chan error
}

// retain keeps the log within its bounds. Only what is applied, durably, may go; beyond the soft bound it goes unless another
// replica may still need it, beyond the hard bound in any case: such a replica then begins anew with a snapshot. While the disk is full
// the tight bound takes the place of the soft one: what was deleted would else make no room before as much was written after it.
func (r *runner) retain(ctx context.Context) {
	due := r.retention.again || r.log.extent.due()
	if !due || r.retention.busy || r.failure != nil {
		return
	}
	r.retention.again = false
	through := r.surplus()
	if through == 0 {
		return
	}
	r.opts.Metrics.forgot(int(through + 1 - r.log.first))
	batch := r.log.compact(through)
	r.retention.busy = true
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		r.retention.done <- r.opts.Store.CommitUntil(ctx.Done(), batch)
	}()
}

// surplus returns the last entry that has to go now, 0 if none has to.
func (r *runner) surplus() replication.Index {
	x := &r.log.extent
	if through := x.surplus(hard, r.appliedTo, compactStep); through != 0 {
		return through
	}
	kept := soft
	if r.opts.Store.Full() {
		kept = tight
	}
	if x.surplus(kept, r.appliedTo, compactStep) == 0 {
		return 0
	}
	return x.surplus(kept, min(r.appliedTo, r.needed()), compactStep)
}

// retained takes note of the end of a compaction.
func (r *runner) retained(err error) {
	r.retention.busy, r.retention.again = false, true
	if err != nil {
		r.fail(fmt.Errorf("compact the log of shard %d: %w", r.ref.Shard, err))
	}
}

// needed returns the last entry that no replica needs any more, as far as this one knows. A primary knows how far the others
// have come; of one that is being filled from a snapshot it knows nothing, so it keeps all. So does a follower while there
// is a partial replica, for it may have to bring that up to date as the next primary. Dead replicas are not waited for.
func (r *runner) needed() replication.Index {
	lowest := ^replication.Index(0)
	if !r.core.Leading() {
		if len(r.view.In(catalog.Partial)) > 0 {
			return 0
		}
		return lowest
	}
	for _, p := range r.core.Status().Peers {
		if p.Role != "dead" {
			lowest = min(lowest, p.Match)
		}
	}
	return lowest
}
