package api_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
)

func TestAFieldThatANewerClientKnowsIsRefusedWhereverItStands(t *testing.T) {
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 9999, protowire.VarintType), 1)
	for method, requests := range examples() {
		for _, request := range requests {
			places := 0
			walk(request.ProtoReflect(), func(protoreflect.Message) { places++ })
			for place := range places {
				changed := proto.Clone(request)
				at := 0
				var name protoreflect.Name
				walk(changed.ProtoReflect(), func(m protoreflect.Message) {
					if at == place {
						m.SetUnknown(unknown)
						name = m.Descriptor().Name()
					}
					at++
				})
				l := prepared(t)
				l.refused(method, changed, codes.InvalidArgument, fmt.Sprintf("%s: it has a field that this server does not know", name))
				if calls := l.taken(); len(calls) > 0 {
					t.Errorf("%s: an unknown field in %s got as far as %v", method, name, calls)
				}
			}
		}
	}
}

func TestANumberWithoutANameIsRefusedInEveryEnum(t *testing.T) {
	for method, requests := range examples() {
		for _, request := range requests {
			eachChange(request, func(field protoreflect.FieldDescriptor, changed proto.Message) {
				if field.Kind() != protoreflect.EnumKind || api.NotBuilt()[field.FullName()] != "" {
					return
				}
				walk(changed.ProtoReflect(), func(m protoreflect.Message) {
					if m.Descriptor() == field.Parent() {
						m.Set(field, protoreflect.ValueOfEnum(12345))
					}
				})
				prepared(t).refused(method, changed, codes.InvalidArgument, "12345 is not a known value")
			})
		}
	}
}

func TestValuesOutsideTheirBoundsAreNamed(t *testing.T) {
	vectors := qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Dot})
	sized := func(size uint64) *qdrant.CreateCollection {
		return &qdrant.CreateCollection{CollectionName: "n", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: size, Distance: qdrant.Distance_Dot})}
	}
	for _, c := range []struct {
		method  string
		request proto.Message
		text    string
	}{
		{"Collections.Create", &qdrant.CreateCollection{CollectionName: "n", VectorsConfig: vectors, ShardNumber: new(uint32(0))}, "shard_number: value 0 invalid, must be from 1 to 1024"},
		{"Collections.Create", &qdrant.CreateCollection{CollectionName: "n", VectorsConfig: vectors, ShardNumber: new(uint32(100_000))}, "shard_number: value 100000 invalid"},
		{"Collections.Create", &qdrant.CreateCollection{CollectionName: "n", VectorsConfig: vectors, ReplicationFactor: new(uint32(0))}, "replication_factor: value 0"},
		{"Collections.Create", &qdrant.CreateCollection{CollectionName: "n", VectorsConfig: vectors, WriteConsistencyFactor: new(uint32(0))}, "write_consistency_factor: value 0"},
		{"Collections.Create", &qdrant.CreateCollection{VectorsConfig: vectors}, "collection_name: value \"\" invalid"},
		{"Collections.Create", sized(0), "size: value 0 invalid, must be from 1 to 65536"},
		{"Collections.Create", sized(65537), "size: value 65537"},
		{"Collections.Create", sized(math.MaxUint64), "size: value 1844674407370955"},
		{"Collections.Update", &qdrant.UpdateCollection{CollectionName: "c", Params: &qdrant.CollectionParamsDiff{ReplicationFactor: new(uint32(0))}}, "replication_factor: value 0"},
		{"Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c", Limit: new(uint32(0))}, "limit: value 0 invalid, must be 1 or larger"},
		{"Points.Search", &qdrant.SearchPoints{CollectionName: "c", Vector: []float32{1, 2}}, "limit: value 0"},
		{"Points.Query", &qdrant.QueryPoints{CollectionName: "c", Limit: new(uint64(0))}, "limit: value 0"},
		{"Points.Query", &qdrant.QueryPoints{}, "collection_name: value \"\" invalid"},
		{"Points.Count", &qdrant.CountPoints{CollectionName: "c", Timeout: new(uint64(0))}, "timeout: value 0"},
		{"Points.Upsert", &qdrant.UpsertPoints{}, "collection_name: value \"\" invalid"},
	} {
		l := prepared(t)
		l.refused(c.method, c.request, codes.InvalidArgument, "Validation error in body: ["+c.text)
		if calls := l.taken(); len(calls) > 0 {
			t.Errorf("%s got as far as %v", c.method, calls)
		}
	}
}

func TestEveryMethodIsServedOrNamesWhatIsMissing(t *testing.T) {
	served := examples()
	for _, file := range []protoreflect.FileDescriptor{
		qdrant.File_qdrant_proto, qdrant.File_collections_service_proto, qdrant.File_points_service_proto, qdrant.File_snapshots_service_proto,
	} {
		service := file.Services().Get(0)
		for i := range service.Methods().Len() {
			m := service.Methods().Get(i)
			name := string(service.Name()) + "." + string(m.Name())
			if _, ok := served[name]; ok {
				continue
			}
			request := filledRequest(m.Input())
			_, err := prepared(t).try(name, request)
			st := status.Convert(err)
			if st.Code() != codes.Unimplemented || !strings.HasSuffix(st.Message(), "("+name+"): not built yet") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// filledRequest is a request with as little in it as gets past the guard.
func filledRequest(d protoreflect.MessageDescriptor) proto.Message {
	t, err := protoTypes(d.FullName())
	if err != nil {
		panic(err)
	}
	m := t.New()
	if f := d.Fields().ByName("collection_name"); f != nil {
		m.Set(f, protoreflect.ValueOfString("c"))
	}
	return m.Interface()
}

func TestDeeplyNestedInputIsRefusedAndNothingElseHappens(t *testing.T) {
	nested := func(levels int) *qdrant.Filter {
		f := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewIsNull("k")}}
		for range levels - 1 {
			f = &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewFilterAsCondition(f)}}
		}
		return f
	}
	value := func(levels int) map[string]*qdrant.Value {
		v := qdrant.NewValueString("leaf")
		for range levels - 1 {
			v = qdrant.NewValueStruct(&qdrant.Struct{Fields: map[string]*qdrant.Value{"k": v}})
		}
		return map[string]*qdrant.Value{"k": v}
	}
	lists := qdrant.NewValueString("leaf")
	for range 64 {
		lists = qdrant.NewValueList(&qdrant.ListValue{Values: []*qdrant.Value{lists}})
	}
	count := func(levels int) proto.Message {
		return &qdrant.CountPoints{CollectionName: "c", Filter: nested(levels)}
	}
	set := func(payload map[string]*qdrant.Value) proto.Message {
		return &qdrant.SetPayloadPoints{CollectionName: "c", PointsSelector: ids(), Payload: payload}
	}
	l := prepared(t)
	l.must("Points.Count", count(64))
	l.must("Points.SetPayload", set(value(64)))
	l.taken()
	for _, levels := range []int{65, 100, 128, 1000, 3000} {
		l.refused("Points.Count", count(levels), codes.InvalidArgument, "nested")
		l.refused("Points.SetPayload", set(value(levels)), codes.InvalidArgument, "nested")
	}
	l.refused("Points.SetPayload", set(map[string]*qdrant.Value{"k": lists}), codes.InvalidArgument, "nested")
	if calls := l.taken(); len(calls) > 0 {
		t.Errorf("got as far as %v", calls)
	}
}

func TestAFilterOfTooManyConditionsIsRefused(t *testing.T) {
	many := make([]*qdrant.Condition, filter.MaxConditions+1)
	for i := range many {
		many[i] = qdrant.NewIsNull("k")
	}
	prepared(t).refused("Points.Count", &qdrant.CountPoints{CollectionName: "c", Filter: &qdrant.Filter{Should: many}}, codes.InvalidArgument, "more than 10000 conditions")
}
