package wait

import (
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// Each condition alone must keep an apply waiting, whatever a server's texts say.
func TestAPlacementIsSettledOnlyWhenEverythingIs(t *testing.T) {
	target := uint32(0)
	shard := func(change func(*client.ShardPlacement)) client.CollectionPlacement {
		target = 1
		s := client.ShardPlacement{
			ID: 1, DeclaredReplicas: 2, ActiveReplicas: 2, WriteQuorum: 2, Replicas: make([]client.ReplicaPlacement, 2),
		}
		change(&s)
		return client.CollectionPlacement{
			TargetShardNumber: target, ShardNumber: 1, ReplicationFactor: 2, WriteConsistencyFactor: 2, Shards: []client.ShardPlacement{s},
		}
	}
	for name, c := range map[string]struct {
		change func(*client.ShardPlacement)
		says   string
	}{
		"all is well":                {func(*client.ShardPlacement) {}, ""},
		"a replica is away":          {func(s *client.ShardPlacement) { s.ActiveReplicas = 1 }, "1 active"},
		"one is left over":           {func(s *client.ShardPlacement) { s.Replicas = make([]client.ReplicaPlacement, 3) }, "3 replicas of 2"},
		"the old quorum":             {func(s *client.ShardPlacement) { s.WriteQuorum = 1 }, "write quorum 1"},
		"fewer shards than declared": {func(s *client.ShardPlacement) { target = 4 }, "1 shards of 4"},
		"the server objects":         {func(s *client.ShardPlacement) { s.Problem = "no primary" }, "shard 1: no primary"},
	} {
		got := unsettled(shard(c.change), 5)
		if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", name, got, c.says)
		}
	}
	if unsettled(client.CollectionPlacement{ShardNumber: 2, ReplicationFactor: 1}, 5) == "" {
		t.Error("a collection whose shards are not there yet counts as settled")
	}
}

func TestOnlyLivingPeersThatWereNotReplacedCanHoldReplicas(t *testing.T) {
	cluster := &client.Cluster{Peers: []client.Peer{{Alive: true}, {Alive: false}, {Alive: true, Replaced: true}, {Alive: true}}}
	if got := Living(cluster); got != 2 {
		t.Errorf("Living is %d, want 2", got)
	}
}

func TestWhatWasReachedIsTheFewestOrWhatIsLeftOver(t *testing.T) {
	shard := func(active, replicas int) client.ShardPlacement {
		return client.ShardPlacement{ActiveReplicas: uint32(active), Replicas: make([]client.ReplicaPlacement, replicas)}
	}
	pinned := shard(1, 1)
	pinned.Pinned = true
	for name, c := range map[string]struct {
		shards []client.ShardPlacement
		want   uint32
	}{
		"as declared":           {[]client.ShardPlacement{shard(2, 2), shard(2, 2)}, 2},
		"one is being made":     {[]client.ShardPlacement{shard(2, 2), shard(1, 2)}, 1},
		"one is left over":      {[]client.ShardPlacement{shard(3, 3), shard(2, 2)}, 2 + 1},
		"one has no copy alive": {[]client.ShardPlacement{shard(0, 2), shard(3, 3)}, 0},
		"one placed by hand":    {[]client.ShardPlacement{pinned, shard(2, 2)}, 2},
	} {
		shards, replicas := Reached(client.CollectionPlacement{ShardNumber: 7, TargetShardNumber: 8, ReplicationFactor: 2, Shards: c.shards})
		if shards != 7 || replicas != c.want {
			t.Errorf("%s: %d shards, %d replicas, want %d", name, shards, replicas, c.want)
		}
	}
}
