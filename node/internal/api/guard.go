package api

import (
	"context"
	"math"
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// maxNesting bounds how deep messages stand in each other: room for point.MaxDepth levels of filters, each of which
// is three messages (filter, condition, nested condition), below a batch.
const maxNesting = 256

// guard stands before every method of Qdrant's services: it examines the request as a whole and words the errors.
// It is immutable.
type guard struct {
	rules  map[protoreflect.FullName]*messageRules
	filter *messageRules // those of filters
	logger hclog.Logger
}

// messageRules is what is to be looked at in messages of one type: the fields that can be there at the same time, and
// the oneofs, of each of which one field at most is there.
type messageRules struct {
	name    protoreflect.Name
	fields  []*fieldRules
	choices []choice
}

type choice struct {
	oneof  protoreflect.OneofDescriptor
	fields map[protoreflect.FieldNumber]*fieldRules
}

// fieldRules is what is to be looked at in one field.
type fieldRules struct {
	field  protoreflect.FieldDescriptor
	noun   string // what is not built; "" if the field is
	limits *limits
	child  *messageRules // of the messages that it holds, if it holds any
}

// newGuard learns the rules of every message that a request of these services can hold.
func newGuard(logger hclog.Logger, services ...protoreflect.ServiceDescriptor) *guard {
	g := &guard{rules: map[protoreflect.FullName]*messageRules{}, logger: logger}
	for _, s := range services {
		methods := s.Methods()
		for i := range methods.Len() {
			g.learn(methods.Get(i).Input())
		}
	}
	g.filter = g.learn((*qdrant.Filter)(nil).ProtoReflect().Descriptor())
	return g
}

func (g *guard) learn(message protoreflect.MessageDescriptor) *messageRules {
	if r, known := g.rules[message.FullName()]; known {
		return r
	}
	r := &messageRules{name: message.Name()}
	g.rules[message.FullName()] = r
	fields := message.Fields()
	for i := range fields.Len() {
		if f := g.learnField(fields.Get(i)); f != nil {
			r.add(f)
		}
	}
	return r
}

// learnField returns nil for a field in which nothing is to be looked at.
func (g *guard) learnField(field protoreflect.FieldDescriptor) *fieldRules {
	f := &fieldRules{field: field, noun: notBuilt[field.FullName()]}
	if l, ok := limitsOf(field); ok {
		f.limits = &l
	}
	if child := childOf(field); child != nil {
		f.child = g.learn(child)
	}
	if f.noun == "" && f.limits == nil && f.child == nil && field.Kind() != protoreflect.EnumKind {
		return nil
	}
	return f
}

func (r *messageRules) add(f *fieldRules) {
	oneof := f.field.ContainingOneof()
	if oneof == nil || oneof.IsSynthetic() {
		r.fields = append(r.fields, f)
		return
	}
	i := slices.IndexFunc(r.choices, func(c choice) bool { return c.oneof == oneof })
	if i < 0 {
		i = len(r.choices)
		r.choices = append(r.choices, choice{oneof, map[protoreflect.FieldNumber]*fieldRules{}})
	}
	r.choices[i].fields[f.field.Number()] = f
}

// childOf returns the type of the messages that a field holds, singly, in a list or as values of a map.
func childOf(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if field.IsMap() {
		return field.MapValue().Message()
	}
	return field.Message()
}

// wrap returns desc with the guard before each of its methods, inside of the server's own interceptors.
func (g *guard) wrap(desc grpc.ServiceDesc) *grpc.ServiceDesc {
	desc.Methods = slices.Clone(desc.Methods)
	for i := range desc.Methods {
		method := desc.Methods[i].Handler
		desc.Methods[i].Handler = func(srv any, ctx context.Context, decode func(any) error, outer grpc.UnaryServerInterceptor) (any, error) {
			return method(srv, ctx, decode, func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
				inner := func(ctx context.Context, req any) (any, error) { return g.call(ctx, req, info, h) }
				if outer == nil {
					return inner(ctx, req)
				}
				return outer(ctx, req, info, inner)
			})
		}
	}
	return &desc
}

func (g *guard) call(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	_, err := consistencyHeader(ctx)
	if err := first(err, g.examine(req.(proto.Message))); err != nil {
		return nil, statusError(err)
	}
	resp, err := h(ctx, req)
	if fault.Is(err, fault.Internal) || fault.Is(err, fault.Corrupt) {
		g.logger.Error("request failed", "method", info.FullMethod, "error", err)
	}
	if err != nil {
		return nil, statusError(err)
	}
	return resp, nil
}

// examine refuses what no handler may see: fields that this server does not know, fields that are not built, enum
// numbers without a name, values outside their bounds, and messages nested too deeply.
func (g *guard) examine(req proto.Message) error {
	f, ok := plain(req)
	switch {
	case !ok:
		m := req.ProtoReflect()
		return g.rules[m.Descriptor().FullName()].check(m, 1)
	case f != nil:
		return g.filter.check(f.ProtoReflect(), 2)
	}
	return nil
}

func (r *messageRules) check(m protoreflect.Message, depth int) error {
	if depth > maxNesting {
		return invalid("%s: messages are nested more than %d levels deep", r.name, maxNesting)
	}
	if len(m.GetUnknown()) > 0 {
		return unknownField(r.name)
	}
	if v, ok := m.Interface().(*qdrant.Value); ok {
		return r.checkValue(v, depth)
	}
	for _, f := range r.fields {
		if f.limits != nil {
			if err := f.limits.check(m, f.field); err != nil {
				return err
			}
		}
		if !m.Has(f.field) {
			continue
		}
		if err := f.check(m, depth); err != nil {
			return err
		}
	}
	for _, c := range r.choices {
		chosen := m.WhichOneof(c.oneof)
		if chosen == nil || c.fields[chosen.Number()] == nil {
			continue
		}
		if err := c.fields[chosen.Number()].check(m, depth); err != nil {
			return err
		}
	}
	return nil
}

func unknownField(message protoreflect.Name) error {
	return invalid("%s: it has a field that this server does not know; is the client newer than the server?", message)
}

// checkValue is check for payload values, of which a large upsert has hundreds of thousands: the same by the fields
// of the generated type, without reflection.
func (r *messageRules) checkValue(v *qdrant.Value, depth int) (err error) {
	switch k := v.GetKind().(type) {
	case *qdrant.Value_NullValue:
		return knownEnum(v.ProtoReflect(), v.ProtoReflect().Descriptor().Fields().ByName("null_value"))
	case *qdrant.Value_StructValue:
		if len(k.StructValue.ProtoReflect().GetUnknown()) > 0 {
			return unknownField("Struct")
		}
		for _, e := range k.StructValue.GetFields() {
			if err = r.check(e.ProtoReflect(), depth+2); err != nil {
				return err
			}
		}
	case *qdrant.Value_ListValue:
		if len(k.ListValue.ProtoReflect().GetUnknown()) > 0 {
			return unknownField("ListValue")
		}
		for _, e := range k.ListValue.GetValues() {
			if err = r.check(e.ProtoReflect(), depth+2); err != nil {
				return err
			}
		}
	}
	return nil
}

// check looks at a field that is there.
func (f *fieldRules) check(m protoreflect.Message, depth int) error {
	if f.noun != "" {
		return missing(f.noun, string(m.Descriptor().Name())+"."+string(f.field.Name()))
	}
	if f.field.Kind() == protoreflect.EnumKind {
		return knownEnum(m, f.field)
	}
	if f.child == nil {
		return nil
	}
	return f.checkChildren(m.Get(f.field), depth+1)
}

func (f *fieldRules) checkChildren(v protoreflect.Value, depth int) (err error) {
	switch {
	case f.field.IsList():
		list := v.List()
		for i := 0; i < list.Len() && err == nil; i++ {
			err = f.child.check(list.Get(i).Message(), depth)
		}
	case f.field.IsMap():
		v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
			err = f.child.check(e.Message(), depth)
			return err == nil
		})
	default:
		err = f.child.check(v.Message(), depth)
	}
	return err
}

// knownEnum refuses numbers that a newer client may mean something by.
func knownEnum(m protoreflect.Message, field protoreflect.FieldDescriptor) error {
	number := m.Get(field).Enum()
	if field.Enum().Values().ByNumber(number) == nil {
		return invalid("%s.%s: %d is not a known value", m.Descriptor().Name(), field.Name(), number)
	}
	return nil
}

// check compares a value with its limits. A field that can be absent and is has none.
func (l limits) check(m protoreflect.Message, field protoreflect.FieldDescriptor) error {
	if field.HasPresence() && !m.Has(field) {
		return nil
	}
	if field.Kind() == protoreflect.StringKind {
		if m.Get(field).String() == "" {
			return invalidBody(string(field.Name()), "value \"\" invalid, must not be empty")
		}
		return nil
	}
	value := float64(m.Get(field).Uint())
	switch {
	case value >= l.low && value <= l.high:
		return nil
	case l.high == math.MaxUint64:
		return invalidBody(string(field.Name()), "value %.0f invalid, must be %.0f or larger", value, l.low)
	}
	return invalidBody(string(field.Name()), "value %.0f invalid, must be from %.0f to %.0f", value, l.low, l.high)
}
