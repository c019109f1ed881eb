package point

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
)

// A payload's body is an object:
//
//	object   count, then per member in ascending order of keys: key (bytes), value
//	value    tag (1 byte), then by tag
//	         0 null   1 false   2 true        nothing
//	         3 integer                        int
//	         4 float                          8 bytes, IEEE 754, little endian
//	         5 string                         bytes
//	         6 array                          count, values
//	         7 object                         object
//
// Floats keep every bit. Nesting deeper than MaxDepth is refused when decoding.
const (
	tagNull = iota
	tagFalse
	tagTrue
	tagInt
	tagFloat
	tagString
	tagArray
	tagObject
)

// roomAhead bounds what is allocated on the word of a count: nested lists could each claim all the bytes that follow.
const roomAhead = 64

func appendObject(dst []byte, m map[string]any) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m)))
	for _, k := range sortedKeys(m) {
		dst = appendValue(appendBytes(dst, k), m[k])
	}
	return dst
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	keys := slices.AppendSeq(make([]string, 0, len(m)), maps.Keys(m))
	slices.Sort(keys)
	return keys
}

// appendValue panics on a type that Payload does not allow: Check comes before encoding.
func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, tagNull)
	case bool:
		if v {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	case int64:
		return binary.AppendVarint(append(dst, tagInt), v)
	case float64:
		return binary.LittleEndian.AppendUint64(append(dst, tagFloat), math.Float64bits(v))
	case string:
		return appendBytes(append(dst, tagString), v)
	case []any:
		dst = binary.AppendUvarint(append(dst, tagArray), uint64(len(v)))
		for _, e := range v {
			dst = appendValue(dst, e)
		}
		return dst
	case map[string]any:
		return appendObject(append(dst, tagObject), v)
	}
	panic(fmt.Sprintf("point: a payload cannot hold %T", v))
}

// object reads an object at a level of nesting; the payload itself is level 1. An empty one gives an empty map.
func (r *reader) object(level int) map[string]any {
	n := r.count(2)
	m := make(map[string]any, min(n, roomAhead))
	key := ""
	for i := range n {
		key = r.key(key, i == 0)
		m[key] = r.value(level)
		if r.err != nil {
			return nil
		}
	}
	return m
}

func (r *reader) value(level int) any {
	switch r.byte() {
	case tagNull:
		return nil
	case tagFalse:
		return false
	case tagTrue:
		return true
	case tagInt:
		return r.int()
	case tagFloat:
		if b := r.take(8); b != nil {
			return math.Float64frombits(binary.LittleEndian.Uint64(b))
		}
		return nil
	case tagString:
		return r.string()
	case tagArray:
		if r.deeper(level) {
			return r.array(level + 1)
		}
	case tagObject:
		if r.deeper(level) {
			return r.object(level + 1)
		}
	default:
		r.fail("unknown kind of value")
	}
	return nil
}

// deeper reports whether a container may stand at a level.
func (r *reader) deeper(level int) bool {
	if level >= MaxDepth {
		r.fail("nested too deeply")
	}
	return level < MaxDepth
}

func (r *reader) array(level int) []any {
	n := r.count(1)
	list := make([]any, 0, min(n, roomAhead))
	for range n {
		list = append(list, r.value(level))
		if r.err != nil {
			return nil
		}
	}
	return list
}
