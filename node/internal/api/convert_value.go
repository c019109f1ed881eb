package api

import (
	"math"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// payloadFrom reads a payload. The object itself is the first of the point.MaxDepth levels. The result is never nil.
func payloadFrom(fields map[string]*qdrant.Value) (point.Payload, error) {
	object, err := objectFrom(fields, 1)
	return object, err
}

func objectFrom(fields map[string]*qdrant.Value, depth int) (map[string]any, error) {
	object := make(map[string]any, len(fields))
	for key, v := range fields {
		value, err := valueFrom(v, depth)
		if err != nil {
			return nil, err
		}
		object[key] = value
	}
	return object, nil
}

// valueFrom reads a value that stands in a container of that depth. A value of no kind is null, as in Qdrant; one of
// a kind that this server does not know has been refused by the guard.
func valueFrom(v *qdrant.Value, depth int) (any, error) {
	switch k := v.GetKind().(type) {
	case *qdrant.Value_BoolValue:
		return k.BoolValue, nil
	case *qdrant.Value_IntegerValue:
		return k.IntegerValue, nil
	case *qdrant.Value_StringValue:
		return k.StringValue, nil
	case *qdrant.Value_DoubleValue:
		if math.IsNaN(k.DoubleValue) || math.IsInf(k.DoubleValue, 0) {
			return nil, invalid("payload: %v is not a JSON number", k.DoubleValue)
		}
		return k.DoubleValue, nil
	case *qdrant.Value_StructValue:
		if depth >= point.MaxDepth {
			return nil, tooDeep("payload")
		}
		return objectFrom(k.StructValue.GetFields(), depth+1)
	case *qdrant.Value_ListValue:
		if depth >= point.MaxDepth {
			return nil, tooDeep("payload")
		}
		return listFrom(k.ListValue.GetValues(), depth+1)
	}
	return nil, nil
}

func listFrom(values []*qdrant.Value, depth int) ([]any, error) {
	list := make([]any, len(values))
	for i, v := range values {
		value, err := valueFrom(v, depth)
		if err != nil {
			return nil, err
		}
		list[i] = value
	}
	return list, nil
}

func tooDeep(what string) error {
	return invalid("%s: nested more than %d levels deep", what, point.MaxDepth)
}

// payloadTo writes a payload.
func payloadTo(p point.Payload) (map[string]*qdrant.Value, error) {
	if len(p) == 0 {
		return nil, nil
	}
	fields := make(map[string]*qdrant.Value, len(p))
	for key, v := range p {
		value, err := valueTo(v)
		if err != nil {
			return nil, err
		}
		fields[key] = value
	}
	return fields, nil
}

// valueTo writes a value of the closed set of kinds that point.Payload has.
func valueTo(v any) (*qdrant.Value, error) {
	switch v := v.(type) {
	case nil:
		return &qdrant.Value{Kind: &qdrant.Value_NullValue{}}, nil
	case bool:
		return &qdrant.Value{Kind: &qdrant.Value_BoolValue{BoolValue: v}}, nil
	case int64:
		return &qdrant.Value{Kind: &qdrant.Value_IntegerValue{IntegerValue: v}}, nil
	case float64:
		return &qdrant.Value{Kind: &qdrant.Value_DoubleValue{DoubleValue: v}}, nil
	case string:
		return &qdrant.Value{Kind: &qdrant.Value_StringValue{StringValue: v}}, nil
	case map[string]any:
		fields, err := payloadTo(v)
		return &qdrant.Value{Kind: &qdrant.Value_StructValue{StructValue: &qdrant.Struct{Fields: fields}}}, err
	case []any:
		values, err := listTo(v)
		return &qdrant.Value{Kind: &qdrant.Value_ListValue{ListValue: &qdrant.ListValue{Values: values}}}, err
	}
	return nil, fault.New(fault.Internal, "payload holds a %T", v)
}

func listTo(list []any) ([]*qdrant.Value, error) {
	values := make([]*qdrant.Value, len(list))
	for i, v := range list {
		value, err := valueTo(v)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, nil
}
