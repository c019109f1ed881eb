package peer

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// hop sends a message through its bytes.
func hop[M proto.Message](t interface{ Fatal(...any) }, m M) M {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out.(M)
}

func genID() *rapid.Generator[point.ID] {
	return rapid.Custom(func(t *rapid.T) point.ID {
		if rapid.Bool().Draw(t, "uuid") {
			return point.UUID([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")))
		}
		return point.Num(rapid.Uint64().Draw(t, "number"))
	})
}

func genRef() *rapid.Generator[catalog.ShardRef] {
	return rapid.Custom(func(t *rapid.T) catalog.ShardRef {
		return catalog.ShardRef{
			Collection: catalog.CollectionID(rapid.Uint64().Draw(t, "collection")), Shard: catalog.ShardID(rapid.Uint32().Draw(t, "shard")),
		}
	})
}

func genNames() *rapid.Generator[[]string] {
	return rapid.Custom(func(t *rapid.T) []string {
		if rapid.Bool().Draw(t, "nil") {
			return nil
		}
		return rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "names")
	})
}

func genPayloadSelector() *rapid.Generator[shard.PayloadSelector] {
	return rapid.Custom(func(t *rapid.T) shard.PayloadSelector {
		s := shard.PayloadSelector{Enable: rapid.Bool().Draw(t, "enable"), Include: genNames().Draw(t, "include"), Exclude: genNames().Draw(t, "exclude")}
		if len(s.Exclude) == 0 {
			s.Exclude = nil // leaving out nothing is leaving out nothing
		}
		return s
	})
}

func genVectorSelector() *rapid.Generator[shard.VectorSelector] {
	return rapid.Custom(func(t *rapid.T) shard.VectorSelector {
		return shard.VectorSelector{Enable: rapid.Bool().Draw(t, "enable"), Names: genNames().Draw(t, "names")}
	})
}

func genFilter() *rapid.Generator[*filter.Filter] {
	return rapid.Custom(func(t *rapid.T) *filter.Filter {
		if rapid.Bool().Draw(t, "none") {
			return nil
		}
		n := rapid.Int64().Draw(t, "n")
		return &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "a", Match: &filter.Match{Integer: &n}}}}}
	})
}

func genSearch() *rapid.Generator[shard.SearchRequest] {
	return rapid.Custom(func(t *rapid.T) shard.SearchRequest {
		r := shard.SearchRequest{
			Vector: rapid.SliceOfN(rapid.Float32(), 1, 4).Draw(t, "vector"), Using: rapid.String().Draw(t, "using"),
			Filter: genFilter().Draw(t, "filter"), Limit: rapid.Uint64Min(1).Draw(t, "limit"),
			Payload: genPayloadSelector().Draw(t, "payload"), Vectors: genVectorSelector().Draw(t, "vectors"),
			Exact: rapid.Bool().Draw(t, "exact"), HNSWEf: rapid.Uint64().Draw(t, "ef"), IndexedOnly: rapid.Bool().Draw(t, "indexed"),
			Quantization: shard.QuantizationParams{
				Ignore: rapid.Bool().Draw(t, "ignore"), Oversampling: rapid.Float64Range(0, 9).Draw(t, "oversampling"),
				Rescore: rapid.Ptr(rapid.Bool(), true).Draw(t, "rescore"),
			},
		}
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 3:
			v := r.Vector
			r.Vector, r.Explore = nil, &shard.Explore{
				Kind: shard.ExploreKind(rapid.IntRange(1, 4).Draw(t, "explore")), Target: v, Positive: [][]float32{v, v}, Negative: [][]float32{v, v},
			}
		case 2:
			r.Vector, r.Sparse = nil, &point.Sparse{Indices: []uint32{1, rapid.Uint32Min(2).Draw(t, "index")}, Values: []float32{rapid.Float32().Draw(t, "value"), 2}}
		case 0:
			r.Vector, r.Order = nil, genOrder().Draw(t, "order")
		case 1:
			r.Vector, r.Sample = nil, new(rapid.Uint64().Draw(t, "seed"))
		}
		if ids := rapid.SliceOfN(genID(), 0, 3).Draw(t, "exclude"); len(ids) > 0 {
			r.Exclude = ids
		}
		if rapid.Bool().Draw(t, "threshold") {
			f := rapid.Float32().Draw(t, "value")
			r.ScoreThreshold = &f
		}
		return r
	})
}

func genOrder() *rapid.Generator[*payload.Order] {
	return rapid.Custom(func(t *rapid.T) *payload.Order {
		o := &payload.Order{Path: rapid.String().Draw(t, "path"), Desc: rapid.Bool().Draw(t, "desc")}
		switch rapid.IntRange(0, 3).Draw(t, "from") {
		case 1:
			o.From.Int = new(rapid.Int64().Draw(t, "integer"))
		case 2:
			o.From.Float = new(rapid.Float64().Draw(t, "number"))
		case 3:
			o.From.Time = new(time.Unix(rapid.Int64Range(0, 1e10).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC())
		}
		return o
	})
}

func TestRequestsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := genRef().Draw(t, "ref")
		reqs := rapid.SliceOfN(genSearch(), 1, 3).Draw(t, "searches")
		look := shard.Look{Epoch: rapid.Uint64().Draw(t, "epoch"), Fresh: rapid.Bool().Draw(t, "fresh")}
		for i := range reqs {
			reqs[i].Look = look
		}
		gotRef, got, err := searchFromWire(hop(t, searchToWire(ref, 7, reqs)))
		if err != nil || gotRef != ref || !reflect.DeepEqual(got, reqs) {
			t.Fatalf("search\n got %+v %v\nwant %+v", got, err, reqs)
		}
		scroll := shard.ScrollRequest{
			Look: look, Filter: genFilter().Draw(t, "filter"), Limit: rapid.Uint64Min(1).Draw(t, "limit"),
			Payload: genPayloadSelector().Draw(t, "payload"), Vectors: genVectorSelector().Draw(t, "vectors"),
		}
		if rapid.Bool().Draw(t, "from") {
			id := genID().Draw(t, "id")
			scroll.From = &id
		}
		_, gotScroll, err := scrollFromWire(hop(t, scrollToWire(ref, 7, scroll)))
		if err != nil || !reflect.DeepEqual(gotScroll, scroll) {
			t.Fatalf("scroll\n got %+v %v\nwant %+v", gotScroll, err, scroll)
		}
		get := shard.GetRequest{Look: look, IDs: rapid.SliceOfN(genID(), 1, 4).Draw(t, "ids"), Payload: scroll.Payload, Vectors: scroll.Vectors}
		_, gotGet, err := getFromWire(hop(t, getToWire(ref, 7, get)))
		if err != nil || !reflect.DeepEqual(gotGet, get) {
			t.Fatalf("get\n got %+v %v\nwant %+v", gotGet, err, get)
		}
	})
}

func TestStatusAndResultsSurviveTheWire(t *testing.T) {
	st := replica.Status{
		Ref: catalog.ShardRef{Collection: 3, Shard: 1}, Generation: 9, Term: 4, Leading: true, LastIndex: 30, CommitIndex: 29,
		AppliedIndex: 28, Points: 5, Vectors: 6, Bytes: 7, PayloadBytes: 4, Problem: "disk",
		Moving:  &replica.Moving{Points: 1, TotalPoints: 2, Bytes: 3, Attempts: 4, Problem: "full"},
		Indexed: 4, Indexing: true, Schema: 1 << 63, IndexProblem: "memory", Fields: map[string]payload.Status{"a[].b": {Spec: "keyword", Ready: true, Points: 3}, "c": {Spec: "geo"}},
	}
	if got, err := statusFromWire(hop(t, statusToWire(st))); err != nil || !reflect.DeepEqual(got, st) {
		t.Errorf("got %+v, %v", got, err)
	}
	results := []catalog.Result{{Collection: 5}, {ShardVersion: 6}, {Operation: 7}, {Move: 8}, {Err: fault.New(fault.Conflict, "version is %d", 3).With("version", "3")}}
	got := resultsFromWire((&peerpb.ProposeResponse{Results: resultsToWire(results)}).GetResults())
	if !slices.Equal(got[:4], results[:4]) {
		t.Errorf("got %+v", got)
	}
	if err := got[4].Err; !fault.Is(err, fault.Conflict) || err.Error() != "version is 3" || fault.Hint(err, "version") != "3" {
		t.Errorf("got %v", err)
	}
}

func genEnvelope() *rapid.Generator[Envelope] {
	return rapid.Custom(func(t *rapid.T) Envelope {
		u := func(name string) uint64 { return rapid.Uint64Max(1<<40).Draw(t, name) }
		m := replication.Message{
			Type: replication.MessageType(rapid.IntRange(1, 4).Draw(t, "type")), From: replication.PeerID(u("from")), To: replication.PeerID(u("to")),
			PrevIndex: replication.Index(u("prev")), PrevTerm: replication.Term(rapid.Uint64Max(9).Draw(t, "prevTerm")), Commit: replication.Index(u("commit")),
			Reject: rapid.Bool().Draw(t, "reject"), Match: replication.Index(u("match")), Applied: replication.Index(u("applied")),
			LastTerm: replication.Term(u("lastTerm")), LastIndex: replication.Index(u("lastIndex")),
		}
		term := m.PrevTerm
		if m.Type == replication.MsgAppend {
			for i := range rapid.IntRange(0, 3).Draw(t, "entries") {
				term += replication.Term(rapid.IntRange(0, 1).Draw(t, "grows"))
				e := replication.Entry{Term: term, Index: m.PrevIndex + replication.Index(i) + 1, Kind: replication.EntryKind(rapid.IntRange(0, 1).Draw(t, "kind"))}
				if data := rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "data"); len(data) > 0 {
					e.Data = data
				}
				m.Entries = append(m.Entries, e)
			}
		}
		m.Term = term
		return Envelope{Ref: genRef().Draw(t, "ref"), Generation: catalog.Generation(u("generation")), Message: m}
	})
}

func TestReplicationMessagesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := genEnvelope().Draw(t, "envelope")
		got, err := envelopeFromWire(hop(t, envelopeToWire(e)))
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf(" got %+v, %v\nwant %+v", got, err, e)
		}
	})
}

func TestMalformedMessagesAreInvalid(t *testing.T) {
	ref := &peerpb.ShardRef{Collection: 1}
	entry := func(term, index uint64, kind uint32) *peerpb.Entry {
		return &peerpb.Entry{Term: term, Index: index, Kind: kind}
	}
	message := func(typ uint32, entries ...*peerpb.Entry) error {
		_, err := envelopeFromWire(&peerpb.ShardMessage{Shard: ref, Type: typ, Term: 3, PrevIndex: 4, PrevTerm: 2, Entries: entries})
		return err
	}
	search := func(n *peerpb.Nearest) error {
		_, _, err := searchFromWire(&peerpb.SearchRequest{Shard: ref, Queries: []*peerpb.Nearest{n}})
		return err
	}
	for name, err := range map[string]error{
		"type 0":                    message(0),
		"type 7":                    message(7),
		"entries of a reply":        message(2, entry(2, 5, 0)),
		"gap":                       message(1, entry(2, 6, 0)),
		"term falls":                message(1, entry(3, 5, 0), entry(2, 6, 0)),
		"term below the one before": message(1, entry(1, 5, 0)),
		"term above the sender's":   message(1, entry(4, 5, 0)),
		"kind 2":                    message(1, entry(2, 5, 2)),
		"nil entry":                 message(1, nil),
		"no vector":                 search(&peerpb.Nearest{Limit: 1}),
		"no limit":                  search(&peerpb.Nearest{Vector: []float32{1}}),
		"nil query":                 search(nil),
		"short id":                  search(&peerpb.Nearest{Vector: []float32{1}, Limit: 1, Exclude: [][]byte{{0, 1}}}),
		"long id":                   search(&peerpb.Nearest{Vector: []float32{1}, Limit: 1, Exclude: [][]byte{make([]byte, 10)}}),
		"broken filter":             search(&peerpb.Nearest{Vector: []float32{1}, Limit: 1, Filter: []byte("{")}),
	} {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := envelopeFromWire(nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("nil message: %v", err)
	}
	if _, err := infoFromWire(&peerpb.PeerInfo{Id: 1 << 53}); !fault.Is(err, fault.Invalid) {
		t.Errorf("peer id: %v", err)
	}
}

// FuzzFromWire feeds foreign bytes to every decoder of a request or answer.
func FuzzFromWire(f *testing.F) {
	add := func(which byte, m proto.Message) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(which, b)
	}
	ref := catalog.ShardRef{Collection: 1, Shard: 2}
	add(0, searchToWire(ref, 3, []shard.SearchRequest{{Vector: []float32{1, 2}, Limit: 3, Exclude: []point.ID{point.Num(4)}}}))
	add(1, scrollToWire(ref, 3, shard.ScrollRequest{Limit: 3}))
	add(2, getToWire(ref, 3, shard.GetRequest{IDs: []point.ID{point.Num(4)}}))
	add(3, envelopeToWire(Envelope{Ref: ref, Message: replication.Message{Type: replication.MsgAppend, Term: 1, Entries: []replication.Entry{{Term: 1, Index: 1}}}}))
	add(4, hitsToWire([][]shard.Scored{{{Score: 1, Rank: -7}}}, 1))
	add(5, recordsToWire([]point.Record{{Version: 3}}, 1))
	add(6, statusToWire(replica.Status{Ref: ref}))
	add(7, infoToWire(catalog.Peer{ID: 1}))
	add(8, fencesToWire([]Fence{{Ref: ref}}))
	f.Fuzz(func(t *testing.T, which byte, b []byte) { decodeAny(which, b) })
}

func decodeAny(which byte, b []byte) {
	into := func(m proto.Message) bool { return proto.Unmarshal(b, m) == nil }
	switch which {
	case 0:
		if m := new(peerpb.SearchRequest); into(m) {
			_, _, _ = searchFromWire(m)
		}
	case 1:
		if m := new(peerpb.ScrollRequest); into(m) {
			_, _, _ = scrollFromWire(m)
		}
	case 2:
		if m := new(peerpb.GetRequest); into(m) {
			_, _, _ = getFromWire(m)
		}
	case 3:
		if m := new(peerpb.ShardMessage); into(m) {
			_, _ = envelopeFromWire(m)
		}
	case 4:
		if m := new(peerpb.SearchResponse); into(m) {
			_, _ = hitsFromWire(m)
		}
	case 5:
		if m := new(peerpb.RecordsResponse); into(m) {
			_, _ = recordsFromWire(m)
		}
	case 6:
		if m := new(peerpb.ReplicaStatus); into(m) {
			_, _ = statusFromWire(m)
		}
	case 7:
		if m := new(peerpb.PeerInfo); into(m) {
			_, _ = infoFromWire(m)
		}
	case 8:
		if m := new(peerpb.FenceRequest); into(m) {
			_, _ = fencesFromWire(m)
		}
	}
}
