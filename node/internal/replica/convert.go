package replica

import (
	"maps"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// viewOf tells the protocol what the catalog says of a shard.
func viewOf(s *catalog.Shard) replication.View {
	v := replication.View{
		Version: s.Version, Term: replication.Term(s.Term),
		Primary: replication.PeerID(s.Primary), WriteQuorum: int(s.WriteQuorum),
	}
	v.Generations = make(map[replication.PeerID]uint64, len(s.Replicas))
	for _, r := range s.Replicas {
		if r.State == catalog.Dead && r.Retiring {
			continue // about to be dropped: nobody needs to know whether it comes back
		}
		id := replication.PeerID(r.Peer)
		v.Generations[id] = uint64(r.Generation)
		switch r.State {
		case catalog.Active:
			v.Active = append(v.Active, id)
		case catalog.Partial:
			v.Partial = append(v.Partial, id)
		default:
			v.Dead = append(v.Dead, id)
		}
		if r.Retiring {
			v.Retiring = append(v.Retiring, id)
		}
	}
	return v
}

// commandOf turns a wish of the protocol into the catalog's compare-and-set.
func commandOf(ref catalog.ShardRef, c replication.Change) catalog.Command {
	change := &catalog.ChangeShard{Ref: ref, Version: c.Version}
	peer := func(id replication.PeerID) *catalog.PeerID { p := catalog.PeerID(id); return &p }
	switch {
	case c.Demote != 0:
		change.Demote = peer(c.Demote)
	case c.Receive != 0:
		change.Receive = peer(c.Receive)
	case c.Activate != 0:
		change.Activate = peer(c.Activate)
	default:
		w := uint32(c.SetWriteQuorum)
		change.SetWriteQuorum = &w
	}
	return catalog.Command{ChangeShard: change}
}

// SchemaOf returns what a shard must know of its collection.
func SchemaOf(c *catalog.Collection) shard.Schema {
	schema := shard.Schema{Vectors: make(map[string]shard.VectorSchema, len(c.Config.Vectors)+len(c.Config.SparseVectors))}
	schema.Values, schema.Tenants = valuesOf(c)
	for name, p := range c.Config.Vectors {
		v := shard.VectorSchema{Size: int(p.Size), Distance: p.Distance, Datatype: p.Datatype}
		if p.Multi {
			v.Kind = shard.Multi
		} else {
			v.Index = indexOf(&c.Config, &p)
			v.Index.PayloadM, v.Index.AllValues = graphsOfValues(p.HNSW.Over(c.Config.HNSW), &schema)
		}
		schema.Vectors[c.Config.Inner(name)] = v
	}
	for name, p := range c.Config.SparseVectors {
		schema.Vectors[c.Config.Inner(name)] = shard.VectorSchema{Kind: shard.Sparse, Distance: vec.Dot, Datatype: p.Datatype}
	}
	for path, index := range c.PayloadSchema {
		if schema.Fields == nil {
			schema.Fields = payload.Schema{}
		}
		schema.Fields[path] = FieldOf(index)
	}
	return schema
}

// valuesOf returns the fields whose values may have graphs of their own: those of which exact values are looked up, unless that
// was declined (enable_hnsw). Those by which tenants are told apart come first, then they are in the order of their paths.
func valuesOf(c *catalog.Collection) (paths []string, tenants int) {
	no := func(flag *bool) bool { return flag != nil && !*flag }
	for _, path := range slices.Sorted(maps.Keys(c.PayloadSchema)) {
		index := c.PayloadSchema[path]
		var p catalog.FieldParams
		if index.Params != nil {
			p = *index.Params
		}
		switch {
		case !FieldOf(index).Faceted() || no(p.EnableHNSW) || no(p.Lookup):
		case p.IsTenant != nil && *p.IsTenant:
			paths = slices.Insert(paths, tenants, path)
			tenants++
		default:
			paths = append(paths, path)
		}
	}
	return paths, tenants
}

// FieldOf returns the payload index that is declared.
func FieldOf(f catalog.FieldIndex) payload.Field {
	return payload.Field{Kind: payload.Kind(f.Type), Tokenizer: f.Tokenizer()}
}

// indexOf returns how the index of a vector is kept. Thresholds are declared in KiB.
func indexOf(c *catalog.Config, p *catalog.VectorParams) dense.Config {
	const kib = 1 << 10
	h := p.HNSW.Over(c.HNSW)
	return dense.Config{
		M: int(h.M), EfConstruct: int(h.EfConstruct), Threads: int(h.MaxIndexingThreads),
		IndexingBytes: clamped(c.Optimizers.IndexingThreshold, kib), FullScanBytes: clamped(h.FullScanThreshold, kib),
		OnDisk: p.OnDisk != nil && *p.OnDisk, GraphOnDisk: h.OnDisk, Codes: codesOf(c, p), DeletedThreshold: c.Optimizers.DeletedThreshold, VacuumMinVectors: int(min(c.Optimizers.VacuumMinVectorNumber, math.MaxInt32)),
	}
}

// graphsOfValues returns how many links graphs of payload values have, 0 if there are none, and whether those of all fields have some. As many as the
// graph of all, which is the default, means those of tenants alone, which somebody told apart on purpose: under other filters that
// graph serves as well, and nobody is to pay for others in memory and time who has not asked for them.
func graphsOfValues(h catalog.HNSW, s *shard.Schema) (links int, all bool) {
	m := h.M
	if h.PayloadM != nil {
		m = *h.PayloadM
	}
	if all = m != h.M; all && len(s.Values) == 0 || !all && s.Tenants == 0 {
		return 0, false
	}
	return int(m), all
}

// codesOf returns the codes of a vector: its own quantization, else the collection's, else what the index chooses.
func codesOf(c *catalog.Config, p *catalog.VectorParams) (codes dense.Codes) {
	q := p.Quantization
	if q == nil {
		q = c.Quantization
	}
	if q == nil {
		return codes
	}
	inMemory := func(flag *bool) bool { return flag != nil && *flag }
	switch {
	case q.Product != nil:
		return dense.Codes{Kind: dense.Product, Compression: uint8(q.Product.Compression), OnDisk: !inMemory(q.Product.AlwaysRAM)}
	case q.Binary != nil:
		codes = dense.Codes{Kind: dense.Binary, OnDisk: !inMemory(q.Binary.AlwaysRAM)}
		if q.Binary.Encoding != nil {
			codes.Bits = quant.BinaryBits(*q.Binary.Encoding)
		}
		if q.Binary.QueryEncoding != nil {
			codes.Query = quant.BinaryQuery(*q.Binary.QueryEncoding)
		}
		return codes
	}
	codes = dense.Codes{Kind: dense.Scalar, OnDisk: !inMemory(q.Scalar.AlwaysRAM)}
	if q.Scalar.Quantile != nil {
		codes.Quantile = max(*q.Scalar.Quantile, minQuantile)
	}
	return codes
}

// minQuantile is just above one half, which can be declared and would leave nothing between the bounds.
const minQuantile = 0.501

// clamped multiplies without leaving int64.
func clamped(n uint64, unit int64) int64 { return int64(min(n, uint64(math.MaxInt64/unit))) * unit }
