package reconcile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

func TestPlanScripts(t *testing.T) {
	for _, script := range []string{"failover", "replicas", "replaced", "drain", "healing", "zones", "hand", "balance", "pause", "slots", "removed", "keys"} {
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
		for _, id := range slices.Sorted(maps.Keys(m.state.Collections)) {
			for _, mv := range m.state.Collections[id].Moves {
				fmt.Fprintf(&out, "move %d v%d %s from %d to %d: %d slots\n", mv.ID, mv.Version, mv.Phase, mv.Source, mv.Target, slot.Total(mv.Slots))
			}
		}
		fmt.Fprintf(&out, "voters %v\n", sorted(m.obs.Voters))
		for _, o := range m.state.Operations {
			fmt.Fprintf(&out, "operation %s\n", o)
		}
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
	case "reshard": // reshard NAME SHARDS [KEY]
		var key *point.ShardKey
		if len(f) > 3 {
			key = &point.ShardKey{Number: n[2]}
		}
		if !m.reshard(f[1], uint32(n[1]), key) {
			m.t.Fatalf("refused: %v", f)
		}
	case "factor": // factor NAME REPLICAS
		m.factor(f[1], uint32(n[1]))
	case "dead": // dead ID MILLISECONDS
		m.obs.Peers[id] = reconcile.Health{DeadFor: time.Duration(n[1]) * time.Millisecond}
	case "alive":
		m.obs.Peers[id] = reconcile.Health{Alive: true, AliveFor: time.Hour}
	case "fresh": // fresh ID: alive, but only just
		m.obs.Peers[id] = reconcile.Health{Alive: true}
	case "expel": // expel ID [lose]: it answers nobody any more
		cmd := catalog.ExpelPeer{ID: id}
		if len(f) > 2 {
			for ref := range m.state.Shards() {
				cmd.Lose = append(cmd.Lose, catalog.Loss{Ref: ref})
			}
		}
		alive := func(id catalog.PeerID) bool { return m.obs.Peers[id].Alive }
		cmd, err := catalog.PrepareExpel(m.state, cmd, catalog.Surroundings{Alive: alive, Usable: alive})
		if err != nil {
			m.t.Fatalf("expel: %v", err)
		}
		m.apply(catalog.Command{ExpelPeer: &cmd})
		m.obs.Peers[id] = reconcile.Health{}
	case "draining":
		m.obs.Peers[id] = reconcile.Health{Alive: true, AliveFor: time.Hour, Draining: true}
	case "disk": // disk ID FREE TOTAL
		h := m.obs.Peers[id]
		h.DiskFree, h.DiskTotal = n[1]<<20, n[2]<<20
		m.obs.Peers[id] = h
	case "bytes": // bytes C/S MIB
		m.obs.Bytes[ref] = n[1] << 20
	case "light": // light: every shard is small
		for ref := range m.state.Shards() {
			m.obs.Bytes[ref] = 1
		}
	case "declare": // declare ID STATE
		state := catalog.PeerState(strings.TrimSuffix(f[2], "in-service"))
		m.apply(catalog.Command{UpdatePeer: &catalog.UpdatePeer{ID: id, State: &state}})
	case "pause", "resume":
		paused := f[0] == "pause"
		m.apply(catalog.Command{UpdateSettings: &catalog.Settings{Paused: &paused}})
	case "balance": // balance yes|no
		on := f[1] == "yes"
		m.apply(catalog.Command{UpdateSettings: &catalog.Settings{Balance: &on}})
	case "after": // after SECONDS
		m.apply(catalog.Command{UpdateSettings: &catalog.Settings{ReplicaReplaceAfterSeconds: &n[0]}})
	case "transfers": // transfers PER-PEER PER-CLUSTER
		peer, cluster := uint32(n[0]), uint32(n[1])
		m.apply(catalog.Command{UpdateSettings: &catalog.Settings{TransfersPerPeer: &peer, TransfersPerCluster: &cluster}})
	case "place": // place C/S FROM TO
		_, sh, _ := m.state.Shard(ref)
		m.apply(catalog.Command{PlaceShard: &catalog.PlaceShard{Ref: ref, Version: sh.Version, From: catalog.PeerID(n[1]), To: catalog.PeerID(n[2])}})
	case "key": // key NAME NUMBER SHARDS [PEER]
		var peers []catalog.PeerID
		for _, word := range f[4:] {
			var id catalog.PeerID
			fmt.Sscan(word, &id)
			peers = append(peers, id)
		}
		m.key(f[1], point.ShardKey{Number: n[1]}, uint32(n[2]), peers...)
	case "rekey": // rekey NAME NUMBER REPLICAS|- [PEER|all]
		var replicas *uint32
		var peers *[]catalog.PeerID
		if f[3] != "-" {
			few := uint32(n[2])
			replicas = &few
		}
		if len(f) > 4 {
			peers = &[]catalog.PeerID{}
		}
		for _, word := range f[4:] {
			var id catalog.PeerID
			if word != "all" {
				fmt.Sscan(word, &id)
				*peers = append(*peers, id)
			}
		}
		if !m.rekey(f[1], point.ShardKey{Number: n[1]}, replicas, peers) {
			m.t.Fatalf("%v was refused", f)
		}
	case "rebalance":
		m.apply(catalog.Command{Rebalance: &catalog.RebalancePeers{}})
	case "cancel": // cancel OPERATION
		m.apply(catalog.Command{CancelOperation: &catalog.CancelOperation{ID: catalog.OperationID(n[0])}})
	case "delete":
		m.apply(catalog.Command{DeleteCollection: &f[1]})
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
		if rapid.Bool().Draw(t, "resharded") {
			m.reshard("c0", rapid.Uint32Range(1, 6).Draw(t, "number"), nil)
		}
		genDeclared(t, m)
		for range rapid.IntRange(0, 3).Draw(t, "about keys") {
			genKey(t, m)
		}
	}
	genHealth(t, m)
	return m
}

// genDeclared changes what is declared, as people do, whether the cluster takes it or not.
func genDeclared(t *rapid.T, m *model) {
	peer := func() catalog.PeerID { return catalog.PeerID(rapid.IntRange(0, len(m.obs.Peers)).Draw(t, "peer")) }
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		var cmd catalog.Command
		switch rapid.IntRange(0, 7).Draw(t, "change") {
		case 0, 1:
			state := rapid.SampledFrom([]catalog.PeerState{catalog.InService, catalog.Draining, catalog.Maintenance}).Draw(t, "state")
			zone := rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, "zone")
			cmd.UpdatePeer = &catalog.UpdatePeer{ID: peer(), State: &state, Zone: &zone}
		case 2, 3:
			place := &catalog.PlaceShard{Ref: catalog.ShardRef{Collection: 1}, From: peer(), To: peer()}
			if _, sh, ok := m.state.Shard(place.Ref); ok {
				place.Version = sh.Version
			}
			cmd.PlaceShard = place
		case 4:
			cmd.Rebalance = &catalog.RebalancePeers{}
		case 5:
			cmd.CancelOperation = &catalog.CancelOperation{ID: catalog.OperationID(rapid.IntRange(1, 5).Draw(t, "operation"))}
		default:
			after, on := rapid.SampledFrom([]uint64{0, 60, 600}).Draw(t, "after"), rapid.IntRange(0, 3).Draw(t, "balance") > 0
			few := rapid.Uint32Range(1, 3).Draw(t, "transfers")
			cmd.UpdateSettings = &catalog.Settings{ReplicaReplaceAfterSeconds: &after, Balance: &on, TransfersPerPeer: &few, TransfersPerCluster: &few}
		}
		if next, r := catalog.Apply(m.state, cmd); r.Err == nil {
			m.state = next
		}
	}
	for ref := range m.state.Shards() {
		if rapid.Bool().Draw(t, "sized") {
			m.obs.Bytes[ref] = uint64(rapid.IntRange(0, 2000).Draw(t, "size")) << 20
		}
	}
}

func genKey(t *rapid.T, m *model) {
	if rapid.Bool().Draw(t, "cut") {
		m.reshard("keyed", rapid.Uint32Range(1, 5).Draw(t, "number"), &point.ShardKey{Number: rapid.Uint64Range(0, 2).Draw(t, "key")})
		return
	}
	var peers []catalog.PeerID
	for _, p := range m.state.SortedPeers() {
		if !p.Replaced && rapid.IntRange(0, 2).Draw(t, "allowed") == 0 {
			peers = append(peers, p.ID)
		}
	}
	slices.Sort(peers)
	key := point.ShardKey{Number: rapid.Uint64Range(0, 2).Draw(t, "key")}
	if rapid.Bool().Draw(t, "changed") {
		replicas := rapid.SampledFrom([]*uint32{nil, new(uint32(0)), new(uint32(1)), new(uint32(2)), new(uint32(3))}).Draw(t, "copies")
		m.rekey("keyed", key, replicas, &peers)
		return
	}
	m.key("keyed", key, rapid.Uint32Range(0, 3).Draw(t, "shards"), peers...)
}

func genHealth(t *rapid.T, m *model) {
	for _, p := range m.state.SortedPeers() {
		switch rapid.IntRange(0, 5).Draw(t, "health") {
		case 0:
			dead := rapid.SampledFrom([]time.Duration{0, time.Second, 2 * time.Second, time.Minute, time.Hour}).Draw(t, "dead")
			m.obs.Peers[p.ID] = reconcile.Health{DeadFor: dead}
		case 1:
			m.obs.Peers[p.ID] = reconcile.Health{Alive: true, AliveFor: time.Minute, Draining: true}
		default:
			m.obs.Peers[p.ID] = reconcile.Health{Alive: true, AliveFor: time.Duration(rapid.IntRange(0, 1).Draw(t, "alive")) * time.Minute}
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
		for id, h := range m.obs.Peers { // it stays so
			h.AliveFor, h.DeadFor = h.AliveFor+time.Hour, h.DeadFor+time.Hour
			m.obs.Peers[id] = h
		}
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

// fill counts a copy that is to be filled on a peer; light ones have a bound of their own.
func (m *model) fill(t *rapid.T, fills map[catalog.PeerID]int, to catalog.PeerID) {
	if fills[to]++; fills[to] > m.state.Settings.PerPeer()+32 {
		t.Fatalf("peer %d fills %d replicas at once", to, fills[to])
	}
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
					m.fill(t, fills, *to)
				}
				if to := step.Change.ChangeShard.Replace; to != nil {
					m.fill(t, fills, to.Peer)
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

func TestWhatIsForeseenComesToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genModel(t)
		before := m.state.Describe()
		f := reconcile.Foresee(m.state, m.obs, 0)
		if !f.Rest {
			t.Fatalf("no end is seen:\n%s", f.State.Describe())
		}
		if m.state.Describe() != before {
			t.Fatalf("the present has changed")
		}
		if err := f.State.Check(); err != nil {
			t.Fatalf("%v", err)
		}
		only := reconcile.Foresee(m.state, m.obs, 1)
		for _, step := range only.Steps {
			if ref, ok := step.Shard(); ok && ref.Collection != 1 {
				t.Fatalf("only collection 1 was asked about: %s", step)
			}
		}
		if !only.Rest {
			t.Fatalf("no end is seen of collection 1:\n%s", only.State.Describe())
		}
	})
}
