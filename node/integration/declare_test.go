package integration_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// writer writes one point after the other until it is ended; each has to succeed within some tries.
type writer struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	done   uint64
	err    error
}

func writing(t *testing.T, client *qdrant.Client, name string) *writer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &writer{cancel: cancel}
	w.wg.Go(func() {
		for ctx.Err() == nil && w.err == nil {
			for try := range 1500 {
				_, w.err = client.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Wait: qdrant.PtrOf(true), Points: []*qdrant.PointStruct{
					{Id: qdrant.NewIDNum(w.done), Vectors: qdrant.NewVectors(1, 2, 3, float32(try))},
				}})
				if w.err == nil {
					w.done++
					break
				}
				<-time.After(20 * time.Millisecond)
			}
		}
	})
	return w
}

// end returns how many points were written.
func (w *writer) end(t *testing.T) uint64 {
	t.Helper()
	w.cancel()
	w.wg.Wait()
	if w.err != nil {
		t.Errorf("after %d points: %v", w.done, w.err)
	}
	return w.done
}

func peers(t *testing.T, cluster clusterpb.ClusterClient) []*clusterpb.Peer {
	t.Helper()
	resp, err := cluster.GetCluster(t.Context(), &clusterpb.GetClusterRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetPeers()
}

func waitFor(t *testing.T, cluster clusterpb.ClusterClient, op *clusterpb.Operation) {
	t.Helper()
	if op == nil {
		t.Fatal("no operation")
	}
	stream, err := cluster.WatchOperation(t.Context(), &clusterpb.WatchOperationRequest{Id: op.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	var last *clusterpb.Operation
	for err == nil {
		var resp *clusterpb.WatchOperationResponse
		if resp, err = stream.Recv(); err == nil {
			last = resp.GetOperation()
		}
	}
	if last.GetState() != clusterpb.OperationState_OPERATION_STATE_DONE {
		t.Fatalf("the operation ended as %v (%v)", last, err)
	}
}

// at rest, nothing is planned.
func nothingLeft(t *testing.T, cluster clusterpb.ClusterClient) {
	t.Helper()
	eventually(t, "nothing is left to do", func(ctx context.Context) error {
		plan, err := cluster.GetPlan(ctx, &clusterpb.GetPlanRequest{})
		if err == nil && len(plan.GetSteps()) > 0 {
			err = fmt.Errorf("%v", plan.GetSteps()[0])
		}
		return err
	})
}

func TestUnderLoadPeersAreDrainedFactorsChangeAndLostCopiesAreMadeAnew(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 4})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	create(t, client, "docs", 4, 2, 2)
	w := writing(t, client, "docs")
	placed(t, cluster, "docs", 2)

	draining, active := clusterpb.PeerState_PEER_STATE_DRAINING, clusterpb.PeerState_PEER_STATE_ACTIVE
	victim := peers(t, cluster)[2]
	plan, err := cluster.GetPlan(t.Context(), &clusterpb.GetPlanRequest{Change: &clusterpb.GetPlanRequest_Peer{Peer: &clusterpb.PeerChange{Peer: victim.GetId(), State: draining}}})
	if err != nil || uint32(len(plan.GetSteps())) < victim.GetReplicas() {
		t.Errorf("planned %v: %v", plan, err)
	}
	drained, err := cluster.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: victim.GetId(), State: &draining})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, cluster, drained.GetOperation())
	if now := peers(t, cluster)[2]; now.GetReplicas() != 0 || now.GetState() != draining || now.GetDiskTotalBytes() == 0 {
		t.Errorf("drained: %v", now)
	}

	for _, factor := range []uint32{3, 1, 2} { // three peers are left; strong all the time
		err := client.UpdateCollection(t.Context(), &qdrant.UpdateCollection{
			CollectionName: "docs", Params: &qdrant.CollectionParamsDiff{ReplicationFactor: &factor, WriteConsistencyFactor: &factor},
		})
		if err != nil {
			t.Fatal(err)
		}
		placed(t, cluster, "docs", factor)
	}
	if _, err := cluster.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: victim.GetId(), State: &active}); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, cluster)

	second := uint64(1)
	if _, err := cluster.UpdateSettings(t.Context(), &clusterpb.UpdateSettingsRequest{Settings: &clusterpb.Settings{ReplicaReplaceAfterSeconds: &second}}); err != nil {
		t.Fatal(err)
	}
	if err := c.DropNode(3); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what the lost node held is elsewhere", func(ctx context.Context) error {
		resp, err := cluster.GetPlacement(ctx, &clusterpb.GetPlacementRequest{})
		if err != nil {
			return err
		}
		for _, s := range resp.GetCollections()[0].GetShards() {
			if s.GetActiveReplicas() != 2 || len(s.GetReplicas()) != 2 || !s.GetWritable() {
				return errors.New(s.String())
			}
		}
		return nil
	})
	written := w.end(t)
	shows(t, client, "docs", written)
	shows(t, official(t, c, 2), "docs", written)
	t.Logf("%d points were written meanwhile", written)
}
