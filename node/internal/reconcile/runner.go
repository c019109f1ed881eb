package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

const (
	roundPause     = 20 * time.Millisecond // between rounds, however much happens
	roundEvery     = 200 * time.Millisecond
	restEvery      = time.Second // once there is nothing to do: what is left to wait for takes many seconds
	proposeTimeout = 5 * time.Second
	wishLife       = 15 * time.Second // primaries repeat what they still wish
	maxWishes      = 1 << 16
	changeBatch    = 1024 // commands in one entry of Raft's log
	// movesAtOnce bounds the primaries that give way as planned in one round: each is missing until all of them have been fenced and
	// replaced, so hundreds go one group after the other.
	movesAtOnce = 64
)

// Metadata is what the Runner needs of consensus.
type Metadata interface {
	Watch() (*catalog.State, <-chan struct{})
	Propose(ctx context.Context, cmds ...catalog.Command) ([]catalog.Result, error)
	// Leading returns the term in which this node leads, whether it does, and a channel closed when that changes.
	Leading() (term uint64, here bool, changed <-chan struct{})
}

// Members is who votes in Raft.
type Members interface {
	Voters() map[catalog.PeerID]string
	RemoveVoter(ctx context.Context, id catalog.PeerID) error
	// Handover makes another voter lead, one that want accepts.
	Handover(ctx context.Context, want func(catalog.PeerID) bool) error
}

// Liveness tells which peers answer. Its own grace before it calls one dead is the failure detector's.
type Liveness interface {
	Alive(catalog.PeerID) bool
	Draining(catalog.PeerID) bool
	Changed() <-chan struct{} // closed at the next change
}

// Gauges tell how large things are, as last reported.
type Gauges interface {
	// Bytes returns the size of one copy of each shard; the caller does not change it.
	Bytes() map[catalog.ShardRef]uint64
	// Disk returns the room on a peer's disk; 0 is not known.
	Disk(id catalog.PeerID) (free, total uint64)
	// IsFull tells whether it has too little room.
	IsFull(id catalog.PeerID) bool
}

// RunnerOptions configures a Runner. Self, Metadata, Members, Liveness and Fencer are needed.
type RunnerOptions struct {
	Self       catalog.PeerID
	Metadata   Metadata
	Members    Members
	Liveness   Liveness
	Fencer     Fencer
	Gauges     Gauges // nil: no size is known
	Logger     hclog.Logger
	Registerer prometheus.Registerer // nil: metrics are counted for nobody
}

// Runner plans and acts, round after round, while its node leads Raft. Rounds come when the metadata, a peer's
// liveness or a wish changes, and every 200 ms; every second once nothing is planned and nobody has come or gone for a while. Its one goroutine (and the calls it makes side by side) ends with Close.
type Runner struct {
	opts    RunnerOptions
	metrics *metrics
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	wake    chan struct{} // capacity 1: a new wish

	mu struct {
		sync.Mutex
		wishes map[catalog.ShardRef]wish
		moves  map[catalog.ShardRef]move
	}

	lives struct {
		sync.Mutex
		of map[catalog.PeerID]life
	}

	// Owned by the goroutine.
	promised map[catalog.ShardRef]uint64
	retries  map[string]retry
}

type wish struct {
	term uint64
	at   time.Time
}

type move struct {
	from catalog.PeerID
	at   time.Time
}

// NewRunner starts to watch for leadership.
func NewRunner(opts RunnerOptions) (*Runner, error) {
	if opts.Self == 0 || opts.Metadata == nil || opts.Members == nil || opts.Liveness == nil || opts.Fencer == nil {
		return nil, fault.New(fault.Invalid, "reconcile: Self, Metadata, Members, Liveness and Fencer are needed")
	}
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Runner{
		opts: opts, metrics: m, cancel: cancel, wake: make(chan struct{}, 1),
		promised: map[catalog.ShardRef]uint64{}, retries: map[string]retry{},
	}
	r.lives.of = map[catalog.PeerID]life{}
	r.mu.wishes, r.mu.moves = map[catalog.ShardRef]wish{}, map[catalog.ShardRef]move{}
	r.wg.Go(func() { r.run(ctx) })
	return r, nil
}

// Close ends the goroutine and waits for it.
func (r *Runner) Close() error {
	r.cancel()
	r.wg.Wait()
	return nil
}

// WantPromotion notes that the primary of a shard, on peer from, cannot lead in term. It never blocks; whoever wishes
// repeats it until the term has moved.
func (r *Runner) WantPromotion(from catalog.PeerID, ref catalog.ShardRef, term uint64) {
	state, _ := r.opts.Metadata.Watch()
	_, sh, ok := state.Shard(ref)
	if ok && (sh.Term > term || sh.Primary != from) {
		return // it has what it wished for, or has lost the office
	}
	r.mu.Lock()
	if _, known := r.mu.wishes[ref]; known || len(r.mu.wishes) < maxWishes {
		r.mu.wishes[ref] = wish{term: max(term, r.mu.wishes[ref].term), at: time.Now()}
	}
	r.mu.Unlock()
	r.rouse()
}

// MovePrimary notes that the primary of a shard should be on another peer than from, whose copy differs from the others.
// It never blocks; whoever wishes repeats it until the primary has moved. Elsewhere than on the leader nothing comes of it.
func (r *Runner) MovePrimary(ref catalog.ShardRef, from catalog.PeerID) {
	r.mu.Lock()
	if _, known := r.mu.moves[ref]; known || len(r.mu.moves) < maxWishes {
		r.mu.moves[ref] = move{from: from, at: time.Now()}
	}
	r.mu.Unlock()
	r.rouse()
}

// rouse is a reason for another round.
func (r *Runner) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Runner) run(ctx context.Context) {
	for ctx.Err() == nil {
		alive := r.opts.Liveness.Changed()
		state, _ := r.opts.Metadata.Watch()
		r.noteLives(state)
		term, here, changed := r.opts.Metadata.Leading()
		if here {
			r.lead(ctx, term, changed)
			continue
		}
		select {
		case <-changed:
		case <-alive: // deaths are timed from when they happen, also those before this node leads
		case <-ctx.Done():
		}
	}
}

// lead runs rounds until leadership changes.
func (r *Runner) lead(ctx context.Context, term uint64, changed <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.wg.Go(func() { // ends what a round is waiting for
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	})
	r.opts.Logger.Info("reconciling", "term", term)
	r.metrics.leading.Set(1)
	defer r.metrics.retired()
	r.retries = map[string]retry{}
	timer := time.NewTimer(roundEvery)
	defer timer.Stop()
	for ctx.Err() == nil {
		alive := r.opts.Liveness.Changed() // both before looking: what changes meanwhile is a reason for another round
		state, newer := r.opts.Metadata.Watch()
		if r.round(ctx, state) {
			timer.Reset(restEvery)
		} else {
			timer.Reset(roundEvery)
		}
		if !pause(ctx, roundPause) {
			return
		}
		select {
		case <-newer:
		case <-alive:
		case <-r.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// round plans once and does what was planned. Failovers come first: while they wait, nobody can write. It reports whether the cluster
// is at rest: nothing is planned, nor will soon be only because time passes.
func (r *Runner) round(ctx context.Context, s *catalog.State) (rest bool) {
	o := r.observe(s)
	var failovers, moves, changes, voters []Step
	begun := time.Now()
	steps := Plan(s, o)
	r.metrics.planned(s, len(steps), time.Since(begun))
	for _, step := range steps {
		switch {
		case r.tooSoon(step):
		case step.Failover != nil && step.Failover.Drain:
			if len(moves) < movesAtOnce {
				moves = append(moves, step)
			}
		case step.Failover != nil:
			failovers = append(failovers, step)
		case step.RemoveVoter != 0:
			voters = append(voters, step)
		default:
			changes = append(changes, step)
		}
	}
	for _, steps := range [][]Step{failovers, moves} {
		if len(steps) > 0 {
			r.failovers(ctx, s, o, steps)
		}
	}
	r.removeVoters(ctx, voters)
	for batch := range slices.Chunk(changes, changeBatch) {
		r.propose(ctx, batch)
	}
	return len(steps) == 0 && len(o.Wishes)+len(o.Moves) == 0 && o.calm(s)
}

func (r *Runner) removeVoters(ctx context.Context, steps []Step) {
	for _, step := range steps {
		if ctx.Err() != nil {
			return
		}
		bounded, cancel := context.WithTimeout(ctx, proposeTimeout)
		err := r.removeVoter(bounded, step.RemoveVoter)
		cancel()
		r.outcome(step, err)
	}
}

// removeVoter ends a peer's vote. This node's own is ended by the next leader: one of those that answer, but whoever knows already that this
// node was removed answers it no more, so where nobody does Raft is to find out who lives.
func (r *Runner) removeVoter(ctx context.Context, id catalog.PeerID) error {
	if id != r.opts.Self {
		return r.opts.Members.RemoveVoter(ctx, id)
	}
	state, _ := r.opts.Metadata.Watch()
	err := r.opts.Members.Handover(ctx, func(other catalog.PeerID) bool {
		return !state.Gone(other) && r.opts.Liveness.Alive(other) && !r.opts.Liveness.Draining(other)
	})
	if fault.Is(err, fault.FailedPrecondition) {
		err = r.opts.Members.Handover(ctx, func(other catalog.PeerID) bool { return !state.Gone(other) && !r.opts.Liveness.Alive(other) })
	}
	return err
}

// propose makes the steps' changes in one entry of Raft's log, if this node still leads.
func (r *Runner) propose(ctx context.Context, steps []Step) {
	if len(steps) == 0 || ctx.Err() != nil {
		return
	}
	cmds := make([]catalog.Command, len(steps))
	for i, step := range steps {
		cmds[i] = *step.Change
		if end := cmds[i].EndOperation; end != nil {
			ended := *end
			ended.At = time.Now().UnixMilli()
			cmds[i].EndOperation = &ended
		}
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	results, err := r.opts.Metadata.Propose(ctx, cmds...)
	for i, step := range steps {
		if len(results) == len(steps) {
			err = results[i].Err
		}
		r.outcome(step, err)
	}
}

// outcome counts and logs what became of a step.
func (r *Runner) outcome(step Step, err error) {
	if err != nil {
		// A conflict is no failure: the shard changed, and the next round plans on what it is now.
		if !fault.Is(err, fault.Conflict) {
			r.opts.Logger.Warn("step failed", "step", step.String(), "error", err)
		}
		r.failed(step)
		return
	}
	r.metrics.steps.WithLabelValues(step.Kind(), "done").Inc()
	r.opts.Logger.Info("step done", "step", step.String())
	if step.Failover == nil {
		delete(r.retries, step.key())
		return
	}
	r.promoted(step, *step.Change.ChangeShard.Promote)
}

func (r *Runner) promoted(step Step, p catalog.Promote) {
	if f := step.Failover; f.Drain && !slices.Contains(f.Heirs, p.Candidate) {
		r.failed(step) // nobody could take over without loss: writes must go on for a while before the next attempt
	} else {
		delete(r.retries, step.key())
	}
	if p.Unsafe {
		r.metrics.unsafe.Inc()
		r.opts.Logger.Warn("promoted with too few answers: acknowledged writes may be lost (write consistency 1)",
			"collection", uint64(step.Failover.Ref.Collection), "shard", uint32(step.Failover.Ref.Shard), "term", p.Term, "peer", uint64(p.Candidate))
	}
}
