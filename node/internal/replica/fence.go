package replica

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// FenceAnswer is a replica's promise (R5) and the end of its log at that moment. Promised is at least the term asked
// for; it is higher when another fence came first, and the answer then counts for that term only.
type FenceAnswer struct {
	Promised, LastTerm, LastIndex uint64
}

type fence struct {
	term  replication.Term
	yield bool              // a planned move: what it has taken as primary is answered first
	done  chan fenceOutcome // capacity 1
}

type fenceOutcome struct {
	answer FenceAnswer
	err    error
}

// Fence makes the replica promise term durably and stop leading any lower one, and returns the end of its log. With yield, one that
// leads first answers the writes that it has taken, for a moment at most; what comes in meanwhile is refused as NotPrimary.
func (m *Manager) Fence(ctx context.Context, ref catalog.ShardRef, gen catalog.Generation, term uint64, yield bool) (FenceAnswer, error) {
	r, err := m.runner(ref)
	if err != nil {
		return FenceAnswer{}, err
	}
	if r.gen != gen {
		return FenceAnswer{}, fault.New(fault.StaleEpoch, "shard %d: generation %d is not the one on this node (%d)", ref.Shard, gen, r.gen)
	}
	f := &fence{term: replication.Term(term), yield: yield, done: make(chan fenceOutcome, 1)}
	if err := r.inbox.put(func(ev *events) error { ev.fences = append(ev.fences, f); return nil }); err != nil {
		return FenceAnswer{}, err
	}
	select {
	case out := <-f.done:
		return out.answer, out.err
	case <-ctx.Done():
		return FenceAnswer{}, ctx.Err()
	}
}

// stepFence puts a fence to the protocol.
func (r *runner) stepFence(f *fence) {
	r.fences = append(r.fences, f)
	r.core.Step(replication.Message{Type: replication.MsgFence, To: replication.PeerID(r.opts.Self), Term: f.term})
}

// fenced answers the fences that a reply covers.
func (r *runner) fenced(m replication.Message) {
	waiting := r.fences[:0]
	for _, f := range r.fences {
		if f.term > m.Term {
			waiting = append(waiting, f)
			continue
		}
		f.done <- fenceOutcome{answer: FenceAnswer{
			Promised: uint64(m.Term), LastTerm: uint64(m.LastTerm), LastIndex: uint64(m.LastIndex),
		}}
	}
	r.fences = waiting
}

func answerFences(fences []*fence, err error) {
	for _, f := range fences {
		f.done <- fenceOutcome{err: err}
	}
}
