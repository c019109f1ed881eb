package integration_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// tenant writes, deletes by filter and reads points of its own, and knows which ones there are.
type tenant struct {
	id     int64
	first  uint64                   // of its ids
	key    *qdrant.ShardKeySelector // where its points are; nil: the collection has no keys
	client *qdrant.Client
	points map[uint64]int64 // round in which a point was last written
	next   uint64
	rounds int64
	looks  int // that it has had at all of its points
}

const (
	tenantSpan = 1_000_000 // ids of each tenant
	batch      = 40
)

func (w *tenant) owner() *qdrant.Condition { return qdrant.NewMatchInt("owner", w.id) }

// persist repeats what may be repeated until it succeeds; what is refused for good fails.
func persist(ctx context.Context, what string, do func(context.Context) error) error {
	var last error
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := do(attempt)
		cancel()
		switch code := status.Code(err); {
		case err == nil:
			return nil
		case code == codes.InvalidArgument, code == codes.NotFound, code == codes.Internal, code == codes.Unimplemented, code == codes.DataLoss:
			return fmt.Errorf("%s: %w", what, err)
		}
		last = err
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s: in vain: %w", what, last)
}

// round writes some points, again some of those there are, deletes by filter what was written in an earlier round, and looks.
func (w *tenant) round(ctx context.Context) error {
	w.rounds++
	ids := slices.Sorted(maps.Keys(w.points))
	ids = ids[:min(len(ids), batch/4)]
	for range batch {
		ids = append(ids, w.first+w.next)
		w.next++
	}
	var points []*qdrant.PointStruct
	for _, id := range ids {
		w.points[id] = w.rounds
		points = append(points, &qdrant.PointStruct{
			Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectors(float32(id), float32(w.rounds), 0, 1),
			Payload: qdrant.NewValueMap(map[string]any{"owner": w.id, "round": w.rounds}),
		})
	}
	err := persist(ctx, "upsert", func(ctx context.Context) error {
		_, err := w.client.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "docs", Points: points, Wait: qdrant.PtrOf(true), ShardKeySelector: w.key})
		return err
	})
	if err == nil {
		err = w.look(ctx)
	}
	if err != nil || w.rounds%2 == 1 {
		return err
	}
	victim := w.rounds - 3
	err = persist(ctx, "delete", func(ctx context.Context) error {
		_, err := w.client.Delete(ctx, &qdrant.DeletePoints{CollectionName: "docs", Wait: qdrant.PtrOf(true), ShardKeySelector: w.key, Points: qdrant.NewPointsSelectorFilter(
			&qdrant.Filter{Must: []*qdrant.Condition{w.owner(), qdrant.NewMatchInt("round", victim)}})})
		return err
	})
	if err != nil {
		return err
	}
	maps.DeleteFunc(w.points, func(_ uint64, round int64) bool { return round == victim })
	return w.look(ctx)
}

// look counts and scrolls: each point is there, once, as it was written last, and nothing else is.
func (w *tenant) look(ctx context.Context) error {
	w.looks++
	var n uint64
	filter := &qdrant.Filter{Must: []*qdrant.Condition{w.owner()}}
	err := persist(ctx, "count", func(ctx context.Context) (err error) {
		n, err = w.client.Count(ctx, &qdrant.CountPoints{CollectionName: "docs", Filter: filter, Exact: qdrant.PtrOf(true), ShardKeySelector: w.key})
		return err
	})
	if err == nil && n != uint64(len(w.points)) {
		err = fmt.Errorf("tenant %d, round %d: %d points are counted, there are %d", w.id, w.rounds, n, len(w.points))
	}
	if err != nil {
		return err
	}
	seen := map[uint64]int64{}
	for offset := (*qdrant.PointId)(nil); ; {
		var page []*qdrant.RetrievedPoint
		var next *qdrant.PointId
		err := persist(ctx, "scroll", func(ctx context.Context) (err error) {
			page, next, err = w.client.ScrollAndOffset(ctx, &qdrant.ScrollPoints{
				CollectionName: "docs", Filter: filter, Offset: offset, Limit: qdrant.PtrOf(uint32(97)), WithPayload: qdrant.NewWithPayload(true),
				ShardKeySelector: w.key,
			})
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range page {
			if _, twice := seen[p.GetId().GetNum()]; twice {
				return fmt.Errorf("tenant %d, round %d: point %d is shown twice", w.id, w.rounds, p.GetId().GetNum())
			}
			seen[p.GetId().GetNum()] = p.GetPayload()["round"].GetIntegerValue()
		}
		if offset = next; offset == nil {
			break
		}
	}
	if !maps.Equal(seen, w.points) {
		return fmt.Errorf("tenant %d, round %d: %w", w.id, w.rounds, unlike(seen, w.points))
	}
	return nil
}

func unlike(got, want map[uint64]int64) error {
	for id, round := range want {
		if seen, ok := got[id]; !ok || seen != round {
			return fmt.Errorf("point %d was written in round %d, shown: %t, of round %d (%d points shown, %d there)", id, round, ok, seen, len(got), len(want))
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			return fmt.Errorf("point %d is shown and was deleted", id)
		}
	}
	return nil
}

// underTenants lets tenants work through one node until all that is to happen has happened.
func underTenants(t *testing.T, client *qdrant.Client, happen func(tenants []*tenant)) []*tenant {
	t.Helper()
	var tenants []*tenant
	for i := range 3 {
		tenants = append(tenants, &tenant{id: int64(i + 1), first: uint64(i+1) * tenantSpan, client: client, points: map[uint64]int64{}})
	}
	underLoad(t, tenants, happen)
	return tenants
}

// underLoad is underTenants for those that are given.
func underLoad(t *testing.T, tenants []*tenant, happen func(tenants []*tenant)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, w := range tenants {
		wg.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				if err := w.round(t.Context()); err != nil { // a round that has begun comes to its end
					t.Error(err)
				}
			}
		})
	}
	defer func() { cancel(); wg.Wait() }()
	happen(tenants)
}

func reshard(t *testing.T, cluster clusterpb.ClusterClient, shards uint32) *clusterpb.Operation {
	t.Helper()
	return reshardKey(t, cluster, nil, shards)
}

// reshardKey is reshard for the shards of one key.
func reshardKey(t *testing.T, cluster clusterpb.ClusterClient, key *clusterpb.ShardKey, shards uint32) *clusterpb.Operation {
	t.Helper()
	var op *clusterpb.Operation
	eventually(t, fmt.Sprintf("%d shards are declared", shards), func(ctx context.Context) error {
		resp, err := cluster.Reshard(ctx, &clusterpb.ReshardRequest{Collection: "docs", ShardNumber: shards, ShardKey: key})
		op = resp.GetOperation()
		return err
	})
	return op
}

// underWay waits until slots are on their way.
func underWay(t *testing.T, cluster clusterpb.ClusterClient, id uint64) {
	t.Helper()
	eventually(t, "slots are on their way", func(ctx context.Context) error {
		resp, err := cluster.ListOperations(ctx, &clusterpb.ListOperationsRequest{Collection: "docs"})
		for _, op := range resp.GetOperations() {
			if op.GetId() == id && (op.GetState() != clusterpb.OperationState_OPERATION_STATE_RUNNING || op.GetBytesDone() > 0 || op.GetDone() > 0) {
				return nil
			}
		}
		return errors.Join(err, errors.New("nothing moves"))
	})
}

// cut waits until a collection has so many shards and all is at rest.
func cut(t *testing.T, cluster clusterpb.ClusterClient, op *clusterpb.Operation, shards uint32) {
	t.Helper()
	done(t, cluster, op)
	placement := placed(t, cluster, "docs", 2)
	if placement.GetShardNumber() != shards || len(placement.GetShards()) != int(shards) || placement.GetTargetShardNumber() != shards {
		t.Fatalf("there are %d shards, %d of them own slots, want %d", len(placement.GetShards()), placement.GetShardNumber(), shards)
	}
	for _, s := range placement.GetShards() {
		if n := s.GetSlots(); n != 4096/shards && n != 4096/shards+1 {
			t.Errorf("shard %d owns %d slots", s.GetShardId(), n)
		}
	}
}

// done waits for the end of an operation.
func done(t *testing.T, cluster clusterpb.ClusterClient, op *clusterpb.Operation) {
	t.Helper()
	var last *clusterpb.Operation
	deadline := time.Now().Add(5 * time.Minute) // for a machine that does much else
	for last.GetState() != clusterpb.OperationState_OPERATION_STATE_DONE {
		resp, err := cluster.ListOperations(t.Context(), &clusterpb.ListOperationsRequest{Collection: "docs"})
		for _, o := range resp.GetOperations() {
			if o.GetId() == op.GetId() {
				last = o
			}
		}
		if time.Now().After(deadline) || last.GetState() > clusterpb.OperationState_OPERATION_STATE_DONE {
			t.Fatalf("the operation stands at %v: %v", last, err)
		}
		if t.Failed() {
			t.FailNow()
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestShardsAreCutAnewUnderLoadWhileNodesDie(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 4, 2, 2)
	placed(t, cluster, "docs", 2)
	tenants := underTenants(t, client, func([]*tenant) {
		for i, step := range []struct{ shards, victim int }{{8, 2}, {3, 1}} {
			op := reshard(t, cluster, uint32(step.shards))
			if again := reshard(t, cluster, uint32(step.shards)); again != nil && again.GetId() != op.GetId() {
				t.Errorf("asked again, operation %d began beside %d", again.GetId(), op.GetId())
			}
			underWay(t, cluster, op.GetId())
			if err := c.DropNode(step.victim); err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				<-time.After(time.Second) // long enough for others to lead what it led
			}
			if err := c.StartNode(t.Context(), step.victim); err != nil {
				t.Fatal(err)
			}
			cut(t, cluster, op, uint32(step.shards))
		}
	})
	total := 0
	for _, w := range tenants {
		t.Logf("tenant %d: %d rounds, %d looks, %d points in the end", w.id, w.rounds, w.looks, len(w.points))
		total += len(w.points)
	}
	for i := range 3 {
		shows(t, official(t, c, i), "docs", uint64(total))
		for _, w := range tenants {
			w.client = official(t, c, i)
			if err := w.look(t.Context()); err != nil {
				t.Errorf("through node %d: %v", i, err)
			}
		}
	}
	nothingLeft(t, cluster)
}

func TestAReshardIsTurnedRoundAndRefusedWhereItCannotBe(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 2})
	client, cluster := official(t, c, 0), clusterService(t, c, 1)
	create(t, client, "docs", 2, 2, 1)
	placed(t, cluster, "docs", 2)
	fill(t, client, "docs", 0, 500)
	for want, req := range map[codes.Code]*clusterpb.ReshardRequest{
		codes.NotFound:        {Collection: "none", ShardNumber: 1},
		codes.InvalidArgument: {Collection: "docs"},
	} {
		if _, err := cluster.Reshard(t.Context(), req); status.Code(err) != want {
			t.Errorf("%v: %v, want %s", req, err, want)
		}
	}
	_, err := cluster.Reshard(t.Context(), &clusterpb.ReshardRequest{Collection: "docs", ShardNumber: 3, ShardKey: keyword("a")})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("a key of a collection without keys: %v", err)
	}
	if op := reshard(t, cluster, 2); op != nil {
		t.Errorf("as many as there are began %v", op)
	}
	op := reshard(t, cluster, 5)
	resp, err := cluster.CancelOperation(t.Context(), &clusterpb.CancelOperationRequest{Id: op.GetId()})
	if err != nil && status.Code(err) != codes.FailedPrecondition { // it may be done already
		t.Fatal(err)
	}
	if err == nil && resp.GetOperation().GetState() != clusterpb.OperationState_OPERATION_STATE_CANCELLED {
		t.Errorf("cancelled: %v", resp)
	}
	cut(t, cluster, reshardOrLast(t, cluster, 2), 2)
	shows(t, client, "docs", 500)
	nothingLeft(t, cluster)
}

// reshardOrLast joins what runs; if that has ended already, it is what ended last.
func reshardOrLast(t *testing.T, cluster clusterpb.ClusterClient, shards uint32) *clusterpb.Operation {
	t.Helper()
	if op := reshard(t, cluster, shards); op != nil {
		return op
	}
	resp, err := cluster.ListOperations(t.Context(), &clusterpb.ListOperationsRequest{Collection: "docs"})
	if err != nil || len(resp.GetOperations()) == 0 {
		t.Fatalf("operations: %v, %v", resp, err)
	}
	return resp.GetOperations()[0]
}
