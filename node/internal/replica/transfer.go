package replica

import (
	"context"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// Snapshots fetches a snapshot of a shard from another peer, whose Manager.SendSnapshot makes the chunks. receive is called with
// each in order and owns it; its error ends the transfer and is returned.
type Snapshots interface {
	Snapshot(ctx context.Context, from catalog.PeerID, req SnapshotRequest, receive func(SnapshotChunk) error) error
}

// SnapshotRequest asks a shard's primary for a snapshot.
type SnapshotRequest struct {
	Ref            catalog.ShardRef
	FromGeneration catalog.Generation // of the primary's replica
	To             catalog.PeerID
	ToGeneration   catalog.Generation // of the replica to be filled
	Have           shard.Have         // what is there already and need not be sent if it is unchanged
}

// SnapshotChunk is a piece of a snapshot: its begin, data or its end.
type SnapshotChunk struct {
	Begin *SnapshotBegin
	Data  []byte // for shard.Intake
	CRC   uint32 // CRC-32C of Data
	Cut   bool   // the last point in Data goes on in the next chunk
	End   *SnapshotEnd
}

// SnapshotBegin says what the snapshot is: the points as the log up to Index, whose entry has Term, made them.
type SnapshotBegin struct {
	Index, Term, Points, Bytes uint64
	Moves                      []byte // what is known of moves there, as shard.Cut gives it
}

// SnapshotEnd says what must have arrived, and where the sender's log begins: it has to reach back to the snapshot.
type SnapshotEnd struct {
	Tally    shard.Tally
	LogFirst uint64
}

// Transfer is a snapshot on its way.
type Transfer struct {
	Ref          catalog.ShardRef
	From, To     catalog.PeerID     // From is 0 while nobody gives it
	Generation   catalog.Generation // of the replica that is being filled
	Records      uint64             // points done: sent, or found to be there already
	TotalRecords uint64             // 0: not known yet
	Bytes        uint64             // that went over the network, in this attempt
	TotalBytes   uint64             // of all points; what is there already is not sent
	Started      time.Time
	Failures     uint32 // attempts that failed
	Problem      string // of the last attempt
}

// progress is a Transfer that is being made.
type progress struct {
	mu struct {
		sync.Mutex
		Transfer
	}
}

func (p *progress) set(f func(*Transfer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.mu.Transfer)
}

func (p *progress) get() Transfer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.Transfer
}

// throttle spreads bytes over time.
type throttle struct {
	mu struct {
		sync.Mutex
		perSecond int
		free      time.Time // when what was let through so far has had its time
	}
}

func (t *throttle) set(perSecond int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.perSecond = perSecond
}

// take takes the time of some bytes, and returns how long to wait before they may go, and how much it took.
func (t *throttle) take(bytes int) (pause, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.mu.free.Before(now) {
		t.mu.free = now
	}
	pause = t.mu.free.Sub(now)
	took = time.Duration(float64(bytes) / float64(t.mu.perSecond) * float64(time.Second))
	t.mu.free = t.mu.free.Add(took)
	return pause, took
}

// giveBack returns the time of bytes that do not go.
func (t *throttle) giveBack(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.free = t.mu.free.Add(-took)
}

// wait returns once bytes may go, or with the error of ctx: then they are not to.
func (t *throttle) wait(ctx context.Context, bytes int) error {
	pause, took := t.take(bytes)
	err := pauseFor(ctx, pause)
	if err != nil {
		t.giveBack(took)
	}
	return err
}

// pay spreads what replicas are sent of what they have missed over time, together with snapshots.
func (r *runner) pay(ctx context.Context, charges []replication.Charge) {
	for _, c := range charges {
		pause, took := r.opts.traffic.throttleOut.take(c.Bytes)
		if pause <= 0 {
			r.core.Paid(c.Peer)
			continue
		}
		r.wg.Go(func() {
			if pauseFor(ctx, pause) != nil {
				r.opts.traffic.throttleOut.giveBack(took)
				return
			}
			_ = r.inbox.put(func(ev *events) error { // closed: nobody is sent anything any more
				ev.paid = append(ev.paid, c.Peer)
				return nil
			})
		})
	}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// traffic is what all transfers of a node share.
type traffic struct {
	in, out                 places // one per transfer
	throttleIn, throttleOut throttle
	mu                      struct {
		sync.Mutex
		giving map[*progress]struct{}
	}
}

func newTraffic(l TransferLimits) *traffic {
	t := &traffic{}
	t.bound(l)
	t.mu.giving = map[*progress]struct{}{}
	return t
}

// bound sets the bounds anew. What is under way goes on.
func (t *traffic) bound(l TransferLimits) {
	t.in.set(l.In)
	t.out.set(l.Out)
	t.throttleIn.set(l.BytesPerSecond)
	t.throttleOut.set(l.BytesPerSecond)
}

func (t *traffic) give(p *progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.giving[p] = struct{}{}
}

func (t *traffic) given(p *progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mu.giving, p)
}

// Transfers lists the snapshots on their way to and from this peer.
func (m *Manager) Transfers() []Transfer {
	var all []Transfer
	for _, s := range m.seats() {
		if s.runner == nil && s.filler != nil {
			all = append(all, s.filler.progress.get())
		}
	}
	m.traffic.mu.Lock()
	defer m.traffic.mu.Unlock()
	for p := range m.traffic.mu.giving {
		all = append(all, p.get())
	}
	return all
}
