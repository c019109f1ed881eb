package api

import (
	"maps"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// updated returns base with what an Update changes. Base, and what it refers to, stays as it is: readers share it.
func updated(base catalog.Config, r *qdrant.UpdateCollection) (catalog.Config, error) {
	c := base
	setParams(&c, r.GetParams())
	c.HNSW = hnswFrom(r.GetHnswConfig()).Over(c.HNSW)
	if err := setOptimizers(&c.Optimizers, r.GetOptimizersConfig()); err != nil {
		return c, err
	}
	var err error
	if c.Quantization, err = updatedQuantization(base.Quantization, r.GetQuantizationConfig()); err != nil {
		return c, err
	}
	if c.Vectors, err = updatedVectors(base.Vectors, r.GetVectorsConfig()); err != nil {
		return c, err
	}
	if c.SparseVectors, err = updatedSparse(base.SparseVectors, r.GetSparseVectorsConfig()); err != nil {
		return c, err
	}
	c.Strict = strictFrom(base.Strict, r.GetStrictModeConfig())
	c.Metadata, err = updatedMetadata(base.Metadata, r.GetMetadata())
	return c, err
}

func setParams(c *catalog.Config, p *qdrant.CollectionParamsDiff) {
	if p == nil {
		return
	}
	setValue(&c.ReplicationFactor, p.ReplicationFactor)
	setValue(&c.WriteConsistencyFactor, p.WriteConsistencyFactor)
	setValue(&c.OnDiskPayload, p.OnDiskPayload)
	setPointer(&c.ReadFanOutFactor, p.ReadFanOutFactor)
	if p.ReadFanOutDelayMs != nil {
		delay := time.Duration(min(p.GetReadFanOutDelayMs(), uint64(maxTimeout/time.Millisecond))) * time.Millisecond
		c.ReadFanOutDelay = &delay
	}
}

func updatedVectors(base map[string]catalog.VectorParams, d *qdrant.VectorsConfigDiff) (map[string]catalog.VectorParams, error) {
	if d == nil {
		return base, nil
	}
	diffs := map[string]*qdrant.VectorParamsDiff{}
	switch o := d.GetConfig().(type) {
	case *qdrant.VectorsConfigDiff_Params:
		diffs[""] = o.Params
	case *qdrant.VectorsConfigDiff_ParamsMap:
		diffs = o.ParamsMap.GetMap()
	default:
		return nil, invalid("vectors_config: it is given, but empty")
	}
	out := maps.Clone(base)
	for name, diff := range diffs {
		params, ok := base[name]
		if !ok {
			return nil, catalog.ErrNoVector(name)
		}
		var err error
		setPointer(&params.OnDisk, diff.OnDisk)
		params.HNSW = updatedHNSW(params.HNSW, diff.GetHnswConfig())
		if params.Quantization, err = updatedQuantization(params.Quantization, diff.GetQuantizationConfig()); err != nil {
			return nil, within(err, "vector %.255q", name)
		}
		out[name] = params
	}
	return out, nil
}

// updatedSparse merges what is given about sparse vectors.
func updatedSparse(base map[string]catalog.SparseParams, d *qdrant.SparseVectorConfig) (map[string]catalog.SparseParams, error) {
	if d == nil {
		return base, nil
	}
	out := maps.Clone(base)
	for name, diff := range d.GetMap() {
		params, ok := base[name]
		if !ok {
			return nil, catalog.ErrNoVector(name)
		}
		if diff.Modifier != nil {
			params.IDF = diff.GetModifier() == qdrant.Modifier_Idf
		}
		if index := diff.GetIndex(); index != nil {
			setPointer(&params.FullScanThreshold, index.FullScanThreshold)
			setPointer(&params.OnDisk, index.OnDisk)
			if index.Datatype != nil {
				var err error
				if params.Datatype, err = datatypeFrom(index.GetDatatype(), "SparseIndexConfig.datatype"); err != nil {
					return nil, err
				}
			}
		}
		out[name] = params
	}
	return out, nil
}

// updatedHNSW merges a vector's own diff with a newer one; an empty newer one unsets it, as in Qdrant.
func updatedHNSW(base *catalog.HNSWDiff, h *qdrant.HnswConfigDiff) *catalog.HNSWDiff {
	if h == nil {
		return base
	}
	d := hnswFrom(h)
	if d == nil || base == nil {
		return d
	}
	merged := *base
	setPointer(&merged.M, d.M)
	setPointer(&merged.EfConstruct, d.EfConstruct)
	setPointer(&merged.FullScanThreshold, d.FullScanThreshold)
	setPointer(&merged.MaxIndexingThreads, d.MaxIndexingThreads)
	setPointer(&merged.OnDisk, d.OnDisk)
	setPointer(&merged.PayloadM, d.PayloadM)
	return &merged
}

// updatedQuantization replaces a quantization as a whole; a disabled one unsets it.
func updatedQuantization(base *catalog.Quantization, d *qdrant.QuantizationConfigDiff) (*catalog.Quantization, error) {
	if d == nil {
		return base, nil
	}
	switch v := d.GetQuantization().(type) {
	case *qdrant.QuantizationConfigDiff_Scalar:
		return scalarFrom(v.Scalar)
	case *qdrant.QuantizationConfigDiff_Product:
		return productFrom(v.Product), nil
	case *qdrant.QuantizationConfigDiff_Binary:
		return binaryFrom(v.Binary)
	case *qdrant.QuantizationConfigDiff_Disabled:
		return nil, nil
	}
	return nil, invalid("quantization_config: it is given, but empty")
}

// updatedMetadata merges key by key at the top; a null removes the key.
func updatedMetadata(base map[string]any, changes map[string]*qdrant.Value) (map[string]any, error) {
	if len(changes) == 0 {
		return base, nil
	}
	values, err := payloadFrom(changes)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(base)+len(values))
	maps.Copy(out, base)
	for key, v := range values {
		if v == nil {
			delete(out, key)
			continue
		}
		out[key] = v
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}
