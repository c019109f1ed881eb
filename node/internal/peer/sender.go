package peer

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// SenderOptions configures a Sender. Only Pool is needed.
type SenderOptions struct {
	Pool    *Pool
	Logger  hclog.Logger
	Metrics *Metrics
	// QueueBytes and QueueMessages bound what waits for one peer; more is dropped. Defaults 64 MiB and 16384.
	QueueBytes    int
	QueueMessages int
	// FrameBytes is where a batch ends; a single larger message goes alone. Default 4 MiB.
	FrameBytes int
	// RetryMin and RetryMax bound the pause before a broken stream is opened again. Defaults 20 ms and 1 s.
	RetryMin, RetryMax time.Duration
}

func (o SenderOptions) normalized() (SenderOptions, error) {
	if o.Pool == nil {
		return o, fault.New(fault.Invalid, "peer sender: Pool is needed")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	o.QueueBytes = orDefault(o.QueueBytes, 64<<20)
	o.QueueMessages = orDefault(o.QueueMessages, 16384)
	o.FrameBytes = orDefault(o.FrameBytes, 4<<20)
	o.RetryMin = orDefault(o.RetryMin, 20*time.Millisecond)
	o.RetryMax = max(orDefault(o.RetryMax, time.Second), o.RetryMin)
	return o, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Sender carries replication messages: per peer one queue, one goroutine and one stream, so messages to a peer
// arrive in the order of Send. A message may be dropped (full queue, broken stream): the protocol sends again.
type Sender struct {
	opts   SenderOptions
	ctx    context.Context // of the lanes' goroutines; ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     struct {
		sync.Mutex
		closed bool
		lanes  map[catalog.PeerID]*lane
	}
}

// NewSender returns a sender; Close ends it.
func NewSender(opts SenderOptions) (*Sender, error) {
	opts, err := opts.normalized()
	if err != nil {
		return nil, err
	}
	s := &Sender{opts: opts}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.lanes = map[catalog.PeerID]*lane{}
	return s, nil
}

// Close drops what waits and returns when every stream has ended.
func (s *Sender) Close() error {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	return nil
}

// Send queues a message for the replica of that generation on peer to. It never blocks.
func (s *Sender) Send(to catalog.PeerID, ref catalog.ShardRef, generation catalog.Generation, m replication.Message) {
	w := envelopeToWire(Envelope{Ref: ref, Generation: generation, Message: m})
	l := s.lane(to)
	if l == nil || !l.put(w, proto.Size(w)) {
		s.opts.Metrics.dropped.WithLabelValues(dropFull).Inc()
	}
}

// lane returns the queue to a peer, starting it on first use; nil after Close.
func (s *Sender) lane(to catalog.PeerID) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil
	}
	l, ok := s.mu.lanes[to]
	if !ok {
		l = &lane{to: to, opts: &s.opts, wake: make(chan struct{}, 1)}
		s.mu.lanes[to] = l
		s.wg.Go(func() {
			l.run(s.ctx)
			s.remove(l)
		})
	}
	return l
}

func (s *Sender) remove(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.lanes, l.to)
}

// lane is the way to one peer.
type lane struct {
	to   catalog.PeerID
	opts *SenderOptions
	wake chan struct{} // capacity 1: something waits
	mu   struct {
		sync.Mutex
		queue []queued
		bytes int
	}
}

type queued struct {
	msg  *peerpb.ShardMessage
	size int
}

func (l *lane) put(m *peerpb.ShardMessage, size int) bool {
	l.mu.Lock()
	if len(l.mu.queue) >= l.opts.QueueMessages || (l.mu.bytes+size > l.opts.QueueBytes && len(l.mu.queue) > 0) {
		l.mu.Unlock()
		return false
	}
	l.mu.queue = append(l.mu.queue, queued{m, size})
	l.mu.bytes += size
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns the next frame: what waits, up to FrameBytes, at least one message; nil when nothing waits.
func (l *lane) take() *peerpb.ReplicateRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.mu.queue) && (n == 0 || size+l.mu.queue[n].size <= l.opts.FrameBytes) {
		size += l.mu.queue[n].size
		n++
	}
	if n == 0 {
		return nil
	}
	frame := &peerpb.ReplicateRequest{Messages: make([]*peerpb.ShardMessage, n)}
	for i, q := range l.mu.queue[:n] {
		frame.Messages[i] = q.msg
	}
	if n == len(l.mu.queue) {
		l.mu.queue = nil // lets go of a burst's memory
	} else {
		l.mu.queue = l.mu.queue[n:]
	}
	l.mu.bytes -= size
	return frame
}

// clear drops what waits: behind a broken stream it grows old, and the protocol sends anew from what it learns then.
func (l *lane) clear() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.mu.queue)
	l.mu.queue, l.mu.bytes = nil, 0
	return n
}

// run keeps a stream open while there is something to say. It ends with ctx, or when the peer has left the cluster.
func (l *lane) run(ctx context.Context) {
	pause := l.opts.RetryMin
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
		started := time.Now()
		err := l.stream(ctx)
		lost := l.clear()
		l.opts.Metrics.dropped.WithLabelValues(dropBroken).Add(float64(lost))
		if ctx.Err() != nil || errors.Is(err, errGone) {
			return
		}
		l.opts.Logger.Debug("replication stream ended", "peer", uint64(l.to), "error", err)
		l.opts.Metrics.broken.Inc()
		if time.Since(started) > l.opts.RetryMax {
			pause = l.opts.RetryMin
		}
		if !sleep(ctx, jitter(pause)) {
			return
		}
		pause = min(pause*2, l.opts.RetryMax)
	}
}

// stream sends frames until the stream breaks or ctx ends.
func (l *lane) stream(ctx context.Context) error {
	c, err := l.opts.Pool.conn(l.to)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Replicate(ctx)
	if err != nil {
		return fault.FromStatus(err)
	}
	ended := make(chan error, 1)
	go func() { // the receiver answers only the end; this notices a broken stream while there is nothing to send
		ended <- stream.RecvMsg(new(peerpb.ReplicateResponse))
		close(ended)
	}()
	err = l.pump(ctx, stream.Send, ended)
	cancel()
	for range ended { // its goroutine ends before this returns
		continue
	}
	return fault.FromStatus(err)
}

// pump sends until a Send fails or the other side ends the stream, and returns why it ended (the stream's own status
// where there is one).
func (l *lane) pump(ctx context.Context, send func(*peerpb.ReplicateRequest) error, ended chan error) error {
	for {
		for frame := l.take(); frame != nil; frame = l.take() {
			if send(frame) != nil {
				return <-ended // Send says EOF only; the status is what Recv returns
			}
			l.opts.Metrics.sent.Add(float64(len(frame.GetMessages())))
		}
		select {
		case <-l.wake:
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// jitter spreads d over [d/2, 3d/2).
func jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(rand.Int64N(int64(d)))
}

// sleep waits for d; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
