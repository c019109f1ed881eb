package api_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// graded is a cluster with points 1..n, some without some vectors, and their vectors "v" (Dot) and "s".
func graded(t *testing.T, n uint64) (l *local, v map[uint64][]float32, s map[uint64]float32) {
	l = prepared(t)
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()})
	rnd := rand.New(rand.NewPCG(9, n))
	v, s = map[uint64][]float32{}, map[uint64]float32{}
	for id := uint64(1); id <= n; id++ {
		vectors := map[string]*qdrant.Vector{}
		if rnd.IntN(4) > 0 {
			v[id] = []float32{float32(rnd.IntN(20)), float32(rnd.IntN(20))}
			vectors["v"] = qdrant.NewVectorDense(v[id])
		}
		if rnd.IntN(3) > 0 {
			s[id] = float32(rnd.IntN(20))
			vectors["s"] = qdrant.NewVectorSparse([]uint32{4}, []float32{s[id]})
		}
		l.must("Points.Upsert", upsert(&qdrant.PointStruct{
			Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectorsMap(vectors), Payload: qdrant.NewValueMap(map[string]any{"even": id%2 == 0, "n": id}),
		}))
	}
	return l, v, s
}

type graded1 struct {
	id    uint64
	score float64
}

func best(scores map[uint64]float64, limit int) []graded1 {
	var out []graded1
	for id, s := range scores {
		out = append(out, graded1{id, s})
	}
	slices.SortFunc(out, func(a, b graded1) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id)) })
	return out[:min(limit, len(out))]
}

func prefetches(limit uint64) []*qdrant.PrefetchQuery {
	return []*qdrant.PrefetchQuery{
		{Query: qdrant.NewQuery(3, 1), Using: new("v"), Limit: &limit},
		{Query: qdrant.NewQuerySparse([]uint32{4}, []float32{2}), Using: new("s"), Limit: &limit},
	}
}

// What is fused agrees with what is computed by hand, filters, thresholds, offsets and all.
func TestPrefetchesAreFused(t *testing.T) {
	l, v, s := graded(t, 60)
	const limit = 25
	for name, c := range map[string]struct {
		query *qdrant.Query
		give  func(all []graded1, rank int) float64
	}{
		"rrf":         {qdrant.NewQueryFusion(qdrant.Fusion_RRF), func(_ []graded1, rank int) float64 { return 1 / float64(rank+2) }},
		"rrf with k":  {qdrant.NewQueryRRF(&qdrant.Rrf{K: new(uint32(60))}), func(_ []graded1, rank int) float64 { return 1 / float64(rank+60) }},
		"rrf without": {qdrant.NewQueryRRF(&qdrant.Rrf{}), func(_ []graded1, rank int) float64 { return 1 / float64(rank+2) }},
		"dbsf": {qdrant.NewQueryFusion(qdrant.Fusion_DBSF), func(all []graded1, rank int) float64 {
			var mean, variance float64
			for _, x := range all {
				mean += x.score / float64(len(all))
			}
			for _, x := range all {
				variance += (x.score - mean) * (x.score - mean) / float64(len(all)-1)
			}
			low, high := mean-3*math.Sqrt(variance), mean+3*math.Sqrt(variance)
			return (all[rank].score - low) / (high - low)
		}},
	} {
		for _, even := range []bool{false, true} {
			want := map[uint64]float64{}
			dense, sparse := map[uint64]float64{}, map[uint64]float64{}
			for id := range uint64(61) {
				if x, ok := v[id]; ok && (!even || id%2 == 0) {
					dense[id] = float64(3*x[0] + x[1])
				}
				if x, ok := s[id]; ok && (!even || id%2 == 0) {
					sparse[id] = float64(2 * x)
				}
			}
			for _, all := range [][]graded1{best(dense, limit), best(sparse, limit)} {
				for rank, x := range all {
					want[x.id] += c.give(all, rank)
				}
			}
			q := &qdrant.QueryPoints{Query: c.query, Prefetch: prefetches(limit), Limit: new(uint64(9)), Offset: new(uint64(2)), WithPayload: qdrant.NewWithPayload(true)}
			if even {
				q.Filter = &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchBool("even", true)}}
			}
			got, should := l.query(q), best(want, 11)[2:]
			if len(got) != len(should) {
				t.Fatalf("%s: %d hits, want %d", name, len(got), len(should))
			}
			for i, h := range got {
				if math.Abs(float64(h.GetScore())-should[i].score) > 1e-6 || math.Abs(want[h.GetId().GetNum()]-should[i].score) > 1e-6 ||
					h.GetPayload()["n"].GetIntegerValue() != int64(h.GetId().GetNum()) || h.GetVectors() != nil {
					t.Errorf("%s: hit %d is %v, want %v", name, i, h, should[i])
				}
			}
			threshold := float32(should[3].score)
			q.ScoreThreshold, q.Offset = &threshold, nil
			for _, h := range l.query(q) {
				if h.GetScore() <= threshold {
					t.Errorf("%s: %v is not better than %v", name, h, threshold)
				}
			}
		}
	}
}

// A query over prefetches looks at nothing but what they found, whatever it asks for; they may have prefetches of their own.
func TestPrefetchesAreRescored(t *testing.T) {
	l, v, s := graded(t, 60)
	sparse := map[uint64]float64{}
	for id, x := range s {
		sparse[id] = float64(x)
	}
	found := best(sparse, 10)
	first := &qdrant.PrefetchQuery{Query: qdrant.NewQuerySparse([]uint32{4}, []float32{1}), Using: new("s")}
	dense := map[uint64]float64{}
	for _, x := range found {
		if c, ok := v[x.id]; ok {
			dense[x.id] = float64(c[1])
		}
	}
	got := l.query(&qdrant.QueryPoints{Query: qdrant.NewQuery(0, 1), Using: new("v"), Prefetch: []*qdrant.PrefetchQuery{first}, WithVectors: qdrant.NewWithVectorsInclude("v")})
	for i, want := range best(dense, 10) {
		if len(got) != len(dense) || got[i].GetId().GetNum() != want.id || float64(got[i].GetScore()) != want.score || got[i].GetVectors() == nil {
			t.Fatalf("got %v, want %v", got, best(dense, 10))
		}
	}
	nested := &qdrant.PrefetchQuery{Query: qdrant.NewQuery(0, 1), Using: new("v"), Limit: new(uint64(3)), Prefetch: []*qdrant.PrefetchQuery{first}}
	got = l.query(&qdrant.QueryPoints{Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF), Prefetch: []*qdrant.PrefetchQuery{nested}})
	if want := best(dense, 3); len(got) != 3 || got[0].GetId().GetNum() != want[0].id || got[2].GetId().GetNum() != want[2].id {
		t.Errorf("got %v, want %v", got, want)
	}
	got = l.query(&qdrant.QueryPoints{Query: qdrant.NewQuerySample(qdrant.Sample_Random), Limit: new(uint64(50)), Prefetch: []*qdrant.PrefetchQuery{nested}})
	if len(got) != 3 {
		t.Errorf("a sample of what was prefetched: %v", got)
	}
	none := &qdrant.PrefetchQuery{Query: qdrant.NewQuerySparse([]uint32{5}, []float32{1}), Using: new("s")}
	if got = l.query(&qdrant.QueryPoints{Query: qdrant.NewQuery(0, 1), Using: new("v"), Prefetch: []*qdrant.PrefetchQuery{none}}); len(got) > 0 {
		t.Errorf("nothing was prefetched, and %v found", got)
	}
	byID := &qdrant.PrefetchQuery{Query: qdrant.NewQueryID(qdrant.NewIDNum(found[0].id)), Using: new("s"), Limit: new(uint64(4))}
	got = l.query(&qdrant.QueryPoints{Query: qdrant.NewQueryFusion(qdrant.Fusion_DBSF), Prefetch: []*qdrant.PrefetchQuery{byID}})
	if len(got) != 4 || slices.ContainsFunc(got, func(p *qdrant.ScoredPoint) bool { return p.GetId().GetNum() == found[0].id }) {
		t.Errorf("near a point: %v", got)
	}
}

func TestBadPrefetchesAreRefused(t *testing.T) {
	nan := float32(math.NaN())
	deep := &qdrant.PrefetchQuery{Query: qdrant.NewQuery(1, 2)}
	for range 10 {
		deep = &qdrant.PrefetchQuery{Query: qdrant.NewQuery(1, 2), Prefetch: []*qdrant.PrefetchQuery{deep}}
	}
	many := make([]*qdrant.PrefetchQuery, 200)
	for i := range many {
		many[i] = &qdrant.PrefetchQuery{Query: qdrant.NewQuery(1, 2)}
	}
	one := []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2)}}
	fused := qdrant.NewQueryFusion(qdrant.Fusion_RRF)
	for _, c := range []struct {
		request *qdrant.QueryPoints
		code    codes.Code
		text    string
	}{
		{&qdrant.QueryPoints{Prefetch: one}, codes.InvalidArgument, "needs a query"},
		{&qdrant.QueryPoints{Query: fused}, codes.InvalidArgument, "without prefetches"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: []*qdrant.PrefetchQuery{{Query: fused}}}, codes.InvalidArgument, "without prefetches"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: one, Using: new("v")}, codes.InvalidArgument, "using"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: one, ScoreThreshold: &nan}, codes.InvalidArgument, "score_threshold"},
		{&qdrant.QueryPoints{Query: qdrant.NewQueryRRF(&qdrant.Rrf{K: new(uint32(0))}), Prefetch: one}, codes.InvalidArgument, "k"},
		{&qdrant.QueryPoints{Query: qdrant.NewQueryRRF(&qdrant.Rrf{Weights: []float32{1}}), Prefetch: one}, codes.Unimplemented, "weights"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: []*qdrant.PrefetchQuery{deep}}, codes.InvalidArgument, "levels"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: many}, codes.InvalidArgument, "prefetches"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, nan)}}}, codes.InvalidArgument, "component 1 is NaN"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1)}}}, codes.InvalidArgument, "expected dim: 2, got 1"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2), Limit: new(uint64(1 << 40))}}}, codes.InvalidArgument, "more than 100000"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2), LookupFrom: &qdrant.LookupLocation{CollectionName: "c"}}}}, codes.Unimplemented, "lookup"},
		{&qdrant.QueryPoints{Query: fused, Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQueryID(qdrant.NewIDNum(404))}}}, codes.NotFound, "No point with id 404"},
	} {
		walkNamesUnset(c.request)
		filledCluster(t, 3).refused("Points.Query", proto.Message(c.request), c.code, c.text)
	}
}

// Products of huge components leave float32: what is no number comes last, wherever scores are compared.
func TestScoresThatAreNoNumbersComeLast(t *testing.T) {
	const huge = 3e38
	l := prepared(t)
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()})
	point := func(id uint64, x, y float32) *qdrant.PointStruct {
		return &qdrant.PointStruct{Id: qdrant.NewIDNum(id), Payload: qdrant.NewValueMap(map[string]any{"k": int64(id)}), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{
			"": qdrant.NewVectorDense([]float32{x, y}), "s": qdrant.NewVectorSparse([]uint32{1, 2}, []float32{x, y}),
		})}
	}
	var points []*qdrant.PointStruct
	for id := uint64(1); id <= 12; id++ {
		switch id % 4 {
		case 0:
			points = append(points, point(id, huge, 0)) // +Inf
		case 1:
			points = append(points, point(id, huge, huge)) // NaN
		case 2:
			points = append(points, point(id, 0, huge)) // -Inf
		case 3:
			points = append(points, point(id, 0, 0))
		}
	}
	l.must("Points.Upsert", upsert(points...))
	dense, sparse := qdrant.NewQuery(huge, -huge), qdrant.NewQuerySparse([]uint32{1, 2}, []float32{huge, -huge})
	shown := func(hits []*qdrant.ScoredPoint) (ids []uint64) {
		for _, h := range hits {
			ids = append(ids, h.GetId().GetNum())
		}
		return ids
	}
	// Whether a dense product is infinite or no number depends on the processor.
	all := l.query(&qdrant.QueryPoints{Query: dense, Limit: new(uint64(12))})
	sorted := slices.IsSortedFunc(all, func(a, b *qdrant.ScoredPoint) int {
		return cmp.Or(vec.Dot.Compare(a.GetScore(), b.GetScore()), cmp.Compare(a.GetId().GetNum(), b.GetId().GetNum()))
	})
	if len(all) != 12 || !sorted {
		t.Errorf("%v", all)
	}
	for limit := range uint64(12) {
		limit++
		for name, c := range map[string]struct {
			q    *qdrant.QueryPoints
			want []uint64
		}{"dense": {&qdrant.QueryPoints{Query: dense}, shown(all)}, "sparse": {&qdrant.QueryPoints{Query: sparse, Using: new("s")}, []uint64{4, 8, 12, 3, 7, 11, 2, 6, 10, 1, 5, 9}}} {
			c.q.Limit = &limit
			if got := shown(l.query(c.q)); !slices.Equal(got, c.want[:limit]) {
				t.Errorf("%s: %v, want %v", name, got, c.want[:limit])
			}
		}
		by := &qdrant.QueryPointGroups{CollectionName: "c", Query: dense, GroupBy: "k", Limit: &limit}
		var got []uint64
		for _, g := range l.must("Points.QueryGroups", by).(*qdrant.QueryGroupsResponse).GetResult().GetGroups() {
			got = append(got, g.GetId().GetUnsignedValue())
		}
		if want := shown(all)[:limit]; !slices.Equal(got, want) {
			t.Errorf("groups: %v, want %v", got, want)
		}
	}
	want := map[uint64]float32{}
	for _, h := range all {
		switch score := float64(h.GetScore()); {
		case math.IsInf(score, 1):
			want[h.GetId().GetNum()] = 1
		case score == 0:
			want[h.GetId().GetNum()] = 0.5
		}
	}
	for _, h := range l.query(&qdrant.QueryPoints{
		Query: qdrant.NewQueryFusion(qdrant.Fusion_DBSF), Prefetch: []*qdrant.PrefetchQuery{{Query: dense, Limit: new(uint64(12))}}, Limit: new(uint64(12)),
	}) {
		if h.GetScore() != want[h.GetId().GetNum()] {
			t.Errorf("fused: %v, want a score of %v", h, want[h.GetId().GetNum()])
		}
	}
}
