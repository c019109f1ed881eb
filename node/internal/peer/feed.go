package peer

import (
	"context"

	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// Feeds gives what moves from the shards that this node leads. send is called with each chunk in order.
type Feeds interface {
	Feed(ctx context.Context, req replica.FeedRequest, send func(replica.FeedChunk) error) error
}

// Feed streams what the slots of a move have here.
func (s *Service) Feed(w *peerpb.FeedRequest, stream grpc.ServerStreamingServer[peerpb.FeedChunk]) error {
	if s.opts.Feeds == nil {
		return fault.New(fault.Unsupported, "this node moves no slots")
	}
	req, err := feedFromWire(w)
	if err != nil {
		return err
	}
	return s.opts.Feeds.Feed(stream.Context(), req, func(c replica.FeedChunk) error { return stream.Send(feedChunkToWire(c)) })
}

// Feed fetches what the slots of a move have at its source, from the peer that leads it. receive is called with each chunk in order
// and owns it; its error ends the stream and is returned.
func (p *Pool) Feed(ctx context.Context, from catalog.PeerID, req replica.FeedRequest, receive func(replica.FeedChunk) error) error {
	c, err := p.conn(from)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when receive has failed
	var a attempt
	stream, err := c.Feed(ctx, feedToWire(req), a.option())
	if err != nil {
		return a.fault(ctx, err)
	}
	return receiveAll(ctx, &a, stream, func(w *peerpb.FeedChunk) error { return receive(feedChunkFromWire(w)) })
}

func feedToWire(r replica.FeedRequest) *peerpb.FeedRequest {
	return &peerpb.FeedRequest{
		Shard: refToWire(r.Ref), Move: uint64(r.Move), Cursor: r.Cursor, Unsafe: r.Unsafe, Cuts: r.Cuts,
		Through: r.Through, Full: r.Full, Since: r.Since, Seal: r.Seal,
	}
}

func feedFromWire(w *peerpb.FeedRequest) (replica.FeedRequest, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return replica.FeedRequest{}, err
	}
	r := replica.FeedRequest{
		Ref: ref, Move: catalog.MoveID(w.GetMove()), Cursor: w.GetCursor(), Unsafe: w.GetUnsafe(), Cuts: w.GetCuts(),
		Full: w.GetFull(), Since: w.GetSince(), Seal: w.GetSeal(),
	}
	if through := w.GetThrough(); len(through) > 0 {
		if _, rest, err := point.CutKey(through); err != nil || len(rest) > 0 {
			return r, fault.New(fault.Invalid, "feed request: %x is not the key of a point", through)
		}
		r.Through = through
	}
	return r, nil
}

func feedChunkToWire(c replica.FeedChunk) *peerpb.FeedChunk {
	w := &peerpb.FeedChunk{From: c.From, To: c.To, Last: c.Last, Data: c.Data, Crc: c.CRC, Points: uint32(c.Points)}
	if b := c.Begin; b != nil {
		w.Begin = &peerpb.FeedBegin{Cut: b.Cut, Unsafe: b.Unsafe, Full: b.Full, Sealed: b.Sealed, Points: b.Points, Changed: b.Changed}
	}
	return w
}

func feedChunkFromWire(w *peerpb.FeedChunk) replica.FeedChunk {
	c := replica.FeedChunk{CRC: w.GetCrc()}
	c.Piece = shard.Piece{From: w.GetFrom(), To: w.GetTo(), Last: w.GetLast(), Data: w.GetData(), Points: int(w.GetPoints())}
	if b := w.GetBegin(); b != nil {
		c.Begin = &replica.FeedBegin{
			Cut: b.GetCut(), Unsafe: b.GetUnsafe(), Full: b.GetFull(), Sealed: b.GetSealed(), Points: b.GetPoints(), Changed: b.GetChanged(),
		}
	}
	return c
}
