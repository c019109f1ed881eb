package api

import (
	"context"
	"fmt"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Call answers one request as a server would, without a network.
type Call func(ctx context.Context, method string, request []byte) (proto.Message, error)

// NewCall returns the services behind Register as a function. Methods are named as "Points.Upsert".
func NewCall(o Options) (Call, error) {
	services, err := newServices(o)
	if err != nil {
		return nil, err
	}
	methods := map[string]func(context.Context, []byte) (any, error){}
	for _, s := range services {
		for _, m := range s.desc.Methods {
			name := string(protoreflect.FullName(s.desc.ServiceName).Name()) + "." + m.MethodName
			methods[name] = func(ctx context.Context, request []byte) (any, error) {
				return m.Handler(s.server, ctx, func(v any) error { return proto.Unmarshal(request, v.(proto.Message)) }, nil)
			}
		}
	}
	return func(ctx context.Context, method string, request []byte) (proto.Message, error) {
		m, ok := methods[method]
		if !ok {
			return nil, fmt.Errorf("no method %s", method)
		}
		resp, err := m(ctx, request)
		if err != nil {
			return nil, err
		}
		return resp.(proto.Message), nil
	}, nil
}

// NotBuilt is the table of fields that are refused.
func NotBuilt() map[protoreflect.FullName]string { return notBuilt }

// Bounds is the table of fields with limits.
func Bounds() map[protoreflect.FullName]bool {
	out := map[protoreflect.FullName]bool{}
	for name := range bounds {
		out[name] = true
	}
	return out
}

// Conversions runs every conversion there and back that a request of unknown origin can reach. It returns an error if
// what came back is not what went in.
func Conversions(b []byte) error {
	var v qdrant.Struct
	if proto.Unmarshal(b, &v) == nil {
		if p, err := payloadFrom(v.GetFields()); err == nil {
			back, err := payloadTo(p)
			if err != nil {
				return err
			}
			again, err := payloadFrom(back)
			if err != nil {
				return err
			}
			if fmt.Sprint(p) != fmt.Sprint(again) {
				return fmt.Errorf("payload %v came back as %v", p, again)
			}
		}
	}
	var id qdrant.PointId
	if proto.Unmarshal(b, &id) == nil {
		if p, err := idFrom(&id); err == nil {
			if again, err := idFrom(idTo(p)); err != nil || again != p {
				return fmt.Errorf("id %s came back as %s: %w", p, again, err)
			}
		}
	}
	return nil
}
