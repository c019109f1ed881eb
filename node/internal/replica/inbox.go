package replica

import (
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// What an inbox holds at most. Messages beyond are dropped (the protocol sends them again), writes are refused.
const (
	maxInboxMessages = 1024
	maxInboxWrites   = 4096
	maxInboxBytes    = 64 << 20
)

// events is what came in since the runner last looked.
type events struct {
	messages []replication.Message
	writes   []*write
	fences   []*fence
	stops    []*stop
	confirms []*confirmation
	view     *catalog.Shard // the newest, nil if unchanged
	standing *move.Standing // that came with view
	declared int            // copies of the shard that are declared
	quorum   int            // the wanted W that came with view
	schema   *shard.Schema  // that came with view
	away     []catalog.PeerID
	back     []catalog.PeerID     // may be: of replicas that do not count, peers that answer
	paid     []replication.PeerID // whose last charge is
	tick     bool
	full     bool // the disk is: the log has to be short
	watches  []*watch
	damage   error // found by somebody who read the shard
}

// inbox is the door to a runner: many callers put, the runner takes all at once, so that writes which arrive
// while the disk works share the next log append (group commit).
type inbox struct {
	wake chan struct{} // capacity 1
	mu   struct {
		sync.Mutex
		events
		bytes  int
		closed bool
	}
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put runs add under the lock unless the inbox is closed, and wakes the runner.
func (b *inbox) put(add func(*events) error) error {
	b.mu.Lock()
	if b.mu.closed {
		b.mu.Unlock()
		return errClosed
	}
	err := add(&b.mu.events)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return err
}

func (b *inbox) putMessage(m replication.Message) {
	size := 0
	for _, e := range m.Entries {
		size += entrySize(e)
	}
	_ = b.put(func(ev *events) error {
		if len(ev.messages) < maxInboxMessages && b.mu.bytes+size <= maxInboxBytes {
			ev.messages = append(ev.messages, m)
			b.mu.bytes += size
		}
		return nil
	})
}

func (b *inbox) putWrite(w *write) error {
	return b.put(func(ev *events) error {
		if len(ev.writes) >= maxInboxWrites || b.mu.bytes+len(w.op) > maxInboxBytes {
			return fault.New(fault.Exhausted, "shard %d has too many writes waiting: retry later", w.shard)
		}
		ev.writes = append(ev.writes, w)
		b.mu.bytes += len(w.op)
		return nil
	})
}

func (b *inbox) take() events {
	b.mu.Lock()
	defer b.mu.Unlock()
	ev := b.mu.events
	b.mu.events, b.mu.bytes = events{}, 0
	return ev
}

// close refuses what comes from now on and returns what had come.
func (b *inbox) close() events {
	b.mu.Lock()
	b.mu.closed = true
	b.mu.Unlock()
	return b.take()
}
