package replica

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// maxOp bounds one operation of the log, in bytes encoded.
const maxOp = 32 << 20

// write is one client's operation on its way through the log.
type write struct {
	shard catalog.ShardID
	term  replication.Term // the sender's knowledge: a primary that knows less is out of date
	epoch uint64           // by which the sender split the operation; 0: it does not ask
	op    []byte
	grows bool // it needs room on disks
	wait  bool

	touches *slot.Set // nil: all that the shard owns
	control move.Op   // what op is, if it is no operation on points

	gone  atomic.Bool       // its writer has given up
	index replication.Index // once it stands in the log
	stood chan struct{}     // closed then, unless nil
	done  chan outcome      // capacity 1: the runner answers once and never blocks
}

type outcome struct {
	index     uint64
	completed bool
	err       error
}

// writes are the operations in the log that wait for their answer, by what they wait for. Both are in log order.
type writes struct {
	held      []*write // until W replicas hold them
	completed []*write // until W replicas have applied them
	failures  map[replication.Index]error
	term      replication.Term  // in which they were proposed
	safe      replication.Index // committed when somebody was last answered: by this primary, not by its successor
}

func (ws *writes) add(w *write) {
	if w.wait {
		ws.completed = append(ws.completed, w)
	} else {
		ws.held = append(ws.held, w)
	}
}

// waiting reports whether anybody waits for an answer.
func (ws *writes) waiting() bool { return len(ws.held)+len(ws.completed) > 0 }

// failed remembers that the operation at i was refused when it was applied, for its writer if he waits.
func (ws *writes) failed(i replication.Index, err error) {
	if ws.failures == nil {
		ws.failures = map[replication.Index]error{}
	}
	ws.failures[i] = err
}

// release answers whoever has what they waited for.
func (ws *writes) release(commit, completed replication.Index) {
	ws.safe = commit
	for len(ws.held) > 0 && ws.held[0].index <= commit {
		ws.held[0].done <- outcome{index: uint64(ws.held[0].index)}
		ws.held = ws.held[1:]
	}
	for len(ws.completed) > 0 && ws.completed[0].index <= completed {
		w := ws.completed[0]
		w.done <- outcome{index: uint64(w.index), completed: true, err: ws.failures[w.index]}
		ws.completed = ws.completed[1:]
	}
	for i := range ws.failures {
		if i <= completed {
			delete(ws.failures, i)
		}
	}
}

// hold makes sure that only writes of the term that the replica acts in wait for answers: what is committed later may
// be another primary's entries in their places. It comes before every proposal and every release.
func (ws *writes) hold(acting replication.Term, why error) {
	if acting != ws.term {
		ws.abandon(why)
		ws.term = acting
	}
}

// abandon answers everybody when this replica stops leading: what was committed while it led is safe, the outcome of
// the rest is for the next primary to decide. That one may have spoken already: what is committed now can be an entry
// of its own in the place of a write that waits here.
func (ws *writes) abandon(why error) {
	for _, w := range append(ws.held, ws.completed...) {
		if w.index <= ws.safe {
			w.done <- outcome{index: uint64(w.index)}
		} else {
			w.done <- outcome{err: why}
		}
	}
	*ws = writes{}
}

// refusedBy names the shard in the protocol's refusal of a write.
func refusedBy(ref catalog.ShardRef, err error) error {
	if fault.Is(err, fault.FailedPrecondition) {
		return replication.OfShard(err, uint32(ref.Shard))
	}
	return fmt.Errorf("shard %d: %w", ref.Shard, err)
}

// Write appends op (point.EncodeOp, or such a one within slots: move.Within) to the shard's log if this peer is its primary, and
// returns its index once W replicas hold it or, with wait, have applied it (completed). term is the shard's term as the sender knows
// it, epoch the collection's by which it split the operation (0: it does not say).
//
// Errors: NotPrimary (hints primary, term) and FailedPrecondition say that nothing was applied, so does Unavailable
// for a replica that is not open, StaleEpoch, and Exhausted with the hint disk.HintFull where fewer than W replicas have room for it;
// Timeout with the hint outcome=unknown says that the write may still
// be committed. An error of the operation itself (such as NotFound) is final on every replica.
func (m *Manager) Write(ctx context.Context, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (uint64, bool, error) {
	if len(op) > maxOp {
		return 0, false, fault.New(fault.Invalid, "an operation of %d bytes is too large for one shard: the limit is %d, send smaller batches", len(op), maxOp)
	}
	touches, grows, err := touched(op)
	if err != nil {
		return 0, false, fmt.Errorf("write to shard %d: %w", ref.Shard, err)
	}
	return m.write(ctx, ref, &write{
		shard: ref.Shard, term: replication.Term(term), epoch: epoch, op: op, grows: grows, touches: touches, wait: wait, done: make(chan outcome, 1),
	})
}

func (m *Manager) write(ctx context.Context, ref catalog.ShardRef, w *write) (uint64, bool, error) {
	r, err := m.runner(ref)
	if err != nil {
		return 0, false, err
	}
	if err := r.inbox.putWrite(w); err != nil {
		return 0, false, err
	}
	select {
	case out := <-w.done:
		return out.index, out.completed, out.err
	case <-ctx.Done():
		w.gone.Store(true)
		return r.late(w, ctx.Err())
	}
}

// late decides what to tell a writer whose deadline passed.
func (r *runner) late(w *write, cause error) (uint64, bool, error) {
	select {
	case out := <-w.done:
		return out.index, out.completed, out.err
	default:
	}
	st := r.status.Load()
	err := fault.New(fault.ClassOf(cause), "shard %d: the write needs %d replicas and the deadline passed before as many had answered (%s); it may still be committed",
		r.ref.Shard, st.WriteQuorum, st.holders())
	return 0, false, err.With(fault.HintOutcome, fault.OutcomeUnknown)
}
