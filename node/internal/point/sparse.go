package point

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math"
	"slices"
)

// Sparse is a vector of which most components are zero: the others, by index. Indices ascend, each once; values are
// finite.
type Sparse struct {
	Indices []uint32
	Values  []float32
}

// SparseVectors are a point's sparse vectors by name.
type SparseVectors map[string]Sparse

// VectorSet is a point's vectors of all kinds. No name is in both.
type VectorSet struct {
	Dense  Vectors
	Sparse SparseVectors
}

// VectorSet returns the point's vectors.
func (p Point) VectorSet() VectorSet { return VectorSet{p.Vectors, p.Sparse} }

// Empty reports whether there are no vectors.
func (s VectorSet) Empty() bool { return len(s.Dense) == 0 && len(s.Sparse) == 0 }

// MaxSparse is how many components a sparse vector may have that are not zero.
const MaxSparse = 1 << 16

// NewSparse returns the sparse vector with those components, in any order. A repeated index, a number that is not finite,
// and lists of different lengths are errors of class fault.Invalid.
func NewSparse(indices []uint32, values []float32) (Sparse, error) {
	if len(indices) != len(values) {
		return Sparse{}, invalid("a sparse vector has %d indices and %d values", len(indices), len(values))
	}
	s := Sparse{slices.Clone(indices), slices.Clone(values)}
	if !slices.IsSorted(s.Indices) {
		order := make([]int, len(indices))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(indices[a], indices[b]) })
		for i, from := range order {
			s.Indices[i], s.Values[i] = indices[from], values[from]
		}
	}
	return s, s.Check()
}

// Check reports what keeps s from being a sparse vector.
func (s Sparse) Check() error {
	if len(s.Indices) != len(s.Values) {
		return invalid("a sparse vector has %d indices and %d values", len(s.Indices), len(s.Values))
	}
	if len(s.Indices) > MaxSparse {
		return exceeds("a sparse vector has %d components, at most %d are allowed", len(s.Indices), MaxSparse)
	}
	for i, x := range s.Values {
		if x-x != 0 { // NaN and both infinities
			return invalid("component %d of a sparse vector is %v, not a finite number", s.Indices[i], x)
		}
		if i > 0 && s.Indices[i-1] >= s.Indices[i] {
			return invalid("a sparse vector has the index %d twice, or out of order", s.Indices[i])
		}
	}
	return nil
}

// Clone returns a copy; the vectors themselves, which nobody changes in place, are shared.
func (s VectorSet) Clone() VectorSet {
	return VectorSet{Dense: maps.Clone(s.Dense), Sparse: maps.Clone(s.Sparse)}
}

// Has reports whether there is a vector of a name, of whatever kind.
func (s VectorSet) Has(name string) bool {
	_, sparse := s.Sparse[name]
	_, dense := s.Dense[name]
	return sparse || dense
}

// Delete removes the vector of a name, of whatever kind.
func (s VectorSet) Delete(name string) {
	delete(s.Dense, name)
	delete(s.Sparse, name)
}

// Len counts the vectors.
func (s VectorSet) Len() int { return len(s.Dense) + len(s.Sparse) }

// Names returns the names of the vectors, ascending.
func (s VectorSet) Names() []string {
	names := make([]string, 0, s.Len())
	names = slices.AppendSeq(names, maps.Keys(s.Dense))
	names = slices.AppendSeq(names, maps.Keys(s.Sparse))
	slices.Sort(names)
	return names
}

// Put sets the vectors of another set, instead of those of the same names; maps that are nil are made.
func (s *VectorSet) Put(o VectorSet) {
	if s.Dense == nil {
		s.Dense = make(Vectors, len(o.Dense))
	}
	if s.Sparse == nil && len(o.Sparse) > 0 {
		s.Sparse = make(SparseVectors, len(o.Sparse))
	}
	for name, v := range o.Dense {
		s.Dense[name] = v
		delete(s.Sparse, name)
	}
	for name, v := range o.Sparse {
		s.Sparse[name] = v
		delete(s.Dense, name)
	}
}

// Sparse vectors stand in encodings of version 2, behind the dense ones wherever those stand; an encoding without any is
// of version 1:
//
//	sparse  count, then per vector in ascending order of names: name (bytes), count of components,
//	        indices in ascending order (4 bytes each, little endian), values (4 bytes each, IEEE 754, little endian)

func appendSparse(dst []byte, all SparseVectors) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(all)))
	for _, name := range sortedKeys(all) {
		s := all[name]
		dst = binary.AppendUvarint(appendBytes(dst, name), uint64(len(s.Indices)))
		for _, i := range s.Indices {
			dst = binary.LittleEndian.AppendUint32(dst, i)
		}
		for _, x := range s.Values {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
		}
	}
	return dst
}

func (r *reader) sparse() SparseVectors {
	n := r.count(2)
	if n == 0 {
		return nil
	}
	r.sparseSeen = true
	all := make(SparseVectors, min(n, roomAhead))
	name := ""
	for i := range n {
		name = r.key(name, i == 0)
		all[name] = r.oneSparse()
		if r.err != nil {
			return nil
		}
	}
	return all
}

func (r *reader) oneSparse() Sparse {
	n := r.count(8)
	s := Sparse{Indices: make([]uint32, n), Values: make([]float32, n)}
	b := r.take(8 * n)
	if b == nil {
		return s
	}
	for i := range n {
		s.Indices[i] = binary.LittleEndian.Uint32(b[4*i:])
		s.Values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*(n+i):]))
		if i > 0 && s.Indices[i-1] >= s.Indices[i] {
			r.fail("indices out of order")
		}
	}
	return s
}

// vectorSet reads the vectors of a point.
func (r *reader) vectorSet() (s VectorSet) {
	s.Dense = r.vectors()
	if r.version >= versionSparse {
		s.Sparse = r.sparse()
	}
	return s
}

func appendVectorSet(dst []byte, version byte, dense Vectors, sparse SparseVectors) []byte {
	dst = appendVectors(dst, dense)
	if version >= versionSparse {
		dst = appendSparse(dst, sparse)
	}
	return dst
}

// versionOf returns the version of an encoding of points.
func versionOf(points ...Point) byte {
	for i := range points {
		if len(points[i].Sparse) > 0 {
			return versionSparse
		}
	}
	return formatVersion
}

func sparseSize(all SparseVectors) (n int) {
	for name, s := range all {
		n += len(name) + 6 + 8*len(s.Indices)
	}
	return n
}

// EncodeVectorSet encodes vectors of all kinds. Without sparse ones it is EncodeVectors:
//
//	version | vectors | sparse (of version 2) | check
func EncodeVectorSet(s VectorSet) []byte {
	version := versionOf(Point{Sparse: s.Sparse})
	return seal(appendVectorSet(openAs(version, vectorsSize(s.Dense)+sparseSize(s.Sparse)), version, s.Dense, s.Sparse))
}

// DecodeVectorSet reads what EncodeVectorSet wrote. None of a kind are nil.
func DecodeVectorSet(b []byte) (VectorSet, error) {
	r, err := unseal("vectors", b, versionSparse)
	if err != nil {
		return VectorSet{}, err
	}
	s := r.vectorSet()
	return s, r.done()
}
