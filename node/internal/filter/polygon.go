package filter

import (
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// size counts the places that a polygon is made of.
func (p *GeoPolygon) size() int {
	n := len(p.Exterior)
	for _, ring := range p.Interiors {
		n += len(ring)
	}
	return n
}

func (p *GeoPolygon) compile() (func(any) bool, error) {
	if err := checkRing(p.Exterior); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "geo_polygon: exterior")
	}
	for i, ring := range p.Interiors {
		if err := checkRing(ring); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "geo_polygon: interiors[%d]", i)
		}
	}
	contains := p.Contains()
	return func(v any) bool {
		g, ok := PlaceIn(v)
		return ok && contains(g)
	}, nil
}

func checkRing(ring []Geo) error {
	for _, g := range ring {
		if err := g.check(); err != nil {
			return err
		}
	}
	switch n := len(ring); {
	case n < 4:
		return fault.New(fault.Invalid, "a ring needs at least 4 places, of which the last is the first again: it has %d", n)
	case ring[0] != ring[n-1]:
		return fault.New(fault.Invalid, "a ring is not closed: its last place has to be its first")
	}
	return nil
}

// Bounds returns the corners of the smallest rectangle around the polygon.
func (p *GeoPolygon) Bounds() (southWest, northEast Geo) {
	southWest, northEast = Geo{math.Inf(1), math.Inf(1)}, Geo{math.Inf(-1), math.Inf(-1)}
	for _, g := range p.Exterior {
		southWest = Geo{min(southWest.Lon, g.Lon), min(southWest.Lat, g.Lat)}
		northEast = Geo{max(northEast.Lon, g.Lon), max(northEast.Lat, g.Lat)}
	}
	return southWest, northEast
}

// Contains returns what reports whether a place lies in the polygon: for that, it has to lie within its bounds too.
func (p *GeoPolygon) Contains() func(Geo) bool {
	southWest, northEast := p.Bounds()
	return func(g Geo) bool {
		return southWest.Lon < g.Lon && g.Lon < northEast.Lon && southWest.Lat < g.Lat && g.Lat < northEast.Lat && p.contains(g)
	}
}

func (p *GeoPolygon) contains(g Geo) bool {
	if n, _ := wind(p.Exterior, g); n == 0 {
		return false
	}
	for _, ring := range p.Interiors {
		if n, edge := wind(ring, g); n != 0 || edge {
			return false
		}
	}
	return true
}

// wind returns how often a ring winds around a place, 0 for one on its edge: it counts, with their direction, the sides that cross the
// line from the place to the east.
func wind(ring []Geo, g Geo) (n int, edge bool) {
	for i := range len(ring) - 1 {
		a, b := ring[i], ring[i+1]
		if max(a.Lat, b.Lat) < g.Lat || min(a.Lat, b.Lat) > g.Lat {
			continue
		}
		side := (b.Lon-a.Lon)*(g.Lat-a.Lat) - (g.Lon-a.Lon)*(b.Lat-a.Lat) // positive: g lies to the left of the way from a to b
		switch {
		case side == 0 && min(a.Lon, b.Lon) <= g.Lon && g.Lon <= max(a.Lon, b.Lon):
			return 0, true
		case a.Lat <= g.Lat && b.Lat > g.Lat && side > 0:
			n++
		case b.Lat <= g.Lat && a.Lat > g.Lat && side < 0:
			n--
		}
	}
	return n, false
}
