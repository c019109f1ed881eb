package catalog_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func withStrict(s catalog.StrictMode) catalog.Config {
	c := catalog.DefaultConfig()
	c.Vectors = map[string]catalog.VectorParams{"m": {Size: 2, Distance: 1, Multi: true}, "d": {Size: 2, Distance: 1}}
	c.SparseVectors = map[string]catalog.SparseParams{"s": {}}
	c.Strict = &s
	return c
}

func TestLimitsThatNothingCouldKeepToAreRefused(t *testing.T) {
	for field, s := range map[string]catalog.StrictMode{
		"max_query_limit":                   {MaxQueryLimit: new(uint32(0))},
		"max_timeout":                       {MaxTimeout: new(uint32(0))},
		"search_max_hnsw_ef":                {MaxHNSWEf: new(uint32(0))},
		"search_max_batchsize":              {MaxSearchBatch: new(uint64(0))},
		"upsert_max_batchsize":              {MaxUpsertBatch: new(uint64(0))},
		"condition_max_size":                {MaxConditionSize: new(uint64(0))},
		"read_rate_limit":                   {ReadRate: new(uint32(0))},
		"write_rate_limit":                  {WriteRate: new(uint32(0))},
		"max_points_count":                  {MaxPoints: new(uint64(0))},
		"max_collection_vector_size_bytes":  {MaxVectorBytes: new(uint64(0))},
		"max_collection_payload_size_bytes": {MaxPayloadBytes: new(uint64(0))},
		"search_max_oversampling must be":   {MaxOversampling: new(float32(0.5))},
		"at least 1, got NaN":               {MaxOversampling: new(float32(math.NaN()))},
		"at least 1, got +Inf":              {MaxOversampling: new(float32(math.Inf(1)))},
		"\"d\", which is no multivector":    {MaxMultivectors: map[string]uint64{"d": 1}},
		"\"x\", which is no multivector":    {MaxMultivectors: map[string]uint64{"x": 1}},
		"max_vectors of multivector":        {MaxMultivectors: map[string]uint64{"m": 0}},
		"\"m\", which is no sparse vector":  {MaxSparseLength: map[string]uint64{"m": 1}},
		"max_length of sparse vector":       {MaxSparseLength: map[string]uint64{"s": 0}},
	} {
		_, err := withStrict(s).Normalized(1)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "strict_mode_config: ") || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	most := catalog.StrictMode{
		Enabled: true, MaxFilterConditions: new(uint64(0)), MaxPayloadIndexes: new(uint64(0)), MaxOversampling: new(float32(1)),
		MaxMultivectors: map[string]uint64{"m": 1}, MaxSparseLength: map[string]uint64{"s": 1}, AllowExact: new(false),
	}
	c, err := withStrict(most).Normalized(1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var again catalog.Config
	if err := json.Unmarshal(b, &again); err != nil || !again.Equal(c) {
		t.Errorf("%v: %s", err, b)
	}
	if err := json.Unmarshal([]byte(strings.Replace(string(b), `"search_allow_exact"`, `"search_allow_guesses"`, 1)), &again); err == nil {
		t.Error("a limit of a newer version was forgotten")
	}
	bare, err := json.Marshal(catalog.DefaultConfig())
	if err != nil || strings.Contains(string(bare), "strict") {
		t.Errorf("%v: %s", err, bare)
	}
}

func TestPayloadIndexesAreCountedWhereTheyAreDeclared(t *testing.T) {
	state := catalog.Empty()
	apply := func(cmd catalog.Command) error {
		t.Helper()
		prepared, err := catalog.Prepare(state, cmd, func(catalog.PeerID) bool { return true })
		if err != nil {
			return err
		}
		next, result := catalog.Apply(state, prepared)
		state = next
		return result.Err
	}
	must := func(cmd catalog.Command) {
		t.Helper()
		if err := apply(cmd); err != nil {
			t.Fatal(err)
		}
	}
	must(catalog.Command{Found: &catalog.Found{ClusterID: "c"}})
	must(catalog.Command{RegisterPeer: &catalog.Peer{ID: 1, Name: "a", PeerAddr: "a:1"}})
	config, err := withStrict(catalog.StrictMode{Enabled: true, MaxPayloadIndexes: new(uint64(1))}).Normalized(1)
	if err != nil {
		t.Fatal(err)
	}
	must(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: "docs", Config: config}})
	col, _ := state.Lookup("docs")
	declare := func(field string, kind catalog.FieldType) catalog.Command {
		return catalog.Command{CreateFieldIndex: &catalog.CreateFieldIndex{Name: "docs", ID: col.ID, Field: field, Index: catalog.FieldIndex{Type: kind}}}
	}
	must(declare("a", catalog.KeywordField))
	must(declare("a", catalog.IntegerField)) // in the place of the other
	err = apply(declare("b", catalog.KeywordField))
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "it has 1 payload indexes, max_payload_index_count allows 1") {
		t.Fatal(err)
	}
	off := config
	off.Strict = &catalog.StrictMode{MaxPayloadIndexes: new(uint64(1))}
	must(catalog.Command{UpdateCollection: &catalog.UpdateCollection{Name: "docs", ID: col.ID, Base: config, Config: off}})
	must(declare("b", catalog.KeywordField))
}

func TestAVectorTakesItsLimitsAlong(t *testing.T) {
	s := &catalog.StrictMode{Enabled: true, MaxMultivectors: map[string]uint64{"m": 1}, MaxSparseLength: map[string]uint64{"s": 1, "u": 2}}
	got := s.Without("s").Without("m")
	if got.MaxMultivectors != nil || len(got.MaxSparseLength) != 1 || got.MaxSparseLength["u"] != 2 || !got.Enabled || len(s.MaxSparseLength) != 2 {
		t.Errorf("%+v of %+v", got, s)
	}
	if (*catalog.StrictMode)(nil).Without("x") != nil {
		t.Error("something came of nothing")
	}
}
