package mover

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

const (
	// inFlight bounds, in bytes and entries, what a pass has in the log and not yet applied.
	inFlightBytes   = 4 << 20
	inFlightEntries = 64
	// stall ends a pass to which nothing comes.
	stall = 30 * time.Second
	// nearPause is between the passes of a part of a fill that waits for the others.
	nearPause = 250 * time.Millisecond
	// betweenPasses lets changes gather.
	betweenPasses = 20 * time.Millisecond
	// turnSpread keeps those who have waited for the same flip from beginning theirs at once.
	turnSpread = 10 * time.Millisecond
)

// copying makes a pass or, after a small one, has the last one begin.
func (d *driver) copying(ctx context.Context, l look) (waits time.Duration, err error) {
	if wait := d.yield(l.state); wait > 0 {
		return wait, nil
	}
	if l.move.Near {
		return d.near(ctx, l)
	}
	if !d.small {
		p, err := d.pass(ctx, l, 0)
		if err != nil {
			return 0, err
		}
		d.small = !p.begin.Full && p.begin.Changed <= uint64(d.opts.Small)
		return 0, nil
	}
	if left := time.Until(d.notBefore); left > 0 {
		d.small = false // by then there is more
		return left, nil
	}
	if err := d.safe(ctx, l); err != nil {
		d.small = false
		return 0, err
	}
	d.small = false
	p, err := d.pass(ctx, l, 0) // what has changed while that was made sure of
	if err != nil {
		return 0, err
	}
	if p.begin.Full || p.begin.Changed > uint64(d.opts.Small) {
		return betweenPasses, nil
	}
	if pause(ctx, rand.N(turnSpread)) != nil {
		return 0, ctx.Err()
	}
	if now, _ := d.opts.Metadata.Watch(); d.yield(now) > 0 {
		d.small = true
		return 0, nil
	}
	return 0, d.change(ctx, l, catalog.ChangeMove{Seal: true})
}

// near keeps a part of a fill that lacks little from lacking more, until the others are as far.
func (d *driver) near(ctx context.Context, l look) (waits time.Duration, err error) {
	d.small = false // of the next attempt, if the others give this one up
	if left := nearPause - time.Since(d.passed); left > 0 {
		return left, nil
	}
	_, err = d.pass(ctx, l, 0)
	d.passed = time.Now()
	return nearPause, err
}

// safe makes sure that the slots are as safe at the target as at the source: as many active replicas, all of which hold what has come.
func (d *driver) safe(ctx context.Context, l look) error {
	source, ok := l.col.Shard(l.move.Source)
	if !ok {
		return nil
	}
	if want := min(len(source.Active()), l.col.Factor(l.shard)); len(l.shard.Active()) < want {
		return fault.New(fault.FailedPrecondition, "shard %d has %d active replicas of %d: it has to have them before it owns more slots",
			l.shard.ID, len(l.shard.Active()), want)
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return d.opts.Replicas.Settled(ctx, d.side.ref)
}

// again is how soon the last pass is tried again: until it ends, writes may have to wait.
const again = 5 * time.Millisecond

// After shortSeals attempts each further one may last twice as long, up to 1<<sealDoublings times.
const (
	shortSeals    = 4
	sealDoublings = 4
)

// sealFor bounds an attempt at the last pass, by the version of its sealing: each attempt takes two, or four at most of a part of a fill, so that
// both sides count alike, whoever drives them. A cluster that is too slow for short pauses gets there with longer ones.
func sealFor(short time.Duration, m *catalog.Move) time.Duration {
	attempt := m.SealedBy() / 2
	if m.Fill != 0 {
		attempt /= 2
	}
	return short << min(max(attempt, shortSeals)-shortSeals, sealDoublings)
}

// last makes the last pass and then the flip, or gives the attempt up.
func (d *driver) last(ctx context.Context, l look) error {
	bounded, cancel := context.WithTimeout(ctx, sealFor(d.opts.SealFor, l.move)-time.Since(d.sealing))
	defer cancel()
	for {
		p, err := d.pass(bounded, l, l.move.Version)
		if err == nil {
			d.cut, d.copied, d.sure = p.begun, time.Now(), p.assurance()
			return d.flip(ctx, l)
		}
		if ctx.Err() != nil {
			return err
		}
		if fault.Hint(err, replica.HintFull) != "" || pause(bounded, again) != nil {
			d.giveUp(err)
			return d.change(ctx, l, catalog.ChangeMove{Reopen: true})
		}
		state, _ := d.opts.Metadata.Watch()
		now, leads := d.look(state)
		if !leads || now.move.Version != l.move.Version {
			return nil // another primary makes the attempt, or it is over
		}
		l = now // a part may have been applied
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *driver) giveUp(why error) {
	d.reopened++
	wait := min(d.opts.RetryMin<<min(d.reopened, 10), d.opts.RetryMax)
	d.notBefore = time.Now().Add(wait)
	d.logger.Warn("the last pass did not end in time; writes go on", "attempts", d.reopened, "pause", time.Since(d.sealing).Round(time.Millisecond), "again_in", wait, "error", why)
	d.m.note(d.side.move, func(p *Progress) { p.Attempts, p.Problem = d.reopened, why.Error() })
}

func (d *driver) flip(ctx context.Context, l look) error {
	flip := d.sure.flip
	err := d.change(ctx, l, catalog.ChangeMove{Flip: &flip})
	switch {
	case err == nil && l.move.Fill != 0:
		return nil // the last part of the fill makes the flip
	case err == nil:
		d.flipped(l)
		return nil
	}
	if fault.Is(err, fault.FailedPrecondition) || time.Since(d.sealing) >= sealFor(d.opts.SealFor, l.move) {
		d.giveUp(err)
		return d.change(ctx, l, catalog.ChangeMove{Reopen: true})
	}
	return err
}

// flipped tells how long writes had to wait, and for what: until the source took none and had its cut, until what that brought was in
// the log here and the seal stood there, until the catalog showed the flip here.
func (d *driver) flipped(l look) {
	now := time.Now()
	d.opts.Metrics.flipped(now.Sub(d.sealing))
	if d.cut.Before(d.sealing) { // by another primary
		d.cut, d.copied = d.sealing, d.sealing
	}
	step := func(from, to time.Time) time.Duration { return to.Sub(from).Round(100 * time.Microsecond) }
	d.logger.Info("slots have changed their shard", "from", uint32(l.move.Source), "slots", slot.Total(l.move.Slots),
		"pause", step(d.sealing, now), "sealing", step(d.sealing, d.cut), "copying", step(d.cut, d.copied), "flipping", step(d.copied, now))
}

// pass is one stream from the source into the target's log.
type pass struct {
	d      *driver
	l      look
	ctx    context.Context
	begin  *replica.FeedBegin
	begun  time.Time // when that came
	last   bool      // writes of the slots wait for its end
	part   uint32
	from   uint64 // cursor
	unsafe uint64 // what the rows here are of
	done   bool
	sent   []sent
	bytes  int // of sent
	stall  *time.Timer

	// Of a last pass: what will be known of the move once all that was sent is applied, if that can be told, else nil. It can where
	// nothing else is on its way: then what is committed will be in its place, and a flip need not wait for it to be applied.
	foreseen *move.State
	index    uint64 // of the entry sent last, once that is awaited
}

type sent struct {
	entry *replica.Submitted
	bytes int
}

// pass brings the target up to date with a cut of the source; seal, if not 0, makes it the last one.
func (d *driver) pass(ctx context.Context, l look, seal uint64) (*pass, error) {
	in, ok := l.Moves.Incoming(l.move.ID)
	if !ok {
		return nil, fault.New(fault.Unavailable, "the move is not begun here")
	}
	source := catalog.ShardRef{Collection: l.col.ID, Shard: l.move.Source}
	_, sh, ok := l.state.Shard(source)
	if !ok {
		return nil, fault.New(fault.Unavailable, "shard %d is gone", l.move.Source)
	}
	if seal == 0 {
		leave, err := d.arrive(ctx, in)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &pass{d: d, l: l, ctx: ctx, from: in.Cursor, unsafe: in.Unsafe, last: seal != 0}
	if p.last && d.settled {
		p.foreseen = l.Moves
	}
	d.settled = false
	p.stall = time.AfterFunc(stall, func() {
		cancel(fault.New(fault.Unavailable, "nothing has come from shard %d for %s", l.move.Source, stall))
	})
	defer p.stall.Stop()
	req := replica.FeedRequest{
		Ref: source, Move: l.move.ID, Cursor: in.Cursor, Unsafe: in.Unsafe, Cuts: in.Cuts,
		Through: in.Through, Full: in.Full, Since: in.Since, Seal: seal,
	}
	err := d.feed(ctx, sh.Primary, req, p.receive)
	if err == nil {
		err = p.finish()
	}
	if err != nil && ctx.Err() != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
	}
	if err != nil {
		return nil, fmt.Errorf("move %d from shard %d: %w", l.move.ID, l.move.Source, err)
	}
	d.settled = !p.last
	return p, nil
}

// arrive takes a place among the transfers to this node, for a pass over all points.
func (d *driver) arrive(ctx context.Context, in *move.Incoming) (leave func(), err error) {
	if in.Cursor != 0 {
		return func() {}, nil
	}
	return d.opts.Replicas.Arrive(ctx)
}

func (d *driver) feed(ctx context.Context, from catalog.PeerID, req replica.FeedRequest, receive func(replica.FeedChunk) error) error {
	if from == d.opts.Self {
		return d.opts.Replicas.Feed(ctx, req, receive)
	}
	return d.opts.Feeds.Feed(ctx, from, req, receive)
}

func (p *pass) receive(c replica.FeedChunk) error {
	p.stall.Reset(stall)
	switch {
	case c.Begin != nil && p.begin == nil:
		p.begin, p.begun = c.Begin, time.Now()
		if p.last && (c.Begin.Full || c.Begin.Sealed != p.l.move.Version || c.Begin.Unsafe != p.unsafe) {
			return fault.New(fault.Internal, "shard %d sends another pass than the last", p.l.move.Source)
		}
		if !c.Begin.Full {
			return nil
		}
		p.d.m.note(p.l.move.ID, func(g *Progress) { g.Points, g.TotalPoints = 0, c.Begin.Points })
		p.d.logger.Info("receiving all points of the slots", "from", uint32(p.l.move.Source), "points", c.Begin.Points, "index", c.Begin.Cut)
		return p.submit(move.Begin{Move: p.l.move.ID, Cut: c.Begin.Cut, Unsafe: c.Begin.Unsafe}, 0)
	case c.Begin != nil || p.begin == nil || p.done:
		return fault.New(fault.Internal, "a chunk is out of place")
	case !c.Intact():
		return fault.New(fault.Unavailable, "a chunk was damaged on its way")
	}
	p.done = c.Last
	p.d.opts.Metrics.arrived(c.Points, len(c.Data))
	p.d.m.note(p.l.move.ID, func(g *Progress) {
		g.Bytes += uint64(len(c.Data))
		if p.begin.Full {
			g.Points += uint64(c.Points)
		}
	})
	if !p.begin.Full {
		p.part++
		sealed := uint64(0)
		if c.Last {
			sealed = p.begin.Sealed
		}
		return p.submit(move.Delta{
			Move: p.l.move.ID, After: p.from, To: p.begin.Cut, Part: p.part - 1, Last: c.Last, Sealed: sealed, Data: c.Data,
		}, len(c.Data))
	}
	if err := p.d.giveWay(p.ctx); err != nil {
		return err
	}
	if err := p.d.opts.Replicas.Throttle(p.ctx, len(c.Data)); err != nil {
		return err
	}
	return p.submit(move.Chunk{Move: p.l.move.ID, Cut: p.begin.Cut, From: c.From, To: c.To, Last: c.Last, Data: c.Data}, len(c.Data))
}

// submit appends an entry; of those before it only so much may still be on its way.
func (p *pass) submit(op move.Op, bytes int) error {
	for len(p.sent) > 0 && (len(p.sent) >= inFlightEntries || p.bytes+bytes > inFlightBytes) {
		if err := p.await(); err != nil {
			return err
		}
	}
	submit := p.d.opts.Replicas.Submit
	if p.last {
		submit = p.d.opts.Replicas.SubmitHere
	}
	if p.foreseen != nil {
		if err := p.foreseen.Permit(op); err != nil {
			return err
		}
		p.foreseen = p.foreseen.After(op, 0, move.Found{})
	}
	entry, err := submit(p.d.side.ref, p.l.Term, op)
	if err != nil {
		return err
	}
	p.sent, p.bytes = append(p.sent, sent{entry, bytes}), p.bytes+bytes
	return nil
}

// await waits for the first entry on its way.
func (p *pass) await() error {
	first := p.sent[0]
	p.sent, p.bytes = p.sent[1:], p.bytes-first.bytes
	wait := first.entry.Wait
	if p.foreseen != nil {
		wait = first.entry.Held
	}
	var err error
	p.index, err = wait(p.ctx)
	return err
}

func (p *pass) finish() error {
	for len(p.sent) > 0 {
		if err := p.await(); err != nil {
			return err
		}
	}
	if !p.done {
		return fault.New(fault.Unavailable, "the stream ended early")
	}
	if p.last && p.foreseen == nil {
		return p.inPlace()
	}
	return nil
}

// inPlace looks whether what a last pass has brought was in its place, now that it is applied.
func (p *pass) inPlace() error {
	o, _ := p.d.opts.Replicas.Office(p.d.side.ref)
	if in, ok := o.Moves.Incoming(p.l.move.ID); !ok || o.Term != p.l.Term || in.Sealed != p.l.move.Version || in.Index != p.index {
		return fault.New(fault.Unavailable, "what has come was not in its place")
	}
	return nil
}

// assurance is what a last pass that has ended well permits. The unsafe promotions are those of the time before it (M6).
func (p *pass) assurance() *assurance {
	return &assurance{p.l.move.Version, p.l.Term, catalog.FlipMove{
		SourceUnsafe: p.unsafe, TargetUnsafe: p.l.Shard.UnsafePromotions, Index: p.index,
	}}
}
