package catalog

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A collection's metadata keeps whole numbers and fractions apart (int64 and float64), as payloads do, so that what
// a client reads is what it wrote. Plain encoding/json would turn 1.0 into 1 and 1 into a float64.

// MarshalJSON writes c with a metadata form that keeps the kinds of numbers.
func (c Config) MarshalJSON() ([]byte, error) {
	type plain Config
	return json.Marshal(struct {
		plain
		Metadata metadata `json:"metadata,omitempty"`
	}{plain(c), metadata(c.Metadata)})
}

// UnmarshalJSON reads what MarshalJSON wrote and refuses fields that it does not know.
func (c *Config) UnmarshalJSON(b []byte) error {
	type plain Config
	var v struct {
		plain
		Metadata metadata `json:"metadata,omitempty"`
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return err
	}
	*c = Config(v.plain)
	c.Metadata = v.Metadata
	return nil
}

type metadata map[string]any

// MarshalJSON writes objects with sorted keys and every float64 with a point or an exponent.
func (m metadata) MarshalJSON() ([]byte, error) { return appendValue(nil, map[string]any(m)) }

func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return appendFloat(b, v)
	case string:
		s, err := json.Marshal(v)
		return append(b, s...), err
	case []any:
		return appendList(b, v)
	case map[string]any:
		return appendObject(b, v)
	}
	return nil, invalid("metadata: %T is not a JSON value", v)
}

func appendFloat(b []byte, v float64) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, invalid("metadata: %v is not a finite number", v)
	}
	at := len(b)
	b = strconv.AppendFloat(b, v, 'g', -1, 64)
	if !bytes.ContainsAny(b[at:], ".e") {
		b = append(b, '.', '0')
	}
	return b, nil
}

func appendList(b []byte, list []any) (_ []byte, err error) {
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, e); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, object map[string]any) (_ []byte, err error) {
	b = append(b, '{')
	for i, key := range sortedKeys(object) {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		b = append(append(b, name...), ':')
		if b, err = appendValue(b, object[key]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads numbers with a point or an exponent as float64, and others as int64.
func (m *metadata) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return err
	}
	for key, v := range object {
		number, err := withNumbers(v)
		if err != nil {
			return err
		}
		object[key] = number
	}
	*m = object
	return nil
}

func withNumbers(v any) (_ any, err error) {
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return strconv.ParseInt(v.String(), 10, 64)
		}
		return strconv.ParseFloat(v.String(), 64)
	case []any:
		for i := range v {
			if v[i], err = withNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = withNumbers(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// checkMetadata checks kinds, depth, texts and size.
func checkMetadata(m map[string]any) error {
	if len(m) == 0 {
		return nil
	}
	if err := checkValue(m, 1); err != nil {
		return err
	}
	b, err := appendValue(nil, m)
	if err != nil {
		return err
	}
	if len(b) > MaxMetadataBytes {
		return invalid("metadata takes %d bytes as JSON, at most %d are allowed", len(b), MaxMetadataBytes)
	}
	return nil
}

func checkValue(v any, depth int) error {
	if depth > MaxMetadataDepth {
		return invalid("metadata is nested deeper than %d levels", MaxMetadataDepth)
	}
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return invalid("metadata: %.64q is not valid UTF-8", v)
		}
	case []any:
		for _, e := range v {
			if err := checkValue(e, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, e := range v {
			if !utf8.ValidString(key) {
				return invalid("metadata: key %.64q is not valid UTF-8", key)
			}
			if err := checkValue(e, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
