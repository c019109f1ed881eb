package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

var errClosed = fault.New(fault.Unavailable, "this replica is closed on this node")

// runner is one local replica at work. Its goroutine (run) owns core, log and writes; everything else reaches it
// through inbox. Two kinds of helper goroutine work for it, at most one of each at a time: one makes a Ready
// durable, one applies committed entries; both report to the runner and end before Close returns.
type runner struct {
	ref    catalog.ShardRef
	gen    catalog.Generation
	opts   *Options
	logger hclog.Logger

	inbox     *inbox
	persisted chan error
	applied   chan applyResult
	wg        sync.WaitGroup // run and its helpers
	cancel    context.CancelFunc

	core      *replication.Core
	log       *entryLog
	shard     *shard.Shard
	view      *catalog.Shard
	standing  *move.Standing // what the same catalog says of the shard's slots
	declared  int            // copies of the shard that are declared
	moves     *move.State    // the shard's, as applied
	reign     reign
	writes    writes
	fences    []*fence
	yielding  yielding
	stops     []*stop
	confirms  []*confirmation // reads that wait, by round
	watches   []*watch
	pending   *replication.Ready // being made durable
	applying  bool
	wanted    *shard.Schema // that the shard is to follow, nil if it does
	retention retention
	rebuilds  rebuilds
	givers    gate // who reads snapshots from the shard
	appliedTo replication.Index
	committed replication.Index // what the log holds and may be applied: behind the core's until a Ready is durable
	led       bool
	crowding  bool   // somebody's disk is full
	lag       uint64 // of the replica furthest behind, as of the last tick
	proposer  *proposer
	mark      watermark // applied, for readers
	status    atomic.Pointer[Status]
	differs   atomic.Pointer[string] // what Judge noted
	failure   error
}

// openRunner loads a replica from disk and starts it. v is the catalog's newest view of its shard.
func openRunner(opts *Options, col *catalog.Collection, v *catalog.Shard, st *move.Standing, gen catalog.Generation) (*runner, error) {
	ref := catalog.ShardRef{Collection: col.ID, Shard: v.ID}
	log, err := openLog(opts.Store, uint64(gen), opts.logBounds())
	if err != nil {
		return nil, err
	}
	hs, err := opts.Store.HardState(uint64(gen))
	if err != nil {
		return nil, fmt.Errorf("read hard state of shard %d: %w", ref.Shard, err)
	}
	if mutation.On(mutation.ForgottenPromise) {
		hs = kv.HardState{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	sh, err := shard.Open(shard.Options{
		Store: opts.Store, Generation: uint64(gen), Schema: SchemaOf(col), Logger: opts.Logger.Named("shard"), Dir: opts.IndexDir, Builds: opts.builds,
		Pool: opts.Indexing, Closing: ctx.Done(),
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open shard %d: %w", ref.Shard, err)
	}
	r := &runner{
		ref: ref, gen: gen, opts: opts, log: log, shard: sh, cancel: cancel,
		logger: opts.Logger.With("collection", col.Name, "shard", ref.Shard),
		inbox:  newInbox(), persisted: make(chan error, 1), applied: make(chan applyResult, 1),
		appliedTo: replication.Index(sh.Applied()),
	}
	r.retention.done = make(chan error, 1)
	r.proposer = newProposer(ctx, r)
	config := replication.Config{
		Self: replication.PeerID(opts.Self), Generation: uint64(gen), Log: log, Applied: r.appliedTo,
		State:   replication.HardState{Promised: replication.Term(hs.Promised), Led: replication.Term(hs.Led)},
		Options: replication.Options{Charge: true},
	}
	if err := config.Check(); err != nil {
		cancel()
		return nil, fault.Wrap(fault.Corrupt, errors.Join(err, sh.Close()), "replica of shard %d on disk", ref.Shard)
	}
	r.core = replication.New(config)
	r.mark.raise(sh.Applied())
	r.moves = sh.Moves()
	r.learn(v, col.WantedQuorum(v), st)
	r.publish()
	r.wg.Add(1)
	go r.run(ctx)
	return r, nil
}

// close ends the replica's goroutines and its shard, and answers everybody who still waits.
func (r *runner) close() error {
	r.cancel()
	r.wg.Wait()
	r.proposer.close()
	r.givers.close()
	left := r.inbox.close()
	r.watches = append(r.watches, left.watches...)
	r.endWatches(errClosed)
	r.refuse(left.writes, errClosed)
	answerFences(append(r.fences, left.fences...), errClosed)
	r.yielding.abandon(r, errClosed)
	answerStops(append(r.stops, left.stops...), errClosed)
	refuseConfirmations(append(r.confirms, left.confirms...), errClosed)
	r.writes.abandon(unknownOutcome(r.ref, "this node is shutting down"))
	return r.shard.Close()
}

func (r *runner) run(ctx context.Context) {
	defer r.wg.Done()
	for {
		select {
		case <-ctx.Done():
			r.drainHelpers()
			return
		case <-r.inbox.wake:
			r.handle(r.inbox.take())
		case err := <-r.persisted:
			r.finish(err)
		case done := <-r.applied:
			r.applyDone(done)
		case err := <-r.retention.done:
			r.retained(err)
		}
		if r.failure == nil {
			r.pump(ctx)
		}
		r.watched()
		r.publish()
	}
}

// drainHelpers waits for the helpers at work, so that nothing touches the shard or the log afterwards.
func (r *runner) drainHelpers() {
	var errs []error
	if r.pending != nil {
		errs = append(errs, <-r.persisted)
	}
	if r.applying {
		errs = append(errs, (<-r.applied).err)
	}
	if r.retention.busy {
		errs = append(errs, <-r.retention.done)
	}
	if err := errors.Join(errs...); err != nil && !errors.Is(err, kv.ErrFull) {
		r.logger.Warn("the last writes of a closing replica failed; nobody was told that they are safe", "error", err)
	}
}

// handle feeds what came in to the protocol. Metadata goes first, so that messages meet the newest view.
func (r *runner) handle(ev events) {
	if r.failure != nil {
		r.turnAway(ev)
		return
	}
	if ev.view != nil {
		r.declared = ev.declared
		r.learn(ev.view, ev.quorum, ev.standing)
		r.wanted = ev.schema
	}
	for _, m := range ev.messages {
		r.core.Step(m)
		r.hear(m)
	}
	for _, f := range ev.fences {
		r.fence(f)
	}
	for _, id := range ev.away {
		r.core.Unreachable(replication.PeerID(id))
	}
	for _, id := range ev.back {
		r.core.Reachable(replication.PeerID(id))
	}
	for _, id := range ev.paid {
		r.core.Paid(id)
	}
	if ev.tick {
		r.core.Tick()
		r.crowd()
		r.yielding.ticks--
		r.lag = lagOf(r.core.Status())
		r.rebuild()
		r.forgetConfirmations()
	}
	r.retention.again = r.retention.again || ev.full
	r.office()
	r.slotDuties()
	for _, w := range ev.writes {
		if r.yielding.busy() {
			r.yielding.park(w)
		} else {
			r.propose(w)
		}
	}
	for _, q := range ev.confirms {
		r.confirm(q)
	}
	r.watches = append(r.watches, ev.watches...)
	r.stops = append(r.stops, ev.stops...)
	r.stopsDue()
	if ev.damage != nil {
		r.damaged(ev.damage)
	}
}

// turnAway answers what came in to a replica that has failed.
func (r *runner) turnAway(ev events) {
	if ev.view != nil {
		r.view = ev.view
	}
	for _, m := range ev.messages {
		refuseDamaged(r.opts.Sender, r.view, r.ref, r.gen, m, r.failure)
	}
	r.refuse(ev.writes, r.failure)
	answerFences(ev.fences, r.failure)
	answerStops(ev.stops, r.failure)
	r.watches = append(r.watches, ev.watches...)
	refuseConfirmations(ev.confirms, fault.Wrap(fault.Unavailable, r.failure, "this replica has failed"))
}

// learn takes the catalog's newest word on the shard.
func (r *runner) learn(v *catalog.Shard, quorum int, st *move.Standing) {
	if r.view != nil && v.Version < r.view.Version {
		return
	}
	r.view = v
	r.core.Learn(viewOf(v))
	r.core.WantQuorum(quorum)
	r.proposer.learned(v.Version)
	r.standing = st
	r.shard.SetStanding(st)
	r.mark.ring()
}

func (r *runner) propose(w *write) {
	if w.gone.Load() {
		return // nobody waits for it: it costs no work
	}
	if w.term > replication.Term(r.view.Term) {
		w.done <- outcome{err: fault.New(fault.StaleEpoch, "shard %d: this node knows term %d, the request is of term %d", r.ref.Shard, r.view.Term, w.term)}
		return
	}
	err := r.admit(w)
	if err == nil && (w.grows || r.fills(w)) {
		err = r.crowded()
	}
	var index replication.Index
	if err == nil {
		index, err = r.core.Propose(w.op)
	}
	if err != nil {
		r.opts.Metrics.refused(err)
		w.done <- outcome{err: refusedBy(r.ref, err)}
		return
	}
	r.appended(w)
	w.index = index
	if w.stood != nil {
		close(w.stood)
	}
	r.writes.add(w)
}

func (r *runner) refuse(ws []*write, err error) {
	for _, w := range ws {
		w.done <- outcome{err: err}
	}
}

// pump makes the protocol's effects until it has none that could be started now.
func (r *runner) pump(ctx context.Context) {
	for r.failure == nil && r.pending == nil && r.core.HasReady() {
		rd := r.core.Ready()
		r.send(rd.Early)
		r.pay(ctx, rd.Charges)
		if rd.State == nil && rd.TruncateFrom == 0 && len(rd.Append) == 0 {
			r.effects(rd)
			continue
		}
		if mutation.On(mutation.EarlyReply) {
			r.send(rd.Messages)
		}
		r.persist(ctx, rd)
	}
	r.office()
	r.leadership()
	r.startApply(ctx)
	r.retain(ctx)
	r.writes.release(r.core.CommitIndex(), r.core.CompletedIndex())
	r.confirmed()
	if r.yielded() {
		r.pump(ctx)
	}
}

// persist starts the durable step of rd. The runner goes on meanwhile: what comes in gathers for the next Ready.
func (r *runner) persist(ctx context.Context, rd replication.Ready) {
	r.pending = &rd
	batch := r.log.stage(rd)
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		start := time.Now()
		// A commit that has begun is awaited, or its outcome would be unknown to the log. On a full disk it has not begun.
		err := r.opts.Store.CommitUntil(ctx.Done(), batch)
		r.opts.Metrics.persisted(time.Since(start))
		r.persisted <- err
	}()
}

// finish ends the durable step.
func (r *runner) finish(err error) {
	rd := *r.pending
	r.pending = nil
	if err != nil {
		r.fail(fmt.Errorf("write the log of shard %d: %w", r.ref.Shard, err))
		return
	}
	r.log.staged(rd)
	r.effects(rd)
}

// effects makes what may happen once rd is durable.
func (r *runner) effects(rd replication.Ready) {
	r.core.Advance()
	r.committed = max(r.committed, rd.Commit)
	r.send(rd.Messages)
	if rd.Change != nil {
		r.proposer.propose(*rd.Change)
	}
	if rd.WantPromotion != 0 {
		r.opts.Promoter.WantPromotion(r.ref, uint64(rd.WantPromotion))
	}
}

func (r *runner) send(messages []replication.Message) {
	for _, m := range messages {
		if m.Type == replication.MsgFenceReply {
			r.fenced(m)
			continue
		}
		to := catalog.PeerID(m.To)
		if rep, ok := r.view.Replica(to); ok {
			r.opts.Sender.Send(to, r.ref, rep.Generation, m)
		}
	}
}

// leadership notices when this replica begins or ceases to lead.
func (r *runner) leadership() {
	leading := r.core.Leading()
	if leading == r.led {
		return
	}
	r.led = leading
	if leading {
		r.logger.Info("leading shard", "term", r.view.Term)
		return
	}
	r.logger.Info("no longer leading shard", "term", r.view.Term)
}

// fail stops the replica for good: its disk, or what it read from it, cannot be trusted. A restart tries again.
func (r *runner) fail(err error) {
	if errors.Is(err, kv.ErrFull) {
		return // nothing was written: it gave up waiting for room, for it is about to be closed
	}
	r.failure = err
	r.logger.Error("replica failed", "error", err)
	why := fault.Wrap(fault.Unavailable, err, "this replica has failed")
	r.writes.abandon(unknownOutcome(r.ref, "its primary failed"))
	r.yielding.abandon(r, why)
	answerFences(r.fences, why)
	answerStops(r.stops, why)
	refuseConfirmations(r.confirms, why)
	r.fences, r.stops, r.confirms = nil, nil, nil
}

func unknownOutcome(ref catalog.ShardRef, why string) error {
	return fault.New(fault.Unavailable, "shard %d: %s before enough replicas had answered; the write may still be committed", ref.Shard, why).
		With(fault.HintOutcome, fault.OutcomeUnknown)
}
