package catalog_test

import (
	"bytes"
	"errors"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// richConfig sets every field of a Config.
func richConfig(t *testing.T) catalog.Config {
	t.Helper()
	n, yes, delay, factor := uint64(3), true, 20*time.Millisecond, uint32(2)
	c := catalog.DefaultConfig()
	c.Vectors = map[string]catalog.VectorParams{
		"":      {Size: 768, Distance: vec.Cosine, OnDisk: &yes},
		"title": {Size: 4, Distance: vec.Euclid, HNSW: &catalog.HNSWDiff{M: &n, PayloadM: &n}},
	}
	c.ShardNumber, c.ReplicationFactor, c.WriteConsistencyFactor = 2, 2, 2
	c.ReadFanOutDelay, c.ReadFanOutFactor = &delay, &factor
	c.Optimizers.MemmapThreshold, c.Optimizers.PreventUnoptimized = &n, &yes
	c.Metadata = map[string]any{
		"whole": int64(1), "fraction": 1.0, "big": int64(1<<62 + 1), "tiny": 5e-324, "text": "é<&>", "none": nil,
		"list": []any{true, int64(-1), map[string]any{"deep": -0.5}}, "empty": map[string]any{},
	}
	c, err := c.Normalized(3)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func richCommands(t *testing.T) []catalog.Command {
	name, peer, w := "docs", catalog.PeerID(2), uint32(2)
	config := richConfig(t)
	ref := catalog.ShardRef{Collection: 1, Shard: 1}
	return []catalog.Command{
		{Found: &catalog.Found{ClusterID: "c1"}},
		{RegisterPeer: &catalog.Peer{ID: 1, Name: "a", PeerAddr: "a:6335", GRPCAddr: "a:6334", HTTPAddr: "a:6333", Zone: "z", Version: "1"}},
		{RegisterPeer: &catalog.Peer{ID: peer, Name: "b", PeerAddr: "b:6335"}},
		{CreateCollection: &catalog.CreateCollection{Name: name, Config: config, Placement: [][]catalog.PeerID{{1, 2}, {2, 1}}}},
		{UpdateCollection: &catalog.UpdateCollection{Name: name, ID: 1, Base: config, Config: config}},
		{ChangeAliases: []catalog.AliasAction{{Create: &struct{ Alias, Collection string }{"d", name}}}},
		{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: 1, Promote: &catalog.Promote{Term: 2, Candidate: 1, Unsafe: true}}},
		{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: 2, Demote: &peer}},
		{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: 3, SetWriteQuorum: &w}},
	}
}

// declaredCommands follow richCommands and set every field of what came after them.
func declaredCommands() []catalog.Command {
	ref := catalog.ShardRef{Collection: 1, Shard: 0}
	after, rate, few, yes, zone, on := uint64(60), uint64(1<<20), uint32(3), true, "y", true
	state, third := catalog.Draining, catalog.PeerID(3)
	return []catalog.Command{
		{RegisterPeer: &catalog.Peer{ID: third, Name: "c", PeerAddr: "c:6335", Zone: "z"}},
		{UpdateSettings: &catalog.Settings{
			ReplicaReplaceAfterSeconds: &after, Paused: &yes, TransfersPerPeer: &few, TransfersPerCluster: &few, TransferBytesPerSecond: &rate, Balance: &yes,
		}},
		{UpdatePeer: &catalog.UpdatePeer{ID: 2, Zone: &zone, Labels: &map[string]string{"rack": "7"}, State: &state, At: 5}},
		{PlaceShard: &catalog.PlaceShard{Ref: ref, Version: 1, From: 2, To: third, At: 6}},
		{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: 2, Replace: &catalog.Replace{Peer: third, Of: 2, Reason: catalog.ForHand}}},
		{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: 3, Handover: &on}},
		{Rebalance: &catalog.RebalancePeers{At: 7}},
		{EndOperation: &catalog.EndOperation{ID: 3, State: catalog.Failed, Problem: "it failed", At: 8}},
	}
}

func declaredState(t *testing.T) *catalog.State {
	t.Helper()
	s, results := catalog.ApplyAll(richState(t), declaredCommands())
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("command %d: %v", i, r.Err)
		}
	}
	return s
}

// fieldCommands are about payload indexes, with every parameter.
func fieldCommands() []catalog.Command {
	yes, n := true, uint64(2)
	create := func(field string, index catalog.FieldIndex) catalog.Command {
		return catalog.Command{CreateFieldIndex: &catalog.CreateFieldIndex{Name: "docs", ID: 1, Field: field, Index: index}}
	}
	return []catalog.Command{
		create("city", catalog.FieldIndex{Type: catalog.KeywordField, Params: &catalog.FieldParams{IsTenant: &yes, OnDisk: &yes, EnableHNSW: &yes, Prefix: &yes}}),
		create("list[].n", catalog.FieldIndex{Type: catalog.IntegerField, Params: &catalog.FieldParams{IsPrincipal: &yes, Lookup: &yes, Range: &yes}}),
		create("body", catalog.FieldIndex{Type: catalog.TextField, Params: &catalog.FieldParams{Text: &catalog.TextParams{
			Tokenizer: token.Word, Lowercase: &yes, MinLen: &n, MaxLen: &n, Stopwords: []string{"é"}, Phrases: &yes, Folding: &yes, NoStemming: true,
		}}}),
		create("at", catalog.FieldIndex{Type: catalog.GeoField}),
		create("gone", catalog.FieldIndex{Type: catalog.BoolField}),
		{DeleteFieldIndex: &catalog.DeleteFieldIndex{Name: "docs", ID: 1, Field: "gone"}},
	}
}

// languageCommands are about text indexes that know languages.
func languageCommands() []catalog.Command {
	create := func(field string, text catalog.TextParams) catalog.Command {
		index := catalog.FieldIndex{Type: catalog.TextField, Params: &catalog.FieldParams{Text: &text}}
		return catalog.Command{CreateFieldIndex: &catalog.CreateFieldIndex{Name: "docs", ID: 1, Field: field, Index: index}}
	}
	return []catalog.Command{
		create("title", catalog.TextParams{Tokenizer: token.Word, Stemmer: "EN", StopLanguages: []string{"German", "en", "english"}}),
		create("body", catalog.TextParams{Tokenizer: token.Prefix, Stemmer: "tamil"}),
	}
}

// Languages stay as they were named; what the index does with them does not depend on how.
func TestLanguagesComeBackAsNamed(t *testing.T) {
	s, results := catalog.ApplyAll(richState(t), languageCommands())
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("command %d: %v", i, r.Err)
		}
	}
	decoded, err := catalog.DecodeState(catalog.EncodeState(s))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := s.Lookup("docs")
	c, _ := decoded.Lookup("docs")
	if text := c.PayloadSchema["title"].Params.Text; !reflect.DeepEqual(c.PayloadSchema, before.PayloadSchema) || text.Stemmer != "EN" || !slices.Equal(text.StopLanguages, []string{"German", "en", "english"}) {
		t.Errorf("%+v", text)
	}
	want := token.Tokenizer{Kind: token.Word, Lowercase: true, Stemmer: "english", StopLanguages: []string{"english", "german"}}
	if got := c.Tokenizers("title"); !got.Equal(want) {
		t.Errorf("tokenizer %+v", got)
	}
}

func TestFieldIndexesComeBack(t *testing.T) {
	s, results := catalog.ApplyAll(richState(t), fieldCommands())
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("command %d: %v", i, r.Err)
		}
	}
	decoded, err := catalog.DecodeState(catalog.EncodeState(s))
	if err != nil || decoded.Describe() != s.Describe() {
		t.Fatalf("%v\n%v", err, decoded)
	}
	before, _ := s.Lookup("docs")
	c, _ := decoded.Lookup("docs")
	if !reflect.DeepEqual(c.PayloadSchema, before.PayloadSchema) || len(c.PayloadSchema) != 4 {
		t.Errorf("%+v", c.PayloadSchema)
	}
	want := token.Tokenizer{Kind: token.Word, Lowercase: true, Folding: true, MinLen: 2, MaxLen: 2, Stopwords: []string{"é"}}
	if got := c.Tokenizers("body"); got == nil || !got.Equal(want) || c.Tokenizers("city") != nil || c.Tokenizers("nothing") != nil {
		t.Errorf("tokenizer %+v", got)
	}
}

func richState(t *testing.T) *catalog.State {
	t.Helper()
	s, results := catalog.ApplyAll(catalog.Empty(), richCommands(t))
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("command %d: %v", i, r.Err)
		}
	}
	return s
}

func TestCommandsDecodeToTheSameBytesAndEffects(t *testing.T) {
	encoded := catalog.EncodeCommands(richCommands(t))
	cmds, err := catalog.DecodeCommands(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if again := catalog.EncodeCommands(cmds); !bytes.Equal(again, encoded) {
		t.Fatalf("encoded again:\n%s\nwas\n%s", again, encoded)
	}
	s, _ := catalog.ApplyAll(catalog.Empty(), cmds)
	if got, want := catalog.EncodeState(s), catalog.EncodeState(richState(t)); !bytes.Equal(got, want) {
		t.Fatalf("decoded commands made\n%s\nnot\n%s", got, want)
	}
}

func TestWhatIsDeclaredLaterDecodesToTheSame(t *testing.T) {
	want := declaredState(t)
	cmds, err := catalog.DecodeCommands(catalog.EncodeCommands(declaredCommands()))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := catalog.ApplyAll(richState(t), cmds)
	decoded, err := catalog.DecodeState(catalog.EncodeState(got))
	if err != nil || decoded.Describe() != want.Describe() {
		t.Fatalf("%v\n%s\nnot\n%s", err, decoded.Describe(), want.Describe())
	}
}

func TestMetadataKeepsTheKindsOfNumbers(t *testing.T) {
	s, err := catalog.DecodeState(catalog.EncodeState(richState(t)))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := s.Lookup("docs")
	want := richConfig(t)
	for key, v := range want.Metadata {
		switch v.(type) {
		case []any, map[string]any:
		default:
			if got := c.Config.Metadata[key]; got != v {
				t.Errorf("%s: %T %v, want %T %v", key, got, got, v, v)
			}
		}
	}
	if !c.Config.Equal(want) {
		t.Error("the config changed on its way")
	}
	changed := want
	changed.Metadata = map[string]any{"whole": 1.0}
	if c.Config.Equal(changed) {
		t.Error("another config is called equal")
	}
}

func TestFormatsHoldTheirGoldenBytes(t *testing.T) {
	for name, got := range map[string][]byte{
		"commands.v1.golden": catalog.EncodeCommands(richCommands(t)),
		"state.v1.golden":    catalog.EncodeState(richState(t)),

		"commands.v1.declared.golden": catalog.EncodeCommands(declaredCommands()),
		"state.v1.declared.golden":    catalog.EncodeState(declaredState(t)),
		"fields.v1.golden":            catalog.EncodeCommands(fieldCommands()),
		"fields.v1.languages.golden":  catalog.EncodeCommands(languageCommands()),
		"vectors.v1.golden":           catalog.EncodeCommands(vectorCommands(t)),
		"commands.v1.removing.golden": catalog.EncodeCommands(removingCommands()),
		"state.v1.removing.golden":    catalog.EncodeState(removingState(t)),
		"commands.v1.keys.golden":     catalog.EncodeCommands(keyCommands(t)),
		"commands.v1.rekeys.golden":   catalog.EncodeCommands(rekeyCommands()),
		"state.v1.keys.golden":        catalog.EncodeState(keyState(t)),
		"commands.v1.cutting.golden":  catalog.EncodeCommands(cuttingCommands()),
		"state.v1.cutting.golden":     catalog.EncodeState(cuttingState(t)),
		"commands.v1.fill.golden":     catalog.EncodeCommands(fillCommands()),
		"state.v1.fill.golden":        catalog.EncodeState(fillState(t)),
		"commands.v1.reshard.golden":  catalog.EncodeCommands(reshardCommands()),
		"state.v1.reshard.golden":     catalog.EncodeState(reshardState(t)),
	} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the encoding changed:\n%s\nwas\n%s", name, got, want)
		}
	}
}

func TestDecodersTellDamageFromNewerFormats(t *testing.T) {
	state, cmds := catalog.EncodeState(richState(t)), catalog.EncodeCommands(richCommands(t))
	newer := bytes.Clone(state)
	newer[3] = 2
	if _, err := catalog.DecodeState(newer); !errors.Is(err, catalog.ErrNewerFormat) || !fault.Is(err, fault.Unsupported) {
		t.Errorf("newer state: %v", err)
	}
	newer = bytes.Clone(cmds)
	newer[3] = 9
	if _, err := catalog.DecodeCommands(newer); !errors.Is(err, catalog.ErrNewerFormat) {
		t.Errorf("newer commands: %v", err)
	}
	for i := range len(state) {
		if i == 3 {
			continue
		}
		damaged := bytes.Clone(state)
		damaged[i] ^= 0x40
		if _, err := catalog.DecodeState(damaged); !fault.Is(err, fault.Corrupt) {
			t.Fatalf("byte %d damaged: %v", i, err)
		}
		if _, err := catalog.DecodeState(state[:i]); !fault.Is(err, fault.Corrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := catalog.DecodeCommands(state); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a state read as commands: %v", err)
	}
}

func TestUnknownFieldsAreNeverSkipped(t *testing.T) {
	for _, body := range []string{
		`[{"found":{"cluster_id":"c","colour":"red"}}]`,
		`[{"frobnicate":{}}]`,
		`[{}]`,
		`[{"found":{"cluster_id":"c"},"delete_collection":"x"}]`,
		`[{"create_collection":{"name":"x","config":{"vectors":null,"sparse":{}}}}]`,
	} {
		if _, err := catalog.DecodeCommands(frame("OCC", body)); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// frame puts a valid header before a body.
func frame(magic, body string) []byte {
	sum := crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli))
	return append([]byte{magic[0], magic[1], magic[2], 1, byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}, body...)
}

func FuzzDecodeState(f *testing.F) {
	for _, body := range []string{
		`{}`, `null`, `{"format":1,"peers":{"1":null}}`, `{"format":1,"collections":{"1":{"id":1,"shards":[null]}}}`,
		`{"format":2}`, `{"format":1,"names":{"a":1},"aliases":{"b":1},"next_collection":1,"next_generation":1}`,
	} {
		f.Add([]byte(body))
	}
	golden, err := os.ReadFile("testdata/state.v1.golden")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden[8:])
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = catalog.DecodeState(body)
		s, err := catalog.DecodeState(frame("OCS", string(body)))
		if err != nil {
			return
		}
		encoded := catalog.EncodeState(s) // what decodes must hold together
		if again, err := catalog.DecodeState(encoded); err != nil || !bytes.Equal(catalog.EncodeState(again), encoded) {
			t.Fatalf("decoded, encoded and decoded again: %v", err)
		}
		_ = s.Describe()
	})
}

func FuzzDecodeCommands(f *testing.F) {
	for _, body := range []string{`[]`, `[{}]`, `[{"found":{"cluster_id":"c"}}]`, `[{"change_aliases":[{}]}]`, `null`} {
		f.Add([]byte(body))
	}
	golden, err := os.ReadFile("testdata/commands.v1.golden")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden[8:])
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = catalog.DecodeCommands(body)
		cmds, err := catalog.DecodeCommands(frame("OCC", string(body)))
		if err != nil {
			return
		}
		s, _ := catalog.ApplyAll(catalog.Empty(), cmds)
		if err := s.Check(); err != nil {
			t.Fatalf("applied: %v\n%s", err, s.Describe())
		}
	})
}

func TestConfigsAreCompletedAndChecked(t *testing.T) {
	c, err := catalog.Config{}.Normalized(5)
	if err != nil {
		t.Fatal(err)
	}
	want := catalog.DefaultConfig()
	want.ShardNumber, want.OnDiskPayload = 5, false
	if !c.Equal(want) {
		t.Errorf("defaults: %+v", c)
	}
	if again, err := c.Normalized(9); err != nil || !again.Equal(c) {
		t.Errorf("normalised again: %+v, %v", again, err)
	}
	deep := map[string]any{}
	for range 40 {
		deep = map[string]any{"d": deep}
	}
	for name, change := range map[string]func(*catalog.Config){
		"metadata is nested":         func(c *catalog.Config) { c.Metadata = deep },
		"not a JSON value":           func(c *catalog.Config) { c.Metadata = map[string]any{"f": struct{}{}} },
		"not a finite":               func(c *catalog.Config) { c.Metadata = map[string]any{"f": nan()} },
		"not valid UTF-8":            func(c *catalog.Config) { c.Metadata = map[string]any{"f": "\xff"} },
		"bytes as JSON":              func(c *catalog.Config) { c.Metadata = map[string]any{"f": strings.Repeat("x", 1<<17)} },
		"ef_construct":               func(c *catalog.Config) { c.HNSW = catalog.HNSW{M: 1, EfConstruct: 1} },
		"deleted_threshold":          func(c *catalog.Config) { c.Optimizers.DeletedThreshold = nan() },
		"read_fan_out_factor":        func(c *catalog.Config) { n := uint32(1000); c.ReadFanOutFactor = &n },
		"read_fan_out_delay_ms":      func(c *catalog.Config) { d := -time.Second; c.ReadFanOutDelay = &d },
		"named vectors":              func(c *catalog.Config) { c.Vectors = manyVectors() },
		`vector "x": hnsw m must be`: func(c *catalog.Config) { c.Vectors = badVector() },
	} {
		bad := catalog.DefaultConfig()
		change(&bad)
		if _, err := bad.Normalized(1); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// vectorCommands declare vectors of all kinds.
func vectorCommands(t *testing.T) []catalog.Command {
	t.Helper()
	n, yes := uint64(3), true
	c := catalog.DefaultConfig()
	c.Vectors = map[string]catalog.VectorParams{
		"many":  {Size: 128, Distance: vec.Cosine, Multi: true},
		"bytes": {Size: 4, Distance: vec.Euclid, Datatype: vec.ByteType},
		"half":  {Size: 4, Distance: vec.Dot, Datatype: vec.HalfType},
	}
	c.SparseVectors = map[string]catalog.SparseParams{
		"words": {IDF: true, FullScanThreshold: &n, OnDisk: &yes, Datatype: vec.HalfType}, "plain": {},
	}
	c, err := c.Normalized(1)
	if err != nil {
		t.Fatal(err)
	}
	return []catalog.Command{{CreateCollection: &catalog.CreateCollection{Name: "docs", Config: c}}}
}

func TestSparseVectorsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name    string
		params  catalog.SparseParams
		class   fault.Class
		message string
	}{
		{"", catalog.SparseParams{}, fault.Invalid, "needs a name"},
		{"x", catalog.SparseParams{}, fault.Invalid, "both as dense and as sparse"},
		{"y", catalog.SparseParams{Datatype: "int4"}, fault.Invalid, "unknown"},
		{"y", catalog.SparseParams{Datatype: vec.ByteType}, fault.Unsupported, "uint8"},
		{"\xff", catalog.SparseParams{}, fault.Invalid, "UTF-8"},
	} {
		config := catalog.DefaultConfig()
		config.Vectors = map[string]catalog.VectorParams{"x": {Size: 1, Distance: vec.Cosine}}
		config.SparseVectors = map[string]catalog.SparseParams{c.name: c.params}
		if _, err := config.Normalized(1); !fault.Is(err, c.class) || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%q, %+v: %v", c.name, c.params, err)
		}
	}
	config := catalog.DefaultConfig()
	config.Vectors = manyVectors()
	delete(config.Vectors, "v")
	config.SparseVectors = map[string]catalog.SparseParams{"one more": {}}
	if _, err := config.Normalized(1); !fault.Is(err, fault.Invalid) {
		t.Errorf("%d vectors and a sparse one: %v", len(config.Vectors), err)
	}
}

func TestComparisonIsThatOfTheVector(t *testing.T) {
	c := catalog.Config{
		Vectors:       map[string]catalog.VectorParams{"": {Size: 1, Distance: vec.Euclid}},
		SparseVectors: map[string]catalog.SparseParams{"words": {}},
	}
	if c.Comparison("") != vec.Euclid || c.Comparison("words") != vec.Dot || c.Comparison("none").Valid() {
		t.Error(c.Comparison(""), c.Comparison("words"), c.Comparison("none"))
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func manyVectors() map[string]catalog.VectorParams {
	m := map[string]catalog.VectorParams{}
	for i := range catalog.MaxVectors + 1 {
		m[strings.Repeat("v", i+1)] = catalog.VectorParams{Size: 1, Distance: vec.Cosine}
	}
	return m
}

func badVector() map[string]catalog.VectorParams {
	m := uint64(1 << 30)
	return map[string]catalog.VectorParams{"x": {Size: 1, Distance: vec.Cosine, HNSW: &catalog.HNSWDiff{M: &m}}}
}

func TestNamesAreChecked(t *testing.T) {
	for name, ok := range map[string]bool{
		"docs": true, "big_docs-2.1": true, "Ελλάς": true, strings.Repeat("x", 255): true, "a b": true,
		"": false, strings.Repeat("x", 256): false, "a<b": false, "a>b": false, "a:b": false, `a"b`: false, "a/b": false,
		`a\b`: false, "a|b": false, "a?b": false, "a*b": false, "a\x00b": false, "a\x1fb": false, "\xff": false,
	} {
		if err := catalog.CheckName(name); (err == nil) != ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

// removingCommands remove a peer in each way.
func removingCommands() []catalog.Command {
	return []catalog.Command{
		{ExpelPeer: &catalog.ExpelPeer{ID: 3, At: 1700000000000}},
		{ExpelPeer: &catalog.ExpelPeer{ID: 4, At: 1, Lose: []catalog.Loss{{Ref: catalog.ShardRef{Collection: 2, Shard: 1}, Version: 7, Peers: []catalog.PeerID{1, 2}}}}},
	}
}

// removingState has a peer that was removed, and the id of one that was forgotten since.
func removingState(t *testing.T) *catalog.State {
	t.Helper()
	s := catalog.Empty()
	three, four := catalog.PeerID(3), catalog.PeerID(4)
	for _, cmd := range []catalog.Command{
		{RegisterPeer: &catalog.Peer{ID: 1, Name: "a", PeerAddr: "h1:1"}}, {RegisterPeer: &catalog.Peer{ID: three, Name: "c", PeerAddr: "h3:1"}},
		{RegisterPeer: &catalog.Peer{ID: four, Name: "d", PeerAddr: "h4:1"}},
		{ExpelPeer: &catalog.ExpelPeer{ID: three}}, {ExpelPeer: &catalog.ExpelPeer{ID: four}}, {RemovePeer: &four},
	} {
		var r catalog.Result
		if s, r = catalog.Apply(s, cmd); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if !s.WasExpelled(three) || !s.WasExpelled(four) || s.WasExpelled(1) {
		t.Fatal("it is not known who was removed")
	}
	return s
}
