package replica

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// maxConfirmations bounds the linearizable reads that wait at one replica.
const maxConfirmations = 65536

// confirmation is a linearizable read that waits for the proof that its primary leads.
type confirmation struct {
	term  replication.Term // the sender's knowledge: a primary that knows less is out of date
	round replication.Round
	gone  atomic.Bool // nobody waits for it any more
	done  chan confirmed
}

type confirmed struct {
	index uint64
	err   error
}

func refuseConfirmations(all []*confirmation, err error) {
	for _, q := range all {
		q.done <- confirmed{err: err}
	}
}

// Confirm proves that this peer's replica leads its shard, at a moment after the call, and returns an index: whoever has applied
// up to it shows every write that was committed before the call, by this primary or by another. Calls that come in while the
// other replicas are being asked share the next question.
//
// Errors: NotPrimary (hints primary, term), StaleEpoch, Unavailable; Timeout and Canceled when ctx ends first, which is what an
// old primary gets that nobody answers any more.
func (m *Manager) Confirm(ctx context.Context, ref catalog.ShardRef, term uint64) (uint64, error) {
	r, err := m.runner(ref)
	if err != nil {
		return 0, err
	}
	q := &confirmation{term: replication.Term(term), done: make(chan confirmed, 1)}
	err = r.inbox.put(func(ev *events) error {
		if len(ev.confirms) >= maxConfirmations {
			return fault.New(fault.Exhausted, "shard %d has too many linearizable reads waiting: retry later", ref.Shard)
		}
		ev.confirms = append(ev.confirms, q)
		return nil
	})
	if err != nil {
		return 0, err
	}
	select {
	case out := <-q.done:
		return out.index, out.err
	case <-ctx.Done():
		q.gone.Store(true)
		return 0, fault.New(fault.ClassOf(ctx.Err()), "shard %d: its primary had no proof in time that it still leads (W is %d; %s)",
			ref.Shard, r.status.Load().WriteQuorum, r.status.Load().holders())
	}
}

// confirm begins a linearizable read.
func (r *runner) confirm(q *confirmation) {
	if q.term > replication.Term(r.view.Term) {
		q.done <- confirmed{err: fault.New(fault.StaleEpoch, "shard %d: this node knows term %d, the request is of term %d", r.ref.Shard, r.view.Term, q.term)}
		return
	}
	if len(r.confirms) >= maxConfirmations {
		q.done <- confirmed{err: fault.New(fault.Exhausted, "shard %d has too many linearizable reads waiting: retry later", r.ref.Shard)}
		return
	}
	round, err := r.core.Confirm()
	if err != nil {
		q.done <- confirmed{err: fmt.Errorf("shard %d: %w", r.ref.Shard, err)}
		return
	}
	q.round = round
	r.confirms = append(r.confirms, q)
}

// confirmed answers the reads whose question is answered, in the order of their rounds, and refuses all when this replica leads
// no more.
func (r *runner) confirmed() {
	round, index := r.core.Confirmed()
	for len(r.confirms) > 0 && r.confirms[0].round <= round {
		r.confirms[0].done <- confirmed{index: uint64(index)}
		r.confirms = r.confirms[1:]
	}
	if len(r.confirms) == 0 {
		r.confirms = nil
		return
	}
	if err := r.core.Refusal(); err != nil {
		refuseConfirmations(r.confirms, fmt.Errorf("shard %d: %w", r.ref.Shard, err))
		r.confirms = nil
	}
}

// forgetConfirmations drops the reads that nobody waits for.
func (r *runner) forgetConfirmations() {
	kept := r.confirms[:0]
	for _, q := range r.confirms {
		if !q.gone.Load() {
			kept = append(kept, q)
		}
	}
	clear(r.confirms[len(kept):])
	r.confirms = kept
}
