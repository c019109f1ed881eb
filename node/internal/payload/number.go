package payload

import (
	"math"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
)

// numbers is an index of keys that have an order.
type numbers struct {
	ordered
	has   bitmap             // labels with a key
	first []int64            // by label: its only key
	more  map[uint32][]int64 // labels with several
	span  uint32             // labels are below it
}

func newNumbers() numbers { return numbers{more: map[uint32][]int64{}} }

// put takes the distinct keys of a label that has none.
func (x *numbers) put(label uint32, keys []int64) {
	if len(keys) == 0 {
		return
	}
	x.has.set(label, true)
	x.span = max(x.span, label+1)
	if len(keys) == 1 {
		for int(label) >= len(x.first) {
			x.first = append(x.first, 0)
		}
		x.first[label] = keys[0]
	} else {
		x.more[label] = keys
	}
	for _, k := range keys {
		x.add(k, label)
	}
}

func (x *numbers) remove(label uint32) {
	if !x.has.has(label) {
		return
	}
	x.has.set(label, false)
	for _, k := range x.of(label) {
		x.ordered.remove(k, label)
	}
	delete(x.more, label)
}

// of returns the keys of a label that has any.
func (x *numbers) of(label uint32) []int64 {
	if keys, ok := x.more[label]; ok {
		return keys
	}
	return x.first[label : label+1]
}

func (x *numbers) count() uint64 { return x.has.count() }

// within returns the labels with a key in from..to.
func (x *numbers) within(from, to int64) set {
	if from > to {
		return none()
	}
	l := labels{span: x.span}
	x.between(from, to, func(_ []int64, found []uint32) bool {
		l.add(found)
		return true
	})
	return l.set()
}

// with returns the labels that have one of some keys.
func (x *numbers) with(keys []int64) set {
	l := labels{span: x.span}
	for _, k := range keys {
		x.between(k, k, func(_ []int64, found []uint32) bool {
			l.list = append(l.list, found...)
			return true
		})
	}
	return l.set()
}

// withOther returns the labels that have a key besides some.
func (x *numbers) withOther(keys []int64) set {
	listed := make(map[int64]bool, len(keys))
	for _, k := range keys {
		listed[k] = true
	}
	some := x.with(keys)
	l := labels{span: x.span}
	some.each(func(label uint32) {
		if slices.ContainsFunc(x.more[label], func(k int64) bool { return !listed[k] }) {
			l.list = append(l.list, label)
		}
	})
	return or(andNot(x.has.shared(), some), l.set())
}

// integers is the index of integers.
type integers struct {
	numbers
	other bitmap // labels with a value that is neither an integer nor null
	odd   bitmap // labels with a number that is no integer
}

func (x *integers) put(label uint32, e *entry) {
	x.numbers.put(label, e.keys)
	if e.other {
		x.other.set(label, true)
	}
	if e.odd {
		x.odd.set(label, true)
	}
}

func (x *integers) remove(label uint32) {
	x.numbers.remove(label)
	x.other.set(label, false)
	x.odd.set(label, false)
}

func (x *integers) match(c *filter.Field) (answer, bool) {
	if r := c.Range; r != nil {
		found := x.within(integerBounds(r))
		if x.odd.empty() {
			return exactly(found), true
		}
		return answer{lo: found.copied(), hi: or(found, x.odd.shared())}, true
	}
	m := c.Match
	if m == nil {
		return upTo(x.other.shared()), true
	}
	switch {
	case m.Integer != nil:
		return exactly(x.with([]int64{*m.Integer})), true
	case len(m.AnyInteger) > 0:
		return exactly(x.with(m.AnyInteger)), true
	case len(m.ExceptInteger) > 0:
		return exactly(or(x.withOther(m.ExceptInteger), x.other.shared())), true
	case len(m.ExceptKeyword) > 0: // every integer is none of them
		return answer{lo: x.has.shared(), hi: or(x.has.shared(), x.other.shared())}, true
	case m.EmptySet != nil && *m.EmptySet == "except":
		return exactly(or(x.has.shared(), x.other.shared())), true
	case m.EmptySet != nil:
		return exactly(none()), true
	}
	return upTo(x.other.shared()), true
}

// integerBounds returns the integers within a range; none if from > to.
func integerBounds(r *filter.Range) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	empty := false
	least := func(bound float64) { // the smallest that may be: whole
		switch {
		case bound >= 1<<63:
			empty = true
		case bound > math.MinInt64:
			from = max(from, int64(bound))
		}
	}
	most := func(bound float64) {
		switch {
		case bound < math.MinInt64:
			empty = true
		case bound < 1<<63:
			to = min(to, int64(bound))
		}
	}
	if r.GTE != nil {
		least(math.Ceil(*r.GTE))
	}
	if r.LTE != nil {
		most(math.Floor(*r.LTE))
	}
	if r.GT != nil {
		if f := math.Floor(*r.GT); f >= math.MinInt64 && f < 1<<63 {
			if n := int64(f); n == math.MaxInt64 {
				empty = true
			} else {
				from = max(from, n+1)
			}
		} else {
			least(f)
		}
	}
	if r.LT != nil {
		if f := math.Ceil(*r.LT); f >= math.MinInt64 && f < 1<<63 {
			if n := int64(f); n == math.MinInt64 {
				empty = true
			} else {
				to = min(to, n-1)
			}
		} else {
			most(f)
		}
	}
	if empty {
		return 1, 0
	}
	return from, to
}

// floats is the index of numbers, integers among them, as float64.
type floats struct{ numbers }

func (x *floats) put(label uint32, e *entry) { x.numbers.put(label, e.keys) }

func (x *floats) match(c *filter.Field) (answer, bool) {
	if r := c.Range; r != nil {
		return exactly(x.within(floatBounds(r))), true
	}
	// An integer may stand where its float does, and a float does not match an integer.
	switch m := c.Match; {
	case m == nil:
	case m.Integer != nil:
		return upTo(x.with(floatKeys([]int64{*m.Integer}))), true
	case len(m.AnyInteger) > 0:
		return upTo(x.with(floatKeys(m.AnyInteger))), true
	}
	return answer{}, false
}

func floatKeys(list []int64) []int64 {
	keys := make([]int64, len(list))
	for i, n := range list {
		keys[i] = floatKey(float64(n))
	}
	return keys
}

// floatKey maps floats to integers of the same order; the two zeros are one.
func floatKey(f float64) int64 {
	if f == 0 {
		return 0
	}
	b := int64(math.Float64bits(f))
	return b ^ int64(uint64(b>>63)>>1)
}

// keyFloat is the reverse of floatKey.
func keyFloat(key int64) float64 {
	return math.Float64frombits(uint64(key ^ int64(uint64(key>>63)>>1)))
}

func floatBounds(r *filter.Range) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if r.GTE != nil {
		from = max(from, floatKey(*r.GTE))
	}
	if r.GT != nil {
		from = max(from, floatKey(*r.GT)+1)
	}
	if r.LTE != nil {
		to = min(to, floatKey(*r.LTE))
	}
	if r.LT != nil {
		to = min(to, floatKey(*r.LT)-1)
	}
	return from, to
}

// datetimes is the index of moments, in microseconds since 1970.
type datetimes struct{ numbers }

func (x *datetimes) put(label uint32, e *entry) { x.numbers.put(label, e.keys) }

func (x *datetimes) match(c *filter.Field) (answer, bool) {
	if c.DatetimeRange == nil {
		return answer{}, false
	}
	return exactly(x.within(datetimeBounds(c.DatetimeRange))), true
}

// datetimeBounds returns the whole microseconds within a range.
func datetimeBounds(r *filter.DatetimeRange) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	whole := func(t time.Time) bool { return t.Nanosecond()%int(time.Microsecond) == 0 }
	if t := r.GTE; t != nil { // UnixMicro rounds down
		from = max(from, t.UnixMicro())
		if !whole(*t) {
			from = max(from, t.UnixMicro()+1)
		}
	}
	if t := r.GT; t != nil {
		from = max(from, t.UnixMicro()+1)
	}
	if t := r.LTE; t != nil {
		to = min(to, t.UnixMicro())
	}
	if t := r.LT; t != nil {
		if whole(*t) {
			to = min(to, t.UnixMicro()-1)
		} else {
			to = min(to, t.UnixMicro())
		}
	}
	return from, to
}
