package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// keyed is the collection of all targets that are shard keys.
const keyed = "keyed"

// The ages of a shard key. Its name is used once: what was asked for and never answered may happen at any later time.
const (
	standing int32 = iota // it is made before anything happens, and stays
	unmade
	making // somebody has asked for it, and does not know what came of it
	made
	deleting // the same
	deleted
)

// shardKey is a target's shard key and how old it is.
type shardKey struct {
	word     string
	age      atomic.Int32
	fallback string // that it is filled from, at some time or never; "": it serves from the beginning
}

func newKey(word string, age int32) *shardKey {
	k := &shardKey{word: word}
	k.age.Store(age)
	return k
}

// selector is nil for what is not a key.
func (g *target) selector() *qdrant.ShardKeySelector {
	if g.key == nil {
		return nil
	}
	s := &qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{qdrant.NewShardKeyKeyword(g.key.word)}}
	if g.key.fallback != "" {
		s.Fallback = qdrant.NewShardKeyKeyword(g.key.fallback)
	}
	return s
}

func (g *target) wireKey() *clusterpb.ShardKey {
	if g.key == nil {
		return nil
	}
	return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: g.key.word}}
}

func (g *target) String() string {
	if g.key == nil {
		return g.name
	}
	return g.name + "/" + g.key.word
}

// usable reports whether clients may write to it: it is there, for all they know.
func (g *target) usable() bool {
	return g.key == nil || slices.Contains([]int32{standing, made, deleting}, g.key.age.Load())
}

// stays reports whether the target is there in any case, and nobody has asked for its end.
func (g *target) stays() bool {
	return g.key == nil || slices.Contains([]int32{standing, made}, g.key.age.Load())
}

// keyedTargets are shard keys of one collection: two that stay, one that is filled from another, and some that are made and deleted while they are written.
func keyedTargets() []*target {
	var all []*target
	for _, word := range []string{"eu", "us"} {
		all = append(all, &target{name: keyed, factor: 2, quorum: 2, key: newKey(word, standing)})
	}
	own := newKey("own", standing)
	own.fallback = "pool"
	all = append(all, &target{name: keyed, factor: 2, quorum: 2, key: own})
	for i := range 3 {
		all = append(all, &target{name: keyed, factor: 2, quorum: 2, key: newKey(fmt.Sprint("t", i), unmade)})
	}
	return all
}

// createKey declares a target's shard key.
func (g *target) createKey(ctx context.Context, cc *grpc.ClientConn, shards uint32) error {
	r := &qdrant.CreateShardKey{ShardKey: qdrant.NewShardKeyKeyword(g.key.word), ShardsNumber: &shards}
	if g.key.fallback != "" {
		r.InitialState = qdrant.ReplicaState_Partial.Enum()
	}
	_, err := qdrant.NewCollectionsClient(cc).CreateShardKey(ctx, &qdrant.CreateShardKeyRequest{CollectionName: g.name, Request: r})
	return err
}

// createFallback declares the key that a target's is filled from.
func (g *target) createFallback(ctx context.Context, cc *grpc.ClientConn, there []*qdrant.ShardKeyDescription) error {
	if g.key.fallback == "" || slices.ContainsFunc(there, func(k *qdrant.ShardKeyDescription) bool { return k.GetKey().GetKeyword() == g.key.fallback }) {
		return nil
	}
	shards := uint32(2)
	_, err := qdrant.NewCollectionsClient(cc).CreateShardKey(ctx, &qdrant.CreateShardKeyRequest{
		CollectionName: g.name, Request: &qdrant.CreateShardKey{ShardKey: qdrant.NewShardKeyKeyword(g.key.fallback), ShardsNumber: &shards},
	})
	return err
}

// createKeyed makes the collection of a target, and its key if that is to stay.
func (w *workload) createKeyed(ctx context.Context, g *target) error {
	cc := w.clients[0].conns[0]
	_, err := qdrant.NewCollectionsClient(cc).Create(ctx, &qdrant.CreateCollection{
		CollectionName: g.name, ReplicationFactor: &g.factor, WriteConsistencyFactor: &g.quorum, ShardingMethod: qdrant.ShardingMethod_Custom.Enum(),
		VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: dimension, Distance: qdrant.Distance_Dot}),
	})
	if status.Code(err) == codes.AlreadyExists {
		err = nil
	}
	if err != nil || g.key.age.Load() != standing {
		return err
	}
	list, err := qdrant.NewCollectionsClient(cc).ListShardKeys(ctx, &qdrant.ListShardKeysRequest{CollectionName: g.name})
	if err == nil {
		err = g.createFallback(ctx, cc, list.GetShardKeys())
	}
	for _, k := range list.GetShardKeys() {
		if k.GetKey().GetKeyword() == g.key.word {
			return err // an earlier try was heard
		}
	}
	return errors.Join(err, g.createKey(ctx, cc, 1))
}

// passing finds a key of an age, and makes it older.
func (o *operator) passing(from, to int32) *target {
	for _, g := range o.w.targets {
		if g.key != nil && g.key.age.CompareAndSwap(from, to) {
			return g
		}
	}
	return nil
}

var nothing request = func(context.Context, *grpc.ClientConn) error { return nil }

func (o *operator) makeKey() (string, request) {
	g, shards := o.passing(unmade, making), uint32(1+o.random.IntN(3))
	if g == nil {
		return "none is left", nothing
	}
	return fmt.Sprintf("%s of %d shards", g, shards), func(ctx context.Context, cc *grpc.ClientConn) error {
		err := g.createKey(ctx, cc, shards)
		if err == nil {
			g.key.age.Store(made)
		}
		return err
	}
}

func (o *operator) deleteKey() (string, request) {
	g := o.passing(made, deleting)
	if g == nil {
		return "none is there", nothing
	}
	return g.String(), func(ctx context.Context, cc *grpc.ClientConn) error {
		_, err := qdrant.NewCollectionsClient(cc).DeleteShardKey(ctx, &qdrant.DeleteShardKeyRequest{
			CollectionName: g.name, Request: &qdrant.DeleteShardKey{ShardKey: qdrant.NewShardKeyKeyword(g.key.word)},
		})
		if err == nil {
			g.key.age.Store(deleted)
		}
		return err
	}
}

// filling finds the target whose key is filled from another.
func (o *operator) filling() *target {
	i := slices.IndexFunc(o.w.targets, func(g *target) bool { return g.key != nil && g.key.fallback != "" })
	return o.w.targets[i]
}

// fill begins to fill a key from its fallback, if it was not filled before.
func (o *operator) fill() (string, request) {
	g := o.filling()
	return fmt.Sprintf("%s from %s", g, g.key.fallback), func(ctx context.Context, cc *grpc.ClientConn) error {
		_, err := qdrant.NewCollectionsClient(cc).UpdateCollectionClusterSetup(ctx, &qdrant.UpdateCollectionClusterSetupRequest{
			CollectionName: g.name, Operation: &qdrant.UpdateCollectionClusterSetupRequest_ReplicatePoints{ReplicatePoints: &qdrant.ReplicatePoints{
				FromShardKey: qdrant.NewShardKeyKeyword(g.key.fallback), ToShardKey: qdrant.NewShardKeyKeyword(g.key.word),
			}},
		})
		return err
	}
}

// clear deletes what the fallback has of a key that was filled from it: nobody is to miss it.
func (o *operator) clear() (string, request) {
	g := o.filling()
	return g.key.fallback, func(ctx context.Context, cc *grpc.ClientConn) error {
		resp, err := clusterpb.NewClusterClient(cc).GetPlacement(ctx, &clusterpb.GetPlacementRequest{Collections: []string{g.name}})
		if err != nil {
			return err
		}
		serves := func(k *clusterpb.ShardKeyPlacement) bool {
			return k.GetKey().GetKeyword() == g.key.word && !k.GetPartial()
		}
		if len(resp.GetCollections()) != 1 || !slices.ContainsFunc(resp.GetCollections()[0].GetShardKeys(), serves) {
			return nil // it does not serve yet, for all that this node knows
		}
		_, err = qdrant.NewPointsClient(cc).Delete(ctx, &qdrant.DeletePoints{
			CollectionName: g.name, Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{}),
			ShardKeySelector: &qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{qdrant.NewShardKeyKeyword(g.key.fallback)}},
		})
		return err
	}
}

// rekey changes how many copies a key has, and on which peers they may be.
func (o *operator) rekey() (string, request) {
	g := o.w.targets[o.random.IntN(len(o.w.targets))]
	if g.key == nil || !g.usable() {
		return "nothing", nothing
	}
	update := &clusterpb.UpdateShardKeyRequest{Collection: g.name, ShardKey: g.wireKey()}
	what := g.String()
	if o.random.IntN(2) == 0 {
		update.ReplicationFactor = qdrant.PtrOf([]uint32{0, 2, 3}[o.random.IntN(3)])
		what += fmt.Sprintf(", %d copies", update.GetReplicationFactor())
	}
	var names []string
	for _, i := range o.random.Perm(len(o.w.c.machines))[:o.random.IntN(len(o.w.c.machines)+1)] {
		names = append(names, o.w.c.machines[i].name)
	}
	return fmt.Sprintf("%s, on %v", what, names), func(ctx context.Context, cc *grpc.ClientConn) error {
		set := &clusterpb.PeerSet{} // all
		for _, m := range o.w.c.machines {
			if !slices.Contains(names, m.name) {
				continue
			}
			id, err := o.peerOf(ctx, cc, m)
			if err != nil {
				return err
			}
			set.Peers = append(set.Peers, id)
		}
		_, err := clusterpb.NewClusterClient(cc).UpdateShardKey(ctx, &clusterpb.UpdateShardKeyRequest{
			Collection: update.GetCollection(), ShardKey: update.GetShardKey(), ReplicationFactor: update.ReplicationFactor, Placement: set,
		})
		return err
	}
}

// anywhere lets the copies of a key be on any peer, so that the cluster can be whole whoever leaves it.
func (g *target) anywhere(ctx context.Context, cc *grpc.ClientConn) error {
	_, err := clusterpb.NewClusterClient(cc).UpdateShardKey(ctx, &clusterpb.UpdateShardKeyRequest{
		Collection: g.name, ShardKey: g.wireKey(), Placement: &clusterpb.PeerSet{},
	})
	if status.Code(err) == codes.NotFound && !g.stays() {
		return nil
	}
	return err
}

// told checks what a client is told about a target: that its shard key does not exist only if somebody may have deleted it.
func (w *workload) told(g *target, err error) {
	if g.key != nil && status.Code(err) == codes.NotFound && g.stays() {
		w.c.violate("a client of %s, which nobody has deleted, is told %v", g, err)
	}
}

// verifyKeyed is verifyPoints for a shard key, which is there or not as clients know.
func (w *workload) verifyKeyed(g *target, col *catalog.Collection) {
	word := g.key.word
	if k, ok := col.ShardKey(point.ShardKey{Keyword: word}); ok && k.Partial {
		word = g.key.fallback
	}
	part, err := col.Within(point.ShardKey{Keyword: word})
	there, age := err == nil, g.key.age.Load()
	switch {
	case !there && g.stays():
		w.c.violate("%s was made, is not deleted, and is gone: %v", g, err)
	case there && (age == deleted || age == unmade):
		w.c.violate("%s is there, and was never made, or was deleted (%d)", g, age)
	case there:
		w.verifyPoints(g, part)
	}
}
