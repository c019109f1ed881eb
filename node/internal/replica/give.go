package replica

import (
	"context"
	"hash/crc32"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// checksum is what SnapshotChunk.CRC holds.
func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// SendSnapshot makes a snapshot of the replica here, which must lead its shard, for the replica that the catalog wants to be
// filled. send is called with each chunk in order. The points are those of one moment; the shard goes on meanwhile, and what the
// reader has not taken yet holds up neither the shard nor its Close.
//
// Errors: NotPrimary, StaleEpoch and Unavailable say to look at the catalog and ask again; Exhausted that too many are on their way.
func (m *Manager) SendSnapshot(ctx context.Context, req SnapshotRequest, send func(SnapshotChunk) error) error {
	r, err := m.giver(req)
	if err != nil {
		return err
	}
	if !m.traffic.out.try() {
		return fault.New(fault.Exhausted, "this node sends as many snapshots as it may already")
	}
	defer m.traffic.out.leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g := &giver{m: m, r: r, req: req, chunks: make(chan SnapshotChunk)}
	g.progress.set(func(t *Transfer) {
		*t = Transfer{Ref: req.Ref, From: m.opts.Self, To: req.To, Generation: req.ToGeneration, Started: time.Now()}
	})
	if !r.givers.enter() {
		return errClosed
	}
	m.traffic.give(&g.progress)
	defer m.traffic.given(&g.progress)
	m.opts.Metrics.transferring(directionOut, 1)
	defer m.opts.Metrics.transferring(directionOut, -1)
	go func() {
		defer r.givers.leave()
		defer close(g.chunks)
		g.err = g.run(ctx)
		r.report(g.err)
	}()
	for chunk := range g.chunks {
		if err = send(chunk); err != nil {
			cancel()
			for range g.chunks { // until the reader has noticed
			}
		}
	}
	if err == nil {
		err = g.err
	}
	m.opts.Metrics.attempted(directionOut, err)
	return err
}

// giver returns the replica that is to give a snapshot, if it may.
func (m *Manager) giver(req SnapshotRequest) (*runner, error) {
	r, err := m.runner(req.Ref)
	if err != nil {
		return nil, err
	}
	st := r.status.Load()
	rep, ok := st.shard.Replica(req.To)
	switch {
	case r.gen != req.FromGeneration:
		return nil, fault.New(fault.StaleEpoch, "shard %d: generation %d is not the one on this node (%d)", req.Ref.Shard, req.FromGeneration, r.gen)
	case !st.Leading:
		return nil, fault.New(fault.NotPrimary, "shard %d is not led from this node", req.Ref.Shard)
	case !ok || rep.Generation != req.ToGeneration || rep.Previous == 0:
		return nil, fault.New(fault.StaleEpoch, "shard %d: this node does not know that generation %d on peer %d is to be filled", req.Ref.Shard, req.ToGeneration, req.To)
	}
	return r, nil
}

// giver reads one snapshot. It has a goroutine of its own, so that a slow receiver never keeps the shard open.
type giver struct {
	m        *Manager
	r        *runner
	req      SnapshotRequest
	chunks   chan SnapshotChunk
	progress progress
	err      error // once chunks is closed
}

func (g *giver) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.r.proposer.ctx, cancel)() // the shard's Close waits for the cut
	cut, err := g.r.shard.Cut()
	if err != nil {
		return err
	}
	defer cut.Close()
	if cut.Applied == 0 {
		return fault.New(fault.Unavailable, "shard %d: nothing is applied yet", g.req.Ref.Shard)
	}
	term, err := g.m.opts.Store.LogTerm(uint64(g.r.gen), cut.Applied)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "shard %d: the log has left its snapshot behind", g.req.Ref.Shard)
	}
	g.progress.set(func(t *Transfer) { t.TotalRecords, t.TotalBytes = cut.Points, cut.Bytes })
	begin := SnapshotBegin{Index: cut.Applied, Term: term, Points: cut.Points, Bytes: cut.Bytes, Moves: cut.Moves}
	if err := g.send(ctx, SnapshotChunk{Begin: &begin}); err != nil {
		return err
	}
	tally, err := cut.Read(ctx, g.req.Have, g.m.opts.Transfers.ChunkBytes, func(data []byte, points int) error {
		return g.data(ctx, data, points)
	})
	if err != nil {
		return err
	}
	return g.send(ctx, SnapshotChunk{End: &SnapshotEnd{Tally: tally, LogFirst: g.r.status.Load().FirstIndex}})
}

// data sends points, in several chunks if one of them is large.
func (g *giver) data(ctx context.Context, data []byte, points int) error {
	size := 2 * g.m.opts.Transfers.ChunkBytes
	for rest := data; len(rest) > 0; {
		part := rest[:min(len(rest), size)]
		rest = rest[len(part):]
		if err := g.m.traffic.throttleOut.wait(ctx, len(part)); err != nil {
			return err
		}
		if err := g.send(ctx, SnapshotChunk{Data: part, CRC: checksum(part), Cut: len(rest) > 0}); err != nil {
			return err
		}
		g.m.opts.Metrics.transferred(directionOut, len(part))
	}
	g.progress.set(func(t *Transfer) {
		t.Records += uint64(points)
		t.Bytes += uint64(len(data))
	})
	return nil
}

func (g *giver) send(ctx context.Context, c SnapshotChunk) error {
	select {
	case g.chunks <- c:
		return nil
	case <-ctx.Done():
		if g.r.proposer.ctx.Err() != nil {
			return errClosed
		}
		return ctx.Err()
	}
}

// gate counts who is inside, lets nobody in once it is closed, and waits for those inside.
type gate struct {
	mu struct {
		sync.Mutex
		closed bool
	}
	wg sync.WaitGroup
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.mu.closed {
		g.wg.Add(1)
	}
	return !g.mu.closed
}

func (g *gate) leave() { g.wg.Done() }

func (g *gate) close() {
	g.mu.Lock()
	g.mu.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}
