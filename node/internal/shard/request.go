// Package shard owns one local copy of a shard: it applies operations in log order, answers reads, and keeps what
// search needs in memory.
//
// A Shard knows nothing of replication: index after index it is told what to apply, and it stores the index together
// with the state it describes. Reads see whole operations, never half of one.
package shard

import (
	"fmt"
	"hash/fnv"
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Schema is what a shard must know of its collection.
type Schema struct {
	Vectors map[string]VectorSchema // of every kind; "" is the unnamed vector
	Fields  payload.Schema          // the payload indexes
	Values  []string                // those of them whose values may have graphs of their own
	Tenants int                     // how many of Values, the first, tell tenants apart
}

// Mark tells schemas apart that are not the same; it is the same on all nodes of one version, and never 0.
func (s Schema) Mark() uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%+v %v %v %d", s.Vectors, s.Fields, s.Values, s.Tenants) // maps are printed in the order of their keys
	return max(1, h.Sum64())
}

// Kind is what the vectors of a name are.
type Kind uint8

// The kinds. A multivector is several dense vectors of one size, one behind the other; its score is MaxSim (package multi).
const (
	Dense Kind = iota
	Multi
	Sparse
)

// VectorSchema describes one named vector.
type VectorSchema struct {
	Kind     Kind
	Size     int          // components; of a multivector, those of one of its vectors; of sparse ones, nothing
	Distance vec.Distance // of sparse vectors, Dot
	Datatype vec.Datatype // of sparse vectors, of the weights in the index
	Index    dense.Config // how the index of dense ones is kept; it may change
}

// PayloadSelector says which part of payloads a read returns.
type PayloadSelector struct {
	Enable  bool
	Include []string // paths; nil = all
	Exclude []string // paths
}

// VectorSelector says which vectors a read returns.
type VectorSelector struct {
	Enable bool
	Names  []string // nil = all
}

// SearchRequest asks for the points nearest to Vector.
type SearchRequest struct {
	Look // of a batch, that of the first counts

	// Order and Sample, of which one at most is set, ask for other points than the nearest: those first by a payload
	// value, or some drawn at random, the same for the same seed. Vector, Using and ScoreThreshold say nothing then.
	Order  *payload.Order
	Sample *uint64

	Vector         []float32     // as the schema has Using; not yet normalised for Cosine
	Explore        *Explore      // instead of Vector
	Sparse         *point.Sparse // instead of Vector, if Using is sparse: the weights of indices
	Using          string
	Filter         *filter.Filter
	Limit          uint64   // >= 1; the coordinator has added the offset already
	ScoreThreshold *float32 // only scores strictly better are returned
	Exclude        []point.ID
	Payload        PayloadSelector
	Vectors        VectorSelector
	Exact          bool
	HNSWEf         uint64 // 0 = default
	IndexedOnly    bool
	// Share is which part of all points that are searched this shard is to hold; 0 means all. The nearest of all lie in the
	// shards by chance, so a walk need not keep as many candidates as for all (LeastHits), and may return fewer than Limit.
	Share float64
	// Quantization says what a walk does with codes.
	Quantization QuantizationParams
}

// QuantizationParams say how a search uses the codes of a quantized index.
type QuantizationParams struct {
	Ignore       bool
	Rescore      *bool   // nil: yes
	Oversampling float64 // 0: not given
}

// LeastHits is how many results a search with a share returns at least, if there are so many.
func (r *SearchRequest) LeastHits() int {
	return dense.Part(int(min(r.Limit, math.MaxInt32)), r.Share)
}

// Scored is one result of a search. Score is the cosine or dot product, or the plain distance.
type Scored struct {
	point.Record
	Score float32
	Rank  int64 // of Order, the key of the value; of Sample, a number that orders the points of all shards
}

// ScrollRequest asks for points in the order of their ids.
type ScrollRequest struct {
	Look
	From    *point.ID // first id, inclusive
	Filter  *filter.Filter
	Limit   uint64 // >= 1
	Payload PayloadSelector
	Vectors VectorSelector
}

// CountRequest asks how many points match; a nil filter matches all.
type CountRequest struct {
	Look
	Filter *filter.Filter
}

// GetRequest asks for points by id. Absent ones are left out.
type GetRequest struct {
	Look
	IDs     []point.ID
	Payload PayloadSelector
	Vectors VectorSelector
}

// Info counts what a shard holds.
type Info struct {
	Points  uint64
	Vectors uint64
	Bytes   uint64 // approximate size of its points on disk
	// PayloadBytes is the payloads' part of Bytes.
	PayloadBytes uint64
}

// Indexes tells how far the indexes of a shard are.
type Indexes struct {
	Indexed uint64 // vectors in graphs
	Busy    bool   // vectors are being put into graphs, or those are being built anew
	Problem string // why that was given up; search goes on without
	// Fields are the payload indexes by path.
	Fields map[string]payload.Status
	// Schema is the Mark of the schema that all this is of.
	Schema uint64
}
