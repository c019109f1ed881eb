package api

import "github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"

// The words in which the services speak to what routes their requests.
type (
	// WriteOptions say how far a write is waited for.
	WriteOptions = coordinator.WriteOptions
	// WriteResult says how far a write came.
	WriteResult = coordinator.WriteResult
	// Query is one search over all shards of a collection.
	Query = coordinator.Query
	// Info counts what a collection holds.
	Info = coordinator.Info
	// ShardInfo is what is known of one shard.
	ShardInfo = coordinator.ShardInfo
)
