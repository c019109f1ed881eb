package replica

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// How long a replica waits to stand at the index that it is asked about, and how many may ask one at a time.
const (
	digestWait = 2 * time.Second
	maxStops   = 16
)

// Digest is a replica's sum at one index, to compare copies (anti-entropy). Where Exact is false nothing was read, and
// Index is where the replica stands: it has gone past the index asked for, or has not come so far in time.
type Digest struct {
	Index  uint64
	Exact  bool
	Digest uint64
	Points uint64
}

// stop is somebody who wants the copy as it is when the log is applied up to index and no further. The runner ends a
// batch there and takes a view, which costs it nothing more; the reading happens elsewhere, so no write waits for it.
type stop struct {
	index   replication.Index
	claimed atomic.Bool  // by the runner, which then sends; or by the asker, who then has left
	done    chan stopped // capacity 1
}

type stopped struct {
	pin *shard.Pin // nil: not at that index
	at  uint64
	err error
}

// DigestAt sums up the local replica as it is at index exactly, reading at most pace bytes a second (0: no bound). Index
// 0 means now.
func (m *Manager) DigestAt(ctx context.Context, ref catalog.ShardRef, gen catalog.Generation, index, pace uint64) (Digest, error) {
	r, err := m.runner(ref)
	if err != nil {
		return Digest{}, err
	}
	if r.gen != gen {
		return Digest{}, fault.New(fault.StaleEpoch, "shard %d: generation %d is not the one on this node (%d)", ref.Shard, gen, r.gen)
	}
	got, err := r.stopAt(ctx, replication.Index(index))
	if err != nil || got.pin == nil {
		return Digest{Index: got.at}, err
	}
	defer got.pin.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.proposer.ctx, cancel)() // the shard's Close waits for the pin
	sum, err := got.pin.Digest(ctx, pace)
	r.report(err)
	return Digest{Index: got.at, Exact: true, Digest: sum.Digest, Points: sum.Points}, err
}

// stopAt waits until the replica stands at index.
func (r *runner) stopAt(ctx context.Context, index replication.Index) (stopped, error) {
	s := &stop{index: index, done: make(chan stopped, 1)}
	err := r.inbox.put(func(ev *events) error {
		if len(ev.stops) >= maxStops {
			return fault.New(fault.Exhausted, "shard %d is being compared too often at once", r.ref.Shard)
		}
		ev.stops = append(ev.stops, s)
		return nil
	})
	if err != nil {
		return stopped{}, err
	}
	timer := time.NewTimer(digestWait)
	defer timer.Stop()
	select {
	case got := <-s.done:
		return got, got.err
	case <-timer.C:
	case <-ctx.Done():
	}
	if s.claimed.CompareAndSwap(false, true) {
		return stopped{at: r.mark.get()}, ctx.Err()
	}
	got := <-s.done
	return got, got.err
}

// answer takes the view that s waits for, unless the asker has left. The replica must not be applying anything, or be
// past the index anyway.
func (r *runner) answer(s *stop) {
	if !s.claimed.CompareAndSwap(false, true) {
		return
	}
	pin, err := r.shard.Pin()
	switch {
	case err != nil:
		s.done <- stopped{err: err}
	case s.index != 0 && pin.Applied() != uint64(s.index):
		pin.Close()
		s.done <- stopped{at: pin.Applied()}
	default:
		s.done <- stopped{pin: pin, at: pin.Applied()}
	}
}

// stopsDue answers who waits for an index that is reached or passed, and forgets who has left.
func (r *runner) stopsDue() {
	r.stops = slices.DeleteFunc(r.stops, func(s *stop) bool {
		if s.index > r.appliedTo {
			return s.claimed.Load()
		}
		r.answer(s)
		return true
	})
}

// nextStop bounds a batch of entries to apply, so that it ends where somebody wants to look.
func (r *runner) nextStop(to replication.Index) replication.Index {
	for _, s := range r.stops {
		if s.index > r.appliedTo && !s.claimed.Load() {
			to = min(to, s.index)
		}
	}
	return to
}

// answerStops sends err to all who wait.
func answerStops(stops []*stop, err error) {
	for _, s := range stops {
		if s.claimed.CompareAndSwap(false, true) {
			s.done <- stopped{err: err}
		}
	}
}

// Judgement is what a comparison of a shard's replicas found out about one of them.
type Judgement struct {
	Peer       catalog.PeerID
	Generation catalog.Generation
	Differs    string // in what it is not like the others; "" = it is
}

// Judge notes what a comparison of the copies found out about the local one: differs says in what it is not like the
// others, "" that it is. A copy that differs is not read any more (Status.Differs shows it); it is for others to have it made anew.
func (m *Manager) Judge(ref catalog.ShardRef, gen catalog.Generation, differs string) error {
	r, err := m.runner(ref)
	if err != nil {
		return err
	}
	if r.gen != gen {
		return fault.New(fault.StaleEpoch, "shard %d: generation %d is not the one on this node (%d)", ref.Shard, gen, r.gen)
	}
	was := r.differs.Swap(&differs)
	if differs != "" && (was == nil || *was == "") {
		r.logger.Error("this replica differs from the others and is not read any more", "differs", differs)
	}
	return nil
}

// Distrust makes the primary here demote a replica, as if its peer had been silent. It has to be repeated until the
// metadata shows the demotion: a peer that answers is trusted again.
func (m *Manager) Distrust(ref catalog.ShardRef, peer catalog.PeerID) error {
	r, err := m.runner(ref)
	if err != nil {
		return err
	}
	return r.inbox.put(func(ev *events) error {
		ev.away = append(ev.away, peer)
		return nil
	})
}

// verdict is what Judge noted last.
func (r *runner) verdict() string {
	if text := r.differs.Load(); text != nil {
		return *text
	}
	return ""
}
