package api

import (
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
)

// filterFrom reads and checks a filter; nil stays nil, which matches every point.
func filterFrom(f *qdrant.Filter) (*filter.Filter, error) {
	if f == nil {
		return nil, nil
	}
	r := filterReader{left: filter.MaxConditions}
	out, err := r.filter(f, 1)
	if err != nil {
		return nil, err
	}
	if _, err := filter.Compile(out); err != nil {
		return nil, err
	}
	return out, nil
}

// encodedFilter reads a filter into the form that operations carry.
func encodedFilter(f *qdrant.Filter) ([]byte, error) {
	out, err := filterFrom(f)
	if err != nil {
		return nil, err
	}
	return filter.Encode(out), nil
}

// filterReader counts conditions while it reads a tree of filters.
type filterReader struct{ left int }

func (r *filterReader) filter(f *qdrant.Filter, depth int) (*filter.Filter, error) {
	if depth > filter.MaxDepth {
		return nil, tooDeep("filter")
	}
	out := &filter.Filter{}
	var err error
	if out.Must, err = r.conditions(f.GetMust(), depth); err != nil {
		return nil, err
	}
	if out.Should, err = r.conditions(f.GetShould(), depth); err != nil {
		return nil, err
	}
	if out.MustNot, err = r.conditions(f.GetMustNot(), depth); err != nil {
		return nil, err
	}
	if m := f.GetMinShould(); m != nil {
		conditions, err := r.conditions(m.GetConditions(), depth)
		if err != nil {
			return nil, err
		}
		out.MinShould = &filter.MinShould{Conditions: conditions, Count: m.GetMinCount()}
	}
	return out, nil
}

func (r *filterReader) conditions(list []*qdrant.Condition, depth int) ([]filter.Condition, error) {
	if r.left -= len(list); r.left < 0 {
		return nil, invalid("filter: more than %d conditions", filter.MaxConditions)
	}
	var out []filter.Condition
	for _, c := range list {
		condition, err := r.condition(c, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, condition)
	}
	return out, nil
}

func (r *filterReader) condition(c *qdrant.Condition, depth int) (out filter.Condition, err error) {
	switch o := c.GetConditionOneOf().(type) {
	case *qdrant.Condition_Field:
		out.Field, err = fieldFrom(o.Field)
	case *qdrant.Condition_IsEmpty:
		key := o.IsEmpty.GetKey()
		out.IsEmpty = &key
	case *qdrant.Condition_IsNull:
		key := o.IsNull.GetKey()
		out.IsNull = &key
	case *qdrant.Condition_HasId:
		out.HasID, err = hasIDFrom(o.HasId)
	case *qdrant.Condition_HasVector:
		name := o.HasVector.GetHasVector()
		out.HasVector = &name
	case *qdrant.Condition_Nested:
		out.Nested, err = r.nested(o.Nested, depth)
	case *qdrant.Condition_Filter:
		out.Filter, err = r.filter(o.Filter, depth+1)
	default:
		err = invalid("filter: a condition is empty or of a kind that this server does not know")
	}
	return out, err
}

func (r *filterReader) nested(n *qdrant.NestedCondition, depth int) (*filter.Nested, error) {
	if n.GetFilter() == nil {
		return nil, invalid("filter: the nested condition on %q has no filter", n.GetKey())
	}
	inner, err := r.filter(n.GetFilter(), depth+1)
	if err != nil {
		return nil, err
	}
	return &filter.Nested{Key: n.GetKey(), Filter: *inner}, nil
}

func hasIDFrom(h *qdrant.HasIdCondition) (*filter.HasID, error) {
	ids, err := idsFrom(h.GetHasId())
	if err != nil {
		return nil, err
	}
	return &filter.HasID{IDs: ids}, nil
}
