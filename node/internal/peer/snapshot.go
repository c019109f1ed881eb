package peer

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// Snapshots makes snapshots of the shards that this node leads. send is called with each chunk in order.
type Snapshots interface {
	SendSnapshot(ctx context.Context, req replica.SnapshotRequest, send func(replica.SnapshotChunk) error) error
}

// Snapshot streams a consistent copy of a shard to the peer that asks.
func (s *Service) Snapshot(w *peerpb.SnapshotRequest, stream grpc.ServerStreamingServer[peerpb.SnapshotChunk]) error {
	if s.opts.Snapshots == nil {
		return fault.New(fault.Unsupported, "this node gives no snapshots")
	}
	req, err := snapshotFromWire(w)
	if err != nil {
		return err
	}
	return s.opts.Snapshots.SendSnapshot(stream.Context(), req, func(c replica.SnapshotChunk) error {
		return stream.Send(chunkToWire(c))
	})
}

// Snapshot fetches a consistent copy of a shard from a peer. receive is called with each chunk in order and owns it; its error
// ends the stream and is returned.
func (p *Pool) Snapshot(ctx context.Context, from catalog.PeerID, req replica.SnapshotRequest, receive func(replica.SnapshotChunk) error) error {
	c, err := p.conn(from)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when receive has failed
	var a attempt
	stream, err := c.Snapshot(ctx, snapshotToWire(req), a.option())
	if err != nil {
		return a.fault(ctx, err)
	}
	return receiveAll(ctx, &a, stream, func(w *peerpb.SnapshotChunk) error { return receive(chunkFromWire(w)) })
}

func snapshotToWire(r replica.SnapshotRequest) *peerpb.SnapshotRequest {
	return &peerpb.SnapshotRequest{
		Shard: refToWire(r.Ref), FromGeneration: uint64(r.FromGeneration), To: uint64(r.To), ToGeneration: uint64(r.ToGeneration),
		HaveThrough: r.Have.Through, HaveIndex: r.Have.Index,
	}
}

func snapshotFromWire(w *peerpb.SnapshotRequest) (replica.SnapshotRequest, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return replica.SnapshotRequest{}, err
	}
	r := replica.SnapshotRequest{
		Ref: ref, FromGeneration: catalog.Generation(w.GetFromGeneration()), To: catalog.PeerID(w.GetTo()),
		ToGeneration: catalog.Generation(w.GetToGeneration()), Have: shard.Have{Index: w.GetHaveIndex()},
	}
	if through := w.GetHaveThrough(); len(through) > 0 {
		if _, rest, err := point.CutKey(through); err != nil || len(rest) > 0 {
			return r, fault.New(fault.Invalid, "snapshot request: %x is not the key of a point", through)
		}
		r.Have.Through = through
	}
	return r, nil
}

func chunkToWire(c replica.SnapshotChunk) *peerpb.SnapshotChunk {
	w := &peerpb.SnapshotChunk{Data: c.Data, Crc: c.CRC, Cut: c.Cut}
	if b := c.Begin; b != nil {
		w.Begin = &peerpb.SnapshotBegin{Index: b.Index, Term: b.Term, Points: b.Points, Bytes: b.Bytes, Moves: b.Moves}
	}
	if e := c.End; e != nil {
		w.End = &peerpb.SnapshotEnd{Points: e.Tally.Points, Digest: e.Tally.Digest, LogFirst: e.LogFirst}
	}
	return w
}

func chunkFromWire(w *peerpb.SnapshotChunk) replica.SnapshotChunk {
	c := replica.SnapshotChunk{Data: w.GetData(), CRC: w.GetCrc(), Cut: w.GetCut()}
	if b := w.GetBegin(); b != nil {
		c.Begin = &replica.SnapshotBegin{Index: b.GetIndex(), Term: b.GetTerm(), Points: b.GetPoints(), Bytes: b.GetBytes(), Moves: b.GetMoves()}
	}
	if e := w.GetEnd(); e != nil {
		c.End = &replica.SnapshotEnd{Tally: shard.Tally{Points: e.GetPoints(), Digest: e.GetDigest()}, LogFirst: e.GetLogFirst()}
	}
	return c
}

func transferToWire(t *replica.Transfer) *peerpb.Transfer {
	if t == nil {
		return nil
	}
	return &peerpb.Transfer{
		From: uint64(t.From), To: uint64(t.To), Records: t.Records, TotalRecords: t.TotalRecords, Bytes: t.Bytes, TotalBytes: t.TotalBytes,
		StartedUnixMs: t.Started.UnixMilli(), Failures: t.Failures, Problem: t.Problem,
	}
}

// transferFromWire reads the transfer that a replica's status tells of.
func transferFromWire(s replica.Status, w *peerpb.Transfer) *replica.Transfer {
	if w == nil {
		return nil
	}
	return &replica.Transfer{
		Ref: s.Ref, Generation: s.Generation, From: catalog.PeerID(w.GetFrom()), To: catalog.PeerID(w.GetTo()),
		Records: w.GetRecords(), TotalRecords: w.GetTotalRecords(), Bytes: w.GetBytes(), TotalBytes: w.GetTotalBytes(),
		Started: time.UnixMilli(w.GetStartedUnixMs()), Failures: w.GetFailures(), Problem: w.GetProblem(),
	}
}
