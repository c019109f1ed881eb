package integration_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

func keyword(word string) *clusterpb.ShardKey {
	return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: word}}
}

// newKeyed makes the collection docs with shard keys of so many shards each.
func newKeyed(t *testing.T, client *qdrant.Client, shards map[string]uint32) {
	t.Helper()
	eventually(t, "the collection is there", func(ctx context.Context) error {
		err := client.CreateCollection(ctx, &qdrant.CreateCollection{
			CollectionName: "docs", ReplicationFactor: qdrant.PtrOf(uint32(2)), WriteConsistencyFactor: qdrant.PtrOf(uint32(2)),
			ShardingMethod: qdrant.ShardingMethod_Custom.Enum(),
			VectorsConfig:  qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Dot}),
		})
		if status.Code(err) == codes.AlreadyExists {
			return nil
		}
		return err
	})
	for word, n := range shards {
		newKey(t, client, word, n)
	}
}

func newKey(t *testing.T, client *qdrant.Client, word string, shards uint32) {
	t.Helper()
	eventually(t, "the shard key is there", func(ctx context.Context) error {
		err := client.CreateShardKey(ctx, "docs", &qdrant.CreateShardKey{ShardKey: qdrant.NewShardKeyKeyword(word), ShardsNumber: &shards})
		if err == nil {
			return nil
		}
		list, lookErr := client.ListShardKeys(ctx, "docs") // an earlier try may have been heard
		for _, d := range list {
			if d.GetKey().GetKeyword() == word {
				return lookErr
			}
		}
		return err
	})
}

// TestShardKeysAreCutAnewUnderLoadWhileANodeDies cuts two keys at once, one into more shards and one into fewer. Tenants of the two have points
// of the same ids; what gets to the wrong key, is lost, or is shown twice, they see. A third key is deleted while it is being cut and written.
func TestShardKeysAreCutAnewUnderLoadWhileANodeDies(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	newKeyed(t, client, map[string]uint32{"eu": 1, "us": 3, "gone": 2})
	of := func(word string) *qdrant.ShardKeySelector { return keys(qdrant.NewShardKeyKeyword(word)) }
	tenants := []*tenant{
		{id: 1, key: of("eu"), client: client, points: map[uint64]int64{}},
		{id: 1, key: of("us"), client: client, points: map[uint64]int64{}},
		{id: 2, first: tenantSpan, key: of("us"), client: client, points: map[uint64]int64{}},
	}
	underLoad(t, tenants, func([]*tenant) {
		up, down := reshardKey(t, cluster, keyword("eu"), 4), reshardKey(t, cluster, keyword("us"), 1)
		deleteKeyInMidWrite(t, c)
		underWay(t, cluster, up.GetId())
		if err := c.DropNode(2); err != nil {
			t.Fatal(err)
		}
		if err := c.StartNode(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		done(t, cluster, up)
		done(t, cluster, down)
	})
	placement := placed(t, cluster, "docs", 2)
	got := map[string]uint32{}
	for _, k := range placement.GetShardKeys() {
		got[k.GetKey().GetKeyword()] = k.GetShardNumber()
		if k.GetShardNumber() != k.GetTargetShardNumber() {
			t.Errorf("%v", k)
		}
	}
	if len(got) != 2 || got["eu"] != 4 || got["us"] != 1 || len(placement.GetShards()) != 5 {
		t.Errorf("shards of the keys: %v, %d in all", got, len(placement.GetShards()))
	}
	for i := range 3 {
		for _, w := range tenants {
			w.client = official(t, c, i)
			if err := w.look(t.Context()); err != nil {
				t.Errorf("through node %d: %v", i, err)
			}
		}
	}
	nothingLeft(t, cluster)
}

// deleteKeyInMidWrite deletes the key "gone" while it is cut anew and written through each node. A writer is told that the key is not there, by
// an error that is not worth a retry; and what he wrote is not in a key of that name that is made afterwards.
func deleteKeyInMidWrite(t *testing.T, c *devcluster.Cluster) {
	t.Helper()
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	selector := keys(qdrant.NewShardKeyKeyword("gone"))
	told := make([]error, 3)
	written := make(chan struct{}, 2*len(told))
	var wg sync.WaitGroup
	for i := range told {
		writer := official(t, c, i)
		wg.Go(func() {
			defer func() { written <- struct{}{} }()
			for id := uint64(1); told[i] == nil; id++ {
				told[i] = persist(t.Context(), "upsert", func(ctx context.Context) error {
					_, err := writer.Upsert(ctx, &qdrant.UpsertPoints{
						CollectionName: "docs", Wait: qdrant.PtrOf(true), ShardKeySelector: selector,
						Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectors(1, 2, 3, 4)}},
					})
					return err
				})
				if id == 20 {
					written <- struct{}{}
				}
			}
		})
	}
	op := reshardKey(t, cluster, keyword("gone"), 5)
	for range told {
		select {
		case <-written:
		case <-t.Context().Done():
		}
	}
	eventually(t, "the key is deleted", func(ctx context.Context) error {
		if err := client.DeleteShardKey(ctx, "docs", &qdrant.DeleteShardKey{ShardKey: qdrant.NewShardKeyKeyword("gone")}); err == nil {
			return nil
		}
		list, err := client.ListShardKeys(ctx, "docs")
		for _, d := range list {
			if d.GetKey().GetKeyword() == "gone" {
				err = errors.Join(err, errors.New("it is still there"))
			}
		}
		return err
	})
	wg.Wait()
	for i, err := range told {
		if status.Code(err) != codes.NotFound || !strings.Contains(strings.ToLower(err.Error()), "shard key") {
			t.Errorf("a writer through node %d was told %v", i, err)
		}
	}
	resp, err := cluster.ListOperations(t.Context(), &clusterpb.ListOperationsRequest{Collection: "docs"})
	for _, o := range resp.GetOperations() {
		if o.GetId() == op.GetId() && o.GetState() == clusterpb.OperationState_OPERATION_STATE_RUNNING {
			t.Errorf("an operation runs for a key that is gone: %v, %v", o, err)
		}
	}
	newKey(t, client, "gone", 1)
	eventually(t, "the key is as it was declared", func(ctx context.Context) error {
		n, err := client.Count(ctx, &qdrant.CountPoints{CollectionName: "docs", ShardKeySelector: selector})
		if err == nil && n != 0 {
			t.Errorf("a new key has %d points", n)
		}
		return err
	})
	eventually(t, "the key is deleted again", func(ctx context.Context) error {
		_ = client.DeleteShardKey(ctx, "docs", &qdrant.DeleteShardKey{ShardKey: qdrant.NewShardKeyKeyword("gone")})
		list, err := client.ListShardKeys(ctx, "docs")
		if len(list) != 2 {
			err = errors.Join(err, errors.New("it is still there"))
		}
		return err
	})
}
