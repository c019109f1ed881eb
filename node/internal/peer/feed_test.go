package peer_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

type feedFunc func(ctx context.Context, req replica.FeedRequest, send func(replica.FeedChunk) error) error

func (f feedFunc) Feed(ctx context.Context, req replica.FeedRequest, send func(replica.FeedChunk) error) error {
	return f(ctx, req, send)
}

// feeding runs f with two members of which the second feeds moves.
func feeding(t *testing.T, feed feedFunc, f func(t *testing.T, a *node)) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		meta := newMetadata("c", info(1), info(2))
		a, b := newNode(info(1), "c", meta).start(t, n), newNode(info(2), "c", meta)
		if feed != nil {
			b.feeds = feed
		}
		b.start(t, n)
		defer func() { a.stop(); b.stop() }()
		f(t, a)
	})
}

func TestFeedsArriveAsTheyWereSent(t *testing.T) {
	asked := replica.FeedRequest{
		Ref: ref, Move: 3, Cursor: 4, Unsafe: 1, Cuts: 5, Through: point.Num(5).AppendKey(nil), Full: true, Since: 2, Seal: 9,
	}
	chunks := []replica.FeedChunk{
		{Begin: &replica.FeedBegin{Cut: 3, Unsafe: 2, Full: true, Sealed: 9, Points: 70, Changed: 6}},
		{Piece: shard.Piece{To: point.Num(7).AppendKey(nil), Data: make([]byte, 3<<20), Points: 4}, CRC: 7},
		{Piece: shard.Piece{From: point.Num(7).AppendKey(nil), Last: true, Data: []byte("end")}, CRC: 8},
	}
	feeding(t, func(_ context.Context, req replica.FeedRequest, send func(replica.FeedChunk) error) error {
		if !reflect.DeepEqual(req, asked) {
			t.Errorf("asked for %+v, want %+v", req, asked)
		}
		for _, c := range chunks {
			if err := send(c); err != nil {
				return err
			}
		}
		return nil
	}, func(t *testing.T, a *node) {
		var got []replica.FeedChunk
		err := a.pool.Feed(context.Background(), 2, asked, func(c replica.FeedChunk) error {
			got = append(got, c)
			return nil
		})
		if err != nil || !reflect.DeepEqual(got, chunks) {
			t.Errorf("%d chunks of %d arrived, or others: %v", len(got), len(chunks), err)
		}
		full := errors.New("enough")
		if err := a.pool.Feed(context.Background(), 2, asked, func(replica.FeedChunk) error { return full }); !errors.Is(err, full) {
			t.Errorf("got %v, want what the receiver said", err)
		}
		bad := asked
		bad.Through = []byte{9}
		if err := a.pool.Feed(context.Background(), 2, bad, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("a key that is none: %v", err)
		}
	})
	feeding(t, func(context.Context, replica.FeedRequest, func(replica.FeedChunk) error) error {
		return fault.New(fault.FailedPrecondition, "too much").With(replica.HintFull, "true")
	}, func(t *testing.T, a *node) {
		err := a.pool.Feed(context.Background(), 2, asked, nil)
		if !fault.Is(err, fault.FailedPrecondition) || fault.Hint(err, replica.HintFull) == "" {
			t.Errorf("got %v", err)
		}
	})
	feeding(t, nil, func(t *testing.T, a *node) {
		if err := a.pool.Feed(context.Background(), 2, asked, nil); !fault.Is(err, fault.Unsupported) {
			t.Errorf("got %v", err)
		}
	})
}
