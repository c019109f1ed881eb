package client

import (
	"context"
	"strconv"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// ShardKey names a group of shards of a collection with custom sharding: a word, or, if that is empty, a number.
type ShardKey struct {
	Keyword string
	Number  uint64
}

// String returns the word, or the number's digits.
func (k ShardKey) String() string {
	if k.Keyword != "" {
		return k.Keyword
	}
	return strconv.FormatUint(k.Number, 10)
}

func (k ShardKey) qdrant() *qdrant.ShardKey {
	if k.Keyword != "" {
		return qdrant.NewShardKeyKeyword(k.Keyword)
	}
	return qdrant.NewShardKeyNum(k.Number)
}

// wire returns nil for no key.
func (k *ShardKey) wire() *clusterpb.ShardKey {
	switch {
	case k == nil:
		return nil
	case k.Keyword != "":
		return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: k.Keyword}}
	}
	return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: k.Number}}
}

func shardKeyOf(k *clusterpb.ShardKey) ShardKey {
	return ShardKey{Keyword: k.GetKeyword(), Number: k.GetNumber()}
}

// ShardKeySpec declares a shard key. Zero leaves the choice to the server: the collection's own.
type ShardKeySpec struct {
	Key               ShardKey
	ShardNumber       uint32
	ReplicationFactor uint32
	Placement         []PeerID // the peers it may live on; empty: all
	Partial           bool     // it takes neither reads nor writes before FillShardKey has filled it
}

// CreateShardKey declares a shard key of a collection with custom sharding. ClassExists or ClassInvalid: there is one.
func (c *Client) CreateShardKey(ctx context.Context, collection string, spec ShardKeySpec) error {
	op := operation{kind: once, ddl: true, method: collectionsService + "CreateShardKey"}
	request := &qdrant.CreateShardKey{ShardKey: spec.Key.qdrant()}
	if spec.ShardNumber > 0 {
		request.ShardsNumber = &spec.ShardNumber
	}
	if spec.ReplicationFactor > 0 {
		request.ReplicationFactor = &spec.ReplicationFactor
	}
	for _, peer := range spec.Placement {
		request.Placement = append(request.Placement, uint64(peer))
	}
	if spec.Partial {
		request.InitialState = qdrant.ReplicaState_Partial.Enum()
	}
	_, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.CreateShardKeyResponse, error) {
		return e.collections.CreateShardKey(ctx, &qdrant.CreateShardKeyRequest{CollectionName: collection, Request: request})
	})
	return err
}

// ShardKeyUpdate is what is to change of a shard key. Nil: as it is.
type ShardKeyUpdate struct {
	ReplicationFactor *uint32  // 0: the collection's, also when that changes
	Placement         []PeerID // the peers it may live on; empty, but not nil: all
}

// UpdateShardKey changes a shard key while it serves; its placement shows how far the copies have come. ErrNotOstraka: the server is a plain Qdrant.
func (c *Client) UpdateShardKey(ctx context.Context, collection string, key ShardKey, update ShardKeyUpdate) (*ShardKeyPlacement, error) {
	op := operation{kind: idempotent, ddl: true, method: clusterService + "UpdateShardKey"}
	request := &clusterpb.UpdateShardKeyRequest{
		Collection: collection, ShardKey: key.wire(), ReplicationFactor: update.ReplicationFactor, Placement: peerSet(update.Placement),
	}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.UpdateShardKeyResponse, error) {
		return e.cluster.UpdateShardKey(ctx, request)
	})
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	placement := keyPlacementOf(reply.GetShardKey())
	return &placement, nil
}

// FillShardKey begins to copy the points of one shard key that match a filter (nil: all) into another one, which is Partial until it has
// them all. Reads and writes that name it with the first as fallback are for the first until then. It joins what runs alike. ErrNotOstraka: it has
// begun, on a plain Qdrant, which has no operation to follow.
func (c *Client) FillShardKey(ctx context.Context, collection string, to, from ShardKey, filter *Filter) (*Operation, error) {
	converted, err := filter.wire()
	if err != nil {
		return nil, err
	}
	points := &qdrant.ReplicatePoints{FromShardKey: from.qdrant(), ToShardKey: to.qdrant(), Filter: converted}
	err = c.setup(ctx, &qdrant.UpdateCollectionClusterSetupRequest{
		CollectionName: collection, Operation: &qdrant.UpdateCollectionClusterSetupRequest_ReplicatePoints{ReplicatePoints: points},
	})
	if err != nil {
		return nil, err
	}
	all, err := c.Operations(ctx, collection, false)
	if err != nil {
		return nil, err
	}
	for _, o := range all { // the newest first
		if o.Kind == "fill" && o.ShardKey != nil && *o.ShardKey == to && o.FromShardKey != nil && *o.FromShardKey == from {
			return &o, nil
		}
	}
	return nil, nil
}

// DeleteShardKey removes a shard key with its points.
func (c *Client) DeleteShardKey(ctx context.Context, collection string, key ShardKey) error {
	op := operation{kind: once, ddl: true, method: collectionsService + "DeleteShardKey"}
	_, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.DeleteShardKeyResponse, error) {
		return e.collections.DeleteShardKey(ctx, &qdrant.DeleteShardKeyRequest{
			CollectionName: collection, Request: &qdrant.DeleteShardKey{ShardKey: key.qdrant()},
		})
	})
	return err
}

// ListShardKeys returns the shard keys of a collection.
func (c *Client) ListShardKeys(ctx context.Context, collection string) ([]ShardKey, error) {
	op := operation{kind: read, method: collectionsService + "ListShardKeys"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.ListShardKeysResponse, error) {
		return e.collections.ListShardKeys(ctx, &qdrant.ListShardKeysRequest{CollectionName: collection})
	})
	if err != nil {
		return nil, err
	}
	var keys []ShardKey
	for _, d := range reply.GetShardKeys() {
		keys = append(keys, ShardKey{Keyword: d.GetKey().GetKeyword(), Number: d.GetKey().GetNumber()})
	}
	return keys, nil
}
