package shard

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/multi"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/sparse"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// space is the vectors of one name, in an index of their kind: the others are nil.
type space struct {
	schema VectorSchema
	dense  *dense.Index
	multi  *multi.Index
	sparse *sparse.Index
}

func (s *Shard) newSpace(name string, schema VectorSchema) (sp *space, err error) {
	sp = &space{schema: schema}
	switch schema.Kind {
	case Multi:
		sp.multi, err = multi.New(schema.Size, schema.Distance)
	case Sparse:
		sp.sparse = sparse.New()
	case Dense:
		sp.dense, err = dense.New(dense.Options{
			Size: schema.Size, Distance: schema.Distance, Datatype: schema.Datatype, Config: schema.Index, Logger: s.log.With("generation", s.gen, "vector", name),
			Idle: s.keeper.due, Pool: s.pool, Dir: s.indexDir(name),
			Values: values{s},
		})
	}
	if err != nil {
		return nil, fmt.Errorf("vector %q: %w", name, err)
	}
	return sp, nil
}

// follows reports whether a space can be made one of another schema, and does that.
func (sp *space) follows(schema VectorSchema) bool {
	index := schema.Index
	schema.Index = sp.schema.Index
	if sp.schema != schema {
		return false
	}
	if sp.dense != nil && sp.schema.Index != index {
		sp.dense.SetConfig(index)
	}
	sp.schema.Index = index
	return true
}

// put stages the vector of a point that fits the schema.
func (sp *space) put(label uint32, name string, vectors point.VectorSet) error {
	switch {
	case sp.sparse != nil:
		sp.sparse.Put(label, sp.schema.indexedSparse(vectors.Sparse[name]))
		return nil
	case sp.multi != nil:
		return sp.multi.Put(label, sp.schema.indexed(vectors.Dense[name]))
	}
	return sp.dense.Put(label, vectors.Dense[name])
}

func (sp *space) remove(label uint32) {
	switch {
	case sp.sparse != nil:
		sp.sparse.Remove(label)
	case sp.multi != nil:
		sp.multi.Remove(label)
	default:
		sp.dense.Remove(label)
	}
}

func (sp *space) publish() {
	switch {
	case sp.sparse != nil:
		sp.sparse.Publish()
	case sp.multi != nil:
		sp.multi.Publish()
	default:
		sp.dense.Publish()
	}
}

func (sp *space) len() int {
	switch {
	case sp.sparse != nil:
		return sp.sparse.Len()
	case sp.multi != nil:
		return sp.multi.Len()
	}
	return sp.dense.Len()
}

// stop ends what runs in the background. What is there can still be searched.
func (sp *space) stop() {
	if sp.dense != nil {
		sp.dense.Stop()
	}
}

func (sp *space) close() error {
	if sp.dense == nil {
		return nil
	}
	return sp.dense.Close()
}

// vector returns the schema of a name. Who asks has looked at the catalog: if there is none, this copy is behind, or ahead.
func (s Schema) vector(name string) (VectorSchema, error) {
	v, ok := s.Vectors[name]
	if !ok {
		return v, fault.New(fault.Unavailable, "this copy of the shard does not know the vector %q", name)
	}
	return v, nil
}

// names returns the names of all vectors, ascending.
func (s Schema) names() []string { return slices.Sorted(maps.Keys(s.Vectors)) }

// fits reports whether the vector of a name is there, and of the schema.
func (s Schema) fits(name string, stored point.VectorSet) bool {
	v, ok := s.Vectors[name]
	return ok && v.fits(name, stored)
}

func (v VectorSchema) fits(name string, stored point.VectorSet) bool {
	if v.Kind == Sparse {
		_, ok := stored.Sparse[name]
		return ok
	}
	x, ok := stored.Dense[name]
	return ok && v.holds(x)
}

// holds reports whether the number of components is right.
func (v VectorSchema) holds(x []float32) bool {
	if v.Kind == Multi {
		return len(x) > 0 && len(x)%v.Size == 0 && len(x) <= catalog.MaxMulti
	}
	return len(x) == v.Size
}

// Formed returns vectors in the form in which they are stored; those that do not fit the schema stay as they are. Doing it again
// changes nothing.
func (s Schema) Formed(vectors point.VectorSet) point.VectorSet {
	out, own := vectors, false
	for name, x := range vectors.Dense {
		v, ok := s.Vectors[name]
		if !ok || v.Kind == Sparse || !v.holds(x) || v.Distance != vec.Cosine && (v.Datatype == "" || v.Datatype == vec.Float32) {
			continue
		}
		if !own {
			out.Dense, own = maps.Clone(vectors.Dense), true
		}
		out.Dense[name] = v.rows(x, v.form)
	}
	return out
}

func (v VectorSchema) checkSparse(x point.Sparse) error {
	if v.Kind != Sparse {
		return catalog.ErrMixedKinds()
	}
	return vec.CheckFinite(x.Values)
}

// sought returns a query in the form in which it is compared. It may be x itself.
func (v VectorSchema) sought(x []float32) ([]float32, error) {
	if err := v.check(x); err != nil {
		return nil, err
	}
	if (v.Datatype == "" || v.Datatype == vec.Float32) && v.Distance != vec.Cosine { // stored as it comes
		return x, nil
	}
	formed := v.rows(x, v.form)
	if v.Kind == Dense { // an index of these knows its datatype
		return formed, nil
	}
	return v.indexed(formed), nil
}

// check refuses what is no vector of the schema.
func (v VectorSchema) check(x []float32) error {
	switch {
	case v.Kind == Sparse:
		return catalog.ErrMixedKinds()
	case !v.holds(x) && v.Kind == Multi:
		return catalog.CheckMulti(v.Size, len(x))
	case !v.holds(x):
		return catalog.ErrVectorSize(v.Size, len(x))
	}
	return vec.CheckFinite(x)
}

// rows changes each of the vectors that lie one behind the other.
func (v VectorSchema) rows(x []float32, change func([]float32) []float32) []float32 {
	if len(x) == v.Size {
		return change(x)
	}
	out := make([]float32, 0, len(x))
	for row := range slices.Chunk(x, v.Size) {
		out = append(out, change(row)...)
	}
	return out
}

// form returns a vector as it is stored. Doing it again changes nothing.
func (v VectorSchema) form(x []float32) []float32 {
	switch {
	case v.Datatype == vec.ByteType: // such have no length of 1
		return v.Datatype.Held(x)
	case v.Datatype == vec.HalfType && v.Distance == vec.Cosine && normalisedHalves(x):
		return slices.Clone(x)
	}
	return v.Datatype.Held(v.Distance.Stored(x))
}

// normalisedHalves reports whether a vector can be one of length 1 whose components were rounded to binary16.
func normalisedHalves(x []float32) bool {
	const tolerance = 1e-3
	sum := 0.0
	for _, c := range x {
		sum += float64(c) * float64(c)
	}
	return math.Abs(sum-1) <= tolerance && slices.Equal(vec.HalfType.Held(x), x)
}

// indexed returns a stored vector, or a query in that form, as it is compared by who does not know of datatypes.
func (v VectorSchema) indexed(stored []float32) []float32 {
	if v.Datatype != vec.ByteType || v.Distance != vec.Cosine {
		return stored
	}
	return v.rows(stored, vec.Normalize)
}

// indexedSparse returns a stored sparse vector as it is compared.
func (v VectorSchema) indexedSparse(stored point.Sparse) point.Sparse {
	return point.Sparse{Indices: stored.Indices, Values: v.Datatype.Held(stored.Values)}
}
