package strictmode

import (
	"slices"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// checkFilter refuses a filter that is too large, or that tests fields without an index for such a test. It returns how many
// conditions the filter has. The depth of a filter was bounded when it was read.
func checkFilter(c *catalog.Collection, f *filter.Filter, field string, allowed *bool) (conditions uint64, err error) {
	if f == nil {
		return 0, nil
	}
	limits := c.Config.Limits()
	w := walk{c: c}
	if allowed != nil && !*allowed {
		w.indexes = field
	}
	w.filter("", f)
	switch {
	case limits.MaxFilterConditions != nil && w.conditions > *limits.MaxFilterConditions:
		return 0, exceeds(c, "filter_max_conditions", w.conditions, *limits.MaxFilterConditions, "use fewer conditions in a filter")
	case limits.MaxConditionSize != nil && w.largest > *limits.MaxConditionSize:
		return 0, exceeds(c, "condition_max_size", w.largest, *limits.MaxConditionSize, "list fewer values in a condition")
	}
	return w.conditions, w.err
}

// walk goes through a filter.
type walk struct {
	c          *catalog.Collection
	indexes    string // the limit that asks for indexes; "" if none does
	conditions uint64 // all but those that only hold others
	largest    uint64 // values that one of them lists
	err        error  // of the first that lacks an index
}

func (w *walk) filter(below string, f *filter.Filter) {
	w.all(below, f.Must)
	w.all(below, f.Should)
	w.all(below, f.MustNot)
	if f.MinShould != nil {
		w.all(below, f.MinShould.Conditions)
	}
}

func (w *walk) all(below string, list []filter.Condition) {
	for i := range list {
		w.condition(below, &list[i])
	}
}

func (w *walk) condition(below string, c *filter.Condition) {
	switch {
	case c.Filter != nil:
		w.filter(below, c.Filter)
		return
	case c.Nested != nil:
		path, err := point.ParsePath(below + c.Nested.Key)
		if err != nil {
			w.fail(err)
			return
		}
		w.filter(path.Every().String()+".", &c.Nested.Filter)
		return
	}
	w.conditions++
	switch {
	case c.HasID != nil:
		w.largest = max(w.largest, uint64(len(c.HasID.IDs)))
	case c.IsEmpty != nil:
		w.need(below, *c.IsEmpty, nil)
	case c.IsNull != nil:
		w.need(below, *c.IsNull, nil)
	case c.Field != nil:
		w.largest = max(w.largest, listed(c.Field.Match))
		w.need(below, c.Field.Key, helpful(c.Field))
	}
}

// need notes that a field is tested. The first that lacks an index counts.
func (w *walk) need(below, key string, types []catalog.FieldType) {
	if w.indexes != "" && w.err == nil {
		w.fail(indexed(w.c, below, key, types, w.indexes))
	}
}

func (w *walk) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// listed is how many values a match lists.
func listed(m *filter.Match) uint64 {
	if m == nil {
		return 0
	}
	return uint64(max(len(m.AnyKeyword), len(m.AnyInteger), len(m.ExceptKeyword), len(m.ExceptInteger)))
}

// The types of index that help with each kind of test; nil is any.
var (
	words     = []catalog.FieldType{catalog.KeywordField, catalog.UUIDField}
	integers  = []catalog.FieldType{catalog.IntegerField}
	switches  = []catalog.FieldType{catalog.BoolField}
	texts     = []catalog.FieldType{catalog.TextField}
	numbers   = []catalog.FieldType{catalog.IntegerField, catalog.FloatField}
	moments   = []catalog.FieldType{catalog.DatetimeField}
	places    = []catalog.FieldType{catalog.GeoField}
	groupable = []catalog.FieldType{catalog.KeywordField, catalog.IntegerField, catalog.BoolField, catalog.UUIDField}
)

// helpful returns the types of index that help with a test.
func helpful(f *filter.Field) []catalog.FieldType {
	switch m := f.Match; {
	case f.Range != nil:
		return numbers
	case f.DatetimeRange != nil:
		return moments
	case f.GeoBox != nil || f.GeoRadius != nil || f.GeoPolygon != nil:
		return places
	case m == nil:
		return nil // how many values there are, and whether any
	case m.Text != nil:
		return texts
	case m.Bool != nil:
		return switches
	case m.Integer != nil || len(m.AnyInteger) > 0 || len(m.ExceptInteger) > 0:
		return integers
	case m.EmptySet != nil:
		return nil
	}
	return words
}

// indexed refuses a test of a field that has no index of one of some types.
func indexed(c *catalog.Collection, below, key string, types []catalog.FieldType, limit string) error {
	path, err := catalog.FieldPath(below + key)
	if err != nil {
		return err
	}
	index, ok := c.PayloadSchema[path]
	if ok && (types == nil || slices.Contains(types, index.Type)) && !declines(index, types) {
		return nil
	}
	kinds := "any type"
	if types != nil {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = string(t)
		}
		kinds = "type " + strings.Join(names, " or ")
	}
	what := "the request tests field `" + path + "`, which has no index"
	if ok {
		what = "the request tests field `" + path + "` in a way that its index of type " + string(index.Type) + " does not help with"
	}
	return refused(c, limit, what, "create an index of "+kinds+" for it, or use another filter")
}

// declines tells whether an index of integers is declared not to serve such a test.
func declines(index catalog.FieldIndex, types []catalog.FieldType) bool {
	if index.Type != catalog.IntegerField || index.Params == nil || types == nil {
		return false
	}
	said := index.Params.Lookup
	if slices.Contains(types, catalog.FloatField) {
		said = index.Params.Range
	}
	return said != nil && !*said
}
