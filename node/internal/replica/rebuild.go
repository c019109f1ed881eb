package replica

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// rebuildTicks is how often, in ticks, a primary looks for replicas that have to begin anew.
const rebuildTicks = 5

// rebuilds is what a primary knows of replicas that have to begin anew with a snapshot.
type rebuilds struct {
	ticks  int
	warned bool // that the only copy is damaged
	busy   atomic.Bool
	// stuck holds the generations, by peer, whose answers show that they are replicas already, not being filled.
	stuck map[catalog.PeerID]catalog.Generation
}

// hear notes where something is applied already: a replica that is being filled has applied nothing. Not only refusals tell: one
// that has compacted what contradicts the log agrees, and it is its applied index beyond the log that shows that it diverged.
func (r *runner) hear(m replication.Message) {
	if m.Type != replication.MsgAppendReply || m.Applied == 0 {
		return
	}
	if r.rebuilds.stuck == nil {
		r.rebuilds.stuck = map[catalog.PeerID]catalog.Generation{}
	}
	r.rebuilds.stuck[catalog.PeerID(m.From)] = catalog.Generation(m.Generation)
}

// rebuild wishes for a new generation of a replica that cannot be brought up to date from the log: the log does not reach
// back to it, or what it holds contradicts the log. It is demoted by then. One replica at a time; an attempt that is refused is
// made again if it is still due.
func (r *runner) rebuild() {
	if r.rebuilds.ticks++; r.rebuilds.ticks%rebuildTicks != 0 || !r.led || r.rebuilds.busy.Load() {
		return
	}
	st := r.core.Status()
	if st.Change != nil {
		return // it goes first, and moves the version
	}
	for _, id := range st.NeedSnapshot {
		rep, ok := r.view.Replica(catalog.PeerID(id))
		filling := rep.Previous != 0 && r.rebuilds.stuck[rep.Peer] != rep.Generation
		if !ok || rep.State == catalog.Active || rep.Retiring || filling {
			continue
		}
		r.proposeRebuild(rep, catalog.ChangeShard{Ref: r.ref, Version: r.view.Version, Rebuild: &rep.Peer})
		return
	}
}

func (r *runner) proposeRebuild(rep catalog.Replica, change catalog.ChangeShard) {
	r.rebuilds.busy.Store(true)
	r.proposer.wg.Go(func() {
		defer r.rebuilds.busy.Store(false)
		ctx, cancel := context.WithTimeout(r.proposer.ctx, proposeTimeout)
		defer cancel()
		_, err := r.opts.Metadata.Propose(ctx, catalog.Command{ChangeShard: &change})
		if err != nil {
			if !fault.Is(err, fault.Conflict) {
				r.logger.Debug("replica not rebuilt yet", "peer", rep.Peer, "error", err)
			}
			return
		}
		r.opts.Metrics.changed(&change)
		r.logger.Info("the log does not reach back to a replica, or it contradicts the log; it begins anew with a snapshot",
			"peer", rep.Peer, "generation", rep.Generation)
	})
}

// tellLost reports, of a closed replica that is replaced, what only it had: entries that were committed here and contradict the
// primary's log. Only a promotion with fewer answers than R6 asks for (W = 1) leads there.
func (r *runner) tellLost() {
	st := r.core.Status()
	if st.Diverged == 0 {
		return
	}
	r.logger.Warn("entries that no other copy has are given up; this copy stays on disk until its successor counts",
		"generation", r.gen, "from", st.Diverged, "entries", st.LastIndex-st.Diverged+1)
}

// refuseDamaged answers a primary in the name of a replica that failed. If that is because what it stored is damaged, the
// answer says that it has to be made anew; else it is silent, and a restart may help.
func refuseDamaged(sender Sender, sh *catalog.Shard, ref catalog.ShardRef, gen catalog.Generation, m replication.Message, why error) {
	if fault.Is(why, fault.Corrupt) {
		refuseAppend(sender, sh, ref, gen, m, 1)
	}
}

// report tells the runner of damage that somebody found who read the shard; other errors are the reader's own business.
func (r *runner) report(err error) {
	if fault.Is(err, fault.Corrupt) {
		_ = r.inbox.put(func(ev *events) error { ev.damage = err; return nil })
	}
}

// damaged stops a replica whose stored points are damaged, so that it begins anew; unless it is the only one that counts: then
// what is not damaged is still better than nothing.
func (r *runner) damaged(err error) {
	if len(r.view.Active()) > 1 || !slices.Contains(r.view.Active(), r.opts.Self) {
		r.fail(err)
		return
	}
	if r.rebuilds.warned {
		return
	}
	r.rebuilds.warned = true
	r.logger.Error("stored points are damaged, and no other copy counts: restore them, or delete and upsert them again", "error", err)
}
