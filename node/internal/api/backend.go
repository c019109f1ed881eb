package api

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// WriteOptions say how far a write is waited for.
type WriteOptions struct {
	Wait bool // until it is applied, not only acknowledged
}

// WriteResult says how far a write came. Completed is set if it was waited for and is applied.
type WriteResult struct {
	OperationID uint64
	Completed   bool
}

// Query is one search over all shards of a collection: Limit points after the best Offset.
type Query struct {
	shard.SearchRequest
	Offset uint64
}

// Info counts what a collection holds.
type Info struct {
	Points uint64 // of the shards that answered
	Shards []ShardInfo
}

// ShardInfo is what is known of one shard.
type ShardInfo struct {
	ID       catalog.ShardID
	Answered bool // one of its replicas did
}
