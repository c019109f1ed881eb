package point

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// FromJSON reads a JSON object. Numbers written as integers become int64 where they fit, all others float64; of a
// repeated key the last one counts. Anything but one object nested at most MaxDepth levels is an error of class
// fault.Invalid.
func FromJSON(data []byte) (Payload, error) {
	v, err := ValueFromJSON(data)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, invalid("a payload must be a JSON object")
	}
	return m, nil
}

// ValueFromJSON is FromJSON for any one JSON value.
func ValueFromJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, invalid("JSON is not valid UTF-8")
	}
	if JSONNesting(data) > MaxDepth {
		return nil, exceeds("JSON is nested more than %d levels deep", MaxDepth)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "JSON is malformed")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid("JSON has something after its end, at byte %d", d.InputOffset())
	}
	return fromTree(v)
}

// JSONNesting returns how deeply the brackets of a JSON text nest. It needs no memory and no recursion, so that a
// hostile text can be refused before it is decoded.
func JSONNesting(data []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// fromTree turns the numbers in a decoded tree into int64 and float64, in place.
func fromTree(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return fromNumber(v.String())
	case []any:
		for i := range v {
			if v[i], err = fromTree(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = fromTree(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func fromNumber(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, invalid("JSON number %.64s is too large", text)
	}
	return f, nil
}

// ToJSON writes p as JSON with sorted keys, such that FromJSON gives p again: a float64 always has a fraction or an
// exponent. What JSON cannot hold (see Check) is an error of class fault.Invalid.
func ToJSON(p Payload) ([]byte, error) { return ValueToJSON(map[string]any(p)) }

// ValueToJSON is ToJSON for any one payload value.
func ValueToJSON(v any) ([]byte, error) {
	c := checker{left: math.MaxInt}
	if err := c.value(v, 0); err != nil {
		return nil, err
	}
	return appendJSON(nil, v), nil
}

func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return appendJSONFloat(dst, v)
	case string:
		return appendJSONString(dst, v)
	case []any:
		return appendJSONArray(dst, v)
	case map[string]any:
		return appendJSONObject(dst, v)
	}
	return append(dst, "null"...)
}

func appendJSONArray(dst []byte, list []any) []byte {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSON(dst, e)
	}
	return append(dst, ']')
}

func appendJSONObject(dst []byte, m map[string]any) []byte {
	dst = append(dst, '{')
	for i, k := range sortedKeys(m) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSON(append(appendJSONString(dst, k), ':'), m[k])
	}
	return append(dst, '}')
}

func appendJSONFloat(dst []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	text := strconv.FormatFloat(f, format, -1, 64)
	dst = append(dst, text...)
	if !strings.ContainsAny(text, ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
