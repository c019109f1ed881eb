package integration_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

func TestACollectionThatNamesMoreReplicasThanNodesGetsThemWhenNodesJoin(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 1})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 2, 2, 1)
	fill(t, client, "docs", 0, 50)
	placement := placed(t, cluster, "docs", 1)
	if len(placement.GetWarnings()) == 0 || !strings.Contains(placement.GetShards()[0].GetProblem(), "declared 2") {
		t.Errorf("nobody is told that a replica is missing: warnings %q, problem %q", placement.GetWarnings(), placement.GetShards()[0].GetProblem())
	}
	info, err := client.GetCollectionInfo(t.Context(), "docs")
	if err != nil || len(info.GetWarnings()) == 0 {
		t.Errorf("collection info has the warnings %v: %v", info.GetWarnings(), err)
	}
	if _, err := c.AddNode(t.Context()); err != nil {
		t.Fatal(err)
	}
	placed(t, cluster, "docs", 2)
	shows(t, official(t, c, 1), "docs", 50)
}

func TestWritesThatNeedMoreCopiesThanThereAreAreRefusedWithTheNumbers(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 1})
	client := officialAt(t, c.Endpoints()[0])
	create(t, client, "docs", 1, 2, 2)
	_, err := client.Upsert(t.Context(), &qdrant.UpsertPoints{
		CollectionName: "docs", Wait: qdrant.PtrOf(true),
		Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectors(1, 2, 3, 4)}},
	})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "2") {
		t.Errorf("got %v, want FailedPrecondition with the numbers", err)
	}
}

func TestAStoppedNodeCostsNothingAndCatchesUp(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 4, 3, 2)
	fill(t, client, "docs", 0, 100)
	placed(t, cluster, "docs", 3)
	if err := c.StopNode(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	refused := upsertOne(t.Context(), officialAt(t, c.Endpoints()[0]), "docs", 100) // nothing is refused, not even at first
	if others := happened(t, cluster, "demotion"); refused != nil && !slices.ContainsFunc(others, func(s string) bool { return !strings.Contains(s, "node-3") }) {
		t.Errorf("a write was refused when another node was stopped: %v", refused)
	}
	fill(t, client, "docs", 100, 200)
	if err := c.StartNode(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node says that it is ready", func(context.Context) error {
		if got := httpStatus(t, c, 2, "/readyz"); got != http.StatusOK {
			return fmt.Errorf("got %d", got)
		}
		return nil
	})
	resp, err := clusterService(t, c, 2).GetPlacement(t.Context(), &clusterpb.GetPlacementRequest{}) // others may show it a little later
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range resp.GetCollections()[0].GetShards() {
		if s.GetActiveReplicas() != 3 {
			t.Errorf("the node is ready, and %d replicas of shard %d count", s.GetActiveReplicas(), s.GetShardId())
		}
	}
	shows(t, official(t, c, 2), "docs", 200)
}

func TestEverythingSurvivesARestartOfAllNodes(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 4, 2, 2)
	fill(t, client, "docs", 0, 300)
	for i := range 3 {
		if err := c.DropNode(i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := c.StartNode(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	upToDate(t, c, 0)
	placed(t, cluster, "docs", 2)
	for i := range 3 {
		shows(t, official(t, c, i), "docs", 300)
	}
	fill(t, client, "docs", 300, 310)
}

func TestAWipedNodeIsToldApartAndRefilled(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 4, 2, 2)
	fill(t, client, "docs", 0, 100)
	placed(t, cluster, "docs", 2)
	if err := c.DropNode(2); err != nil {
		t.Fatal(err)
	}
	if err := c.WipeNode(2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the wiped node is let in under its name", func(ctx context.Context) error { return c.StartNode(ctx, 2) })
	placed(t, cluster, "docs", 2)
	eventually(t, "the old peer is gone", func(ctx context.Context) error {
		resp, err := cluster.GetCluster(ctx, &clusterpb.GetClusterRequest{})
		if err != nil {
			return err
		}
		if n := len(resp.GetPeers()); n != 3 {
			return fmt.Errorf("%d peers", n)
		}
		return nil
	})
	shows(t, official(t, c, 2), "docs", 100)
}

func TestReplicationFactorChangesInPlace(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 4, 1, 1)
	fill(t, client, "docs", 0, 100)
	for _, factor := range []uint32{3, 2} {
		err := client.UpdateCollection(t.Context(), &qdrant.UpdateCollection{
			CollectionName: "docs", Params: &qdrant.CollectionParamsDiff{ReplicationFactor: &factor},
		})
		if err != nil {
			t.Fatal(err)
		}
		placed(t, cluster, "docs", factor)
	}
	shows(t, client, "docs", 100)
}

func TestReplicasGoToDifferentZones(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 4, Zones: []string{"a", "b"}})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 6, 2, 1)
	resp, err := cluster.GetCluster(t.Context(), &clusterpb.GetClusterRequest{})
	if err != nil {
		t.Fatal(err)
	}
	zones := map[uint64]string{}
	for _, p := range resp.GetPeers() {
		zones[p.GetId()] = p.GetZone()
	}
	for _, s := range placed(t, cluster, "docs", 2).GetShards() {
		if a, b := s.GetReplicas()[0].GetPeer(), s.GetReplicas()[1].GetPeer(); zones[a] == zones[b] {
			t.Errorf("both replicas of shard %d are in zone %s", s.GetShardId(), zones[a])
		}
	}
}

// httpStatus asks node i.
func httpStatus(t *testing.T, c *devcluster.Cluster, i int, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.HTTPAddresses()[i]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestHealthTellsWhetherTheNodeCanServe(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	get := func(path string) int { return httpStatus(t, c, 0, path) }
	wait := func(want int) {
		t.Helper()
		eventually(t, fmt.Sprintf("/readyz says %d", want), func(context.Context) error {
			if got := get("/readyz"); got != want {
				return fmt.Errorf("got %d", got)
			}
			return nil
		})
	}
	wait(http.StatusOK)
	for _, i := range []int{1, 2} {
		if err := c.DropNode(i); err != nil {
			t.Fatal(err)
		}
	}
	wait(http.StatusServiceUnavailable) // not sticky: without a quorum there is no leader
	if got := get("/livez"); got != http.StatusOK {
		t.Errorf("/livez says %d without a quorum", got)
	}
	if err := c.StartNode(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	wait(http.StatusOK)
	if got := get("/metrics"); got != http.StatusOK {
		t.Errorf("/metrics says %d", got)
	}
}
