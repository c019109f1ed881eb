package shard

import (
	"context"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/flat"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// vectorIndex is what a shard needs of an index over the vectors of one name. Labels are the shard's row numbers.
// Vectors and queries are in the form that vec.Distance.Stored gives. Calls that change the index are made one at a
// time and never during a Search.
type vectorIndex interface {
	Add(label uint32, v []float32) error
	Remove(label uint32)
	// Search returns the best k labels that accept (nil: all), best first; before orders equal scores.
	Search(ctx context.Context, query []float32, k int, accept func(uint32) (bool, error),
		before func(a, b uint32) bool) (labels []uint32, scores []float32, err error)
	Save(ctx context.Context) error
	Close() error
}

// space is the vectors of one name.
type space struct {
	schema VectorSchema
	index  vectorIndex
	has    bitmap
	count  uint64
}

func newSpace(schema VectorSchema) (*space, error) {
	index, err := flat.New(flat.Options{Size: schema.Size, Distance: schema.Distance})
	if err != nil {
		return nil, err
	}
	return &space{schema: schema, index: index}, nil
}

func (sp *space) put(label uint32, v []float32) error {
	if err := sp.index.Add(label, v); err != nil {
		return err
	}
	if !sp.has.get(label) {
		sp.has.set(label)
		sp.count++
	}
	return nil
}

func (sp *space) remove(label uint32) {
	if sp.has.get(label) {
		sp.index.Remove(label)
		sp.has.clear(label)
		sp.count--
	}
}

type bitmap []uint64

func (b bitmap) get(i uint32) bool { return int(i/64) < len(b) && b[i/64]&(1<<(i%64)) != 0 }
func (b bitmap) clear(i uint32)    { b[i/64] &^= 1 << (i % 64) }

func (b *bitmap) set(i uint32) {
	for int(i/64) >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

// vector returns the schema of a name.
func (s Schema) vector(name string) (VectorSchema, error) {
	v, ok := s.Vectors[name]
	if !ok {
		return v, fault.New(fault.Invalid, "Not existing vector name error: %s", name)
	}
	return v, nil
}

// names returns the names of all vectors, ascending.
func (s Schema) names() []string { return slices.Sorted(maps.Keys(s.Vectors)) }

// stored checks vectors and returns them in the form in which they are stored. Its error does not depend on the
// order of the map: replicas answer alike.
func (s Schema) stored(vectors point.Vectors) (point.Vectors, error) {
	out := make(point.Vectors, len(vectors))
	for _, name := range slices.Sorted(maps.Keys(vectors)) {
		schema, err := s.vector(name)
		if err != nil {
			return nil, err
		}
		if out[name], err = schema.stored(vectors[name]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (v VectorSchema) stored(x []float32) ([]float32, error) {
	if len(x) != v.Size {
		return nil, fault.New(fault.Invalid, "Vector dimension error: expected dim: %d, got %d", v.Size, len(x))
	}
	if err := vec.CheckFinite(x); err != nil {
		return nil, err
	}
	return v.Distance.Stored(x), nil
}

// fits reports whether a stored vector belongs to the schema.
func (s Schema) fits(name string, v []float32) bool {
	schema, ok := s.Vectors[name]
	return ok && schema.Size == len(v)
}
