package mover

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

const (
	stepTimeout = 5 * time.Second
	// dropLimit and dropGently bound how many points are dropped at once: the latter while other moves are under way, whose flips wait for
	// what is being applied.
	dropLimit  = 2000
	dropGently = 250
	// dropPause is between two drops, which share the log with writes.
	dropPause = 10 * time.Millisecond
)

// driver does what is next for one side of a move, for as long as this node leads that side.
type driver struct {
	m      *Mover
	opts   *Options
	side   side
	logger hclog.Logger

	small     bool      // the last pass had little to send
	passed    time.Time // the last pass of a part of a fill that waits for others
	sealing   time.Time // since when the phase is sealing, as seen here
	version   uint64    // that its seal bears
	cut       time.Time // when the last pass had its cut of the sealed source
	copied    time.Time // when what it brought was in the log here, and the seal stood
	reopened  int       // attempts at the last pass that failed
	notBefore time.Time // the next attempt
	yielding  time.Time // since when it has waited for other moves' flips
	settled   bool      // whatever was appended here about the move is applied: nothing is on its way
	sure      *assurance
}

// assurance is what a flip rests on: a last pass has ended well.
type assurance struct {
	version, term uint64 // of the move, and of the target
	flip          catalog.FlipMove
}

// assured tells whether the assurance is about the present attempt. Another primary would have to make sure for itself.
func (d *driver) assured(l look) bool {
	return d.sure != nil && d.sure.version == l.move.Version && d.sure.term == l.Term
}

// look is what a driver knows when it decides.
type look struct {
	state *catalog.State
	col   *catalog.Collection
	move  *catalog.Move
	shard *catalog.Shard
	replica.Office
}

// run ends when the move is over or this node does not lead the side any more.
func (d *driver) run(ctx context.Context) {
	for pause := d.opts.RetryMin; ctx.Err() == nil; {
		state, changed := d.opts.Metadata.Watch()
		l, ok := d.look(state)
		if !ok {
			return
		}
		waits, err := d.step(ctx, l)
		if err == nil {
			pause = d.opts.RetryMin
			if d.side.target {
				d.m.note(d.side.move, func(p *Progress) { p.Problem = "" })
			}
			if waits > 0 {
				await(ctx, changed, waits)
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		d.failed(l, err)
		await(ctx, changed, pause/2+rand.N(pause))
		pause = min(2*pause, d.opts.RetryMax)
	}
}

func (d *driver) look(state *catalog.State) (l look, ok bool) {
	l.state = state
	if l.col, l.shard, ok = state.Shard(d.side.ref); !ok {
		return l, false
	}
	if l.move, ok = l.col.Move(d.side.move); !ok {
		return l, false
	}
	l.Office, ok = d.opts.Replicas.Office(d.side.ref)
	if by := l.move.SealedBy(); by == 0 {
		d.sealing = time.Time{}
	} else if d.sealing.IsZero() || d.version != by {
		d.sealing, d.version = time.Now(), by
	}
	return l, ok
}

// idle is how long a driver waits at most that has nothing to do.
const idle = time.Second

// step does what is next. It returns how long to wait at most for the catalog to change.
func (d *driver) step(ctx context.Context, l look) (waits time.Duration, err error) {
	if d.side.target {
		return d.targetStep(ctx, l)
	}
	return d.sourceStep(ctx, l)
}

func (d *driver) sourceStep(ctx context.Context, l look) (waits time.Duration, err error) {
	switch move.SourceStep(l.move, l.Moves, d.opts.Replicas.RowsIn(d.side.ref, slot.SetOf(l.move.Slots...)) > 0) {
	case move.DoDrop:
		if len(l.shard.Slots) == 0 && l.col.GroupOf(l.shard).Excess() > 0 {
			return idle, nil // the shard itself is about to go
		}
		if wait := d.yield(l.state); wait > 0 {
			return wait, nil
		}
		return dropPause, d.control(ctx, l, move.Drop{Move: l.move.ID, Slots: l.move.Slots, Epoch: l.shard.Epoch, Limit: d.dropLimit(l.state)})
	case move.DoDone:
		return 0, d.change(ctx, l, catalog.ChangeMove{SourceDone: true})
	default:
	}
	if by := l.move.SealedBy(); by != 0 {
		if left := 2*sealFor(d.opts.SealFor, l.move) - time.Since(d.sealing); left > 0 {
			return left, nil
		}
		d.logger.Warn("the last pass lasts too long; writes go on", "version", by)
		return 0, d.change(ctx, l, catalog.ChangeMove{Reopen: true})
	}
	return idle, nil // sealed slots are unsealed by the replica itself
}

func (d *driver) targetStep(ctx context.Context, l look) (waits time.Duration, err error) {
	if in, ok := l.Moves.Incoming(l.move.ID); ok && mutation.On(mutation.EarlyFlip) {
		d.sure = &assurance{l.move.Version, l.Term, catalog.FlipMove{SourceUnsafe: in.Unsafe, TargetUnsafe: l.Shard.UnsafePromotions, Index: in.Index}}
	}
	switch move.TargetStep(l.move, l.Moves, d.assured(l)) {
	case move.DoOpen:
		return 0, d.control(ctx, l, move.Open{Move: l.move.ID, Slots: l.move.Slots})
	case move.DoPass:
		return d.copying(ctx, l)
	case move.DoLast:
		return 0, d.last(ctx, l)
	case move.DoFlip:
		return 0, d.flip(ctx, l)
	case move.DoAbort:
		return 0, d.change(ctx, l, catalog.ChangeMove{Reopen: true})
	case move.DoAccept:
		if l.move.Fill != 0 {
			d.logger.Info("the points of another shard key have been copied", "operation", uint64(l.move.Fill), "from", uint32(l.move.Source))
		}
		return 0, d.control(ctx, l, move.Accept{Move: l.move.ID})
	case move.DoForget:
		return 0, d.forget(ctx, l)
	case move.DoDrop:
		if wait := d.yield(l.state); wait > 0 {
			return wait, nil
		}
		return dropPause, d.control(ctx, l, move.Drop{Move: l.move.ID, Slots: l.move.Slots, Limit: d.dropLimit(l.state)})
	case move.DoDone:
		return 0, d.change(ctx, l, catalog.ChangeMove{TargetDone: true})
	case move.Wait, move.DoUnseal:
		if l.move.Phase == catalog.Ready {
			return d.awaiting(ctx, l)
		}
	}
	return idle, nil
}

// awaiting waits for the other parts of a fill, for as long as the seals may last.
func (d *driver) awaiting(ctx context.Context, l look) (waits time.Duration, err error) {
	left := sealFor(d.opts.SealFor, l.move) - time.Since(d.sealing)
	if left > 0 {
		return left, nil
	}
	d.giveUp(fault.New(fault.Timeout, "the other parts of operation %d were not ready in time", l.move.Fill))
	return 0, d.change(ctx, l, catalog.ChangeMove{Reopen: true})
}

// yieldFor bounds for how long at a time what can wait does so.
const yieldFor = time.Second

// yield is how long to wait, at most, for the flip of another move: while slots take no writes, disks and processors are for what ends
// that, and one flip after the other pauses writes for a shorter time than several at once, of fewer slots. 0: go on.
func (d *driver) yield(state *catalog.State) time.Duration {
	if !d.others(state, func(m *catalog.Move) bool { return m.Sealed() }) {
		d.yielding = time.Time{}
		return 0
	}
	if d.yielding.IsZero() {
		d.yielding = time.Now()
	}
	left := yieldFor - time.Since(d.yielding)
	if left <= 0 {
		d.yielding = time.Time{}
	}
	return max(0, left)
}

// giveWay waits as long as yield says.
func (d *driver) giveWay(ctx context.Context) error {
	for ctx.Err() == nil {
		state, changed := d.opts.Metadata.Watch()
		wait := d.yield(state)
		if wait == 0 {
			return nil
		}
		await(ctx, changed, wait)
	}
	return ctx.Err()
}

// others reports whether there is another move of a kind.
func (d *driver) others(state *catalog.State, kind func(*catalog.Move) bool) bool {
	for _, col := range state.Collections {
		for _, m := range col.Moves {
			if m.ID != d.side.move && kind(m) {
				return true
			}
		}
	}
	return false
}

func (d *driver) dropLimit(state *catalog.State) uint32 {
	if d.others(state, (*catalog.Move).Running) {
		return dropGently
	}
	return dropLimit
}

// forget ends the state of the move once every active replica has accepted the slots.
func (d *driver) forget(ctx context.Context, l look) error {
	bounded, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if err := d.opts.Replicas.Settled(bounded, d.side.ref); err != nil {
		return err
	}
	return d.control(ctx, l, move.Forget{Move: l.move.ID})
}

// control appends an entry. That it was out of place is no failure: what is applied says what is next.
func (d *driver) control(ctx context.Context, l look, op move.Op) error {
	d.settled = false
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	_, err := d.opts.Replicas.Control(ctx, d.side.ref, l.Term, op)
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// change changes the move in the catalog. A conflict is no failure: it has changed otherwise.
func (d *driver) change(ctx context.Context, l look, c catalog.ChangeMove) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	c.Collection, c.Move, c.Version = l.col.ID, l.move.ID, l.move.Version
	results, err := d.opts.Metadata.Propose(ctx, catalog.Command{ChangeMove: &c})
	if err == nil && len(results) == 1 {
		err = results[0].Err
	}
	if fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func (d *driver) failed(l look, err error) {
	d.opts.Metrics.failed.WithLabelValues(string(l.move.Phase)).Inc()
	level := hclog.Debug
	if fault.Is(err, fault.FailedPrecondition) || fault.Is(err, fault.Corrupt) || fault.Is(err, fault.Internal) {
		level = hclog.Warn
	}
	d.logger.Log(level, "a step of a move failed; it goes on", "phase", string(l.move.Phase), "error", err)
	if d.side.target {
		d.m.note(d.side.move, func(p *Progress) { p.Problem = err.Error() })
	}
}

// await waits for the catalog, but for a moment at least: it may change all the time for others' sake.
func await(ctx context.Context, changed <-chan struct{}, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}
