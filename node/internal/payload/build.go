package payload

import (
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Build fills new indexes from points that were there before, while changes go on. Whoever owns the Set reads payloads
// as they were at the time of the Change or later, in any order, and calls Extract (beside anything) and then Put (alone)
// for each, and Done (alone) after the last.
type Build struct {
	set    *Set
	fields []*field
}

// Extract makes the row of a payload.
func (b *Build) Extract(p point.Payload) Row {
	row := make(Row, len(b.fields))
	for i, f := range b.fields {
		row[i] = f.extract(p)
	}
	return row
}

// Put stores a row, unless the label was changed or removed since the Build began: then the index knows better.
func (b *Build) Put(label uint32, row Row) {
	b.set.moment++
	for i, f := range b.fields {
		if f.build != nil && !f.build.Contains(label) {
			f.put(label, &row[i])
		}
	}
}

// Dropped reports whether no index wants to be filled any more.
func (b *Build) Dropped() bool {
	return !slices.ContainsFunc(b.fields, func(f *field) bool { return !f.dropped })
}

// Done makes the indexes complete: plans use them from now on.
func (b *Build) Done() {
	b.set.moment++
	for _, f := range b.fields {
		f.build = nil
	}
}

func sortedNames(fields map[string]*field) []string { return slices.Sorted(maps.Keys(fields)) }
