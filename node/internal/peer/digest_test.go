package peer_test

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// copies stands for the replicas that are compared.
type copies struct {
	t       *testing.T
	verdict []replica.Judgement
}

func (c *copies) DigestAt(_ context.Context, r catalog.ShardRef, gen catalog.Generation, index, pace uint64) (replica.Digest, error) {
	if r != ref || gen != 4 || pace != 9 {
		c.t.Errorf("asked for %v generation %d pace %d", r, gen, pace)
	}
	if index == 0 {
		return replica.Digest{}, fault.New(fault.Corrupt, "a record is damaged")
	}
	return replica.Digest{Index: index + 1, Exact: true, Digest: 1<<63 + 5, Points: 6}, nil
}

func (c *copies) Verdict(r catalog.ShardRef, judgements []replica.Judgement) {
	if r == ref {
		c.verdict = judgements
	}
}

func TestDigestsAndVerdictsCrossTheHop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, meta := newNetwork(), newMetadata("c", info(1), info(2))
		b := newNode(info(2), "c", meta)
		peers := &copies{t: t}
		b.copies = peers
		a := newNode(info(1), "c", meta).start(t, n)
		b.start(t, n)
		defer func() { a.stop(); b.stop() }()
		ctx := context.Background()
		got, err := a.pool.DigestAt(ctx, 2, ref, 4, 7, 9)
		if want := (replica.Digest{Index: 8, Exact: true, Digest: 1<<63 + 5, Points: 6}); err != nil || got != want {
			t.Errorf("digest %+v, %v", got, err)
		}
		if _, err := a.pool.DigestAt(ctx, 2, ref, 4, 0, 9); !fault.Is(err, fault.Corrupt) {
			t.Errorf("damage arrived as %v", err)
		}
		judgements := []replica.Judgement{{Peer: 1, Generation: 2}, {Peer: 3, Generation: 4, Differs: "it is other"}}
		if err := a.pool.Verdict(ctx, 2, ref, judgements); err != nil || !reflect.DeepEqual(peers.verdict, judgements) {
			t.Errorf("verdict %+v, %v", peers.verdict, err)
		}
		if _, err := b.pool.DigestAt(ctx, 1, ref, 4, 7, 9); !fault.Is(err, fault.Unsupported) {
			t.Errorf("a node that compares nothing: %v", err)
		}
	})
}
