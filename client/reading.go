package client

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/metadata"
)

// consistencyKey is the metadata that asks a node for what Qdrant's API has no field for.
const consistencyKey = "x-ostraka-consistency"

// Reading returns a client over the same connections whose Query, Scroll, Count and Get have that consistency:
//
//	Weak    one replica answers. It may be behind; a client that stays with one node sees what it wrote through it
//	Quorum  more than half of the declared replicas answer, and the newest counts: sees every write that was completed
//	        (WriteOptions.Wait) under Quorum or Strong, through whichever node, and goes on when a minority is down. (While
//	        replicas are being replaced it may miss what was completed in the last moments; Strong never does)
//	Strong  linearizable: sees every write that was acknowledged before the read began, through whichever node, whatever the
//	        write's consistency. The shard's primary is asked, and proves that it is the primary still; while a lost one is
//	        being replaced, the read waits
//
// Each shard is read by itself: a read of several is not one moment of all of them. Too few replicas: ClassUnavailable, with the
// numbers. A plain Qdrant knows Quorum in a meaning of its own, and nothing like Strong, which it ignores. Either client's Close
// closes both.
func (c *Client) Reading(consistency Consistency) *Client {
	other := *c
	other.config.ReadConsistency = consistency
	return &other
}

// reads prepares a read: the context and the field that ask for its consistency.
func (c *Client) reads(ctx context.Context) (context.Context, *qdrant.ReadConsistency) {
	switch c.config.ReadConsistency {
	case Quorum:
		return ctx, qdrant.NewReadConsistencyType(qdrant.ReadConsistencyType_Quorum)
	case Strong:
		return metadata.AppendToOutgoingContext(ctx, consistencyKey, "strong"), nil
	default:
		return ctx, nil
	}
}
