package client_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// wireOperation and wantOperation are the same operation on both sides of the wire.
func wireOperation(state clusterpb.OperationState) *clusterpb.Operation {
	return &clusterpb.Operation{
		Id: 9, Kind: "reshard", Collection: "docs", ShardKey: wireKeyword("eu"), Peer: 3, State: state, Phase: "moving", Done: 1, Total: 2,
		BytesDone: 3, BytesTotal: 4, StartedUnixMs: 1000, EndedUnixMs: 2000, Problem: "slow", FromShardNumber: 4, ToShardNumber: 8,
	}
}

func wantOperation(state client.OperationState) client.Operation {
	return client.Operation{
		ID: 9, Kind: "reshard", Collection: "docs", ShardKey: &client.ShardKey{Keyword: "eu"}, Peer: 3, State: state, Phase: "moving", Done: 1, Total: 2,
		BytesDone: 3, BytesTotal: 4, Started: time.UnixMilli(1000), Ended: time.UnixMilli(2000), Problem: "slow", FromShardNumber: 4, ToShardNumber: 8,
	}
}

func (clusterServer) Reshard(_ context.Context, r *clusterpb.ReshardRequest) (*clusterpb.ReshardResponse, error) {
	if r.GetCollection() == "settled" {
		return &clusterpb.ReshardResponse{}, nil
	}
	return &clusterpb.ReshardResponse{Operation: wireOperation(clusterpb.OperationState_OPERATION_STATE_RUNNING)}, nil
}

func (clusterServer) Rebalance(context.Context, *clusterpb.RebalanceRequest) (*clusterpb.RebalanceResponse, error) {
	return &clusterpb.RebalanceResponse{Operation: wireOperation(clusterpb.OperationState_OPERATION_STATE_RUNNING)}, nil
}

func (clusterServer) ListOperations(context.Context, *clusterpb.ListOperationsRequest) (*clusterpb.ListOperationsResponse, error) {
	return &clusterpb.ListOperationsResponse{Operations: []*clusterpb.Operation{wireOperation(clusterpb.OperationState_OPERATION_STATE_FAILED)}}, nil
}

func (clusterServer) CancelOperation(context.Context, *clusterpb.CancelOperationRequest) (*clusterpb.CancelOperationResponse, error) {
	return &clusterpb.CancelOperationResponse{Operation: wireOperation(clusterpb.OperationState_OPERATION_STATE_CANCELLED)}, nil
}

// WatchOperation of 7 breaks off after its first message, as when a node ends; of any other it tells the end.
func (clusterServer) WatchOperation(r *clusterpb.WatchOperationRequest, s grpc.ServerStreamingServer[clusterpb.WatchOperationResponse]) error {
	states := []clusterpb.OperationState{clusterpb.OperationState_OPERATION_STATE_RUNNING, clusterpb.OperationState_OPERATION_STATE_DONE}
	if r.GetId() == 404 {
		return status.Error(codes.NotFound, "no such operation")
	}
	for i, state := range states {
		if err := s.Send(&clusterpb.WatchOperationResponse{Operation: wireOperation(state)}); err != nil {
			return err
		}
		if r.GetId() == 7 && i == 0 {
			if md := brokenOnce(s.Context()); md {
				return status.Error(codes.Unavailable, "the node ends")
			}
		}
	}
	return nil
}

type brokenKey struct{}

func brokenOnce(ctx context.Context) bool {
	broken, ok := ctx.Value(brokenKey{}).(*bool)
	if !ok || *broken {
		return false
	}
	*broken = true
	return true
}

func (clusterServer) UpdatePeer(context.Context, *clusterpb.UpdatePeerRequest) (*clusterpb.UpdatePeerResponse, error) {
	return &clusterpb.UpdatePeerResponse{
		Peer:      &clusterpb.Peer{Id: 3, State: clusterpb.PeerState_PEER_STATE_MAINTENANCE},
		Operation: wireOperation(clusterpb.OperationState_OPERATION_STATE_RUNNING),
	}, nil
}

func (clusterServer) UpdateShardKey(_ context.Context, r *clusterpb.UpdateShardKeyRequest) (*clusterpb.UpdateShardKeyResponse, error) {
	return &clusterpb.UpdateShardKeyResponse{ShardKey: &clusterpb.ShardKeyPlacement{
		Key: r.GetShardKey(), ShardNumber: 1, TargetShardNumber: 2, ReplicationFactor: 3, Placement: []uint64{4},
	}}, nil
}

func (clusterServer) RemovePeer(context.Context, *clusterpb.RemovePeerRequest) (*clusterpb.RemovePeerResponse, error) {
	return &clusterpb.RemovePeerResponse{Lost: []string{"docs/1"}}, nil
}

func wireSettings() *clusterpb.Settings {
	return &clusterpb.Settings{ReplicaReplaceAfterSeconds: ptr(uint64(600)), Paused: ptr(false), TransfersPerPeer: ptr(uint32(2)),
		TransfersPerCluster: ptr(uint32(16)), TransferBytesPerSecond: ptr(uint64(1 << 20)), Balance: ptr(true)}
}

func (clusterServer) GetSettings(context.Context, *clusterpb.GetSettingsRequest) (*clusterpb.GetSettingsResponse, error) {
	return &clusterpb.GetSettingsResponse{Settings: wireSettings()}, nil
}

func (clusterServer) UpdateSettings(context.Context, *clusterpb.UpdateSettingsRequest) (*clusterpb.UpdateSettingsResponse, error) {
	return &clusterpb.UpdateSettingsResponse{Settings: wireSettings()}, nil
}

func (clusterServer) GetPlan(context.Context, *clusterpb.GetPlanRequest) (*clusterpb.GetPlanResponse, error) {
	return &clusterpb.GetPlanResponse{
		Bytes: 10, Seconds: 20, Paused: true, StepsLeftOut: 3,
		Steps: []*clusterpb.PlannedStep{{Kind: "add_replica", Collection: "docs", ShardId: ptr(uint32(1)), FromPeer: 2, ToPeer: 3, Bytes: 4, Why: "missing"}},
		Findings: []*clusterpb.PlanFinding{
			{Severity: clusterpb.PlanFinding_ERROR, Code: "replicas_exceed_peers", Text: "too many", Field: "replication_factor"},
			{Severity: clusterpb.PlanFinding_WARNING}, {Severity: clusterpb.PlanFinding_INFO},
		},
	}, nil
}

func (collectionsServer) CreateShardKey(context.Context, *qdrant.CreateShardKeyRequest) (*qdrant.CreateShardKeyResponse, error) {
	return &qdrant.CreateShardKeyResponse{Result: true}, nil
}

func (collectionsServer) DeleteShardKey(context.Context, *qdrant.DeleteShardKeyRequest) (*qdrant.DeleteShardKeyResponse, error) {
	return &qdrant.DeleteShardKeyResponse{Result: true}, nil
}

func (collectionsServer) ListShardKeys(context.Context, *qdrant.ListShardKeysRequest) (*qdrant.ListShardKeysResponse, error) {
	return &qdrant.ListShardKeysResponse{ShardKeys: []*qdrant.ShardKeyDescription{{Key: qdrant.NewShardKeyKeyword("eu")}, {Key: qdrant.NewShardKeyNum(7)}}}, nil
}

func (collectionsServer) UpdateCollectionClusterSetup(context.Context, *qdrant.UpdateCollectionClusterSetupRequest) (*qdrant.UpdateCollectionClusterSetupResponse, error) {
	return &qdrant.UpdateCollectionClusterSetupResponse{Result: true}, nil
}

func (collectionsServer) CollectionClusterInfo(context.Context, *qdrant.CollectionClusterInfoRequest) (*qdrant.CollectionClusterInfoResponse, error) {
	return &qdrant.CollectionClusterInfoResponse{
		PeerId: 5, LocalShards: []*qdrant.LocalShardInfo{{ShardId: 1, State: qdrant.ReplicaState_Active, ShardKey: qdrant.NewShardKeyNum(7)}},
		RemoteShards:   []*qdrant.RemoteShardInfo{{ShardId: 1, PeerId: 2, State: qdrant.ReplicaState_Dead}, {ShardId: 0, PeerId: 9, State: qdrant.ReplicaState_Partial}},
		ShardTransfers: []*qdrant.ShardTransferInfo{{ShardId: 1, From: 5, To: 2}},
	}, nil
}

// declared runs f with a client of one node, and returns that node's requests.
func declared(t *testing.T, f func(ctx context.Context, c *client.Client), options ...nodeOption) (requests func(method string) []seen) {
	t.Helper()
	n := newNetwork(t)
	a := n.node("a:1", options...)
	f(t.Context(), n.client(client.Config{}, "a:1"))
	return func(method string) []seen { return a.requests(method) }
}

const clusterMethods = "ostraka.cluster.v1.Cluster/"

func TestPlansAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := &client.Plan{
			Bytes: 10, Duration: 20 * time.Second, Paused: true, LeftOut: 3,
			Steps: []client.PlannedStep{{Kind: "add_replica", Collection: "docs", Shard: ptr(uint32(1)), From: 2, To: 3, Bytes: 4, Why: "missing"}},
			Findings: []client.Finding{
				{Severity: client.SeverityError, Code: "replicas_exceed_peers", Text: "too many", Field: "replication_factor"},
				{Severity: client.SeverityWarning}, {Severity: client.SeverityInfo},
			},
		}
		requests := declared(t, func(ctx context.Context, c *client.Client) {
			for _, plan := range []func() (*client.Plan, error){
				func() (*client.Plan, error) { return c.Plan(ctx) },
				func() (*client.Plan, error) {
					return c.PlanCollection(ctx, client.CollectionChange{Collection: "docs", ShardNumber: ptr(uint32(8)), ReplicationFactor: ptr(uint32(3)),
						WriteConsistencyFactor: ptr(uint32(2)), ShardKey: &client.ShardKey{Keyword: "eu"}, Placement: []client.PeerID{2, 3}})
				},
				func() (*client.Plan, error) {
					return c.PlanCollection(ctx, client.CollectionChange{Collection: "docs", ShardKey: &client.ShardKey{Number: 7}, Placement: []client.PeerID{}})
				},
				func() (*client.Plan, error) {
					return c.PlanPeer(ctx, client.PeerChange{Peer: 3, State: client.PeerMaintenance})
				},
				func() (*client.Plan, error) { return c.PlanPeer(ctx, client.PeerChange{Peer: 3, Remove: true}) },
			} {
				if got, err := plan(); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, %v", got, err)
				}
			}
			if _, err := c.PlanPeer(ctx, client.PeerChange{Peer: 3, State: "asleep"}); client.ClassOf(err) != client.ClassInvalid {
				t.Errorf("got %v", err)
			}
		})
		for i, want := range []*clusterpb.GetPlanRequest{
			{},
			{Change: &clusterpb.GetPlanRequest_Collection{Collection: &clusterpb.CollectionChange{Collection: "docs", ShardNumber: ptr(uint32(8)),
				ReplicationFactor: ptr(uint32(3)), WriteConsistencyFactor: ptr(uint32(2)), ShardKey: wireKeyword("eu"),
				Placement: &clusterpb.PeerSet{Peers: []uint64{2, 3}}}}},
			{Change: &clusterpb.GetPlanRequest_Collection{Collection: &clusterpb.CollectionChange{Collection: "docs",
				ShardKey: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 7}}, Placement: &clusterpb.PeerSet{}}}},
			{Change: &clusterpb.GetPlanRequest_Peer{Peer: &clusterpb.PeerChange{Peer: 3, State: clusterpb.PeerState_PEER_STATE_MAINTENANCE}}},
			{Change: &clusterpb.GetPlanRequest_Peer{Peer: &clusterpb.PeerChange{Peer: 3, Remove: true}}},
		} {
			expect(t, requests(clusterMethods + "GetPlan")[i].request, want)
		}
	})
}

func TestOperationsAreBegunListedWatchedAndCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := declared(t, func(ctx context.Context, c *client.Client) {
			running := wantOperation(client.OperationRunning)
			if op, err := c.Reshard(ctx, "docs", 8, &client.ShardKey{Number: 7}); err != nil || !reflect.DeepEqual(*op, running) {
				t.Errorf("got %+v, %v", op, err)
			}
			if op, err := c.Reshard(ctx, "settled", 8, nil); err != nil || op != nil {
				t.Errorf("got %+v, %v", op, err)
			}
			if op, err := c.Rebalance(ctx, "docs"); err != nil || !reflect.DeepEqual(*op, running) {
				t.Errorf("got %+v, %v", op, err)
			}
			if all, err := c.Operations(ctx, "docs", true); err != nil || !reflect.DeepEqual(all, []client.Operation{wantOperation(client.OperationFailed)}) {
				t.Errorf("got %+v, %v", all, err)
			}
			if op, err := c.CancelOperation(ctx, 9); err != nil || !reflect.DeepEqual(op, wantOperation(client.OperationCancelled)) {
				t.Errorf("got %+v, %v", op, err)
			}
			var states []client.OperationState
			last, err := c.WatchOperation(ctx, 9, func(o client.Operation) error { states = append(states, o.State); return nil })
			if err != nil || last.State != client.OperationDone || !reflect.DeepEqual(states, []client.OperationState{client.OperationRunning, client.OperationDone}) {
				t.Errorf("got %v, %+v, %v", states, last, err)
			}
			if _, err := c.WatchOperation(ctx, 404, nil); !client.IsNotFound(err) {
				t.Errorf("got %v", err)
			}
			stop := errors.New("enough")
			if _, err := c.WatchOperation(ctx, 9, func(client.Operation) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("got %v", err)
			}
		})
		expect(t, requests(clusterMethods + "Reshard")[0].request, &clusterpb.ReshardRequest{Collection: "docs", ShardNumber: 8,
			ShardKey: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 7}}})
		expect(t, requests(clusterMethods + "ListOperations")[0].request, &clusterpb.ListOperationsRequest{Collection: "docs", RunningOnly: true})
	})
}

func TestAnOperationIsWatchedToItsEndWhenTheNodeThatWasAskedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := false
		option := func(n *node) {
			n.options = append(n.options, grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
				return h(srv, streamWith{s, context.WithValue(s.Context(), brokenKey{}, &broken)})
			}))
		}
		declared(t, func(ctx context.Context, c *client.Client) {
			last, err := c.WatchOperation(ctx, 7, nil)
			if err != nil || last.State != client.OperationDone || !broken {
				t.Errorf("got %+v, %v, broken off: %t", last, err, broken)
			}
		}, option)
	})
}

type streamWith struct {
	grpc.ServerStream
	ctx context.Context
}

func (s streamWith) Context() context.Context { return s.ctx }

func TestPeersAndSettingsAreChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := client.Settings{ReplicaReplaceAfter: ptr(10 * time.Minute), Paused: ptr(false), TransfersPerPeer: ptr(uint32(2)),
			TransfersPerCluster: ptr(uint32(16)), TransferBytesPerSecond: ptr(uint64(1 << 20)), Balance: ptr(true)}
		requests := declared(t, func(ctx context.Context, c *client.Client) {
			peer, op, err := c.UpdatePeer(ctx, 3, client.PeerUpdate{Zone: ptr("z"), Labels: map[string]string{"a": "b"}, State: ptr(client.PeerDraining)})
			if err != nil || op == nil || peer.State != client.PeerMaintenance {
				t.Errorf("got %+v, %+v, %v", peer, op, err)
			}
			if _, _, err := c.UpdatePeer(ctx, 3, client.PeerUpdate{}); err != nil {
				t.Error(err)
			}
			if _, _, err := c.UpdatePeer(ctx, 3, client.PeerUpdate{State: ptr(client.PeerState("asleep"))}); client.ClassOf(err) != client.ClassInvalid {
				t.Errorf("got %v", err)
			}
			if lost, err := c.RemovePeer(ctx, 3, "docs/1"); err != nil || !reflect.DeepEqual(lost, []string{"docs/1"}) {
				t.Errorf("got %v, %v", lost, err)
			}
			if got, err := c.Settings(ctx); err != nil || !reflect.DeepEqual(got, settings) {
				t.Errorf("got %+v, %v", got, err)
			}
			if got, err := c.UpdateSettings(ctx, settings); err != nil || !reflect.DeepEqual(got, settings) {
				t.Errorf("got %+v, %v", got, err)
			}
			if _, err := c.UpdateSettings(ctx, client.Settings{ReplicaReplaceAfter: ptr(-time.Second)}); client.ClassOf(err) != client.ClassInvalid {
				t.Errorf("got %v", err)
			}
		})
		expect(t, requests(clusterMethods + "UpdatePeer")[0].request, &clusterpb.UpdatePeerRequest{Peer: 3, Zone: ptr("z"),
			Labels: &clusterpb.LabelMap{Labels: map[string]string{"a": "b"}}, State: clusterpb.PeerState_PEER_STATE_DRAINING.Enum()})
		expect(t, requests(clusterMethods + "UpdatePeer")[1].request, &clusterpb.UpdatePeerRequest{Peer: 3})
		expect(t, requests(clusterMethods + "RemovePeer")[0].request, &clusterpb.RemovePeerRequest{Peer: 3, Lose: []string{"docs/1"}})
		expect(t, requests(clusterMethods + "UpdateSettings")[0].request, &clusterpb.UpdateSettingsRequest{Settings: wireSettings()})
	})
}

func TestShardKeysAndReplicasByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := declared(t, func(ctx context.Context, c *client.Client) {
			do := func(err error) {
				if err != nil {
					t.Error(err)
				}
			}
			do(c.CreateShardKey(ctx, "docs", client.ShardKeySpec{Key: client.ShardKey{Keyword: "eu"}, ShardNumber: 2, ReplicationFactor: 3, Placement: []client.PeerID{4, 5}}))
			do(c.CreateShardKey(ctx, "docs", client.ShardKeySpec{Key: client.ShardKey{Number: 7}}))
			do(c.DeleteShardKey(ctx, "docs", client.ShardKey{Number: 7}))
			for _, update := range []client.ShardKeyUpdate{{ReplicationFactor: ptr(uint32(0)), Placement: []client.PeerID{}}, {Placement: []client.PeerID{5}}} {
				got, err := c.UpdateShardKey(ctx, "docs", client.ShardKey{Keyword: "eu"}, update)
				want := &client.ShardKeyPlacement{Key: client.ShardKey{Keyword: "eu"}, ShardNumber: 1, TargetShardNumber: 2, ReplicationFactor: 3, Placement: []client.PeerID{4}}
				if do(err); !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v", got)
				}
			}
			if keys, err := c.ListShardKeys(ctx, "docs"); err != nil || !reflect.DeepEqual(keys, []client.ShardKey{{Keyword: "eu"}, {Number: 7}}) {
				t.Errorf("got %v, %v", keys, err)
			}
			do(c.ReplicateShard(ctx, "docs", client.ShardTransfer{Shard: 1, From: 2, To: 3}))
			do(c.MoveShard(ctx, "docs", client.ShardTransfer{Shard: 1, From: 2, To: 3}))
			do(c.DropReplica(ctx, "docs", 1, 3))
			setup, err := c.Setup(ctx, "docs")
			if want := (&client.CollectionSetup{AnsweringPeer: 5, Transfers: []client.ShardTransfer{{Shard: 1, From: 5, To: 2}}, Replicas: []client.ReplicaLocation{
				{Shard: 0, Peer: 9, State: "partial"}, {Shard: 1, Peer: 2, State: "dead"}, {Shard: 1, Peer: 5, State: "active", Key: &client.ShardKey{Number: 7}},
			}}); err != nil || !reflect.DeepEqual(setup, want) {
				t.Errorf("got %+v, %v", setup, err)
			}
		})
		created := requests("qdrant.Collections/CreateShardKey")
		expect(t, created[0].request, &qdrant.CreateShardKeyRequest{CollectionName: "docs", Request: &qdrant.CreateShardKey{
			ShardKey: qdrant.NewShardKeyKeyword("eu"), ShardsNumber: ptr(uint32(2)), ReplicationFactor: ptr(uint32(3)), Placement: []uint64{4, 5}}})
		expect(t, created[1].request, &qdrant.CreateShardKeyRequest{CollectionName: "docs", Request: &qdrant.CreateShardKey{ShardKey: qdrant.NewShardKeyNum(7)}})
		updated := requests(clusterMethods + "UpdateShardKey")
		expect(t, updated[0].request, &clusterpb.UpdateShardKeyRequest{Collection: "docs", ShardKey: wireKeyword("eu"), ReplicationFactor: ptr(uint32(0)), Placement: &clusterpb.PeerSet{}})
		expect(t, updated[1].request, &clusterpb.UpdateShardKeyRequest{Collection: "docs", ShardKey: wireKeyword("eu"), Placement: &clusterpb.PeerSet{Peers: []uint64{5}}})
		setups := requests("qdrant.Collections/UpdateCollectionClusterSetup")
		for i, want := range []proto.Message{
			&qdrant.UpdateCollectionClusterSetupRequest{CollectionName: "docs", Operation: &qdrant.UpdateCollectionClusterSetupRequest_ReplicateShard{
				ReplicateShard: &qdrant.ReplicateShard{ShardId: 1, FromPeerId: 2, ToPeerId: 3}}},
			&qdrant.UpdateCollectionClusterSetupRequest{CollectionName: "docs", Operation: &qdrant.UpdateCollectionClusterSetupRequest_MoveShard{
				MoveShard: &qdrant.MoveShard{ShardId: 1, FromPeerId: 2, ToPeerId: 3}}},
			&qdrant.UpdateCollectionClusterSetupRequest{CollectionName: "docs", Operation: &qdrant.UpdateCollectionClusterSetupRequest_DropReplica{
				DropReplica: &qdrant.Replica{ShardId: 1, PeerId: 3}}},
		} {
			expect(t, setups[i].request, want)
		}
	})
}

// A node of an older version has the service, but not the method: it is not taken for a plain Qdrant.
func TestAMissingMethodIsToldFromAMissingService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		old := n.node("old:1")
		old.on(clusterMethods+"Reshard", always(status.Error(codes.Unimplemented, "method Reshard not implemented")))
		_, err := n.client(client.Config{}, "old:1").Reshard(t.Context(), "docs", 8, nil)
		if !client.IsUnsupported(err) || errors.Is(err, client.ErrNotOstraka) {
			t.Errorf("an old node: %v", err)
		}
		n.node("plain:1", plain)
		_, err = n.client(client.Config{}, "plain:1").Reshard(t.Context(), "docs", 8, nil)
		if !errors.Is(err, client.ErrNotOstraka) {
			t.Errorf("a plain Qdrant: %v", err)
		}
	})
}
