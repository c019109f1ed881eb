package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// remove removes node i's peer for good, and returns what was lost.
func remove(t *testing.T, cluster clusterpb.ClusterClient, name string, lose ...string) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, p := range peers(t, cluster) {
		if p.GetName() == name {
			resp, err := cluster.RemovePeer(ctx, &clusterpb.RemovePeerRequest{Peer: p.GetId(), Lose: lose})
			return resp.GetLost(), err
		}
	}
	t.Fatalf("%s is no peer", name)
	return nil, nil
}

// members are the names of those that count, with a star for voters.
func members(ctx context.Context, cluster clusterpb.ClusterClient) (string, error) {
	resp, err := cluster.GetCluster(ctx, &clusterpb.GetClusterRequest{})
	var names []string
	for _, p := range resp.GetPeers() {
		name := p.GetName()
		if p.GetVoter() {
			name += "*"
		}
		names = append(names, name)
	}
	return strings.Join(names, " "), err
}

// acquainted waits until every node takes all of them for alive, so that what is placed is placed on all of them.
func acquainted(t *testing.T, c *devcluster.Cluster) {
	t.Helper()
	for i := range c.Endpoints() {
		cluster := clusterService(t, c, i)
		eventually(t, fmt.Sprintf("node %d takes all others for alive", i), func(ctx context.Context) error {
			resp, err := cluster.GetCluster(ctx, &clusterpb.GetClusterRequest{})
			if err == nil && len(resp.GetPeers()) != len(c.Endpoints()) {
				err = fmt.Errorf("%d peers", len(resp.GetPeers()))
			}
			for _, p := range resp.GetPeers() {
				if !p.GetAlive() {
					err = fmt.Errorf("%s is dead", p.GetName())
				}
			}
			return err
		})
	}
}

// leads finds a node that leads a shard, other than the first one.
func leads(t *testing.T, cluster clusterpb.ClusterClient, collection string) int {
	t.Helper()
	for i, p := range peers(t, cluster)[1:] {
		for _, s := range placed(t, cluster, collection, 2).GetShards() {
			if s.GetPrimary() == p.GetId() {
				return i + 1
			}
		}
	}
	t.Fatal("only the first node leads")
	return 0
}

func TestADrainedPeerIsRemovedForGoodAndItsNodeEnds(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 4})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	acquainted(t, c)
	create(t, client, "docs", 4, 2, 2)
	fill(t, client, "docs", 0, 100)
	placed(t, cluster, "docs", 2)
	gone := leads(t, cluster, "docs")
	name := fmt.Sprintf("node-%d", gone+1)
	if _, err := remove(t, cluster, name); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "drain it first") {
		t.Fatalf("a peer that leads: %v", err)
	}
	draining := clusterpb.PeerState_PEER_STATE_DRAINING
	drained, err := cluster.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: peers(t, cluster)[gone].GetId(), State: &draining})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, cluster, drained.GetOperation())
	if lost, err := remove(t, cluster, name); err != nil || len(lost) > 0 {
		t.Fatalf("a peer that holds nothing: %v, lost %v", err, lost)
	}
	eventually(t, "the peer is forgotten", func(ctx context.Context) error {
		got, err := members(ctx, cluster)
		if err == nil && (strings.Contains(got, name) || len(strings.Fields(got)) != 3) {
			err = fmt.Errorf("peers: %s", got)
		}
		return err
	})
	select {
	case err := <-c.Failed(gone):
		if !strings.Contains(err.Error(), "removed from its cluster for good") {
			t.Errorf("the removed node ends with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the removed node goes on")
	}
	if err := c.DropNode(gone); err != nil {
		t.Error(err)
	}
	if err := c.StartNode(t.Context(), gone); err == nil {
		select {
		case <-c.Failed(gone):
		case <-time.After(30 * time.Second):
			t.Error("the removed node comes back as if nothing had been")
		}
		_ = c.DropNode(gone)
	}
	if err := c.WipeNode(gone); err != nil {
		t.Fatal(err)
	}
	if err := c.StartNode(t.Context(), gone); err != nil {
		t.Fatalf("with an empty folder it is a new peer: %v", err)
	}
	eventually(t, "there is a new peer", func(ctx context.Context) error {
		got, err := members(ctx, cluster)
		if err == nil && len(strings.Fields(got)) != 4 {
			err = fmt.Errorf("peers: %s", got)
		}
		return err
	})
	shows(t, official(t, c, gone), "docs", 100)
}

func TestADeadPeerIsRemovedOnlyWithWhatItAloneHasGivenUp(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 4})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	acquainted(t, c)
	create(t, client, "docs", 2, 2, 2)
	create(t, client, "lone", 4, 1, 1)
	fill(t, client, "docs", 0, 100)
	fill(t, client, "lone", 0, 100)
	var last string
	held := uint64(0)
	for _, s := range placed(t, cluster, "lone", 1).GetShards() {
		if s.GetPrimary() == peers(t, cluster)[3].GetId() {
			last = fmt.Sprintf("lone/%d", s.GetShardId())
			held = s.GetReplicas()[0].GetPoints()
		}
	}
	if last == "" || held == 0 {
		t.Fatal("node-4 holds no points alone: nothing is tested")
	}
	if err := c.DropNode(3); err != nil {
		t.Fatal(err)
	}
	if _, err := remove(t, cluster, "node-4"); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "--lose "+last) {
		t.Fatalf("with the last copy of %s: %v", last, err)
	}
	var lost []string
	eventually(t, "it is known to be dead", func(context.Context) (err error) {
		lost, err = remove(t, cluster, "node-4", "docs/0", last)
		return err
	})
	if !slices.Equal(lost, []string{last}) {
		t.Fatalf("lost %v", lost)
	}
	placed(t, cluster, "docs", 2)
	placed(t, cluster, "lone", 1)
	shows(t, client, "docs", 100)
	shows(t, client, "lone", 100-held)
	for kind, want := range map[string]string{"peer_removed": "node-4", "shard_lost": "shard " + strings.TrimPrefix(last, "lone/") + " of lone"} {
		if texts := happened(t, cluster, kind); len(texts) != 1 || !strings.Contains(texts[0], want) {
			t.Errorf("events %s: %v, want one about %s", kind, texts, want)
		}
	}
	fill(t, client, "lone", 0, 100) // what begins anew takes writes
	shows(t, client, "lone", 100)
}

func TestTheRaftLeaderIsRemovedByAnother(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	acquainted(t, c)
	var leader, other string
	var ask clusterpb.ClusterClient
	eventually(t, "somebody leads", func(ctx context.Context) error {
		resp, err := clusterService(t, c, 0).GetCluster(ctx, &clusterpb.GetClusterRequest{})
		if err != nil {
			return err
		}
		for i, p := range resp.GetPeers() {
			if p.GetLeader() {
				leader, other, ask = p.GetName(), resp.GetPeers()[(i+1)%3].GetName(), clusterService(t, c, (i+1)%3)
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	if _, err := remove(t, ask, leader); err != nil {
		t.Fatal(err)
	}
	got, err := members(t.Context(), ask)
	if err != nil || strings.Contains(got, leader+"*") || !strings.Contains(got, other+"*") {
		t.Errorf("%s was removed, and these are left: %s, %v", leader, got, err)
	}
}

func TestWithoutAQuorumReadsGoOnAndChangesAreRefused(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 2, 3, 2)
	create(t, client, "weak", 1, 3, 1)
	fill(t, client, "docs", 0, 100)
	placed(t, cluster, "docs", 3)
	shows(t, client, "docs", 100)
	gone := peers(t, cluster)[2].GetName()
	for _, i := range []int{1, 2} {
		if err := c.DropNode(i); err != nil {
			t.Fatal(err)
		}
	}
	shows(t, client, "docs", 100)
	eventually(t, "nobody leads", func(ctx context.Context) error { // a leader that has yet to notice takes a change, which may be made later
		resp, err := cluster.GetCluster(ctx, &clusterpb.GetClusterRequest{})
		if err == nil && resp.GetLeader() != 0 {
			err = fmt.Errorf("%d does", resp.GetLeader())
		}
		return err
	})
	for what, change := range map[string]func(ctx context.Context) error{
		"create": func(ctx context.Context) error {
			return client.CreateCollection(ctx, &qdrant.CreateCollection{
				CollectionName: "more", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Dot}),
			})
		},
		"delete": func(ctx context.Context) error { return client.DeleteCollection(ctx, "docs") },
		"alias":  func(ctx context.Context) error { return client.CreateAlias(ctx, "a", "docs") },
		"remove": func(context.Context) error { _, err := remove(t, cluster, gone); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		begun := time.Now()
		err := unwrapped(change(ctx))
		cancel()
		if status.Code(err) != codes.Unavailable || !strings.Contains(status.Convert(err).Message(), "no leader") {
			t.Errorf("%s without a quorum: %v after %s", what, err, time.Since(begun))
		}
	}
	shows(t, client, "docs", 100)
	if err := c.StartNode(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "with a quorum, changes are made", func(ctx context.Context) error { return client.CreateAlias(ctx, "a", "docs") })
}

func TestClustersOfEverySizeLoseWhatTheyMayAndComeBack(t *testing.T) {
	for _, size := range []int{1, 2, 5} { // of three are most others
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			c := start(t, devcluster.Options{Nodes: size})
			client := official(t, c, 0)
			factor := uint32(size) // so a minority of the nodes is a minority of each shard's copies
			create(t, client, "docs", 2, factor, factor/2+1)
			fill(t, client, "docs", 0, 50)
			placed(t, clusterService(t, c, 0), "docs", factor)
			for i := range max(1, (size-1)/2) { // more than a minority only where there is none
				if err := c.DropNode(size - 1 - i); err != nil {
					t.Fatal(err)
				}
			}
			if size >= 3 {
				eventually(t, "the others take writes", func(ctx context.Context) error { return upsertOne(ctx, client, "docs", 50) })
				create(t, client, "late", 1, 1, 1)
			}
			for i := range max(1, (size-1)/2) {
				if err := c.StartNode(t.Context(), size-1-i); err != nil {
					t.Fatal(err)
				}
			}
			for i := range size {
				client := official(t, c, i)
				eventually(t, "each node takes writes", func(ctx context.Context) error { return upsertOne(ctx, client, "docs", 50) })
				shows(t, client, "docs", 51)
			}
		})
	}
}

func upsertOne(ctx context.Context, client *qdrant.Client, name string, id uint64) error {
	_, err := client.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: qdrant.PtrOf(true), Points: []*qdrant.PointStruct{
		{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectors(1, 2, 3, 4)},
	}})
	return err
}
