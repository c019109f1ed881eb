package point

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Limits of what Check and CheckOp let in.
const (
	MaxPayloadBytes = 16 << 20 // of one payload, about as encoded
	MaxPathBytes    = 4096     // of a path's text
)

// Check reports what keeps p from being stored: a type that Payload does not list, a number that is not finite, a key
// or string that is not UTF-8, nesting beyond MaxDepth, or a size beyond MaxPayloadBytes. The error is of class
// fault.Invalid and names the place.
func Check(p Payload) error { return checkPayload(p, 1) }

// checkPayload checks a payload that will stand at a level of nesting.
func checkPayload(p Payload, level int) error {
	c := checker{left: MaxPayloadBytes}
	return c.object(p, level)
}

// checker walks a payload. The way to where it stands is put into words only for an error: keys may be long and many.
type checker struct {
	left int      // bytes that may still come
	at   []string // keys, "[]" for an array
}

func (c *checker) object(m map[string]any, level int) error {
	if err := c.level(level); err != nil {
		return err
	}
	for k, v := range m {
		c.at = append(c.at, k)
		if err := c.text(k, "key"); err != nil {
			return err
		}
		if err := c.value(v, level); err != nil {
			return err
		}
		c.at = c.at[:len(c.at)-1]
	}
	return nil
}

func (c *checker) value(v any, level int) error {
	switch v := v.(type) {
	case nil, bool:
		return c.spend(1)
	case int64:
		return c.spend(9)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return invalid("payload at %s: %v is not a finite number", c.place(), v)
		}
		return c.spend(9)
	case string:
		return c.text(v, "string")
	case []any:
		return c.array(v, level+1)
	case map[string]any:
		return c.object(v, level+1)
	}
	return invalid("payload at %s: %T is no JSON value", c.place(), v)
}

func (c *checker) array(list []any, level int) error {
	if err := c.level(level); err != nil {
		return err
	}
	c.at = append(c.at, "[]")
	for _, e := range list {
		if err := c.value(e, level); err != nil {
			return err
		}
	}
	c.at = c.at[:len(c.at)-1]
	return c.spend(1)
}

func (c *checker) level(level int) error {
	if level > MaxDepth {
		return exceeds("payload at %s is nested more than %d levels deep", c.place(), MaxDepth)
	}
	return nil
}

func (c *checker) text(s, what string) error {
	if !utf8.ValidString(s) {
		return invalid("payload at %s: the %s is not valid UTF-8", c.place(), what)
	}
	return c.spend(1 + len(s))
}

func (c *checker) spend(n int) error {
	if c.left -= n; c.left < 0 {
		return exceeds("payload is larger than %d MiB", MaxPayloadBytes>>20)
	}
	return nil
}

// place writes where the checker stands, as a path, cut short if it is long.
func (c *checker) place() string {
	const longest = 128
	var b strings.Builder
	for i, key := range c.at {
		if b.Len() > longest {
			return b.String() + "..."
		}
		if key != "[]" && i > 0 {
			b.WriteByte('.')
		}
		if key != "[]" {
			key = quoteKey(fmt.Sprintf("%.64s", strings.ToValidUTF8(key, "\uFFFD")))
		}
		b.WriteString(key)
	}
	return b.String()
}

// CheckOp reports what keeps op from being logged, as far as that can be told without a schema: payloads as Check,
// with the depth at which they will stand, paths, finite vector components, and known modes. What passes can be
// encoded, and applying it never makes a record that cannot be. Filters are checked where they are made.
func CheckOp(op Op) error {
	switch op := op.(type) {
	case Upsert:
		if op.Mode > UpdateOnly {
			return invalid("upsert mode %d is unknown", op.Mode)
		}
		return checkPoints(op.Points)
	case UpdateVectors:
		return checkPoints(op.Points)
	case SetPayload:
		return checkPayloadAt(op.Key, op.Payload)
	case OverwritePayload:
		return checkPayloadAt(op.Key, op.Payload)
	case DeletePayload:
		_, err := parsePaths(op.Keys)
		return err
	case Delete, ClearPayload, DeleteVectors:
		return nil
	}
	return fault.New(fault.Internal, "%T is no operation", op)
}

func checkPayloadAt(key string, p Payload) error {
	if key == "" {
		return Check(p)
	}
	path, err := ParsePath(key)
	if err != nil {
		return err
	}
	return checkPayload(p, 1+path.Depth())
}

func checkPoints(points []Point) error {
	for _, p := range points {
		if err := Check(p.Payload); err != nil {
			return fault.Wrap(fault.Invalid, err, "point %s", p.ID)
		}
		for name, v := range p.Vectors {
			if err := checkVector(name, v); err != nil {
				return fault.Wrap(fault.Invalid, err, "point %s", p.ID)
			}
		}
		for name, s := range p.Sparse {
			if err := checkSparse(name, s); err != nil {
				return fault.Wrap(fault.Invalid, err, "point %s", p.ID)
			}
		}
	}
	return nil
}

func checkSparse(name string, s Sparse) error {
	if err := checkVector(name, nil); err != nil {
		return err
	}
	return fault.Wrap(fault.Invalid, s.Check(), "vector %.64q", name)
}

func checkVector(name string, v []float32) error {
	if !utf8.ValidString(name) {
		return invalid("vector name %.64q is not valid UTF-8", name)
	}
	for i, x := range v {
		if x-x != 0 { // NaN and both infinities
			return invalid("vector %.64q: component %d is %v, not a finite number", name, i, x)
		}
	}
	return nil
}
