package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func selects(keys ...*qdrant.ShardKey) *qdrant.ShardKeySelector {
	return &qdrant.ShardKeySelector{ShardKeys: keys}
}

func TestShardKeysAreDeclaredListedAndDeleted(t *testing.T) {
	l := prepared(t)
	list := func() (names []string) {
		got := l.must("Collections.ListShardKeys", &qdrant.ListShardKeysRequest{CollectionName: "k"}).(*qdrant.ListShardKeysResponse)
		for _, k := range got.GetShardKeys() {
			names = append(names, strings.ReplaceAll(k.GetKey().String(), " ", ""))
		}
		return names
	}
	if got := list(); !slices.Equal(got, []string{"number:7", "number:14", `keyword:"eu"`}) {
		t.Errorf("%q", got)
	}
	if p := l.info("k").GetConfig().GetParams(); p.GetShardingMethod() != qdrant.ShardingMethod_Custom || p.GetShardNumber() != 1 {
		t.Errorf("%v", p)
	}
	found, _ := l.State().Lookup("k")
	info := l.must("Collections.CollectionClusterInfo", &qdrant.CollectionClusterInfoRequest{CollectionName: "k"}).(*qdrant.CollectionClusterInfoResponse)
	seen := 0
	for _, s := range info.GetLocalShards() {
		sh := found.Shards[s.GetShardId()]
		if seen++; s.GetShardKey().GetKeyword() != sh.Key.Keyword || s.GetShardKey().GetNumber() != sh.Key.Number {
			t.Errorf("%v is of %s", s, sh.Key)
		}
	}
	for _, s := range info.GetRemoteShards() {
		sh := found.Shards[s.GetShardId()]
		if seen++; s.GetShardKey().GetKeyword() != sh.Key.Keyword || s.GetShardKey().GetNumber() != sh.Key.Number {
			t.Errorf("%v is of %s", s, sh.Key)
		}
	}
	if seen != 3 {
		t.Errorf("%d shards: %v", seen, info)
	}
	l.must("Collections.DeleteShardKey", &qdrant.DeleteShardKeyRequest{CollectionName: "k", Request: &qdrant.DeleteShardKey{ShardKey: word}})
	if got := list(); !slices.Equal(got, []string{"number:7", "number:14"}) {
		t.Errorf("%q", got)
	}
}

func TestShardKeysThatCannotBeAreRefused(t *testing.T) {
	l := prepared(t)
	before := l.State()
	create := func(collection string, change func(*qdrant.CreateShardKey)) *qdrant.CreateShardKeyRequest {
		r := &qdrant.CreateShardKeyRequest{CollectionName: collection, Request: &qdrant.CreateShardKey{ShardKey: qdrant.NewShardKeyNum(1)}}
		change(r.Request)
		return r
	}
	for _, c := range []struct {
		collection string
		change     func(*qdrant.CreateShardKey)
		code       codes.Code
		text       string
	}{
		{"none", func(*qdrant.CreateShardKey) {}, codes.NotFound, "doesn't exist"},
		{"c", func(*qdrant.CreateShardKey) {}, codes.InvalidArgument, "Auto sharding method"},
		{"k", func(k *qdrant.CreateShardKey) { k.ShardKey = word }, codes.InvalidArgument, `Sharding key "eu" already exists`},
		{"k", func(k *qdrant.CreateShardKey) { k.ShardKey = nil }, codes.InvalidArgument, "neither a word nor a number"},
		{"k", func(k *qdrant.CreateShardKey) { k.ShardKey = qdrant.NewShardKeyKeyword("") }, codes.InvalidArgument, "cannot be empty"},
		{"k", func(k *qdrant.CreateShardKey) { k.ShardKey = qdrant.NewShardKeyKeyword(strings.Repeat("x", 256)) }, codes.InvalidArgument, "256 bytes"},
		{"k", func(k *qdrant.CreateShardKey) { k.ShardsNumber = new(uint32(0)) }, codes.InvalidArgument, "shards_number"},
		{"k", func(k *qdrant.CreateShardKey) { k.ShardsNumber = new(uint32(1025)) }, codes.InvalidArgument, "shards_number"},
		{"k", func(k *qdrant.CreateShardKey) { k.ReplicationFactor = new(uint32(65)) }, codes.InvalidArgument, "replication_factor"},
		{"k", func(k *qdrant.CreateShardKey) { k.Placement = []uint64{9} }, codes.InvalidArgument, "Peer 9 does not exist"},
		{"k", func(k *qdrant.CreateShardKey) { k.InitialState = qdrant.ReplicaState_Dead.Enum() }, codes.InvalidArgument, "cannot begin as Dead"},
	} {
		l.refused("Collections.CreateShardKey", create(c.collection, c.change), c.code, c.text)
	}
	l.refused("Collections.CreateShardKey", &qdrant.CreateShardKeyRequest{CollectionName: "k"}, codes.InvalidArgument, "neither a word nor a number")
	l.refused("Collections.DeleteShardKey", &qdrant.DeleteShardKeyRequest{CollectionName: "k", Request: &qdrant.DeleteShardKey{ShardKey: qdrant.NewShardKeyNum(1)}},
		codes.InvalidArgument, "Sharding key 1 does not exist")
	if l.State() != before {
		t.Error("a refused request changed the metadata")
	}
}

func TestWritesNameAKeyThatThereIs(t *testing.T) {
	eight := qdrant.NewIDNum(8)
	upsert := func(s *qdrant.ShardKeySelector) proto.Message {
		return &qdrant.UpsertPoints{CollectionName: "k", ShardKeySelector: s, Points: []*qdrant.PointStruct{{Id: eight, Vectors: qdrant.NewVectors(1, 2)}}}
	}
	l := prepared(t)
	for _, c := range []struct {
		selector *qdrant.ShardKeySelector
		code     codes.Code
		text     string
	}{
		{nil, codes.InvalidArgument, "Shard key not specified"},
		{selects(), codes.InvalidArgument, "names no key"},
		{selects(&qdrant.ShardKey{}), codes.InvalidArgument, "neither a word nor a number"},
		{selects(qdrant.NewShardKeyNum(1)), codes.NotFound, `Shard key 1 not found in collection ` + "`k`" + `: it has 7, 14, "eu"`},
		{selects(word, qdrant.NewShardKeyKeyword("7")), codes.NotFound, `Shard key "7" not found`},
		{&qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{word, qdrant.NewShardKeyNum(7)}, Fallback: word}, codes.InvalidArgument, "a fallback is for one"},
		{&qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{qdrant.NewShardKeyNum(1)}, Fallback: qdrant.NewShardKeyNum(2)}, codes.NotFound, "Shard key 2 not found"},
		{&qdrant.ShardKeySelector{ShardKeys: slices.Repeat([]*qdrant.ShardKey{word}, 1025)}, codes.InvalidArgument, "at most 1024"},
	} {
		l.refused("Points.Upsert", upsert(c.selector), c.code, c.text)
		batch := &qdrant.UpdateBatchPoints{CollectionName: "k", Operations: []*qdrant.PointsUpdateOperation{
			{Operation: &qdrant.PointsUpdateOperation_DeletePoints_{DeletePoints: &qdrant.PointsUpdateOperation_DeletePoints{Points: ids(), ShardKeySelector: selects(word)}}},
			{Operation: &qdrant.PointsUpdateOperation_ClearPayload_{ClearPayload: &qdrant.PointsUpdateOperation_ClearPayload{Points: ids(), ShardKeySelector: c.selector}}},
		}}
		l.refused("Points.UpdateBatch", batch, c.code, "nothing of the batch is applied")
	}
	onAuto := &qdrant.UpsertPoints{CollectionName: "c", ShardKeySelector: selects(word), Points: []*qdrant.PointStruct{{Id: eight, Vectors: qdrant.NewVectors(1, 2)}}}
	l.refused("Points.Upsert", onAuto, codes.InvalidArgument, "no shard keys to select")
	if calls := l.taken(); len(calls) > 0 {
		t.Errorf("something was written: %v", calls)
	}
	l.must("Points.Upsert", upsert(&qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{qdrant.NewShardKeyNum(1)}, Fallback: word}))
}

// Queries of one batch may be for different keys: each is answered within its own, in its place.
func TestQueriesOfABatchKeepTheirKeys(t *testing.T) {
	l := prepared(t)
	l.must("Points.Upsert", &qdrant.UpsertPoints{CollectionName: "k", ShardKeySelector: selects(word), Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(8), Vectors: qdrant.NewVectors(1, 2)}}})
	l.taken()
	query := func(s *qdrant.ShardKeySelector, limit uint64) *qdrant.QueryPoints {
		return &qdrant.QueryPoints{CollectionName: "k", Query: qdrant.NewQuery(1, 2), ShardKeySelector: s, Limit: &limit}
	}
	got := l.must("Points.QueryBatch", &qdrant.QueryBatchPoints{CollectionName: "k", QueryPoints: []*qdrant.QueryPoints{
		query(selects(word), 1), query(nil, 2), query(selects(word), 3), query(selects(qdrant.NewShardKeyNum(7)), 4),
	}}).(*qdrant.QueryBatchResponse)
	if len(got.GetResult()) != 4 {
		t.Fatalf("%v", got)
	}
	var limits [][]uint64
	var keys []point.ShardKey
	for _, call := range l.taken() {
		switch c := call.(type) {
		case []coordinator.Query:
			var asked []uint64
			for _, q := range c {
				asked = append(asked, q.Limit)
			}
			limits = append(limits, asked)
		case coordinator.ReadOptions:
			keys = append(keys, c.Keys.Keys...)
		}
	}
	if !slices.EqualFunc(limits, [][]uint64{{1, 3}, {2}, {4}}, slices.Equal) || !slices.Equal(keys, []point.ShardKey{{Keyword: "eu"}, {Number: 7}}) {
		t.Errorf("asked %v with the keys %v", limits, keys)
	}
}

// What asks for a key that is not filled is refused, what has a fallback goes there, and it is filled from another key on demand.
func TestAKeyIsFilledFromAnother(t *testing.T) {
	l := prepared(t)
	l.refused("Points.ClearPayload", &qdrant.ClearPayloadPoints{CollectionName: "f", Points: ids(), ShardKeySelector: selects(filling)}, codes.FailedPrecondition, "is Partial")
	l.refused("Points.UpdateBatch", &qdrant.UpdateBatchPoints{CollectionName: "f", Operations: []*qdrant.PointsUpdateOperation{
		{Operation: &qdrant.PointsUpdateOperation_ClearPayload_{ClearPayload: &qdrant.PointsUpdateOperation_ClearPayload{Points: ids(), ShardKeySelector: selects(word)}}},
		{Operation: &qdrant.PointsUpdateOperation_ClearPayload_{ClearPayload: &qdrant.PointsUpdateOperation_ClearPayload{Points: ids(), ShardKeySelector: selects(filling)}}},
	}}, codes.FailedPrecondition, "nothing of the batch is applied")
	if calls := l.taken(); len(calls) > 0 {
		t.Errorf("something was written: %v", calls)
	}
	info := l.must("Collections.CollectionClusterInfo", &qdrant.CollectionClusterInfoRequest{CollectionName: "f"}).(*qdrant.CollectionClusterInfoResponse)
	for _, s := range info.GetLocalShards() {
		if want := s.GetShardKey().GetKeyword() == "filling"; (s.GetState() == qdrant.ReplicaState_Partial) != want {
			t.Errorf("%v", s)
		}
	}
	fill := setupOf(&qdrant.ReplicatePoints{FromShardKey: word, ToShardKey: filling, Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("k", 1)}}})
	fill.CollectionName = "f"
	l.must(setupMethod, fill)
	before := l.State()
	if o := before.Operations[len(before.Operations)-1]; o.Fill == nil || o.Fill.From.Keyword != "eu" || o.Fill.To.Keyword != "filling" || len(o.Fill.Filter) == 0 {
		t.Errorf("%+v", o)
	}
	l.must(setupMethod, fill)
	if now := l.State(); len(now.Operations) != len(before.Operations) {
		t.Error("asked for again, another operation began")
	}
	large := setupOf(&qdrant.ReplicatePoints{FromShardKey: word, ToShardKey: filling, Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeyword("k", strings.Repeat("x", 70_000))}}})
	large.CollectionName = "f"
	l.refused(setupMethod, large, codes.InvalidArgument, "at most 65536")
}
