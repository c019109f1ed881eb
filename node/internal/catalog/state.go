// Package catalog owns the cluster's metadata as a pure state machine: peers, collections, shards, replicas, aliases.
//
// State is an immutable value. Apply takes a state and a command and returns the next state: no disk, network,
// clock, randomness, log or local policy, so every node that applies the same commands holds the same state.
// Whatever a command needs from outside (a placement, a peer's address) stands in the command. Whoever watches the
// state makes the effects.
package catalog

import (
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// PeerID identifies one incarnation of a node's data directory: random, 1..2^53-1. A wiped node gets a new one.
type PeerID uint64

// CollectionID identifies a collection for ever; a re-created collection of the same name has another.
type CollectionID uint64

// ShardID numbers the shards of a collection from 0, as Qdrant's API shows them.
type ShardID uint32

// Generation identifies one incarnation of one replica on one peer, for ever: it is the replica's key prefix on disk.
type Generation uint64

// ShardRef names a shard cluster-wide.
type ShardRef struct {
	Collection CollectionID `json:"collection"`
	Shard      ShardID      `json:"shard"`
}

// ReplicaState is a replica's state, numbered as in Qdrant's API.
type ReplicaState uint8

// The states in use. Only Active replicas count (replication.md: "active"); the others may receive.
const (
	Active  ReplicaState = 0
	Dead    ReplicaState = 1 // demoted: it failed or is away
	Partial ReplicaState = 2 // receiving, not yet complete
)

// State is the whole of the metadata at one moment. Never modify a State, or anything reached from one, that
// Apply returned: readers share it.
type State struct {
	Format         uint32                       `json:"format"`
	ClusterID      string                       `json:"cluster_id"`
	Peers          map[PeerID]*Peer             `json:"peers"`
	Collections    map[CollectionID]*Collection `json:"collections"`
	Names          map[string]CollectionID      `json:"names"`
	Aliases        map[string]CollectionID      `json:"aliases"`
	NextCollection CollectionID                 `json:"next_collection"`
	NextGeneration Generation                   `json:"next_generation"`
	Settings       Settings                     `json:"settings,omitzero"`
	Operations     []*Operation                 `json:"operations,omitempty"` // ordered by id: all that run, and the last that ended
	NextOperation  OperationID                  `json:"next_operation,omitempty"`
	NextMove       MoveID                       `json:"next_move,omitempty"` // the last that was given
	Expelled       []PeerID                     `json:"expelled,omitempty"`  // removed for good and forgotten but for this, the last ones
}

// PeerState is what is declared of a peer: whether it is to hold replicas.
type PeerState string

// The states of a peer.
const (
	InService PeerState = ""
	// Draining peers get nothing new, and what they hold moves to others.
	Draining PeerState = "draining"
	// Maintenance lasts a while: such a peer gets nothing new and leads nothing, and while it is away none of its replicas
	// is made anew elsewhere.
	Maintenance PeerState = "maintenance"
)

// Peer is a member of the cluster.
type Peer struct {
	ID       PeerID `json:"id"`
	Name     string `json:"name"`
	GRPCAddr string `json:"grpc_addr"` // advertised, for clients
	PeerAddr string `json:"peer_addr"` // advertised, for peers
	HTTPAddr string `json:"http_addr"`
	Zone     string `json:"zone"`
	Version  string `json:"version"`
	// Replaced is set once another peer has joined under the same name: this one's disk is gone for ever.
	Replaced bool `json:"replaced,omitempty"`
	// Removed is set once somebody has removed it for good (ExpelPeer): it stays until it neither votes nor holds anything.
	Removed bool `json:"removed,omitempty"`

	// What is declared of it (UpdatePeer). A node's own word (RegisterPeer) leaves it as it is.
	State  PeerState         `json:"state,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// OwnZone, if not nil, says that Zone was declared, and what zone the node itself names.
	OwnZone *string `json:"own_zone,omitempty"`
}

// Collection is a declared collection and where it lives.
type Collection struct {
	ID     CollectionID `json:"id"`
	Name   string       `json:"name"`
	Config Config       `json:"config"`
	Epoch  uint64       `json:"epoch"`  // grows when a slot changes its owner
	Shards []*Shard     `json:"shards"` // ordered by id
	// PayloadSchema is the declared payload indexes by FieldPath; nil if there are none.
	PayloadSchema map[string]FieldIndex `json:"payload_schema,omitempty"`
	// NextVector is the last incarnation that a vector was given.
	NextVector uint64 `json:"next_vector,omitempty"`
	// NextShard is at least the id of the next shard, if some have been dropped.
	NextShard ShardID `json:"next_shard,omitempty"`
	Moves     []*Move `json:"moves,omitempty"` // ordered by id
	// Keys are the shard keys of a collection with custom sharding, ordered. Each has shards of its own, which own all slots among them.
	Keys []*ShardKey `json:"keys,omitempty"`
}

// Shard is what the metadata says of one shard (replication.md, first section).
type Shard struct {
	ID          ShardID         `json:"id"`
	Key         *point.ShardKey `json:"key,omitempty"` // of collections with custom sharding
	Slots       []slot.Range    `json:"slots"`
	Version     uint64          `json:"version"` // every change is a compare-and-set on it
	Term        uint64          `json:"term"`
	Primary     PeerID          `json:"primary"`
	Replicas    []Replica       `json:"replicas"` // ordered by peer
	WriteQuorum uint32          `json:"write_quorum"`
	// UnsafePromotions counts what may have lost committed entries: promotions with fewer answers than R6 asks for (W = 1 only), and
	// copies given up on request (ExpelPeer.Lose).
	UnsafePromotions uint64 `json:"unsafe_promotions,omitempty"`
	Epoch            uint64 `json:"epoch,omitempty"` // the collection's, when this shard's slots changed last
	Floor            *Floor `json:"floor,omitempty"` // nil: none
	// Pinned, if not empty, is where the copies were placed by hand, ordered: as many as there are to be, moved for nothing but
	// the loss or the draining of a peer.
	Pinned []PeerID `json:"pinned,omitempty"`
	// Handover says that the primary is to be somewhere else: while it is set, at least two copies hold a write (if there are
	// two), so that another can take over without loss.
	Handover bool `json:"handover,omitempty"`
}

// Replica is one copy of a shard.
type Replica struct {
	Peer       PeerID       `json:"peer"`
	Generation Generation   `json:"generation"`
	State      ReplicaState `json:"state"`
	// Previous, if not 0, says that this copy begins with a snapshot of another and has not counted yet (Rebuild). It is the
	// generation that this one replaces: what its peer still holds of it stays there until this one is active.
	Previous Generation `json:"previous,omitempty"`
	// Retiring marks a copy that is no longer declared: the primary demotes it, then it is dropped.
	Retiring bool `json:"retiring,omitempty"`
	// Replaces, if not 0, says that this copy is to take the place of the one on that peer, which retires once this one counts.
	Replaces PeerID `json:"replaces,omitempty"`
	Reason   Reason `json:"reason,omitempty"` // with Replaces
}

// Reason says why a copy is to take the place of another.
type Reason string

// The reasons.
const (
	ForHealing   Reason = "heal"      // the other's peer has been away for too long
	ForDrain     Reason = "drain"     // its peer is to hold nothing
	ForHand      Reason = "hand"      // somebody wants it here
	ForPlacement Reason = "placement" // its shard key may not be there
	ForZones     Reason = "zones"     // its zone has more copies than another
	ForBalance   Reason = "balance"   // its peer holds more than others
)

// Config is what a user declares of a collection. Effective values: defaults are already filled in (Normalize).
type Config struct {
	Vectors                map[string]VectorParams `json:"vectors"` // "" is the unnamed vector
	ShardNumber            uint32                  `json:"shard_number"`
	ReplicationFactor      uint32                  `json:"replication_factor"`
	WriteConsistencyFactor uint32                  `json:"write_consistency_factor"`
	ReadFanOutFactor       *uint32                 `json:"read_fan_out_factor,omitempty"`
	ReadFanOutDelay        *time.Duration          `json:"read_fan_out_delay,omitempty"`
	OnDiskPayload          bool                    `json:"on_disk_payload"`
	HNSW                   HNSW                    `json:"hnsw"`
	Optimizers             Optimizers              `json:"optimizers"`
	WAL                    WAL                     `json:"wal"`
	Metadata               map[string]any          `json:"metadata,omitempty"` // JSON values, as point.Payload
	Quantization           *Quantization           `json:"quantization,omitempty"`
	Sharding               Sharding                `json:"sharding,omitempty"`
	SparseVectors          map[string]SparseParams `json:"sparse_vectors,omitempty"` // no name is also in Vectors
	Strict                 *StrictMode             `json:"strict_mode,omitempty"`    // nil: nothing was said
}

// SparseParams declares one named sparse vector.
type SparseParams struct {
	IDF               bool         `json:"idf,omitempty"` // what is rare in the collection weighs more in a query
	FullScanThreshold *uint64      `json:"full_scan_threshold,omitempty"`
	OnDisk            *bool        `json:"on_disk,omitempty"`
	Datatype          vec.Datatype `json:"datatype,omitempty"` // of the weights in the index
	Incarnation       uint64       `json:"incarnation,omitempty"`
}

// Sharding says what a point's shard follows from.
type Sharding string

// The ways of sharding.
const (
	AutoSharding   Sharding = ""       // from its id
	CustomSharding Sharding = "custom" // from the shard key that a write names, and within that from its id
)

// VectorParams declares one named vector.
type VectorParams struct {
	Size     uint64       `json:"size"` // components, 1..65536
	Distance vec.Distance `json:"distance"`
	OnDisk   *bool        `json:"on_disk,omitempty"`
	HNSW     *HNSWDiff    `json:"hnsw,omitempty"` // only what differs from the collection's
	// Quantization replaces the collection's; nil means "as the collection's".
	Quantization *Quantization `json:"quantization,omitempty"`
	Multi        bool          `json:"multi,omitempty"` // a point has several vectors of this name, compared by MaxSim
	Datatype     vec.Datatype  `json:"datatype,omitempty"`
	// Incarnation tells a vector that was added to its collection from others that had the name (Config.Inner). 0: it was there from
	// the beginning.
	Incarnation uint64 `json:"incarnation,omitempty"`
}

// Quantization declares on which codes vectors are searched; one of its fields is set. Without it the node chooses.
type Quantization struct {
	Scalar  *ScalarQuantization  `json:"scalar,omitempty"`
	Product *ProductQuantization `json:"product,omitempty"`
	Binary  *BinaryQuantization  `json:"binary,omitempty"`
}

// ProductQuantization declares codes of groups of components.
type ProductQuantization struct {
	Compression uint32 `json:"compression"` // 4, 8, 16, 32 or 64 times smaller than float32
	AlwaysRAM   *bool  `json:"always_ram,omitempty"`
}

// BinaryQuantization declares a bit or two for each component. Encodings are numbered as in Qdrant's API.
type BinaryQuantization struct {
	Encoding      *uint32 `json:"encoding,omitempty"`       // nil: one bit
	QueryEncoding *uint32 `json:"query_encoding,omitempty"` // nil: the default
	AlwaysRAM     *bool   `json:"always_ram,omitempty"`
}

// ScalarQuantization declares a byte for each component.
type ScalarQuantization struct {
	Quantile  *float32 `json:"quantile,omitempty"` // share of components within the bounds, 0.5..1; nil: all
	AlwaysRAM *bool    `json:"always_ram,omitempty"`
}

// HNSW is the collection's graph configuration with Qdrant's defaults filled in.
type HNSW struct {
	M                  uint64  `json:"m"`
	EfConstruct        uint64  `json:"ef_construct"`
	FullScanThreshold  uint64  `json:"full_scan_threshold"` // KiB
	MaxIndexingThreads uint64  `json:"max_indexing_threads"`
	OnDisk             bool    `json:"on_disk"`
	PayloadM           *uint64 `json:"payload_m,omitempty"`
}

// HNSWDiff overrides parts of HNSW; nil means "as the collection's".
type HNSWDiff struct {
	M                  *uint64 `json:"m,omitempty"`
	EfConstruct        *uint64 `json:"ef_construct,omitempty"`
	FullScanThreshold  *uint64 `json:"full_scan_threshold,omitempty"`
	MaxIndexingThreads *uint64 `json:"max_indexing_threads,omitempty"`
	OnDisk             *bool   `json:"on_disk,omitempty"`
	PayloadM           *uint64 `json:"payload_m,omitempty"`
}

// Optimizers is kept and echoed as declared; the engine honours what it has.
type Optimizers struct {
	DeletedThreshold       float64 `json:"deleted_threshold"`
	VacuumMinVectorNumber  uint64  `json:"vacuum_min_vector_number"`
	DefaultSegmentNumber   uint64  `json:"default_segment_number"`
	MaxSegmentSize         *uint64 `json:"max_segment_size,omitempty"`
	MemmapThreshold        *uint64 `json:"memmap_threshold,omitempty"`
	IndexingThreshold      uint64  `json:"indexing_threshold"`
	FlushIntervalSec       uint64  `json:"flush_interval_sec"`
	MaxOptimizationThreads *uint64 `json:"max_optimization_threads,omitempty"`
	PreventUnoptimized     *bool   `json:"prevent_unoptimized,omitempty"`
}

// WAL is kept and echoed as declared.
type WAL struct {
	CapacityMB    uint64 `json:"capacity_mb"`
	SegmentsAhead uint64 `json:"segments_ahead"`
	RetainClosed  uint64 `json:"retain_closed"`
}
