package cluster_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// managed is a cluster whose metadata can be changed, and which does what is planned when it is told to.
type managed struct {
	t *testing.T
	sync.Mutex
	state   *catalog.State
	changed chan struct{}
	dead    map[catalog.PeerID]time.Duration
	bytes   map[catalog.ShardRef]uint64
	moving  map[catalog.ShardRef]replica.Moving
	gauges  map[catalog.PeerID]peer.Gauge
	voters  map[catalog.PeerID]string
	service *cluster.Service
}

func newManaged(t *testing.T, peers int) *managed {
	t.Helper()
	m := &managed{
		t: t, state: catalog.Empty(), changed: make(chan struct{}), dead: map[catalog.PeerID]time.Duration{},
		bytes: map[catalog.ShardRef]uint64{}, moving: map[catalog.ShardRef]replica.Moving{}, gauges: map[catalog.PeerID]peer.Gauge{},
		voters: map[catalog.PeerID]string{1: ""},
	}
	for i := range peers {
		m.must(catalog.Command{RegisterPeer: &catalog.Peer{ID: catalog.PeerID(i + 1), Name: fmt.Sprint("node-", i+1), PeerAddr: "h:1", GRPCAddr: fmt.Sprintf("n%d:6334", i+1)}})
	}
	var err error
	m.service, err = cluster.New(cluster.Options{
		Self: 1, Metadata: m, Raft: raft{&fakes{}, m}, Liveness: m, Statuses: m, Proposer: m, Planner: m, Gauges: m, Closing: make(chan struct{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// raft has the cluster's voters.
type raft struct {
	*fakes
	m *managed
}

func (r raft) Voters() map[catalog.PeerID]string {
	r.m.Lock()
	defer r.m.Unlock()
	return maps.Clone(r.m.voters)
}

func (m *managed) Watch() (*catalog.State, <-chan struct{}) {
	m.Lock()
	defer m.Unlock()
	return m.state, m.changed
}

func (m *managed) Alive(id catalog.PeerID) bool {
	_, dead := m.dead[id]
	return !dead
}

func (m *managed) LastSeen(id catalog.PeerID) time.Time { return time.Now().Add(-m.dead[id]) }

func (m *managed) Of(id catalog.PeerID) peer.Gauge { return m.gauges[id] }

func (m *managed) Health(s *catalog.State) map[catalog.PeerID]reconcile.Health {
	all := map[catalog.PeerID]reconcile.Health{}
	for id := range s.Peers {
		h := reconcile.Health{Alive: m.Alive(id), DeadFor: m.dead[id], DiskFree: m.gauges[id].DiskFree, DiskTotal: m.gauges[id].DiskTotal}
		all[id] = h
	}
	return all
}

func (m *managed) Statuses(_ context.Context, refs []catalog.ShardRef) coordinator.Statuses {
	all := coordinator.Statuses{}
	for _, ref := range refs {
		_, sh, _ := m.state.Shard(ref)
		for _, r := range sh.Replicas {
			st := replica.Status{Ref: ref, Generation: r.Generation, Term: sh.Term, Leading: r.Peer == sh.Primary, Bytes: m.bytes[ref], Points: m.bytes[ref] / 100}
			if r.State == catalog.Partial {
				st.Transfer = &replica.Transfer{From: sh.Primary, Bytes: m.bytes[ref] / 4, TotalBytes: m.bytes[ref]}
			}
			if mv, ok := m.moving[ref]; ok && st.Leading {
				st.Moving = &mv
			}
			if all[r.Peer] == nil {
				all[r.Peer] = map[catalog.ShardRef]replica.Status{}
			}
			all[r.Peer][ref] = st
		}
	}
	return all
}

func (m *managed) Propose(_ context.Context, cmds ...catalog.Command) ([]catalog.Result, error) {
	m.Lock()
	defer m.Unlock()
	for i, cmd := range cmds {
		var err error
		if cmds[i], err = catalog.Prepare(m.state, cmd, func(catalog.PeerID) bool { return true }); err != nil {
			return nil, err
		}
		if cmd.ExpelPeer == nil {
			continue
		}
		expel, err := catalog.PrepareExpel(m.state, *cmd.ExpelPeer, catalog.Surroundings{Alive: m.Alive, Usable: m.Alive})
		if err != nil {
			return nil, err
		}
		cmds[i].ExpelPeer = &expel
	}
	next, results := catalog.ApplyAll(m.state, cmds)
	m.state = next
	close(m.changed)
	m.changed = make(chan struct{})
	return results, results[0].Err
}

func (m *managed) must(cmd catalog.Command) catalog.Result {
	m.t.Helper()
	cmd, err := catalog.Prepare(m.state, cmd, func(catalog.PeerID) bool { return true })
	if err != nil {
		m.t.Fatal(err)
	}
	r, err := m.Propose(m.t.Context(), cmd)
	if err != nil {
		m.t.Fatal(err)
	}
	return r[0]
}

func (m *managed) create(name string, shards, replicas, w uint32) {
	m.t.Helper()
	m.must(catalog.Command{CreateCollection: &catalog.CreateCollection{
		Name: name, Config: catalog.Config{ShardNumber: shards, ReplicationFactor: replicas, WriteConsistencyFactor: w},
	}})
}

// rest does all that is planned at once.
func (m *managed) rest() {
	obs := reconcile.Observations{Peers: m.Health(m.state), Bytes: m.bytes}
	f := reconcile.Foresee(m.state, obs, 0)
	m.Lock()
	defer m.Unlock()
	m.state = f.State
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *managed) operation(id uint64) *clusterpb.Operation {
	m.t.Helper()
	resp, err := m.service.ListOperations(m.t.Context(), &clusterpb.ListOperationsRequest{})
	if err != nil {
		m.t.Fatal(err)
	}
	i := slices.IndexFunc(resp.GetOperations(), func(o *clusterpb.Operation) bool { return o.GetId() == id })
	if i < 0 {
		m.t.Fatalf("operation %d is not listed: %v", id, resp.GetOperations())
	}
	return resp.GetOperations()[i]
}

func TestADrainIsAnOperationThatIsJoinedWatchedAndEnds(t *testing.T) {
	m := newManaged(t, 3)
	m.create("docs", 2, 2, 1)
	m.bytes[catalog.ShardRef{Collection: 1}] = 1000
	draining := clusterpb.PeerState_PEER_STATE_DRAINING
	resp, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 1, State: &draining})
	if err != nil || resp.GetOperation().GetKind() != "drain" || resp.GetPeer().GetState() != draining || resp.GetPeer().GetReplicas() != 1 {
		t.Fatalf("%v, %v", resp, err)
	}
	id := resp.GetOperation().GetId()
	again, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 1, State: &draining})
	if err != nil || again.GetOperation().GetId() != id {
		t.Fatalf("%v, %v", again, err)
	}
	if op := m.operation(id); op.GetTotal() != 1 || op.GetDone() != 0 || op.GetPhase() != "1 replica left on node-1, 0 on the way to others" {
		t.Errorf("%v", op)
	}
	_, sh, _ := m.state.Shard(catalog.ShardRef{Collection: 1})
	m.must(catalog.Command{ChangeShard: &catalog.ChangeShard{
		Ref: catalog.ShardRef{Collection: 1}, Version: sh.Version, Replace: &catalog.Replace{Peer: 3, Of: 1, Reason: catalog.ForDrain},
	}})
	if op := m.operation(id); op.GetPhase() != "1 replica left on node-1, 1 on the way to others" || op.GetBytesDone() != 250 || op.GetBytesTotal() != 1000 {
		t.Errorf("%v", op)
	}
	m.rest()
	op := m.operation(id)
	if op.GetState() != clusterpb.OperationState_OPERATION_STATE_DONE || op.GetDone() != 1 || op.GetProblem() != "" {
		t.Errorf("%v", op)
	}
	cancelled, err := m.service.CancelOperation(t.Context(), &clusterpb.CancelOperationRequest{Id: id})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("what has ended was cancelled: %v, %v", cancelled, err)
	}
}

func TestAReshardIsAnOperationThatIsJoinedTurnedRoundAndTellsHowFarItIs(t *testing.T) {
	m := newManaged(t, 2)
	m.create("docs", 1, 2, 1)
	ask := func(shards uint32) *clusterpb.Operation {
		t.Helper()
		resp, err := m.service.Reshard(t.Context(), &clusterpb.ReshardRequest{Collection: "docs", ShardNumber: shards})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetOperation()
	}
	if op := ask(1); op != nil {
		t.Errorf("nothing was to be done: %v", op)
	}
	op := ask(2)
	if op.GetKind() != "reshard" || op.GetTotal() != 2048 || op.GetDone() != 0 || op.GetFromShardNumber() != 1 || op.GetToShardNumber() != 2 || ask(2).GetId() != op.GetId() {
		t.Errorf("%v", op)
	}
	ref := catalog.ShardRef{Collection: 1, Shard: 1}
	m.must(catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: 1, Begin: &catalog.PlanMoves(m.state.Collections[1]).Begin[0]}})
	if op := m.operation(op.GetId()); op.GetPhase() != "2048 slots of 4096 left, 1 move under way" {
		t.Errorf("%v", op)
	}
	m.moving[ref] = replica.Moving{Points: 25, TotalPoints: 100, Bytes: 1000, Problem: "a cut cable"}
	if op := m.operation(op.GetId()); op.GetPointsDone() != 25 || op.GetPointsTotal() != 100 || op.GetBytesDone() != 1000 || op.GetBytesTotal() != 4000 ||
		op.GetPhase() != "2048 slots of 4096 left, 1 move under way: 25 of 100 points" || !strings.Contains(op.GetProblem(), "shard 0 to shard 1") || !strings.Contains(op.GetProblem(), "a cut cable") {
		t.Errorf("%v", op)
	}
	shown, err := m.service.GetPlacement(t.Context(), &clusterpb.GetPlacementRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := &clusterpb.SlotMove{Id: 1, TargetShard: 1, Slots: 2048, Phase: "copying", Points: 25, TotalPoints: 100, Bytes: 1000, Problem: "a cut cable"}
	if moves := shown.GetCollections()[0].GetMoves(); len(moves) != 1 || !proto.Equal(moves[0], want) {
		t.Errorf("moves: %v", moves)
	}
	cancelled, err := m.service.CancelOperation(t.Context(), &clusterpb.CancelOperationRequest{Id: op.GetId()})
	if err != nil || cancelled.GetOperation().GetState() != clusterpb.OperationState_OPERATION_STATE_CANCELLED || !strings.Contains(cancelled.GetOperation().GetProblem(), "returns") {
		t.Errorf("%v, %v", cancelled, err)
	}
	back := ask(1)
	if back.GetId() == op.GetId() || back.GetToShardNumber() != 1 {
		t.Errorf("%v", back)
	}
	m.rest()
	if op := m.operation(back.GetId()); op.GetState() != clusterpb.OperationState_OPERATION_STATE_DONE || len(m.state.Collections[1].Shards) != 1 {
		t.Errorf("%v\n%s", op, m.state.Describe())
	}
}

func TestAReshardThatCannotBeIsRefused(t *testing.T) {
	m := newManaged(t, 2)
	m.create("docs", 1, 2, 1)
	for want, req := range map[codes.Code]*clusterpb.ReshardRequest{
		codes.NotFound:        {Collection: "none", ShardNumber: 1},
		codes.InvalidArgument: {Collection: "docs", ShardNumber: catalog.MaxShards + 1},
	} {
		if _, err := m.service.Reshard(t.Context(), req); status.Code(err) != want {
			t.Errorf("%v: %v, want %s", req, err, want)
		}
	}
	word := func(k string) *clusterpb.ShardKey {
		return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: k}}
	}
	for _, req := range []*clusterpb.ReshardRequest{
		{ShardNumber: 1}, {Collection: "docs"}, {Collection: "docs", ShardNumber: 3, ShardKey: word("eu")},
		{Collection: "docs", ShardNumber: 3, ShardKey: &clusterpb.ShardKey{}}, {Collection: "docs", ShardNumber: 3, ShardKey: word("")},
		{Collection: "docs", ShardNumber: 3, ShardKey: word(strings.Repeat("x", 1000))},
	} {
		if _, err := m.service.Reshard(t.Context(), req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", req, err)
		}
	}
	if len(m.state.Operations) > 0 || m.state.Collections[1].Config.ShardNumber != 1 {
		t.Errorf("something was changed all the same: %s", m.state.Describe())
	}
}

func TestADrainWithNowhereToGoSaysSo(t *testing.T) {
	m := newManaged(t, 2)
	m.create("docs", 1, 2, 1)
	draining, active := clusterpb.PeerState_PEER_STATE_DRAINING, clusterpb.PeerState_PEER_STATE_ACTIVE
	resp, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 2, State: &draining})
	if err != nil || !strings.Contains(resp.GetOperation().GetProblem(), "no other peer") {
		t.Fatalf("%v, %v", resp, err)
	}
	paused := true
	if _, err := m.service.UpdateSettings(t.Context(), &clusterpb.UpdateSettingsRequest{Settings: &clusterpb.Settings{Paused: &paused}}); err != nil {
		t.Fatal(err)
	}
	if op := m.operation(resp.GetOperation().GetId()); !strings.Contains(op.GetProblem(), "paused") {
		t.Errorf("%v", op)
	}
	if _, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 2, State: &active}); err != nil {
		t.Fatal(err)
	}
	if op := m.operation(resp.GetOperation().GetId()); op.GetState() != clusterpb.OperationState_OPERATION_STATE_CANCELLED || op.GetProblem() == "" {
		t.Errorf("%v", op)
	}
}

func TestWatchingAnOperationEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManaged(t, 3)
		m.create("docs", 2, 2, 1)
		draining := clusterpb.PeerState_PEER_STATE_DRAINING
		resp, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 1, State: &draining})
		if err != nil {
			t.Fatal(err)
		}
		seen := make(chan *clusterpb.Operation, 10)
		done := make(chan error, 1)
		go func() {
			done <- cluster.WatchOperation(t.Context(), m.service, resp.GetOperation().GetId(), func(o *clusterpb.Operation) error {
				seen <- o
				return nil
			})
		}()
		<-time.After(time.Minute)
		m.rest()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		close(seen)
		var states []clusterpb.OperationState
		for o := range seen {
			states = append(states, o.GetState())
		}
		if len(states) != 2 || states[1] != clusterpb.OperationState_OPERATION_STATE_DONE {
			t.Errorf("saw %v", states)
		}
		if err := cluster.WatchOperation(t.Context(), m.service, 99, nil); status.Code(err) != codes.NotFound {
			t.Errorf("an operation that does not exist: %v", err)
		}
	})
}

func TestAPeersZoneAndLabelsChangeAndWrongOnesAreRefused(t *testing.T) {
	m := newManaged(t, 2)
	zone := "z"
	m.gauges[2] = peer.Gauge{DiskFree: 5, DiskTotal: 10, ReplicaBytes: 3}
	resp, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 2, Zone: &zone, Labels: &clusterpb.LabelMap{Labels: map[string]string{"rack": "7"}}})
	p := resp.GetPeer()
	if err != nil || resp.GetOperation() != nil || p.GetZone() != "z" || p.GetLabels()["rack"] != "7" || p.GetDiskFreeBytes() != 5 || p.GetDiskTotalBytes() != 10 || p.GetBytes() != 3 {
		t.Fatalf("%v, %v", resp, err)
	}
	if resp, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 2, Labels: &clusterpb.LabelMap{}}); err != nil || len(resp.GetPeer().GetLabels()) != 0 {
		t.Errorf("%v, %v", resp, err)
	}
	wrong := clusterpb.PeerState(9)
	if _, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 2, State: &wrong}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("state 9: %v", err)
	}
	if _, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 9, Zone: &zone}); status.Code(err) != codes.NotFound {
		t.Errorf("peer 9: %v", err)
	}
}

func TestSettingsAreToldWithTheirDefaultsAndChangedInPart(t *testing.T) {
	m := newManaged(t, 1)
	got, err := m.service.GetSettings(t.Context(), nil)
	if s := got.GetSettings(); err != nil || s.GetReplicaReplaceAfterSeconds() != 600 || s.GetTransfersPerPeer() != 2 || s.GetTransfersPerCluster() != 16 ||
		s.GetTransferBytesPerSecond() != 200<<20 || !s.GetBalance() || s.GetPaused() {
		t.Fatalf("%v, %v", got, err)
	}
	never, few := uint64(0), uint32(0)
	now, err := m.service.UpdateSettings(t.Context(), &clusterpb.UpdateSettingsRequest{Settings: &clusterpb.Settings{ReplicaReplaceAfterSeconds: &never}})
	if s := now.GetSettings(); err != nil || s.GetReplicaReplaceAfterSeconds() != 0 || s.GetTransfersPerPeer() != 2 {
		t.Errorf("%v, %v", now, err)
	}
	if now, err := m.service.UpdateSettings(t.Context(), nil); err != nil || now.GetSettings().GetReplicaReplaceAfterSeconds() != 0 {
		t.Errorf("%v, %v", now, err)
	}
	if _, err := m.service.UpdateSettings(t.Context(), &clusterpb.UpdateSettingsRequest{Settings: &clusterpb.Settings{TransfersPerPeer: &few}}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no transfers: %v", err)
	}
}

func TestRebalancingIsAnOperationOfOneCollectionOrOfAll(t *testing.T) {
	m := newManaged(t, 3)
	m.create("docs", 3, 1, 1)
	_, sh, _ := m.state.Shard(catalog.ShardRef{Collection: 1})
	m.must(catalog.Command{PlaceShard: &catalog.PlaceShard{Ref: catalog.ShardRef{Collection: 1}, Version: sh.Version, From: 1, To: 2}})
	m.rest()
	one, err := m.service.Rebalance(t.Context(), &clusterpb.RebalanceRequest{Collection: "docs"})
	if err != nil || one.GetOperation().GetKind() != "rebalance" || one.GetOperation().GetCollection() != "docs" {
		t.Fatalf("%v, %v", one, err)
	}
	all, err := m.service.Rebalance(t.Context(), &clusterpb.RebalanceRequest{})
	if err != nil || all.GetOperation().GetId() == one.GetOperation().GetId() {
		t.Fatalf("%v, %v", all, err)
	}
	if _, err := m.service.Rebalance(t.Context(), &clusterpb.RebalanceRequest{Collection: "nope"}); status.Code(err) != codes.NotFound {
		t.Errorf("nope: %v", err)
	}
	m.rest()
	for _, op := range []*clusterpb.Operation{one.GetOperation(), all.GetOperation()} {
		if now := m.operation(op.GetId()); now.GetState() != clusterpb.OperationState_OPERATION_STATE_DONE {
			t.Errorf("%v", now)
		}
	}
	mine, err := m.service.ListOperations(t.Context(), &clusterpb.ListOperationsRequest{Collection: "docs"})
	if err != nil || len(mine.GetOperations()) != 2 || mine.GetOperations()[0].GetId() < mine.GetOperations()[1].GetId() {
		t.Errorf("of docs: %v, %v", mine, err)
	}
	if running, err := m.service.ListOperations(t.Context(), &clusterpb.ListOperationsRequest{RunningOnly: true}); err != nil || len(running.GetOperations()) != 0 {
		t.Errorf("running: %v, %v", running, err)
	}
}

func TestANodeThatChangesNothingSaysSo(t *testing.T) {
	s, _ := newService(t)
	if _, err := s.UpdateSettings(t.Context(), &clusterpb.UpdateSettingsRequest{Settings: &clusterpb.Settings{Paused: new(bool)}}); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
	if _, err := s.GetPlan(t.Context(), &clusterpb.GetPlanRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}
