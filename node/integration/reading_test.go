package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// strong asks for linearizable reads.
func strong(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-ostraka-consistency", "strong")
}

func consistently(k qdrant.ReadConsistencyType) *qdrant.ReadConsistency {
	return qdrant.NewReadConsistencyType(k)
}

func TestADeadMinorityFailsReadsFromAllReplicasOnly(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client := official(t, c, 0)
	create(t, client, "docs", 4, 3, 2)
	fill(t, client, "docs", 0, 100)
	placed(t, clusterService(t, c, 0), "docs", 3)
	read := func(ctx context.Context, r *qdrant.ReadConsistency) error {
		n, err := client.Count(ctx, &qdrant.CountPoints{CollectionName: "docs", ReadConsistency: r})
		if err == nil && n != 100 {
			err = fmt.Errorf("counted %d", n)
		}
		if err != nil {
			return err
		}
		points, err := client.Query(ctx, &qdrant.QueryPoints{CollectionName: "docs", Query: qdrant.NewQuery(7, 0, 0, 1), Limit: qdrant.PtrOf(uint64(1)), ReadConsistency: r})
		if err == nil && (len(points) != 1 || points[0].GetId().GetNum() != 7) {
			err = fmt.Errorf("found %v", points)
		}
		if err != nil {
			return err
		}
		page, err := client.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: "docs", Limit: qdrant.PtrOf(uint32(100)), ReadConsistency: r})
		if err == nil && len(page) != 100 {
			err = fmt.Errorf("a page of %d", len(page))
		}
		return err
	}
	all := consistently(qdrant.ReadConsistencyType_All)
	eventually(t, "all three answer", func(ctx context.Context) error { return read(ctx, all) })
	if err := c.DropNode(2); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*qdrant.ReadConsistency{
		nil, consistently(qdrant.ReadConsistencyType_Majority), consistently(qdrant.ReadConsistencyType_Quorum), qdrant.NewReadConsistencyFactor(2),
	} {
		if err := read(t.Context(), r); err != nil {
			t.Errorf("with %v: %v", r, err)
		}
	}
	eventually(t, "reads from all replicas are refused with the numbers", func(ctx context.Context) error {
		err := read(ctx, all)
		if status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		if !strings.Contains(err.Error(), "needs the answers of 3 of 3 replicas, 2 are there") {
			return err
		}
		return nil
	})
}

func TestARefusedWriteSaysWhichShardNeedsWhat(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 1})
	client := officialAt(t, c.Endpoints()[0])
	for shards, want := range map[uint32]string{
		1: "Pre-condition failure: needs 2 of 2 replicas of shard 0, 1 is active",
		2: "Pre-condition failure: 2 of 2 shards failed: needs 2 of 2 replicas of shard 0, 1 is active; needs 2 of 2 replicas of shard 1, 1 is active",
	} {
		name := fmt.Sprint("docs-", shards)
		create(t, client, name, shards, 2, 2)
		_, err := client.Delete(t.Context(), &qdrant.DeletePoints{
			CollectionName: name, Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{}), Ordering: &qdrant.WriteOrdering{Type: qdrant.WriteOrderingType_Strong},
		})
		if got := status.Convert(errors.Unwrap(err)); got.Code() != codes.FailedPrecondition || got.Message() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// One client writes a growing number into a point, through one node after the other; after each acknowledged write, a linearizable
// read through another node has to show it, while nodes are stopped and started and primaries move.
func TestStrongReadsSeeWhatWasAcknowledgedThroughAnyNode(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	clients := make([]*qdrant.Client, 3)
	for i := range clients {
		clients[i] = officialAt(t, c.Endpoints()[i])
	}
	create(t, clients[0], "docs", 1, 3, 2)
	placed(t, clusterService(t, c, 0), "docs", 3)
	done := make(chan struct{})
	checked := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 3 {
			if err := errors.Join(c.StopNode(t.Context(), i), c.StartNode(t.Context(), i)); err != nil {
				t.Error(err)
			}
			late, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			for range 10 { // a node may be back before anybody has noticed
				select {
				case <-checked:
				case <-late.Done():
				}
			}
			cancel()
		}
	}()
	checks := 0
	for n := int64(1); ; n++ {
		select {
		case <-done:
			if checks < 30 {
				t.Errorf("%d checks only", checks)
			}
			t.Logf("%d writes were read back", checks)
			return
		default:
		}
		if writeNumber(t, clients[n%3], n, n%2 == 0) != nil {
			continue // not acknowledged
		}
		ctx, cancel := context.WithTimeout(strong(t.Context()), 10*time.Second)
		got, err := readNumber(ctx, clients[(n+1)%3])
		cancel()
		if err != nil {
			continue // that node is down
		}
		if checks++; got != n {
			t.Fatalf("%d was acknowledged, and then %d is read", n, got)
		}
		select {
		case checked <- struct{}{}:
		default:
		}
	}
}

func writeNumber(t *testing.T, client *qdrant.Client, n int64, wait bool) error {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := client.Upsert(ctx, &qdrant.UpsertPoints{
		CollectionName: "docs", Wait: &wait,
		Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectors(1, 0, 0, 1), Payload: qdrant.NewValueMap(map[string]any{"n": n})}},
	})
	return err
}

func readNumber(ctx context.Context, client *qdrant.Client) (int64, error) {
	points, err := client.Get(ctx, &qdrant.GetPoints{CollectionName: "docs", Ids: []*qdrant.PointId{qdrant.NewIDNum(1)}, WithPayload: qdrant.NewWithPayload(true)})
	if err != nil || len(points) == 0 {
		return 0, errors.Join(err, fmt.Errorf("%d points", len(points)))
	}
	return points[0].GetPayload()["n"].GetIntegerValue(), nil
}
