package payload

import (
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
)

// places is the index of places: ordered by cells of a grid in Z-order (G. M. Morton, 1966), such that few runs of
// cells cover a rectangle. What lies in them is compared exactly.
type places struct {
	ordered
	has   bitmap
	first []filter.Geo
	more  map[uint32][]filter.Geo
	span  uint32
}

func newPlaces() *places { return &places{more: map[uint32][]filter.Geo{}} }

// place takes {"lon": .., "lat": ..}; what is off the map is left to the payload.
func (e *entry) place(v any) {
	g, ok := filter.PlaceIn(v)
	switch {
	case !ok:
	case math.Abs(g.Lon) > 180 || math.Abs(g.Lat) > 90:
		e.unsure = true
	case !slices.Contains(e.places, g):
		e.places = append(e.places, g)
	}
}

func (x *places) put(label uint32, e *entry) {
	if len(e.places) == 0 {
		return
	}
	x.has.set(label, true)
	x.span = max(x.span, label+1)
	if len(e.places) == 1 {
		for int(label) >= len(x.first) {
			x.first = append(x.first, filter.Geo{})
		}
		x.first[label] = e.places[0]
	} else {
		x.more[label] = e.places
	}
	for _, cell := range cellsOf(e.places) {
		x.add(cell, label)
	}
}

func (x *places) remove(label uint32) {
	if !x.has.has(label) {
		return
	}
	x.has.set(label, false)
	for _, cell := range cellsOf(x.of(label)) {
		x.ordered.remove(cell, label)
	}
	delete(x.more, label)
}

func (x *places) of(label uint32) []filter.Geo {
	if list, ok := x.more[label]; ok {
		return list
	}
	return x.first[label : label+1]
}

func (x *places) count() uint64 { return x.has.count() }

func (x *places) match(c *filter.Field) (answer, bool) {
	switch {
	case c.GeoBox != nil:
		return exactly(x.within(rectanglesOf(*c.GeoBox), c.GeoBox.Contains)), true
	case c.GeoRadius != nil:
		return exactly(x.within(aroundCircle(*c.GeoRadius), c.GeoRadius.Contains)), true
	case c.GeoPolygon != nil:
		return exactly(x.within(aroundPolygon(c.GeoPolygon), c.GeoPolygon.Contains())), true
	}
	return answer{}, false
}

// within returns the labels of places that lie in one of some rectangles and pass a test.
func (x *places) within(rectangles []rectangle, test func(filter.Geo) bool) set {
	l := labels{span: x.span}
	for _, r := range rectangles {
		for _, run := range r.cover() {
			x.between(run[0], run[1], func(_ []int64, found []uint32) bool {
				for _, label := range found {
					if slices.ContainsFunc(x.of(label), test) {
						l.list = append(l.list, label)
					}
				}
				return true
			})
		}
	}
	return l.set()
}

// rectangle is a part of the grid, both ends included.
type rectangle struct{ west, south, east, north uint32 }

// column and row number the grid; they grow with longitude and latitude.
func column(lon float64) uint32 { return gridLine((lon + 180) / 360) }
func row(lat float64) uint32    { return gridLine((lat + 90) / 180) }

func gridLine(share float64) uint32 {
	return uint32(min(max(share*(1<<32), 0), math.MaxUint32))
}

func cellsOf(list []filter.Geo) []int64 {
	cells := make([]int64, len(list))
	for i, g := range list {
		cells[i] = cell(column(g.Lon), row(g.Lat))
	}
	slices.Sort(cells)
	return slices.Compact(cells)
}

// cell is the Z-order of a cell, as a signed number of the same order.
func cell(x, y uint32) int64 { return int64(spreadBits(x)|spreadBits(y)<<1) ^ math.MinInt64 }

// spreadBits puts a zero between any two bits.
func spreadBits(v uint32) uint64 {
	x := uint64(v)
	for _, step := range [...]struct {
		by   uint
		mask uint64
	}{{16, 0x0000ffff0000ffff}, {8, 0x00ff00ff00ff00ff}, {4, 0x0f0f0f0f0f0f0f0f}, {2, 0x3333333333333333}, {1, 0x5555555555555555}} {
		x = (x | x<<step.by) & step.mask
	}
	return x
}

// rectanglesOf returns one rectangle, or two for a box across the antimeridian.
func rectanglesOf(b filter.GeoBox) []rectangle {
	whole := rectangle{column(b.TopLeft.Lon), row(b.BottomRight.Lat), column(b.BottomRight.Lon), row(b.TopLeft.Lat)}
	if b.TopLeft.Lon <= b.BottomRight.Lon {
		return []rectangle{whole}
	}
	west, east := whole, whole
	west.east, east.west = math.MaxUint32, 0
	return []rectangle{west, east}
}

// aroundCircle returns what a circle fits into, a little wider than needed.
func aroundCircle(c filter.GeoRadius) []rectangle {
	const rad = math.Pi / 180
	angle := c.Meters/filter.EarthRadius*(1+1e-9) + 1e-9
	south, north := c.Center.Lat-angle/rad, c.Center.Lat+angle/rad
	all := rectangle{0, row(south), math.MaxUint32, row(north)}
	if south <= -90 || north >= 90 {
		return []rectangle{all}
	}
	width := math.Asin(min(1, math.Sin(angle)/math.Cos(c.Center.Lat*rad))) / rad
	west, east := c.Center.Lon-width-1e-9, c.Center.Lon+width+1e-9
	if east-west >= 360 {
		return []rectangle{all}
	}
	r := rectangle{column(west), all.south, column(east), all.north}
	var beyond rectangle
	switch {
	case west < -180:
		r.west, beyond = 0, rectangle{column(west + 360), all.south, math.MaxUint32, all.north}
	case east > 180:
		r.east, beyond = math.MaxUint32, rectangle{0, all.south, column(east - 360), all.north}
	default:
		return []rectangle{r}
	}
	return []rectangle{r, beyond}
}

// aroundPolygon returns what a polygon fits into.
func aroundPolygon(p *filter.GeoPolygon) []rectangle {
	southWest, northEast := p.Bounds()
	return []rectangle{{column(southWest.Lon), row(southWest.Lat), column(northEast.Lon), row(northEast.Lat)}}
}

// maxRuns is about how many runs of cells cover a rectangle: more would be closer to it, and take longer to look up.
const maxRuns = 64

// quarter is a square of the grid: its south-west corner, and how many bits its sides are long.
type quarter struct {
	x, y uint32
	bits uint
}

// cover returns runs of cells, in order, which hold the rectangle.
func (r rectangle) cover() (runs [][2]int64) {
	level := []quarter{{bits: 32}}
	for len(level) > 0 {
		var finer []quarter
		for i, q := range level {
			switch {
			case r.apart(q):
			case r.holds(q) || q.bits == 0 || len(runs)+len(finer)+len(level)-i >= maxRuns:
				runs = append(runs, q.run())
			default:
				half := uint32(1) << (q.bits - 1)
				finer = append(finer, quarter{q.x, q.y, q.bits - 1}, quarter{q.x + half, q.y, q.bits - 1},
					quarter{q.x, q.y + half, q.bits - 1}, quarter{q.x + half, q.y + half, q.bits - 1})
			}
		}
		level = finer
	}
	slices.SortFunc(runs, func(a, b [2]int64) int { return cmpInt(a[0], b[0]) })
	return joined(runs)
}

func cmpInt(a, b int64) int {
	if a < b {
		return -1
	}
	return 1
}

// joined makes one run of those that touch.
func joined(runs [][2]int64) [][2]int64 {
	out := runs[:0]
	for _, run := range runs {
		if n := len(out); n > 0 && out[n-1][1]+1 == run[0] {
			out[n-1][1] = run[1]
		} else {
			out = append(out, run)
		}
	}
	return out
}

func (q quarter) last() (x, y uint32) {
	side := uint32(1<<q.bits - 1)
	return q.x + side, q.y + side
}

func (q quarter) run() [2]int64 {
	x, y := q.last()
	return [2]int64{cell(q.x, q.y), cell(x, y)}
}

func (r rectangle) apart(q quarter) bool {
	x, y := q.last()
	return q.x > r.east || x < r.west || q.y > r.north || y < r.south
}

func (r rectangle) holds(q quarter) bool {
	x, y := q.last()
	return q.x >= r.west && x <= r.east && q.y >= r.south && y <= r.north
}
