package peer

import (
	"math"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
)

func orderToWire(o *payload.Order) *peerpb.Order {
	if o == nil {
		return nil
	}
	w := &peerpb.Order{Path: o.Path, Desc: o.Desc}
	switch s := o.From; {
	case s.Int != nil:
		w.From = &peerpb.Order_Integer{Integer: *s.Int}
	case s.Float != nil:
		w.From = &peerpb.Order_Number{Number: *s.Float}
	case s.Time != nil:
		w.From = &peerpb.Order_Moment{Moment: &peerpb.Moment{Seconds: s.Time.Unix(), Nanos: int32(s.Time.Nanosecond())}}
	}
	return w
}

func orderFromWire(w *peerpb.Order) (*payload.Order, error) {
	if w == nil {
		return nil, nil
	}
	o := &payload.Order{Path: w.GetPath(), Desc: w.GetDesc()}
	switch f := w.GetFrom().(type) {
	case *peerpb.Order_Integer:
		o.From.Int = &f.Integer
	case *peerpb.Order_Number:
		if math.IsNaN(f.Number) || math.IsInf(f.Number, 0) {
			return nil, fault.New(fault.Invalid, "order from %v: not a finite number", f.Number)
		}
		o.From.Float = &f.Number
	case *peerpb.Order_Moment:
		t := time.Unix(f.Moment.GetSeconds(), int64(f.Moment.GetNanos())).UTC()
		if t.Year() < 0 || t.Year() > 9999 {
			return nil, fault.New(fault.Invalid, "order from a moment in the year %d", t.Year())
		}
		o.From.Time = &t
	}
	return o, nil
}

func facetsToWire(facets []payload.Facet, applied uint64) *peerpb.FacetResponse {
	w := &peerpb.FacetResponse{Applied: applied, Facets: make([]*peerpb.Facet, len(facets))}
	for i, f := range facets {
		w.Facets[i] = &peerpb.Facet{Count: f.Count}
		switch v := f.Value.(type) {
		case string:
			w.Facets[i].Value = &peerpb.Facet_Text{Text: v}
		case int64:
			w.Facets[i].Value = &peerpb.Facet_Integer{Integer: v}
		case bool:
			w.Facets[i].Value = &peerpb.Facet_Boolean{Boolean: v}
		}
	}
	return w
}

func facetsFromWire(w *peerpb.FacetResponse) ([]payload.Facet, error) {
	facets := make([]payload.Facet, len(w.GetFacets()))
	for i, f := range w.GetFacets() {
		facets[i].Count = f.GetCount()
		switch v := f.GetValue().(type) {
		case *peerpb.Facet_Text:
			facets[i].Value = v.Text
		case *peerpb.Facet_Integer:
			facets[i].Value = v.Integer
		case *peerpb.Facet_Boolean:
			facets[i].Value = v.Boolean
		default:
			return nil, fault.New(fault.Internal, "facet from peer: a value is of no known kind")
		}
	}
	return facets, nil
}
