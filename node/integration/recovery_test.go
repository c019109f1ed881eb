package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// logEntries is so little that a node which misses a few writes misses what its log needs.
const logEntries = 32

// generations returns the generation of each replica of the only shard, by peer.
func generations(t *testing.T, cluster clusterpb.ClusterClient, collection string) map[uint64]uint64 {
	t.Helper()
	resp, err := cluster.GetPlacement(t.Context(), &clusterpb.GetPlacementRequest{Collections: []string{collection}})
	if err != nil {
		t.Fatal(err)
	}
	found := map[uint64]uint64{}
	for _, r := range resp.GetCollections()[0].GetShards()[0].GetReplicas() {
		found[r.GetPeer()] = r.GetGeneration()
	}
	return found
}

func deleteRange(t *testing.T, client *qdrant.Client, name string, from, to float64) {
	t.Helper()
	_, err := client.Delete(t.Context(), &qdrant.DeletePoints{
		CollectionName: name, Wait: qdrant.PtrOf(true),
		Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{
			qdrant.NewRange("n", &qdrant.Range{Gte: &from, Lt: &to}),
		}}),
	})
	if err != nil {
		t.Fatalf("delete: %v", err)
	}
}

func TestANodeThatMissedMoreThanTheLogKeepsIsFilledFromASnapshotUnderLoad(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3, LogEntries: logEntries})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 1, 3, 2)
	fill(t, client, "docs", 0, 500)
	placed(t, cluster, "docs", 3)
	before := generations(t, cluster, "docs")
	if err := c.DropNode(2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "writes go on", func(ctx context.Context) error {
		_, err := client.Delete(ctx, &qdrant.DeletePoints{CollectionName: "docs", Wait: qdrant.PtrOf(true), Points: qdrant.NewPointsSelector(qdrant.NewIDNum(499))})
		return err
	})
	// While a replica counts, the log is kept for it.
	eventually(t, "the replica that is away is demoted", func(ctx context.Context) error {
		resp, err := cluster.GetPlacement(ctx, &clusterpb.GetPlacementRequest{Collections: []string{"docs"}})
		if err != nil {
			return err
		}
		for _, r := range resp.GetCollections()[0].GetShards()[0].GetReplicas() {
			if r.GetState() == clusterpb.ReplicaState_DEAD {
				return nil
			}
		}
		return errors.New("every replica counts")
	})
	for i := range uint64(3 * logEntries) {
		fill(t, client, "docs", 1000+10*i, 1010+10*i)
	}
	deleteRange(t, client, "docs", 0, 100)

	stop := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			fill(t, client, "docs", 5000+i%50, 5001+i%50)
			if i%20 == 19 {
				deleteRange(t, client, "docs", 5000, 5010)
			}
		}
	})
	if err := c.StartNode(t.Context(), 2); err != nil {
		t.Error(err)
	}
	placed(t, cluster, "docs", 3)
	close(stop)
	load.Wait()
	changed := 0
	for peer, generation := range generations(t, cluster, "docs") {
		if before[peer] != generation {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d replicas were made anew, want the one that was away", changed)
	}
	want, err := count(t.Context(), client, "docs")
	if err != nil {
		t.Fatal(err)
	}
	shows(t, official(t, c, 2), "docs", want)
	info, err := client.GetCollectionClusterInfo(t.Context(), "docs")
	if err != nil || len(info.GetShardTransfers()) != 0 {
		t.Errorf("transfers %v, %v", info.GetShardTransfers(), err)
	}
	metricAbove(t, c.HTTPAddresses()[2], `ostraka_replica_transfer_bytes_total{direction="in"}`, 10_000)
}

// metricAbove waits until a node's metric is larger than a bound.
func metricAbove(t *testing.T, addr, metric string, bound float64) {
	t.Helper()
	eventually(t, metric+" has grown", func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			var value float64
			if rest, ok := strings.CutPrefix(line, metric); ok {
				if _, err := fmt.Sscan(rest, &value); err == nil && value > bound {
					return nil
				}
			}
		}
		return fmt.Errorf("%s is not above %g", metric, bound)
	})
}

func TestAWipedNodeIsRefilledWhenTheLogIsCut(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3, LogEntries: logEntries})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 2, 3, 2)
	for i := range uint64(3 * logEntries) {
		fill(t, client, "docs", 10*i, 10*i+10)
	}
	placed(t, cluster, "docs", 3)
	if err := c.DropNode(2); err != nil {
		t.Fatal(err)
	}
	if err := c.WipeNode(2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the wiped node is let in under its name", func(ctx context.Context) error { return c.StartNode(ctx, 2) })
	placed(t, cluster, "docs", 3)
	shows(t, official(t, c, 2), "docs", 10*3*logEntries)
}
