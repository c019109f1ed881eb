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
		rec.Vectors, rec.Sparse = sel.pick(t.loadVectors())
	}
	rec.Version = t.version()
	return rec, t.err
}

func (sel *selection) pick(stored point.VectorSet) (dense point.Vectors, sparse point.SparseVectors) {
	names := sel.names
	if names == nil {
		names = stored.Names()
	}
	dense = point.Vectors{}
	for _, name := range names {
		if !sel.schema.fits(name, stored) {
			continue
		}
		if v, ok := stored.Sparse[name]; !ok {
			dense[name] = stored.Dense[name]
		} else {
			if sparse == nil {
				sparse = point.SparseVectors{}
			}
			sparse[name] = v
		}
	}
	return dense, sparse
}
