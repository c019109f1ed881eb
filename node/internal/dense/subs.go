package dense

import (
	"errors"
	"maps"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
)

// subs is the graphs of values that a core has. Values of many labels get one; what changes is noticed at the next look, until
// which searches compare it beside their walk. Nothing but shown and indexed is anybody's but the worker's.
type subs struct {
	shown   atomic.Pointer[map[Value]*shown] // the map is replaced as a whole
	indexed atomic.Int64                     // labels that have a row in one, as of the last time that all was built; with a net, nobody counts them

	looked  look
	todo    []Value // to be brought up to date, in this order
	growing *growth
}

// look is what was so when the worker last looked at all values.
type look struct {
	shape   shape
	all     bool // Config.AllValues
	reviews uint64
	changes uint64
}

// growth is a sub that is being brought up to date.
type growth struct {
	value   Value
	old     *shown // nil: there was none
	next    shown
	pending []uint32 // rows to be put in
	from    uint32   // the places from here on are not in the graph yet
}

// Bounds of what is built.
const (
	leastSub   = 1000 // Index.leastSub: labels; fewer are compared as quickly
	mostSubs   = 1024
	mostPlaces = 4        // of each label, on average
	mostOfAll  = 2        // one in so many of all labels, where there is a graph of all: that serves who looks among more
	subStep    = linkStep // Index.subStep: changes from which on they are put in; fewer are compared one by one
	leastLost  = 0.05     // the share of places that may have lost their value, if even fewer rows may be dead
)

func (b *subs) all() map[Value]*shown {
	if m := b.shown.Load(); m != nil {
		return *m
	}
	return nil
}

func (b *subs) close() (err error) {
	for _, v := range b.all() {
		err = errors.Join(err, v.release())
	}
	return errors.Join(err, b.drop())
}

// drop gives up what is being grown.
func (b *subs) drop() (err error) {
	switch g := b.growing; {
	case g == nil:
	case g.old != nil && g.old.sub == g.next.sub:
		g.old.torn = true
	default:
		err = g.next.release()
	}
	b.growing, b.todo = nil, nil
	return err
}

// shapeOf is how subs of a core are to be now.
func (x *Index) shapeOf(c *core) shape {
	config := x.full.Load()
	return shape{m: config.PayloadM, efConstruct: config.EfConstruct, net: c.net.Load()}
}

// leastLabels is how many labels a value has that gets a graph, if there are so many of all; 0: none does.
func (x *Index) leastLabels(count int) uint64 {
	config, bytes := x.full.Load(), int64(x.form.bytes())
	if config.PayloadM == 0 || config.IndexingBytes == 0 || int64(count)*bytes < config.IndexingBytes {
		return 0
	}
	return uint64(max(x.leastSub, (config.FullScanBytes+bytes-1)/bytes))
}

// subsDue reports whether there is anything to do for the subs of a core.
func (x *Index) subsDue(s *state) bool {
	b := &s.core.subs
	reviews := x.reviews.Load()
	if x.values == nil || reviews == 0 {
		return false
	}
	if len(b.todo) > 0 || b.growing != nil {
		return true
	}
	if least := x.leastLabels(s.count); len(b.all()) == 0 && (least == 0 || uint64(s.count) < least) {
		return false // and nothing will be found
	}
	return b.looked.reviews != reviews || b.looked.all != x.full.Load().AllValues || b.looked.shape != x.shapeOf(s.core) || s.changes-b.looked.changes >= x.subStep
}

func (x *Index) workOnSubs() error { return x.stepSubs(x.state.Load()) }

// stepSubs does a part of what is due, about as much as linking a few rows.
func (x *Index) stepSubs(s *state) error {
	b := &s.core.subs
	var err error
	switch {
	case b.looked.shape != x.shapeOf(s.core) || b.growing == nil && len(b.todo) == 0:
		err = x.lookAtValues(s)
	case b.growing == nil:
		value := b.todo[0]
		b.todo = b.todo[1:]
		err = x.beginGrowth(s, value)
	default:
		err = x.grow(s.core)
	}
	if err == nil && b.growing == nil && len(b.todo) == 0 {
		s.countIndexed()
	}
	return err
}

// lookAtValues chooses the values that are to have graphs, and takes theirs away from all others.
func (x *Index) lookAtValues(s *state) error {
	b := &s.core.subs
	err := b.drop()
	b.looked = look{shape: x.shapeOf(s.core), all: x.full.Load().AllValues, reviews: x.reviews.Load(), changes: s.changes}
	kept := map[Value]*shown{}
	least, left := x.leastLabels(s.count), uint64(mostPlaces)*uint64(s.count)
	take := func(v Value, labels uint64) {
		if labels <= left && len(b.todo) < mostSubs {
			left -= labels
			b.todo = append(b.todo, v)
		}
	}
	type large struct {
		value  Value
		labels uint64
	}
	var others []large
	if least > 0 {
		x.values.Large(b.looked.all, least/2, func(v Value, labels uint64) {
			if b.all()[v] != nil {
				take(v, labels)
			} else if labels >= least && (b.looked.shape.net == nil || labels <= uint64(s.count)/mostOfAll) {
				others = append(others, large{v, labels})
			}
		})
	}
	for _, v := range b.todo {
		kept[v] = b.all()[v]
	}
	for _, o := range others { // so that nothing is built in turns with something else
		take(o.value, o.labels)
	}
	return errors.Join(err, b.show(kept))
}

// show shows other subs than before.
func (b *subs) show(now map[Value]*shown) (err error) {
	before := b.all()
	b.shown.Store(&now)
	for value, old := range before {
		if next := now[value]; next == nil || next.sub != old.sub {
			err = errors.Join(err, old.release())
		}
	}
	return err
}

// beginGrowth finds the rows that a value's sub lacks.
func (x *Index) beginGrowth(s *state, value Value) (err error) {
	b := &s.core.subs
	having := x.values.Having(value)
	g := &growth{value: value, old: b.all()[value], next: shown{mark: s.rows, seq: s.seq}}
	if n := b.looked.shape.net; n != nil {
		g.next.mark = min(s.rows, s.core.linked.Load()) // the others have no codes
	}
	if g.old != nil && !x.outlived(g.old, having, b.looked.shape) {
		g.next.sub, g.next.labels = g.old.sub, g.old.labels.Clone()
		g.addBehind(s, having)
	} else {
		g.next.labels = roaring.New()
	}
	g.addMissing(s, having)
	if g.next.sub == nil {
		if g.old == nil && int64(len(g.pending)) < x.leastSub { // labels without a vector
			return nil
		}
		if g.next.sub, err = x.newSub(s.core, b.looked.shape); err != nil {
			return err
		}
	}
	rows := *g.next.rows.Load()
	g.from = uint32(len(rows))
	rows = append(rows, g.pending...)
	g.next.rows.Store(&rows)
	g.next.places, g.pending = uint32(len(rows)), nil
	b.growing = g
	return nil
}

// outlived reports whether a sub is to be built anew.
func (x *Index) outlived(old *shown, having *roaring.Bitmap, s shape) bool {
	lost := float64(old.places) - float64(having.AndCardinality(old.labels))
	return old.torn || old.shape != s || lost > max(leastLost, x.full.Load().DeletedThreshold)*float64(old.places)
}

// addBehind looks at the rows that came since the sub was brought up to date last.
func (g *growth) addBehind(s *state, having *roaring.Bitmap) {
	for row := g.old.mark; row < g.next.mark; row++ {
		if !s.visible(row) {
			continue
		}
		if label := s.core.label(row); having.Contains(label) {
			g.next.labels.Add(label)
			g.pending = append(g.pending, row)
		} else {
			g.next.labels.Remove(label)
		}
	}
}

// addMissing looks at the labels that got the value since.
func (g *growth) addMissing(s *state, having *roaring.Bitmap) {
	roaring.AndNot(having, g.next.labels).Iterate(func(label uint32) bool {
		if row, ok := s.row(label); ok && row < g.next.mark {
			g.pending = append(g.pending, row)
		}
		g.next.labels.Add(label)
		return true
	})
}

// grow puts some places into the graph, and shows it once all are there.
func (x *Index) grow(c *core) error {
	b := &c.subs
	g := b.growing
	if g.from < g.next.places {
		p := x.pace(x.full.Load().threads())
		end := min(g.next.places, g.from+p.step)
		if err := x.linkPlaces(c, g.next.sub, g.from, end, p); err != nil {
			return err
		}
		if g.from = end; end < g.next.places {
			return nil
		}
	}
	now := map[Value]*shown{}
	maps.Copy(now, b.all())
	now[g.value] = &g.next
	b.growing = nil
	return b.show(now)
}

func (x *Index) linkPlaces(c *core, b *sub, from, to uint32, p pace) error {
	coarse := b.shape.net != nil && b.shape.net.config.Codes.coarse()
	return x.sideBySide(x.worker.ctx, from, to, p, func() (insert func(place uint32) error, done func()) {
		space := b.scorer(c, coarse)
		return func(place uint32) error {
			if b.graph.Has(place) {
				return nil
			}
			return b.graph.Insert(place, space)
		}, func() { b.done(c, space) }
	})
}

// countIndexed counts the labels that have a row in a sub, if there is no graph of all.
func (s *state) countIndexed() {
	b, n := &s.core.subs, int64(0)
	if s.core.net.Load() != nil {
		return
	}
	labels := roaring.New()
	for _, v := range b.all() {
		labels.Or(v.labels)
	}
	labels.Iterate(func(label uint32) bool {
		if _, ok := s.row(label); ok {
			n++
		}
		return true
	})
	b.indexed.Store(n)
}
