package replica

import (
	"context"
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// applyBytes bounds what is applied in one step.
const applyBytes = 4 << 20

// applyResult is what the applying helper reports.
type applyResult struct {
	to       replication.Index
	failures []opFailure
	err      error // the disk or the log is bad
}

type opFailure struct {
	index replication.Index
	err   error
}

// startApply hands the next committed entries to a helper unless one is at work. The core may know of a newer commit:
// until the Ready that carries it is durable, the log may still hold entries in that place which are to be cut.
func (r *runner) startApply(ctx context.Context) {
	commit := r.nextStop(min(r.committed, r.log.LastIndex()))
	if r.wanted != nil && !r.applying && r.failure == nil {
		r.follow()
	}
	if r.applying || r.failure != nil || commit <= r.appliedTo {
		return
	}
	entries, err := r.log.Entries(r.appliedTo+1, commit+1, applyBytes)
	if err != nil {
		r.fail(err)
		return
	}
	r.applying = true
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		r.applied <- apply(context.WithoutCancel(ctx), r.shard, entries) // it gives up where it waits for room (shard.Options.Closing)
	}()
}

// follow lets the shard follow its collection's newest declaration, between two steps of applying.
func (r *runner) follow() {
	schema, at := *r.wanted, r.appliedTo
	r.wanted, r.applying = nil, true
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		r.shard.SetSchema(schema)
		r.applied <- applyResult{to: at}
	}()
}

// apply decodes entries and applies them. An operation's own failure is the same on every replica and stops nothing.
func apply(ctx context.Context, sh *shard.Shard, entries []replication.Entry) applyResult {
	batch := make([]shard.Entry, len(entries))
	for i, e := range entries {
		batch[i].Index = uint64(e.Index)
		if e.Kind != replication.Normal {
			continue
		}
		var err error
		if move.IsEntry(e.Data) {
			batch[i].Move, err = move.Decode(e.Data)
		} else {
			batch[i].Op, err = point.DecodeOp(e.Data)
		}
		if err != nil {
			return applyResult{err: fault.Wrap(fault.Corrupt, err, "decode log entry %d", e.Index)}
		}
	}
	errs, err := sh.Apply(ctx, batch)
	if err != nil {
		return applyResult{err: fmt.Errorf("apply log entries from %d: %w", entries[0].Index, err)}
	}
	res := applyResult{to: entries[len(entries)-1].Index}
	for i, e := range errs {
		if e != nil {
			res.failures = append(res.failures, opFailure{index: entries[i].Index, err: e})
		}
	}
	return res
}

func (r *runner) applyDone(res applyResult) {
	r.applying = false
	if res.err != nil {
		r.fail(res.err)
		return
	}
	if r.led {
		for _, f := range res.failures {
			r.writes.failed(f.index, f.err)
		}
	}
	r.appliedTo = res.to
	r.core.AppliedTo(res.to)
	r.appliedMoves()
	r.slotDuties()
	r.mark.raise(uint64(res.to))
	r.stopsDue()
}
