package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/cmd/ostraka/internal/command"
)

// The clock is the test's, so the pace of each task is exact.
func TestWatchTellsHowFastItGoesAndHowLongItTakes(t *testing.T) {
	log, cluster := command.NewWatchLog(), &client.Cluster{Peers: []client.Peer{{ID: 1, Name: "node-1"}, {ID: 2, Name: "node-2"}}}
	start := time.Date(2023, 11, 14, 22, 0, 0, 0, time.UTC)
	reshard := client.Operation{ID: 7, Kind: "reshard", Collection: "docs", State: client.OperationRunning, Phase: "2048 slots left", Total: 2048,
		FromShardNumber: 1, ToShardNumber: 2, Started: start}
	var lines, bars string
	look := func(second int, points, bytes uint64, copying bool) {
		t.Helper()
		col := client.CollectionPlacement{Collection: "docs", Moves: []client.SlotMove{
			{ID: 1, Source: 0, Target: 1, Slots: 2048, Phase: "copying", Points: points, TotalPoints: 100_000},
		}}
		if copying {
			col.Shards = []client.ShardPlacement{{Replicas: []client.ReplicaPlacement{{
				Peer: 2, State: client.ReplicaPartial, Transfer: &client.Transfer{From: 1, Bytes: bytes, TotalBytes: 64 << 20},
			}}}}
		}
		lines, bars = log.Look(start.Add(time.Duration(second)*time.Second), cluster, []client.Operation{reshard}, []client.CollectionPlacement{col})
	}
	expect := func(what, got, want string) {
		t.Helper()
		if want = strings.TrimPrefix(want, "\n"); got != want {
			t.Errorf("%s:\n%s", what, got)
		}
	}
	look(0, 0, 0, true)
	expect("begun", lines, `
22:00:00 7 reshard docs, 1 to 2 shards: 2048 slots left (0%)
22:00:00 docs: 2048 slots from shard 0 to 1: copying, 0 of 100,000 points (0%)
22:00:00 docs/0 to node-2 from node-1: 0 B of 64 MiB (0%)
`)
	look(2, 10_000, 8<<20, true)
	expect("too soon", lines, "")
	expect("bars", bars, `
[##............................]   9% 7 reshard docs, 1 to 2 shards: 2048 slots left, about 19s left
[###...........................]  10% docs: 2048 slots from shard 0 to 1: copying, 10,000 of 100,000 points, 5,000 points/s, about 18s left
[###...........................]  12% docs/0 to node-2 from node-1: 8.0 MiB of 64 MiB, 4.0 MiB/s, about 14s left
`)
	look(6, 30_000, 24<<20, true)
	expect("going on", lines, `
22:00:06 7 reshard docs, 1 to 2 shards: 2048 slots left, about 15s left (29%)
22:00:06 docs: 2048 slots from shard 0 to 1: copying, 30,000 of 100,000 points, 5,000 points/s, about 14s left (30%)
22:00:06 docs/0 to node-2 from node-1: 24 MiB of 64 MiB, 4.0 MiB/s, about 10s left (37%)
`)
	look(7, 20_000, 0, false)
	expect("a copy is over, the pass began anew", lines, `
22:00:07 docs/0 to node-2 from node-1 is over
`)
	reshard.State, reshard.Ended = client.OperationDone, start.Add(20*time.Second)
	lines, bars = log.Look(start.Add(21*time.Second), cluster, []client.Operation{reshard}, nil)
	if !strings.Contains(lines, "22:00:21 7 reshard docs, 1 to 2 shards is done after 20s\n") ||
		!strings.HasSuffix(lines, "22:00:21 nothing is under way\n") || bars != "Nothing is under way.\n" {
		t.Errorf("the end:\n%s%s", lines, bars)
	}
}

func TestWhatKeepsAReshardFromItsEndIsToldOnce(t *testing.T) {
	log, cluster := command.NewWatchLog(), &client.Cluster{}
	start := time.Date(2023, 11, 14, 22, 0, 0, 0, time.UTC)
	reshard := client.Operation{ID: 7, Kind: "reshard", Collection: "docs", State: client.OperationRunning, Phase: "9 slots left", Total: 2048, FromShardNumber: 1, ToShardNumber: 2}
	for _, c := range []struct {
		problem string
		move    string
		bars    string
	}{
		{"the cluster is paused", "", "9 slots left: the cluster is paused\n"},
		{"a move is tried again: no room", "no room", "9 slots left\n"},
	} {
		reshard.Problem = c.problem
		col := client.CollectionPlacement{Collection: "docs", Moves: []client.SlotMove{{ID: 1, Target: 1, Slots: 9, Phase: "copying", Problem: c.move}}}
		_, bars := log.Look(start, cluster, []client.Operation{reshard}, []client.CollectionPlacement{col})
		if !strings.Contains(bars, c.bars) || strings.Count(bars, "no room") != len(c.move)/7 {
			t.Errorf("%s:\n%s", c.problem, bars)
		}
	}
}

func TestWatchEndsWhereNobodyIsThereToBeWatched(t *testing.T) {
	s := serverOf(t, "docs")
	s.listener.Close()
	sh := shell(t, s)
	sh.expect(sh.run("watch"), 3, "Is the node running?")
}
