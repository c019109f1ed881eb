package shard

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// selection is what a read returns of each point.
type selection struct {
	payload    bool
	projection point.Projection
	vectors    bool
	names      []string // nil: all
	schema     Schema
}

func (r *reader) selection(p PayloadSelector, v VectorSelector) (sel selection, err error) {
	sel = selection{payload: p.Enable, vectors: v.Enable, names: v.Names, schema: r.schema}
	if p.Enable {
		if sel.projection, err = point.NewProjection(p.Include, p.Exclude); err != nil {
			return sel, err
		}
	}
	if v.Enable {
		for _, name := range v.Names {
			if _, err := r.schema.vector(name); err != nil {
				return sel, err
			}
		}
	}
	return sel, nil
}

// record builds what is returned of a point. A payload or vectors that were asked for are never nil.
func (sel *selection) record(t *storedTarget) (point.Record, error) {
	rec := point.Record{Point: point.Point{ID: t.id}}
	if sel.payload {
		rec.Payload = sel.projection.Apply(t.Payload())
		if rec.Payload == nil {
			rec.Payload = point.Payload{}
		}
	}
	if sel.vectors {
		rec.Vectors = sel.pick(t.loadVectors())
	}
	rec.Version = t.version()
	return rec, t.err
}

func (sel *selection) pick(stored point.Vectors) point.Vectors {
	out := point.Vectors{}
	if sel.names == nil {
		for name, v := range stored {
			if sel.schema.fits(name, v) {
				out[name] = v
			}
		}
		return out
	}
	for _, name := range sel.names {
		if v, ok := stored[name]; ok && sel.schema.fits(name, v) {
			out[name] = v
		}
	}
	return out
}
