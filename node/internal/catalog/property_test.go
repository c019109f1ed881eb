package catalog_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// genPeers registers up to max peers in up to zones zones.
func genPeers(t *rapid.T, max, zones int) *catalog.State {
	s := catalog.Empty()
	for i := range rapid.IntRange(1, max).Draw(t, "peers") {
		zone := fmt.Sprint("z", rapid.IntRange(1, zones).Draw(t, "zone"))
		p := &catalog.Peer{ID: catalog.PeerID(i + 1), Name: fmt.Sprint("n", i), PeerAddr: "h:1", Zone: zone}
		s = must(t, s, catalog.Command{RegisterPeer: p})
	}
	return s
}

func must(t *rapid.T, s *catalog.State, cmd catalog.Command) *catalog.State {
	next, r := catalog.Apply(s, cmd)
	if r.Err != nil {
		t.Fatalf("%v", r.Err)
	}
	return next
}

func everyone(catalog.PeerID) bool { return true }

func create(t *rapid.T, s *catalog.State, name string, shards, replicas uint32) *catalog.State {
	cmd, err := catalog.Prepare(s, catalog.Command{CreateCollection: &catalog.CreateCollection{
		Name: name, Config: catalog.Config{ShardNumber: shards, ReplicationFactor: replicas},
	}}, everyone)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return must(t, s, cmd)
}

func TestPlacementSpreadsReplicasOverPeersAndZones(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zones := rapid.IntRange(1, 4).Draw(t, "zones")
		s := genPeers(t, 7, zones)
		used := map[string]bool{}
		for _, p := range s.Peers {
			used[p.Zone] = true
		}
		for i := range rapid.IntRange(1, 6).Draw(t, "collections") {
			s = create(t, s, fmt.Sprint("c", i), rapid.Uint32Range(1, 9).Draw(t, "shards"), rapid.Uint32Range(1, 5).Draw(t, "replicas"))
		}
		for ref, sh := range s.Shards() {
			c := s.Collections[ref.Collection]
			want := min(int(c.Config.ReplicationFactor), len(s.Peers))
			in := map[string]bool{}
			for _, r := range sh.Replicas {
				in[s.Peers[r.Peer].Zone] = true
			}
			if len(sh.Replicas) != want || len(in) != min(want, len(used)) {
				t.Fatalf("%s: %d replicas in %d zones, want %d in %d", ref, len(sh.Replicas), len(in), want, min(want, len(used)))
			}
		}
	})
}

func TestPlacementBalancesReplicasAndPrimaries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genPeers(t, 7, 1)
		factor := rapid.Uint32Range(1, 5).Draw(t, "replicas")
		for i := range rapid.IntRange(1, 6).Draw(t, "collections") {
			s = create(t, s, fmt.Sprint("c", i), rapid.Uint32Range(1, 9).Draw(t, "shards"), factor)
		}
		replicas, primaries := make([]int, len(s.Peers)), make([]int, len(s.Peers))
		for _, sh := range s.Shards() {
			primaries[sh.Primary-1]++
			for _, r := range sh.Replicas {
				replicas[r.Peer-1]++
			}
		}
		if slices.Max(replicas)-slices.Min(replicas) > 1 {
			t.Fatalf("replicas per peer: %v", replicas)
		}
		if slices.Max(primaries)-slices.Min(primaries) > 2 {
			t.Fatalf("primaries per peer: %v", primaries)
		}
	})
}

// genCommand draws any command, most of them with a chance to succeed.
func genCommand(t *rapid.T, s *catalog.State) catalog.Command {
	peer := catalog.PeerID(rapid.IntRange(1, 6).Draw(t, "peer"))
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
	switch rapid.IntRange(0, 19).Draw(t, "kind") {
	case 16:
		cmd := catalog.ExpelPeer{ID: peer}
		for ref := range s.Shards() {
			cmd.Lose = append(cmd.Lose, catalog.Loss{Ref: ref})
		}
		if prepared, err := catalog.PrepareExpel(s, cmd, catalog.Surroundings{Alive: everyone, Usable: everyone}); err == nil {
			cmd = prepared
		}
		return catalog.Command{ExpelPeer: &cmd}
	case 17, 18, 19:
		return genKeys(t, s, name)
	case 14:
		return catalog.Command{CreateFieldIndex: &catalog.CreateFieldIndex{
			Name: name, ID: s.Names[name], Field: rapid.SampledFrom([]string{"f", "g"}).Draw(t, "field"),
			Index: catalog.FieldIndex{Type: rapid.SampledFrom([]catalog.FieldType{catalog.KeywordField, catalog.TextField, "odd"}).Draw(t, "type")},
		}}
	case 15:
		return catalog.Command{DeleteFieldIndex: &catalog.DeleteFieldIndex{Name: name, ID: s.Names[name], Field: "f"}}
	case 0:
		return catalog.Command{RegisterPeer: &catalog.Peer{ID: peer, Name: fmt.Sprint("n", peer%4), PeerAddr: "h:1"}}
	case 1:
		return catalog.Command{RemovePeer: &peer}
	case 2:
		return catalog.Command{DeleteCollection: &name}
	case 3:
		alias := rapid.SampledFrom([]string{"x", "y", "a"}).Draw(t, "alias")
		return catalog.Command{ChangeAliases: []catalog.AliasAction{
			{Create: &struct{ Alias, Collection string }{alias, name}}, {Rename: &struct{ Old, New string }{"x", "z"}},
		}}
	case 4, 5:
		config, _ := catalog.Config{ShardNumber: rapid.Uint32Range(1, 3).Draw(t, "shards"), ReplicationFactor: 3}.Normalized(1)
		placement := catalog.Place(s, int(config.ShardNumber), 3, everyone)
		return catalog.Command{CreateCollection: &catalog.CreateCollection{Name: name, Config: config, Placement: placement}}
	}
	if cmd, ok := genDeclared(t, s, peer); ok {
		return cmd
	}
	return catalog.Command{ChangeShard: genShardChange(t, s, peer)}
}

// genDeclared draws a command that changes how the cluster keeps what is declared, or none.
func genDeclared(t *rapid.T, s *catalog.State, peer catalog.PeerID) (catalog.Command, bool) {
	id := catalog.OperationID(rapid.IntRange(1, 6).Draw(t, "operation"))
	switch rapid.IntRange(0, 11).Draw(t, "declared") {
	case 0:
		state := rapid.SampledFrom([]catalog.PeerState{catalog.InService, catalog.Draining, catalog.Maintenance}).Draw(t, "state")
		zone := rapid.SampledFrom([]string{"", "x"}).Draw(t, "zone")
		return catalog.Command{UpdatePeer: &catalog.UpdatePeer{ID: peer, State: &state, Zone: &zone}}, true
	case 1:
		return catalog.Command{Rebalance: &catalog.RebalancePeers{}}, true
	case 2:
		return catalog.Command{CancelOperation: &catalog.CancelOperation{ID: id}}, true
	case 3:
		return catalog.Command{EndOperation: &catalog.EndOperation{ID: id, State: catalog.Done}}, true
	case 4, 5, 6:
		place := &catalog.PlaceShard{Ref: catalog.ShardRef{Collection: catalog.CollectionID(rapid.IntRange(1, 4).Draw(t, "id"))}}
		if _, sh, ok := s.Shard(place.Ref); ok {
			place.Version = sh.Version
		}
		place.From, place.To = catalog.PeerID(rapid.IntRange(0, 6).Draw(t, "from")), catalog.PeerID(rapid.IntRange(0, 6).Draw(t, "to"))
		return catalog.Command{PlaceShard: place}, true
	case 7, 8, 9:
		return genSlots(t, s)
	}
	return catalog.Command{}, false
}

func genShardChange(t *rapid.T, s *catalog.State, peer catalog.PeerID) *catalog.ChangeShard {
	cmd := &catalog.ChangeShard{Ref: catalog.ShardRef{Collection: catalog.CollectionID(rapid.IntRange(1, 4).Draw(t, "id"))}}
	term := uint64(1)
	if _, sh, ok := s.Shard(cmd.Ref); ok {
		cmd.Version, term = sh.Version, sh.Term+rapid.Uint64Range(0, 2).Draw(t, "term")
	}
	switch rapid.IntRange(0, 10).Draw(t, "change") {
	case 0:
		cmd.Demote = &peer
	case 1:
		cmd.Receive = &peer
	case 2:
		cmd.Activate = &peer
	case 3:
		cmd.AddReplica = &peer
	case 4:
		cmd.DropReplica = &peer
	case 5:
		cmd.Retire = &peer
	case 6:
		cmd.Rebuild = &peer
	case 7:
		on := rapid.Bool().Draw(t, "handover")
		cmd.Handover = &on
	case 8, 9:
		of := catalog.PeerID(rapid.IntRange(1, 6).Draw(t, "of"))
		cmd.Replace = &catalog.Replace{Peer: peer, Of: of, Reason: catalog.ForDrain}
	default:
		cmd.Promote = &catalog.Promote{Term: term, Candidate: peer}
	}
	return cmd
}

func TestApplyKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type moment struct {
			state   *catalog.State
			encoded []byte
		}
		s := genPeers(t, 4, 2)
		var past []moment
		var log []catalog.Command
		start := s
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			past = append(past, moment{s, catalog.EncodeState(s)})
			cmd := genCommand(t, s)
			log = append(log, cmd)
			next, r := catalog.Apply(s, cmd)
			if r.Err != nil && next != s {
				t.Fatalf("refused (%v), but the state is another", r.Err)
			}
			if err := next.Check(); err != nil {
				t.Fatalf("%v\n%s", err, next.Describe())
			}
			checkStep(t, s, next)
			checkActivation(t, s, next)
			s = next
		}
		for i, m := range past {
			if !bytes.Equal(catalog.EncodeState(m.state), m.encoded) {
				t.Fatalf("the state before command %d changed afterwards", i)
			}
		}
		replayed, _ := catalog.ApplyAll(start, log)
		if !bytes.Equal(catalog.EncodeState(replayed), catalog.EncodeState(s)) {
			t.Fatalf("all at once:\n%s\none by one:\n%s", replayed.Describe(), s.Describe())
		}
		decoded, err := catalog.DecodeState(catalog.EncodeState(s))
		if err != nil || decoded.Describe() != s.Describe() {
			t.Fatalf("decoded: %v\n%v", err, decoded)
		}
	})
}

// checkStep checks what no command may do to a shard that lives on.
func checkStep(t *rapid.T, before, after *catalog.State) {
	for ref, old := range before.Shards() {
		_, sh, ok := after.Shard(ref)
		if !ok || sh == old {
			continue
		}
		if sh.Version != old.Version+1 || sh.Term < old.Term || sh.Primary != old.Primary && sh.Term == old.Term {
			t.Fatalf("%s became %s", old, sh)
		}
		if _, kept := sh.Replica(old.Primary); (!kept || len(sh.Active()) == 0) && !begunAnew(after, old, sh) {
			t.Fatalf("%s lost its primary or last active copy: %s", old, sh)
		}
	}
}

// begunAnew reports whether all that served of a shard was on peers that are gone for good, and the shard says that it is lost.
func begunAnew(after *catalog.State, old, sh *catalog.Shard) bool {
	for _, r := range old.Active() {
		if !after.Peers[r].Gone() {
			return false
		}
	}
	return sh.Term > old.Term && sh.UnsafePromotions == old.UnsafePromotions+1 && len(sh.Active()) > 0
}

func TestEverySlotFindsItsShard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := create(t, genPeers(t, 3, 1), "c", rapid.Uint32Range(1, catalog.MaxShards).Draw(t, "shards"), 1)
		c, _ := s.Lookup("c")
		at := slot.Slot(rapid.IntRange(0, slot.Count-1).Draw(t, "slot"))
		sh := c.ShardOf(at)
		if sh == nil || !sh.Slots[0].Contains(at) {
			t.Fatalf("slot %d: %v", at, sh)
		}
	})
}

// TestOneCommandCopiesOnlyWhatItTouches counts what is shared between a state and the next: a thousand collections
// must not be copied for a change of one shard.
func TestOneCommandCopiesOnlyWhatItTouches(t *testing.T) {
	s := catalog.Empty()
	s, _ = catalog.Apply(s, catalog.Command{RegisterPeer: &catalog.Peer{ID: 1, Name: "a", PeerAddr: "h:1"}})
	var cmds []catalog.Command
	for i := range 1000 {
		cmd, err := catalog.Prepare(s, catalog.Command{CreateCollection: &catalog.CreateCollection{
			Name: fmt.Sprint("c", i), Config: catalog.Config{ShardNumber: 2},
		}}, everyone)
		if err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	s, _ = catalog.ApplyAll(s, cmds)
	next, r := catalog.Apply(s, catalog.Command{ChangeShard: &catalog.ChangeShard{
		Ref: catalog.ShardRef{Collection: 7, Shard: 1}, Version: 1, Promote: &catalog.Promote{Term: 2, Candidate: 1},
	}})
	if r.Err != nil || r.ShardVersion != 2 {
		t.Fatalf("%+v", r)
	}
	for id, c := range next.Collections {
		old := s.Collections[id]
		if id != 7 && c != old || id == 7 && (c == old || c.Shards[0] != old.Shards[0] || c.Shards[1] == old.Shards[1]) {
			t.Fatalf("collection %d: copied too much or too little", id)
		}
	}
}
