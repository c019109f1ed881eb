package shard

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// space is the vectors of one name.
type space struct {
	schema VectorSchema
	index  *dense.Index
}

func (s *Shard) newSpace(name string, schema VectorSchema) (*space, error) {
	index, err := dense.New(dense.Options{
		Size: schema.Size, Distance: schema.Distance, Config: schema.Index, Logger: s.log.With("generation", s.gen, "vector", name),
		Idle: s.keeper.due, Pool: s.pool, Dir: s.indexDir(name),
	})
	if err != nil {
		return nil, fmt.Errorf("vector %q: %w", name, err)
	}
	return &space{schema: schema, index: index}, nil
}

// follows reports whether a space can be made one of another schema, and does that.
func (sp *space) follows(schema VectorSchema) bool {
	if sp.schema.Size != schema.Size || sp.schema.Distance != schema.Distance {
		return false
	}
	if sp.schema.Index != schema.Index {
		sp.index.SetConfig(schema.Index)
		sp.schema.Index = schema.Index
	}
	return true
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
