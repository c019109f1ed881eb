package payload

import (
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// maxElements is how many values, or words of text, an index holds of one point; of a point with more it holds none,
// and always asks its payload.
const maxElements = 1 << 12

// field is the index over one field.
type field struct {
	path  point.Path
	spec  Field
	index index

	build   *roaring.Bitmap // labels changed since a Build began; nil once the index is complete
	dropped bool

	// What every index knows of the values at the path, beside their own kind's.
	filled  bitmap // one is not empty: neither null nor []
	hollow  bitmap // one is empty
	null    bitmap // one is null
	hasNull bitmap // one is null, or an array that holds a null
	noNull  bitmap // one is not so
	unsure  bitmap // the payload must be asked whether any test of a value passes
}

// index is what is special to a kind.
type index interface {
	// put stores the values of a label that holds none.
	put(label uint32, e *entry)
	remove(label uint32)
	count() uint64 // labels with a value of the kind
	// match answers a test of values; ok is false if the kind does not know. Labels that are unsure are added after.
	match(c *filter.Field) (a answer, ok bool)
}

func newField(path point.Path, spec Field) *field {
	f := &field{path: path, spec: spec}
	switch spec.Kind {
	case Integer:
		f.index = &integers{numbers: newNumbers()}
	case Float:
		f.index = &floats{numbers: newNumbers()}
	case Datetime:
		f.index = &datetimes{numbers: newNumbers()}
	case Bool:
		f.index = &bools{}
	case Geo:
		f.index = newPlaces()
	case Text:
		f.index = newTexts(spec.Tokenizer)
	default: // Keyword, UUID
		f.index = newKeywords(f.spec.Kind == UUID)
	}
	return f
}

// touch notes that a label was changed while the index is being filled.
func (f *field) touch(label uint32) {
	if f.build != nil {
		f.build.Add(label)
	}
}

// put replaces what is there.
func (f *field) put(label uint32, e *entry) {
	f.filled.set(label, e.shape&isFilled != 0)
	f.hollow.set(label, e.shape&isHollow != 0)
	f.null.set(label, e.shape&isNull != 0)
	f.hasNull.set(label, e.shape&hasNull != 0)
	f.noNull.set(label, e.shape&noNull != 0)
	f.unsure.set(label, e.unsure)
	f.index.remove(label)
	f.index.put(label, e)
}

func (f *field) remove(label uint32) {
	for _, b := range []*bitmap{&f.filled, &f.hollow, &f.null, &f.hasNull, &f.noNull, &f.unsure} {
		b.set(label, false)
	}
	f.index.remove(label)
}

// answer answers a test of this field.
func (f *field) answer(c *filter.Field) answer {
	switch {
	case c.IsEmpty != nil && *c.IsEmpty: // one is empty, or there is none
		return exactly(not(andNot(f.filled.shared(), f.hollow.shared())))
	case c.IsEmpty != nil:
		return exactly(f.filled.shared())
	case c.IsNull != nil && *c.IsNull:
		return exactly(f.hasNull.shared())
	case c.IsNull != nil:
		return exactly(not(andNot(f.hasNull.shared(), f.noNull.shared())))
	case c.ValuesCount != nil:
		return upTo(or(f.filled.shared(), f.hollow.shared()))
	}
	a, ok := f.index.match(c)
	if !ok {
		return upTo(f.filled.shared())
	}
	if !f.unsure.empty() {
		a = a.spread()
		a.hi = or(a.hi, f.unsure.shared())
	}
	return a
}

// isEmpty answers the condition of that name, which asks that all values be empty.
func (f *field) isEmpty() answer { return exactly(not(f.filled.shared())) }

// isNull answers the condition of that name, which asks that one value be null itself.
func (f *field) isNull() answer { return exactly(f.null.shared()) }

// bitmap is a roaring bitmap that takes no memory while it is empty.
type bitmap struct{ bm *roaring.Bitmap }

func (b *bitmap) set(label uint32, on bool) {
	switch {
	case on && b.bm == nil:
		b.bm = roaring.BitmapOf(label)
	case on:
		b.bm.Add(label)
	case b.bm != nil:
		b.bm.Remove(label)
	}
}

func (b *bitmap) empty() bool { return b.bm == nil || b.bm.IsEmpty() }

func (b *bitmap) has(label uint32) bool { return b.bm != nil && b.bm.Contains(label) }

func (b *bitmap) count() uint64 {
	if b.bm == nil {
		return 0
	}
	return b.bm.GetCardinality()
}

// shared returns the set, which stays the index's.
func (b *bitmap) shared() set {
	if b.bm == nil {
		return none()
	}
	return set{bm: b.bm, shared: true}
}
