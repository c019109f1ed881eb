package catalog

// Command is one change of the metadata: exactly one field is set. It is what Raft carries (EncodeCommands).
type Command struct {
	// Founding of the cluster: only on an empty state.
	Found *Found `json:"found,omitempty"`

	RegisterPeer *Peer   `json:"register_peer,omitempty"` // a new peer, or new addresses, zone or version of a known one
	RemovePeer   *PeerID `json:"remove_peer,omitempty"`   // refused while it holds a replica

	ExpelPeer *ExpelPeer `json:"expel_peer,omitempty"` // removes a peer for good

	CreateCollection *CreateCollection `json:"create_collection,omitempty"`
	UpdateCollection *UpdateCollection `json:"update_collection,omitempty"`
	DeleteCollection *string           `json:"delete_collection,omitempty"` // by name; NotFound if missing
	ChangeAliases    []AliasAction     `json:"change_aliases,omitempty"`    // all or nothing, in order

	UpdatePeer       *UpdatePeer       `json:"update_peer,omitempty"`
	UpdateSettings   *Settings         `json:"update_settings,omitempty"` // what is nil stays as it is
	PlaceShard       *PlaceShard       `json:"place_shard,omitempty"`
	Rebalance        *RebalancePeers   `json:"rebalance,omitempty"`
	EndOperation     *EndOperation     `json:"end_operation,omitempty"`
	CancelOperation  *CancelOperation  `json:"cancel_operation,omitempty"`
	CreateFieldIndex *CreateFieldIndex `json:"create_field_index,omitempty"` // declares it, or declares it anew
	DeleteFieldIndex *DeleteFieldIndex `json:"delete_field_index,omitempty"` // done if there is none

	CreateShardKey *CreateShardKey `json:"create_shard_key,omitempty"`
	UpdateShardKey *UpdateShardKey `json:"update_shard_key,omitempty"`
	DeleteShardKey *DeleteShardKey `json:"delete_shard_key,omitempty"`
	FillShardKey   *FillShardKey   `json:"fill_shard_key,omitempty"`

	Reshard    *Reshard    `json:"reshard,omitempty"`
	ChangeMove *ChangeMove `json:"change_move,omitempty"`
	DropShard  *DropShard  `json:"drop_shard,omitempty"`

	// Changes of one shard. Each is a compare-and-set: Conflict if the shard's version is another.
	ChangeShard *ChangeShard `json:"change_shard,omitempty"`
}

// Found names a new cluster.
type Found struct {
	ClusterID string `json:"cluster_id"`
}

// CreateCollection declares a collection. Placement is filled in on the Raft leader (Place) before the command
// enters the log: Placement[i] lists the peers of shard i, its first primary first; 1..ReplicationFactor of them.
type CreateCollection struct {
	Name      string     `json:"name"`
	Config    Config     `json:"config"`
	Placement [][]PeerID `json:"placement,omitempty"`
}

// UpdateCollection replaces the config as a whole (the proposer merged its diff into the config of Base, the
// collection's ID and config it had read, and Apply refuses with Conflict when that is no longer current). What
// cannot change in place is refused with Invalid.
type UpdateCollection struct {
	Name   string       `json:"name"`
	ID     CollectionID `json:"id"`
	Base   Config       `json:"base"`
	Config Config       `json:"config"`
}

// UpdatePeer changes what is declared of a peer; what is nil stays as it is.
type UpdatePeer struct {
	ID     PeerID             `json:"id"`
	Zone   *string            `json:"zone,omitempty"` // "": the one that the node itself names
	Labels *map[string]string `json:"labels,omitempty"`
	State  *PeerState         `json:"state,omitempty"`
	At     int64              `json:"at"` // Unix milliseconds, for the operation that a drain is
}

// PlaceShard places the copies of a shard by hand: one more on To, none on From; either may be 0. It is a compare-and-set like
// ChangeShard.
type PlaceShard struct {
	Ref     ShardRef `json:"ref"`
	Version uint64   `json:"version"`
	From    PeerID   `json:"from,omitempty"`
	To      PeerID   `json:"to,omitempty"`
	At      int64    `json:"at"` // Unix milliseconds
}

// CreateFieldIndex declares a payload index of the collection with that name and id. One that is declared alike stays
// as it is, another is replaced.
type CreateFieldIndex struct {
	Name  string       `json:"name"`
	ID    CollectionID `json:"id"`
	Field string       `json:"field"`
	Index FieldIndex   `json:"index"`
}

// DeleteFieldIndex drops a payload index of the collection with that name and id.
type DeleteFieldIndex struct {
	Name  string       `json:"name"`
	ID    CollectionID `json:"id"`
	Field string       `json:"field"`
}

// AliasAction is one of create, rename, delete.
type AliasAction struct {
	Create *struct{ Alias, Collection string } `json:"create,omitempty"`
	Rename *struct{ Old, New string }          `json:"rename,omitempty"`
	Delete *string                             `json:"delete,omitempty"`
}

// ChangeShard changes one shard if it still has Version; exactly one of the other fields is set.
type ChangeShard struct {
	Ref     ShardRef `json:"ref"`
	Version uint64   `json:"version"`

	Demote         *PeerID  `json:"demote,omitempty"`       // Active or Partial -> Dead; never the primary, never the last active
	Receive        *PeerID  `json:"receive,omitempty"`      // Dead -> Partial
	Activate       *PeerID  `json:"activate,omitempty"`     // Partial -> Active (R4)
	Rebuild        *PeerID  `json:"rebuild,omitempty"`      // Dead or Partial -> Partial in a new generation, to begin with a snapshot
	SetWriteQuorum *uint32  `json:"set_quorum,omitempty"`   // W
	Promote        *Promote `json:"promote,omitempty"`      // R6
	AddReplica     *PeerID  `json:"add_replica,omitempty"`  // a new Partial replica with a new generation
	DropReplica    *PeerID  `json:"drop_replica,omitempty"` // never the primary, never an active one
	Retire         *PeerID  `json:"retire,omitempty"`       // marks a replica that is not the primary as Retiring

	Replace  *Replace `json:"replace,omitempty"`  // a new Partial replica in the place of another
	Settle   *PeerID  `json:"settle,omitempty"`   // a replica takes the place of no other any more
	Handover *bool    `json:"handover,omitempty"` // whether the primary is to be somewhere else
}

// Replace makes a copy on Peer that is to take the place of the one on Of.
type Replace struct {
	Peer   PeerID `json:"peer"`
	Of     PeerID `json:"of"`
	Reason Reason `json:"reason"`
}

// Promote makes Candidate the primary in Term (which must be higher than the shard's). Unsafe marks a promotion
// with fewer answers than R6 asks for.
type Promote struct {
	Term      uint64 `json:"term"`
	Candidate PeerID `json:"candidate"`
	Unsafe    bool   `json:"unsafe,omitempty"`
}

// Result is what a command did, for its proposer.
type Result struct {
	Err          error        // of a fault class; the state is unchanged then
	Collection   CollectionID // of CreateCollection
	ShardVersion uint64       // of ChangeShard: the shard's version after it
	Operation    OperationID  // that the command began or joined; 0: none
	Move         MoveID       // of ChangeMove
}
