package peer

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Pinger asks peers whether they live. Reset is told when a dead one has not answered, so that calls which wait for it end.
type Pinger interface {
	Ping(ctx context.Context, to catalog.PeerID) (Pong, error)
	// Refuses reports whether the peer's machine answers for it that nobody listens at its address.
	Refuses(ctx context.Context, to catalog.PeerID) bool
	Reset(id catalog.PeerID)
}

// MonitorOptions configures a Monitor. Self, Metadata and Pinger are needed.
type MonitorOptions struct {
	Self     catalog.PeerID
	Metadata Metadata
	Pinger   Pinger
	Logger   hclog.Logger
	Metrics  *Metrics
	Interval time.Duration // between pings of a peer; default 250 ms
	Timeout  time.Duration // of one ping; default 500 ms
	Grace    time.Duration // without an answer a peer is dead; default 2 s
}

func (o MonitorOptions) normalized() (MonitorOptions, error) {
	if o.Self == 0 || o.Metadata == nil || o.Pinger == nil {
		return o, fault.New(fault.Invalid, "peer monitor: Self, Metadata and Pinger are needed")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	o.Interval = orDefault(o.Interval, 250*time.Millisecond)
	o.Timeout = orDefault(o.Timeout, 500*time.Millisecond)
	o.Grace = orDefault(o.Grace, 2*time.Second)
	return o, nil
}

// Monitor pings every peer of the catalog and says who is alive, as this node sees it.
//
// A peer that was never reached counts as alive until the grace has passed since this node first knew it. The other
// choice, dead until proven alive, would make a node that has just started (or just become the leader of a cluster
// that restarts as a whole) demote and replace replicas which are about to answer: that moves data. To wait out
// one grace costs 2 s once. This node itself is always alive; a peer that is not in the catalog never is.
type Monitor struct {
	opts   MonitorOptions
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     struct {
		sync.Mutex
		peers   map[catalog.PeerID]*watched
		changed chan struct{} // closed at the next change
	}
}

// watched is what the Monitor knows of one peer.
type watched struct {
	cancel   context.CancelFunc
	noted    time.Time     // when the last ping ended, at first when the peer was first known
	silent   time.Duration // since its last answer, as far as it counts
	refused  int           // how often its address has refused a connection since, in a row
	gone     bool          // so often that nobody is there
	seen     time.Time     // last answer; zero = never
	alive    bool
	draining bool
	left     bool // it has said that it ends; set back when it answers in its next life
	cut      bool // calls to it were ended since it died
	gauge    Gauge
}

// NewMonitor starts to ping; Close ends it.
func NewMonitor(opts MonitorOptions) (*Monitor, error) {
	opts, err := opts.normalized()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Monitor{opts: opts, cancel: cancel}
	m.mu.peers = map[catalog.PeerID]*watched{}
	m.mu.changed = make(chan struct{})
	m.wg.Go(func() { m.follow(ctx) })
	return m, nil
}

// Close stops the pings and returns when they have ended.
func (m *Monitor) Close() error {
	m.cancel()
	m.wg.Wait()
	return nil
}

// Alive reports whether a peer answers.
func (m *Monitor) Alive(id catalog.PeerID) bool {
	if id == m.opts.Self {
		return true
	}
	m.mu.Lock()
	w, ok := m.mu.peers[id]
	alive := ok && w.alive
	m.mu.Unlock()
	if ok {
		return alive
	}
	state, _ := m.opts.Metadata.Watch() // newer than what follow has seen: not pinged yet
	p, ok := state.Peers[id]
	return ok && !p.Removed
}

// LastSeen returns when a peer last answered; the zero time if never, now for this node.
func (m *Monitor) LastSeen(id catalog.PeerID) time.Time {
	if id == m.opts.Self {
		return time.Now()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if w, ok := m.mu.peers[id]; ok {
		return w.seen
	}
	return time.Time{}
}

// Draining reports whether a peer has said that it is shutting down.
func (m *Monitor) Draining(id catalog.PeerID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.mu.peers[id]
	return ok && w.draining
}

// Gauge returns how large things are on another peer, as it last said.
func (m *Monitor) Gauge(id catalog.PeerID) Gauge {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w, ok := m.mu.peers[id]; ok {
		return w.gauge
	}
	return Gauge{}
}

// Gone reports whether a peer's process is known to have ended, as opposed to one that is merely silent.
func (m *Monitor) Gone(id catalog.PeerID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.mu.peers[id]
	return ok && !w.alive && (w.left || w.gone)
}

// Changed returns a channel that is closed when any peer's liveness, draining or full disk changes after this call.
func (m *Monitor) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.changed
}

// follow starts and stops a pinging goroutine per other peer as the catalog changes.
func (m *Monitor) follow(ctx context.Context) {
	for {
		state, changed := m.opts.Metadata.Watch()
		m.adjust(ctx, state)
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (m *Monitor) adjust(ctx context.Context, state *catalog.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, w := range m.mu.peers {
		if p, ok := state.Peers[id]; !ok || p.Removed {
			w.cancel()
			delete(m.mu.peers, id)
			m.changedLocked()
		}
	}
	for id, p := range state.Peers {
		if _, ok := m.mu.peers[id]; ok || id == m.opts.Self || p.Removed {
			continue
		}
		pctx, cancel := context.WithCancel(ctx)
		w := &watched{cancel: cancel, noted: time.Now(), alive: true}
		m.mu.peers[id] = w
		m.changedLocked()
		m.wg.Go(func() {
			defer cancel()
			m.watch(pctx, id, w)
		})
	}
}

// watch pings one peer until ctx ends.
func (m *Monitor) watch(ctx context.Context, id catalog.PeerID, w *watched) {
	ticker := time.NewTicker(m.opts.Interval)
	defer ticker.Stop()
	for {
		pong, err := m.ping(ctx, id, w)
		if ctx.Err() != nil {
			return
		}
		// Another node may answer at the address of one whose disk is gone.
		answered := err == nil && pong.ID == id
		m.note(id, w, pong, answered, !answered && m.Alive(id) && m.refuses(ctx, id))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// ping waits no longer than until the peer would be dead, so that death is noticed on time.
func (m *Monitor) ping(ctx context.Context, id catalog.PeerID, w *watched) (Pong, error) {
	m.mu.Lock()
	timeout := m.opts.Timeout
	if left := m.opts.Grace - w.silent - time.Since(w.noted); w.alive && left < timeout {
		timeout = max(left, time.Millisecond)
	}
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return m.opts.Pinger.Ping(ctx, id)
}

// refuses reports whether nobody listens where the peer should.
func (m *Monitor) refuses(ctx context.Context, id catalog.PeerID) bool {
	ctx, cancel := context.WithTimeout(ctx, m.opts.Interval)
	defer cancel()
	return m.opts.Pinger.Refuses(ctx, id)
}

// refusals is how often in a row the address of a peer that has answered before refuses a connection until it is dead. A process
// that is merely slow, or has no time, refuses none: its kernel takes them.
const refusals = 2

// note records the outcome of one ping. Of a silence counts what this node was awake for: one that was stopped for a while has
// not heard anybody, and must not take everybody for dead when it goes on.
func (m *Monitor) note(id catalog.PeerID, w *watched, pong Pong, answered, refused bool) {
	m.mu.Lock()
	wasAlive, wasDraining, wasFull := w.alive, w.draining, w.gauge.DiskFull
	now := time.Now()
	passed := min(now.Sub(w.noted), m.opts.Timeout+m.opts.Interval)
	w.noted = now
	lastWord := answered && w.left && pong.Draining // of the life that it has ended
	answered = answered && !lastWord
	if answered {
		w.silent, w.refused, w.gone = 0, 0, false
		w.seen, w.alive, w.draining, w.left, w.gauge = now, true, pong.Draining, false, pong.Gauge
	} else {
		w.missed(passed, refused)
		w.gone = w.gone || w.refused >= refusals && !w.seen.IsZero()
		if w.silent >= m.opts.Grace || w.gone {
			w.alive = false
		}
	}
	alive, silence := w.alive, w.silent
	cut := !alive && !w.cut && !lastWord
	w.cut = !alive && (w.cut || cut)
	if alive != wasAlive || w.draining != wasDraining || w.gauge.DiskFull != wasFull {
		m.changedLocked()
	}
	m.mu.Unlock()
	if cut {
		m.opts.Pinger.Reset(id)
	}
	switch {
	case wasAlive && !alive:
		m.opts.Logger.Warn("peer does not answer", "peer", uint64(id), "silence", silence)
	case alive && !wasAlive:
		m.opts.Logger.Info("peer answers again", "peer", uint64(id))
	}
}

// missed counts a ping without an answer.
func (w *watched) missed(passed time.Duration, refused bool) {
	w.silent += passed
	if refused {
		w.refused++
	} else {
		w.refused = 0
	}
}

// changedLocked tells whoever waits, and counts.
func (m *Monitor) changedLocked() {
	close(m.mu.changed)
	m.mu.changed = make(chan struct{})
	alive := 0
	for _, w := range m.mu.peers {
		if w.alive {
			alive++
		}
	}
	m.opts.Metrics.alive.Set(float64(alive))
	m.opts.Metrics.dead.Set(float64(len(m.mu.peers) - alive))
}
