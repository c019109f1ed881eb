package dense

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
)

// Config says how an index is kept. All of it can be changed while the index is in use (SetConfig).
type Config struct {
	// M is how many links a row has in the graph; 0 means that there is no graph, and every search is exact.
	M int
	// PayloadM is how many links a row has in each graph of the rows of one value (Values); 0 means that there are none of those.
	PayloadM int
	// AllValues lets values of all fields have graphs, and not those of tenants alone.
	AllValues bool
	// EfConstruct is how many candidates a row's links are chosen from; searches that do not say take as many.
	EfConstruct int
	// IndexingBytes is how large the vectors are from which on there is a graph; 0 means never.
	IndexingBytes int64
	// FullScanBytes: fewer bytes of vectors that a search can find are compared one by one.
	FullScanBytes int64
	// Threads bounds how many rows are linked at a time; 0 leaves that to the index.
	Threads int
	// OnDisk keeps whole vectors in a file that is mapped, so that the system may forget what is not used. It needs a
	// directory (Options.Dir).
	OnDisk bool
	// GraphOnDisk keeps the graph's links in a mapped file too. It needs a directory.
	GraphOnDisk bool
	// Codes says on which form of the vectors the graph is walked.
	Codes Codes
	// DeletedThreshold and VacuumMinVectors: rows that died are cleared away once they are more than this share of all
	// rows and there are at least so many rows.
	DeletedThreshold float64
	VacuumMinVectors int
}

// degree is what a graph makes of a declared number of links, which may be one that it cannot have.
func degree(m int) int { return min(max(m, hnsw.MinM), hnsw.MaxM) }

// wantsGraph reports whether so many vectors of a form are to be in a graph.
func (c *Config) wantsGraph(count int, f *form) bool {
	return c.M > 0 && c.IndexingBytes > 0 && int64(count)*int64(f.bytes()) >= c.IndexingBytes
}

// sameGraph reports whether a graph that was built under c serves o.
func (c *Config) sameGraph(o *Config) bool {
	return c.M == o.M && c.EfConstruct == o.EfConstruct && c.Codes == o.Codes
}

// Codes says on which form of the vectors the graph is walked.
type Codes struct {
	Kind CodeKind
	// Quantile, of scalar codes: the share of components that is kept within their bounds; 0 means all.
	Quantile float32
	// Compression, of product codes: how many times smaller than whole vectors they are.
	Compression uint8
	// Bits and Query, of binary codes: those of a component, and how a query is held.
	Bits  quant.BinaryBits
	Query quant.BinaryQuery
	// OnDisk keeps the codes in a file too, if the vectors are.
	OnDisk bool
}

// CodeKind is a form of vectors.
type CodeKind uint8

// The kinds of codes. Automatic means bytes where a sample shows that they lead to the nearest as whole vectors do, and
// whole vectors elsewhere.
const (
	Automatic CodeKind = iota
	Whole
	Scalar
	Product
	Binary
)

// coarse codes serve searches, but not the building of a graph.
func (c *Codes) coarse() bool { return c.Kind == Product || c.Kind == Binary }
