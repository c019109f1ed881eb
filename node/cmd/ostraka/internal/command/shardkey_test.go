package command_test

import (
	"context"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

func (c collections) CreateShardKey(_ context.Context, r *qdrant.CreateShardKeyRequest) (*qdrant.CreateShardKeyResponse, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.mu.made = append(c.s.mu.made, r)
	return &qdrant.CreateShardKeyResponse{Result: true}, nil
}

func (c collections) DeleteShardKey(_ context.Context, r *qdrant.DeleteShardKeyRequest) (*qdrant.DeleteShardKeyResponse, error) {
	if r.GetRequest().GetShardKey().GetKeyword() == "gone" {
		return nil, status.Error(codes.NotFound, "Shard key \"gone\" not found")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.mu.deleted = append(c.s.mu.deleted, r)
	return &qdrant.DeleteShardKeyResponse{Result: true}, nil
}

// UpdateCollectionClusterSetup begins to fill a key, as operation 6.
func (c collections) UpdateCollectionClusterSetup(_ context.Context, r *qdrant.UpdateCollectionClusterSetupRequest) (*qdrant.UpdateCollectionClusterSetupResponse, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	points := r.GetReplicatePoints()
	if points.GetToShardKey().GetKeyword() == "eu" {
		return nil, status.Error(codes.FailedPrecondition, "Pre-condition failure: shard key \"eu\" serves already")
	}
	c.s.mu.filled = append(c.s.mu.filled, points)
	wire := func(k *qdrant.ShardKey) *clusterpb.ShardKey {
		return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: k.GetKeyword()}}
	}
	c.s.operations = append([]*clusterpb.Operation{{
		Id: 6, Kind: "fill", Collection: "docs", State: clusterpb.OperationState_OPERATION_STATE_RUNNING, ShardKey: wire(points.GetToShardKey()), FromShardKey: wire(points.GetFromShardKey()),
		Phase: "points are being copied from shard key \"shared\", 2 parts at once", Total: 2, PointsDone: 5, PointsTotal: 10, StartedUnixMs: 1_700_000_040_000,
	}}, c.s.operations...)
	return &qdrant.UpdateCollectionClusterSetupResponse{Result: true}, nil
}

func TestAShardKeyIsMadeFilledAndListed(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	s.placement.Collections[0].ShardKeys = []*clusterpb.ShardKeyPlacement{
		{Key: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 7}}, TargetShardNumber: 2, ReplicationFactor: 3, Placement: []uint64{11, 12}},
		{Key: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "acme"}}, TargetShardNumber: 1, ReplicationFactor: 2, Partial: true},
	}
	sh := shell(t, s)
	sh.expect(sh.run("shard-key", "list", "docs"), 0)
	sh.golden("shard-keys.txt")
	sh.expect(sh.run("shard-key", "list", "docs", "-o", "json"), 0)
	sh.golden("shard-keys.json")
	sh.expect(sh.run("shard-key", "list", "none"), 1, "there is no collection none")

	sh.expect(sh.run("shard-key", "create", "docs", "acme", "--partial", "--shards", "2", "--placement", "node-2"), 0)
	if got, want := sh.out.String(), "docs, key acme was made, and is to be filled: ostraka shard-key fill.\n"; got != want {
		t.Errorf("%q", got)
	}
	sh.expect(sh.run("shard-key", "create", "docs", "7", "--replication-factor", "3", "-o", "json"), 0)
	if got, want := strings.Join(strings.Fields(sh.out.String()), ""), `{"collection":"docs","key":7,"shards":2,"replication_factor":3,"placement":["node-1","node-2"]}`; got != want {
		t.Errorf("%s", got)
	}
	for i, want := range []*qdrant.CreateShardKey{
		{ShardKey: qdrant.NewShardKeyKeyword("acme"), ShardsNumber: new(uint32(2)), Placement: []uint64{12}, InitialState: qdrant.ReplicaState_Partial.Enum()},
		{ShardKey: qdrant.NewShardKeyNum(7), ReplicationFactor: new(uint32(3))},
	} {
		if got := s.mu.made[i]; got.GetCollectionName() != "docs" || !proto.Equal(got.GetRequest(), want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	sh.expect(sh.run("shard-key", "create", "docs", "x", "--shards", "2000000"), 2, "at most")
	sh.expect(sh.run("shard-key", "create", "docs", ""), 2, "name the key")

	sh.expect(sh.run("shard-key", "fill", "docs", "acme", "--from", "shared", "--where", "tenant=acme"), 0, "ostraka wait 6")
	sh.golden("shard-key-fill.txt")
	either := qdrant.NewFilterAsCondition(&qdrant.Filter{Should: []*qdrant.Condition{qdrant.NewMatchKeyword("tenant", "acme")}})
	want := &qdrant.ReplicatePoints{
		FromShardKey: qdrant.NewShardKeyKeyword("shared"), ToShardKey: qdrant.NewShardKeyKeyword("acme"), Filter: &qdrant.Filter{Must: []*qdrant.Condition{either}},
	}
	if !proto.Equal(s.mu.filled[0], want) {
		t.Errorf("%v, want %v", s.mu.filled[0], want)
	}
	sh.expect(sh.run("shard-key", "fill", "docs", "acme", "--from", "shared", "--all", "-o", "json"), 0)
	sh.golden("shard-key-fill.json")
	if s.mu.filled[1].Filter != nil {
		t.Errorf("all points: %v", s.mu.filled[1])
	}
	sh.expect(sh.run("shard-key", "fill", "docs", "eu", "--from", "shared", "--all"), 1, "serves already")
	sh.expect(sh.run("shard-key", "fill", "docs", "acme", "--from", "shared"), 2, "--where KEY=VALUE, or --all")
	sh.expect(sh.run("shard-key", "fill", "docs", "acme", "--all"), 2, "--from")
	sh.expect(sh.run("shard-key", "fill", "docs", "acme", "--from", "shared", "--all", "--where", "a=b"), 2, "--where KEY=VALUE, or --all")
}

func TestAShardKeyWithPointsIsDeletedOnlyWhenThatIsMeant(t *testing.T) {
	s := serverOf(t, "docs")
	busy(s)
	wire := func(word string) *clusterpb.ShardKey {
		return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: word}}
	}
	col := s.placement.Collections[0]
	col.ShardKeys = []*clusterpb.ShardKeyPlacement{{Key: wire("full")}, {Key: wire("empty")}, {Key: wire("away")}}
	col.Shards = []*clusterpb.ShardPlacement{
		{ShardId: 0, ShardKey: wire("full"), Primary: 11, Replicas: []*clusterpb.ReplicaPlacement{{Peer: 11, Alive: true, Points: 3}}},
		{ShardId: 1, ShardKey: wire("empty"), Primary: 12, Replicas: []*clusterpb.ReplicaPlacement{{Peer: 12, Alive: true}}},
		{ShardId: 2, ShardKey: wire("away"), Primary: 12, Replicas: []*clusterpb.ReplicaPlacement{{Peer: 12}}},
	}
	sh := shell(t, s)
	sh.expect(sh.run("shard-key", "delete", "docs", "full"), 1, "docs, key full holds 3 points: give --with-points")
	sh.expect(sh.run("shard-key", "delete", "docs", "away"), 1, "not all of its shards answer")
	sh.expect(sh.run("shard-key", "delete", "docs", "gone", "--with-points"), 1, "not found")
	sh.expect(sh.run("shard-key", "delete", "docs", ""), 2, "name the key")
	sh.expect(sh.run("shard-key", "delete", "none", "eu"), 1, "there is no collection none")
	if len(s.mu.deleted) > 0 {
		t.Fatalf("deleted %v", s.mu.deleted)
	}
	sh.expect(sh.run("shard-key", "delete", "docs", "empty"), 0)
	if got, want := sh.out.String(), "docs, key empty is deleted.\n"; got != want {
		t.Errorf("%q", got)
	}
	sh.expect(sh.run("shard-key", "delete", "docs", "full", "--with-points", "-o", "json"), 0)
	if got, want := strings.Join(strings.Fields(sh.out.String()), ""), `{"collection":"docs","key":"full","points":3}`; got != want {
		t.Errorf("%s", got)
	}
	for i, want := range []string{"empty", "full"} {
		if r := s.mu.deleted[i]; r.GetCollectionName() != "docs" || r.GetRequest().GetShardKey().GetKeyword() != want {
			t.Errorf("%v, want %s", r, want)
		}
	}
	sh.expect(sh.run("shard-key", "drop", "docs", "full"), 2, `there is no command "drop"`)
}
