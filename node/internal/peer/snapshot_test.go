package peer_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

type snapshotFunc func(ctx context.Context, req replica.SnapshotRequest, send func(replica.SnapshotChunk) error) error

func (f snapshotFunc) SendSnapshot(ctx context.Context, req replica.SnapshotRequest, send func(replica.SnapshotChunk) error) error {
	return f(ctx, req, send)
}

// giving runs f with two members of which the second gives snapshots.
func giving(t *testing.T, give snapshotFunc, f func(t *testing.T, a *node)) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		meta := newMetadata("c", info(1), info(2))
		a, b := newNode(info(1), "c", meta).start(t, n), newNode(info(2), "c", meta)
		if give != nil {
			b.snapshots = give
		}
		b.start(t, n)
		defer func() { a.stop(); b.stop() }()
		f(t, a)
	})
}

var request = replica.SnapshotRequest{
	Ref: ref, FromGeneration: 4, To: 1, ToGeneration: 9, Have: shard.Have{Through: point.Num(5).AppendKey(nil), Index: 12},
}

func TestSnapshotsArriveAsTheyWereSent(t *testing.T) {
	chunks := []replica.SnapshotChunk{
		{Begin: &replica.SnapshotBegin{Index: 3, Term: 2, Points: 5, Bytes: 70, Moves: []byte{1, 2}}},
		{Data: make([]byte, 3<<20), CRC: 7, Cut: true}, {Data: []byte("end"), CRC: 8},
		{End: &replica.SnapshotEnd{Tally: shard.Tally{Points: 5, Digest: 1 << 63}, LogFirst: 2}},
	}
	giving(t, func(_ context.Context, req replica.SnapshotRequest, send func(replica.SnapshotChunk) error) error {
		if !reflect.DeepEqual(req, request) {
			t.Errorf("asked for %+v, want %+v", req, request)
		}
		for _, c := range chunks {
			if err := send(c); err != nil {
				return err
			}
		}
		return nil
	}, func(t *testing.T, a *node) {
		var got []replica.SnapshotChunk
		err := a.pool.Snapshot(context.Background(), 2, request, func(c replica.SnapshotChunk) error {
			got = append(got, c)
			return nil
		})
		if err != nil || !reflect.DeepEqual(got, chunks) {
			t.Errorf("%d chunks of %d arrived, or others: %v", len(got), len(chunks), err)
		}
	})
}

func TestAReceiverThatFailsEndsTheStream(t *testing.T) {
	full := errors.New("disk full")
	ended := make(chan error, 1)
	giving(t, func(_ context.Context, _ replica.SnapshotRequest, send func(replica.SnapshotChunk) error) error {
		for {
			if err := send(replica.SnapshotChunk{Data: make([]byte, 1<<20)}); err != nil {
				ended <- err
				return err
			}
		}
	}, func(t *testing.T, a *node) {
		if err := a.pool.Snapshot(context.Background(), 2, request, func(replica.SnapshotChunk) error { return full }); !errors.Is(err, full) {
			t.Errorf("got %v, want what the receiver said", err)
		}
		<-ended
	})
}

func TestASourceThatRefusesSaysWhy(t *testing.T) {
	none := func(replica.SnapshotChunk) error { return nil }
	giving(t, func(context.Context, replica.SnapshotRequest, func(replica.SnapshotChunk) error) error {
		return fault.New(fault.Exhausted, "busy")
	}, func(t *testing.T, a *node) {
		if err := a.pool.Snapshot(context.Background(), 2, request, none); !fault.Is(err, fault.Exhausted) {
			t.Errorf("got %v, want Exhausted", err)
		}
		bad := request
		bad.Have.Through = []byte{9, 9}
		if err := a.pool.Snapshot(context.Background(), 2, bad, none); !fault.Is(err, fault.Invalid) {
			t.Errorf("a key that is none: %v, want Invalid", err)
		}
		if err := a.pool.Snapshot(context.Background(), catalog.PeerID(99), request, none); !fault.Is(err, fault.Unavailable) {
			t.Errorf("a peer that does not exist: %v, want Unavailable", err)
		}
	})
	giving(t, nil, func(t *testing.T, a *node) {
		if err := a.pool.Snapshot(context.Background(), 2, request, none); !fault.Is(err, fault.Unsupported) {
			t.Errorf("got %v, want Unsupported", err)
		}
	})
}
