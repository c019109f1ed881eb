package filter

import (
	"cmp"
	"math"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// orElement makes a test of a value, or of one element of an array.
func orElement(test func(any) bool) func(any) bool {
	return func(v any) bool {
		list, ok := v.([]any)
		if !ok {
			return test(v)
		}
		for _, e := range list {
			if test(e) {
				return true
			}
		}
		return false
	}
}

func isEmpty(v any) bool {
	list, ok := v.([]any)
	return v == nil || ok && len(list) == 0
}

func hasNull(v any) bool {
	list, _ := v.([]any)
	for _, e := range list {
		if e == nil {
			return true
		}
	}
	return v == nil
}

func valuesIn(v any) uint64 {
	if v == nil {
		return 0
	}
	if list, ok := v.([]any); ok {
		return uint64(len(list))
	}
	return 1
}

func (d *Match) test() func(any) bool {
	switch {
	case d.Keyword != nil:
		want := *d.Keyword
		return func(v any) bool { s, ok := v.(string); return ok && s == want }
	case d.Integer != nil:
		want := *d.Integer
		return func(v any) bool { n, ok := v.(int64); return ok && n == want }
	case d.Bool != nil:
		want := *d.Bool
		return func(v any) bool { b, ok := v.(bool); return ok && b == want }
	case len(d.AnyKeyword) > 0:
		return oneOf(d.AnyKeyword)
	case len(d.AnyInteger) > 0:
		return oneOf(d.AnyInteger)
	case len(d.ExceptKeyword) > 0:
		return noneOf(oneOf(d.ExceptKeyword))
	case len(d.ExceptInteger) > 0:
		return noneOf(oneOf(d.ExceptInteger))
	case d.Prefix != nil:
		begin := *d.Prefix
		return func(v any) bool { s, ok := v.(string); return ok && strings.HasPrefix(s, begin) }
	case *d.EmptySet == "except":
		return noneOf(func(any) bool { return false })
	}
	return func(any) bool { return false }
}

func oneOf[T comparable](list []T) func(any) bool {
	set := setOf(list)
	return func(v any) bool {
		x, ok := v.(T)
		return ok && contains(list, set, x)
	}
}

func noneOf(test func(any) bool) func(any) bool {
	return func(v any) bool { return v != nil && !test(v) }
}

func (r *CountRange) contains(n uint64) bool {
	return within(n, r.LT, r.GT, r.GTE, r.LTE, cmp.Compare[uint64])
}

// within compares v with the bounds that are set.
func within[V, B any](v V, lt, gt, gte, lte *B, compare func(V, B) int) bool {
	return (lt == nil || compare(v, *lt) < 0) && (gt == nil || compare(v, *gt) > 0) &&
		(gte == nil || compare(v, *gte) >= 0) && (lte == nil || compare(v, *lte) <= 0)
}

func (r *Range) compile() (func(any) bool, error) {
	for _, bound := range []*float64{r.LT, r.GT, r.GTE, r.LTE} {
		if bound != nil && (math.IsNaN(*bound) || math.IsInf(*bound, 0)) {
			return nil, fault.New(fault.Invalid, "range: %v is not a finite number", *bound)
		}
	}
	bounds := *r
	return bounds.contains, nil
}

func (r *Range) contains(v any) bool {
	switch v := v.(type) {
	case int64:
		return within(v, r.LT, r.GT, r.GTE, r.LTE, compareIntFloat)
	case float64:
		return within(v, r.LT, r.GT, r.GTE, r.LTE, cmp.Compare[float64])
	}
	return false
}

// compareIntFloat compares exactly: turning n into a float64 first would make neighbours above 2^53 equal.
func compareIntFloat(n int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Trunc(f)
	return cmp.Or(cmp.Compare(n, int64(whole)), cmp.Compare(whole, f))
}
