package peer

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// Digest sums up the replica here at one index.
func (s *Service) Digest(ctx context.Context, w *peerpb.DigestRequest) (*peerpb.DigestResponse, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return nil, err
	}
	if s.opts.Copies == nil {
		return nil, fault.New(fault.Unsupported, "this node does not compare copies")
	}
	d, err := s.opts.Copies.DigestAt(ctx, ref, catalog.Generation(w.GetGeneration()), w.GetIndex(), w.GetPace())
	if err != nil {
		return nil, err
	}
	return &peerpb.DigestResponse{Index: d.Index, Exact: d.Exact, Digest: d.Digest, Points: d.Points}, nil
}

// Verdict passes on what a comparison came to.
func (s *Service) Verdict(_ context.Context, w *peerpb.VerdictRequest) (*peerpb.VerdictResponse, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return nil, err
	}
	if s.opts.Copies == nil {
		return nil, fault.New(fault.Unsupported, "this node does not compare copies")
	}
	judgements := make([]replica.Judgement, len(w.GetJudgements()))
	for i, j := range w.GetJudgements() {
		judgements[i] = replica.Judgement{Peer: catalog.PeerID(j.GetPeer()), Generation: catalog.Generation(j.GetGeneration()), Differs: j.GetDiffers()}
	}
	s.opts.Copies.Verdict(ref, judgements)
	return &peerpb.VerdictResponse{}, nil
}

// DigestAt asks a peer for the sum of its replica at one index.
func (p *Pool) DigestAt(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, gen catalog.Generation, index, pace uint64) (replica.Digest, error) {
	req := &peerpb.DigestRequest{Shard: refToWire(ref), Generation: uint64(gen), Index: index, Pace: pace}
	resp, err := call(ctx, p, to, peerpb.PeerClient.Digest, req)
	return replica.Digest{Index: resp.GetIndex(), Exact: resp.GetExact(), Digest: resp.GetDigest(), Points: resp.GetPoints()}, err
}

// Verdict tells a peer what a comparison came to.
func (p *Pool) Verdict(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, judgements []replica.Judgement) error {
	req := &peerpb.VerdictRequest{Shard: refToWire(ref)}
	for _, j := range judgements {
		req.Judgements = append(req.Judgements, &peerpb.Judgement{Peer: uint64(j.Peer), Generation: uint64(j.Generation), Differs: j.Differs})
	}
	_, err := call(ctx, p, to, peerpb.PeerClient.Verdict, req)
	return err
}
