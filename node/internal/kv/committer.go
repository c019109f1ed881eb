package kv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
)

// request is one call of Commit or DropGeneration.
type request struct {
	batch *Batch
	drops uint64     // a generation of which nothing is left then; 0: none
	done  chan error // buffered
	logs  map[uint64]*logEnd
}

// groupLimit bounds how many calls share a transaction, so that the first of them does not wait for ever.
const groupLimit = 256

// Commit makes a batch durable: when it returns nil, everything in it is on the disk. Calls that run at the same time
// share transactions and fsyncs. The batches of one caller are stored in the order of its calls.
//
// A batch that makes no sense (a gap in a log) is refused as a whole and changes nothing. Any other error is of the
// disk: the outcome is unknown, and the store takes no more writes (ErrFailed). On a full disk it waits for room. ctx only bounds
// the wait until the committer takes the batch: an outcome is never left unknown because somebody stopped waiting.
func (s *Store) Commit(ctx context.Context, b *Batch) error {
	return s.await(ctx, ctx.Done(), &request{batch: b, done: make(chan error, 1)})
}

// CommitUntil is Commit that only gives up (with ErrFull) while it waits for room on a full disk, when giveUp is closed.
func (s *Store) CommitUntil(giveUp <-chan struct{}, b *Batch) error {
	return s.await(context.Background(), giveUp, &request{batch: b, done: make(chan error, 1)})
}

// TryCommit is Commit, but on a full disk it fails with ErrFull.
func (s *Store) TryCommit(ctx context.Context, b *Batch) error {
	return s.submit(ctx, &request{batch: b, done: make(chan error, 1)})
}

// await submits a request until there is room for it.
func (s *Store) await(ctx context.Context, giveUp <-chan struct{}, r *request) error {
	for {
		err := s.submit(ctx, r)
		if !errors.Is(err, ErrFull) {
			return err
		}
		timer := time.NewTimer(roomPause)
		select {
		case <-timer.C:
		case <-giveUp:
			timer.Stop()
			return errors.Join(err, ctx.Err())
		case <-s.closing:
			timer.Stop()
			return fault.Wrap(fault.Unavailable, ErrClosed, "commit")
		}
	}
}

// submit gives a request to the committer and waits for the outcome.
func (s *Store) submit(ctx context.Context, r *request) error {
	if err := s.Err(); err != nil {
		return err
	}
	if r.batch.Empty() {
		return nil
	}
	select {
	case s.queue <- r:
		return <-r.done
	case <-ctx.Done():
		return fmt.Errorf("commit: %w", ctx.Err())
	case <-s.closing:
		return fault.Wrap(fault.Unavailable, ErrClosed, "commit")
	}
}

// runCommitter is the only writer of the database.
func (s *Store) runCommitter() {
	defer close(s.stopped)
	c := &committer{store: s}
	var nudge <-chan time.Time
	if s.volume.warden != nil {
		ticker := time.NewTicker(nudgeEvery)
		defer ticker.Stop()
		nudge = ticker.C
	}
	for {
		select {
		case r := <-s.queue:
			c.commit(s.collect(r))
		case <-nudge:
			c.nudge()
		case <-s.worked:
			s.measure()
		case <-s.closing:
			return
		}
	}
}

// nudgeEvery is how often, on a full disk, what was removed is brought nearer to giving its room back.
const nudgeEvery = 2 * time.Second

// nudge writes what is in memory to a table, if it removes something and the disk is full: only what is in tables is merged, and only
// then what was removed gives back its room.
func (c *committer) nudge() {
	if c.removed == 0 || !c.store.volume.warden.Room().Full || c.store.failure() != nil || !c.store.volume.admit(0, false, c.behind) {
		return
	}
	c.removed = 0
	if _, err := c.store.db.AsyncFlush(); err != nil {
		c.store.log.Warn("what was removed does not give back its room yet", "error", err)
	}
}

// collect takes whoever waits behind the first.
func (s *Store) collect(first *request) []*request {
	group := []*request{first}
	for len(group) < groupLimit {
		select {
		case r := <-s.queue:
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

// committer packs batches into transactions.
type committer struct {
	store *Store

	logs    map[uint64]*logEnd // ends of logs as planned, not yet durable
	open    []write            // the transaction being filled
	bytes   int
	waiting []*request // stored completely once open is
	removed int        // writes since the last nudge that remove something

	files    int64 // write-ahead files as of the last look at how far the background is behind
	stalled  bool
	measured int64 // write-ahead files as of the last look at what is still to be written
}

func (c *committer) commit(group []*request) {
	c.logs = map[uint64]*logEnd{}
	for _, r := range group {
		c.add(r)
	}
	_ = c.flush(true) // every request of it has heard
}

// add puts a whole batch into the open transaction, or, if it does not fit into any, spreads it over several.
func (c *committer) add(r *request) {
	p := planner{store: c.store, staged: c.logs, ends: map[uint64]*logEnd{}}
	if err := p.plan(r.batch); err != nil {
		r.done <- err
		return
	}
	if r.drops != 0 {
		p.ends[r.drops] = emptyLog(0, 0)
	}
	if !c.fits(p.bytes, p.count) {
		_ = c.flush(true)
	}
	// Of a batch that is spread over several transactions the first ones are not taken back: it begins when all of it fits.
	if err := c.clear(c.bytes+p.bytes, !r.batch.Urgent); err != nil {
		r.done <- err
		return
	}
	if !c.store.volume.admit(c.bytes+p.bytes, r.batch.Urgent, c.behind) {
		if mutation.On(mutation.FullDiskSuccess) {
			r.done <- nil
			return
		}
		r.done <- fault.Wrap(fault.Exhausted, ErrFull, "write to the store")
		return
	}
	for _, u := range p.units {
		if !c.fits(u.bytes, len(u.writes)) {
			if err := c.flush(false); err != nil {
				r.done <- err
				return
			}
		}
		c.open = append(c.open, u.writes...)
		c.bytes += u.bytes
	}
	maps.Copy(c.logs, p.ends)
	r.logs = p.ends
	c.waiting = append(c.waiting, r)
}

func (c *committer) fits(bytes, count int) bool {
	return c.bytes+bytes <= txBytes && len(c.open)+count <= txCount
}

// flush stores the open transaction. whole tells that no batch is stored in part by then, so that views may show it.
func (c *committer) flush(whole bool) error {
	err := c.write()
	if err == nil && whole {
		c.store.publish(c.waiting)
	}
	for _, r := range c.waiting {
		r.done <- err
	}
	c.open, c.bytes, c.waiting = nil, 0, nil
	return err
}

func (c *committer) behind() bool { return c.store.behind(0) }

// clear waits while what is written in the background is so far behind that Pebble would make the commit wait. There it could wait
// for ever: after a failure nothing is written in the background any more.
//
// bytes is what the batch takes that is about to begin, 0 in the middle of one. An optional one is refused with ErrFull if the
// background waits for room.
func (c *committer) clear(bytes int, optional bool) error {
	s := c.store
	for {
		if err := s.failure(); err != nil {
			return err
		}
		files := s.volume.files.Load()
		if files == c.files && !c.stalled && bytes < txBytes {
			return nil // as clear as it was: only with a new write-ahead file does memory get a new table
		}
		c.files, c.stalled = files, s.behind(bytes)
		switch {
		case !c.stalled:
			return nil
		case optional && s.volume.stuck():
			return fault.Wrap(fault.Exhausted, ErrFull, "write to the store")
		}
		select {
		case <-s.progress:
		case <-s.closing:
			return fault.Wrap(fault.Unavailable, ErrClosed, "commit")
		}
	}
}

// write makes the open transaction durable. Of several writes to a key the last one counts.
func (c *committer) write() error {
	if len(c.open) == 0 {
		return nil
	}
	if err := c.clear(0, false); err != nil {
		return err
	}
	batch := c.store.db.NewBatchWithSize(c.bytes)
	for _, w := range c.open {
		if w.removes() {
			c.removed++
		}
		if err := w.put(batch); err != nil {
			return c.store.fail(fmt.Errorf("prepare transaction: %w", err))
		}
	}
	if err := c.store.commitBatch(batch); err != nil {
		return c.store.fail(fmt.Errorf("commit transaction: %w", err))
	}
	if files := c.store.volume.files.Load(); files != c.measured {
		c.measured = files
		c.store.measure() // before anybody hears of the commit, and writes on
	}
	return batch.Close()
}

// removes tells whether the write gives room back: not the end of a pending mark, which mostly is not there.
func (w write) removes() bool { return w.value == nil && len(w.key) > generationLen+1 || w.end != nil }

func (w write) put(b *pebble.Batch) error {
	switch {
	case w.end != nil:
		return b.DeleteRange(w.key, w.end, nil)
	case w.value == nil:
		return b.Delete(w.key, nil)
	}
	return b.Set(w.key, w.value, nil)
}

// publish lets new views show everything that is stored, and the database forget what no view shows.
func (s *Store) publish(done []*request) {
	now := &moment{Snapshot: s.db.NewSnapshot(), users: 1}
	s.mu.Lock()
	old := s.mu.durable
	s.mu.durable = now
	for _, r := range done {
		maps.Copy(s.mu.logs, r.logs)
		delete(s.mu.logs, r.drops)
	}
	s.mu.Unlock()
	s.release(old)
}
