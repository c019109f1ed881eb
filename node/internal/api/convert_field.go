package api

import (
	"math"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
)

// fieldFrom reads the test of one payload key. Exactly one test is allowed: Qdrant's own readings of several in one
// condition differ, and "must" or "should" says which is meant.
func fieldFrom(c *qdrant.FieldCondition) (*filter.Field, error) {
	out := &filter.Field{Key: c.GetKey(), IsEmpty: c.IsEmpty, IsNull: c.IsNull}
	var errs [7]error
	tests := 0
	test := func(set bool) bool {
		if set {
			tests++
		}
		return set
	}
	test(out.IsEmpty != nil)
	test(out.IsNull != nil)
	if test(c.GetMatch() != nil) {
		out.Match, errs[0] = matchFrom(c.GetMatch())
	}
	if test(c.GetRange() != nil) {
		out.Range, errs[1] = rangeFrom(c.GetRange())
	}
	if test(c.GetDatetimeRange() != nil) {
		out.DatetimeRange, errs[2] = datetimeRangeFrom(c.GetDatetimeRange())
	}
	if test(c.GetGeoBoundingBox() != nil) {
		out.GeoBox, errs[3] = geoBoxFrom(c.GetGeoBoundingBox())
	}
	if test(c.GetGeoRadius() != nil) {
		out.GeoRadius, errs[4] = geoRadiusFrom(c.GetGeoRadius())
	}
	if test(c.GetGeoPolygon() != nil) {
		out.GeoPolygon, errs[6] = geoPolygonFrom(c.GetGeoPolygon())
	}
	if v := c.GetValuesCount(); test(v != nil) {
		out.ValuesCount = &filter.CountRange{LT: v.Lt, GT: v.Gt, GTE: v.Gte, LTE: v.Lte}
	}
	if tests != 1 {
		errs[5] = invalid("filter: the condition on %q has %d tests, and needs exactly one", c.GetKey(), tests)
	}
	return out, first(errs[:]...)
}

// first returns the first error that is one.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func matchFrom(m *qdrant.Match) (*filter.Match, error) {
	out := &filter.Match{}
	switch v := m.GetMatchValue().(type) {
	case *qdrant.Match_Keyword:
		out.Keyword = &v.Keyword
	case *qdrant.Match_Integer:
		out.Integer = &v.Integer
	case *qdrant.Match_Boolean:
		out.Bool = &v.Boolean
	case *qdrant.Match_Keywords:
		out.AnyKeyword, out.EmptySet = anyOf(v.Keywords.GetStrings(), "any")
	case *qdrant.Match_Integers:
		out.AnyInteger, out.EmptySet = anyOf(v.Integers.GetIntegers(), "any")
	case *qdrant.Match_ExceptKeywords:
		out.ExceptKeyword, out.EmptySet = anyOf(v.ExceptKeywords.GetStrings(), "except")
	case *qdrant.Match_ExceptIntegers:
		out.ExceptInteger, out.EmptySet = anyOf(v.ExceptIntegers.GetIntegers(), "except")
	case *qdrant.Match_Text:
		out.Text = &filter.Text{Query: v.Text, Mode: filter.TextAll}
	case *qdrant.Match_TextAny:
		out.Text = &filter.Text{Query: v.TextAny, Mode: filter.TextAny}
	case *qdrant.Match_Phrase:
		out.Text = &filter.Text{Query: v.Phrase, Mode: filter.TextPhrase}
	case *qdrant.Match_Prefix:
		out.Prefix = &v.Prefix
	default:
		return nil, invalid("filter: a match is empty or of a kind that this server does not know")
	}
	return out, nil
}

// anyOf tells an empty set, which says something, from an unset one.
func anyOf[T any](set []T, kind string) ([]T, *string) {
	if len(set) == 0 {
		return nil, &kind
	}
	return set, nil
}

// rangeFrom reads a range of numbers. Stored numbers are finite, so infinite bounds become finite ones, or none,
// that let the same numbers pass.
func rangeFrom(r *qdrant.Range) (*filter.Range, error) {
	for _, bound := range []*float64{r.Lt, r.Gt, r.Gte, r.Lte} {
		if bound != nil && math.IsNaN(*bound) {
			return nil, invalid("filter: a bound of a range is not a number")
		}
	}
	out := &filter.Range{LT: r.Lt, GT: r.Gt, GTE: r.Gte, LTE: r.Lte}
	out.LT, out.LTE = finiteBounds(out.LT, out.LTE, 1)
	out.GT, out.GTE = finiteBounds(out.GT, out.GTE, -1)
	return out, nil
}

// finiteBounds replaces infinite bounds of one side, whose harmless infinity has that sign.
func finiteBounds(strict, loose *float64, sign int) (*float64, *float64) {
	none := -float64(sign) * math.MaxFloat64 // nothing finite lies strictly beyond it
	for _, bound := range []**float64{&strict, &loose} {
		if *bound != nil && math.IsInf(**bound, sign) {
			*bound = nil
		}
	}
	if (strict != nil && math.IsInf(*strict, 0)) || (loose != nil && math.IsInf(*loose, 0)) {
		return &none, nil
	}
	return strict, loose
}

func datetimeRangeFrom(r *qdrant.DatetimeRange) (*filter.DatetimeRange, error) {
	out := &filter.DatetimeRange{}
	var errs [4]error
	out.LT, errs[0] = momentFrom(r.GetLt())
	out.GT, errs[1] = momentFrom(r.GetGt())
	out.GTE, errs[2] = momentFrom(r.GetGte())
	out.LTE, errs[3] = momentFrom(r.GetLte())
	return out, first(errs[:]...)
}

func momentFrom(t *timestamppb.Timestamp) (*time.Time, error) {
	if t == nil {
		return nil, nil
	}
	if err := t.CheckValid(); err != nil {
		return nil, invalid("filter: a bound of a datetime range is not a moment between the years 1 and 9999")
	}
	moment := t.AsTime()
	return &moment, nil
}

func geoFrom(p *qdrant.GeoPoint) (filter.Geo, error) {
	lon, lat := p.GetLon(), p.GetLat()
	// Written so that NaN fails too.
	if p == nil || !(lon >= -180 && lon <= 180 && lat >= -90 && lat <= 90) {
		return filter.Geo{}, invalid("filter: a place needs a longitude in -180..180 and a latitude in -90..90")
	}
	return filter.Geo{Lon: lon, Lat: lat}, nil
}

func geoBoxFrom(b *qdrant.GeoBoundingBox) (*filter.GeoBox, error) {
	topLeft, err := geoFrom(b.GetTopLeft())
	if err != nil {
		return nil, err
	}
	bottomRight, err := geoFrom(b.GetBottomRight())
	if err != nil {
		return nil, err
	}
	return &filter.GeoBox{TopLeft: topLeft, BottomRight: bottomRight}, nil
}

func geoRadiusFrom(r *qdrant.GeoRadius) (*filter.GeoRadius, error) {
	center, err := geoFrom(r.GetCenter())
	if err != nil {
		return nil, err
	}
	meters := float64(r.GetRadius())
	if !(meters >= 0) || math.IsInf(meters, 0) {
		return nil, invalid("filter: a radius is %v metres", meters)
	}
	return &filter.GeoRadius{Center: center, Meters: meters}, nil
}

func geoPolygonFrom(p *qdrant.GeoPolygon) (out *filter.GeoPolygon, err error) {
	out = &filter.GeoPolygon{}
	if out.Exterior, err = ringFrom(p.GetExterior()); err != nil {
		return nil, err
	}
	for _, line := range p.GetInteriors() {
		ring, err := ringFrom(line)
		if err != nil {
			return nil, err
		}
		out.Interiors = append(out.Interiors, ring)
	}
	return out, nil
}

func ringFrom(line *qdrant.GeoLineString) ([]filter.Geo, error) {
	ring := make([]filter.Geo, len(line.GetPoints()))
	for i, p := range line.GetPoints() {
		var err error
		if ring[i], err = geoFrom(p); err != nil {
			return nil, err
		}
	}
	return ring, nil
}
