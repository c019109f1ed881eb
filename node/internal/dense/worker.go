package dense

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// worker is what an index does in the background, one thing after the other: it links rows, and builds new cores.
type worker struct {
	ctx    context.Context //nolint:containedctx // ends what runs in the background, when the index is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup

	searches uint64      // of the pool when this worker last looked; its own
	searched atomic.Bool // whether there were any before that, while it links

	// Guarded by Index.mu.
	busy    bool
	judging bool          // and only looks whether there is something to do
	idle    chan struct{} // closed while it is not busy
	moved   chan struct{} // closed when rows were linked, for who waits in Lagging
	failure error         // why it gave up; a while later, or when the configuration changes, it tries again
	again   *time.Timer   // that does so
	rest    time.Duration // how long it waits for that
}

// restAfterFailure is how long an index that could not be built waits until it tries again: its disk may have room by then.
const restAfterFailure = time.Minute

func (w *worker) init() {
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.idle = make(chan struct{})
	close(w.idle)
	w.rest = restAfterFailure
}

func (w *worker) close() {
	w.cancel()
	w.wg.Wait()
}

// wakeLocked starts the worker if there is something to do.
func (x *Index) wakeLocked() {
	if x.worker.busy || x.mu.closed || x.worker.failure != nil {
		return
	}
	job, judging := x.nextLocked()
	if job == nil {
		return
	}
	x.worker.busy, x.worker.judging = true, judging
	x.worker.idle = make(chan struct{})
	x.worker.wg.Go(x.work)
}

func (x *Index) work() {
	for {
		x.mu.Lock()
		job, judging := x.nextLocked()
		if job == nil || x.worker.ctx.Err() != nil || x.worker.failure != nil {
			x.worker.busy = false
			x.progressLocked()
			close(x.worker.idle)
			x.mu.Unlock()
			if x.idle != nil {
				x.idle()
			}
			return
		}
		x.worker.judging = judging
		x.mu.Unlock()
		err := job()
		x.worker.searched.Store(false)
		if err != nil && x.worker.ctx.Err() == nil {
			x.log.Error("cannot index vectors; what is not indexed is compared one by one", "error", err)
			x.giveUp(err)
		}
	}
}

// giveUp lets searches do with what there is, for a while.
func (x *Index) giveUp(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.worker.failure = err
	if !x.mu.closed {
		x.worker.again = time.AfterFunc(x.worker.rest, x.tryAgain)
	}
}

func (x *Index) tryAgain() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forgiveLocked()
	x.wakeLocked()
}

// forgiveLocked forgets a failure.
func (x *Index) forgiveLocked() {
	x.worker.failure = nil
	if x.worker.again != nil {
		x.worker.again.Stop()
		x.worker.again = nil
	}
}

// nextLocked returns what is to be done, nil if there is nothing, and whether that is no more than to judge codes.
func (x *Index) nextLocked() (job func() error, judging bool) {
	c, config := x.mu.core, x.full.Load()
	n := c.net.Load()
	dead, rows := c.dead.Load(), c.next
	switch {
	case dead > 0 && int(rows) >= config.VacuumMinVectors && float64(dead) > config.DeletedThreshold*float64(rows):
		return x.rebuild, false
	case x.dir != "" && (config.OnDisk != (c.dir != "") || n != nil && config.GraphOnDisk != n.config.GraphOnDisk):
		return x.rebuild, false
	case n != nil && (config.M == 0 || !n.config.sameGraph(config)):
		return x.rebuild, false
	case n == nil && config.wantsGraph(x.state.Load().count, &x.form):
		return x.beginGraph, false
	case n != nil && c.linked.Load() < x.state.Load().rows:
		return x.linkAll, false
	case n != nil && n.unjudged(c.linked.Load()):
		return x.judge, true
	case x.subsDue(x.state.Load()):
		return x.workOnSubs, false
	}
	return nil, false
}

// Lagging returns nil as long as searches need not compare one by one what is too much. Else it returns a channel that is
// closed when that has become less: who stores more should wait for it, and ask again.
func (x *Index) Lagging() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if !x.worker.busy || x.worker.failure != nil || s.core.net.Load() == nil {
		return nil
	}
	tail := int64(s.rows-min(s.core.linked.Load(), s.rows)) * int64(x.form.bytes())
	if tail <= x.mostTail() {
		return nil
	}
	if x.worker.moved == nil {
		x.worker.moved = make(chan struct{})
	}
	return x.worker.moved
}

// mostTail is how many bytes of vectors may wait to be linked now.
func (x *Index) mostTail() int64 {
	if x.worker.searched.Load() {
		return searchedTail
	}
	indexing := x.full.Load().IndexingBytes
	return max(minTail, indexing+indexing/4)
}

// How many bytes of vectors may wait to be linked: always while nobody searches, and while somebody does.
const (
	minTail      = 4 << 20
	searchedTail = 2 << 20
)

// progressLocked wakes who waits in Lagging.
func (x *Index) progressLocked() {
	if x.worker.moved != nil {
		close(x.worker.moved)
		x.worker.moved = nil
	}
}

// Status is how far an index is.
type Status struct {
	Vectors int
	Indexed int   // of them, those in the graph; where there is none, those in graphs of values
	Busy    bool  // something is being built
	Problem error // why building was given up
}

// Status tells how far the index is.
func (x *Index) Status() Status {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	st := Status{Vectors: s.count, Busy: x.buildsLocked(), Problem: x.worker.failure}
	if s.core.net.Load() != nil {
		st.Indexed = max(0, s.count-s.core.livingBetween(min(s.core.linked.Load(), s.rows), s.rows))
	} else {
		st.Indexed = min(s.count, int(s.core.subs.indexed.Load()))
	}
	return st
}

// buildsLocked reports whether something is being built, or will be once the judging that is under way has ended.
func (x *Index) buildsLocked() bool {
	if !x.worker.busy || !x.worker.judging {
		return x.worker.busy
	}
	next, judging := x.nextLocked()
	return next != nil && !judging || x.subsDue(x.state.Load()) // which comes after
}

// Settled waits until nothing is left to be done in the background.
func (x *Index) Settled(ctx context.Context) error {
	x.mu.Lock()
	idle := x.worker.idle
	x.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
