package quorum_test

import (
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/quorum"
)

func TestHowManyPeersMayFail(t *testing.T) {
	for _, c := range []struct{ replicas, factor, want uint32 }{
		{1, 1, 0}, {2, 1, 1}, {3, 1, 2}, // weak: as long as one is left
		{2, 2, 0}, {3, 2, 1}, {3, 3, 0}, {4, 2, 1}, {4, 3, 1}, {5, 3, 2}, {5, 2, 1}, {5, 4, 1}, {7, 4, 3},
		{2, 3, 0}, {0, 0, 0},
	} {
		if got := quorum.Survives(c.replicas, c.factor); got != c.want {
			t.Errorf("%d replicas, %d for a write: %d may fail, want %d", c.replicas, c.factor, got, c.want)
		}
	}
}

func TestTheProofTellsTheArithmetic(t *testing.T) {
	for _, c := range []struct {
		replicas, factor uint32
		says             []string
	}{
		{1, 1, []string{"on 1 peer,", "1 of them holds it", "No peer may fail"}},
		{3, 1, []string{"2 peers may fail and writes go on", "is lost"}},
		{3, 2, []string{"1 peer may fail and writes go on: 3 - 1 = 2 still hold a write", "one of the 3 is left"}},
		{5, 3, []string{"2 peers may fail", "5 - 2 = 3"}},
		{3, 3, []string{"When one peer fails, writes to its shards are refused"}},
	} {
		got := quorum.Proof(c.replicas, c.factor)
		for _, part := range c.says {
			if !strings.Contains(got, part) {
				t.Errorf("%d, %d: %q does not say %q", c.replicas, c.factor, got, part)
			}
		}
	}
}

func TestShardsForPoints(t *testing.T) {
	for _, c := range []struct{ points, perShard, peers, want int64 }{
		{1e9, 5e7, 1, 20}, {1e9, 5e7, 3, 21}, {0, 10, 1, 1}, {11, 10, 1, 2}, {10, 10, 1, 1}, {1, 10, 5, 5}, {1e15, 1, 1, 1024}, {1e15, 1, 7, 1024},
	} {
		if got := quorum.ShardsFor(c.points, c.perShard, c.peers); got != c.want {
			t.Errorf("%d points, %d each, %d peers: %d shards, want %d", c.points, c.perShard, c.peers, got, c.want)
		}
	}
}

func TestAdviceOnShards(t *testing.T) {
	for _, c := range []struct {
		shards, peers uint32
		says          string
	}{{6, 3, ""}, {5, 1, ""}, {5, 0, ""}, {4, 3, "3 or 6"}, {2, 3, "3 would give each one"}} {
		got := quorum.ShardAdvice(c.shards, c.peers)
		if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%d shards, %d peers: %q", c.shards, c.peers, got)
		}
	}
}
