package peer

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
)

// Confirmer proves, for linearizable reads, that a replica here leads its shard.
type Confirmer interface {
	Confirm(ctx context.Context, ref catalog.ShardRef, term uint64) (index uint64, err error)
}

// Confirm proves that the replica here leads its shard, and tells what a linearizable read has to see.
func (s *Service) Confirm(ctx context.Context, w *peerpb.ConfirmRequest) (*peerpb.ConfirmResponse, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return nil, err
	}
	if s.opts.Reads == nil {
		return nil, fault.New(fault.Unsupported, "this node does not confirm reads")
	}
	ctx, cancel := early(ctx, forAccount)
	defer cancel()
	index, err := s.opts.Reads.Confirm(ctx, ref, w.GetTerm())
	if err != nil {
		return nil, err
	}
	return &peerpb.ConfirmResponse{Index: index}, nil
}

// Confirm asks the shard's primary to prove that it leads, with the term that the sender knows. The proof is younger than the
// call: a replica that has applied up to the returned index shows every write that was committed before it.
func (p *Pool) Confirm(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, term uint64) (uint64, error) {
	resp, err := call(ctx, p, to, peerpb.PeerClient.Confirm, &peerpb.ConfirmRequest{Shard: refToWire(ref), Term: term})
	return resp.GetIndex(), err
}
