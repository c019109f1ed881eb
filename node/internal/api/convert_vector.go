package api

import (
	"math"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// vectorsFrom reads a point's vectors: the unnamed one, or a map by name (which may be empty: a point needs none).
func vectorsFrom(v *qdrant.Vectors) (point.Vectors, error) {
	switch o := v.GetVectorsOptions().(type) {
	case *qdrant.Vectors_Vector:
		components, err := vectorFrom(o.Vector)
		if err != nil {
			return nil, err
		}
		return point.Vectors{"": components}, nil
	case *qdrant.Vectors_Vectors:
		return namedVectorsFrom(o.Vectors.GetVectors())
	}
	return nil, invalid("Expected some vectors")
}

func namedVectorsFrom(named map[string]*qdrant.Vector) (point.Vectors, error) {
	vectors := make(point.Vectors, len(named))
	for name, v := range named {
		components, err := vectorFrom(v)
		if err != nil {
			return nil, err
		}
		vectors[name] = components
	}
	return vectors, nil
}

// vectorFrom reads one dense vector in its typed or its older, bare form. Other kinds are refused by the guard.
func vectorFrom(v *qdrant.Vector) ([]float32, error) {
	bare := v.GetData() // as older clients still send it
	if v.GetVector() == nil {
		return bare, finite(bare)
	}
	dense, ok := v.GetVector().(*qdrant.Vector_Dense)
	if !ok {
		return nil, missing("vectors other than dense ones", "Vector")
	}
	if len(bare) > 0 {
		return nil, invalid("vector: both data and dense are given")
	}
	components := dense.Dense.GetData()
	return components, finite(components)
}

// finite refuses NaN and infinities: no distance to them has an order.
func finite(components []float32) error {
	for i, c := range components {
		if f := float64(c); math.IsNaN(f) || math.IsInf(f, 0) {
			return invalid("vector: component %d is %v, not a finite number", i, c)
		}
	}
	return nil
}

// vectorsTo writes the vectors of a read: nil for none, the bare one when it is alone, else a map by name.
func vectorsTo(v point.Vectors) *qdrant.VectorsOutput {
	if len(v) == 0 {
		return nil
	}
	if unnamed, ok := v[""]; ok && len(v) == 1 {
		return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vector{Vector: vectorTo(unnamed)}}
	}
	named := make(map[string]*qdrant.VectorOutput, len(v))
	for name, components := range v {
		named[name] = vectorTo(components)
	}
	return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vectors{
		Vectors: &qdrant.NamedVectorsOutput{Vectors: named},
	}}
}

func vectorTo(components []float32) *qdrant.VectorOutput {
	return &qdrant.VectorOutput{Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: components}}}
}
