package integration_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// addVector adds a vector as a client does, which asks again when its answer is lost.
func addVector(t *testing.T, client *qdrant.Client, r *qdrant.CreateVectorNameRequest) {
	t.Helper()
	r.Wait = qdrant.PtrOf(true)
	if _, err := client.GetPointsClient().CreateVectorName(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func denseVector(name string, size uint64) *qdrant.CreateVectorNameRequest {
	return &qdrant.CreateVectorNameRequest{CollectionName: "docs", VectorName: name, VectorConfig: &qdrant.CreateVectorNameRequest_DenseConfig{
		DenseConfig: &qdrant.DenseVectorCreationConfig{Size: size, Distance: qdrant.Distance_Cosine},
	}}
}

func removeVector(t *testing.T, client *qdrant.Client, name string) {
	t.Helper()
	_, err := client.GetPointsClient().DeleteVectorName(t.Context(), &qdrant.DeleteVectorNameRequest{CollectionName: "docs", VectorName: name, Wait: qdrant.PtrOf(true)})
	if err != nil {
		t.Fatal(err)
	}
}

// having counts the points that have a vector.
func having(ctx context.Context, client *qdrant.Client, name string) (uint64, error) {
	return client.Count(ctx, &qdrant.CountPoints{CollectionName: "docs", Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewHasVector(name)}}})
}

// Vectors are added to a collection and removed from it while points are written, through any node; one that comes again under its
// name is another, copies stay equal, and all of that outlasts a restart.
func TestVectorsComeAndGoInPlace(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	cluster := clusterService(t, c, 0)
	clients := []*qdrant.Client{official(t, c, 0), official(t, c, 1), official(t, c, 2)}
	err := clients[0].CreateCollection(t.Context(), &qdrant.CreateCollection{
		CollectionName: "docs", ShardNumber: qdrant.PtrOf(uint32(2)), ReplicationFactor: qdrant.PtrOf(uint32(3)), WriteConsistencyFactor: qdrant.PtrOf(uint32(2)),
		VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"a": {Size: 2, Distance: qdrant.Distance_Dot}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	write := func(client *qdrant.Client, from, to uint64, more map[string]*qdrant.Vector) {
		t.Helper()
		var points []*qdrant.PointStruct
		for i := from; i < to; i++ {
			vectors := map[string]*qdrant.Vector{"a": qdrant.NewVectorDense([]float32{float32(i), 1})}
			for name, v := range more {
				vectors[name] = v
			}
			points = append(points, &qdrant.PointStruct{Id: qdrant.NewIDNum(i), Vectors: qdrant.NewVectorsMap(vectors)})
		}
		if _, err := client.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: "docs", Points: points, Wait: qdrant.PtrOf(true)}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	background := make(chan error, 1)
	go func() { // points come all the while
		for i := uint64(10_000); ; i++ {
			_, err := clients[2].Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "docs", Points: []*qdrant.PointStruct{{
				Id: qdrant.NewIDNum(10_000 + i%50), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{"a": qdrant.NewVectorDense([]float32{-1, float32(i)})}),
			}}})
			if err != nil {
				background <- err
				return
			}
		}
	}()

	write(clients[0], 0, 50, nil)
	addVector(t, clients[0], denseVector("b", 2))
	write(clients[1], 40, 60, map[string]*qdrant.Vector{"b": qdrant.NewVectorDense([]float32{3, 4})})
	everywhere := func(what string, n uint64, name string, query *qdrant.Query, score float32) {
		t.Helper()
		for i := range 3 {
			client := official(t, c, i)
			eventually(t, fmt.Sprintf("node %d shows %d points with %q %s", i+1, n, name, what), func(ctx context.Context) error {
				has, err := having(ctx, client, name)
				if err != nil || has != n {
					return fmt.Errorf("%d points, %w", has, err)
				}
				hits, err := client.Query(ctx, &qdrant.QueryPoints{
					CollectionName: "docs", Query: query, Using: &name, Limit: qdrant.PtrOf(uint64(100)), WithVectors: qdrant.NewWithVectorsInclude(name),
				})
				if err != nil || uint64(len(hits)) != n || n > 0 && (hits[0].GetScore() != score || hits[0].GetVectors().GetVectors().GetVectors()[name] == nil) {
					return fmt.Errorf("%d hits %v, %w", len(hits), hits, err)
				}
				return nil
			})
		}
	}
	everywhere("once it was added", 20, "b", qdrant.NewQuery(30, 40), 1)
	if _, err := clients[1].GetPointsClient().CreateVectorName(t.Context(), denseVector("b", 2)); status.Code(err) != codes.AlreadyExists {
		t.Errorf("added twice: %v", err)
	}

	removeVector(t, clients[1], "b")
	_, err = clients[2].Query(t.Context(), &qdrant.QueryPoints{CollectionName: "docs", Query: qdrant.NewQuery(1, 1), Using: qdrant.PtrOf("b")})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("searched for after it was removed: %v", err)
	}
	removed := status.Code(second(clients[0].GetPointsClient().DeleteVectorName(t.Context(), &qdrant.DeleteVectorNameRequest{CollectionName: "docs", VectorName: "b"})))
	if removed != codes.InvalidArgument {
		t.Errorf("removed twice: %v", removed)
	}
	addVector(t, clients[2], denseVector("b", 2)) // like it was: nothing of that is left
	everywhere("once it came again", 0, "b", qdrant.NewQuery(30, 40), 0)
	removeVector(t, clients[0], "b")
	addVector(t, clients[0], denseVector("b", 3))
	write(clients[2], 0, 10, map[string]*qdrant.Vector{"b": qdrant.NewVectorDense([]float32{2, 3, 6})})
	everywhere("of another size", 10, "b", qdrant.NewQuery(2, 3, 6), 1)
	addVector(t, clients[1], &qdrant.CreateVectorNameRequest{CollectionName: "docs", VectorName: "words", VectorConfig: &qdrant.CreateVectorNameRequest_SparseConfig{
		SparseConfig: &qdrant.SparseVectorCreationConfig{},
	}})
	write(clients[0], 10, 15, map[string]*qdrant.Vector{"words": qdrant.NewVectorSparse([]uint32{7}, []float32{2})})
	everywhere("that is sparse", 5, "words", qdrant.NewQuerySparse([]uint32{7}, []float32{4}), 8)

	stop()
	if err := <-background; status.Code(err) != codes.Canceled {
		t.Errorf("a write beside all that failed: %v", err)
	}
	removeVector(t, clients[0], "a")
	for i := range 3 {
		if err := c.StopNode(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := c.StartNode(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	placed(t, cluster, "docs", 3)
	everywhere("after a restart", 10, "b", qdrant.NewQuery(2, 3, 6), 1)
	everywhere("after a restart", 5, "words", qdrant.NewQuerySparse([]uint32{7}, []float32{4}), 8)
	eventually(t, "the copies are compared, and equal", func(ctx context.Context) error {
		verdicts, err := verify(ctx, cluster)
		if err != nil {
			return err
		}
		return unequal(verdicts)
	})
	info, err := official(t, c, 1).GetCollectionInfo(t.Context(), "docs")
	vectors := info.GetConfig().GetParams().GetVectorsConfig().GetParamsMap().GetMap()
	if err != nil || len(vectors) != 1 || vectors["b"].GetSize() != 3 || info.GetConfig().GetParams().GetSparseVectorsConfig().GetMap()["words"] == nil {
		t.Errorf("%v, %v", info, err)
	}
}

func second[T any](_ T, err error) error { return err }
