package integration_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

var eu, seven, acme = qdrant.NewShardKeyKeyword("eu"), qdrant.NewShardKeyNum(7), qdrant.NewShardKeyKeyword("acme")

// tenants is a client of a collection with shard keys.
type tenants struct {
	t       *testing.T
	clients []*qdrant.Client
	turn    int
}

// next returns the clients in turn: it must not matter which node is asked.
func (k *tenants) next() *qdrant.Client {
	k.turn++
	return k.clients[k.turn%len(k.clients)]
}

func keys(list ...*qdrant.ShardKey) *qdrant.ShardKeySelector {
	return &qdrant.ShardKeySelector{ShardKeys: list}
}

func orElse(key, fallback *qdrant.ShardKey) *qdrant.ShardKeySelector {
	return &qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{key}, Fallback: fallback}
}

func (k *tenants) create(key *qdrant.ShardKey, change func(*qdrant.CreateShardKey)) {
	k.t.Helper()
	r := &qdrant.CreateShardKey{ShardKey: key}
	if change != nil {
		change(r)
	}
	eventually(k.t, "the shard key is there", func(ctx context.Context) error {
		client := k.next()
		err := client.CreateShardKey(ctx, "tenants", r)
		if err == nil {
			return nil
		}
		list, lookErr := client.ListShardKeys(ctx, "tenants") // an earlier try may have been heard
		for _, d := range list {
			if d.GetKey().String() == key.String() {
				return lookErr
			}
		}
		return err
	})
}

func (k *tenants) upsert(s *qdrant.ShardKeySelector, from, to uint64) {
	k.t.Helper()
	var points []*qdrant.PointStruct
	for i := from; i < to; i++ {
		points = append(points, &qdrant.PointStruct{
			Id: qdrant.NewIDNum(i), Vectors: qdrant.NewVectors(float32(i), 0, 0, 1), Payload: qdrant.NewValueMap(map[string]any{"even": i%2 == 0}),
		})
	}
	eventually(k.t, "points are stored", func(ctx context.Context) error {
		_, err := k.next().Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "tenants", Points: points, Wait: qdrant.PtrOf(true), ShardKeySelector: s})
		return err
	})
}

func (k *tenants) counts(s *qdrant.ShardKeySelector, want uint64) {
	k.t.Helper()
	for _, client := range k.clients {
		eventually(k.t, fmt.Sprintf("%v has %d points", s, want), func(ctx context.Context) error {
			n, err := client.Count(ctx, &qdrant.CountPoints{CollectionName: "tenants", ShardKeySelector: s})
			if err == nil && n != want {
				err = fmt.Errorf("it has %d", n)
			}
			return err
		})
	}
}

// scrolled reads all points, page by page, and returns how often each id came.
func (k *tenants) scrolled(s *qdrant.ShardKeySelector) map[uint64]int {
	k.t.Helper()
	seen := map[uint64]int{}
	for offset := (*qdrant.PointId)(nil); ; {
		var page []*qdrant.RetrievedPoint
		var next *qdrant.PointId
		eventually(k.t, "a page is read", func(ctx context.Context) (err error) {
			page, next, err = k.next().ScrollAndOffset(ctx, &qdrant.ScrollPoints{CollectionName: "tenants", Offset: offset, Limit: qdrant.PtrOf(uint32(7)), ShardKeySelector: s})
			return err
		})
		for _, p := range page {
			if seen[p.GetId().GetNum()]++; p.GetShardKey() == nil {
				k.t.Fatalf("%v lacks its shard key", p)
			}
		}
		if next == nil {
			return seen
		}
		offset = next
	}
}

func (k *tenants) refuses(s *qdrant.ShardKeySelector, code codes.Code) {
	k.t.Helper()
	eventually(k.t, fmt.Sprintf("a write for %v is refused", s), func(ctx context.Context) error {
		_, err := k.next().Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "tenants", ShardKeySelector: s, Points: []*qdrant.PointStruct{
			{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectors(1, 2, 3, 4)},
		}})
		if status.Code(err) != code {
			return fmt.Errorf("want %s: %w", code, err)
		}
		return nil
	})
}

func newTenants(t *testing.T) (*tenants, *devcluster.Cluster) {
	t.Helper()
	c := start(t, devcluster.Options{Nodes: 3})
	k := &tenants{t: t}
	for i := range 3 {
		k.clients = append(k.clients, official(t, c, i))
	}
	eventually(t, "the collection is there", func(ctx context.Context) error {
		if there, err := k.clients[0].CollectionExists(ctx, "tenants"); err != nil || there {
			return err
		}
		return k.clients[0].CreateCollection(ctx, &qdrant.CreateCollection{
			CollectionName: "tenants", ShardingMethod: qdrant.ShardingMethod_Custom.Enum(), ReplicationFactor: qdrant.PtrOf(uint32(2)),
			VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Euclid}),
		})
	})
	return k, c
}

func TestPointsStayWithTheirShardKeys(t *testing.T) {
	k, c := newTenants(t)
	k.refuses(nil, codes.InvalidArgument)
	k.refuses(keys(eu), codes.NotFound)
	k.create(eu, func(r *qdrant.CreateShardKey) { r.ShardsNumber = qdrant.PtrOf(uint32(2)) })
	k.create(seven, nil)
	k.upsert(keys(eu), 0, 50)
	k.upsert(keys(seven), 50, 80)
	k.counts(keys(eu), 50)
	k.counts(keys(seven), 30)
	k.counts(keys(eu, seven), 80)
	k.counts(nil, 80)
	k.refuses(keys(eu, acme), codes.NotFound)

	k.upsert(keys(seven), 0, 1) // the same id under another key is another point; a read of both shows one
	k.counts(nil, 81)
	if seen := k.scrolled(nil); len(seen) != 80 || seen[0] != 1 || seen[79] != 1 {
		t.Errorf("%d points, point 0 %d times, point 79 %d times", len(seen), seen[0], seen[79])
	}
	if seen := k.scrolled(keys(seven)); len(seen) != 31 {
		t.Errorf("%d points", len(seen))
	}
	k.nearest(nil, 60, seven)
	k.nearest(keys(eu), 49, eu)

	eventually(t, "points are deleted by a filter", func(ctx context.Context) error {
		_, err := k.next().Delete(ctx, &qdrant.DeletePoints{
			CollectionName: "tenants", Wait: qdrant.PtrOf(true), ShardKeySelector: keys(eu),
			Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchBool("even", true)}}),
		})
		return err
	})
	k.counts(keys(eu), 25)
	k.counts(keys(seven), 31)

	if err := k.next().DeleteShardKey(t.Context(), "tenants", &qdrant.DeleteShardKey{ShardKey: eu}); err != nil {
		t.Fatal(err)
	}
	k.counts(nil, 31)
	k.refuses(keys(eu), codes.NotFound)
	k.create(eu, nil)
	k.counts(keys(eu), 0) // nothing of the one before
	nothingLeft(t, clusterService(t, c, 1))
}

// nearest expects the point that is nearest to (60, 0, 0, 1), and its key.
func (k *tenants) nearest(s *qdrant.ShardKeySelector, id uint64, key *qdrant.ShardKey) {
	k.t.Helper()
	eventually(k.t, "a search is answered", func(ctx context.Context) error {
		hits, err := k.next().Query(ctx, &qdrant.QueryPoints{CollectionName: "tenants", Query: qdrant.NewQuery(60, 0, 0, 1), Limit: qdrant.PtrOf(uint64(3)), ShardKeySelector: s})
		if err != nil {
			return err
		}
		if len(hits) != 3 || hits[0].GetId().GetNum() != id || hits[0].GetShardKey().String() != key.String() {
			return fmt.Errorf("found %v", hits)
		}
		return nil
	})
}

func TestATenantWithoutAKeyOfItsOwnHasTheFallbacks(t *testing.T) {
	k, c := newTenants(t)
	cluster := clusterService(t, c, 0)
	home := peers(t, cluster)[1].GetId()
	k.create(seven, nil)
	k.upsert(orElse(acme, seven), 0, 10)
	k.counts(keys(seven), 10)
	k.counts(orElse(acme, seven), 10)
	k.refuses(orElse(acme, eu), codes.NotFound)
	k.create(acme, func(r *qdrant.CreateShardKey) {
		r.ReplicationFactor, r.ShardsNumber, r.Placement = qdrant.PtrOf(uint32(1)), qdrant.PtrOf(uint32(3)), []uint64{home}
	})
	k.upsert(orElse(acme, seven), 10, 30)
	k.counts(keys(acme), 20)
	k.counts(orElse(acme, seven), 20)
	k.counts(keys(seven), 10)

	nothingLeft(t, cluster) // balance leaves them where they may be
	k.placed(cluster, "acme", 3, home)
}

// placed waits until all copies of a key are on some peers, and all is as declared.
func (k *tenants) placed(cluster clusterpb.ClusterClient, word string, shards int, on ...uint64) {
	k.t.Helper()
	eventually(k.t, fmt.Sprintf("%s is on %d", word, on), func(ctx context.Context) error {
		resp, err := cluster.GetPlacement(ctx, &clusterpb.GetPlacementRequest{Collections: []string{"tenants"}})
		if err != nil {
			return err
		}
		p, seen := resp.GetCollections()[0], 0
		for _, s := range p.GetShards() {
			if s.GetShardKey().GetKeyword() != word {
				continue
			}
			var peers []uint64
			for _, r := range s.GetReplicas() {
				peers = append(peers, r.GetPeer())
			}
			slices.Sort(peers)
			if seen++; !slices.Equal(peers, slices.Sorted(slices.Values(on))) || int(s.GetDeclaredReplicas()) != len(on) || s.GetProblem() != "" {
				return fmt.Errorf("it is elsewhere: %v", s)
			}
		}
		declared := slices.IndexFunc(p.GetShardKeys(), func(d *clusterpb.ShardKeyPlacement) bool { return d.GetKey().GetKeyword() == word })
		if seen != shards || declared < 0 || !slices.Equal(p.GetShardKeys()[declared].GetPlacement(), slices.Sorted(slices.Values(on))) {
			return fmt.Errorf("%d shards, %v", seen, p.GetShardKeys())
		}
		return nil
	})
}

// A key moves to other peers, and gets more copies and fewer, while it is written; what was acknowledged is there in the end.
func TestAKeysCopiesMoveWhileItIsWritten(t *testing.T) {
	k, c := newTenants(t)
	cluster := clusterService(t, c, 0)
	var ids []uint64
	for _, p := range peers(t, cluster) {
		ids = append(ids, p.GetId())
	}
	slices.Sort(ids)
	k.create(acme, func(r *qdrant.CreateShardKey) {
		r.ReplicationFactor, r.ShardsNumber, r.Placement = qdrant.PtrOf(uint32(1)), qdrant.PtrOf(uint32(2)), ids[:1]
	})
	k.upsert(keys(acme), 0, 40)
	written := uint64(40)
	for _, on := range [][]uint64{ids[1:2], ids[1:], ids, ids[:1]} {
		eventually(t, "the change is declared", func(ctx context.Context) error {
			_, err := clusterService(t, c, k.turn%3).UpdateShardKey(ctx, &clusterpb.UpdateShardKeyRequest{
				Collection: "tenants", ShardKey: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "acme"}},
				ReplicationFactor: qdrant.PtrOf(uint32(len(on))), Placement: &clusterpb.PeerSet{Peers: on},
			})
			return err
		})
		for range 5 {
			k.upsert(keys(acme), written, written+8)
			written += 8
		}
		k.placed(cluster, "acme", 2, on...)
		k.counts(keys(acme), written)
	}
	nothingLeft(t, cluster)
}
