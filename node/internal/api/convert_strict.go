package api

import (
	"math"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// strictFrom returns base with what a strict mode sets; what it does not say stays as it is, as in Qdrant. There is no way in the API
// to take a number back, but its largest one limits nothing: it does. The limits of multivectors and of sparse vectors are
// replaced together.
func strictFrom(base *catalog.StrictMode, d *qdrant.StrictModeConfig) *catalog.StrictMode {
	if d == nil {
		return base
	}
	s := catalog.StrictMode{}
	if base != nil {
		s = *base
	}
	setValue(&s.Enabled, d.Enabled)
	for to, from := range map[**uint32]*uint32{
		&s.MaxQueryLimit: d.MaxQueryLimit, &s.MaxTimeout: d.MaxTimeout, &s.MaxHNSWEf: d.SearchMaxHnswEf,
		&s.ReadRate: d.ReadRateLimit, &s.WriteRate: d.WriteRateLimit,
	} {
		setLimit(to, from, math.MaxUint32)
	}
	for to, from := range map[**uint64]*uint64{
		&s.MaxSearchBatch: d.SearchMaxBatchsize, &s.MaxUpsertBatch: d.UpsertMaxBatchsize, &s.MaxFilterConditions: d.FilterMaxConditions,
		&s.MaxConditionSize: d.ConditionMaxSize, &s.MaxPoints: d.MaxPointsCount, &s.MaxVectorBytes: d.MaxCollectionVectorSizeBytes,
		&s.MaxPayloadBytes: d.MaxCollectionPayloadSizeBytes, &s.MaxPayloadIndexes: d.MaxPayloadIndexCount,
	} {
		setLimit(to, from, math.MaxUint64)
	}
	setLimit(&s.MaxOversampling, d.SearchMaxOversampling, math.MaxFloat32)
	setPointer(&s.UnindexedRetrieve, d.UnindexedFilteringRetrieve)
	setPointer(&s.UnindexedUpdate, d.UnindexedFilteringUpdate)
	setPointer(&s.AllowExact, d.SearchAllowExact)
	if m := d.GetMultivectorConfig(); m != nil {
		s.MaxMultivectors = limitsFrom(m.GetMultivectorConfig(), func(v *qdrant.StrictModeMultivector) *uint64 { return v.MaxVectors })
	}
	if m := d.GetSparseConfig(); m != nil {
		s.MaxSparseLength = limitsFrom(m.GetSparseConfig(), func(v *qdrant.StrictModeSparse) *uint64 { return v.MaxLength })
	}
	return &s
}

// setLimit sets a limit that is given; the one that limits nothing unsets it.
func setLimit[T comparable](to **T, from *T, none T) {
	switch {
	case from == nil:
	case *from == none:
		*to = nil
	default:
		*to = from
	}
}

// limitsFrom reads limits by the names of vectors.
func limitsFrom[V any](given map[string]V, limit func(V) *uint64) map[string]uint64 {
	var out map[string]uint64
	for name, v := range given {
		if n := limit(v); n != nil && *n != math.MaxUint64 {
			out = with(out, name, *n)
		}
	}
	return out
}

// strictTo writes a strict mode as it was declared.
func strictTo(s *catalog.StrictMode) *qdrant.StrictModeConfig {
	if s == nil {
		return nil
	}
	out := &qdrant.StrictModeConfig{
		Enabled: &s.Enabled, MaxQueryLimit: s.MaxQueryLimit, MaxTimeout: s.MaxTimeout,
		UnindexedFilteringRetrieve: s.UnindexedRetrieve, UnindexedFilteringUpdate: s.UnindexedUpdate,
		SearchMaxHnswEf: s.MaxHNSWEf, SearchAllowExact: s.AllowExact, SearchMaxOversampling: s.MaxOversampling,
		SearchMaxBatchsize: s.MaxSearchBatch, UpsertMaxBatchsize: s.MaxUpsertBatch,
		FilterMaxConditions: s.MaxFilterConditions, ConditionMaxSize: s.MaxConditionSize,
		ReadRateLimit: s.ReadRate, WriteRateLimit: s.WriteRate, MaxPointsCount: s.MaxPoints,
		MaxCollectionVectorSizeBytes: s.MaxVectorBytes, MaxCollectionPayloadSizeBytes: s.MaxPayloadBytes, MaxPayloadIndexCount: s.MaxPayloadIndexes,
	}
	if len(s.MaxMultivectors) > 0 {
		named := make(map[string]*qdrant.StrictModeMultivector, len(s.MaxMultivectors))
		for name, n := range s.MaxMultivectors {
			named[name] = &qdrant.StrictModeMultivector{MaxVectors: &n}
		}
		out.MultivectorConfig = &qdrant.StrictModeMultivectorConfig{MultivectorConfig: named}
	}
	if len(s.MaxSparseLength) > 0 {
		named := make(map[string]*qdrant.StrictModeSparse, len(s.MaxSparseLength))
		for name, n := range s.MaxSparseLength {
			named[name] = &qdrant.StrictModeSparse{MaxLength: &n}
		}
		out.SparseConfig = &qdrant.StrictModeSparseConfig{SparseConfig: named}
	}
	return out
}
