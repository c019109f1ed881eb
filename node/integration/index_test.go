package integration_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// A collection's graphs are built in the background, as it declares them, and its status tells how far they are.
func TestVectorsAreIndexedAsTheCollectionDeclares(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 1})
	client := official(t, c, 0)
	const name, count, size = "docs", 1500, 8
	err := client.CreateCollection(t.Context(), &qdrant.CreateCollection{
		CollectionName: name, ShardNumber: qdrant.PtrOf(uint32(2)),
		VectorsConfig:    qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: size, Distance: qdrant.Distance_Euclid}),
		OptimizersConfig: &qdrant.OptimizersConfigDiff{IndexingThreshold: qdrant.PtrOf(uint64(10))},
		HnswConfig:       &qdrant.HnswConfigDiff{FullScanThreshold: qdrant.PtrOf(uint64(1))},
	})
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	vector := func() []float32 {
		v := make([]float32, size)
		for i := range v {
			v[i] = rnd.Float32()
		}
		return v
	}
	var points []*qdrant.PointStruct
	for i := range uint64(count) {
		points = append(points, &qdrant.PointStruct{Id: qdrant.NewIDNum(i), Vectors: qdrant.NewVectorsDense(vector())})
	}
	if _, err := client.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Points: points, Wait: qdrant.PtrOf(true)}); err != nil {
		t.Fatal(err)
	}
	indexed := func(want uint64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d vectors are indexed and the collection is green", want), func(ctx context.Context) error {
			info, err := client.GetCollectionInfo(ctx, name)
			if err == nil && (info.GetIndexedVectorsCount() != want || info.GetStatus() != qdrant.CollectionStatus_Green || !info.GetOptimizerStatus().GetOk()) {
				err = fmt.Errorf("%d indexed, %v, %v", info.GetIndexedVectorsCount(), info.GetStatus(), info.GetOptimizerStatus())
			}
			return err
		})
	}
	indexed(count)
	recall(t, client, name, vector)
	for _, u := range []struct {
		update *qdrant.UpdateCollection
		want   uint64
	}{
		{&qdrant.UpdateCollection{HnswConfig: &qdrant.HnswConfigDiff{M: qdrant.PtrOf(uint64(0))}}, 0},
		{&qdrant.UpdateCollection{HnswConfig: &qdrant.HnswConfigDiff{M: qdrant.PtrOf(uint64(8))}}, count},
		{&qdrant.UpdateCollection{QuantizationConfig: &qdrant.QuantizationConfigDiff{Quantization: &qdrant.QuantizationConfigDiff_Scalar{
			Scalar: &qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8, Quantile: qdrant.PtrOf(float32(0.99))},
		}}}, count},
	} {
		u.update.CollectionName = name
		if err := client.UpdateCollection(t.Context(), u.update); err != nil {
			t.Fatal(err)
		}
		indexed(u.want)
		recall(t, client, name, vector)
	}
}

// recall compares searches through the graph with exact ones.
func recall(t *testing.T, client *qdrant.Client, name string, vector func() []float32) {
	t.Helper()
	found := 0
	for range 20 {
		q := &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryDense(vector()), Params: &qdrant.SearchParams{HnswEf: qdrant.PtrOf(uint64(40))}}
		near, err := client.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.Params = &qdrant.SearchParams{Exact: qdrant.PtrOf(true)}
		exact, err := client.Query(t.Context(), q)
		if err != nil || len(exact) != 10 || len(near) != 10 {
			t.Fatalf("%d and %d hits, %v", len(near), len(exact), err)
		}
		scores := map[uint64]float32{}
		for _, h := range near {
			scores[h.GetId().GetNum()] = h.GetScore()
		}
		for _, h := range exact {
			if score, ok := scores[h.GetId().GetNum()]; ok && score == h.GetScore() {
				found++
			}
		}
	}
	if found < 190 {
		t.Errorf("%d of 200 nearest were found", found)
	}
}
