package kv

import (
	"context"
	"fmt"
	"maps"

	"github.com/cockroachdb/pebble/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
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
// disk: the outcome is unknown, and the store takes no more writes (ErrFailed). ctx only bounds the wait until the
// committer takes the batch: an outcome is never left unknown because somebody stopped waiting.
func (s *Store) Commit(ctx context.Context, b *Batch) error {
	return s.submit(ctx, &request{batch: b, done: make(chan error, 1)})
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
	for {
		select {
		case r := <-s.queue:
			c.commit(s.collect(r))
		case <-s.closing:
			return
		}
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

// write makes the open transaction durable. Of several writes to a key the last one counts.
func (c *committer) write() error {
	if len(c.open) == 0 {
		return nil
	}
	if err := c.store.failure(); err != nil {
		return err
	}
	batch := c.store.db.NewBatchWithSize(c.bytes)
	for _, w := range c.open {
		if err := w.put(batch); err != nil {
			return c.store.fail(fmt.Errorf("prepare transaction: %w", err))
		}
	}
	if err := c.store.commitBatch(batch); err != nil {
		return c.store.fail(fmt.Errorf("commit transaction: %w", err))
	}
	return batch.Close()
}

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
