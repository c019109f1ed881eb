package payload

import (
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// What the values at a path look like, whatever their types; see field.
const (
	isFilled = 1 << iota
	isHollow
	isNull
	hasNull
	noNull
)

// entry is what one index wants of one payload.
type entry struct {
	shape  uint8
	unsure bool
	other  bool // a value that is not null and not of the index's kind
	odd    bool // of Integer: a number that is no integer
	bools  uint8
	keys   []int64             // of Integer, Float, Datetime: distinct, ascending
	texts  []string            // of Keyword, UUID, Text: distinct, ascending
	seen   map[string]struct{} // the texts, while they are gathered, once there are many
	places []filter.Geo        // of Geo
}

// extract looks at a payload. It does not look at what the index holds.
func (f *field) extract(p point.Payload) (e entry) {
	n := 0
	take := func(v any) {
		if v == nil {
			return
		}
		if n++; n <= maxElements {
			f.element(&e, v)
		}
	}
	f.path.Any(p, func(v any) bool {
		e.shape |= shapeOf(v)
		if list, ok := v.([]any); ok {
			for _, x := range list {
				take(x)
			}
		} else {
			take(v)
		}
		return false
	})
	if n > maxElements || len(e.texts) > maxElements {
		return entry{shape: e.shape, unsure: true}
	}
	e.seen = nil
	if len(e.keys) > 1 {
		slices.Sort(e.keys)
		e.keys = slices.Compact(e.keys)
	}
	if len(e.texts) > 1 {
		slices.Sort(e.texts)
		e.texts = slices.Compact(e.texts)
	}
	return e
}

func shapeOf(v any) (shape uint8) {
	list, isList := v.([]any)
	switch {
	case v == nil:
		return isHollow | isNull | hasNull
	case isList && len(list) == 0:
		return isHollow | noNull
	case isList && slices.Contains(list, nil):
		return isFilled | hasNull
	}
	return isFilled | noNull
}

// element takes one value that is not null.
func (f *field) element(e *entry, v any) {
	switch f.spec.Kind {
	case Integer:
		e.integer(v)
	case Float:
		e.float(v)
	case Datetime:
		e.datetime(v)
	case Bool:
		e.bool(v)
	case Geo:
		e.place(v)
	case Text:
		f.index.(*texts).cut(e, v)
	default:
		if s, ok := v.(string); ok {
			e.texts = append(e.texts, f.index.(*keywords).encode(s))
		} else {
			e.other = true
		}
	}
}

func (e *entry) integer(v any) {
	switch v := v.(type) {
	case int64:
		e.keys = append(e.keys, v)
	case float64:
		e.other, e.odd = true, true
	default:
		e.other = true
	}
}

// float takes integers too, where a float64 holds them exactly.
func (e *entry) float(v any) {
	switch v := v.(type) {
	case float64:
		e.keys = append(e.keys, floatKey(v))
	case int64:
		if f := float64(v); f < 1<<63 && int64(f) == v {
			e.keys = append(e.keys, floatKey(f))
		} else {
			e.unsure = true
		}
	}
}

// datetime keeps microseconds; a moment that has more is left to the payload.
func (e *entry) datetime(v any) {
	t, ok := moment(v)
	switch {
	case !ok:
	case t.Nanosecond()%int(time.Microsecond) != 0:
		e.unsure = true
	default:
		e.keys = append(e.keys, t.UnixMicro())
	}
}

func moment(v any) (t time.Time, ok bool) {
	s, ok := v.(string)
	if !ok {
		return t, false
	}
	return filter.ParseDatetime(s)
}

func (e *entry) bool(v any) {
	switch b, ok := v.(bool); {
	case !ok:
	case b:
		e.bools |= isTrue
	default:
		e.bools |= isFalse
	}
}
