package command_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

func healthy(s *server) {
	s.cluster = &clusterpb.GetClusterResponse{
		ClusterId: "c-1", AnsweringPeer: 11, Leader: 12, Term: 3, AppliedIndex: 40, Version: "0.1.0",
		Peers: []*clusterpb.Peer{
			{Id: 11, Name: "node-1", GrpcAddress: "10.0.0.1:6334", PeerAddress: "10.0.0.1:6335", HttpAddress: "10.0.0.1:6333", Zone: "a", Version: "0.1.0", Alive: true, Voter: true, Replicas: 2, LastSeenUnixMs: 1_700_000_099_000},
			{Id: 12, Name: "node-2", GrpcAddress: "10.0.0.2:6334", PeerAddress: "10.0.0.2:6335", HttpAddress: "10.0.0.2:6333", Version: "0.1.0", Alive: true, Voter: true, Leader: true, Replicas: 2},
		},
	}
	s.placement = &clusterpb.GetPlacementResponse{Collections: []*clusterpb.CollectionPlacement{{
		Collection: "docs", ShardNumber: 2, ReplicationFactor: 2, WriteConsistencyFactor: 2,
		Shards: []*clusterpb.ShardPlacement{shardOn(0, 11, 12), shardOn(1, 12, 11)},
	}}}
}

func shardOn(id uint32, primary, other uint64) *clusterpb.ShardPlacement {
	return &clusterpb.ShardPlacement{ShardId: id, DeclaredReplicas: 2, ActiveReplicas: 2, Primary: primary, Term: 1, WriteQuorum: 2, Writable: true, Version: 5,
		Replicas: []*clusterpb.ReplicaPlacement{
			{Peer: primary, Alive: true, LastIndex: 100, AppliedIndex: 100, Points: 3000, Generation: 1},
			{Peer: other, Alive: true, LastIndex: 100, AppliedIndex: 99, Points: 2999, Generation: 2},
		}}
}

// degraded has one of everything that can be wrong.
func degraded(s *server) {
	healthy(s)
	s.cluster.Leader = 0
	s.cluster.Peers[1].Alive, s.cluster.Peers[1].Leader, s.cluster.Peers[1].LastSeenUnixMs = false, false, 1_700_000_038_500
	s.cluster.Peers = append(s.cluster.Peers,
		&clusterpb.Peer{Id: 13, Name: "node-2", Replaced: true, LastSeenUnixMs: 1},
		&clusterpb.Peer{Id: 14, Name: "node\x1b[2J"})
	docs := s.placement.Collections[0]
	docs.Warnings = []string{"declared 2 replicas, 1 peer is alive"}
	docs.Shards[0].ActiveReplicas, docs.Shards[0].Writable = 1, false
	docs.Shards[0].Problem = "needs 2 of 2 replicas, 1 is active"
	docs.Shards[0].Replicas[1].Alive, docs.Shards[0].Replicas[1].LastIndex = false, 0
	docs.Shards[1].ActiveReplicas = 1
	docs.Shards[1].Replicas[0].Alive = false
	docs.Shards[1].Replicas[1].State, docs.Shards[1].Replicas[1].LastIndex = clusterpb.ReplicaState_PARTIAL, 88
	docs.Shards[1].UnsafePromotions = 2
	docs.Shards = append(docs.Shards, &clusterpb.ShardPlacement{ShardId: 2, DeclaredReplicas: 1, ActiveReplicas: 1, Primary: 99,
		Replicas: []*clusterpb.ReplicaPlacement{{Peer: 99, State: clusterpb.ReplicaState_DEAD}}})
}

func TestStatus(t *testing.T) {
	for name, prepare := range map[string]func(*server){
		"status-healthy": healthy, "status-degraded": degraded,
		"status-empty": func(s *server) { healthy(s); s.placement = &clusterpb.GetPlacementResponse{} },
	} {
		s := serverOf(t, "docs")
		prepare(s)
		sh := shell(t, s)
		sh.expect(sh.run("status"), 0)
		sh.golden(name + ".txt")
		sh.expect(sh.run("status", "-o", "json"), 0)
		sh.golden(name + ".json")
	}
}

func TestColoursAndCuttingOnATerminalOnly(t *testing.T) {
	s := serverOf(t, "docs")
	degraded(s)
	sh := shell(t, s)
	sh.width = 60
	sh.expect(sh.run("status"), 0)
	sh.golden("status-terminal.txt")
	sh.environment["NO_COLOR"] = ""
	sh.expect(sh.run("status"), 0)
	if strings.Contains(sh.out.String(), "\x1b") {
		t.Error("colours in spite of NO_COLOR")
	}
}

func TestStatusOfAPlainQdrantSaysSo(t *testing.T) {
	sh := shell(t, serverOf(t, "docs", true))
	sh.expect(sh.run("status"), 1, "the server at 127.0.0.1:6334 is a plain Qdrant 1.19.0")
}

func TestAnEndpointThatDoesNotAnswerIsNamed(t *testing.T) {
	s := serverOf(t, "docs")
	healthy(s)
	sh := shell(t, s)
	sh.expect(sh.run("status", "--endpoint", "10.9.9.9:6334"), 3, "10.9.9.9:6334: ", "connection refused", "--endpoint")
	sh.expect(sh.run("status", "--endpoint", "10.9.9.9:6334,127.0.0.1:6334"), 0)
}

func TestAProblemThatAWarningTellsIsToldOnce(t *testing.T) {
	s := serverOf(t, "docs")
	healthy(s)
	docs := s.placement.Collections[0]
	docs.Shards[0].Problem, docs.Shards[1].Problem = "replica on node-2: away", "replica on node-2: away"
	docs.Warnings = []string{"all 2 shards: replica on node-2: away"}
	sh := shell(t, s)
	sh.expect(sh.run("status"), 0)
	if n := strings.Count(sh.out.String(), "replica on node-2: away"); n != 1 {
		t.Errorf("told %d times:\n%s", n, sh.out.String())
	}
}

func TestAPeerWhoseDiskIsFullIsShown(t *testing.T) {
	s := serverOf(t, "docs")
	healthy(s)
	s.cluster.Peers[1].Problem = "the disk of node-2 is full: 1.0 MiB of 2.0 GiB are free"
	sh := shell(t, s)
	for args, texts := range map[string][]string{
		"":     {"alive, leader, has a problem", "peer node-2 (12): the disk of node-2 is full: 1.0 MiB of 2.0 GiB are free"},
		"json": {`"problem": "the disk of node-2 is full`},
	} {
		sh.expect(sh.run(strings.Fields("status -o "+cmp.Or(args, "table"))...), 0)
		for _, text := range texts {
			if !strings.Contains(sh.out.String(), text) {
				t.Errorf("%q is not in\n%s", text, sh.out.String())
			}
		}
	}
}

func TestAPausedClusterAndSurplusCopiesAreNotAsDeclared(t *testing.T) {
	s := serverOf(t, "docs")
	healthy(s)
	yes := true
	s.settings = &clusterpb.Settings{Paused: &yes}
	shard := s.placement.Collections[0].Shards[1]
	shard.ActiveReplicas, shard.Replicas = 3, append(shard.Replicas, &clusterpb.ReplicaPlacement{Peer: 13, Alive: true, LastIndex: 100})
	sh := shell(t, s)
	for output, texts := range map[string][]string{
		"table": {"1 of 2 shards not as declared", "the cluster is paused: nothing but failover is done until ostraka resume", "docs/1: 3 replicas, 2 declared"},
		"json":  {`"the cluster is paused: nothing but`, `"as_declared": false`},
	} {
		sh.expect(sh.run("status", "-o", output), 0)
		for _, text := range texts {
			if !strings.Contains(sh.out.String(), text) {
				t.Errorf("%q is not in\n%s", text, sh.out.String())
			}
		}
	}
}

func TestUnsafePromotionsAreNotedAndLeaveTheRestAsDeclared(t *testing.T) {
	s := serverOf(t, "docs")
	healthy(s)
	docs := s.placement.Collections[0]
	docs.Shards[1].UnsafePromotions = 1
	sh := shell(t, s)
	check := func(texts ...string) {
		t.Helper()
		sh.expect(sh.run("status"), 0)
		for _, text := range append(texts, "Everything is as declared.") {
			if !strings.Contains(sh.out.String(), text) {
				t.Errorf("%q is not in\n%s", text, sh.out.String())
			}
		}
	}
	check("It has happened 1 time that a replica became primary without asking the old one, of docs/1: ")
	for i := range uint32(20) {
		docs.Shards = append(docs.Shards, shardOn(2+i, 11, 12))
		docs.Shards[2+i].UnsafePromotions = 2
	}
	check("41 times that a replica became primary", "docs/7 and 14 more shards")
}
