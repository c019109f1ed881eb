package filter

import (
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// EarthRadius is the mean radius of the Earth in metres (IUGG, R1).
const EarthRadius = 6371008.8

func (g Geo) check() error {
	if !(math.Abs(g.Lon) <= 180) || !(math.Abs(g.Lat) <= 90) { // false for NaN
		return fault.New(fault.Invalid, "longitude %v and latitude %v are no place: use -180..180 and -90..90", g.Lon, g.Lat)
	}
	return nil
}

// PlaceIn reads a place from a payload value.
func PlaceIn(v any) (g Geo, ok bool) {
	m, _ := v.(map[string]any)
	lon, okLon := number(m["lon"])
	lat, okLat := number(m["lat"])
	return Geo{Lon: lon, Lat: lat}, okLon && okLat
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

func (b *GeoBox) compile() (func(any) bool, error) {
	if err := b.TopLeft.check(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "geo_box: top_left")
	}
	if err := b.BottomRight.check(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "geo_box: bottom_right")
	}
	if b.TopLeft.Lat < b.BottomRight.Lat {
		return nil, fault.New(fault.Invalid, "geo_box: top_left lies south of bottom_right")
	}
	box := *b
	return func(v any) bool {
		g, ok := PlaceIn(v)
		return ok && box.Contains(g)
	}, nil
}

// Contains reports whether a place lies in the box.
func (b *GeoBox) Contains(g Geo) bool {
	if !(b.BottomRight.Lat < g.Lat && g.Lat < b.TopLeft.Lat) {
		return false
	}
	if b.TopLeft.Lon > b.BottomRight.Lon {
		return g.Lon > b.TopLeft.Lon || g.Lon < b.BottomRight.Lon
	}
	return b.TopLeft.Lon < g.Lon && g.Lon < b.BottomRight.Lon
}

func (r *GeoRadius) compile() (func(any) bool, error) {
	if err := r.Center.check(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "geo_radius: center")
	}
	if !(r.Meters >= 0) || math.IsInf(r.Meters, 0) {
		return nil, fault.New(fault.Invalid, "geo_radius: %v metres are no radius", r.Meters)
	}
	circle := *r
	return func(v any) bool {
		g, ok := PlaceIn(v)
		return ok && circle.Contains(g)
	}, nil
}

// Contains reports whether a place lies in the circle.
func (r *GeoRadius) Contains(g Geo) bool { return metersBetween(r.Center, g) < r.Meters }

// metersBetween is the haversine formula (R. W. Sinnott, Sky and Telescope 68, 1984).
func metersBetween(a, b Geo) float64 {
	const rad = math.Pi / 180
	dLat, dLon := (b.Lat-a.Lat)*rad, (b.Lon-a.Lon)*rad
	sLat, sLon := math.Sin(dLat/2), math.Sin(dLon/2)
	h := sLat*sLat + math.Cos(a.Lat*rad)*math.Cos(b.Lat*rad)*sLon*sLon
	return 2 * EarthRadius * math.Asin(math.Sqrt(min(1, h)))
}
