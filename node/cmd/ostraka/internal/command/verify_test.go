package command_test

import (
	"context"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

func verdicts(s *server) {
	healthy(s)
	equal := &clusterpb.ShardVerdict{Collection: "docs", ShardId: 0, Compared: true, Equal: true, Index: 1234, Replicas: []*clusterpb.ReplicaDigest{
		{Peer: 11, Primary: true, Generation: 1, Index: 1234, Digest: 0xabc, Points: 3000}, {Peer: 12, Generation: 2, Index: 1234, Digest: 0xabc, Points: 3000},
	}}
	other := &clusterpb.ShardVerdict{Collection: "docs", ShardId: 1, Compared: true, Index: 99, Problem: "the replica on peer 11 differs: 5 points", Replicas: []*clusterpb.ReplicaDigest{
		{Peer: 11, Generation: 3, Index: 99, Digest: 0xdef, Points: 5, Differs: true}, {Peer: 12, Primary: true, Generation: 4, Index: 99, Digest: 0xabc, Points: 6},
		{Peer: 13, Differs: true, Problem: "a record is damaged"}, {Peer: 14, Problem: "its peer does not answer"},
	}}
	alone := &clusterpb.ShardVerdict{Collection: "solo", ShardId: 0, Problem: "there is only one active replica, nothing to compare it with", Replicas: []*clusterpb.ReplicaDigest{{Peer: 12, Primary: true, Digest: 1}}}
	s.verdicts = []*clusterpb.VerifyResponse{{Total: 3}, {Done: 1, Total: 3, Shard: equal}, {Done: 2, Total: 3, Shard: other}, {Done: 3, Total: 3, Shard: alone}}
}

func TestVerifyFailsWhenReplicasDiffer(t *testing.T) {
	s := serverOf(t, "docs")
	verdicts(s)
	sh := shell(t, s)
	sh.expect(sh.run("verify"), 1, "1 shard has replicas that differ")
	sh.golden("verify-different.txt")
	sh.expect(sh.run("verify", "docs", "--read-rate", "3", "-o", "json"), 1)
	sh.golden("verify-different.json")
	if r := s.mu.verifies[1]; len(r.GetCollections()) != 1 || r.GetCollections()[0] != "docs" || r.GetBytesPerSecond() != 3<<20 {
		t.Errorf("asked for %v", r)
	}
	sh.expect(sh.run("verify", "a", "b"), 2, `"b" is too much`)
	sh.expect(sh.run("verify", "--read-rate", "-1"), 2, "0 or more")
}

func TestVerifySucceedsWhenNoReplicaDiffers(t *testing.T) {
	s := serverOf(t, "docs")
	verdicts(s)
	s.verdicts = append(s.verdicts[:2], s.verdicts[3])
	sh := shell(t, s)
	sh.expect(sh.run("verify"), 0)
	sh.golden("verify-equal.txt")
	s.verdicts = []*clusterpb.VerifyResponse{{}}
	sh.expect(sh.run("verify"), 0)
	sh.golden("verify-empty.txt")
}

func TestEvents(t *testing.T) {
	s := serverOf(t, "docs")
	shard := uint32(3)
	s.events = []*clusterpb.WatchEventsResponse{
		{Gap: &clusterpb.Gap{Missed: 1234}}, {Gap: &clusterpb.Gap{}},
		{Event: &clusterpb.Event{Cursor: 7, UnixMs: 1_700_000_000_123, Kind: "promotion", Severity: "info", Collection: "docs", ShardId: &shard, Peer: 11, Text: "node-1 leads \x1b[2J"}},
		{Event: &clusterpb.Event{Cursor: 8, UnixMs: 1_700_000_001_000, Kind: "peer_dead", Severity: "warn", Peer: 12, Text: "node-2 does not answer"}},
	}
	sh := shell(t, s)
	sh.expect(sh.run("events"), 0)
	sh.golden("events.txt")
	sh.expect(sh.run("events", "-o", "json"), 0)
	sh.golden("events.json")
	sh.expect(sh.run("events", "--last", "1"), 0)
	sh.golden("events-last.txt")
	sh.width = 80
	sh.expect(sh.run("events", "--last", "2"), 0)
	sh.golden("events-terminal.txt")
	sh.expect(sh.run("events", "--last", "-1"), 2, "0 or more")
}

func TestFollowedEventsEndWithTheSignal(t *testing.T) {
	s := serverOf(t, "docs")
	s.events = []*clusterpb.WatchEventsResponse{{Event: &clusterpb.Event{Cursor: 8, Kind: "election", Text: "node-2 leads"}}}
	sh := shell(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	out := &notify{want: "node-2 leads", seen: make(chan struct{})}
	code := make(chan int)
	go func() { code <- sh.runWith(ctx, out, "events", "--follow") }()
	<-out.seen
	cancel()
	sh.expect(<-code, 0)
}
