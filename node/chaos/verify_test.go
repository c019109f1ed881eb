//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// compare lets the nodes compare the digests of all replicas, and looks for promotions that may have lost something: all collections
// here have a write consistency that forbids them.
func (c *cluster) compare(ctx context.Context, t *testing.T) {
	t.Helper()
	cluster := clusterpb.NewClusterClient(c.nodes[0].dial())
	placement, err := cluster.GetPlacement(ctx, &clusterpb.GetPlacementRequest{})
	must(t, err)
	for _, col := range placement.GetCollections() {
		for _, s := range col.GetShards() {
			if n := s.GetUnsafePromotions(); n > 0 {
				t.Errorf("%s shard %d had %d unsafe promotions", col.GetCollection(), s.GetShardId(), n)
			}
		}
	}
	shards := 0
	eventually(ctx, t, "the digests of all replicas are compared", func() error {
		var err error
		shards, err = compared(ctx, t, cluster)
		return err
	})
	t.Logf("the digests of the replicas of %d shards were compared", shards)
}

// compared returns an error where there was nothing to compare at one moment, and fails the test where there was and it differed.
func compared(ctx context.Context, t *testing.T, cluster clusterpb.ClusterClient) (shards int, err error) {
	t.Helper()
	stream, err := cluster.Verify(ctx, &clusterpb.VerifyRequest{})
	if err != nil {
		return 0, err
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return shards, nil
		}
		if err != nil {
			return 0, err
		}
		s := resp.GetShard()
		switch {
		case s == nil:
		case !s.GetCompared():
			return 0, errors.New(s.GetProblem())
		case !s.GetEqual():
			t.Errorf("%s shard %d: %s: %v", s.GetCollection(), s.GetShardId(), s.GetProblem(), s.GetReplicas())
			fallthrough
		default:
			shards++
		}
	}
}
