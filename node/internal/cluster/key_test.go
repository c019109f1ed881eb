package cluster_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// keys makes a collection with shard keys.
func (m *managed) keys(name string, keys ...catalog.ShardKey) {
	m.t.Helper()
	m.must(catalog.Command{CreateCollection: &catalog.CreateCollection{
		Name: name, Config: catalog.Config{Sharding: catalog.CustomSharding, ReplicationFactor: 2},
	}})
	for _, k := range keys {
		m.must(catalog.Command{CreateShardKey: &catalog.CreateShardKey{Collection: m.state.Names[name], ShardKey: k}})
	}
}

// What the number of a key's shards is asked of a collection that cannot exist tells clients whether it can change at all.
func TestAShardKeyIsCutAnew(t *testing.T) {
	m := newManaged(t, 3)
	m.keys("tenants", catalog.ShardKey{Key: point.ShardKey{Keyword: "eu"}, ShardNumber: 1}, catalog.ShardKey{Key: point.ShardKey{Number: 7}, ShardNumber: 2})
	ask := func(collection string, key *clusterpb.ShardKey, n uint32) (*clusterpb.Operation, error) {
		resp, err := m.service.Reshard(t.Context(), &clusterpb.ReshardRequest{Collection: collection, ShardNumber: n, ShardKey: key})
		return resp.GetOperation(), err
	}
	eu := &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "eu"}}
	us := &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "us"}}
	seven := &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 7}}
	for _, c := range []struct {
		collection string
		key        *clusterpb.ShardKey
		want       codes.Code
	}{{"?", eu, codes.NotFound}, {"tenants", us, codes.NotFound}, {"tenants", nil, codes.InvalidArgument}} {
		if _, err := ask(c.collection, c.key, 3); status.Code(err) != c.want {
			t.Errorf("%s %v: %v, want %s", c.collection, c.key, err, c.want)
		}
	}
	number := uint32(3)
	plan, err := m.service.GetPlan(t.Context(), &clusterpb.GetPlanRequest{Change: &clusterpb.GetPlanRequest_Collection{
		Collection: &clusterpb.CollectionChange{Collection: "tenants", ShardKey: eu, ShardNumber: &number},
	}})
	moves := 0
	for _, step := range plan.GetSteps() {
		if step.GetKind() == "move_slots" && strings.Contains(step.GetWhy(), `3 shards of shard key "eu" are declared`) {
			moves++
		}
	}
	if err != nil || moves != 2 {
		t.Errorf("%v, %v", plan, err)
	}
	op, err := ask("tenants", eu, 3)
	if err != nil || op.GetShardKey().GetKeyword() != "eu" || op.GetFromShardNumber() != 1 || op.GetToShardNumber() != 3 || op.GetTotal() == 0 {
		t.Fatalf("%v, %v", op, err)
	}
	if again, err := ask("tenants", eu, 3); err != nil || again.GetId() != op.GetId() {
		t.Errorf("%v, %v", again, err)
	}
	other, err := ask("tenants", seven, 1)
	if err != nil || other.GetId() == op.GetId() {
		t.Errorf("%v, %v", other, err)
	}
	placement := cluster.Placement(m.state, m.state.Collections[1], cluster.Observations{Alive: m.Alive})
	if k := placement.GetShardKeys(); len(k) != 2 || k[1].GetShardNumber() != 1 || k[1].GetTargetShardNumber() != 3 || k[0].GetShardNumber() != 2 || k[0].GetTargetShardNumber() != 1 {
		t.Errorf("%v", k)
	}
	m.rest()
	placement = cluster.Placement(m.state, m.state.Collections[1], cluster.Observations{Alive: m.Alive})
	if k := placement.GetShardKeys(); k[1].GetShardNumber() != 3 || k[0].GetShardNumber() != 1 {
		t.Errorf("%v\n%s", k, m.state.Describe())
	}
	for _, id := range []uint64{op.GetId(), other.GetId()} {
		if op := m.operation(id); op.GetState() != clusterpb.OperationState_OPERATION_STATE_DONE {
			t.Errorf("%v", op)
		}
	}
}

func TestAPlanForAKeyThatCannotBeIsAFinding(t *testing.T) {
	m := newManaged(t, 2)
	m.keys("tenants", catalog.ShardKey{Key: point.ShardKey{Number: 7}, ShardNumber: 1})
	two := uint32(2)
	seven, eight := &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 7}}, &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 8}}
	for _, change := range []*clusterpb.CollectionChange{
		{ShardKey: eight, ShardNumber: &two}, {ShardKey: seven, ReplicationFactor: &two}, {ShardKey: &clusterpb.ShardKey{}, ShardNumber: &two},
	} {
		change.Collection = "tenants"
		plan, err := m.service.GetPlan(t.Context(), &clusterpb.GetPlanRequest{Change: &clusterpb.GetPlanRequest_Collection{Collection: change}})
		if f := plan.GetFindings(); err != nil || len(f) != 1 || f[0].GetCode() != "refused" || f[0].GetField() != "shard_key" {
			t.Errorf("%v: %v, %v", change, plan, err)
		}
	}
	plan, err := m.service.GetPlan(t.Context(), &clusterpb.GetPlanRequest{Change: &clusterpb.GetPlanRequest_Collection{
		Collection: &clusterpb.CollectionChange{Collection: "tenants", ShardKey: seven},
	}})
	if err != nil || len(plan.GetSteps()) != 0 {
		t.Errorf("%v, %v", plan, err)
	}
}

// A peer that is a key's only place cannot be drained. The operation, the peer and the plan say so, before and after; the rest leaves it.
func TestADrainThatAKeysPlacementHoldsUpSaysSo(t *testing.T) {
	m := newManaged(t, 3)
	m.keys("tenants", catalog.ShardKey{Key: point.ShardKey{Number: 7}, ShardNumber: 1, ReplicationFactor: 1, Peers: []catalog.PeerID{1, 2}},
		catalog.ShardKey{Key: point.ShardKey{Keyword: "eu"}, ShardNumber: 2, ReplicationFactor: 1, Peers: []catalog.PeerID{1}})
	draining, says := clusterpb.PeerState_PEER_STATE_DRAINING, `shard key "eu" of tenants`
	finding := func(req *clusterpb.GetPlanRequest) string {
		t.Helper()
		plan, err := m.service.GetPlan(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range plan.GetFindings() {
			if f.GetCode() == "drain_stuck" && f.GetSeverity() == clusterpb.PlanFinding_ERROR {
				return f.GetText()
			}
		}
		return ""
	}
	as := func(id uint64) *clusterpb.GetPlanRequest {
		return &clusterpb.GetPlanRequest{Change: &clusterpb.GetPlanRequest_Peer{Peer: &clusterpb.PeerChange{Peer: id, State: draining}}}
	}
	for req, want := range map[*clusterpb.GetPlanRequest]string{as(1): says, as(2): "", {}: ""} {
		if got := finding(req); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%v: %q", req, got)
		}
	}
	resp, err := m.service.UpdatePeer(t.Context(), &clusterpb.UpdatePeerRequest{Peer: 1, State: &draining})
	if err != nil || !strings.Contains(resp.GetPeer().GetProblem(), says) || !strings.Contains(resp.GetOperation().GetProblem(), says) {
		t.Fatalf("%v, %v", resp, err)
	}
	m.rest()
	op := m.operation(resp.GetOperation().GetId())
	if op.GetState() != clusterpb.OperationState_OPERATION_STATE_RUNNING || op.GetDone() != 1 || !strings.Contains(op.GetProblem(), says) || strings.Contains(op.GetProblem(), "key 7") {
		t.Errorf("%v", op)
	}
	if got := finding(&clusterpb.GetPlanRequest{}); !strings.Contains(got, says) || !strings.Contains(got, "node-1") {
		t.Errorf("%q", got)
	}
	id := m.state.Names["tenants"]
	m.must(catalog.Command{DeleteShardKey: &catalog.DeleteShardKey{Collection: id, Key: point.ShardKey{Keyword: "eu"}}})
	m.rest()
	if op := m.operation(op.GetId()); op.GetState() != clusterpb.OperationState_OPERATION_STATE_DONE || finding(&clusterpb.GetPlanRequest{}) != "" {
		t.Errorf("%v", op)
	}
}
