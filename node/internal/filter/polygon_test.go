package filter_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// corner draws a place of whole degrees, of few ones: so corners, edges and places often meet.
func corner(t *rapid.T) filter.Geo {
	return filter.Geo{Lon: float64(rapid.IntRange(-4, 4).Draw(t, "lon")), Lat: float64(rapid.IntRange(-4, 4).Draw(t, "lat"))}
}

func anyRing(t *rapid.T) []filter.Geo {
	ring := rapid.SliceOfN(rapid.Custom(corner), 3, 9).Draw(t, "corners")
	return append(ring, ring[0])
}

// around adds up the angles under which a place sees the sides of a ring: as many full turns as the ring winds around it. On
// tells whether it lies on a side.
func around(ring []filter.Geo, g filter.Geo) (turns int, on bool) {
	sum := 0.0
	for i, a := range ring[1:] {
		ax, ay, bx, by := a.Lon-g.Lon, a.Lat-g.Lat, ring[i].Lon-g.Lon, ring[i].Lat-g.Lat
		cross, dot := ax*by-ay*bx, ax*bx+ay*by
		if cross == 0 && dot <= 0 {
			return 0, true
		}
		sum += math.Atan2(cross, dot)
	}
	return int(math.Round(sum / (2 * math.Pi))), false
}

// Whatever the rings look like, flat, crossing themselves, with corners that come again: a place lies in a polygon if the
// exterior winds around it, and no hole does or has it on its edge.
func TestAPlaceLiesInWhatWindsAroundIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &filter.GeoPolygon{Exterior: anyRing(t)}
		for range rapid.IntRange(0, 2).Draw(t, "holes") {
			p.Interiors = append(p.Interiors, anyRing(t))
		}
		m, err := filter.Compile(&filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "at", GeoPolygon: p}}}})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			g := corner(t)
			turns, on := around(p.Exterior, g)
			want := turns != 0 && !on
			for _, ring := range p.Interiors {
				if turns, on := around(ring, g); turns != 0 || on {
					want = false
				}
			}
			if got := m.Match(&target{payload: point.Payload{"at": map[string]any{"lon": g.Lon, "lat": g.Lat}}}); got != want {
				t.Fatalf("%v: %v in %v", got, g, *p)
			}
		}
	})
}

// A polygon with holes at the deepest level that is allowed survives its encoding.
func TestDeepPolygonsSurviveTheirEncoding(t *testing.T) {
	ring := []filter.Geo{{}, {Lon: 1}, {Lat: 1}, {}}
	f := &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "at", GeoPolygon: &filter.GeoPolygon{Exterior: ring, Interiors: [][]filter.Geo{ring}}}}}}
	for range filter.MostDepth - 1 {
		f = &filter.Filter{MinShould: &filter.MinShould{Count: 1, Conditions: []filter.Condition{{Nested: &filter.Nested{Key: "a", Filter: *f}}}}}
	}
	if _, err := filter.Compile(f); err != nil {
		t.Fatal(err)
	}
	if _, err := filter.Decode(filter.Encode(f)); err != nil {
		t.Fatal(err)
	}
	deeper := &filter.Filter{Must: []filter.Condition{{Filter: f}}}
	if _, err := filter.Compile(deeper); err == nil {
		t.Error("there is room for another level, so this was not the deepest")
	}
}
