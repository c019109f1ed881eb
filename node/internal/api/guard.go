package api

import (
	"context"
	"math"
	"slices"

	"github.com/hashicorp/go-hclog"
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
	logger hclog.Logger
}

// messageRules is what is to be looked at in messages of one type.
type messageRules struct {
	refused  []refusedField
	bounded  []boundedField
	enums    []protoreflect.FieldDescriptor
	children []protoreflect.FieldDescriptor
}

type refusedField struct {
	field protoreflect.FieldDescriptor
	noun  string
}

type boundedField struct {
	field protoreflect.FieldDescriptor
	limits
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
	return g
}

func (g *guard) learn(message protoreflect.MessageDescriptor) {
	if _, known := g.rules[message.FullName()]; known {
		return
	}
	r := &messageRules{}
	g.rules[message.FullName()] = r
	fields := message.Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		r.add(field)
		if child := childOf(field); child != nil {
			r.children = append(r.children, field)
			g.learn(child)
		}
	}
}

func (r *messageRules) add(field protoreflect.FieldDescriptor) {
	if noun, ok := notBuilt[field.FullName()]; ok {
		r.refused = append(r.refused, refusedField{field, noun})
	}
	if l, ok := limitsOf(field); ok {
		r.bounded = append(r.bounded, boundedField{field, l})
	}
	if field.Kind() == protoreflect.EnumKind {
		r.enums = append(r.enums, field)
	}
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
	err := g.examine(req.(proto.Message))
	if err != nil {
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
func (g *guard) examine(req proto.Message) error { return g.message(req.ProtoReflect(), 1) }

func (g *guard) message(m protoreflect.Message, depth int) error {
	name := m.Descriptor().Name()
	if depth > maxNesting {
		return invalid("%s: messages are nested more than %d levels deep", name, maxNesting)
	}
	if len(m.GetUnknown()) > 0 {
		return invalid("%s: it has a field that this server does not know; is the client newer than the server?", name)
	}
	r := g.rules[m.Descriptor().FullName()]
	for _, f := range r.refused {
		if m.Has(f.field) {
			return missing(f.noun, string(name)+"."+string(f.field.Name()))
		}
	}
	for _, f := range r.enums {
		if err := knownEnum(m, f); err != nil {
			return err
		}
	}
	for _, f := range r.bounded {
		if err := f.check(m, f.field); err != nil {
			return err
		}
	}
	for _, field := range r.children {
		if err := g.child(m, field, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) child(m protoreflect.Message, field protoreflect.FieldDescriptor, depth int) (err error) {
	if !m.Has(field) {
		return nil
	}
	switch v := m.Get(field); {
	case field.IsList():
		for i := 0; i < v.List().Len() && err == nil; i++ {
			err = g.message(v.List().Get(i).Message(), depth)
		}
	case field.IsMap():
		v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
			err = g.message(e.Message(), depth)
			return err == nil
		})
	default:
		err = g.message(v.Message(), depth)
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
