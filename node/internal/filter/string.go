package filter

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxShown is how many values of a list String shows.
const maxShown = 8

// String writes the filter for people who debug, on one line, such as
//
//	city = "Berlin" and not(is_empty(tags)) and any(age in [18, 65), has_id(1, 2))
//
// Equal filters give equal text. Nothing reads it.
func (f *Filter) String() string {
	if f == nil {
		return "all"
	}
	var parts []string
	for i := range f.Must {
		parts = append(parts, f.Must[i].String())
	}
	for i := range f.MustNot {
		parts = append(parts, "not("+f.MustNot[i].String()+")")
	}
	if len(f.Should) > 0 {
		parts = append(parts, "any("+join(f.Should)+")")
	}
	if m := f.MinShould; m != nil {
		parts = append(parts, fmt.Sprintf("at_least(%d, %s)", m.Count, join(m.Conditions)))
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, " and ")
}

func join(list []Condition) string {
	parts := make([]string, len(list))
	for i := range list {
		parts[i] = list[i].String()
	}
	return strings.Join(parts, ", ")
}

// String writes the condition as Filter.String does.
func (c *Condition) String() string {
	switch {
	case c.Field != nil:
		return c.Field.String()
	case c.IsEmpty != nil:
		return "is_empty(" + *c.IsEmpty + ")"
	case c.IsNull != nil:
		return "is_null(" + *c.IsNull + ")"
	case c.HasID != nil:
		return "has_id(" + shown(c.HasID.IDs) + ")"
	case c.HasVector != nil:
		return "has_vector(" + strconv.Quote(*c.HasVector) + ")"
	case c.Nested != nil:
		return "nested(" + c.Nested.Key + ": " + c.Nested.Filter.String() + ")"
	case c.Filter != nil:
		return "(" + c.Filter.String() + ")"
	}
	return "nothing"
}

// String writes the test as Filter.String does.
func (d *Field) String() string {
	switch {
	case d.Match != nil:
		return d.Key + " " + d.Match.String()
	case d.Range != nil:
		return d.Key + " in " + interval(d.Range.GT, d.Range.GTE, d.Range.LT, d.Range.LTE, formatFloat)
	case d.DatetimeRange != nil:
		r := d.DatetimeRange
		return d.Key + " in " + interval(r.GT, r.GTE, r.LT, r.LTE, formatTime)
	case d.ValuesCount != nil:
		r := d.ValuesCount
		return "count(" + d.Key + ") in " + interval(r.GT, r.GTE, r.LT, r.LTE, formatUint)
	case d.GeoBox != nil:
		return fmt.Sprintf("%s in box(%v, %v)", d.Key, d.GeoBox.TopLeft, d.GeoBox.BottomRight)
	case d.GeoRadius != nil:
		return fmt.Sprintf("%s in circle(%v, %v m)", d.Key, d.GeoRadius.Center, d.GeoRadius.Meters)
	case d.GeoPolygon != nil:
		return fmt.Sprintf("%s in polygon(%d corners, %d holes)", d.Key, len(d.GeoPolygon.Exterior), len(d.GeoPolygon.Interiors))
	case d.IsEmpty != nil:
		return fmt.Sprintf("empty(%s) = %t", d.Key, *d.IsEmpty)
	case d.IsNull != nil:
		return fmt.Sprintf("null(%s) = %t", d.Key, *d.IsNull)
	}
	return d.Key + " untested"
}

// String writes the comparison as Filter.String does.
func (d *Match) String() string {
	switch {
	case d.Keyword != nil:
		return "= " + strconv.Quote(*d.Keyword)
	case d.Integer != nil:
		return "= " + strconv.FormatInt(*d.Integer, 10)
	case d.Bool != nil:
		return "= " + strconv.FormatBool(*d.Bool)
	case len(d.AnyKeyword) > 0:
		return fmt.Sprintf("one of (%s)", shown(d.AnyKeyword))
	case len(d.AnyInteger) > 0:
		return fmt.Sprintf("one of (%s)", shown(d.AnyInteger))
	case len(d.ExceptKeyword) > 0:
		return fmt.Sprintf("none of (%s)", shown(d.ExceptKeyword))
	case len(d.ExceptInteger) > 0:
		return fmt.Sprintf("none of (%s)", shown(d.ExceptInteger))
	case d.Text != nil:
		return d.Text.String()
	case d.Prefix != nil:
		return "begins with " + strconv.Quote(*d.Prefix)
	case d.EmptySet != nil && *d.EmptySet == "except":
		return "none of ()"
	}
	return "one of ()"
}

// String writes the comparison as Filter.String does.
func (d *Text) String() string {
	how := "text"
	if d.Tokenizer != nil {
		how = string(d.Tokenizer.Kind) + " tokens"
	}
	return fmt.Sprintf("has %s %s of %s", d.Mode, how, strconv.Quote(d.Query))
}

func shown[T any](list []T) string {
	parts := make([]string, 0, maxShown+1)
	for i, v := range list {
		if i == maxShown {
			parts = append(parts, fmt.Sprintf("and %d more", len(list)-maxShown))
			break
		}
		if s, ok := any(v).(string); ok {
			parts = append(parts, strconv.Quote(s))
		} else {
			parts = append(parts, fmt.Sprint(v))
		}
	}
	return strings.Join(parts, ", ")
}

// interval writes bounds as mathematicians do. Of two bounds on a side, which no client sends, both are written.
func interval[T any](gt, gte, lt, lte *T, format func(T) string) string {
	from, to := "(..", "..)"
	if gt != nil {
		from = "(" + format(*gt)
	}
	if gte != nil {
		from = strings.TrimPrefix(from+" [", "(.. ") + format(*gte)
	}
	if lt != nil {
		to = format(*lt) + ")"
	}
	if lte != nil {
		to = format(*lte) + strings.TrimSuffix("] "+to, " ..)")
	}
	return from + ", " + to
}

func formatFloat(f float64) string  { return strconv.FormatFloat(f, 'g', -1, 64) }
func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
func formatUint(n uint64) string    { return strconv.FormatUint(n, 10) }
