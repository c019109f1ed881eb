package client

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/qdrant/go-client/qdrant"
)

// maxValueDepth bounds the nesting of JSON values, far above what servers accept, so that a cyclic value is an error
// and not a stack overflow.
const maxValueDepth = 512

// toPayload turns a JSON object into its wire form.
func toPayload(object map[string]any) (map[string]*qdrant.Value, error) {
	return toFields(object, 0)
}

func toFields(object map[string]any, depth int) (map[string]*qdrant.Value, error) {
	if object == nil {
		return nil, nil
	}
	out := make(map[string]*qdrant.Value, len(object))
	for k, v := range object {
		w, err := toValue(v, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", k, err)
		}
		out[k] = w
	}
	return out, nil
}

func toValue(v any, depth int) (*qdrant.Value, error) {
	if depth > maxValueDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxValueDepth)
	}
	switch v := v.(type) {
	case nil:
		return qdrant.NewValueNull(), nil
	case bool:
		return qdrant.NewValueBool(v), nil
	case string:
		return qdrant.NewValueString(v), nil
	case []any:
		return toList(v, depth)
	case map[string]any:
		fields, err := toFields(v, depth)
		if err != nil {
			return nil, err
		}
		return qdrant.NewValueStruct(&qdrant.Struct{Fields: fields}), nil
	}
	return toNumber(v)
}

func toList(list []any, depth int) (*qdrant.Value, error) {
	values := make([]*qdrant.Value, len(list))
	for i, v := range list {
		w, err := toValue(v, depth+1)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		values[i] = w
	}
	return qdrant.NewValueList(&qdrant.ListValue{Values: values}), nil
}

func toNumber(v any) (*qdrant.Value, error) {
	switch v := v.(type) {
	case int:
		return qdrant.NewValueInt(int64(v)), nil
	case int32:
		return qdrant.NewValueInt(int64(v)), nil
	case int64:
		return qdrant.NewValueInt(v), nil
	case uint32:
		return qdrant.NewValueInt(int64(v)), nil
	case uint64:
		if v > math.MaxInt64 {
			return nil, fmt.Errorf("%d: integers end at 2^63-1", v)
		}
		return qdrant.NewValueInt(int64(v)), nil
	case float32:
		return toDouble(float64(v))
	case float64:
		return toDouble(v)
	case json.Number:
		return toJSONNumber(v)
	}
	return nil, fmt.Errorf("%T is not a JSON value", v)
}

func toDouble(f float64) (*qdrant.Value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%v is not a JSON number", f)
	}
	return qdrant.NewValueDouble(f), nil
}

// toJSONNumber keeps the kind as written: 1 is an integer, 1.0 and 1e0 are not. An integer beyond 64 bits becomes the
// nearest double.
func toJSONNumber(n json.Number) (*qdrant.Value, error) {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return qdrant.NewValueInt(i), nil
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return nil, fmt.Errorf("number %.64q: %w", string(n), err)
	}
	return toDouble(f)
}

func fromPayload(fields map[string]*qdrant.Value) map[string]any {
	if fields == nil {
		return nil
	}
	out := make(map[string]any, len(fields))
	for k, v := range fields {
		out[k] = fromValue(v)
	}
	return out
}

func fromValue(v *qdrant.Value) any {
	switch k := v.GetKind().(type) {
	case *qdrant.Value_BoolValue:
		return k.BoolValue
	case *qdrant.Value_IntegerValue:
		return k.IntegerValue
	case *qdrant.Value_DoubleValue:
		return k.DoubleValue
	case *qdrant.Value_StringValue:
		return k.StringValue
	case *qdrant.Value_ListValue:
		list := make([]any, len(k.ListValue.GetValues()))
		for i, v := range k.ListValue.GetValues() {
			list[i] = fromValue(v)
		}
		return list
	case *qdrant.Value_StructValue:
		object := fromPayload(k.StructValue.GetFields())
		if object == nil {
			object = map[string]any{}
		}
		return object
	}
	return nil
}
