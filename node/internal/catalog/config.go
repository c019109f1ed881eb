package catalog

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// DefaultConfig returns Qdrant's defaults. Start from it and set what a user declared: in a Config that was built
// from its zero value, a zero M or indexing threshold would be taken for "not set" only as long as the whole of HNSW
// or Optimizers is zero.
func DefaultConfig() Config {
	return Config{
		ReplicationFactor: 1, WriteConsistencyFactor: 1, OnDiskPayload: true,
		HNSW: defaultHNSW(), Optimizers: defaultOptimizers(), WAL: defaultWAL(),
	}
}

func defaultHNSW() HNSW { return HNSW{M: 16, EfConstruct: 100, FullScanThreshold: 10000} }

func defaultOptimizers() Optimizers {
	return Optimizers{DeletedThreshold: 0.2, VacuumMinVectorNumber: 1000, IndexingThreshold: 10000, FlushIntervalSec: 5}
}

func defaultWAL() WAL { return WAL{CapacityMB: 32, RetainClosed: 1} }

// Normalized returns c with Qdrant's defaults for what is not set, checked against the limits. A ShardNumber of 0
// becomes the number of peers, or 1 for each shard key; a zero HNSW, Optimizers or WAL becomes the default one. It is idempotent. Errors are of
// class fault.Invalid and name the field.
func (c Config) Normalized(peers int) (Config, error) {
	if c.ShardNumber == 0 && c.Custom() {
		c.ShardNumber = 1
	}
	if c.ShardNumber == 0 {
		c.ShardNumber = uint32(min(max(peers, 1), MaxShards))
	}
	c.ReplicationFactor = max(c.ReplicationFactor, 1)
	c.WriteConsistencyFactor = max(c.WriteConsistencyFactor, 1)
	if c.HNSW == (HNSW{}) {
		c.HNSW = defaultHNSW()
	}
	if c.Optimizers == (Optimizers{}) {
		c.Optimizers = defaultOptimizers()
	}
	if c.WAL == (WAL{}) {
		c.WAL = defaultWAL()
	}
	if err := c.check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// check tells whether c is complete and within the limits: what Normalized returns, and all that Apply accepts.
func (c Config) check() error {
	checks := []func() error{
		c.checkReplication, c.checkVectors, c.checkReads, c.Quantization.check, c.HNSW.check, c.Optimizers.check, c.WAL.check,
		func() error { return checkMetadata(c.Metadata) }, c.checkStrict,
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) checkReplication() error {
	switch {
	case c.Sharding != AutoSharding && c.Sharding != CustomSharding:
		return invalid("sharding %.64q is not known", c.Sharding)
	case c.ShardNumber < 1 || c.ShardNumber > MaxShards:
		return outside("shard_number", c.ShardNumber, 1, MaxShards)
	case c.ReplicationFactor < 1 || c.ReplicationFactor > MaxReplicas:
		return outside("replication_factor", c.ReplicationFactor, 1, MaxReplicas)
	case c.WriteConsistencyFactor < 1:
		return invalid("write_consistency_factor must be at least 1")
	case c.WriteConsistencyFactor > c.ReplicationFactor:
		return invalid("write_consistency_factor %d cannot be larger than replication_factor %d: no write could ever succeed",
			c.WriteConsistencyFactor, c.ReplicationFactor)
	}
	return nil
}

func (c Config) checkVectors() error {
	if n := len(c.Vectors) + len(c.SparseVectors); n > MaxVectors {
		return invalid("a collection can have %d named vectors, got %d", MaxVectors, n)
	}
	for _, name := range sortedKeys(c.Vectors) {
		if err := checkVectorName(name); err != nil {
			return err
		}
		if err := c.Vectors[name].check(); err != nil {
			return fault.Wrap(fault.Invalid, err, "vector %q", name)
		}
	}
	for _, name := range sortedKeys(c.SparseVectors) {
		if err := c.checkSparse(name); err != nil {
			return err
		}
	}
	return nil
}

func checkVectorName(name string) error {
	if strings.HasPrefix(name, innerMark) {
		return invalid("a vector's name cannot begin with a zero byte")
	}
	return checkText("vector name", name)
}

func (c Config) checkSparse(name string) error {
	if err := checkVectorName(name); err != nil {
		return err
	}
	if name == "" {
		return invalid("a sparse vector needs a name")
	}
	if _, ok := c.Vectors[name]; ok {
		return invalid("vector %q is declared both as dense and as sparse", name)
	}
	switch t := c.SparseVectors[name].Datatype; {
	case !t.Valid():
		return invalid("vector %q: datatype %q is unknown", name, t)
	case t == vec.ByteType:
		return fault.New(fault.Unsupported, "vector %q: indexes of sparse vectors with weights of datatype %s are not built yet", name, t)
	}
	return nil
}

func (v VectorParams) check() error {
	if v.Size < 1 || v.Size > MaxVectorSize {
		return outside("size", v.Size, 1, MaxVectorSize)
	}
	if !v.Distance.Valid() {
		return invalid("distance is unknown: use Cosine, Euclid, Dot or Manhattan")
	}
	if !v.Datatype.Valid() {
		return invalid("datatype %q is unknown", v.Datatype)
	}
	if err := v.Quantization.check(); err != nil || v.HNSW == nil {
		return err
	}
	return v.HNSW.Over(defaultHNSW()).check()
}

func (q *Quantization) check() error {
	if q == nil {
		return nil
	}
	given := 0
	for _, there := range []bool{q.Scalar != nil, q.Product != nil, q.Binary != nil} {
		if there {
			given++
		}
	}
	switch {
	case given != 1:
		return invalid("quantization is given, but not one kind of it")
	case q.Scalar != nil && q.Scalar.Quantile != nil && !(*q.Scalar.Quantile >= minQuantile && *q.Scalar.Quantile <= 1):
		return outside("quantization quantile", *q.Scalar.Quantile, minQuantile, 1)
	case q.Product != nil && !slices.Contains([]uint32{4, 8, 16, 32, 64}, q.Product.Compression):
		return invalid("quantization compression must be 4, 8, 16, 32 or 64, got %d", q.Product.Compression)
	case q.Binary != nil && q.Binary.Encoding != nil && *q.Binary.Encoding > maxBinaryEncoding:
		return outside("quantization encoding", int(*q.Binary.Encoding), 0, maxBinaryEncoding)
	case q.Binary != nil && q.Binary.QueryEncoding != nil && *q.Binary.QueryEncoding > maxBinaryQuery:
		return outside("quantization query encoding", int(*q.Binary.QueryEncoding), 0, maxBinaryQuery)
	}
	return nil
}

func (c Config) checkReads() error {
	if f := c.ReadFanOutFactor; f != nil && *f > MaxReplicas {
		return outside("read_fan_out_factor", *f, 0, MaxReplicas)
	}
	if d := c.ReadFanOutDelay; d != nil && (*d < 0 || *d > maxReadFanOutDelayMS*time.Millisecond) {
		return outside("read_fan_out_delay_ms", d.Milliseconds(), 0, maxReadFanOutDelayMS)
	}
	return nil
}

func (h HNSW) check() error {
	switch {
	case h.M > maxHNSWDegree:
		return outside("hnsw m", h.M, 0, maxHNSWDegree)
	case h.PayloadM != nil && *h.PayloadM > maxHNSWDegree:
		return outside("hnsw payload_m", *h.PayloadM, 0, maxHNSWDegree)
	case h.EfConstruct < minHNSWEfConstruct || h.EfConstruct > maxHNSWEfConstruct:
		return outside("hnsw ef_construct", h.EfConstruct, minHNSWEfConstruct, maxHNSWEfConstruct)
	case h.MaxIndexingThreads > maxThreads:
		return outside("hnsw max_indexing_threads", h.MaxIndexingThreads, 0, maxThreads)
	}
	return nil
}

// Over returns base with what d sets.
func (d *HNSWDiff) Over(base HNSW) HNSW {
	if d == nil {
		return base
	}
	set(&base.M, d.M)
	set(&base.EfConstruct, d.EfConstruct)
	set(&base.FullScanThreshold, d.FullScanThreshold)
	set(&base.MaxIndexingThreads, d.MaxIndexingThreads)
	set(&base.OnDisk, d.OnDisk)
	if d.PayloadM != nil {
		base.PayloadM = d.PayloadM
	}
	return base
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (o Optimizers) check() error {
	switch {
	case math.IsNaN(o.DeletedThreshold) || o.DeletedThreshold < 0 || o.DeletedThreshold > 1:
		return invalid("optimizers deleted_threshold must be within 0..1, got %v", o.DeletedThreshold)
	case o.DefaultSegmentNumber > maxDefaultSegments:
		return outside("optimizers default_segment_number", o.DefaultSegmentNumber, 0, maxDefaultSegments)
	case o.MaxOptimizationThreads != nil && *o.MaxOptimizationThreads > maxThreads:
		return outside("optimizers max_optimization_threads", *o.MaxOptimizationThreads, 0, maxThreads)
	}
	return nil
}

func (w WAL) check() error {
	switch {
	case w.CapacityMB < 1 || w.CapacityMB > maxWALCapacityMB:
		return outside("wal capacity_mb", w.CapacityMB, 1, maxWALCapacityMB)
	case w.SegmentsAhead > maxWALSegments:
		return outside("wal segments_ahead", w.SegmentsAhead, 0, maxWALSegments)
	case w.RetainClosed > maxWALSegments:
		return outside("wal retain_closed", w.RetainClosed, 0, maxWALSegments)
	}
	return nil
}

// Equal reports whether c and o declare the same.
func (c Config) Equal(o Config) bool {
	a, errA := json.Marshal(c)
	b, errB := json.Marshal(o)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func outside[N int | float64](field string, got any, low, high N) *fault.Error {
	return invalid("%s must be within %v..%v, got %v", field, low, high, got)
}
