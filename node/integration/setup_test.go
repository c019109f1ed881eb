package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// holders are the peers with an active replica of a shard, ordered.
func holders(s *clusterpb.ShardPlacement) (ids []uint64) {
	for _, r := range s.GetReplicas() {
		if r.GetState() == clusterpb.ReplicaState_ACTIVE {
			ids = append(ids, r.GetPeer())
		}
	}
	slices.Sort(ids)
	return ids
}

// held waits until the active copies of the collection's first shard are on these peers, and no others are there.
func held(t *testing.T, cluster clusterpb.ClusterClient, want ...uint64) {
	t.Helper()
	slices.Sort(want)
	var seen error
	eventually(t, fmt.Sprintf("the copies are on %d", want), func(ctx context.Context) error {
		resp, err := cluster.GetPlacement(ctx, &clusterpb.GetPlacementRequest{Collections: []string{"docs"}})
		if err != nil {
			return errors.Join(err, seen)
		}
		shard := resp.GetCollections()[0].GetShards()[0]
		if got := holders(shard); !slices.Equal(got, want) || len(shard.GetReplicas()) != len(want) {
			seen = fmt.Errorf("they are on %d: %v", got, shard)
			return seen
		}
		return nil
	})
}

func TestUnderLoadCopiesArePlacedByHandAndStayThere(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client, cluster := official(t, c, 0), clusterService(t, c, 1)
	create(t, client, "docs", 1, 1, 1)
	shard := placed(t, cluster, "docs", 1).GetShards()[0]
	w := writing(t, client, "docs")
	from := shard.GetPrimary()
	var others []uint64
	for _, p := range peers(t, cluster) {
		if p.GetId() != from {
			others = append(others, p.GetId())
		}
	}
	setup := func(r *qdrant.UpdateCollectionClusterSetupRequest) {
		t.Helper()
		r.CollectionName = "docs"
		eventually(t, "the cluster takes it on", func(ctx context.Context) error {
			_, err := client.GetCollectionsClient().UpdateCollectionClusterSetup(ctx, r)
			return err
		})
	}
	setup(&qdrant.UpdateCollectionClusterSetupRequest{Operation: &qdrant.UpdateCollectionClusterSetupRequest_ReplicateShard{
		ReplicateShard: &qdrant.ReplicateShard{FromPeerId: from, ToPeerId: others[0]},
	}})
	held(t, cluster, from, others[0])
	setup(&qdrant.UpdateCollectionClusterSetupRequest{Operation: &qdrant.UpdateCollectionClusterSetupRequest_MoveShard{
		MoveShard: &qdrant.MoveShard{FromPeerId: from, ToPeerId: others[1]},
	}})
	held(t, cluster, others...)
	setup(&qdrant.UpdateCollectionClusterSetupRequest{Operation: &qdrant.UpdateCollectionClusterSetupRequest_DropReplica{
		DropReplica: &qdrant.Replica{PeerId: others[0]},
	}})
	held(t, cluster, others[1])
	nothingLeft(t, cluster) // neither the factor nor balance takes it back
	held(t, cluster, others[1])
	for i := range 3 {
		shows(t, official(t, c, i), "docs", w.end(t))
	}
}
