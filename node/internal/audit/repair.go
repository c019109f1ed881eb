package audit

import (
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// How long a node tries to have a copy made anew, how often, and how many at once. What is given up is found again by
// the next comparison.
const (
	repairFor   = 5 * time.Minute
	repairEvery = 50 * time.Millisecond
	maxRepairs  = 256
)

// target is one incarnation of a copy that is to be made anew.
type target struct {
	ref  catalog.ShardRef
	peer catalog.PeerID
	gen  catalog.Generation
}

// Verdict hears what a comparison came to: the copy here is marked, and copies that differ are made anew. It does not
// block.
func (a *Auditor) Verdict(ref catalog.ShardRef, judgements []replica.Judgement) {
	for _, j := range judgements {
		if j.Peer == a.opts.Self {
			// A stale generation is another copy by now; the judgement has nothing to say about it.
			if err := a.opts.Local.Judge(ref, j.Generation, j.Differs); err != nil && !fault.Is(err, fault.StaleEpoch) {
				a.opts.Logger.Warn("verdict on the replica here was not noted", "shard", ref.String(), "error", err)
			}
		}
		if j.Differs != "" {
			a.startRepair(target{ref, j.Peer, j.Generation})
		}
	}
}

func (a *Auditor) startRepair(t target) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.closed || a.mu.repairs[t] || len(a.mu.repairs) >= maxRepairs {
		return
	}
	a.mu.repairs[t] = true
	a.wg.Go(func() {
		a.repair(t)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.mu.repairs, t)
	})
}

// repair does what this node can do until the copy is gone. All nodes concerned do this at once, because who is primary
// may change meanwhile: the primary demotes the copy and has it made anew, the Raft leader moves a primary that differs
// itself. Each change is a compare-and-set, so they do not disturb one another.
func (a *Auditor) repair(t target) {
	deadline := time.Now().Add(repairFor)
	for mine := false; ; {
		state, changed := a.opts.Metadata.Watch()
		col, sh, ok := state.Shard(t.ref)
		if !ok {
			return
		}
		rep, ok := sh.Replica(t.peer)
		if !ok || rep.Generation != t.gen {
			if mine {
				a.repaired(t, col, rebuilt)
			}
			return
		}
		if time.Now().After(deadline) {
			a.repaired(t, col, givenUp)
			return
		}
		mine = a.act(t, sh, rep) || mine
		timer := time.NewTimer(repairEvery)
		select {
		case <-changed:
		case <-timer.C:
		case <-a.ctx.Done():
		}
		timer.Stop()
		if a.ctx.Err() != nil {
			return
		}
	}
}

// act takes the next step, and reports whether it was the one that has the copy made anew.
func (a *Auditor) act(t target, sh *catalog.Shard, rep catalog.Replica) bool {
	switch {
	case sh.Primary == t.peer:
		a.opts.Mover.MovePrimary(t.ref, t.peer)
	case sh.Primary != a.opts.Self:
	case rep.State == catalog.Active:
		if err := a.opts.Local.Distrust(t.ref, t.peer); err != nil {
			a.opts.Logger.Debug("replica that differs is not demoted yet", "shard", t.ref.String(), "peer", uint64(t.peer), "error", err)
		}
	default:
		_, err := a.opts.Metadata.Propose(a.ctx, catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: t.ref, Version: sh.Version, Rebuild: &t.peer}})
		if err == nil {
			return true
		}
		if !fault.Is(err, fault.Conflict) {
			a.opts.Logger.Debug("replica that differs is not made anew yet", "shard", t.ref.String(), "peer", uint64(t.peer), "error", err)
		}
	}
	return false
}

func (a *Auditor) repaired(t target, col *catalog.Collection, outcome string) {
	a.metrics.repairs.WithLabelValues(outcome).Inc()
	e := event.Event{
		Kind: event.ReplicaRebuilt, Severity: event.Warn, Collection: col.Name, Shard: uint32(t.ref.Shard), HasShard: true, Peer: uint64(t.peer),
		Text: "the replica that differed from the others is being made anew from them",
	}
	if outcome == givenUp {
		e.Kind, e.Severity = event.ReplicaDiffers, event.Error
		e.Text = "the replica that differs from the others could not be made anew so far; the next comparison tries again"
	}
	a.opts.Events.Append(e)
	a.opts.Logger.Warn(e.Text, "collection", col.Name, "shard", uint32(t.ref.Shard), "peer", uint64(t.peer))
}
