package coordinator

import (
	"bytes"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// Shards know vectors by their inner names (catalog.Config.Inner) and take them in the form in which they are stored. Both is done
// here, by one state of the catalog, so that an operation does the same on every replica, whatever that knows of the catalog at that
// place of its log.

// inner translates names of a collection's vectors.
type inner struct {
	config   *catalog.Config
	in, back map[string]string // of those that have an inner name of their own
}

func innerOf(col *catalog.Collection) inner {
	in, back := col.Config.Inners()
	return inner{&col.Config, in, back}
}

// nobody is a name that no vector has.
const nobody = "\x00"

// name of one that is declared; of others, one that no point has.
func (n inner) name(name string) string {
	if in, ok := n.in[name]; ok {
		return in
	}
	if !n.config.Has(name) {
		return nobody
	}
	return name
}

func (n inner) names(names []string) []string {
	if len(n.in) == 0 || names == nil {
		return names
	}
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = n.name(name)
	}
	return out
}

func (n inner) filter(f *filter.Filter) *filter.Filter { return f.Renamed(n.name) }

func (n inner) encoded(f []byte) []byte {
	if !bytes.Contains(f, []byte(`"has_vector":`)) {
		return f
	}
	decoded, err := filter.Decode(f) // it was checked
	if err != nil {
		return f
	}
	return filter.Encode(n.filter(decoded))
}

// op returns an operation as shards take it.
func (n inner) op(col *catalog.Collection, op point.Op) point.Op {
	switch o := op.(type) {
	case point.Upsert:
		o.Points, o.Condition = n.points(col, o.Points), n.encoded(o.Condition)
		return o
	case point.UpdateVectors:
		o.Points, o.Condition = n.points(col, o.Points), n.encoded(o.Condition)
		return o
	case point.DeleteVectors:
		o.Names, o.Filter = n.names(o.Names), n.encoded(o.Filter)
		return o
	case point.Delete:
		o.Filter = n.encoded(o.Filter)
		return o
	case point.SetPayload:
		o.Filter = n.encoded(o.Filter)
		return o
	case point.OverwritePayload:
		o.Filter = n.encoded(o.Filter)
		return o
	case point.DeletePayload:
		o.Filter = n.encoded(o.Filter)
		return o
	case point.ClearPayload:
		o.Filter = n.encoded(o.Filter)
		return o
	}
	return op
}

func (n inner) points(col *catalog.Collection, points []point.Point) []point.Point {
	schema := replica.SchemaOf(col)
	out := slices.Clone(points)
	for i := range out {
		set := out[i].VectorSet()
		if len(n.in) > 0 {
			set = renamed(set, n.name)
		}
		set = schema.Formed(set)
		out[i].Vectors, out[i].Sparse = set.Dense, set.Sparse
	}
	return out
}

// show returns a record's vectors to their own names.
func (n inner) show(r *point.Record) {
	if len(n.back) == 0 || r.VectorSet().Empty() {
		return
	}
	set := renamed(r.VectorSet(), func(name string) string {
		if own, ok := n.back[name]; ok {
			return own
		}
		return name
	})
	r.Vectors, r.Sparse = set.Dense, set.Sparse
}

func (n inner) showAll(records []point.Record) {
	for i := range records {
		n.show(&records[i])
	}
}

func renamed(set point.VectorSet, to func(string) string) point.VectorSet {
	out := point.VectorSet{Dense: make(point.Vectors, len(set.Dense))}
	for name, v := range set.Dense {
		out.Dense[to(name)] = v
	}
	for name := range maps.Keys(set.Sparse) {
		out.Put(point.VectorSet{Sparse: point.SparseVectors{to(name): set.Sparse[name]}})
	}
	return out
}

// look is what a read returns of vectors.
func (n inner) look(v shard.VectorSelector) shard.VectorSelector {
	v.Names = n.names(v.Names)
	return v
}
