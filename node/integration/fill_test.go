package integration_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// newPartial makes a shard key that is to be filled.
func newPartial(t *testing.T, client *qdrant.Client, word string, shards uint32) {
	t.Helper()
	eventually(t, "the shard key is there", func(ctx context.Context) error {
		err := client.CreateShardKey(ctx, "docs", &qdrant.CreateShardKey{
			ShardKey: qdrant.NewShardKeyKeyword(word), ShardsNumber: &shards, InitialState: qdrant.ReplicaState_Partial.Enum(),
		})
		if err != nil && strings.Contains(err.Error(), "already exists") { // an earlier try was heard
			return nil
		}
		return err
	})
}

func replicate(from, to string, filter *qdrant.Filter) *qdrant.UpdateCollectionClusterSetupRequest {
	return &qdrant.UpdateCollectionClusterSetupRequest{CollectionName: "docs", Operation: &qdrant.UpdateCollectionClusterSetupRequest_ReplicatePoints{
		ReplicatePoints: &qdrant.ReplicatePoints{FromShardKey: qdrant.NewShardKeyKeyword(from), ToShardKey: qdrant.NewShardKeyKeyword(to), Filter: filter},
	}}
}

// promote begins to fill a key, and returns the operation. Asked for again while it runs, it is the same.
func promote(t *testing.T, client *qdrant.Client, cluster clusterpb.ClusterClient, from, to string, filter *qdrant.Filter) *clusterpb.Operation {
	t.Helper()
	var op *clusterpb.Operation
	eventually(t, "the key is being filled", func(ctx context.Context) error {
		_, err := client.GetCollectionsClient().UpdateCollectionClusterSetup(ctx, replicate(from, to, filter))
		resp, listErr := cluster.ListOperations(ctx, &clusterpb.ListOperationsRequest{Collection: "docs"})
		for _, o := range resp.GetOperations() {
			if o.GetKind() == "fill" && o.GetShardKey().GetKeyword() == to && o.GetState() <= clusterpb.OperationState_OPERATION_STATE_DONE {
				op = o
				return nil
			}
		}
		return errors.Join(err, listErr, errors.New("there is no such operation"))
	})
	if op.GetFromShardKey().GetKeyword() != from || op.GetTotal() == 0 {
		t.Errorf("the operation is %v", op)
	}
	return op
}

// partial tells of each shard key whether it is to be filled.
func partial(t *testing.T, cluster clusterpb.ClusterClient, word string) bool {
	t.Helper()
	var is bool
	eventually(t, "the placement is told", func(ctx context.Context) error {
		resp, err := cluster.GetPlacement(ctx, &clusterpb.GetPlacementRequest{Collections: []string{"docs"}})
		if err != nil {
			return err
		}
		for _, k := range resp.GetCollections()[0].GetShardKeys() {
			if k.GetKey().GetKeyword() == word {
				is = k.GetPartial()
				return nil
			}
		}
		return errors.New("the key is not there")
	})
	return is
}

// TestATenantGetsAShardKeyOfItsOwnWhileItWrites promotes two tenants out of a fallback that a third one stays in, one after the other, while all of
// them write, delete by filter and look, and while a node dies. Each has to see its points, each once, before, in the middle and after; and what the
// fallback keeps of a tenant that has a key of its own is nobody's any more.
func TestATenantGetsAShardKeyOfItsOwnWhileItWrites(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	newKeyed(t, client, map[string]uint32{"all": 3})
	all, acme, globex := qdrant.NewShardKeyKeyword("all"), qdrant.NewShardKeyKeyword("acme"), qdrant.NewShardKeyKeyword("globex")
	tenants := []*tenant{
		{id: 1, first: tenantSpan, key: orElse(acme, all), client: client, points: map[uint64]int64{}},
		{id: 2, first: 2 * tenantSpan, key: orElse(globex, all), client: official(t, c, 1), points: map[uint64]int64{}},
		{id: 3, first: 3 * tenantSpan, key: keys(all), client: client, points: map[uint64]int64{}},
	}
	underLoad(t, tenants, func([]*tenant) {
		for i, step := range []struct {
			word   string
			shards uint32
		}{{"acme", 2}, {"globex", 3}} {
			newPartial(t, client, step.word, step.shards)
			owner := &qdrant.Filter{Must: []*qdrant.Condition{tenants[i].owner()}}
			op := promote(t, client, cluster, "all", step.word, owner)
			if i == 0 {
				if err := c.DropNode(2); err != nil {
					t.Fatal(err)
				}
				if err := c.StartNode(t.Context(), 2); err != nil {
					t.Fatal(err)
				}
			}
			done(t, cluster, op)
			if partial(t, cluster, step.word) {
				t.Errorf("%s is Partial after the end of its operation", step.word)
			}
			if err := persist(t.Context(), "delete", func(ctx context.Context) error {
				_, err := client.Delete(ctx, &qdrant.DeletePoints{CollectionName: "docs", Wait: qdrant.PtrOf(true), ShardKeySelector: keys(all), Points: qdrant.NewPointsSelectorFilter(owner)})
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
	placed(t, cluster, "docs", 2)
	for i, w := range tenants[:2] {
		w.key = []*qdrant.ShardKeySelector{keys(acme), keys(globex)}[i]
	}
	for i := range 3 {
		for _, w := range tenants {
			w.client = official(t, c, i)
			if err := w.look(t.Context()); err != nil {
				t.Errorf("through node %d: %v", i, err)
			}
		}
		showsOf(t, official(t, c, i), keys(all), uint64(len(tenants[2].points)))
	}
	nothingLeft(t, cluster)
}

// showsOf waits until so many points are counted under some keys.
func showsOf(t *testing.T, client *qdrant.Client, s *qdrant.ShardKeySelector, want uint64) {
	t.Helper()
	eventually(t, "the points are counted", func(ctx context.Context) error {
		n, err := client.Count(ctx, &qdrant.CountPoints{CollectionName: "docs", ShardKeySelector: s, Exact: qdrant.PtrOf(true)})
		if err == nil && n != want {
			err = errors.New("it is another number")
		}
		return err
	})
}

// TestAKeyThatIsNotFilledIsAskedForNothing looks at what a key refuses while it is Partial, at a fill that is given up, and at one whose source goes.
func TestAKeyThatIsNotFilledIsAskedForNothing(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 2})
	client, cluster := official(t, c, 0), clusterService(t, c, 1)
	newKeyed(t, client, map[string]uint32{"all": 2})
	newPartial(t, client, "own", 3)
	all, own := qdrant.NewShardKeyKeyword("all"), qdrant.NewShardKeyKeyword("own")
	points := make([]*qdrant.PointStruct, 400)
	for i := range points {
		points[i] = &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(i)), Vectors: qdrant.NewVectors(1, 2, 3, 4), Payload: qdrant.NewValueMap(map[string]any{"half": i % 2})}
	}
	write := func(ctx context.Context, s *qdrant.ShardKeySelector) error {
		_, err := client.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "docs", Wait: qdrant.PtrOf(true), ShardKeySelector: s, Points: points})
		return err
	}
	eventually(t, "what is for the key is written to its fallback", func(ctx context.Context) error { return write(ctx, orElse(own, all)) })
	for _, node := range []int{0, 1} {
		showsOf(t, official(t, c, node), nil, 400)
		showsOf(t, official(t, c, node), orElse(own, all), 400)
		showsOf(t, official(t, c, node), keys(all), 400)
	}
	odd := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("half", 1)}}
	setup := func(ctx context.Context, r *qdrant.UpdateCollectionClusterSetupRequest) error {
		_, err := client.GetCollectionsClient().UpdateCollectionClusterSetup(ctx, r)
		return err
	}
	refused := func(what string, code codes.Code, text string, do func(context.Context) error) {
		t.Helper()
		eventually(t, what+" is refused", func(ctx context.Context) error {
			if err := do(ctx); status.Code(err) != code || !strings.Contains(err.Error(), text) {
				return errors.Join(errors.New("it was answered otherwise"), err)
			}
			return nil
		})
	}
	refused("a write", codes.FailedPrecondition, "Partial", func(ctx context.Context) error { return write(ctx, keys(own)) })
	refused("a write whose fallback is Partial", codes.FailedPrecondition, "Partial", func(ctx context.Context) error {
		return write(ctx, orElse(qdrant.NewShardKeyKeyword("none"), own))
	})
	refused("a read", codes.FailedPrecondition, "fallback", func(ctx context.Context) error {
		_, err := client.Count(ctx, &qdrant.CountPoints{CollectionName: "docs", ShardKeySelector: keys(own)})
		return err
	})
	refused("a read of two keys", codes.FailedPrecondition, "Partial", func(ctx context.Context) error {
		_, err := client.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: "docs", ShardKeySelector: keys(all, own)})
		return err
	})
	refused("to cut it anew", codes.FailedPrecondition, "Partial", func(ctx context.Context) error {
		_, err := cluster.Reshard(ctx, &clusterpb.ReshardRequest{Collection: "docs", ShardKey: keyword("own"), ShardNumber: 1})
		return err
	})
	refused("a fill of a key that serves", codes.FailedPrecondition, "initial_state = Partial", func(ctx context.Context) error { return setup(ctx, replicate("own", "all", odd)) })
	refused("a fill from nowhere", codes.NotFound, "none", func(ctx context.Context) error { return setup(ctx, replicate("none", "own", odd)) })
	refused("a fill into nothing", codes.NotFound, "none", func(ctx context.Context) error { return setup(ctx, replicate("all", "none", odd)) })
	refused("a fill from no key", codes.InvalidArgument, "from_shard_key", func(ctx context.Context) error { return setup(ctx, replicate("", "own", odd)) })
	refused("a filter that makes no sense", codes.InvalidArgument, "filter", func(ctx context.Context) error {
		return setup(ctx, replicate("all", "own", &qdrant.Filter{Must: []*qdrant.Condition{{}}}))
	})

	op := promote(t, client, cluster, "all", "own", odd)
	resp, err := cluster.CancelOperation(t.Context(), &clusterpb.CancelOperationRequest{Id: op.GetId()})
	switch { // it may have been done before
	case err == nil && resp.GetOperation().GetState() == clusterpb.OperationState_OPERATION_STATE_CANCELLED:
	case status.Code(err) == codes.FailedPrecondition:
	default:
		t.Fatalf("cancelled: %v, %v", resp, err)
	}
	if partial(t, cluster, "own") {
		done(t, cluster, promote(t, client, cluster, "all", "own", odd))
	}
	for _, node := range []int{0, 1} {
		showsOf(t, official(t, c, node), keys(own), 200)
		showsOf(t, official(t, c, node), keys(all), 400)
		showsOf(t, official(t, c, node), orElse(own, all), 200)
	}
	refused("another fill", codes.FailedPrecondition, "serves already", func(ctx context.Context) error { return setup(ctx, replicate("all", "own", odd)) })

	newPartial(t, client, "next", 2)
	op = promote(t, client, cluster, "all", "next", nil)
	eventually(t, "the source is gone", func(ctx context.Context) error {
		err := client.DeleteShardKey(ctx, "docs", &qdrant.DeleteShardKey{ShardKey: all})
		if err != nil && strings.Contains(err.Error(), "does not exist") {
			return nil
		}
		return err
	})
	eventually(t, "the operation has ended", func(ctx context.Context) error {
		resp, err := cluster.ListOperations(ctx, &clusterpb.ListOperationsRequest{Collection: "docs"})
		for _, o := range resp.GetOperations() {
			if o.GetId() == op.GetId() && o.GetState() != clusterpb.OperationState_OPERATION_STATE_RUNNING {
				return nil
			}
		}
		return errors.Join(err, errors.New("it runs"))
	})
	if partial(t, cluster, "next") {
		refused("a read", codes.FailedPrecondition, "Partial", func(ctx context.Context) error {
			_, err := client.Count(ctx, &qdrant.CountPoints{CollectionName: "docs", ShardKeySelector: keys(qdrant.NewShardKeyKeyword("next"))})
			return err
		})
		showsOf(t, client, nil, 200)
	} else {
		showsOf(t, client, nil, 600)
	}
	nothingLeft(t, cluster)
}
