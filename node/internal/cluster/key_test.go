package cluster_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
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

func TestCopiesAndPeersOfAKeyChangeInPlace(t *testing.T) {
	m := newManaged(t, 3)
	m.keys("tenants", catalog.ShardKey{Key: point.ShardKey{Keyword: "eu"}, ShardNumber: 1, Peers: []catalog.PeerID{1, 2}}, catalog.ShardKey{Key: point.ShardKey{Number: 7}, ShardNumber: 1})
	eu := &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "eu"}}
	set := func(peers ...uint64) *clusterpb.PeerSet { return &clusterpb.PeerSet{Peers: peers} }
	for want, req := range map[codes.Code][]*clusterpb.UpdateShardKeyRequest{
		codes.NotFound: {{Collection: "?", ShardKey: &clusterpb.ShardKey{}}, {Collection: "tenants", ShardKey: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "us"}}}},
		codes.InvalidArgument: {{Collection: "tenants"}, {ShardKey: eu}, {Collection: "tenants", ShardKey: &clusterpb.ShardKey{}},
			{Collection: "tenants", ShardKey: eu, ReplicationFactor: n(3)}, {Collection: "tenants", ShardKey: eu, Placement: set(9)}},
	} {
		for _, r := range req {
			if _, err := m.service.UpdateShardKey(t.Context(), r); status.Code(err) != want {
				t.Errorf("%v: %v, want %s", r, err, want)
			}
		}
	}
	m.expect("planned", ofCollection(&clusterpb.CollectionChange{Collection: "tenants", ShardKey: eu, ReplicationFactor: n(1), Placement: set(3), ShardNumber: n(2)}), `
retire_replica tenants/0 2>0 0: only 1 declared
move_slots tenants/2 1>3 0: 2048 slots of shard 0 go to shard 2: 2 shards of shard key "eu" are declared
drop_replica tenants/0 2>0 0: it was retired and counts no more
move_replica tenants/0 1>3 0: shard key "eu" may not be on node-1
failover tenants/0 1>3 0: node-1, which leads it, is to hold no copy
retire_replica tenants/0 1>0 0: the copy on node-3 has taken its place
drop_replica tenants/0 1>0 0: it was retired and counts no more
bytes 0 seconds 2
WARNING single_copy [replication_factor] shard key "eu" of tenants is to have one copy: a lost node loses what it held; declare replication_factor 2 or more
`)
	update := func(req *clusterpb.UpdateShardKeyRequest) *clusterpb.ShardKeyPlacement {
		t.Helper()
		req.Collection, req.ShardKey = "tenants", eu
		resp, err := m.service.UpdateShardKey(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetShardKey()
	}
	if k := update(&clusterpb.UpdateShardKeyRequest{Placement: set(3, 2, 3)}); k.GetReplicationFactor() != 2 || !slices.Equal(k.GetPlacement(), []uint64{2, 3}) || k.GetShardNumber() != 1 {
		t.Errorf("%v", k)
	}
	shown := func() (problem string, peers []uint64) {
		sh := cluster.Placement(m.state, m.state.Collections[1], cluster.Observations{Alive: m.Alive}).GetShards()[0]
		for _, r := range sh.GetReplicas() {
			peers = append(peers, r.GetPeer())
		}
		return sh.GetProblem(), peers
	}
	if problem, _ := shown(); !strings.Contains(problem, `replica on node-1 is to go: shard key "eu" may not be there`) {
		t.Errorf("%q", problem)
	}
	m.rest()
	if problem, peers := shown(); problem != "" || !slices.Equal(peers, []uint64{2, 3}) {
		t.Errorf("%v, %q", peers, problem)
	}
	if k := update(&clusterpb.UpdateShardKeyRequest{Placement: set(), ReplicationFactor: n(3)}); k.GetReplicationFactor() != 3 || len(k.GetPlacement()) != 0 {
		t.Errorf("%v", k)
	}
	m.rest()
	if problem, peers := shown(); problem != "" || len(peers) != 3 {
		t.Errorf("%v, %q", peers, problem)
	}
	if k := update(&clusterpb.UpdateShardKeyRequest{ReplicationFactor: n(0)}); k.GetReplicationFactor() != 2 {
		t.Errorf("%v", k)
	}
}

func TestAPlanForAKeyThatCannotBeIsAFinding(t *testing.T) {
	m := newManaged(t, 2)
	m.keys("tenants", catalog.ShardKey{Key: point.ShardKey{Number: 7}, ShardNumber: 1})
	m.create("docs", 1, 1, 1)
	two := uint32(2)
	seven, eight := &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 7}}, &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 8}}
	for _, c := range []struct {
		change *clusterpb.CollectionChange
		field  string
	}{
		{&clusterpb.CollectionChange{ShardKey: &clusterpb.ShardKey{}, ShardNumber: &two}, "shard_key"},
		{&clusterpb.CollectionChange{Collection: "docs", ShardKey: eight}, "shard_key"},
		{&clusterpb.CollectionChange{ShardKey: seven, ReplicationFactor: n(65)}, "replication_factor"},
		{&clusterpb.CollectionChange{ShardKey: seven, Placement: &clusterpb.PeerSet{Peers: []uint64{9}}}, "placement"},
		{&clusterpb.CollectionChange{ShardKey: seven, ReplicationFactor: n(3), Placement: &clusterpb.PeerSet{Peers: []uint64{1, 2}}}, "placement"},
		{&clusterpb.CollectionChange{ShardKey: seven, ReplicationFactor: &two, ShardNumber: n(5000)}, "shard_number"},
		{&clusterpb.CollectionChange{ShardKey: eight, WriteConsistencyFactor: &two}, "write_consistency_factor"},
		{&clusterpb.CollectionChange{ShardKey: eight, ReplicationFactor: n(1000)}, "replication_factor"},
		{&clusterpb.CollectionChange{ShardKey: eight, ShardNumber: n(5000)}, "shard_number"},
		{&clusterpb.CollectionChange{ShardKey: eight, Placement: &clusterpb.PeerSet{Peers: []uint64{9}}}, "placement"},
		{&clusterpb.CollectionChange{ShardKey: eight, Placement: &clusterpb.PeerSet{Peers: []uint64{2, 2}}}, "placement"},
	} {
		if c.change.Collection == "" {
			c.change.Collection = "tenants"
		}
		plan, err := m.service.GetPlan(t.Context(), ofCollection(c.change))
		if f := plan.GetFindings(); err != nil || len(f) != 1 || f[0].GetCode() != "refused" || f[0].GetField() != c.field || len(plan.GetSteps()) > 0 {
			t.Errorf("%v: %v, %v", c.change, plan, err)
		}
	}
	plan, err := m.service.GetPlan(t.Context(), ofCollection(&clusterpb.CollectionChange{Collection: "tenants", ShardKey: seven}))
	if err != nil || len(plan.GetSteps()) != 0 {
		t.Errorf("%v, %v", plan, err)
	}
}

func TestAPlanForANewKeyTellsWhereItWillBe(t *testing.T) {
	m := newManaged(t, 3)
	m.keys("tenants", catalog.ShardKey{Key: point.ShardKey{Number: 7}, ShardNumber: 1})
	of := func(c *clusterpb.CollectionChange) *clusterpb.GetPlanRequest {
		c.Collection, c.ShardKey = "tenants", &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "eu"}}
		return ofCollection(c)
	}
	m.expect("with the numbers of the collection", of(&clusterpb.CollectionChange{}), `
create_shard tenants/1 0>3 0: new, of shard key "eu", on node-2, node-3
bytes 0 seconds 0
`)
	m.expect("with its own", of(&clusterpb.CollectionChange{ShardNumber: n(2), ReplicationFactor: n(1), Placement: &clusterpb.PeerSet{Peers: []uint64{3, 2}}}), `
create_shard tenants/1 0>3 0: new, of shard key "eu", on node-3
create_shard tenants/2 0>2 0: new, of shard key "eu", on node-2
bytes 0 seconds 0
WARNING single_copy [replication_factor] shard key "eu" of tenants is to have one copy: a lost node loses what it held; declare replication_factor 2 or more
`)
	m.expect("with more copies than peers", of(&clusterpb.CollectionChange{ShardNumber: n(1), ReplicationFactor: n(4)}), `
create_shard tenants/1 0>3 0: new, of shard key "eu", on node-1, node-2, node-3
bytes 0 seconds 0
ERROR replicas_exceed_peers [replication_factor] shard key "eu" of tenants is to have 4 copies, and 3 peers can hold one each: add peers, or lower replication_factor
`)
	m.gauges[2] = peer.Gauge{DiskFree: 50, DiskTotal: 1000}
	m.dead[1] = time.Minute
	m.expect("on a disk that is full, while a peer is away", of(&clusterpb.CollectionChange{ShardNumber: n(1)}), `
create_shard tenants/1 0>3 0: new, of shard key "eu", on node-2, node-3
bytes 0 seconds 0
WARNING disk_too_small [] peer node-2 is to hold new shards and has no room for points (50 B are free, a tenth of the disk, 8 GiB at most, stays so): enlarge its disk, or add peers
`)
	paused := true
	m.must(catalog.Command{UpdateSettings: &catalog.Settings{Paused: &paused}})
	m.must(catalog.Command{UpdatePeer: &catalog.UpdatePeer{ID: 3, State: new(catalog.Draining)}})
	m.expect("in a placement that is drained", of(&clusterpb.CollectionChange{ShardNumber: n(1), ReplicationFactor: n(2), Placement: &clusterpb.PeerSet{Peers: []uint64{2, 3}}}), `
create_shard tenants/1 0>2 0: new, of shard key "eu", on node-2
bytes 0 seconds 0
WARNING disk_too_small [] peer node-2 is to hold new shards and has no room for points (50 B are free, a tenth of the disk, 8 GiB at most, stays so): enlarge its disk, or add peers
ERROR replicas_exceed_peers [replication_factor] shard key "eu" of tenants is to have 2 copies, and 1 peer of its placement can hold one each: add peers, or lower replication_factor
WARNING paused [] the cluster is paused: nothing but failover is done until `+"`ostraka resume`"+`
`)
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
