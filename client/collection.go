package client

// Distance is how the nearness of vectors is measured, in the API's spelling.
type Distance string

// The distances.
const (
	Cosine    Distance = "Cosine"
	Dot       Distance = "Dot"
	Euclid    Distance = "Euclid"
	Manhattan Distance = "Manhattan"
)

// Status is a collection's health as its server reports it.
type Status string

// The statuses.
const (
	Green  Status = "green"  // all is well
	Yellow Status = "yellow" // optimisation is running
	Red    Status = "red"    // something failed
	Grey   Status = "grey"   // optimisation is waiting for a first write
)

// VectorParams declares one named vector.
type VectorParams struct {
	Size         uint64 // components
	Distance     Distance
	OnDisk       *bool         // nil: not said
	HNSW         *HNSW         // what differs from the collection's; nil: nothing
	Quantization *Quantization // instead of the collection's; nil: the collection's
	Datatype     Datatype      // "": not said, which is Float32
	MultiVector  bool          // each point has a list of such vectors, compared by MaxSim
}

// HNSW configures the vector graph. In a request, nil is "the default" (create) or "as it is" (update); in a reply, nil
// is "not said by the server".
type HNSW struct {
	M                  *uint64
	EfConstruct        *uint64
	FullScanThreshold  *uint64 // KiB
	MaxIndexingThreads *uint64
	OnDisk             *bool
	PayloadM           *uint64
}

// Optimizers configures background work. Nil is as in HNSW.
type Optimizers struct {
	DeletedThreshold       *float64
	VacuumMinVectorNumber  *uint64
	DefaultSegmentNumber   *uint64
	MaxSegmentSize         *uint64 // KiB
	MemmapThreshold        *uint64 // KiB
	IndexingThreshold      *uint64 // KiB
	FlushIntervalSec       *uint64
	MaxOptimizationThreads *uint64
	PreventUnoptimized     *bool
}

// WAL configures the log. Nil is as in HNSW.
type WAL struct {
	CapacityMB    *uint64
	SegmentsAhead *uint64
	RetainClosed  *uint64
}

// CollectionSpec declares a collection. Nil leaves the choice to the server.
type CollectionSpec struct {
	Name                   string
	Vectors                map[string]VectorParams // by name; "" is the unnamed vector
	ShardNumber            *uint32
	ReplicationFactor      *uint32
	WriteConsistencyFactor *uint32
	OnDiskPayload          *bool
	HNSW                   *HNSW
	Optimizers             *Optimizers
	WAL                    *WAL
	Quantization           *Quantization           // nil: none
	SparseVectors          map[string]SparseParams // by name
	CustomSharding         bool                    // points go to shards by shard keys, which are created one by one
	Strict                 *StrictMode             // nil: none
	Metadata               map[string]any          // JSON values
}

// Collection is what a server says of a collection: its effective configuration and its state.
type Collection struct {
	Name                   string // as asked for: an alias stays an alias
	Vectors                map[string]VectorParams
	ShardNumber            uint32
	ReplicationFactor      uint32
	WriteConsistencyFactor uint32
	ReadFanOutFactor       *uint32
	ReadFanOutDelayMS      *uint64
	OnDiskPayload          bool
	HNSW                   HNSW
	Optimizers             Optimizers
	WAL                    WAL
	Quantization           *Quantization // nil: none
	Strict                 *StrictMode   // nil: nothing was declared
	SparseVectors          map[string]SparseParams
	CustomSharding         bool
	Indexes                map[string]FieldIndex // of payloads, by field
	Metadata               map[string]any        // nil, bool, int64, float64, string, []any, map[string]any

	Status         Status
	OptimizerError string // "" when the optimizer is well
	Points         uint64 // approximate
	Warnings       []string
	// Foreign names what is configured on the server but has no field here, such as "inline_storage".
	Foreign []string
}

// CollectionUpdate changes a collection in place. Nil keeps what there is.
type CollectionUpdate struct {
	ReplicationFactor      *uint32
	WriteConsistencyFactor *uint32
	ReadFanOutFactor       *uint32
	ReadFanOutDelayMS      *uint64
	OnDiskPayload          *bool
	Vectors                map[string]VectorUpdate
	SparseVectors          map[string]SparseParams // merged by name and field
	HNSW                   *HNSW
	Optimizers             *Optimizers
	Quantization           *Quantization  // replaces; &Quantization{} turns it off
	Strict                 *StrictMode    // merged by field
	Metadata               map[string]any // merged by key; a nil value removes the key
}

// VectorUpdate changes a named vector in place.
type VectorUpdate struct {
	OnDisk       *bool
	HNSW         *HNSW
	Quantization *Quantization // as in CollectionUpdate: &Quantization{} turns it off for this vector
}

// Alias is another name of a collection.
type Alias struct {
	Name       string
	Collection string
}

// AliasAction is one of create, rename and delete: see CreateAlias, RenameAlias and DeleteAlias.
type AliasAction struct {
	kind     aliasKind
	from, to string
}

type aliasKind uint8

const (
	aliasCreate aliasKind = iota
	aliasRename
	aliasDelete
)

// CreateAlias makes alias a name of collection, also when it is one of another collection now.
func CreateAlias(alias, collection string) AliasAction {
	return AliasAction{kind: aliasCreate, from: alias, to: collection}
}

// RenameAlias renames an alias.
func RenameAlias(from, to string) AliasAction {
	return AliasAction{kind: aliasRename, from: from, to: to}
}

// DeleteAlias removes an alias; one that does not exist is no error.
func DeleteAlias(alias string) AliasAction { return AliasAction{kind: aliasDelete, from: alias} }
