package replica

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// turns bounds the reads that compute at the same time: more of them would only make each slower, and those whose time is over
// when it is their turn cost nothing. They come in the order in which they asked.
type turns struct {
	sem     *semaphore.Weighted
	waiting atomic.Int64
	most    int64 // that wait
}

func newTurns(atOnce, waiting int) *turns {
	return &turns{sem: semaphore.NewWeighted(int64(atOnce)), most: int64(waiting)}
}

// take waits for a turn and returns what ends it.
func (t *turns) take(ctx context.Context, ref catalog.ShardRef) (done func(), err error) {
	done = func() { t.sem.Release(1) }
	if t.sem.TryAcquire(1) {
		return done, nil
	}
	if t.waiting.Add(1) > t.most {
		t.waiting.Add(-1)
		return nil, fault.New(fault.Exhausted, "shard %d: %d reads wait on this node: retry later", ref.Shard, t.most)
	}
	defer t.waiting.Add(-1)
	if err := t.sem.Acquire(ctx, 1); err != nil {
		return nil, fault.New(fault.ClassOf(err), "shard %d: the time was over before it was the read's turn on this node", ref.Shard)
	}
	return done, nil
}
