package shard

import (
	"cmp"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// do applies one operation. Why each may be redone after a crash between its parts is told at Apply.
func (r *run) do(op point.Op) (opErr, fatal error) {
	switch op := op.(type) {
	case point.Upsert:
		opErr, fatal = r.upsert(op)
	case point.UpdateVectors:
		opErr, fatal = r.updateVectors(op)
	case point.DeleteVectors:
		opErr, fatal = r.deleteVectors(op)
	case point.Delete:
		opErr, fatal = r.each(op.Selector, r.remove)
	case point.SetPayload:
		opErr, fatal = r.changePayload(op.Selector, op.Key, op.Payload, point.Merge, point.Path.Set)
	case point.OverwritePayload:
		opErr, fatal = r.changePayload(op.Selector, op.Key, op.Payload, replace, point.Path.Replace)
	case point.DeletePayload:
		opErr, fatal = r.deletePayload(op)
	case point.ClearPayload:
		opErr, fatal = r.each(op.Selector, func(d *draft) error { return r.putPayload(d, nil) })
	default:
		opErr = fault.New(fault.Internal, "apply: %T is no operation", op)
	}
	if opErr == nil {
		opErr = r.refused
	}
	return opErr, fatal
}

func replace(_, src point.Payload) point.Payload { return src.Clone() }

// What an operation does to what is stored does not depend on which vectors the shard knows: replicas learn that at different places
// of the log. So vectors come in the form in which they are stored (Schema.Formed), and those that do not fit are kept with the point
// and not indexed.

// upsert: of several points with one id the last one counts.
func (r *run) upsert(op point.Upsert) (opErr, fatal error) {
	cond, err := condition(op.Condition)
	if err != nil {
		return err, nil
	}
	last := make(map[point.ID]int, len(op.Points))
	vectors := make([]point.VectorSet, len(op.Points))
	for i, p := range op.Points {
		if err := checkFinite(p); err != nil {
			return err, nil
		}
		vectors[i] = p.VectorSet().Clone()
		last[p.ID] = i
	}
	names := r.a.schema.names()
	for i, p := range op.Points {
		if last[p.ID] != i {
			continue
		}
		d := r.current(p.ID)
		if ok, err := r.upserts(d, op.Mode, cond); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			continue
		}
		if err := r.putPoint(d, p.Payload, vectors[i], names); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// checkFinite refuses numbers that indexes cannot bear. Its error does not depend on the order of maps: replicas answer alike.
func checkFinite(p point.Point) error {
	for _, name := range p.VectorSet().Names() {
		if err := cmp.Or(vec.CheckFinite(p.Vectors[name]), vec.CheckFinite(p.Sparse[name].Values)); err != nil {
			return err
		}
	}
	return nil
}

// upserts reports whether an upsert stores a point. It was decided already if the point was stored before a crash.
func (r *run) upserts(d *draft, mode point.UpsertMode, cond *filter.Matcher) (bool, error) {
	switch {
	case !d.exists:
		return mode != point.UpdateOnly, nil
	case r.done(d):
		return true, nil
	case mode == point.InsertOnly:
		return false, nil
	}
	return r.matches(d, cond)
}

// condition compiles the condition of an upsert; without one it returns nil, which matches.
func condition(encoded []byte) (*filter.Matcher, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	return filter.CompileEncoded(encoded)
}

// updateVectors: of several vectors for one id and name the last one counts.
func (r *run) updateVectors(op point.UpdateVectors) (opErr, fatal error) {
	cond, err := condition(op.Condition)
	if err != nil {
		return err, nil
	}
	var ids []point.ID
	updates := make(map[point.ID]*point.VectorSet, len(op.Points))
	for _, p := range op.Points {
		if err := checkFinite(p); err != nil {
			return err, nil
		}
		if !r.current(p.ID).exists {
			return fault.New(fault.NotFound, "No point with id %s found", p.ID), nil
		}
		if updates[p.ID] == nil {
			ids = append(ids, p.ID)
			updates[p.ID] = &point.VectorSet{}
		}
		updates[p.ID].Put(p.VectorSet())
	}
	return nil, r.eachID(ids, cond, func(d *draft) error {
		if err := r.loadVectors(d); err != nil {
			return err
		}
		changed := updates[d.id]
		d.vectors.value.Put(*changed)
		return r.putVectors(d, d.vectors.value, changed.Names())
	})
}

func (r *run) deleteVectors(op point.DeleteVectors) (opErr, fatal error) {
	return r.each(op.Selector, func(d *draft) error {
		if err := r.loadVectors(d); err != nil {
			return err
		}
		before := d.vectors.value.Len()
		for _, name := range op.Names {
			d.vectors.value.Delete(name)
		}
		if d.vectors.value.Len() == before {
			return nil
		}
		return r.putVectors(d, d.vectors.value, op.Names)
	})
}

// changePayload puts src into payloads, at a path or at the top.
func (r *run) changePayload(
	sel point.Selector, key string, src point.Payload,
	top func(p, src point.Payload) point.Payload, at func(point.Path, point.Payload, point.Payload) point.Payload,
) (opErr, fatal error) {
	var path point.Path
	if key != "" {
		var err error
		if path, err = point.ParsePath(key); err != nil {
			return err, nil
		}
	}
	return r.each(sel, func(d *draft) error {
		if err := r.loadPayload(d); err != nil {
			return err
		}
		p := d.payload.value
		if p == nil {
			p = point.Payload{}
		}
		if key == "" {
			p = top(p, src)
		} else {
			p = at(path, p, src)
		}
		return r.putPayload(d, p)
	})
}

func (r *run) deletePayload(op point.DeletePayload) (opErr, fatal error) {
	paths := make([]point.Path, len(op.Keys))
	for i, key := range op.Keys {
		var err error
		if paths[i], err = point.ParsePath(key); err != nil {
			return err, nil
		}
	}
	return r.each(op.Selector, func(d *draft) error {
		if err := r.loadPayload(d); err != nil {
			return err
		}
		for _, path := range paths {
			path.Delete(d.payload.value)
		}
		return r.putPayload(d, d.payload.value)
	})
}
