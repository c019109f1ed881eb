package api

import (
	"math"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// FuzzQueriesAreReadAsTheLibraryReadsThem: what the codec reads by itself is what the library makes of the same bytes, and what the
// library refuses it does not read.
func FuzzQueriesAreReadAsTheLibraryReadsThem(f *testing.F) {
	for _, q := range quickQueries() {
		b, err := proto.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(b, b...))
	}
	f.Add([]byte{0x1a, 6, 0x0a, 4, 0x12, 2, 0x0a, 0})                // no components
	f.Add([]byte{0x1a, 7, 0x0a, 5, 0x12, 3, 0x0a, 1, 0})             // a quarter of one
	f.Add([]byte{0x1a, 4, 0x0a, 2, 0x0a, 0})                         // a point's id
	f.Add([]byte{0x9a, 0, 6, 0x0a, 4, 0x12, 2, 0x0a, 0, 0x40, 0x80}) // a long tag, a number cut off
	f.Fuzz(func(t *testing.T, b []byte) { compareReading(t, b) })
}

func TestQueriesAreReadAsTheLibraryReadsThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := rapid.SampledFrom(quickQueries()).Draw(rt, "query")
		for range rapid.IntRange(0, 2).Draw(rt, "changes") {
			change(rt, q.ProtoReflect(), 4)
		}
		b, err := proto.Marshal(q)
		if err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(0, 2).Draw(rt, "damages") {
			b[rapid.IntRange(0, len(b)-1).Draw(rt, "place")] = rapid.Byte().Draw(rt, "byte")
		}
		b = b[:rapid.IntRange(max(0, len(b)-rapid.IntRange(0, 1).Draw(rt, "cut")), len(b)).Draw(rt, "length")]
		compareReading(rt, b)
	})
}

// compareReading reports whether the codec reads b by itself.
func compareReading(t interface{ Fatalf(string, ...any) }, b []byte) bool {
	var got, want qdrant.QueryPoints
	err := proto.Unmarshal(b, &want)
	if !readQuery(b, &got) {
		if !proto.Equal(&got, &qdrant.QueryPoints{}) {
			t.Fatalf("%x: it was left, with %v", b, &got)
		}
		return false
	}
	if err != nil {
		t.Fatalf("%x was read, and the library says %v", b, err)
	}
	if !proto.Equal(&got, &want) {
		t.Fatalf("%x was read as\n%v, and not\n%v", b, &got, &want)
	}
	return true
}

// quickQueries are queries as clients send them, all of which the codec reads by itself.
func quickQueries() []*qdrant.QueryPoints {
	vector := qdrant.NewQueryDense([]float32{1, -2.5, 0, float32(math.Inf(1)), math.MaxFloat32})
	return []*qdrant.QueryPoints{
		{CollectionName: "c", Query: vector},
		{CollectionName: "größer", Query: vector, Limit: proto.Uint64(0), Offset: proto.Uint64(math.MaxUint64)},
		{
			CollectionName: "c", Query: vector, Limit: proto.Uint64(10), WithPayload: qdrant.NewWithPayload(true),
			Params: &qdrant.SearchParams{HnswEf: proto.Uint64(300), Exact: proto.Bool(true), IndexedOnly: proto.Bool(false)},
		},
		{CollectionName: "c", Query: vector, Filter: &qdrant.Filter{}},
		{CollectionName: "c", Query: vector, Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("k", "v"), qdrant.NewHasID(qdrant.NewIDNum(1))}}},
		{Query: vector, Params: &qdrant.SearchParams{}, WithPayload: qdrant.NewWithPayload(false)},
	}
}

func TestCommonQueriesNeedNoLibrary(t *testing.T) {
	for _, q := range quickQueries() {
		b, err := proto.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		if !compareReading(t, b) {
			t.Errorf("%v was left", q)
		}
	}
}

// TestAnswersAreWrittenAsTheLibraryReadsThem makes answers of all shapes.
func TestAnswersAreWrittenAsTheLibraryReadsThem(t *testing.T) {
	codec := newCodec()
	rapid.Check(t, func(rt *rapid.T) {
		r := &qdrant.QueryResponse{Time: rapid.SampledFrom([]float64{0, 0.25, math.Copysign(0, -1), math.MaxFloat64}).Draw(rt, "time")}
		for range rapid.IntRange(0, 100).Draw(rt, "points") {
			p := &qdrant.ScoredPoint{
				Id: qdrant.NewIDNum(rapid.Uint64().Draw(rt, "id")), Version: rapid.Uint64().Draw(rt, "version"),
				Score: rapid.SampledFrom([]float32{0, -1.5, float32(math.Copysign(0, -1)), float32(math.Inf(1))}).Draw(rt, "score"),
			}
			if rapid.IntRange(0, 99).Draw(rt, "else") == 0 {
				change(rt, p.ProtoReflect(), 2)
			}
			if rapid.IntRange(0, 99).Draw(rt, "payload") == 0 {
				p.Payload = qdrant.NewValueMap(map[string]any{"a": 1})
			}
			r.Result = append(r.Result, known(rt, p))
		}
		if size, is := sizeOfHits(r); is {
			if b := appendHits(nil, r); len(b) != size {
				rt.Fatalf("%d bytes were foretold, %d written", size, len(b))
			}
		}
		buffers, err := codec.Marshal(r)
		if err != nil {
			rt.Fatal(err)
		}
		defer buffers.Free()
		var got qdrant.QueryResponse
		if err := proto.Unmarshal(buffers.Materialize(), &got); err != nil || !proto.Equal(&got, r) {
			rt.Fatalf("%v was written as %v (%v)", r, &got, err)
		}
	})
}

func TestCommonAnswersNeedNoLibrary(t *testing.T) {
	r := &qdrant.QueryResponse{Time: 1, Result: []*qdrant.ScoredPoint{{Id: qdrant.NewIDNum(300), Score: 2, Version: 7}, {Id: qdrant.NewIDNum(0)}}}
	if size, ok := sizeOfHits(r); !ok || size != proto.Size(r) {
		t.Errorf("%d bytes (%v), the library takes %d", size, ok, proto.Size(r))
	}
	r.Result[1].Payload = qdrant.NewValueMap(map[string]any{"a": 1})
	if _, ok := sizeOfHits(r); ok {
		t.Error("a payload would be left out")
	}
}

// known returns a point without the fields that nobody knows, which this server never makes.
func known(t *rapid.T, p *qdrant.ScoredPoint) *qdrant.ScoredPoint {
	b, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	out := new(qdrant.ScoredPoint)
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTheCodecReadsWhatComesInPieces has a request lie in several buffers.
func TestTheCodecReadsWhatComesInPieces(t *testing.T) {
	want := quickQueries()[2]
	b, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	data := mem.BufferSlice{mem.SliceBuffer(b[:7]), mem.SliceBuffer(b[7:])}
	var got qdrant.QueryPoints
	if err := newCodec().Unmarshal(data, &got); err != nil || !proto.Equal(&got, want) {
		t.Errorf("%v, %v", &got, err)
	}
}
