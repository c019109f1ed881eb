package server

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
)

// fencer carries the reconciler's fences to replicas: by the network, or straight to those on this node.
type fencer struct{ s *Server }

// Fence implements reconcile.Fencer.
func (f fencer) Fence(ctx context.Context, to catalog.PeerID, fences []reconcile.Fence) ([]reconcile.FenceAnswer, error) {
	asked := make([]peer.Fence, len(fences))
	for i, x := range fences {
		asked[i] = peer.Fence(x)
	}
	var got []peer.FenceAnswer
	if to == f.s.id.PeerID {
		got = peer.FenceAll(ctx, f.s.replicas, asked)
	} else {
		var err error
		if got, err = f.s.network.pool.Fence(ctx, to, asked); err != nil {
			return nil, err
		}
	}
	answers := make([]reconcile.FenceAnswer, len(got))
	for i, a := range got {
		answers[i] = reconcile.FenceAnswer{
			Answered: a.Answered, Promised: a.Promised, LastTerm: a.LastTerm, LastIndex: a.LastIndex,
		}
	}
	return answers, nil
}
