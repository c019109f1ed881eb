package cluster

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/audit"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Comparer compares the replicas of one shard, reading at most pace bytes a second of each (0: no bound).
type Comparer interface {
	Compare(ctx context.Context, ref catalog.ShardRef, pace uint64) (audit.Result, error)
}

// Verify compares the replicas of the shards of the collections that are named, of all when none is, one shard after the
// other. One such request is served at a time.
func (s *Service) Verify(req *clusterpb.VerifyRequest, stream grpc.ServerStreamingServer[clusterpb.VerifyResponse]) error {
	return statusOf(s.verify(stream.Context(), req, stream.Send))
}

func (s *Service) verify(ctx context.Context, req *clusterpb.VerifyRequest, send func(*clusterpb.VerifyResponse) error) error {
	if s.opts.Comparer == nil {
		return fault.New(fault.Unsupported, "this node does not compare replicas")
	}
	_, cols, err := s.find(ctx, req.GetCollections())
	if err != nil {
		return err
	}
	select {
	case s.verifying <- struct{}{}:
		defer func() { <-s.verifying }()
	default:
		return fault.New(fault.Exhausted, "this node is comparing replicas for somebody else: wait, or ask another node")
	}
	t := tally{}
	for _, col := range cols {
		t.total += uint32(len(col.Shards))
	}
	if err := send(&clusterpb.VerifyResponse{Total: t.total}); err != nil {
		return err
	}
	for _, col := range cols {
		for _, sh := range col.Shards {
			verdict, err := s.verifyShard(ctx, col, sh.ID, req.GetBytesPerSecond())
			if err != nil {
				return err
			}
			t.count(verdict)
			if err := send(&clusterpb.VerifyResponse{Done: t.done, Total: t.total, Shard: verdict}); err != nil {
				return err
			}
		}
	}
	s.opts.events().Append(t.event())
	return nil
}

func (s *Service) verifyShard(ctx context.Context, col *catalog.Collection, id catalog.ShardID, pace uint64) (*clusterpb.ShardVerdict, error) {
	r, err := s.opts.Comparer.Compare(ctx, catalog.ShardRef{Collection: col.ID, Shard: id}, pace)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	v := &clusterpb.ShardVerdict{
		Collection: col.Name, ShardId: uint32(id), Compared: r.Compared, Equal: r.Equal(), Index: r.Index, Problem: r.Problem,
	}
	if err != nil {
		v.Problem = "it was deleted meanwhile"
	}
	for _, c := range r.Copies {
		v.Replicas = append(v.Replicas, &clusterpb.ReplicaDigest{
			Peer: uint64(c.Peer), Generation: uint64(c.Generation), Primary: c.Primary, Index: c.Index,
			Digest: c.Digest, Points: c.Points, Differs: c.Differs, Problem: c.Problem,
		})
	}
	return v, nil
}

// tally counts what came of a verification.
type tally struct{ done, total, differ, uncompared uint32 }

func (t *tally) count(v *clusterpb.ShardVerdict) {
	t.done++
	for _, r := range v.GetReplicas() {
		if r.GetDiffers() {
			t.differ++
			return
		}
	}
	if !v.GetCompared() {
		t.uncompared++
	}
}

func (t *tally) event() event.Event {
	e := event.Event{Kind: event.Verified, Severity: event.Info, Text: fmt.Sprintf("the replicas of %d shards were compared: %d differ, %d could not be compared", t.total, t.differ, t.uncompared)}
	if t.differ > 0 {
		e.Severity = event.Error
	}
	return e
}

func statusOf(err error) error {
	if err == nil {
		return nil
	}
	return fault.Status(err).Err()
}
