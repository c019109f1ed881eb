package prototest

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// build turns a Go value into one of a type; attributes that are left out are null.
func build(t T, typ tftypes.Type, v any) tftypes.Value {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return tftypes.NewValue(typ, nil)
	case *int:
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	case tftypes.Value:
		return v
	case []any:
		return buildList(t, typ, v)
	case Config:
		return buildMap(t, typ, v)
	case map[string]any:
		return buildMap(t, typ, v)
	default:
		return tftypes.NewValue(typ, v)
	}
}

func buildList(t T, typ tftypes.Type, items []any) tftypes.Value {
	t.Helper()
	var element tftypes.Type
	switch typ := typ.(type) {
	case tftypes.List:
		element = typ.ElementType
	case tftypes.Set:
		element = typ.ElementType
	default:
		t.Fatalf("a list for %s", typ)
	}
	values := make([]tftypes.Value, len(items))
	for i, item := range items {
		values[i] = build(t, element, item)
	}
	return tftypes.NewValue(typ, values)
}

func buildMap(t T, typ tftypes.Type, fields map[string]any) tftypes.Value {
	t.Helper()
	values := map[string]tftypes.Value{}
	switch typ := typ.(type) {
	case tftypes.Map:
		for name, v := range fields {
			values[name] = build(t, typ.ElementType, v)
		}
	case tftypes.Object:
		for name, attr := range typ.AttributeTypes {
			values[name] = build(t, attr, fields[name])
		}
		for name := range fields {
			if _, ok := typ.AttributeTypes[name]; !ok {
				t.Fatalf("no attribute %q", name)
			}
		}
	default:
		t.Fatalf("a map for %s", typ)
	}
	return tftypes.NewValue(typ, values)
}

func encode(t T, typ tftypes.Type, v tftypes.Value) *tfprotov6.DynamicValue {
	t.Helper()
	out, err := tfprotov6.NewDynamicValue(typ, v)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return &out
}

func decode(t T, typ tftypes.Type, v *tfprotov6.DynamicValue) tftypes.Value {
	t.Helper()
	out, err := v.Unmarshal(typ)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return out
}

// Get returns the text of the value at a path such as "hnsw.m", `vectors[""].size` or "peers[0].name": "null" and
// "unknown" for those, and "missing" where there is nothing.
func Get(v tftypes.Value, path string) string {
	for _, step := range splitPath(path) {
		switch {
		case v.IsNull() || !v.IsKnown():
			return "missing"
		case v.Type().Is(tftypes.List{}):
			var items []tftypes.Value
			index, err := strconv.Atoi(step)
			if v.As(&items) != nil || err != nil || index >= len(items) {
				return "missing"
			}
			v = items[index]
		default:
			var fields map[string]tftypes.Value
			if v.As(&fields) != nil {
				return "missing"
			}
			next, ok := fields[step]
			if !ok {
				return "missing"
			}
			v = next
		}
	}
	return text(v)
}

// splitPath cuts a path into attribute names, map keys and indices.
func splitPath(path string) []string {
	var out []string
	for path != "" {
		switch path[0] {
		case '[':
			end := strings.IndexByte(path, ']')
			key := path[1:end]
			if unquoted, err := strconv.Unquote(key); err == nil {
				key = unquoted
			}
			out = append(out, key)
			path = strings.TrimPrefix(path[end+1:], ".")
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			out = append(out, path[:end])
			path = strings.TrimPrefix(path[end:], ".")
		}
	}
	return out
}

// text renders a value: numbers, strings and booleans plainly, collections by their number of elements.
func text(v tftypes.Value) string {
	switch {
	case !v.IsKnown():
		return "unknown"
	case v.IsNull():
		return "null"
	case v.Type().Is(tftypes.String):
		var s string
		_ = v.As(&s)
		return s
	case v.Type().Is(tftypes.Bool):
		var b bool
		_ = v.As(&b)
		return strconv.FormatBool(b)
	case v.Type().Is(tftypes.Number):
		var n big.Float
		_ = v.As(&n)
		return n.Text('g', 10)
	}
	var items []tftypes.Value
	var fields map[string]tftypes.Value
	if v.As(&items) == nil {
		return fmt.Sprintf("%d items", len(items))
	}
	_ = v.As(&fields)
	return fmt.Sprintf("%d items", len(fields))
}

// Diff returns the paths of the leaves in which two values differ, sorted. Of what appears or goes as a whole, the
// path of the whole is given.
func Diff(a, b tftypes.Value) []string {
	var out []string
	diff(a, b, "", &out)
	slices.Sort(out)
	return out
}

func diff(a, b tftypes.Value, at string, out *[]string) {
	if a.Equal(b) {
		return
	}
	var left, right map[string]tftypes.Value
	if a.IsNull() || b.IsNull() || !a.IsKnown() || !b.IsKnown() || a.As(&left) != nil || b.As(&right) != nil {
		*out = append(*out, at)
		return
	}
	object := a.Type().Is(tftypes.Object{})
	for name, v := range left {
		other, ok := right[name]
		if !ok {
			*out = append(*out, join(at, name, object))
			continue
		}
		diff(v, other, join(at, name, object), out)
	}
	for name := range right {
		if _, ok := left[name]; !ok {
			*out = append(*out, join(at, name, object))
		}
	}
}

func join(at, name string, object bool) string {
	switch {
	case !object:
		return at + "[" + strconv.Quote(name) + "]"
	case at == "":
		return name
	}
	return at + "." + name
}

func pathText(path *tftypes.AttributePath) string {
	var out string
	for _, step := range path.Steps() {
		switch step := step.(type) {
		case tftypes.AttributeName:
			out = join(out, string(step), true)
		case tftypes.ElementKeyString:
			out = join(out, string(step), false)
		case tftypes.ElementKeyInt:
			out += "[" + strconv.FormatInt(int64(step), 10) + "]"
		}
	}
	return out
}
