package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// keyOf reads a key: digits are a number.
func keyOf(text string) (key point.ShardKey) {
	if _, err := fmt.Sscanf(text, "%d", &key.Number); err != nil {
		key.Keyword = text
	}
	return key
}

// keys is "key COLLECTION KEY [shards=] [replicas=] [on=1,2] [placed=1/2,...]", "rekey COLLECTION KEY [replicas=] [on=1,2|all]" or
// "unkey COLLECTION KEY".
func (w *world) keys(verb string, plain []string, args map[string]string) string {
	id, key := w.state.Names[plain[0]], keyOf(plain[1])
	if verb == "unkey" {
		return w.apply(catalog.Command{DeleteShardKey: &catalog.DeleteShardKey{Collection: id, Key: key}})
	}
	if verb == "rekey" {
		cmd := &catalog.UpdateShardKey{Collection: id, Key: key}
		if text, ok := args["replicas"]; ok {
			cmd.ReplicationFactor = new(number[uint32](text))
		}
		if text, ok := args["on"]; ok {
			cmd.Peers = new(peerList(strings.TrimPrefix(text, "all"), ","))
		}
		return w.apply(catalog.Command{UpdateShardKey: cmd})
	}
	cmd := &catalog.CreateShardKey{Collection: id, ShardKey: catalog.ShardKey{
		Key: key, ShardNumber: number[uint32](args["shards"]), ReplicationFactor: number[uint32](args["replicas"]), Peers: peerList(args["on"], ","),
	}}
	if placed := args["placed"]; placed != "" {
		for _, shard := range strings.Split(placed, ",") {
			cmd.Placement = append(cmd.Placement, peerList(shard, "/"))
		}
	}
	return w.apply(catalog.Command{CreateShardKey: cmd})
}

func peerList(text, sep string) (ids []catalog.PeerID) {
	for word := range strings.SplitSeq(text, sep) {
		if word != "" {
			ids = append(ids, number[catalog.PeerID](word))
		}
	}
	return ids
}

// rekeyCommands change keys in every way.
func rekeyCommands() []catalog.Command {
	word, zero, two := point.ShardKey{Keyword: "é<&>"}, uint32(0), uint32(2)
	return []catalog.Command{
		{UpdateShardKey: &catalog.UpdateShardKey{Collection: 2, Key: word, ReplicationFactor: &zero, Peers: &[]catalog.PeerID{}}},
		{UpdateShardKey: &catalog.UpdateShardKey{Collection: 2, Key: word, ReplicationFactor: &two}},
		{UpdateShardKey: &catalog.UpdateShardKey{Collection: 2, Key: point.ShardKey{}, Peers: &[]catalog.PeerID{1, 2}}},
	}
}

// What is declared decodes to what it was: as it is, the collection's and all peers are three different things.
func TestChangesOfKeysDecodeToTheSame(t *testing.T) {
	cmds, err := catalog.DecodeCommands(catalog.EncodeCommands(rekeyCommands()))
	if err != nil {
		t.Fatal(err)
	}
	got, results := catalog.ApplyAll(keyState(t), cmds)
	want, _ := catalog.ApplyAll(keyState(t), rekeyCommands())
	for i, r := range results {
		if r.Err != nil || r.Collection != 2 {
			t.Errorf("command %d: %v of collection %d", i, r.Err, r.Collection)
		}
	}
	k, _ := got.Collections[2].ShardKey(point.ShardKey{Keyword: "é<&>"})
	if got.Describe() != want.Describe() || k.ReplicationFactor != 2 || k.Peers != nil || k.ShardNumber != 2 {
		t.Errorf("%s\nnot\n%s", got.Describe(), want.Describe())
	}
}

// keyCommands set every field of what shard keys are made of.
func keyCommands(t *testing.T) []catalog.Command {
	t.Helper()
	config := catalog.DefaultConfig()
	config.Sharding = catalog.CustomSharding
	config, err := config.Normalized(3)
	if err != nil {
		t.Fatal(err)
	}
	create := func(key catalog.ShardKey, placement ...[]catalog.PeerID) catalog.Command {
		return catalog.Command{CreateShardKey: &catalog.CreateShardKey{Collection: 2, ShardKey: key, Placement: placement}}
	}
	return []catalog.Command{
		{CreateCollection: &catalog.CreateCollection{Name: "tenants", Config: config}},
		create(catalog.ShardKey{Key: point.ShardKey{Keyword: "é<&>"}, ShardNumber: 2, ReplicationFactor: 2, Peers: []catalog.PeerID{1, 2}}, []catalog.PeerID{1, 2}, []catalog.PeerID{2}),
		create(catalog.ShardKey{Key: point.ShardKey{Number: 1<<64 - 1}, ShardNumber: 1}, []catalog.PeerID{1}),
		create(catalog.ShardKey{Key: point.ShardKey{}, ShardNumber: 1}, []catalog.PeerID{2}),
		create(catalog.ShardKey{Key: point.ShardKey{Keyword: "gone"}, ShardNumber: 1}, []catalog.PeerID{2}),
		{DeleteShardKey: &catalog.DeleteShardKey{Collection: 2, Key: point.ShardKey{Keyword: "gone"}}},
	}
}

func keyState(t *testing.T) *catalog.State {
	t.Helper()
	s, results := catalog.ApplyAll(richState(t), keyCommands(t))
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("command %d: %v", i, r.Err)
		}
	}
	return s
}

func TestShardKeysDecodeToTheSame(t *testing.T) {
	want := keyState(t)
	cmds, err := catalog.DecodeCommands(catalog.EncodeCommands(keyCommands(t)))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := catalog.ApplyAll(richState(t), cmds)
	decoded, err := catalog.DecodeState(catalog.EncodeState(got))
	if err != nil || decoded.Describe() != want.Describe() {
		t.Fatalf("%v\n%s\nnot\n%s", err, decoded.Describe(), want.Describe())
	}
}

func TestAKeysShardsOwnAllSlots(t *testing.T) {
	c := keyState(t).Collections[2]
	for _, k := range c.Keys {
		part, err := c.Within(k.Key)
		if err != nil || len(part.Shards) != int(k.ShardNumber) || part.Epoch != c.Epoch {
			t.Fatalf("%s: %d shards: %v", k.Key, len(part.Shards), err)
		}
		var all slot.Set
		for _, sh := range part.Shards {
			all = all.Or(sh.Owned())
		}
		if all.Len() != slot.Count {
			t.Errorf("%s owns %d slots", k.Key, all.Len())
		}
	}
	if last := c.Shards[len(c.Shards)-1]; last.ID != 3 || c.NextShard != 5 {
		t.Errorf("the last shard is %d, the next %d", last.ID, c.NextShard)
	}
	_, err := c.Within(point.ShardKey{Keyword: "7"})
	if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), `it has 0, 18446744073709551615, "é<&>"`) {
		t.Errorf("%v", err)
	}
}

func TestAnErrorListsOnlySomeKeys(t *testing.T) {
	c := &catalog.Collection{Name: "c"}
	for i := range 40 {
		c.Keys = append(c.Keys, &catalog.ShardKey{Key: point.ShardKey{Number: uint64(i)}})
	}
	if _, err := c.Within(point.ShardKey{Number: 99}); err == nil || len(err.Error()) > 200 || !strings.HasSuffix(err.Error(), "15, ...") {
		t.Errorf("%v", err)
	}
}

// A state in which a shard's key is not declared, or in which a key's slots have no owner, is not taken.
func TestStatesWithWrongKeysAreRefused(t *testing.T) {
	word := point.ShardKey{Keyword: "x"}
	for name, change := range map[string]func(*catalog.Collection){
		"no key":       func(c *catalog.Collection) { sh := *c.Shards[0]; sh.Key = nil; c.Shards[0] = &sh },
		"another key":  func(c *catalog.Collection) { sh := *c.Shards[0]; sh.Key = &word; c.Shards[0] = &sh },
		"not custom":   func(c *catalog.Collection) { c.Config.Sharding = catalog.AutoSharding },
		"no shards":    func(c *catalog.Collection) { c.Shards = c.Shards[:2] },
		"out of order": func(c *catalog.Collection) { c.Keys[0], c.Keys[1] = c.Keys[1], c.Keys[0] },
		"twice":        func(c *catalog.Collection) { c.Keys = append(c.Keys, c.Keys[2]) },
		"word and digit": func(c *catalog.Collection) {
			k := *c.Keys[2]
			k.Key.Number = 3
			c.Keys[2] = &k
		},
		"no number": func(c *catalog.Collection) { k := *c.Keys[2]; k.ShardNumber = 0; c.Keys[2] = &k },
		"a move of two keys": func(c *catalog.Collection) {
			c.Moves = []*catalog.Move{{ID: 1, Version: 1, Phase: catalog.Copying, Source: 2, Target: 3, Slots: []slot.Range{{From: 1, To: 2}}}}
		},
	} {
		s := *keyState(t)
		s.NextMove = 1
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		change(s.Collections[2])
		if err := s.Check(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// genKeys draws a command about shard keys, most of them with a chance to succeed.
func genKeys(t *rapid.T, s *catalog.State, name string) catalog.Command {
	key := rapid.SampledFrom([]point.ShardKey{{}, {Number: 1}, {Keyword: "k"}, {Keyword: "l"}}).Draw(t, "key")
	switch rapid.IntRange(0, 8).Draw(t, "about keys") {
	case 7, 8:
		return genFill(t, s, name, key)
	case 5, 6:
		change := &catalog.UpdateShardKey{Collection: s.Names[name], Key: key}
		change.ReplicationFactor = rapid.SampledFrom([]*uint32{nil, new(uint32(0)), new(uint32(1)), new(uint32(3))}).Draw(t, "copies")
		change.Peers = rapid.SampledFrom([]*[]catalog.PeerID{nil, {}, {2}, {1, 2, 3}}).Draw(t, "on")
		return catalog.Command{UpdateShardKey: change}
	case 0:
		return catalog.Command{DeleteShardKey: &catalog.DeleteShardKey{Collection: s.Names[name], Key: key}}
	case 1:
		config, _ := catalog.Config{Sharding: catalog.CustomSharding, ReplicationFactor: 2}.Normalized(1)
		return catalog.Command{CreateCollection: &catalog.CreateCollection{Name: name, Config: config}}
	}
	create := &catalog.CreateShardKey{Collection: s.Names[name], ShardKey: catalog.ShardKey{
		Key: key, ShardNumber: rapid.Uint32Range(0, 3).Draw(t, "shards"), ReplicationFactor: rapid.Uint32Range(0, 3).Draw(t, "replicas"),
	}}
	create.Partial = rapid.Bool().Draw(t, "partial")
	if rapid.Bool().Draw(t, "somewhere") {
		create.Peers = []catalog.PeerID{1, 2}
	}
	cmd, err := catalog.Prepare(s, catalog.Command{CreateShardKey: create}, everyone)
	if err != nil {
		return catalog.Command{CreateShardKey: create}
	}
	return cmd
}
