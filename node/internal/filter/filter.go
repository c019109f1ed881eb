// Package filter owns conditions over points: their tree, its encoding, and its evaluation.
//
// A Filter is a plain value. Compile checks it once and gives a Matcher, which is safe for concurrent use and
// allocates nothing per point where the payload allows. A condition that is not understood is an error of class
// fault.Invalid, never a match.
package filter

import (
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// Filter holds clauses; a point matches if it matches all of Must, at least one of Should (if there are any), none
// of MustNot, and MinShould. The empty filter matches every point.
type Filter struct {
	Must      []Condition `json:"must,omitempty"`
	Should    []Condition `json:"should,omitempty"`
	MustNot   []Condition `json:"must_not,omitempty"`
	MinShould *MinShould  `json:"min_should,omitempty"`
}

// MinShould asks for at least Count of Conditions. A Count of 0 is met by every point, one above len(Conditions) by none.
type MinShould struct {
	Conditions []Condition `json:"conditions"`
	Count      uint64      `json:"count"`
}

// Condition is one test; exactly one field is set.
type Condition struct {
	Field     *Field  `json:"field,omitempty"`
	IsEmpty   *string `json:"is_empty,omitempty"` // the path holds nothing: missing, null or []
	IsNull    *string `json:"is_null,omitempty"`  // the path holds null
	HasID     *HasID  `json:"has_id,omitempty"`
	HasVector *string `json:"has_vector,omitempty"` // the point has this vector; "" is the unnamed one
	Nested    *Nested `json:"nested,omitempty"`
	Filter    *Filter `json:"filter,omitempty"`
}

// HasID tests the point's id.
type HasID struct {
	IDs []point.ID `json:"ids"` // none: matches nothing
}

// Nested matches if one element of the array of objects at Key matches Filter as a whole; paths in Filter start at the
// element. HasID and HasVector have no place inside.
type Nested struct {
	Key    string `json:"key"`
	Filter Filter `json:"filter"`
}

// Field tests the values at Key, a point.Path: every value that it reaches is tried, and of an array every element (not
// the elements of an array inside an array); one match is enough. A path that reaches nothing matches no test but those
// that say so. Exactly one test is set.
//
// IsEmpty and IsNull look at each value that the path reaches: null and [] are empty; null, and an array that holds a
// null, are null. A path that reaches nothing is empty and not null. (Condition's IsEmpty asks that all values be
// empty, its IsNull that one be null itself: both as in Qdrant.)
type Field struct {
	Key           string         `json:"key"`
	Match         *Match         `json:"match,omitempty"`
	Range         *Range         `json:"range,omitempty"`
	DatetimeRange *DatetimeRange `json:"datetime_range,omitempty"`
	GeoBox        *GeoBox        `json:"geo_box,omitempty"`
	GeoRadius     *GeoRadius     `json:"geo_radius,omitempty"`
	GeoPolygon    *GeoPolygon    `json:"geo_polygon,omitempty"`
	ValuesCount   *CountRange    `json:"values_count,omitempty"`
	IsEmpty       *bool          `json:"is_empty,omitempty"`
	IsNull        *bool          `json:"is_null,omitempty"`
}

// Match compares with values; exactly one field is set. Integers match values that are int64, never floats. Except
// matches values of every type but null that are none of the listed ones.
type Match struct {
	Keyword       *string  `json:"keyword,omitempty"`
	Integer       *int64   `json:"integer,omitempty"`
	Bool          *bool    `json:"bool,omitempty"`
	AnyKeyword    []string `json:"any_keyword,omitempty"`
	AnyInteger    []int64  `json:"any_integer,omitempty"`
	ExceptKeyword []string `json:"except_keyword,omitempty"` // a value that is none of these
	ExceptInteger []int64  `json:"except_integer,omitempty"`
	// EmptySet tells an empty any (matches nothing) or except (matches every value) apart from an unset one.
	EmptySet *string `json:"empty_set,omitempty"` // "any" or "except"
	Text     *Text   `json:"text,omitempty"`
	Prefix   *string `json:"prefix,omitempty"` // strings that begin so
}

// Text looks for words in strings. With a Tokenizer, the words are those it finds in Query, and a point has the words
// of all strings at the path together, but for a phrase, which stands in one of them; a query without words matches
// nothing. Without one, Query itself stands somewhere in a string (TextAny: one of its parts between white space).
type Text struct {
	Query     string           `json:"query"`
	Mode      TextMode         `json:"mode"`
	Tokenizer *token.Tokenizer `json:"tokenizer,omitempty"`
}

// TextMode is how many words have to be there.
type TextMode string

// The modes of Text.
const (
	TextAll    TextMode = "all"
	TextAny    TextMode = "any"
	TextPhrase TextMode = "phrase" // all, one after the other
)

// Range bounds a number; nil means unbounded.
type Range struct {
	LT  *float64 `json:"lt,omitempty"`
	GT  *float64 `json:"gt,omitempty"`
	GTE *float64 `json:"gte,omitempty"`
	LTE *float64 `json:"lte,omitempty"`
}

// DatetimeRange bounds a moment (RFC 3339 and the date forms that Qdrant reads, in the payload as strings).
type DatetimeRange struct {
	LT  *time.Time `json:"lt,omitempty"`
	GT  *time.Time `json:"gt,omitempty"`
	GTE *time.Time `json:"gte,omitempty"`
	LTE *time.Time `json:"lte,omitempty"`
}

// CountRange bounds the number of values at a path: the length of an array, 0 for null, 1 for anything else. As in
// Qdrant a path that reaches nothing does not match, not even a bound that 0 satisfies: ask IsEmpty for that.
type CountRange struct {
	LT  *uint64 `json:"lt,omitempty"`
	GT  *uint64 `json:"gt,omitempty"`
	GTE *uint64 `json:"gte,omitempty"`
	LTE *uint64 `json:"lte,omitempty"`
}

// Geo is a place in degrees; in payloads {"lon": .., "lat": ..}.
type Geo struct {
	Lon float64 `json:"lon"`
	Lat float64 `json:"lat"`
}

// GeoBox is a rectangle without its edges. It crosses the antimeridian if its left edge lies east of its right one.
type GeoBox struct {
	TopLeft     Geo `json:"top_left"`
	BottomRight Geo `json:"bottom_right"`
}

// GeoPolygon is what lies within Exterior and not within or on one of Interiors, without the edge of Exterior. Each is a ring of
// places, of which the last is the first; its sides are straight on a map of longitudes and latitudes, and do not cross the
// antimeridian. Where a ring crosses itself, what it winds around belongs to it.
type GeoPolygon struct {
	Exterior  []Geo   `json:"exterior"`
	Interiors [][]Geo `json:"interiors,omitempty"`
}

// GeoRadius is a circle without its edge; Meters is a great-circle distance.
type GeoRadius struct {
	Center Geo     `json:"center"`
	Meters float64 `json:"meters"`
}
