package command_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

func (s *server) GetPlan(_ context.Context, r *clusterpb.GetPlanRequest) (*clusterpb.GetPlanResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.plans = append(s.mu.plans, r)
	return s.plan, nil
}

func (s *server) UpdatePeer(_ context.Context, r *clusterpb.UpdatePeerRequest) (*clusterpb.UpdatePeerResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.peers = append(s.mu.peers, r)
	resp := &clusterpb.UpdatePeerResponse{}
	for _, p := range s.cluster.GetPeers() {
		if p.GetId() == r.GetPeer() {
			resp.Peer = p
		}
	}
	if r.GetState() == clusterpb.PeerState_PEER_STATE_DRAINING && len(s.operations) > 0 {
		resp.Operation = s.operations[0]
	}
	return resp, nil
}

func (s *server) ListOperations(_ context.Context, r *clusterpb.ListOperationsRequest) (*clusterpb.ListOperationsResponse, error) {
	resp := &clusterpb.ListOperationsResponse{}
	for _, o := range s.operations {
		if !r.GetRunningOnly() || o.GetState() == clusterpb.OperationState_OPERATION_STATE_RUNNING {
			resp.Operations = append(resp.Operations, o)
		}
	}
	return resp, nil
}

func (s *server) WatchOperation(_ *clusterpb.WatchOperationRequest, stream grpc.ServerStreamingServer[clusterpb.WatchOperationResponse]) error {
	for _, o := range s.watched {
		if err := stream.Send(&clusterpb.WatchOperationResponse{Operation: o}); err != nil {
			return err
		}
	}
	if last := s.watched[len(s.watched)-1]; last.GetState() == clusterpb.OperationState_OPERATION_STATE_RUNNING {
		<-stream.Context().Done()
	}
	return nil
}

func (s *server) CancelOperation(_ context.Context, r *clusterpb.CancelOperationRequest) (*clusterpb.CancelOperationResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.cancelled = append(s.mu.cancelled, r.GetId())
	if r.GetId() == 99 {
		return nil, status.Error(codes.NotFound, "operation 99 does not exist")
	}
	return &clusterpb.CancelOperationResponse{Operation: s.operations[1]}, nil
}

func (s *server) RemovePeer(_ context.Context, r *clusterpb.RemovePeerRequest) (*clusterpb.RemovePeerResponse, error) {
	if len(r.GetLose()) == 0 {
		return nil, status.Error(codes.FailedPrecondition, "node-1 holds the last copy that serves of docs/1: drain it first (ostraka peer drain), bring other copies back, or say that they may be lost (--lose docs/1)")
	}
	return &clusterpb.RemovePeerResponse{Lost: r.GetLose()}, nil
}

func (s *server) Rebalance(_ context.Context, r *clusterpb.RebalanceRequest) (*clusterpb.RebalanceResponse, error) {
	if r.GetCollection() == "docs" {
		return &clusterpb.RebalanceResponse{}, nil
	}
	return &clusterpb.RebalanceResponse{Operation: s.operations[2]}, nil
}

func (s *server) UpdateShardKey(_ context.Context, r *clusterpb.UpdateShardKeyRequest) (*clusterpb.UpdateShardKeyResponse, error) {
	if r.GetCollection() != "docs" {
		return nil, status.Error(codes.NotFound, "there is no such collection")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.rekeyed = append(s.mu.rekeyed, r)
	return &clusterpb.UpdateShardKeyResponse{ShardKey: &clusterpb.ShardKeyPlacement{
		Key: r.GetShardKey(), ShardNumber: 1, TargetShardNumber: 2, ReplicationFactor: 3, Placement: r.GetPlacement().GetPeers(),
	}}, nil
}

func (s *server) Reshard(_ context.Context, r *clusterpb.ReshardRequest) (*clusterpb.ReshardResponse, error) {
	switch {
	case r.GetCollection() != "docs":
		return nil, status.Error(codes.NotFound, "there is no such collection")
	case r.GetShardNumber() == 4:
		return &clusterpb.ReshardResponse{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.operations = []*clusterpb.Operation{{
		Id: 5, Kind: "reshard", Collection: "docs", State: clusterpb.OperationState_OPERATION_STATE_RUNNING, Phase: "1024 slots of 4096 left, 1 move under way: 25 of 100 points",
		Done: 1024, Total: 2048, BytesDone: 1 << 20, BytesTotal: 4 << 20, PointsDone: 25, PointsTotal: 100, ShardKey: r.GetShardKey(),
		FromShardNumber: 4, ToShardNumber: r.GetShardNumber(), StartedUnixMs: 1_700_000_040_000,
	}}
	return &clusterpb.ReshardResponse{Operation: s.operations[0]}, nil
}

func (s *server) GetSettings(context.Context, *clusterpb.GetSettingsRequest) (*clusterpb.GetSettingsResponse, error) {
	return &clusterpb.GetSettingsResponse{Settings: s.settings}, nil
}

func (s *server) UpdateSettings(_ context.Context, r *clusterpb.UpdateSettingsRequest) (*clusterpb.UpdateSettingsResponse, error) {
	now, change := s.settings, r.GetSettings()
	for _, f := range []struct{ now, change **uint32 }{{&now.TransfersPerPeer, &change.TransfersPerPeer}, {&now.TransfersPerCluster, &change.TransfersPerCluster}} {
		if *f.change != nil {
			*f.now = *f.change
		}
	}
	for _, f := range []struct{ now, change **uint64 }{
		{&now.ReplicaReplaceAfterSeconds, &change.ReplicaReplaceAfterSeconds}, {&now.TransferBytesPerSecond, &change.TransferBytesPerSecond},
	} {
		if *f.change != nil {
			*f.now = *f.change
		}
	}
	for _, f := range []struct{ now, change **bool }{{&now.Paused, &change.Paused}, {&now.Balance, &change.Balance}} {
		if *f.change != nil {
			*f.now = *f.change
		}
	}
	return &clusterpb.UpdateSettingsResponse{Settings: now}, nil
}

// busy is a cluster in which a peer is drained, one is in maintenance, and something ended in each way.
func busy(s *server) {
	healthy(s)
	s.cluster.Peers[0].State, s.cluster.Peers[0].Labels = clusterpb.PeerState_PEER_STATE_DRAINING, map[string]string{"rack": "7", "disk": "ssd"}
	s.cluster.Peers[0].Primaries, s.cluster.Peers[0].Bytes = 1, 5<<20
	s.cluster.Peers[0].DiskFreeBytes, s.cluster.Peers[0].DiskTotalBytes = 10<<30, 100<<30
	s.cluster.Peers[1].State = clusterpb.PeerState_PEER_STATE_MAINTENANCE
	s.operations = []*clusterpb.Operation{
		{Id: 4, Kind: "drain", Peer: 11, State: clusterpb.OperationState_OPERATION_STATE_RUNNING, Phase: "3 replicas left on node-1, 2 on the way to others",
			Done: 1, Total: 4, BytesDone: 1 << 20, BytesTotal: 4 << 20, StartedUnixMs: 1_700_000_040_000},
		{Id: 3, Kind: "replicate", Collection: "docs", Peer: 12, State: clusterpb.OperationState_OPERATION_STATE_CANCELLED, Problem: "it was cancelled",
			Total: 1, StartedUnixMs: 1_700_000_000_000, EndedUnixMs: 1_700_000_030_000},
		{Id: 2, Kind: "rebalance", State: clusterpb.OperationState_OPERATION_STATE_DONE, StartedUnixMs: 1_699_999_000_000, EndedUnixMs: 1_699_999_090_000},
		{Id: 1, Kind: "reshard", Collection: "docs\x1b[2J", State: clusterpb.OperationState_OPERATION_STATE_FAILED, Problem: "no", FromShardNumber: 2, ToShardNumber: 4, StartedUnixMs: 1},
	}
	s.watched = []*clusterpb.Operation{s.operations[0], {Id: 4, Kind: "drain", Peer: 11, State: clusterpb.OperationState_OPERATION_STATE_DONE, Done: 4, Total: 4,
		StartedUnixMs: 1_700_000_040_000, EndedUnixMs: 1_700_000_090_000}}
	after, few, many, rate, no, yes := uint64(600), uint32(2), uint32(16), uint64(200<<20), false, true
	s.settings = &clusterpb.Settings{ReplicaReplaceAfterSeconds: &after, Paused: &no, TransfersPerPeer: &few, TransfersPerCluster: &many, TransferBytesPerSecond: &rate, Balance: &yes}
}

func TestPeers(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	sh := shell(t, s)
	sh.expect(sh.run("peer", "list"), 0)
	sh.golden("peer-list.txt")
	sh.expect(sh.run("peer", "list", "-o", "json"), 0)
	sh.golden("peer-list.json")
	sh.expect(sh.run("peer", "drain", "node-1"), 0, "ostraka wait 4")
	sh.golden("peer-drain.txt")
	sh.expect(sh.run("peer", "drain", "11", "--wait", "-o", "json"), 0, "3 replicas left on node-1")
	sh.golden("peer-drain-wait.json")
	sh.expect(sh.run("peer", "undrain", "node-2"), 0)
	sh.expect(sh.run("peer", "maintenance", "node-2"), 0)
	sh.golden("peer-maintenance.txt")
	sh.expect(sh.run("peer", "label", "node-1", "rack=8", "disk-", "x="), 0)
	sh.expect(sh.run("peer", "label", "node-1"), 0)
	sh.expect(sh.run("peer", "label", "node-1", "rack"), 2, "NAME=VALUE")
	sh.expect(sh.run("peer", "zone", "node-1", ""), 0)
	sh.expect(sh.run("peer", "remove", "node-1"), 1, "--lose docs/1")
	sh.expect(sh.run("peer", "remove", "node-1", "--lose", "docs/1,docs/2"), 0)
	sh.golden("peer-remove.txt")
	sh.expect(sh.run("peer", "remove", "node-1", "--lose", "docs/1", "-o", "json"), 0)
	sh.golden("peer-remove.json")
	sh.expect(sh.run("peer", "drain", "node-9"), 1, `there is no peer "node-9": there are node-1, node-2`)
	var states []string
	for _, r := range s.mu.peers[:4] {
		states = append(states, r.GetState().String()[len("PEER_STATE_"):])
	}
	if got := strings.Join(states, " "); got != "DRAINING DRAINING ACTIVE MAINTENANCE" {
		t.Errorf("asked for %s", got)
	}
	if labels := s.mu.peers[4].GetLabels().GetLabels(); len(labels) != 2 || labels["rack"] != "8" || s.mu.peers[4].State != nil {
		t.Errorf("asked for labels %v", labels)
	}
	if r := s.mu.peers[5]; r.Zone == nil || r.GetZone() != "" || r.Labels != nil {
		t.Errorf("asked for zone %v", r)
	}
}

func TestOperationsAndWaiting(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	sh := shell(t, s)
	sh.expect(sh.run("operations"), 0)
	sh.golden("operations.txt")
	sh.expect(sh.run("operations", "--running", "-o", "json"), 0)
	sh.golden("operations.json")
	sh.expect(sh.run("wait", "4"), 0, "4 drain node-1: 3 replicas left on node-1, 2 on the way to others\n")
	sh.golden("wait-done.txt")
	sh.width = 100
	sh.expect(sh.run("wait", "4"), 0, "[#######.......................]  25% 4 drain")
	sh.width = 0
	s.watched = s.operations[1:2]
	sh.expect(sh.run("wait", "3"), 1, "operation 3 is cancelled: it was cancelled")
	sh.expect(sh.run("cancel", "3"), 0)
	sh.expect(sh.run("cancel", "99"), 1, "operation 99 does not exist")
	sh.expect(sh.run("rebalance"), 0, "ostraka wait 2")
	sh.expect(sh.run("rebalance", "--collection", "docs"), 0)
	if got := sh.out.String(); got != "There is nothing to even out.\n" {
		t.Errorf("got %q", got)
	}
	s.operations = nil
	sh.expect(sh.run("operations"), 0)
	if got := sh.out.String(); got != "No operations.\n" {
		t.Errorf("got %q", got)
	}
}

func TestReshard(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	sh := shell(t, s)
	sh.expect(sh.run("reshard", "docs", "--shards", "8"), 0, "ostraka wait 5")
	sh.golden("reshard.txt")
	sh.expect(sh.run("reshard", "docs", "--shards", "8", "-o", "json"), 0)
	sh.golden("reshard.json")
	sh.expect(sh.run("reshard", "docs", "--shards", "4"), 0)
	if got := sh.out.String(); got != "There is nothing to do: docs is cut into 4 shards.\n" {
		t.Errorf("got %q", got)
	}
	s.watched = []*clusterpb.Operation{s.operations[0], {Id: 5, Kind: "reshard", Collection: "docs", State: clusterpb.OperationState_OPERATION_STATE_CANCELLED,
		Problem: "another number of shards was declared", FromShardNumber: 4, ToShardNumber: 8}}
	sh.expect(sh.run("reshard", "docs", "--shards", "8", "--wait"), 1, "25 of 100 points", "operation 5 is cancelled: another number of shards was declared")
	sh.expect(sh.run("reshard", "none", "--shards", "8"), 1, "there is no such collection")
	sh.expect(sh.run("reshard", "docs"), 2, "--shards")
	sh.expect(sh.run("reshard", "docs", "--shards", "8", "--shard-key", `"7"`), 0)
	sh.golden("reshard-key.txt")
	if key := s.operations[0].GetShardKey(); key.GetKeyword() != "7" {
		t.Errorf("a word in quotes became %v", key)
	}
	sh.expect(sh.run("reshard", "docs", "--shards", "8", "--shard-key", "7", "-o", "json"), 0)
	sh.golden("reshard-key.json")
	sh.expect(sh.run("reshard", "docs", "--shards", "4", "--shard-key", "eu"), 0)
	sh.golden("reshard-key-nothing.txt")
	sh.expect(sh.run("reshard", "docs", "--shards", "4", "--shard-key", `""`), 2, "cannot be empty")
	sh.expect(sh.run("reshard", "--shards", "2"), 2, "COLLECTION is missing")
}

func TestWaitingEndsWithTheSignal(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	s.watched = s.watched[:1]
	sh := shell(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int)
	go func() { code <- sh.runContext(ctx, "wait", "4") }()
	cancel()
	if got := <-code; got == 0 {
		t.Errorf("exit code %d although it runs on", got)
	}
}

func TestAShardKeyIsChanged(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	sh := shell(t, s)
	sh.expect(sh.run("shard-key", "update", "docs", "eu", "--replication-factor", "3", "--placement", "node-2,11"), 0)
	if got, want := sh.out.String(), "docs, key eu: 2 shards of 3 copies, on node-2, node-1.\n"; got != want {
		t.Errorf("%q", got)
	}
	sh.expect(sh.run("shard-key", "update", "docs", "7", "--replication-factor", "collection", "--placement", "all", "-o", "json"), 0)
	if got, want := strings.Join(strings.Fields(sh.out.String()), ""), `{"collection":"docs","key":7,"shards":2,"replication_factor":3,"placement":[]}`; got != want {
		t.Errorf("%s", got)
	}
	sh.expect(sh.run("shard-key", "update", "docs", `"7"`, "--placement", "node-1"), 0)
	for i, want := range []*clusterpb.UpdateShardKeyRequest{
		{ShardKey: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "eu"}}, ReplicationFactor: new(uint32(3)), Placement: &clusterpb.PeerSet{Peers: []uint64{12, 11}}},
		{ShardKey: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 7}}, ReplicationFactor: new(uint32(0)), Placement: &clusterpb.PeerSet{}},
		{ShardKey: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "7"}}, Placement: &clusterpb.PeerSet{Peers: []uint64{11}}},
	} {
		if want.Collection = "docs"; !proto.Equal(s.mu.rekeyed[i], want) {
			t.Errorf("asked for %v, want %v", s.mu.rekeyed[i], want)
		}
	}
	sh.expect(sh.run("shard-key", "update", "docs", "eu"), 2, "--replication-factor or --placement")
	sh.expect(sh.run("shard-key", "update", "docs", "eu", "--replication-factor", "0"), 2, "1 at least")
	sh.expect(sh.run("shard-key", "update", "docs", "", "--replication-factor", "1"), 2, "name the key")
	sh.expect(sh.run("shard-key", "update", "docs", "eu", "--placement", "node-9"), 1, "there is no peer")
	sh.expect(sh.run("shard-key", "update", "none", "eu", "--placement", "all"), 1, "there is no such collection")
	sh.expect(sh.run("shard-key", "update", "docs"), 2, "KEY is missing")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"d"}, "docs\n"}, {[]string{"docs", ""}, "7\n\"7\"\neu\n"}, {[]string{"docs", "e"}, "eu\n"},
		{[]string{"--replication-factor", ""}, "collection\n"}, {[]string{"--placement", "node-2,"}, "node-2,node-1\n"},
	} {
		sh.expect(sh.run(append([]string{"__complete", "shard-key", "update"}, c.args...)...), 0)
		if got := sh.out.String(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%v: got %q", c.args, got)
		}
	}
}

func TestPlan(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	shard := uint32(1)
	s.plan = &clusterpb.GetPlanResponse{
		Steps: []*clusterpb.PlannedStep{
			{Kind: "failover", Collection: "docs", ShardId: &shard, FromPeer: 11, ToPeer: 12, Why: "node-1, which leads it, is to hold nothing"},
			{Kind: "move_replica", Collection: "docs", ShardId: &shard, FromPeer: 11, ToPeer: 99, Bytes: 3 << 30, Why: "node-1 is draining"},
		},
		Bytes: 3 << 30, Seconds: 16, StepsLeftOut: 7,
		Findings: []*clusterpb.PlanFinding{
			{Severity: clusterpb.PlanFinding_WARNING, Code: "zones_too_few", Text: "two zones", Field: "replication_factor"},
			{Severity: clusterpb.PlanFinding_INFO, Code: "transfers_running", Text: "1 replica"},
		},
	}
	sh := shell(t, s)
	sh.expect(sh.run("plan"), 0)
	sh.golden("plan.txt")
	sh.expect(sh.run("plan", "-o", "json"), 0)
	sh.golden("plan.json")
	for range 50 {
		s.plan.Steps = append(s.plan.Steps, s.plan.Steps[0])
	}
	sh.expect(sh.run("plan", "--collection", "docs", "--replication-factor", "3", "--shard-number", "4"), 0)
	if got := sh.out.String(); !strings.Contains(got, "... and 19 more (--all shows more of them)") || !strings.Contains(got, "59 steps, 3.0 GiB to move, about 16s") {
		t.Errorf("%s", got)
	}
	sh.expect(sh.run("plan", "--peer", "node-2", "--as", "removed", "--all"), 0)
	sh.expect(sh.run("plan", "--peer", "node-2", "--as", "draining"), 0)
	s.plan = &clusterpb.GetPlanResponse{Findings: []*clusterpb.PlanFinding{{Severity: clusterpb.PlanFinding_ERROR, Code: "refused", Text: "no \x1b[2J"}}}
	sh.expect(sh.run("plan"), 1, "the plan has 1 error")
	sh.golden("plan-error.txt")
	change := s.mu.plans[2].GetCollection()
	if change.GetCollection() != "docs" || change.GetReplicationFactor() != 3 || change.GetShardNumber() != 4 || change.WriteConsistencyFactor != nil {
		t.Errorf("asked for %v", change)
	}
	if removed, drained := s.mu.plans[3].GetPeer(), s.mu.plans[4].GetPeer(); !removed.GetRemove() || removed.GetPeer() != 12 ||
		drained.GetRemove() || drained.GetState() != clusterpb.PeerState_PEER_STATE_DRAINING {
		t.Errorf("asked for %v, %v", removed, drained)
	}
	sh.expect(sh.run("plan", "--shard-key", "eu", "--shard-number", "4"), 2, "give --collection")
	sh.expect(sh.run("plan", "--collection", "docs", "--shard-key", "eu", "--shard-number", "4"), 1, "the plan has 1 error")
	if c := s.mu.plans[len(s.mu.plans)-1].GetCollection(); c.GetShardKey().GetKeyword() != "eu" || c.Placement != nil {
		t.Errorf("it was asked about %v", c)
	}
	sh.expect(sh.run("plan", "--collection", "docs", "--placement", "all"), 2, "give --shard-key")
	sh.expect(sh.run("plan", "--collection", "docs", "--shard-key", "eu", "--placement", "node-9"), 1, "there is no peer")
	for text, want := range map[string]string{"all": "[]", "node-2, 11": "[12 11]"} {
		sh.expect(sh.run("plan", "--collection", "docs", "--shard-key", "eu", "--placement", text), 1, "the plan has 1 error")
		if set := s.mu.plans[len(s.mu.plans)-1].GetCollection().Placement; set == nil || fmt.Sprint(set.GetPeers()) != want {
			t.Errorf("%s: it was asked about %v", text, set)
		}
	}
}

func TestSettingsAreShownAndChanged(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	sh := shell(t, s)
	sh.expect(sh.run("settings"), 0)
	sh.golden("settings.txt")
	sh.expect(sh.run("settings", "--replica-replace-after", "0", "--transfers-per-peer", "4", "--transfers-per-cluster", "9", "--transfer-rate", "50", "--balance", "off", "-o", "json"), 0)
	sh.golden("settings-changed.json")
	sh.expect(sh.run("pause"), 0)
	if !s.settings.GetPaused() {
		t.Error("not paused")
	}
	sh.expect(sh.run("settings"), 0)
	sh.golden("settings-paused.txt")
	sh.expect(sh.run("resume"), 0)
	if s.settings.GetPaused() {
		t.Error("still paused")
	}
}

func TestWatch(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	shards := s.placement.Collections[0].Shards
	for _, r := range []*clusterpb.ReplicaPlacement{shards[0].Replicas[1], shards[1].Replicas[0], shards[1].Replicas[1]} {
		r.State = clusterpb.ReplicaState_PARTIAL
	}
	shards[0].Replicas[1].Transfer = &clusterpb.Transfer{From: 11, Bytes: 1 << 20, TotalBytes: 4 << 20}
	shards[1].Replicas[0].Transfer = &clusterpb.Transfer{Problem: "it is busy", TotalBytes: 4 << 20}
	s.placement.Collections[0].Moves = []*clusterpb.SlotMove{
		{Id: 3, SourceShard: 0, TargetShard: 4, Slots: 512, Phase: "copying", Points: 2500, TotalPoints: 10_000, Bytes: 1 << 20},
		{Id: 4, SourceShard: 1, TargetShard: 5, Slots: 512, Phase: "moved"},
	}
	sh := shell(t, s)
	sh.expect(sh.run("watch", "--once"), 0)
	sh.golden("watch.txt")
	sh.expect(sh.run("watch", "--once", "-o", "json"), 0)
	sh.golden("watch.json")
	ctx, cancel := context.WithCancel(t.Context())
	out := &notify{want: "\x1b[6A", seen: make(chan struct{})}
	sh.width = 80
	code := make(chan int)
	go func() { code <- sh.runWith(ctx, out, "watch") }()
	<-out.seen // it has drawn over what it drew
	cancel()
	sh.expect(<-code, 0)
	s.operations, s.placement = nil, &clusterpb.GetPlacementResponse{}
	sh.expect(sh.run("watch", "--once"), 0)
	if got := sh.out.String(); got != "Nothing is under way.\n" {
		t.Errorf("got %q", got)
	}
}

func TestStatusShowsStatesDisksAndOperations(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	sh := shell(t, s)
	sh.expect(sh.run("status"), 0)
	sh.golden("status-busy.txt")
}

func TestCompletionOffersPeersAndOperations(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	sh := shell(t, s)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"peer", "drain", "node-"}, "node-1\nnode-2\n"},
		{[]string{"plan", "--peer", "node-2"}, "node-2\n"},
		{[]string{"wait", ""}, "4\tdrain\n"},
		{[]string{"rebalance", "--collection", "d"}, "docs\n"},
		{[]string{"plan", "--peer", "node-2", "--as", ""}, "active\ndraining\nmaintenance\nremoved\n"},
		{[]string{"settings", "--balance", ""}, "on\noff\n"},
		{[]string{"status", "-o", ""}, "table\njson\n"},
		{[]string{"serve", "--log-level", ""}, "trace\ndebug\n"},
		{[]string{"reshard", "d"}, "docs\n"},
		{[]string{"plan", "--placement", "node-1,node-2"}, "node-1,node-2\n"},
	} {
		sh.expect(sh.run(append([]string{"__complete"}, c.args...)...), 0)
		if got := sh.out.String(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%v: got %q", c.args, got)
		}
	}
}
