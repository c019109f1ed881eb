package api

import (
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// orderFrom reads by what points are to be ordered.
func orderFrom(o *qdrant.OrderBy) (*payload.Order, error) {
	path, err := catalog.FieldPath(o.GetKey())
	if err != nil {
		return nil, err
	}
	out := &payload.Order{Path: path, Desc: o.GetDirection() == qdrant.Direction_Desc}
	if o.GetStartFrom() == nil {
		return out, nil
	}
	switch v := o.GetStartFrom().GetValue().(type) {
	case *qdrant.StartFrom_Integer:
		out.From.Int = &v.Integer
	case *qdrant.StartFrom_Float:
		out.From.Float = &v.Float
	case *qdrant.StartFrom_Timestamp:
		out.From.Time, err = momentFrom(v.Timestamp)
	case *qdrant.StartFrom_Datetime:
		t, ok := filter.ParseDatetime(v.Datetime)
		if !ok {
			return nil, invalid("order_by: start_from %.64q is no date or time", v.Datetime)
		}
		out.From.Time = &t
	default:
		return nil, invalid("order_by: start_from is given, but empty")
	}
	return out, err
}

// orderValueTo writes the value that a point was ordered by. Moments are microseconds since 1970.
func orderValueTo(c *catalog.Collection, o *payload.Order, rank int64) *qdrant.OrderValue {
	v := replica.FieldOf(c.PayloadSchema[o.Path]).Value(rank)
	if v.Float {
		return &qdrant.OrderValue{Variant: &qdrant.OrderValue_Float{Float: v.Number}}
	}
	return &qdrant.OrderValue{Variant: &qdrant.OrderValue_Int{Int: v.Integer}}
}
