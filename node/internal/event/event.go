// Package event owns a node's memory of what happened: a bounded ring of events for people, each with a cursor by which
// a reader goes on where it stopped.
//
// It promises that Append never waits for a reader, that memory is bounded, and that a reader who was too slow is told
// how many events it missed. It keeps nothing on disk and decides nothing.
package event

import "time"

// Kind says what happened, in one word that programs can compare.
type Kind string

// The kinds, as docs/design/metrics.md lists them.
const (
	Election          Kind = "election"           // the metadata has another leader, or none
	Promotion         Kind = "promotion"          // a shard has another primary
	UnsafePromotion   Kind = "unsafe_promotion"   // ... chosen from fewer answers than keep every acknowledged write
	Demotion          Kind = "demotion"           // a replica counts no more
	Activation        Kind = "activation"         // a replica counts
	Transfer          Kind = "transfer"           // a replica is being brought up to date
	ReplicaAdded      Kind = "replica_added"      // a copy is to be made
	ReplicaDropped    Kind = "replica_dropped"    // a copy is gone
	ReplicaRebuilt    Kind = "replica_rebuilt"    // a copy begins anew
	ReplicaLag        Kind = "replica_lag"        // a replica is far behind, or no longer
	UnderReplicated   Kind = "under_replicated"   // a shard has fewer working copies than declared
	FullyReplicated   Kind = "fully_replicated"   // ... and has them again
	ShardLost         Kind = "shard_lost"         // all copies were given up: it begins anew, empty
	WriteRefused      Kind = "write_refused"      // too few replicas count for the write consistency
	Overloaded        Kind = "overloaded"         // a request was refused because the node has too much to do
	PeerDead          Kind = "peer_dead"          // a peer does not answer
	PeerAlive         Kind = "peer_alive"         // ... and answers again
	PeerJoined        Kind = "peer_joined"        // a peer is a new member
	PeerReplaced      Kind = "peer_replaced"      // a node came back with an empty disk, as another peer
	PeerRemoved       Kind = "peer_removed"       // a peer is no member any more
	CollectionCreated Kind = "collection_created" // as declared
	CollectionDeleted Kind = "collection_deleted" // with its data
	ReplicaDiffers    Kind = "replica_differs"    // a comparison found a copy that is not like the others
	PeerDeclared      Kind = "peer_declared"      // a peer's state, zone or labels were declared
	OperationBegan    Kind = "operation_began"    // something that takes long
	OperationEnded    Kind = "operation_ended"    // ... is done, cancelled or failed
	ShardAdded        Kind = "shard_added"        // a collection is being cut into more shards
	ShardDropped      Kind = "shard_dropped"      // ... into fewer: it owned no slots any more
	SlotsMoved        Kind = "slots_moved"        // slots have another owner
	SettingsChanged   Kind = "settings_changed"   // of the cluster
	Verified          Kind = "verified"           // a comparison was asked for, and this came of it
	DiskFull          Kind = "disk_full"          // this node's disk has no room for what grows
	DiskRoom          Kind = "disk_room"          // ... and has room again
)

// Severity says who should care: nobody, whoever watches, or somebody at once.
type Severity string

// The severities, in rising order.
const (
	Info  Severity = "info"
	Warn  Severity = "warn"
	Error Severity = "error"
)

// Event is one thing that happened.
type Event struct {
	Cursor     uint64 // given by the Log
	Time       time.Time
	Kind       Kind
	Severity   Severity
	Collection string // its name; "" if the event is about none
	Shard      uint32
	HasShard   bool
	Peer       uint64 // 0 if the event is about none
	Text       string // for people
}
