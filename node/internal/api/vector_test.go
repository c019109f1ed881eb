package api_test

import (
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// What is written in either form is read in the typed one, and found by its like.
func TestSparseVectorsAndMultivectorsComeBackAsTheyWereWritten(t *testing.T) {
	for name, written := range map[string]map[string]*qdrant.Vector{
		"typed": {"s": qdrant.NewVectorSparse([]uint32{9, 2}, []float32{0.5, 2}), "m": qdrant.NewVectorMulti([][]float32{{1, 2}, {3, 4}})},
		"bare": {
			"s": {Data: []float32{0.5, 2}, Indices: &qdrant.SparseIndices{Data: []uint32{9, 2}}},
			"m": {Data: []float32{1, 2, 3, 4}, VectorsCount: new(uint32(2))},
		},
	} {
		l := prepared(t)
		l.must("Points.Upsert", upsert(&qdrant.PointStruct{Id: qdrant.NewIDNum(5), Vectors: qdrant.NewVectorsMap(written)}))
		want := &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vectors{Vectors: &qdrant.NamedVectorsOutput{Vectors: map[string]*qdrant.VectorOutput{
			"s": {Vector: &qdrant.VectorOutput_Sparse{Sparse: &qdrant.SparseVector{Indices: []uint32{2, 9}, Values: []float32{2, 0.5}}}},
			"m": {Vector: &qdrant.VectorOutput_MultiDense{MultiDense: &qdrant.MultiDenseVector{Vectors: []*qdrant.DenseVector{{Data: []float32{1, 2}}, {Data: []float32{3, 4}}}}}},
		}}}}
		all := qdrant.NewWithVectors(true)
		got := l.must("Points.Get", &qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewIDNum(5)}, WithVectors: all}).(*qdrant.GetResponse)
		if v := got.GetResult()[0].GetVectors(); !proto.Equal(v, want) {
			t.Errorf("%s: got %v, want %v", name, v, want)
		}
		scrolled := l.must("Points.Scroll", &qdrant.ScrollPoints{CollectionName: "c", Offset: qdrant.NewIDNum(5), WithVectors: all}).(*qdrant.ScrollResponse)
		if v := scrolled.GetResult()[0].GetVectors(); !proto.Equal(v, want) {
			t.Errorf("%s: scrolled to %v, want %v", name, v, want)
		}
		for _, q := range []struct {
			query *qdrant.QueryPoints
			score float32
		}{
			{&qdrant.QueryPoints{Query: qdrant.NewQuerySparse([]uint32{7, 2}, []float32{1, 3}), Using: new("s")}, 6},
			{&qdrant.QueryPoints{Query: qdrant.NewQueryMulti([][]float32{{1, 0}, {0, 1}}), Using: new("m")}, 7},
			{&qdrant.QueryPoints{Query: qdrant.NewQuery(1, 0), Using: new("m")}, 3},
		} {
			q.query.WithVectors = all
			hits := l.query(q.query)
			if len(hits) != 1 || hits[0].GetScore() != q.score || !proto.Equal(hits[0].GetVectors(), want) {
				t.Errorf("%s: %v found %v, want a score of %v", name, q.query, hits, q.score)
			}
		}
		l.must("Points.DeleteVectors", &qdrant.DeletePointVectors{
			CollectionName: "c", PointsSelector: qdrant.NewPointsSelector(qdrant.NewIDNum(5)), Vectors: &qdrant.VectorsSelector{Names: []string{"s", "m"}},
		})
		if hits := l.query(&qdrant.QueryPoints{Query: qdrant.NewQuerySparse([]uint32{2}, []float32{1}), Using: new("s")}); len(hits) > 0 {
			t.Errorf("%s: found %v after the vectors were deleted", name, hits)
		}
	}
}

// A query by id takes the vector of whatever kind.
func TestAPointIsNearItsLikeInEveryKind(t *testing.T) {
	l := prepared(t)
	for id, v := range map[uint64]map[string]*qdrant.Vector{
		5: {"s": qdrant.NewVectorSparse([]uint32{1}, []float32{2}), "m": qdrant.NewVectorMulti([][]float32{{1, 0}})},
		6: {"s": qdrant.NewVectorSparse([]uint32{1}, []float32{3}), "m": qdrant.NewVectorMulti([][]float32{{5, 0}})},
	} {
		l.must("Points.Upsert", upsert(&qdrant.PointStruct{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectorsMap(v)}))
	}
	for using, score := range map[string]float32{"s": 6, "m": 5} {
		hits := l.query(&qdrant.QueryPoints{Query: qdrant.NewQueryID(qdrant.NewIDNum(5)), Using: &using})
		if len(hits) != 1 || hits[0].GetId().GetNum() != 6 || hits[0].GetScore() != score {
			t.Errorf("%q: near 5 are %v", using, hits)
		}
	}
}

func TestVectorNamesThatAreWrongAreRefused(t *testing.T) {
	dense := func(change func(*qdrant.DenseVectorCreationConfig)) *qdrant.CreateVectorNameRequest {
		d := &qdrant.DenseVectorCreationConfig{Size: 2, Distance: qdrant.Distance_Dot}
		change(d)
		return &qdrant.CreateVectorNameRequest{VectorName: "k", VectorConfig: &qdrant.CreateVectorNameRequest_DenseConfig{DenseConfig: d}}
	}
	sparse := func(name string, config *qdrant.SparseVectorCreationConfig) *qdrant.CreateVectorNameRequest {
		return &qdrant.CreateVectorNameRequest{VectorName: name, VectorConfig: &qdrant.CreateVectorNameRequest_SparseConfig{SparseConfig: config}}
	}
	taken := dense(func(*qdrant.DenseVectorCreationConfig) {})
	taken.VectorName = "s"
	for _, c := range []struct {
		method  string
		request proto.Message
		code    codes.Code
		text    string
	}{
		{"Points.CreateVectorName", &qdrant.CreateVectorNameRequest{VectorName: "k"}, codes.InvalidArgument, "neither a dense_config nor a sparse_config"},
		{"Points.CreateVectorName", dense(func(d *qdrant.DenseVectorCreationConfig) { d.Size = 0 }), codes.InvalidArgument, "size"},
		{"Points.CreateVectorName", dense(func(d *qdrant.DenseVectorCreationConfig) { d.Distance = 0 }), codes.InvalidArgument, "distance"},
		{"Points.CreateVectorName", dense(func(d *qdrant.DenseVectorCreationConfig) { d.Datatype = new(qdrant.Datatype_Turbo4) }), codes.Unimplemented, "Turbo4"},
		{"Points.CreateVectorName", taken, codes.AlreadyExists, "Vector with name `s` already exists"},
		{"Points.CreateVectorName", sparse("v", &qdrant.SparseVectorCreationConfig{}), codes.AlreadyExists, "Vector with name `v` already exists"},
		{"Points.CreateVectorName", sparse("", &qdrant.SparseVectorCreationConfig{}), codes.AlreadyExists, "already exists"},
		{"Points.CreateVectorName", sparse("\x00a", &qdrant.SparseVectorCreationConfig{}), codes.InvalidArgument, "zero byte"},
		{"Points.CreateVectorName", sparse("k", &qdrant.SparseVectorCreationConfig{Datatype: new(qdrant.Datatype_Uint8)}), codes.Unimplemented, "uint8"},
		{"Points.DeleteVectorName", &qdrant.DeleteVectorNameRequest{VectorName: "k"}, codes.InvalidArgument, "Not existing vector name error: k"},
		{"Points.DeleteVectorName", &qdrant.DeleteVectorNameRequest{CollectionName: "?", VectorName: "k"}, codes.NotFound, "doesn't exist"},
	} {
		l := prepared(t)
		before := l.State()
		walkNamesUnset(c.request)
		if l.refused(c.method, c.request, c.code, c.text); l.State() != before {
			t.Errorf("%s(%v) changed something", c.method, c.request)
		}
	}
}
