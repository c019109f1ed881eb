package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// falsify changes the payload of one point in the data directory of a node that is stopped, as no node would.
func falsify(t *testing.T, dir string) {
	t.Helper()
	store, err := kv.Open(kv.Options{Dir: filepath.Join(dir, "store"), Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	generations, err := store.Generations()
	if err != nil || len(generations) == 0 {
		t.Fatalf("generations %v, %v", generations, err)
	}
	view, err := store.View()
	if err != nil {
		t.Fatal(err)
	}
	var b kv.Batch
	gen := generations[0]
	err = view.ScanPayloads(t.Context(), gen, nil, func(r kv.Record) (bool, error) {
		b.PutPayload(gen, r.ID, r.Version, point.EncodePayload(point.Payload{"n": int64(-1)}), kv.Refs{Payload: r.Ref})
		return false, nil
	})
	view.Close()
	if err != nil || b.Empty() {
		t.Fatalf("nothing to falsify: %v", err)
	}
	if err := errors.Join(store.Commit(t.Context(), &b), store.Close()); err != nil {
		t.Fatal(err)
	}
}

// verify returns what comes of comparing all replicas.
func verify(ctx context.Context, cluster clusterpb.ClusterClient) ([]*clusterpb.ShardVerdict, error) {
	stream, err := cluster.Verify(ctx, &clusterpb.VerifyRequest{})
	if err != nil {
		return nil, err
	}
	var all []*clusterpb.ShardVerdict
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if r.GetShard() != nil {
			all = append(all, r.GetShard())
		}
	}
}

// differing returns the peers in the minority.
func differing(verdicts []*clusterpb.ShardVerdict) (peers []uint64) {
	for _, v := range verdicts {
		for _, r := range v.GetReplicas() {
			if r.GetDiffers() {
				peers = append(peers, r.GetPeer())
			}
		}
	}
	return peers
}

// unequal says which shards were not found equal.
func unequal(verdicts []*clusterpb.ShardVerdict) error {
	for _, v := range verdicts {
		if !v.GetEqual() {
			return fmt.Errorf("shard %d: compared %t: %s", v.GetShardId(), v.GetCompared(), v.GetProblem())
		}
	}
	return nil
}

// happened returns the texts of the events of a kind that a node remembers.
func happened(t *testing.T, cluster clusterpb.ClusterClient, kind string) (texts []string) {
	t.Helper()
	stream, err := cluster.WatchEvents(t.Context(), &clusterpb.WatchEventsRequest{})
	for err == nil {
		var r *clusterpb.WatchEventsResponse
		if r, err = stream.Recv(); err == nil && r.GetEvent().GetKind() == kind {
			texts = append(texts, r.GetEvent().GetText())
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return texts
}

func TestVerifyFindsACopyThatWasChangedAndHasItMadeAnewUnderLoad(t *testing.T) {
	dir := t.TempDir()
	c := start(t, devcluster.Options{Nodes: 3, Dir: dir})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 2, 3, 2)
	fill(t, client, "docs", 0, 200)
	placed(t, cluster, "docs", 3)
	verdicts, err := verify(t.Context(), cluster)
	if err != nil || len(verdicts) != 2 || unequal(verdicts) != nil {
		t.Fatalf("%v, %v", verdicts, err)
	}
	if err := c.StopNode(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	falsify(t, filepath.Join(dir, "node-3"))
	if err := c.StartNode(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	placed(t, cluster, "docs", 3)
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() {
		for i := uint64(1000); ctx.Err() == nil; i++ {
			_, _ = client.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "docs", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(i), Vectors: qdrant.NewVectors(1, 2, 3, 4)}}})
		}
	})
	verdicts, err = verify(t.Context(), cluster)
	if err != nil || len(differing(verdicts)) != 1 {
		t.Errorf("one copy was changed, found were %v: %v, %v", differing(verdicts), verdicts, err)
	}
	eventually(t, "the copy is made anew", func(context.Context) error {
		if len(happened(t, clusterService(t, c, 0), "replica_rebuilt"))+len(happened(t, clusterService(t, c, 1), "replica_rebuilt")) == 0 {
			return errors.New("nothing of it")
		}
		return nil
	})
	cancel()
	load.Wait()
	placed(t, cluster, "docs", 3)
	eventually(t, "all copies are equal again", func(ctx context.Context) error {
		verdicts, err := verify(ctx, cluster)
		return errors.Join(err, unequal(verdicts))
	})
	if texts := happened(t, cluster, "replica_differs"); len(texts) != 1 || !strings.Contains(texts[0], "2 of 3 agree") {
		t.Errorf("events %q", texts)
	}
	metricAbove(t, c.HTTPAddresses()[0], "ostraka_audit_different_digests_total", 0)
}

func TestTheCheckInTheBackgroundRepairsWithoutBeingAsked(t *testing.T) {
	dir := t.TempDir()
	c := start(t, devcluster.Options{Nodes: 2, Dir: dir, VerifyEvery: 2 * time.Second})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 1, 2, 1)
	fill(t, client, "docs", 0, 50)
	placement := placed(t, cluster, "docs", 2)
	follower := 0
	members, err := cluster.GetCluster(t.Context(), &clusterpb.GetClusterRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range members.GetPeers() {
		if p.GetId() != placement.GetShards()[0].GetPrimary() {
			follower = int(p.GetName()[len("node-")] - '1')
		}
	}
	if err := c.DropNode(follower); err != nil {
		t.Fatal(err)
	}
	falsify(t, filepath.Join(dir, fmt.Sprintf("node-%d", follower+1)))
	if err := c.StartNode(t.Context(), follower); err != nil {
		t.Fatal(err)
	}
	other := official(t, c, 1-follower)
	eventually(t, "the primary's node tells that the copy differs and begins anew", func(context.Context) error {
		told := happened(t, clusterService(t, c, 1-follower), "replica_differs")
		if len(told) == 0 || !strings.Contains(told[0], "the primary's copy is kept") {
			return fmt.Errorf("events %q", told)
		}
		return nil
	})
	placed(t, clusterService(t, c, 1-follower), "docs", 2)
	eventually(t, "both copies are equal again", func(ctx context.Context) error {
		verdicts, err := verify(ctx, clusterService(t, c, 1-follower))
		return errors.Join(err, unequal(verdicts))
	})
	shows(t, other, "docs", 50)
	got, err := official(t, c, follower).Get(t.Context(), &qdrant.GetPoints{CollectionName: "docs", Ids: []*qdrant.PointId{qdrant.NewIDNum(0)}, WithPayload: qdrant.NewWithPayload(true)})
	if err != nil || len(got) != 1 || got[0].GetPayload()["n"].GetIntegerValue() != 0 {
		t.Errorf("point 0 is %v, %v", got, err)
	}
}
