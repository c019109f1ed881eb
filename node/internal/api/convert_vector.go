package api

import (
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// shapes are the sizes of the vectors of multivectors, by name: once read, these lie one behind the other.
type shapes map[string]int

// note takes down a size; all vectors of one name have to have the same.
func (s *shapes) note(name string, size int) error {
	if *s == nil {
		*s = shapes{}
	}
	if old, ok := (*s)[name]; ok && old != size {
		return invalid("multivector %.255q: one of its vectors has %d components, another %d", name, old, size)
	}
	(*s)[name] = size
	return nil
}

// check compares the sizes with what the collection declares.
func (s shapes) check(declared *catalog.Config) error {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		params, ok := declared.Vectors[name]
		switch {
		case !ok && declared.Has(name):
			return catalog.ErrMixedKinds()
		case !ok:
			return catalog.ErrNoVector(name)
		case !params.Multi:
			return catalog.ErrNotMulti()
		case uint64(s[name]) != params.Size:
			return catalog.ErrVectorSize(int(params.Size), s[name])
		}
	}
	return nil
}

// vectorsFrom reads a point's vectors: the unnamed one, or a map by name (which may be empty: a point needs none).
func vectorsFrom(v *qdrant.Vectors, sizes *shapes) (set point.VectorSet, err error) {
	switch o := v.GetVectorsOptions().(type) {
	case *qdrant.Vectors_Vector:
		set.Dense = make(point.Vectors, 1)
		return set, addVector(&set, "", o.Vector, sizes)
	case *qdrant.Vectors_Vectors:
		set.Dense = make(point.Vectors, len(o.Vectors.GetVectors()))
		for name, one := range o.Vectors.GetVectors() {
			if err := addVector(&set, name, one, sizes); err != nil {
				return set, err
			}
		}
		return set, nil
	}
	return set, invalid("Expected some vectors")
}

func addVector(to *point.VectorSet, name string, v *qdrant.Vector, sizes *shapes) error {
	dense, sparse, err := vectorFrom(name, v, sizes)
	switch {
	case err != nil:
		return err
	case sparse == nil:
		to.Dense[name] = dense
	default:
		to.Put(point.VectorSet{Sparse: point.SparseVectors{name: *sparse}})
	}
	return nil
}

// vectorFrom reads one vector in its typed or its older, bare form.
func vectorFrom(name string, v *qdrant.Vector, sizes *shapes) (dense []float32, sparse *point.Sparse, err error) {
	bare := v.GetData() // as older clients still send it
	if v.GetVector() == nil {
		return bareFrom(name, v, sizes)
	}
	if len(bare) > 0 || v.Indices != nil || v.VectorsCount != nil {
		return nil, nil, invalid("vector: both data and a typed vector are given")
	}
	switch t := v.GetVector().(type) {
	case *qdrant.Vector_Dense:
		return t.Dense.GetData(), nil, finite(t.Dense.GetData())
	case *qdrant.Vector_Sparse:
		sparse, err = sparseFrom(t.Sparse.GetIndices(), t.Sparse.GetValues())
		return nil, sparse, err
	case *qdrant.Vector_MultiDense:
		dense, err = multiFrom(name, t.MultiDense, sizes)
		return dense, nil, err
	}
	return nil, nil, invalid("vector: it is empty or of a kind that this server does not know")
}

func bareFrom(name string, v *qdrant.Vector, sizes *shapes) (dense []float32, sparse *point.Sparse, err error) {
	bare := v.GetData()
	switch {
	case v.Indices != nil && v.VectorsCount != nil:
		return nil, nil, invalid("vector: both indices and vectors_count are given")
	case v.Indices != nil:
		sparse, err = sparseFrom(v.Indices.GetData(), bare)
		return nil, sparse, err
	case v.VectorsCount != nil:
		n := int(v.GetVectorsCount())
		if n == 0 || len(bare)%n != 0 {
			return nil, nil, invalid("vector: %d components are not %d vectors of one size", len(bare), n)
		}
		if err := sizes.note(name, len(bare)/n); err != nil {
			return nil, nil, err
		}
	}
	return bare, nil, finite(bare)
}

func sparseFrom(indices []uint32, values []float32) (*point.Sparse, error) {
	s, err := point.NewSparse(indices, values)
	return &s, err
}

// multiFrom puts the vectors of a multivector one behind the other.
func multiFrom(name string, m *qdrant.MultiDenseVector, sizes *shapes) ([]float32, error) {
	vectors := m.GetVectors()
	if len(vectors) == 0 {
		return nil, catalog.CheckMulti(1, 0)
	}
	size := len(vectors[0].GetData())
	if size > catalog.MaxMulti/len(vectors) {
		return nil, catalog.CheckMulti(1, size*len(vectors))
	}
	all := make([]float32, 0, size*len(vectors))
	for _, v := range vectors {
		if err := first(sizes.note(name, len(v.GetData())), finite(v.GetData())); err != nil {
			return nil, err
		}
		all = append(all, v.GetData()...)
	}
	return all, nil
}

// finite refuses NaN and infinities: no distance to them has an order.
func finite(components []float32) error {
	if i, ok := vec.Finite(components); !ok {
		return invalid("vector: component %d is %v, not a finite number", i, components[i])
	}
	return nil
}

// vectorsTo writes the vectors of a read: nil for none, the bare one when it is alone, else a map by name.
func vectorsTo(set point.VectorSet, declared *catalog.Config) *qdrant.VectorsOutput {
	if set.Empty() {
		return nil
	}
	if unnamed, ok := set.Dense[""]; ok && set.Len() == 1 {
		return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vector{Vector: vectorTo(unnamed, declared.Vectors[""])}}
	}
	named := make(map[string]*qdrant.VectorOutput, set.Len())
	for name, components := range set.Dense {
		named[name] = vectorTo(components, declared.Vectors[name])
	}
	for name, s := range set.Sparse {
		named[name] = &qdrant.VectorOutput{Vector: &qdrant.VectorOutput_Sparse{Sparse: &qdrant.SparseVector{Indices: s.Indices, Values: s.Values}}}
	}
	return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vectors{
		Vectors: &qdrant.NamedVectorsOutput{Vectors: named},
	}}
}

func vectorTo(components []float32, declared catalog.VectorParams) *qdrant.VectorOutput {
	if !declared.Multi {
		return &qdrant.VectorOutput{Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: components}}}
	}
	multi := &qdrant.MultiDenseVector{}
	for row := range slices.Chunk(components, int(declared.Size)) {
		multi.Vectors = append(multi.Vectors, &qdrant.DenseVector{Data: row})
	}
	return &qdrant.VectorOutput{Vector: &qdrant.VectorOutput_MultiDense{MultiDense: multi}}
}
