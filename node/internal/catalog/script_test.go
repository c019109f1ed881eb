package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// world is the state that a script works on. Every step checks that the state before it did not change.
type world struct {
	t     *testing.T
	state *catalog.State
	dead  map[catalog.PeerID]bool

	voters []catalog.PeerID
}

func (w *world) alive(id catalog.PeerID) bool { return !w.dead[id] }

func (w *world) apply(cmd catalog.Command) string {
	w.t.Helper()
	prepared, err := w.prepare(cmd)
	if err != nil {
		return fmt.Sprintf("%s: %v\n", fault.ClassOf(err), err)
	}
	old, before := w.state, w.state.Describe()
	next, result := catalog.Apply(old, prepared)
	if old.Describe() != before {
		w.t.Fatalf("the old state changed:\n%s\nwas\n%s", old.Describe(), before)
	}
	if err := next.Check(); err != nil {
		w.t.Fatalf("%v:\n%s", err, next.Describe())
	}
	if result.Err != nil {
		if next != old {
			w.t.Fatal("a refused command made a new state")
		}
		return fmt.Sprintf("%s: %v\n", fault.ClassOf(result.Err), result.Err)
	}
	w.state = next
	return "ok\n"
}

func (w *world) prepare(cmd catalog.Command) (catalog.Command, error) {
	if cmd.ExpelPeer == nil {
		return catalog.Prepare(w.state, cmd, w.alive)
	}
	expel, err := catalog.PrepareExpel(w.state, *cmd.ExpelPeer, catalog.Surroundings{Alive: w.alive, Usable: w.alive, Voters: w.voters})
	return catalog.Command{ExpelPeer: &expel}, err
}

func TestScripts(t *testing.T) {
	for _, script := range []string{"collections", "aliases", "fields", "shards", "peers", "placement", "declared", "replacing", "unpinning", "resharding", "removing", "keys", "rekeying", "cutting"} {
		t.Run(script, func(t *testing.T) {
			w := &world{t: t, state: catalog.Empty(), dead: map[catalog.PeerID]bool{}}
			datadriven.RunTest(t, "testdata/"+script, func(t *testing.T, d *datadriven.TestData) string {
				w.t = t
				return w.run(d)
			})
		})
	}
}

func (w *world) run(d *datadriven.TestData) string {
	switch d.Cmd {
	case "describe":
		return w.state.Describe()
	case "alive":
		for _, arg := range d.CmdArgs {
			delete(w.dead, number[catalog.PeerID](arg.Key))
		}
		return "ok\n"
	case "voters":
		w.voters = nil
		for _, arg := range d.CmdArgs {
			w.voters = append(w.voters, number[catalog.PeerID](arg.Key))
		}
		return "ok\n"
	case "dead":
		for _, arg := range d.CmdArgs {
			var id catalog.PeerID
			fmt.Sscan(arg.Key, &id)
			w.dead[id] = true
		}
		return "ok\n"
	case "do":
		var out strings.Builder
		for line := range strings.Lines(d.Input) {
			out.WriteString(w.line(strings.TrimSpace(line)))
		}
		return out.String()
	}
	w.t.Fatalf("unknown directive %s", d.Cmd)
	return ""
}

// line runs one command: a verb, a name, and key=value pairs.
func (w *world) line(line string) string {
	fields := strings.Fields(line)
	verb, args := fields[0], map[string]string{}
	var plain []string
	for _, f := range fields[1:] {
		if key, value, ok := strings.Cut(f, "="); ok {
			args[key] = value
			continue
		}
		plain = append(plain, f)
	}
	switch verb {
	case "found":
		return w.apply(catalog.Command{Found: &catalog.Found{ClusterID: plain[0]}})
	case "peer":
		p := &catalog.Peer{ID: number[catalog.PeerID](plain[0]), Name: plain[1], PeerAddr: "h" + plain[0] + ":6335", Zone: args["zone"]}
		return w.apply(catalog.Command{RegisterPeer: p})
	case "expel":
		cmd := &catalog.ExpelPeer{ID: number[catalog.PeerID](plain[0]), At: 7}
		for _, shard := range plain[1:] {
			var ref catalog.ShardRef
			fmt.Sscanf(shard, "%d/%d", &ref.Collection, &ref.Shard)
			cmd.Lose = append(cmd.Lose, catalog.Loss{Ref: ref})
		}
		return w.apply(catalog.Command{ExpelPeer: cmd})
	case "remove-peer":
		id := number[catalog.PeerID](plain[0])
		return w.apply(catalog.Command{RemovePeer: &id})
	case "create":
		config := configOf(args, catalog.Config{Vectors: map[string]catalog.VectorParams{"": {Size: 4, Distance: vec.Cosine}}})
		return w.apply(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: plain[0], Config: config}})
	case "update":
		return w.update(plain[0], args)
	case "declare", "settings", "place", "rebalance", "end", "cancel":
		return w.declare(verb, plain, args)
	case "delete":
		return w.apply(catalog.Command{DeleteCollection: &plain[0]})
	case "alias":
		return w.apply(catalog.Command{ChangeAliases: aliasActions(plain)})
	case "index", "unindex":
		return w.field(verb, plain, args)
	case "shard":
		return w.shard(plain, args)
	case "key", "rekey", "unkey":
		return w.keys(verb, plain, args)
	case "reshard", "move", "drop-shard", "follow":
		return w.slots(verb, plain, args)
	}
	w.t.Fatalf("unknown verb %s", verb)
	return ""
}

// field declares or drops a payload index: name, field, type, and JSON parameters.
func (w *world) field(verb string, plain []string, args map[string]string) string {
	id := w.state.Names[plain[0]]
	if args["id"] != "" {
		id = number[catalog.CollectionID](args["id"])
	}
	if verb == "unindex" {
		return w.apply(catalog.Command{DeleteFieldIndex: &catalog.DeleteFieldIndex{Name: plain[0], ID: id, Field: plain[1]}})
	}
	index := catalog.FieldIndex{Type: catalog.FieldType(plain[2])}
	if text := args["params"]; text != "" {
		if err := json.Unmarshal([]byte(text), &index.Params); err != nil {
			w.t.Fatal(err)
		}
	}
	before := w.state
	out := w.apply(catalog.Command{CreateFieldIndex: &catalog.CreateFieldIndex{Name: plain[0], ID: id, Field: plain[1], Index: index}})
	if c, ok := before.Lookup(plain[0]); ok && out == "ok\n" && before.Collections[c.ID] == w.state.Collections[c.ID] {
		return "ok, as it was\n"
	}
	return out
}

func number[T ~uint64 | ~uint32](s string) (n T) {
	fmt.Sscan(s, &n)
	return n
}

func configOf(args map[string]string, c catalog.Config) catalog.Config {
	for key, value := range args {
		n := number[uint32](value)
		switch key {
		case "sharding":
			c.Sharding = catalog.Sharding(strings.TrimSuffix(value, "auto"))
		case "shards":
			c.ShardNumber = n
		case "replicas":
			c.ReplicationFactor = n
		case "consistency":
			c.WriteConsistencyFactor = n
		case "m":
			c.HNSW.M = uint64(n)
		case "wal":
			c.WAL.CapacityMB = uint64(n)
		case "size":
			c.Vectors = map[string]catalog.VectorParams{"": {Size: uint64(n), Distance: vec.Cosine}}
		case "distance":
			d, _ := vec.ParseDistance(value)
			c.Vectors = map[string]catalog.VectorParams{"": {Size: 4, Distance: d}}
		case "vector":
			c.Vectors = map[string]catalog.VectorParams{"": {Size: 4, Distance: vec.Cosine}, value: {Size: 2, Distance: vec.Euclid}}
		case "ondisk":
			yes := true
			c.Vectors = map[string]catalog.VectorParams{"": {Size: 4, Distance: vec.Cosine, OnDisk: &yes}}
		case "multi":
			c.Vectors = map[string]catalog.VectorParams{"": {Size: 4, Distance: vec.Cosine, Multi: true}}
		case "datatype":
			c.Vectors = map[string]catalog.VectorParams{"": {Size: 4, Distance: vec.Cosine, Datatype: vec.Datatype(value)}}
		case "sparse":
			c.SparseVectors = map[string]catalog.SparseParams{value: {}}
		case "idf":
			c.SparseVectors = map[string]catalog.SparseParams{value: {IDF: true}}
		case "nosparse":
			c.SparseVectors = nil
		case "novector":
			c.Vectors = nil
		}
	}
	return c
}

func (w *world) update(name string, args map[string]string) string {
	cmd := catalog.UpdateCollection{Name: name}
	if c, ok := w.state.Lookup(name); ok {
		cmd.ID, cmd.Base, cmd.Config = c.ID, c.Config, configOf(args, c.Config)
	}
	if id, ok := args["id"]; ok {
		cmd.ID = number[catalog.CollectionID](id)
	}
	if base, ok := args["base-replicas"]; ok {
		cmd.Base.ReplicationFactor = number[uint32](base)
	}
	return w.apply(catalog.Command{UpdateCollection: &cmd})
}

func aliasActions(words []string) []catalog.AliasAction {
	actions := []catalog.AliasAction{}
	for len(words) > 0 {
		var a catalog.AliasAction
		switch words[0] {
		case "create":
			a.Create = &struct{ Alias, Collection string }{words[1], words[2]}
			words = words[3:]
		case "rename":
			a.Rename = &struct{ Old, New string }{words[1], words[2]}
			words = words[3:]
		case "delete":
			a.Delete = &words[1]
			words = words[2:]
		default:
			words = words[1:] // an action of no kind
		}
		actions = append(actions, a)
	}
	return actions
}

// shard is "shard C/S verb [peer]"; the version is the current one unless version= says otherwise.
func (w *world) shard(plain []string, args map[string]string) string {
	var cmd catalog.ChangeShard
	fmt.Sscanf(plain[0], "%d/%d", &cmd.Ref.Collection, &cmd.Ref.Shard)
	if _, sh, ok := w.state.Shard(cmd.Ref); ok {
		cmd.Version = sh.Version
	}
	if v, ok := args["version"]; ok {
		cmd.Version = number[uint64](v)
	}
	var peer catalog.PeerID
	if len(plain) > 2 {
		peer = number[catalog.PeerID](plain[2])
	}
	switch plain[1] {
	case "demote":
		cmd.Demote = &peer
	case "receive":
		cmd.Receive = &peer
	case "activate":
		cmd.Activate = &peer
	case "add":
		cmd.AddReplica = &peer
	case "drop":
		cmd.DropReplica = &peer
	case "rebuild":
		cmd.Rebuild = &peer
	case "retire":
		cmd.Retire = &peer
	case "quorum":
		n := uint32(peer)
		cmd.SetWriteQuorum = &n
	case "replace":
		cmd.Replace = &catalog.Replace{Peer: peer, Of: number[catalog.PeerID](args["of"]), Reason: catalog.Reason(args["why"])}
	case "settle":
		cmd.Settle = &peer
	case "handover":
		on := args["off"] == ""
		cmd.Handover = &on
	case "promote":
		cmd.Promote = &catalog.Promote{Term: number[uint64](args["term"]), Candidate: peer, Unsafe: args["unsafe"] != ""}
	}
	out := w.apply(catalog.Command{ChangeShard: &cmd})
	if _, sh, ok := w.state.Shard(cmd.Ref); ok && out == "ok\n" {
		return sh.String() + "\n"
	}
	return out
}
