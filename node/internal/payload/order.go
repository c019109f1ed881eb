package payload

import (
	"math"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Order is points by their values at a path that has an index of numbers or moments: ascending, or descending. A point
// comes once for each of its values, those without one not at all.
type Order struct {
	Path string // canonical
	Desc bool
	From Start // the first value, included; the zero Start: all
}

// Start is a value to start from; at most one field is set.
type Start struct {
	Int   *int64
	Float *float64
	Time  *time.Time
}

// Pair is a point by a value. Keys order as the values do; Field.Value gives the value back.
type Pair struct {
	Key   int64
	Label uint32
}

// Value is a value that points are ordered by: a number, or a moment in microseconds since 1970.
type Value struct {
	Float   bool
	Integer int64
	Number  float64
}

// Ordered reports whether points can be ordered by a field.
func (f Field) Ordered() bool { return f.Kind == Integer || f.Kind == Float || f.Kind == Datetime }

// Value returns the value of a key.
func (f Field) Value(key int64) Value {
	if f.Kind == Float {
		return Value{Float: true, Number: keyFloat(key)}
	}
	return Value{Integer: key}
}

// Keys returns the keys of a payload's values, ascending and each once. A value that the key cannot hold exactly (an
// integer as a float, a moment finer than microseconds) has the key next to it.
func (f Field) Keys(path point.Path, p point.Payload) (keys []int64) {
	take := func(v any) {
		switch f.Kind {
		case Integer:
			if n, ok := v.(int64); ok {
				keys = append(keys, n)
			}
		case Float:
			if x, ok := number(v); ok {
				keys = append(keys, floatKey(x))
			}
		case Datetime:
			if t, ok := moment(v); ok {
				keys = append(keys, t.UnixMicro())
			}
		default: // has no order
		}
	}
	path.Any(p, func(v any) bool {
		if list, ok := v.([]any); ok {
			for _, e := range list {
				take(e)
			}
		} else {
			take(v)
		}
		return false
	})
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Bounds returns the keys that an Order of the field asks for; from > to if there are none.
func (f Field) Bounds(o Order) (from, to int64, err error) {
	from, to = math.MinInt64, math.MaxInt64
	var start int64
	switch s := o.From; {
	case s.Time != nil && f.Kind != Datetime:
		return 0, 0, fault.New(fault.Invalid, "start_from is a moment, and the field %.64q holds numbers", o.Path)
	case s.Time != nil:
		start = s.Time.UnixMicro()
		if !o.Desc && s.Time.Nanosecond()%int(time.Microsecond) != 0 {
			start++
		}
	case s.Int != nil && f.Kind == Float:
		start = floatKey(float64(*s.Int))
	case s.Int != nil:
		start = *s.Int
	case s.Float != nil && (math.IsNaN(*s.Float) || math.IsInf(*s.Float, 0)):
		return 0, 0, fault.New(fault.Invalid, "start_from is %v, not a finite number", *s.Float)
	case s.Float != nil && f.Kind == Float:
		start = floatKey(*s.Float)
	case s.Float != nil:
		start = int64(min(max(math.Floor(*s.Float), math.MinInt64), 1<<63-1024)) // the largest float64 that fits
		switch {
		case o.Desc && *s.Float < math.MinInt64 || !o.Desc && *s.Float >= 1<<63:
			return 1, 0, nil
		case o.Desc && *s.Float >= 1<<63:
			return from, to, nil
		case !o.Desc && *s.Float > math.Floor(*s.Float):
			start++
		}
	default:
		return from, to, nil
	}
	if o.Desc {
		return from, start, nil
	}
	return start, to, nil
}

// Ordered returns pairs in the order asked for, of labels in within (nil: all): at least the first limit of them, and as
// many more as have the same key as the last (0: all there are). Labels in unsure, of which none is among the pairs, may
// have values that the index does not hold exactly. It reports whether there is a complete index of the field.
func (s *Set) Ordered(o Order, within *roaring.Bitmap, limit int) (pairs []Pair, unsure *roaring.Bitmap, ok bool) {
	f := s.fields[o.Path]
	if f == nil || f.build != nil || !f.spec.Ordered() {
		return nil, nil, false
	}
	from, to, err := f.spec.Bounds(o)
	if err != nil {
		return nil, nil, false
	}
	unsure = roaring.New()
	if !f.unsure.empty() {
		unsure.Or(f.unsure.bm)
		if within != nil {
			unsure.And(within)
		}
	}
	take := func(key int64, label uint32) bool {
		if limit > 0 && len(pairs) >= limit && pairs[len(pairs)-1].Key != key {
			return false
		}
		if (within == nil || within.Contains(label)) && !f.unsure.has(label) {
			pairs = append(pairs, Pair{key, label})
		}
		return true
	}
	list := f.index.(interface{ sorted() *ordered }).sorted()
	if o.Desc {
		list.backwards(from, to, take)
	} else {
		list.forwards(from, to, take)
	}
	return pairs, unsure, true
}

func (x *numbers) sorted() *ordered { return &x.ordered }

func (o *ordered) forwards(from, to int64, take func(int64, uint32) bool) {
	o.between(from, to, func(keys []int64, labels []uint32) bool {
		for i, key := range keys {
			if !take(key, labels[i]) {
				return false
			}
		}
		return true
	})
}

func (o *ordered) backwards(from, to int64, take func(int64, uint32) bool) {
	for i := len(o.chunks) - 1; i >= 0; i-- {
		c := o.chunks[i]
		if c.keys[0] > to {
			continue
		}
		for j := len(c.keys) - 1; j >= 0; j-- {
			if c.keys[j] > to {
				continue
			}
			if c.keys[j] < from || !take(c.keys[j], c.labels[j]) {
				return
			}
		}
	}
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
