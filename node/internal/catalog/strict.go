package catalog

import (
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// StrictMode declares what requests may ask of a collection, and how much it may hold. What is nil is not limited. Nothing of
// it holds while it is not enabled. The names are Qdrant's; package strictmode holds requests to it, but for the number of
// payload indexes, to which this package holds them.
type StrictMode struct {
	Enabled bool `json:"enabled"`

	MaxQueryLimit       *uint32  `json:"max_query_limit,omitempty"` // points that a query may ask for
	MaxTimeout          *uint32  `json:"max_timeout,omitempty"`     // seconds
	UnindexedRetrieve   *bool    `json:"unindexed_filtering_retrieve,omitempty"`
	UnindexedUpdate     *bool    `json:"unindexed_filtering_update,omitempty"`
	MaxHNSWEf           *uint32  `json:"search_max_hnsw_ef,omitempty"`
	AllowExact          *bool    `json:"search_allow_exact,omitempty"`
	MaxOversampling     *float32 `json:"search_max_oversampling,omitempty"`
	MaxSearchBatch      *uint64  `json:"search_max_batchsize,omitempty"`  // queries in a request
	MaxUpsertBatch      *uint64  `json:"upsert_max_batchsize,omitempty"`  // points in an operation
	MaxFilterConditions *uint64  `json:"filter_max_conditions,omitempty"` // of all levels
	MaxConditionSize    *uint64  `json:"condition_max_size,omitempty"`    // values that one condition lists
	ReadRate            *uint32  `json:"read_rate_limit,omitempty"`       // per minute and node
	WriteRate           *uint32  `json:"write_rate_limit,omitempty"`      // per minute and node

	MaxPoints         *uint64 `json:"max_points_count,omitempty"`
	MaxVectorBytes    *uint64 `json:"max_collection_vector_size_bytes,omitempty"`  // of one copy
	MaxPayloadBytes   *uint64 `json:"max_collection_payload_size_bytes,omitempty"` // of one copy
	MaxPayloadIndexes *uint64 `json:"max_payload_index_count,omitempty"`

	MaxMultivectors map[string]uint64 `json:"multivector_max_vectors,omitempty"` // of one point, by the vector's name
	MaxSparseLength map[string]uint64 `json:"sparse_max_length,omitempty"`       // weights of one vector, by its name
}

// Limits returns the strict mode that holds, or nil.
func (c *Config) Limits() *StrictMode {
	if c.Strict == nil || !c.Strict.Enabled {
		return nil
	}
	return c.Strict
}

// checkStrict refuses what no request could keep to, and limits of vectors that there are not.
func (c Config) checkStrict() error {
	s := c.Strict
	if s == nil {
		return nil
	}
	least := []struct {
		field string
		value *uint64
	}{
		{"max_query_limit", wide(s.MaxQueryLimit)}, {"max_timeout", wide(s.MaxTimeout)}, {"search_max_hnsw_ef", wide(s.MaxHNSWEf)},
		{"search_max_batchsize", s.MaxSearchBatch}, {"upsert_max_batchsize", s.MaxUpsertBatch}, {"condition_max_size", s.MaxConditionSize},
		{"read_rate_limit", wide(s.ReadRate)}, {"write_rate_limit", wide(s.WriteRate)}, {"max_points_count", s.MaxPoints},
		{"max_collection_vector_size_bytes", s.MaxVectorBytes}, {"max_collection_payload_size_bytes", s.MaxPayloadBytes},
	}
	for _, l := range least {
		if l.value != nil && *l.value == 0 {
			return invalid("strict_mode_config: %s must be at least 1: leave it out if there is to be no limit", l.field)
		}
	}
	if o := s.MaxOversampling; o != nil && !(*o >= 1 && *o <= math.MaxFloat32) {
		return invalid("strict_mode_config: search_max_oversampling must be a number of at least 1, got %v", *o)
	}
	for _, name := range sortedKeys(s.MaxMultivectors) {
		switch v, ok := c.Vectors[name]; {
		case !ok || !v.Multi:
			return invalid("strict_mode_config: multivector_config is about %.255q, which is no multivector of the collection", name)
		case s.MaxMultivectors[name] == 0:
			return invalid("strict_mode_config: max_vectors of multivector %.255q must be at least 1", name)
		}
	}
	for _, name := range sortedKeys(s.MaxSparseLength) {
		switch _, ok := c.SparseVectors[name]; {
		case !ok:
			return invalid("strict_mode_config: sparse_config is about %.255q, which is no sparse vector of the collection", name)
		case s.MaxSparseLength[name] == 0:
			return invalid("strict_mode_config: max_length of sparse vector %.255q must be at least 1", name)
		}
	}
	return nil
}

func wide(v *uint32) *uint64 {
	if v == nil {
		return nil
	}
	w := uint64(*v)
	return &w
}

// Without returns s without its limits of one vector, which is to be removed.
func (s *StrictMode) Without(vector string) *StrictMode {
	if s == nil {
		return nil
	}
	out := *s
	out.MaxMultivectors, out.MaxSparseLength = lacking(s.MaxMultivectors, vector), lacking(s.MaxSparseLength, vector)
	return &out
}

// lacking returns a copy of m without a name, nil if nothing is left.
func lacking(m map[string]uint64, name string) map[string]uint64 {
	out := map[string]uint64{}
	for other, v := range m {
		if other != name {
			out[other] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// checkIndexes refuses one more payload index than are declared to be allowed.
func (c *Collection) checkIndexes() error {
	if len(c.PayloadSchema) >= MaxFieldIndexes {
		return refuse("collection `%s` has %d payload indexes already, as many as are allowed", c.Name, MaxFieldIndexes)
	}
	limits := c.Config.Limits()
	if limits == nil || limits.MaxPayloadIndexes == nil || uint64(len(c.PayloadSchema)) < *limits.MaxPayloadIndexes {
		return nil
	}
	return fault.New(fault.Invalid, "strict mode of collection `%s`: it has %d payload indexes, max_payload_index_count allows %d: delete one, or raise the limit",
		c.Name, len(c.PayloadSchema), *limits.MaxPayloadIndexes)
}
