package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
)

func TestPlanScripts(t *testing.T) {
	for _, script := range []string{"failover", "replicas", "replaced"} {
		t.Run(script, func(t *testing.T) {
			m := newModel(t)
			datadriven.RunTest(t, "testdata/"+script, func(t *testing.T, d *datadriven.TestData) string {
				m.t = t
				if d.Cmd == "new" {
					m = newModel(t)
				}
				for line := range strings.Lines(d.Input) {
					m.line(strings.Fields(line))
				}
				return m.directive(d.Cmd)
			})
		})
	}
}

func (m *model) directive(cmd string) string {
	var out strings.Builder
	switch cmd {
	case "plan", "run":
		for _, step := range reconcile.Plan(m.state, m.obs) {
			fmt.Fprintln(&out, step)
			if cmd == "run" {
				fmt.Fprintln(&out, "  ", m.do(step))
			}
		}
	case "settle":
		m.settle()
	case "rest":
		m.rest()
		m.checkAtRest()
	}
	if cmd != "plan" && cmd != "new" {
		for ref, sh := range m.state.Shards() {
			fmt.Fprintf(&out, "%s %s\n", ref, sh)
		}
		fmt.Fprintf(&out, "voters %v\n", sorted(m.obs.Voters))
	}
	if out.Len() == 0 {
		return "ok\n"
	}
	return out.String()
}

func (m *model) line(f []string) {
	var n [4]uint64
	for i, word := range f[1:] {
		if i < len(n) {
			fmt.Sscan(word, &n[i])
		}
	}
	id := catalog.PeerID(n[0])
	var ref catalog.ShardRef
	if len(f) > 1 {
		fmt.Sscanf(f[1], "%d/%d", &ref.Collection, &ref.Shard)
	}
	switch f[0] {
	case "peer": // peer ID NAME [ZONE]
		m.register(id, f[2], strings.Join(f[3:], ""))
	case "create": // create NAME SHARDS REPLICAS W
		m.create(f[1], uint32(n[1]), uint32(n[2]), uint32(n[3]))
	case "factor": // factor NAME REPLICAS
		m.factor(f[1], uint32(n[1]))
	case "dead": // dead ID MILLISECONDS
		m.obs.Peers[id] = reconcile.Health{DeadFor: time.Duration(n[1]) * time.Millisecond}
	case "alive":
		m.obs.Peers[id] = reconcile.Health{Alive: true}
	case "draining":
		m.obs.Peers[id] = reconcile.Health{Alive: true, Draining: true}
	case "wish": // wish C/S TERM
		m.obs.Wishes[ref] = n[1]
	case "move": // move C/S PEER
		m.obs.Moves = map[catalog.ShardRef]catalog.PeerID{ref: catalog.PeerID(n[1])}
	case "promised": // promised C/S TERM
		m.obs.Promised[ref] = n[1]
	case "novoter":
		delete(m.obs.Voters, id)
	case "end": // end C/S PEER TERM INDEX
		_, sh, _ := m.state.Shard(ref)
		r, _ := sh.Replica(catalog.PeerID(n[1]))
		m.ends[r.Generation] = [2]uint64{n[2], n[3]}
	case "demote": // demote C/S PEER
		_, sh, _ := m.state.Shard(ref)
		peer := catalog.PeerID(n[1])
		m.change(ref, sh, catalog.ChangeShard{Demote: &peer})
	default:
		m.t.Fatalf("unknown line %v", f)
	}
}

// genModel draws a cluster in some state that may have come about: peers of every health, collections of every
// shape, replicas in every state, a wiped node, a changed replication factor.
func genModel(t *rapid.T) *model {
	m := newModel(t)
	peers := rapid.IntRange(1, 6).Draw(t, "peers")
	for i := range peers {
		m.register(catalog.PeerID(i+1), fmt.Sprint("n", i), rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "zone"))
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "collections") {
		replicas := rapid.Uint32Range(1, 4).Draw(t, "replicas")
		m.create(fmt.Sprint("c", i), rapid.Uint32Range(1, 12).Draw(t, "shards"), replicas, rapid.Uint32Range(1, replicas).Draw(t, "w"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "rounds") { // some history under other circumstances
		genHealth(t, m)
		for _, step := range reconcile.Plan(m.state, m.obs) {
			m.do(step)
		}
		m.settle()
		if rapid.Bool().Draw(t, "wiped") {
			old := rapid.IntRange(1, peers).Draw(t, "old")
			name := fmt.Sprint("n", old-1)
			m.register(catalog.PeerID(100+len(m.obs.Peers)), name, "x")
		}
		if rapid.Bool().Draw(t, "declared") {
			m.factor("c0", rapid.Uint32Range(1, 5).Draw(t, "factor"))
		}
	}
	genHealth(t, m)
	return m
}

func genHealth(t *rapid.T, m *model) {
	for _, p := range m.state.SortedPeers() {
		switch rapid.IntRange(0, 5).Draw(t, "health") {
		case 0:
			m.obs.Peers[p.ID] = reconcile.Health{DeadFor: time.Duration(rapid.IntRange(0, 2).Draw(t, "dead")) * time.Second}
		case 1:
			m.obs.Peers[p.ID] = reconcile.Health{Alive: true, Draining: true}
		default:
			m.obs.Peers[p.ID] = reconcile.Health{Alive: true}
		}
	}
	for ref, sh := range m.state.Shards() {
		if rapid.IntRange(0, 4).Draw(t, "wish") == 0 {
			m.obs.Wishes[ref] = sh.Term
		}
		for _, r := range sh.Replicas {
			m.ends[r.Generation] = [2]uint64{1, rapid.Uint64Range(1, 2).Draw(t, "end")}
		}
	}
}

func TestEveryStateComesToRestAsDeclared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genModel(t)
		m.rest()
		m.checkAtRest()
	})
}

func TestAPlanIsTheSameForTheSameState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genModel(t)
		first := fmt.Sprint(reconcile.Plan(m.state, m.obs))
		decoded, err := catalog.DecodeState(catalog.EncodeState(m.state))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if again := fmt.Sprint(reconcile.Plan(decoded, m.obs)); again != first {
			t.Fatalf("%s\nthen\n%s", first, again)
		}
	})
}

func TestAPlanTouchesEachShardOnceAndFillsFewAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genModel(t)
		seen := map[catalog.ShardRef]bool{}
		fills := map[catalog.PeerID]int{}
		for _, sh := range m.state.Shards() {
			for _, id := range sh.In(catalog.Partial) {
				fills[id]++
			}
		}
		for _, step := range reconcile.Plan(m.state, m.obs) {
			var ref catalog.ShardRef
			switch {
			case step.Failover != nil:
				ref = step.Failover.Ref
			case step.Change != nil && step.Change.ChangeShard != nil:
				ref = step.Change.ChangeShard.Ref
				if to := step.Change.ChangeShard.AddReplica; to != nil {
					if fills[*to]++; fills[*to] > 8 {
						t.Fatalf("peer %d fills %d replicas at once", *to, fills[*to])
					}
				}
			default:
				continue
			}
			if seen[ref] {
				t.Fatalf("two steps for shard %s", ref)
			}
			seen[ref] = true
		}
	})
}
