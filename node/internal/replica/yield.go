package replica

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// yieldTicks bounds how long a primary that is to give way finishes what it has begun: a fence waits for a second.
const yieldTicks = 4

// yielding is the planned end of this replica's leading: writes that come in wait, those that are in the log are answered, and
// only then does it promise a higher term (R5). Without it, whoever waited for an answer at that moment would have to be told
// that the outcome is unknown. It promises nothing to the protocol, which sees a fence that came a little later.
type yielding struct {
	fences []*fence
	parked []*write
	bytes  int // of parked
	ticks  int // left
}

// fence takes a fence, now or, if it may wait for writes that this primary has taken, later.
func (r *runner) fence(f *fence) {
	if f.yield && !r.finished() {
		if !r.yielding.busy() {
			r.yielding.ticks = yieldTicks
		}
		r.yielding.fences = append(r.yielding.fences, f)
		return
	}
	r.stepFence(f)
}

func (y *yielding) busy() bool { return len(y.fences) > 0 }

// park keeps a write back until this replica has given way.
func (y *yielding) park(w *write) {
	if len(y.parked) >= maxInboxWrites || y.bytes+len(w.op) > maxInboxBytes {
		w.done <- outcome{err: fault.New(fault.Exhausted, "shard %d has too many writes waiting while its primary changes: retry later", w.shard)}
		return
	}
	y.parked = append(y.parked, w)
	y.bytes += len(w.op)
}

// yielded gives way once nobody waits for an answer any more, or it has taken too long; it reports whether it did. The writes
// that came in meanwhile are proposed then, which refuses them without having applied anything: who sent them asks the
// next primary.
func (r *runner) yielded() bool {
	y := &r.yielding
	if !y.busy() || y.ticks > 0 && !r.finished() {
		return false
	}
	done := *y
	*y = yielding{}
	for _, f := range done.fences {
		r.stepFence(f)
	}
	r.office()
	for _, w := range done.parked {
		r.propose(w)
	}
	return true
}

// finished reports whether this replica could stop leading without loss to anybody: it does not lead, or nobody waits for an
// answer and another active replica holds the whole log, without which nobody could lead in its place.
func (r *runner) finished() bool {
	if r.core.Acting() == 0 {
		return true
	}
	if r.writes.waiting() {
		return false
	}
	st := r.core.Status()
	return slices.ContainsFunc(st.Peers, func(p replication.PeerStatus) bool { return p.Counts && p.Match >= st.LastIndex })
}

// abandon ends it without having given way.
func (y *yielding) abandon(r *runner, why error) {
	answerFences(y.fences, why)
	r.refuse(y.parked, why)
	*y = yielding{}
}
