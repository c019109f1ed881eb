package client

import (
	"math"

	"github.com/qdrant/go-client/qdrant"
)

// NoLimit is the number that limits nothing. In an update it takes a limit back: the API has no other way.
const NoLimit = math.MaxUint64

// NoOversamplingLimit is NoLimit for StrictMode.SearchMaxOversampling.
const NoOversamplingLimit = math.MaxFloat32

// StrictMode limits what requests may ask of a collection, and how much it may hold. In a request, nil is "no limit" (create) or "as it
// is" (update); in a reply, nil is "no limit". Some numbers have 32 bits on the wire: larger ones mean NoLimit.
type StrictMode struct {
	Enabled                    *bool // nil in a creation: false
	UnindexedFilteringRetrieve *bool
	UnindexedFilteringUpdate   *bool
	SearchAllowExact           *bool
	SearchMaxOversampling      *float32

	MaxQueryLimit                 *uint64
	MaxTimeout                    *uint64 // seconds
	SearchMaxHNSWEf               *uint64
	SearchMaxBatchsize            *uint64
	UpsertMaxBatchsize            *uint64
	FilterMaxConditions           *uint64
	ConditionMaxSize              *uint64
	ReadRateLimit                 *uint64 // per minute and node
	WriteRateLimit                *uint64 // per minute and node
	MaxPointsCount                *uint64
	MaxCollectionVectorSizeBytes  *uint64
	MaxCollectionPayloadSizeBytes *uint64
	MaxPayloadIndexCount          *uint64

	// MultivectorMaxVectors and SparseMaxLength are by the names of vectors. In an update, nil keeps what there is, and a map replaces
	// it as a whole.
	MultivectorMaxVectors map[string]uint64
	SparseMaxLength       map[string]uint64
}

func (s *StrictMode) wire() *qdrant.StrictModeConfig {
	if s == nil {
		return nil
	}
	out := &qdrant.StrictModeConfig{
		Enabled: s.Enabled, UnindexedFilteringRetrieve: s.UnindexedFilteringRetrieve, UnindexedFilteringUpdate: s.UnindexedFilteringUpdate,
		SearchAllowExact: s.SearchAllowExact, SearchMaxOversampling: s.SearchMaxOversampling,
		MaxQueryLimit: narrow(s.MaxQueryLimit), MaxTimeout: narrow(s.MaxTimeout), SearchMaxHnswEf: narrow(s.SearchMaxHNSWEf),
		SearchMaxBatchsize: s.SearchMaxBatchsize, UpsertMaxBatchsize: s.UpsertMaxBatchsize,
		FilterMaxConditions: s.FilterMaxConditions, ConditionMaxSize: s.ConditionMaxSize,
		ReadRateLimit: narrow(s.ReadRateLimit), WriteRateLimit: narrow(s.WriteRateLimit), MaxPointsCount: s.MaxPointsCount,
		MaxCollectionVectorSizeBytes: s.MaxCollectionVectorSizeBytes, MaxCollectionPayloadSizeBytes: s.MaxCollectionPayloadSizeBytes,
		MaxPayloadIndexCount: s.MaxPayloadIndexCount,
	}
	if s.MultivectorMaxVectors != nil {
		named := make(map[string]*qdrant.StrictModeMultivector, len(s.MultivectorMaxVectors))
		for name, n := range s.MultivectorMaxVectors {
			named[name] = &qdrant.StrictModeMultivector{MaxVectors: &n}
		}
		out.MultivectorConfig = &qdrant.StrictModeMultivectorConfig{MultivectorConfig: named}
	}
	if s.SparseMaxLength != nil {
		named := make(map[string]*qdrant.StrictModeSparse, len(s.SparseMaxLength))
		for name, n := range s.SparseMaxLength {
			named[name] = &qdrant.StrictModeSparse{MaxLength: &n}
		}
		out.SparseConfig = &qdrant.StrictModeSparseConfig{SparseConfig: named}
	}
	return out
}

// narrow fits a limit into 32 bits: a larger one limits as little as the largest that fits.
func narrow(v *uint64) *uint32 {
	if v == nil {
		return nil
	}
	n := uint32(min(*v, math.MaxUint32))
	return &n
}

// strictOf returns nil for what was never declared.
func strictOf(d *qdrant.StrictModeConfig) *StrictMode {
	if d == nil {
		return nil
	}
	s := &StrictMode{
		Enabled: d.Enabled, UnindexedFilteringRetrieve: d.UnindexedFilteringRetrieve, UnindexedFilteringUpdate: d.UnindexedFilteringUpdate,
		SearchAllowExact: d.SearchAllowExact,
		MaxQueryLimit:    widened(d.MaxQueryLimit), MaxTimeout: widened(d.MaxTimeout), SearchMaxHNSWEf: widened(d.SearchMaxHnswEf),
		SearchMaxBatchsize: limitOf(d.SearchMaxBatchsize), UpsertMaxBatchsize: limitOf(d.UpsertMaxBatchsize),
		FilterMaxConditions: limitOf(d.FilterMaxConditions), ConditionMaxSize: limitOf(d.ConditionMaxSize),
		ReadRateLimit: widened(d.ReadRateLimit), WriteRateLimit: widened(d.WriteRateLimit), MaxPointsCount: limitOf(d.MaxPointsCount),
		MaxCollectionVectorSizeBytes:  limitOf(d.MaxCollectionVectorSizeBytes),
		MaxCollectionPayloadSizeBytes: limitOf(d.MaxCollectionPayloadSizeBytes), MaxPayloadIndexCount: limitOf(d.MaxPayloadIndexCount),
	}
	if o := d.SearchMaxOversampling; o != nil && *o != NoOversamplingLimit {
		s.SearchMaxOversampling = o
	}
	for name, v := range d.GetMultivectorConfig().GetMultivectorConfig() {
		s.MultivectorMaxVectors = noted(s.MultivectorMaxVectors, name, v.MaxVectors)
	}
	for name, v := range d.GetSparseConfig().GetSparseConfig() {
		s.SparseMaxLength = noted(s.SparseMaxLength, name, v.MaxLength)
	}
	return s
}

func limitOf(v *uint64) *uint64 {
	if v == nil || *v == NoLimit {
		return nil
	}
	return v
}

func widened(v *uint32) *uint64 {
	if v == nil || *v == math.MaxUint32 {
		return nil
	}
	n := uint64(*v)
	return &n
}

// noted adds a limit, if it is one.
func noted(m map[string]uint64, name string, v *uint64) map[string]uint64 {
	if limitOf(v) == nil {
		return m
	}
	if m == nil {
		m = map[string]uint64{}
	}
	m[name] = *v
	return m
}
