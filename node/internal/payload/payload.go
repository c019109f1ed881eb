// Package payload owns the indexes over payload fields of one shard, and the planning of filters with them.
//
// A Set holds an index per declared field, by label: the small number that the shard gives to a point. Plan turns a
// filter into two bitmaps, the labels that match for sure and those that may; what lies between is for the reader to
// ask filter.Matcher. An index therefore never changes what a query returns: what it does not hold exactly (a value of
// another type, a moment finer than it stores, a text of too many words) it counts among what may match.
//
// A Set does no I/O and starts nothing. It has no lock of its own: whoever owns it sees to it that Put, Remove, Change
// and a Build's steps are alone, and that no Plan runs meanwhile; a Plan may be used without care for that afterwards.
package payload

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// Kind is the type of an index; the words are the catalog's.
type Kind string

// The kinds.
const (
	Keyword  Kind = "keyword"
	Integer  Kind = "integer"
	Float    Kind = "float"
	Geo      Kind = "geo"
	Text     Kind = "text"
	Bool     Kind = "bool"
	Datetime Kind = "datetime"
	UUID     Kind = "uuid"
)

// Field says what an index is to hold.
type Field struct {
	Kind      Kind
	Tokenizer *token.Tokenizer // of Text
}

// Equal reports whether two fields want the same index.
func (f Field) Equal(o Field) bool {
	if f.Tokenizer == nil || o.Tokenizer == nil {
		return f.Kind == o.Kind && f.Tokenizer == o.Tokenizer
	}
	return f.Kind == o.Kind && f.Tokenizer.Equal(*o.Tokenizer)
}

// String names what the index is to hold: equal fields have equal names, others have others.
func (f Field) String() string {
	if f.Tokenizer == nil {
		return string(f.Kind)
	}
	return fmt.Sprintf("%s %+v %q", f.Kind, *f.Tokenizer, f.Tokenizer.Stopwords) // which may hold spaces
}

// Schema is the declared fields by canonical path.
type Schema map[string]Field

// Status tells of one index.
type Status struct {
	Spec   string // the Field's name
	Ready  bool   // it is complete: plans use it
	Points uint64 // points with a value that it holds
}

// Set is the indexes of a shard.
type Set struct {
	fields map[string]*field
	order  []*field // as Rows have them
	live   *roaring.Bitmap
	span   uint32 // labels are below it
	moment uint64 // how often it was changed
}

// New returns a Set without points. Paths that cannot be parsed are left out.
func New(schema Schema) *Set {
	s := &Set{fields: map[string]*field{}, live: roaring.New()}
	s.Change(schema)
	return s
}

// Len returns the number of points.
func (s *Set) Len() uint64 { return s.live.GetCardinality() }

// Moment returns a number that is another after every change: of equal ones, a filter that names no points has the same
// plan.
func (s *Set) Moment() uint64 { return s.moment }

// Labels returns the labels of all points.
func (s *Set) Labels() *roaring.Bitmap { return s.live.Clone() }

// Statuses tells of every index.
func (s *Set) Statuses() map[string]Status {
	if len(s.order) == 0 {
		return nil
	}
	out := make(map[string]Status, len(s.order))
	for name, f := range s.fields {
		out[name] = Status{Spec: f.spec.String(), Ready: f.build == nil, Points: f.index.count()}
	}
	return out
}

// Row is what the indexes of a Set want of one payload. It is worth something until the next Change.
type Row []entry

// Extract makes the row of a payload. It looks at nothing that Put changes: it may run beside anything but Change.
func (s *Set) Extract(p point.Payload) Row {
	if len(s.order) == 0 {
		return nil
	}
	row := make(Row, len(s.order))
	for i, f := range s.order {
		row[i] = f.extract(p)
	}
	return row
}

// Put stores a row under a label, instead of what is there.
func (s *Set) Put(label uint32, row Row) {
	s.moment++
	s.live.Add(label)
	s.span = max(s.span, label+1)
	for i, f := range s.order {
		f.touch(label)
		f.put(label, &row[i])
	}
}

// Add notes a point whose payload the indexes get from a Build.
func (s *Set) Add(label uint32) {
	s.moment++
	s.live.Add(label)
	s.span = max(s.span, label+1)
}

// Remove forgets a label.
func (s *Set) Remove(label uint32) {
	if !s.live.CheckedRemove(label) {
		return
	}
	s.moment++
	for _, f := range s.order {
		f.touch(label)
		f.remove(label)
	}
}

// Change makes the Set follow a schema: indexes that are not in it go, those that are new begin empty. Unless the Set
// has no points, these are filled by the Build that is returned (nil: nothing is to be filled).
func (s *Set) Change(schema Schema) *Build {
	s.moment++
	var fresh []*field
	fields := make(map[string]*field, len(schema))
	for name, spec := range schema {
		if old, ok := s.fields[name]; ok && old.spec.Equal(spec) {
			fields[name] = old
			continue
		}
		path, err := point.ParsePath(name)
		if err != nil {
			continue
		}
		fields[name] = newField(path, spec)
		fresh = append(fresh, fields[name])
	}
	for name, old := range s.fields {
		if fields[name] != old {
			old.dropped = true
		}
	}
	s.fields = fields
	s.order = s.order[:0:0]
	for _, name := range sortedNames(fields) {
		s.order = append(s.order, fields[name])
	}
	if len(fresh) == 0 || s.live.IsEmpty() {
		return nil
	}
	b := &Build{set: s, fields: fresh}
	for _, f := range fresh {
		f.build = roaring.New()
	}
	return b
}
