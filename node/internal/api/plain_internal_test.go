package api

import (
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

// TestWhatIsPlainTheGuardJudgesAlike makes searches of all shapes: the guard refuses those in which its rules find something, whether or
// not it applies all of them.
func TestWhatIsPlainTheGuardJudgesAlike(t *testing.T) {
	g := newGuard(hclog.NewNullLogger(), qdrant.File_points_service_proto.Services().ByName("Points"))
	rapid.Check(t, func(t *rapid.T) {
		request := rapid.SampledFrom([]proto.Message{&qdrant.QueryPoints{}, &qdrant.SearchPoints{}}).Draw(t, "type")
		request = proto.Clone(request)
		params := &qdrant.SearchParams{HnswEf: proto.Uint64(10)}
		if rapid.Bool().Draw(t, "no params") {
			params = nil
		}
		common(request, params)
		m := request.ProtoReflect()
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			change(t, m, 4)
		}
		if want, got := g.rules[m.Descriptor().FullName()].check(m, 1), g.examine(request); (want == nil) != (got == nil) {
			t.Fatalf("%v: the guard says %v, its rules %v", request, got, want)
		}
	})
}

func TestCommonRequestsArePlain(t *testing.T) {
	for _, request := range []proto.Message{&qdrant.QueryPoints{}, &qdrant.SearchPoints{}} {
		for _, params := range []*qdrant.SearchParams{nil, {HnswEf: proto.Uint64(10)}} {
			common(request, params)
			if f, ok := plain(request); !ok || f != nil {
				t.Errorf("%v is not plain", request)
			}
		}
	}
	if _, ok := plain(&qdrant.QueryPoints{Query: qdrant.NewQueryID(qdrant.NewIDNum(1))}); ok {
		t.Error("a query about a point is plain")
	}
}

// common makes a request one that comes often.
func common(request proto.Message, params *qdrant.SearchParams) {
	switch r := request.(type) {
	case *qdrant.QueryPoints:
		r.CollectionName, r.Query, r.Params = "c", qdrant.NewQueryDense([]float32{1, 2}), params
	case *qdrant.SearchPoints:
		r.CollectionName, r.Vector, r.Limit, r.Params = "c", []float32{1, 2}, 3, params
	}
}

// change sets something in a message, or in one that it holds.
func change(t *rapid.T, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	at := rapid.IntRange(-1, fields.Len()-1).Draw(t, "field")
	if at < 0 {
		m.SetUnknown([]byte{0xc0, 0x3e, 1}) // number 1000, a varint
		return
	}
	f := fields.Get(at)
	switch {
	case f.IsMap():
	case f.IsList():
		e := m.Mutable(f).List()
		if f.Message() == nil {
			e.Append(scalar(t, f))
		} else if depth > 0 {
			change(t, e.AppendMutable().Message(), depth-1)
		}
	case f.Message() != nil:
		if depth > 0 {
			change(t, m.Mutable(f).Message(), depth-1)
		}
	default:
		m.Set(f, scalar(t, f))
	}
}

func scalar(t *rapid.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	small := rapid.IntRange(0, 3).Draw(t, "value")
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(small > 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(small * 5))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("word"[:small])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("word")[:small])
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(small))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(small))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(small))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(small))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(small))
	default:
		return protoreflect.ValueOfUint64(uint64(small))
	}
}
