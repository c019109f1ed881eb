package client

import "time"

// PeerID identifies one incarnation of a node's data directory.
type PeerID uint64

// Cluster is the cluster as the answering node sees it.
type Cluster struct {
	ID            string
	AnsweringPeer PeerID
	Leader        PeerID // 0: none is known
	Term          uint64
	AppliedIndex  uint64 // of the answering node's metadata
	Version       string // of the answering node
	Peers         []Peer // ordered by name, then id
}

// Peer returns the peer with that id.
func (c *Cluster) Peer(id PeerID) (Peer, bool) {
	for _, p := range c.Peers {
		if p.ID == id {
			return p, true
		}
	}
	return Peer{}, false
}

// Alive returns how many peers answer.
func (c *Cluster) Alive() int {
	n := 0
	for _, p := range c.Peers {
		if p.Alive {
			n++
		}
	}
	return n
}

// Peer is one member.
type Peer struct {
	ID          PeerID
	Name        string
	GRPCAddress string
	PeerAddress string
	HTTPAddress string
	Zone        string
	Version     string
	Alive       bool
	Voter       bool
	Leader      bool
	Replaced    bool      // a node with an empty disk has joined under its name
	LastSeen    time.Time // zero: never
	Replicas    uint32    // that the metadata puts there
	State       PeerState // declared
	Labels      map[string]string
	Primaries   uint64 // of the replicas that lead
	Bytes       uint64 // of the replicas' points, as last reported; 0: not known
	DiskFree    uint64 // as last reported; 0: not known
	DiskTotal   uint64
	Problem     string // why it cannot do all that it should, such as a full disk; "" if it can
}

// PeerState is whether a peer is to hold replicas.
type PeerState string

// The states of a peer.
const (
	PeerActive      PeerState = "active"
	PeerDraining    PeerState = "draining"    // its replicas move to other peers, it gets no new ones
	PeerMaintenance PeerState = "maintenance" // it leads nothing and gets nothing new; while it is away, nothing of it is replaced
)

// ReplicaState is what the metadata says of a replica.
type ReplicaState string

// The states of a replica.
const (
	ReplicaActive  ReplicaState = "active"  // it counts
	ReplicaDead    ReplicaState = "dead"    // it failed or is away
	ReplicaPartial ReplicaState = "partial" // it is catching up
)

// CollectionPlacement says where a collection was declared to live and where it lives.
type CollectionPlacement struct {
	Collection             string
	ShardNumber            uint32
	ReplicationFactor      uint32 // declared
	WriteConsistencyFactor uint32 // declared
	Shards                 []ShardPlacement
	Warnings               []string // what is not as declared
	TargetShardNumber      uint32   // declared; ShardNumber is what there is. 0: the server does not say
	Epoch                  uint64   // grows when a slot changes its owner
	ShardKeys              []ShardKeyPlacement
	Bytes                  uint64   // of one copy of each shard, as last reported
	Points                 uint64   // as last reported
	Operations             []uint64 // ids of what runs on it
	Moves                  []SlotMove
}

// SlotMove is slots on their way from one shard to another, or to be cleaned up after.
type SlotMove struct {
	ID             uint64
	Source, Target uint32 // shards
	Slots          uint32
	Phase          string // copying, sealing, ready (of a fill), moved, withdrawn
	Fill           bool   // points are copied into another shard key: the slots do not change their owner
	Points         uint64 // that the target has of the first pass
	TotalPoints    uint64 // 0: not known
	Bytes          uint64 // that have come
	Problem        string // why the last step failed
}

// ShardKeyPlacement is what was declared of a shard key.
type ShardKeyPlacement struct {
	Key               ShardKey
	ShardNumber       uint32
	TargetShardNumber uint32
	ReplicationFactor uint32
	Placement         []PeerID // the peers it may live on; empty: all
	Partial           bool     // it takes neither reads nor writes before it is filled from another key
}

// AsDeclared reports whether every shard is.
func (p CollectionPlacement) AsDeclared() bool {
	for _, s := range p.Shards {
		if !s.AsDeclared() {
			return false
		}
	}
	return true
}

// AsDeclared reports whether the shard has its declared replicas, no others, and takes writes.
func (s ShardPlacement) AsDeclared() bool {
	return s.Problem == "" && s.Writable && s.ActiveReplicas >= s.DeclaredReplicas && !s.Surplus()
}

// Surplus reports whether the shard has replicas that are to go, as it has in the middle of a move.
func (s ShardPlacement) Surplus() bool { return len(s.Replicas) > int(s.DeclaredReplicas) }

// ShardPlacement is one shard of it.
type ShardPlacement struct {
	ID               uint32
	DeclaredReplicas uint32
	ActiveReplicas   uint32 // replicas that count and whose peer is alive
	Primary          PeerID
	Term             uint64
	WriteQuorum      uint32
	Replicas         []ReplicaPlacement // ordered by peer
	Writable         bool
	Problem          string // "" when the shard is as declared
	Version          uint64
	UnsafePromotions uint64
	Key              *ShardKey // nil without custom sharding
	Slots            uint32    // how many of the slots it owns; 0: the server does not say
	Pinned           bool      // placed by hand
}

// ReplicaPlacement is one replica of a shard.
type ReplicaPlacement struct {
	Peer         PeerID
	State        ReplicaState
	Alive        bool   // its peer answers
	LastIndex    uint64 // end of its log; 0 when it does not answer
	AppliedIndex uint64
	Points       uint64
	Generation   uint64
	Differs      string // in what it is not like the other copies; "" if it is, as far as anybody knows
	Bytes        uint64 // approximate size of its points
	Transfer     *Transfer
}

// Transfer is a snapshot on its way into a replica.
type Transfer struct {
	From       PeerID // 0: nobody gives it at the moment
	Bytes      uint64 // done
	TotalBytes uint64
	Started    time.Time // zero: it has not, or the server does not say
	Problem    string    // of the last attempt
}

// Health is what a server says of itself.
type Health struct {
	Title   string
	Version string
	Commit  string
}
