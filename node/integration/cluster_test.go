package integration_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// start runs a cluster for one test. OSTRAKA_TEST_LOG=debug shows what the nodes log.
func start(t *testing.T, opts devcluster.Options) *devcluster.Cluster {
	t.Helper()
	if level := os.Getenv("OSTRAKA_TEST_LOG"); level != "" {
		opts.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.LevelFromString(level), Output: os.Stderr})
	}
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	c, err := devcluster.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close cluster: %v", err)
		}
	})
	return c
}

// official returns Qdrant's own client for node i, which writes again what was refused because too few replicas count.
func official(t *testing.T, c *devcluster.Cluster, i int) *qdrant.Client {
	t.Helper()
	return officialAt(t, c.Endpoints()[i], grpc.WithChainUnaryInterceptor(writeAgain))
}

// writeAgain is what programs do about a write that is refused for now. On a busy machine a replica may be demoted
// at any time, however well everything goes: no test may take it amiss that is not about that.
func writeAgain(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	name, points := strings.CutPrefix(method, "/qdrant.Points/")
	writes := points && slices.Contains([]string{
		"Upsert", "Delete", "UpdateVectors", "DeleteVectors", "SetPayload", "OverwritePayload", "DeletePayload", "ClearPayload",
		"CreateFieldIndex", "DeleteFieldIndex", "UpdateBatch",
	}, name)
	for tries := time.Now().Add(30 * time.Second); ; {
		err := call(ctx, method, req, reply, conn, opts...)
		if !writes || !forNow(err) || time.Now().After(tries) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// forNow reports whether a write was refused by what may pass.
func forNow(err error) bool {
	switch status.Code(err) {
	case codes.FailedPrecondition:
		return strings.Contains(err.Error(), "active")
	case codes.Unavailable, codes.ResourceExhausted:
		return true
	}
	return false
}

// officialAt returns Qdrant's own client for a node, which tells everything as it is.
func officialAt(t *testing.T, endpoint string, opts ...grpc.DialOption) *qdrant.Client {
	t.Helper()
	host, portText, err := net.SplitHostPort(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	client, err := qdrant.NewClient(&qdrant.Config{Host: host, Port: port, SkipCompatibilityCheck: true, GrpcOptions: opts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func clusterService(t *testing.T, c *devcluster.Cluster, i int) clusterpb.ClusterClient {
	t.Helper()
	return serviceAt(t, c.Endpoints()[i])
}

func serviceAt(t *testing.T, endpoint string) clusterpb.ClusterClient {
	t.Helper()
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return clusterpb.NewClusterClient(conn)
}

// eventually tries until f succeeds, for 30 s at most.
func eventually(t *testing.T, what string, f func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		attempt, done := context.WithTimeout(ctx, 5*time.Second)
		err := f(attempt)
		done()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// upToDate waits until a node knows of the metadata what every other node that runs knows: one that has just started answers with what
// it remembers.
func upToDate(t *testing.T, c *devcluster.Cluster, i int) {
	t.Helper()
	eventually(t, fmt.Sprintf("node %d knows what the others know", i), func(ctx context.Context) error {
		applied := map[uint64]bool{}
		for j := range c.Endpoints() {
			known, err := clusterService(t, c, j).GetCluster(ctx, &clusterpb.GetClusterRequest{})
			if err != nil {
				return err
			}
			if known.GetLeader() == 0 {
				return fmt.Errorf("node %d knows no leader", j)
			}
			applied[known.GetAppliedIndex()] = true
		}
		if len(applied) > 1 {
			return fmt.Errorf("they have applied different indexes: %v", applied)
		}
		return nil
	})
}

// placed waits until every shard of a collection has so many active replicas on live peers.
func placed(t *testing.T, cluster clusterpb.ClusterClient, collection string, replicas uint32) *clusterpb.CollectionPlacement {
	t.Helper()
	var placement *clusterpb.CollectionPlacement
	eventually(t, fmt.Sprintf("%s has %d replicas of each shard", collection, replicas), func(ctx context.Context) error {
		resp, err := cluster.GetPlacement(ctx, &clusterpb.GetPlacementRequest{Collections: []string{collection}})
		if err != nil {
			return err
		}
		placement = resp.GetCollections()[0]
		for _, s := range placement.GetShards() {
			if s.GetActiveReplicas() != replicas || !s.GetWritable() || len(s.GetReplicas()) != int(replicas) {
				return fmt.Errorf("shard %d: %d of %d replicas active, writable %t: %s", s.GetShardId(), s.GetActiveReplicas(), len(s.GetReplicas()), s.GetWritable(), s.GetProblem())
			}
		}
		return nil
	})
	return placement
}

func create(t *testing.T, client *qdrant.Client, name string, shards, factor, quorum uint32) {
	t.Helper()
	err := client.CreateCollection(t.Context(), &qdrant.CreateCollection{
		CollectionName: name, ShardNumber: &shards, ReplicationFactor: &factor, WriteConsistencyFactor: &quorum,
		VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Euclid}),
	})
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
}

// fill upserts points from..to-1; point i has the vector (i, 0, 0, 1).
func fill(t *testing.T, client *qdrant.Client, name string, from, to uint64) {
	t.Helper()
	var points []*qdrant.PointStruct
	for i := from; i < to; i++ {
		points = append(points, &qdrant.PointStruct{
			Id: qdrant.NewIDNum(i), Vectors: qdrant.NewVectors(float32(i), 0, 0, 1),
			Payload: qdrant.NewValueMap(map[string]any{"n": int64(i), "even": i%2 == 0}),
		})
	}
	_, err := client.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Points: points, Wait: qdrant.PtrOf(true)})
	if err != nil {
		t.Fatalf("upsert into %s: %v", name, err)
	}
}

func count(ctx context.Context, client *qdrant.Client, name string) (uint64, error) {
	return client.Count(ctx, &qdrant.CountPoints{CollectionName: name, Exact: qdrant.PtrOf(true)})
}

// shows waits until a node shows exactly want points: a node that has just started catches up first, and answers
// Unavailable until then. It must never deny that the collection exists.
func shows(t *testing.T, client *qdrant.Client, name string, want uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d points of %s are shown", want, name), func(ctx context.Context) error {
		n, err := count(ctx, client, name)
		if status.Code(err) == codes.NotFound {
			t.Fatalf("a node that is behind denies that %s exists: %v", name, err)
		}
		if err == nil && n != want {
			err = fmt.Errorf("%d points", n)
		}
		return err
	})
}
