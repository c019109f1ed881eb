package catalog

import (
	"slices"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// ShardKey declares a group of shards of a collection with custom sharding.
type ShardKey struct {
	Key         point.ShardKey `json:"key"`
	ShardNumber uint32         `json:"shard_number"`
	// ReplicationFactor is 0 where the collection's counts.
	ReplicationFactor uint32 `json:"replication_factor,omitempty"`
	// Peers, if there are any, are those that copies may be on, ordered.
	Peers []PeerID `json:"peers,omitempty"`
	// Partial says that the key is to be filled from another one (FillShardKey). Its shards own no slots, so no request is for them.
	Partial bool `json:"partial,omitempty"`
}

// CreateShardKey declares a shard key. Placement is filled in on the Raft leader (Prepare), as is a number of shards that is 0.
type CreateShardKey struct {
	Collection CollectionID `json:"collection"`
	ShardKey
	Placement [][]PeerID `json:"placement,omitempty"`
}

// DeleteShardKey removes a shard key with its shards and all of their points.
type DeleteShardKey struct {
	Collection CollectionID   `json:"collection"`
	Key        point.ShardKey `json:"key"`
	At         int64          `json:"at,omitempty"` // Unix milliseconds
}

// UpdateShardKey changes how many copies the shards of a key have, and which peers they may be on; what is nil stays as it is.
type UpdateShardKey struct {
	Collection        CollectionID   `json:"collection"`
	Key               point.ShardKey `json:"key"`
	ReplicationFactor *uint32        `json:"replication_factor,omitempty"` // 0: the collection's counts
	Peers             *[]PeerID      `json:"peers,omitempty"`              // ordered; empty, and not nil: all
}

// of returns what the key is declared to be after the change.
func (u *UpdateShardKey) of(k *ShardKey) ShardKey {
	next := *k
	if u.ReplicationFactor != nil {
		next.ReplicationFactor = *u.ReplicationFactor
	}
	if u.Peers != nil {
		next.Peers = nil
		if len(*u.Peers) > 0 {
			next.Peers = slices.Clone(*u.Peers)
		}
	}
	return next
}

// Custom reports whether the collection has shard keys.
func (c Config) Custom() bool { return c.Sharding == CustomSharding }

// ShardKey finds a key of the collection.
func (c *Collection) ShardKey(key point.ShardKey) (*ShardKey, bool) {
	i, ok := c.findKey(key)
	if !ok {
		return nil, false
	}
	return c.Keys[i], true
}

func (c *Collection) findKey(key point.ShardKey) (int, bool) {
	return slices.BinarySearchFunc(c.Keys, key, func(k *ShardKey, key point.ShardKey) int { return k.Key.Compare(key) })
}

// keyOf returns what is declared of a shard's key, nil if it has none.
func (c *Collection) keyOf(sh *Shard) *ShardKey {
	if sh.Key == nil {
		return nil
	}
	k, _ := c.ShardKey(*sh.Key)
	return k
}

// Copies is how many copies a key's shards are to have, as far as no other number was placed by hand.
func (c *Collection) Copies(k *ShardKey) int {
	if k != nil && k.ReplicationFactor > 0 {
		return int(k.ReplicationFactor)
	}
	return int(c.Config.ReplicationFactor)
}

// Allows reports whether a shard's copies may be on a peer.
func (c *Collection) Allows(sh *Shard, id PeerID) bool { return c.keyOf(sh).allows(id) }

func (k *ShardKey) allows(id PeerID) bool {
	return k == nil || len(k.Peers) == 0 || slices.Contains(k.Peers, id)
}

func (k *ShardKey) allowsAll(ids []PeerID) bool {
	return !slices.ContainsFunc(ids, func(id PeerID) bool { return !k.allows(id) })
}

// Within returns the collection with the shards of one key alone.
func (c *Collection) Within(key point.ShardKey) (*Collection, error) {
	if _, ok := c.ShardKey(key); !ok {
		return nil, c.errNoKey(key)
	}
	part := *c
	part.Shards = nil
	for _, sh := range c.Shards {
		if sh.Key != nil && *sh.Key == key {
			part.Shards = append(part.Shards, sh)
		}
	}
	return &part, nil
}

// maxListedKeys bounds the keys that an error lists.
const maxListedKeys = 16

func (c *Collection) errNoKey(key point.ShardKey) error {
	known := make([]string, 0, maxListedKeys+1)
	for i, k := range c.Keys {
		if i == maxListedKeys {
			known = append(known, "...")
			break
		}
		known = append(known, k.Key.String())
	}
	text := "it has none"
	if len(known) > 0 {
		text = "it has " + strings.Join(known, ", ")
	}
	return fault.New(fault.NotFound, "Shard key %s not found in collection `%s`: %s", key, c.Name, text)
}

func checkKey(key point.ShardKey) error {
	if key.Keyword != "" && key.Number != 0 {
		return invalid("a shard key is a word or a number, not both")
	}
	return checkText("shard key", key.Keyword)
}

// check checks what is declared of a key, apart from any state.
func (k *ShardKey) check() error {
	if err := checkKey(k.Key); err != nil {
		return err
	}
	switch {
	case k.ShardNumber > MaxShards:
		return outside("shards_number", k.ShardNumber, 1, MaxShards)
	case k.ReplicationFactor > MaxReplicas:
		return outside("replication_factor", k.ReplicationFactor, 1, MaxReplicas)
	case len(k.Peers) > MaxKeyPeers:
		return invalid("a shard key is placed on %d peers, at most %d are allowed", len(k.Peers), MaxKeyPeers)
	}
	for i, id := range k.Peers {
		if i > 0 && k.Peers[i-1] >= id {
			return invalid("the peers of a shard key are not in order, each once")
		}
	}
	return nil
}

// checkCopies refuses numbers of copies with which no write could succeed, or which could never be reached.
func (c *Collection) checkCopies(k *ShardKey) error {
	switch n := c.Copies(k); {
	case n < int(c.Config.WriteConsistencyFactor):
		return invalid("shard key %s has replication_factor %d, less than the collection's write_consistency_factor %d: no write could ever succeed",
			k.Key, n, c.Config.WriteConsistencyFactor)
	case len(k.Peers) > 0 && n > len(k.Peers):
		return invalid("shard key %s has replication_factor %d and may be placed on %d peers only", k.Key, n, len(k.Peers))
	}
	return nil
}
