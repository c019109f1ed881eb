package replica

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// busyPause bounds the pause before a source that is busy is asked again.
const busyPause = time.Second

// filler fills a generation from snapshots of the shard's primary until it is whole: only then is it a replica. It goes on
// after any failure, with whatever the primary of the day has, from what is on disk (shard.Intake).
type filler struct {
	opts     *Options
	traffic  *traffic
	ref      catalog.ShardRef
	gen      catalog.Generation
	logger   hclog.Logger
	progress progress
	mu       struct {
		sync.Mutex
		view   *catalog.Shard
		source catalog.Replica // of the attempt under way
		cancel context.CancelCauseFunc
	}
}

func newFiller(opts *Options, t *traffic, col *catalog.Collection, sh *catalog.Shard, gen catalog.Generation) *filler {
	f := &filler{
		opts: opts, traffic: t, ref: catalog.ShardRef{Collection: col.ID, Shard: sh.ID}, gen: gen,
		logger: opts.Logger.With("collection", col.Name, "shard", sh.ID),
	}
	f.mu.view = sh
	f.progress.set(func(p *Transfer) {
		*p = Transfer{Ref: f.ref, To: opts.Self, Generation: gen, Started: time.Now()}
	})
	return f
}

// learn takes the catalog's newest word. An attempt whose source leads no more is ended: the next one goes on at the new primary.
func (f *filler) learn(sh *catalog.Shard) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.view = sh
	if now, ok := sh.Replica(sh.Primary); f.mu.cancel != nil && (!ok || now.Peer != f.mu.source.Peer || now.Generation != f.mu.source.Generation) {
		f.mu.cancel(fault.New(fault.StaleEpoch, "shard %d: the source of the snapshot leads no more", f.ref.Shard))
	}
}

// run returns once the generation is whole, or with the reason why it never will be: ctx ended, or the disk is bad.
func (f *filler) run(ctx context.Context) error {
	in, err := shard.OpenIntake(f.opts.Store, uint64(f.gen))
	if err != nil {
		return fmt.Errorf("shard %d: what has been received of a snapshot: %w", f.ref.Shard, err)
	}
	for pause := f.opts.Transfers.RetryMin; !in.Whole(); {
		err := f.opts.room()
		if err == nil {
			err = f.attempt(ctx, in)
		}
		switch {
		case err == nil:
			pause = f.opts.Transfers.RetryMin
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case f.opts.Store.Err() != nil:
			return f.opts.Store.Err()
		}
		f.failed(err)
		if fault.Is(err, fault.Exhausted) {
			pause = min(pause, busyPause)
		}
		if err := pauseFor(ctx, pause/2+rand.N(pause)); err != nil {
			return err
		}
		pause = min(2*pause, f.opts.Transfers.RetryMax)
	}
	return nil
}

// failed notes why an attempt failed. That a source is busy or the catalog here older than there is no news.
func (f *filler) failed(err error) {
	level := hclog.Warn
	if fault.Is(err, fault.Exhausted) || fault.Is(err, fault.StaleEpoch) || fault.Is(err, fault.NotPrimary) {
		level = hclog.Debug
	}
	f.logger.Log(level, "receiving a snapshot failed; it will go on", "error", err)
	f.progress.set(func(p *Transfer) {
		if fault.Hint(err, disk.HintFull) == "" { // to wait for room is no failure
			p.Failures++
		}
		p.From, p.Problem = 0, err.Error()
	})
}

// attempt makes one pass, when it is this shard's turn.
func (f *filler) attempt(ctx context.Context, in *shard.Intake) (err error) {
	if err := f.traffic.in.enter(ctx); err != nil {
		return err
	}
	defer f.traffic.in.leave()
	f.opts.Metrics.transferring(directionIn, 1)
	defer f.opts.Metrics.transferring(directionIn, -1)
	defer func() { f.opts.Metrics.attempted(directionIn, err) }()
	if f.opts.Snapshots == nil {
		return fault.New(fault.Unsupported, "this node was not given a way to fetch snapshots")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	source, err := f.begin(cancel)
	if err != nil {
		return err
	}
	defer f.end()
	p := &pass{f: f, in: in, ctx: ctx}
	p.stall = time.AfterFunc(f.opts.Transfers.Stall, func() {
		cancel(fault.New(fault.Unavailable, "shard %d: nothing has arrived from peer %d for %s", f.ref.Shard, source.Peer, f.opts.Transfers.Stall))
	})
	defer p.stall.Stop()
	req := SnapshotRequest{Ref: f.ref, FromGeneration: source.Generation, To: f.opts.Self, ToGeneration: f.gen, Have: in.Have()}
	if err = f.opts.Snapshots.Snapshot(ctx, source.Peer, req, p.receive); err == nil {
		err = p.finish()
	}
	return p.reason(err)
}

// begin chooses the source: the primary, whose log the replica will have to go on with.
func (f *filler) begin(cancel context.CancelCauseFunc) (catalog.Replica, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	source, ok := f.mu.view.Replica(f.mu.view.Primary)
	if !ok || source.Peer == f.opts.Self {
		return source, fault.New(fault.StaleEpoch, "shard %d has no primary to ask for a snapshot", f.ref.Shard)
	}
	if !f.opts.Liveness.Alive(source.Peer) {
		return source, fault.New(fault.Unavailable, "the primary of shard %d, peer %d, does not answer", f.ref.Shard, source.Peer)
	}
	f.mu.source, f.mu.cancel = source, cancel
	f.progress.set(func(p *Transfer) { p.From, p.Records, p.Bytes = source.Peer, 0, 0 })
	return source, nil
}

func (f *filler) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.cancel = nil
}

// refuse answers a primary that sends to a replica which is still being filled: it holds nothing, but somebody is there. So
// it stays partial, and the primary keeps its log for it. The answer promises nothing.
func (f *filler) refuse(m replication.Message, sender Sender) {
	f.mu.Lock()
	view := f.mu.view
	f.mu.Unlock()
	refuseAppend(sender, view, f.ref, f.gen, m, 0)
}

// refuseAppend says in the name of a replica that holds nothing that an append could follow. With applied above 0 it says that
// what is held contradicts the primary's log, or cannot be read: the replica has to be made anew.
func refuseAppend(sender Sender, sh *catalog.Shard, ref catalog.ShardRef, gen catalog.Generation, m replication.Message, applied replication.Index) {
	to, ok := sh.Replica(catalog.PeerID(m.From))
	if !ok || m.Type != replication.MsgAppend {
		return
	}
	sender.Send(to.Peer, ref, to.Generation, replication.Message{
		Type: replication.MsgAppendReply, From: m.To, To: m.From, Term: m.Term, Generation: uint64(gen),
		Reject: true, PrevIndex: m.PrevIndex, Applied: applied,
	})
}

// pass is the receiving end of one stream.
type pass struct {
	f     *filler
	in    *shard.Intake
	ctx   context.Context // of the attempt
	stall *time.Timer
	begin *SnapshotBegin
	end   *SnapshotEnd
	part  []byte // of a point that goes on in the next chunk
	own   error  // found here, not told by the source
}

func (p *pass) receive(c SnapshotChunk) error {
	p.stall.Reset(p.f.opts.Transfers.Stall)
	p.own = p.take(c)
	return p.own
}

func (p *pass) take(c SnapshotChunk) error {
	switch {
	case c.Begin != nil && p.begin == nil:
		p.begin = c.Begin
		p.f.progress.set(func(t *Transfer) { t.TotalRecords, t.TotalBytes = c.Begin.Points, c.Begin.Bytes })
		p.f.logger.Info("receiving snapshot", "from", p.f.progress.get().From, "index", c.Begin.Index, "points", c.Begin.Points, "bytes", c.Begin.Bytes)
		return p.in.Begin(p.ctx, c.Begin.Index)
	case p.begin == nil || p.end != nil || c.Begin != nil:
		return fault.New(fault.Internal, "snapshot of shard %d: a chunk is out of place", p.f.ref.Shard)
	case c.End != nil:
		p.end = c.End
		return nil
	}
	return p.data(c)
}

func (p *pass) data(c SnapshotChunk) error {
	if checksum(c.Data) != c.CRC {
		// Nothing of it is taken, so what is here is as good as before.
		return fault.New(fault.Unavailable, "snapshot of shard %d: a chunk was damaged on its way", p.f.ref.Shard)
	}
	if err := p.f.opts.room(); err != nil {
		return err
	}
	p.f.opts.Metrics.transferred(directionIn, len(c.Data))
	if err := p.f.traffic.throttleIn.wait(p.ctx, len(c.Data)); err != nil {
		return err
	}
	data := c.Data
	if p.part != nil {
		data = append(p.part, data...)
	}
	if p.part = nil; c.Cut {
		p.part = data
		return nil
	}
	points, err := p.in.Take(p.ctx, data)
	p.f.progress.set(func(t *Transfer) {
		t.Records += uint64(points)
		t.Bytes += uint64(len(data))
	})
	return err
}

// finish checks what has arrived and makes it a replica, if the primary's log still reaches back to it. If not, another pass brings
// what has changed since.
func (p *pass) finish() error {
	if p.end == nil {
		return fault.New(fault.Unavailable, "the snapshot of shard %d ended early", p.f.ref.Shard)
	}
	p.stall.Stop() // reading everything back takes its time
	if p.own = p.in.Check(p.ctx, p.end.Tally); p.own != nil {
		return p.own
	}
	if p.end.LogFirst > p.begin.Index+1 {
		p.f.logger.Info("the log has gone on too far while a snapshot was received; receiving what has changed", "index", p.begin.Index, "log_first", p.end.LogFirst)
		return nil
	}
	if p.own = p.in.Complete(p.ctx, p.begin.Term, p.begin.Moves); p.own != nil {
		return p.own
	}
	t := p.f.progress.get()
	p.f.logger.Info("snapshot received and checked", "from", t.From, "index", p.begin.Index, "points", t.Records, "bytes", t.Bytes, "took", time.Since(t.Started).Round(time.Millisecond))
	return nil
}

// reason returns why an attempt failed. Where what is stored here is not what was sent, all of it goes: nobody can tell what else
// is wrong.
func (p *pass) reason(err error) error {
	if err == nil {
		return nil
	}
	if p.own != nil && fault.Is(p.own, fault.Corrupt) {
		if restart := p.in.Restart(context.WithoutCancel(p.ctx)); restart != nil {
			return restart
		}
	}
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	if p.own != nil {
		return p.own
	}
	return err
}
