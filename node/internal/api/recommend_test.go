package api_test

import (
	"math"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// expect compares hits with scores that were computed by hand.
func expect(t *testing.T, what string, hits []*qdrant.ScoredPoint, scores map[uint64]float64, limit int) {
	t.Helper()
	should := best(scores, limit)
	if len(hits) != len(should) {
		t.Fatalf("%s: %d hits, want %d", what, len(hits), len(should))
	}
	for i, h := range hits {
		if h.GetId().GetNum() != should[i].id || math.Abs(float64(h.GetScore())-should[i].score) > 1e-4 {
			t.Errorf("%s: hit %d is %v, want %v", what, i, h, should[i])
		}
	}
}

// Twice the mean of the positive examples without the mean of the negative ones is searched for; points that are examples are not found.
func TestRecommendationsAreNearTheAverageOfTheExamples(t *testing.T) {
	l, v, s := graded(t, 60)
	var with []uint64
	for id := uint64(1); id <= 60; id++ {
		if _, ok := s[id]; ok && v[id] != nil {
			with = append(with, id)
		}
	}
	a, b, c := with[0], with[1], with[2]
	num := qdrant.NewIDNum
	scores := func(x, y float64) map[uint64]float64 {
		out := map[uint64]float64{}
		for id, v := range v {
			out[id] = float64(v[0])*x + float64(v[1])*y
		}
		return out
	}
	without := func(scores map[uint64]float64, ids ...uint64) map[uint64]float64 {
		for _, id := range ids {
			delete(scores, id)
		}
		return scores
	}
	mean := func(i int) float64 { return float64(v[a][i]+v[b][i]) / 2 }
	both := &qdrant.RecommendInput{Positive: []*qdrant.VectorInput{qdrant.NewVectorInputID(num(a)), qdrant.NewVectorInputID(num(b))}}
	expect(t, "positive", l.query(&qdrant.QueryPoints{Query: qdrant.NewQueryRecommend(both), Using: new("v")}), without(scores(mean(0), mean(1)), a, b), 10)

	both.Negative = []*qdrant.VectorInput{qdrant.NewVectorInputID(num(c)), qdrant.NewVectorInput(1, 3)}
	x := 2*mean(0) - float64(v[c][0]+1)/2
	y := 2*mean(1) - float64(v[c][1]+3)/2
	expect(t, "negative", l.query(&qdrant.QueryPoints{Query: qdrant.NewQueryRecommend(both), Using: new("v")}), without(scores(x, y), a, b, c), 10)

	sparse := map[uint64]float64{}
	for id, value := range s {
		sparse[id] = float64(value) * float64(2*s[a]-s[c])
	}
	words := &qdrant.RecommendInput{Positive: []*qdrant.VectorInput{qdrant.NewVectorInputID(num(a))}, Negative: []*qdrant.VectorInput{qdrant.NewVectorInputID(num(c))}}
	expect(t, "sparse", l.query(&qdrant.QueryPoints{Query: qdrant.NewQueryRecommend(words), Using: new("s"), Limit: new(uint64(60))}), without(sparse, a, c), 60)

	older := &qdrant.RecommendPoints{
		CollectionName: "c", Positive: []*qdrant.PointId{num(a), num(b)}, Negative: []*qdrant.PointId{num(c)}, NegativeVectors: []*qdrant.Vector{qdrant.NewVector(1, 3)},
		Using: new("v"), Limit: 7, Offset: new(uint64(2)),
	}
	all := best(without(scores(x, y), a, b, c), 9)
	want := map[uint64]float64{}
	for _, p := range all[2:] {
		want[p.id] = p.score
	}
	expect(t, "older", l.must("Points.Recommend", older).(*qdrant.RecommendResponse).GetResult(), want, 7)
	batch := l.must("Points.RecommendBatch", &qdrant.RecommendBatchPoints{CollectionName: "c", RecommendPoints: []*qdrant.RecommendPoints{older, older}}).(*qdrant.RecommendBatchResponse)
	expect(t, "batch", batch.GetResult()[1].GetResult(), want, 7)
	older.ScoreThreshold = new(float32(all[4].score))
	for _, h := range l.must("Points.Recommend", older).(*qdrant.RecommendResponse).GetResult() {
		if h.GetScore() <= *older.ScoreThreshold {
			t.Errorf("%v is not better than %v", h, *older.ScoreThreshold)
		}
	}
	fused := l.query(&qdrant.QueryPoints{Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF), Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQueryRecommend(both), Using: new("v")}}})
	if top := best(without(scores(x, y), a, b, c), 1); fused[0].GetId().GetNum() != top[0].id {
		t.Errorf("prefetched: %v, want %v first", fused, top)
	}
}

// Each strategy has the score that it is defined by, through the newer requests and the older ones.
func TestExamplesAreComparedAsEachStrategySays(t *testing.T) {
	l, v, _ := graded(t, 60)
	p, n, target := []float32{3, 1}, []float32{1, 2}, []float32{0, 1}
	like := func(a, b []float32) float64 { return float64(a[0]*b[0] + a[1]*b[1]) }
	squash := func(x float64) float64 { return 0.5 * (x/(1+math.Abs(x)) + 1) }
	score := func(f func(p, n, target float64) float64) map[uint64]float64 {
		out := map[uint64]float64{}
		for id, x := range v {
			out[id] = f(like(p, x), like(n, x), like(target, x))
		}
		return out
	}
	side := func(p, n float64) float64 {
		switch {
		case p > n:
			return 1
		case p < n:
			return -1
		}
		return 0
	}
	in := func(v []float32) *qdrant.VectorInput { return qdrant.NewVectorInputDense(v) }
	recommend := func(s qdrant.RecommendStrategy) *qdrant.Query {
		return qdrant.NewQueryRecommend(&qdrant.RecommendInput{Positive: []*qdrant.VectorInput{in(p)}, Negative: []*qdrant.VectorInput{in(n)}, Strategy: &s})
	}
	around := &qdrant.ContextInput{Pairs: []*qdrant.ContextInputPair{{Positive: in(p), Negative: in(n)}}}
	discovered := score(func(p, n, target float64) float64 { return side(p, n) + squash(target) })
	lost := score(func(p, n, _ float64) float64 {
		by := min(p-n-math.Pow(2, -23), 0)
		return by / (1 - by)
	})
	for name, c := range map[string]struct {
		query *qdrant.Query
		want  map[uint64]float64
	}{
		"best": {recommend(qdrant.RecommendStrategy_BestScore), score(func(p, n, _ float64) float64 {
			if p > n {
				return squash(p)
			}
			return -squash(n)
		})},
		"sum":      {recommend(qdrant.RecommendStrategy_SumScores), score(func(p, n, _ float64) float64 { return p - n })},
		"discover": {qdrant.NewQueryDiscover(&qdrant.DiscoverInput{Target: in(target), Context: around}), discovered},
		"context":  {qdrant.NewQueryContext(around), lost},
	} {
		hits := l.query(&qdrant.QueryPoints{Query: c.query, Using: new("v"), Limit: new(uint64(30))})
		should := best(c.want, 30)
		for i, h := range hits {
			if len(hits) != len(should) || math.Abs(float64(h.GetScore())-should[i].score) > 1e-5 || math.Abs(c.want[h.GetId().GetNum()]-should[i].score) > 1e-5 {
				t.Errorf("%s: hit %d is %v, want %v", name, i, h, should[i])
			}
		}
	}
	pair := []*qdrant.ContextExamplePair{{
		Positive: &qdrant.VectorExample{Example: &qdrant.VectorExample_Vector{Vector: qdrant.NewVectorDense(p)}},
		Negative: &qdrant.VectorExample{Example: &qdrant.VectorExample_Vector{Vector: qdrant.NewVectorDense(n)}},
	}}
	older := &qdrant.DiscoverPoints{CollectionName: "c", Context: pair, Using: new("v"), Limit: 10}
	got := l.must("Points.Discover", older).(*qdrant.DiscoverResponse).GetResult()
	if want := best(lost, 10); len(got) != 10 || math.Abs(float64(got[9].GetScore())-want[9].score) > 1e-5 {
		t.Errorf("got %v, want %v", got, want)
	}
	older.Target = &qdrant.TargetVector{Target: &qdrant.TargetVector_Single{Single: &qdrant.VectorExample{Example: &qdrant.VectorExample_Vector{Vector: qdrant.NewVectorDense(target)}}}}
	batch := l.must("Points.DiscoverBatch", &qdrant.DiscoverBatchPoints{CollectionName: "c", DiscoverPoints: []*qdrant.DiscoverPoints{older}}).(*qdrant.DiscoverBatchResponse)
	got = batch.GetResult()[0].GetResult()
	if want := best(discovered, 10); len(got) != 10 || math.Abs(float64(got[9].GetScore())-want[9].score) > 1e-5 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBadRecommendationsAreRefused(t *testing.T) {
	input := func(positive, negative []*qdrant.VectorInput) *qdrant.Query {
		return qdrant.NewQueryRecommend(&qdrant.RecommendInput{Positive: positive, Negative: negative})
	}
	good := qdrant.NewVectorInput(1, 2)
	for _, c := range []struct {
		request *qdrant.QueryPoints
		code    codes.Code
		text    string
	}{
		{&qdrant.QueryPoints{Query: input(nil, []*qdrant.VectorInput{good})}, codes.InvalidArgument, "at least one positive example"},
		{&qdrant.QueryPoints{Query: input([]*qdrant.VectorInput{good, qdrant.NewVectorInput(1)}, nil)}, codes.InvalidArgument, "expected dim: 2, got 1"},
		{&qdrant.QueryPoints{Query: input([]*qdrant.VectorInput{good}, []*qdrant.VectorInput{qdrant.NewVectorInput(1, 2, 3)})}, codes.InvalidArgument, "expected dim: 2, got 3"},
		{&qdrant.QueryPoints{Query: input([]*qdrant.VectorInput{good, qdrant.NewVectorInputSparse([]uint32{1}, []float32{1})}, nil)}, codes.InvalidArgument, "Conversion between sparse and regular"},
		{&qdrant.QueryPoints{Query: input([]*qdrant.VectorInput{qdrant.NewVectorInputSparse([]uint32{1}, []float32{1}), good}, nil), Using: new("s")}, codes.InvalidArgument, "Conversion between sparse and regular"},
		{&qdrant.QueryPoints{Query: input([]*qdrant.VectorInput{{}}, nil)}, codes.InvalidArgument, "the vector is empty"},
		{&qdrant.QueryPoints{Query: input([]*qdrant.VectorInput{qdrant.NewVectorInputID(qdrant.NewIDNum(404))}, nil)}, codes.NotFound, "No point with id 404"},
		{&qdrant.QueryPoints{Query: input([]*qdrant.VectorInput{qdrant.NewVectorInputID(qdrant.NewIDNum(1))}, nil), Using: new("w")}, codes.NotFound, `Vector with name "w"`},
		{&qdrant.QueryPoints{Query: qdrant.NewQueryRecommend(&qdrant.RecommendInput{Strategy: qdrant.RecommendStrategy_BestScore.Enum()})}, codes.InvalidArgument, "at least one example"},
		{&qdrant.QueryPoints{Query: qdrant.NewQueryRecommend(&qdrant.RecommendInput{
			Positive: []*qdrant.VectorInput{qdrant.NewVectorInputSparse([]uint32{1}, []float32{1})}, Strategy: qdrant.RecommendStrategy_BestScore.Enum(),
		}), Using: new("s")}, codes.Unimplemented, "among sparse vectors"},
		{&qdrant.QueryPoints{Query: qdrant.NewQueryContext(&qdrant.ContextInput{})}, codes.InvalidArgument, "at least one pair"},
		{&qdrant.QueryPoints{Query: qdrant.NewQueryContext(&qdrant.ContextInput{Pairs: []*qdrant.ContextInputPair{{Positive: good}}})}, codes.InvalidArgument, "the vector is empty"},
		{&qdrant.QueryPoints{Query: qdrant.NewQueryDiscover(&qdrant.DiscoverInput{})}, codes.InvalidArgument, "the vector is empty"},
		{&qdrant.QueryPoints{Query: qdrant.NewQueryDiscover(&qdrant.DiscoverInput{Target: qdrant.NewVectorInput(1)})}, codes.InvalidArgument, "expected dim: 2, got 1"},
		{&qdrant.QueryPoints{Query: input([]*qdrant.VectorInput{qdrant.NewVectorInputMulti([][]float32{{1, 2}})}, nil), Using: new("m")}, codes.Unimplemented, "among multivectors"},
	} {
		walkNamesUnset(c.request)
		filledCluster(t, 3).refused("Points.Query", proto.Message(c.request), c.code, c.text)
	}
}
