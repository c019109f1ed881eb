package integration_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// kinds are points with a vector of each kind, and how they compare, computed the plain way.
type kinds struct {
	rnd   *rand.Rand
	terms map[uint64]map[uint32]float64
	rows  map[uint64][][]float32
	bytes map[uint64][]float32
	half  map[uint64][]float32
}

func newKinds() *kinds {
	return &kinds{
		rnd: rand.New(rand.NewPCG(3, 4)), terms: map[uint64]map[uint32]float64{}, rows: map[uint64][][]float32{},
		bytes: map[uint64][]float32{}, half: map[uint64][]float32{},
	}
}

func declareKinds(t *testing.T, client *qdrant.Client, name string) {
	t.Helper()
	err := client.CreateCollection(t.Context(), &qdrant.CreateCollection{
		CollectionName: name, ShardNumber: qdrant.PtrOf(uint32(2)), ReplicationFactor: qdrant.PtrOf(uint32(3)), WriteConsistencyFactor: qdrant.PtrOf(uint32(2)),
		VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{
			"rows":  {Size: 3, Distance: qdrant.Distance_Dot, MultivectorConfig: &qdrant.MultiVectorConfig{Comparator: qdrant.MultiVectorComparator_MaxSim}},
			"bytes": {Size: 4, Distance: qdrant.Distance_Manhattan, Datatype: qdrant.Datatype_Uint8.Enum()},
			"half":  {Size: 2, Distance: qdrant.Distance_Dot, Datatype: qdrant.Datatype_Float16.Enum()},
		}),
		SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{
			"plain": {}, "words": {Modifier: qdrant.Modifier_Idf.Enum()},
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// draw makes the vectors of a point. All numbers are such that sums of them are exact.
func (k *kinds) draw(id uint64) *qdrant.PointStruct {
	terms := map[uint32]float64{}
	var indices []uint32
	var values []float32
	for index := range uint32(8) {
		if k.rnd.IntN(int(index)+2) == 0 {
			x := float64(1 + k.rnd.IntN(4))
			terms[index*1000] = x
			indices, values = append(indices, index*1000), append(values, float32(x))
		}
	}
	slices.Reverse(indices) // any order will do
	slices.Reverse(values)
	k.terms[id] = terms
	k.rows[id] = nil
	for range 1 + k.rnd.IntN(3) {
		k.rows[id] = append(k.rows[id], []float32{float32(k.rnd.IntN(5)), float32(k.rnd.IntN(5)), float32(k.rnd.IntN(5))})
	}
	k.bytes[id] = []float32{float32(k.rnd.IntN(256)), float32(k.rnd.IntN(256)), float32(k.rnd.IntN(256)), float32(k.rnd.IntN(256))}
	k.half[id] = []float32{float32(k.rnd.IntN(100)) / 4, float32(k.rnd.IntN(100)) / 4}
	return &qdrant.PointStruct{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{
		"plain": qdrant.NewVectorSparse(indices, values), "words": qdrant.NewVectorSparse(indices, values),
		"rows": qdrant.NewVectorMulti(k.rows[id]), "bytes": qdrant.NewVectorDense(k.bytes[id]), "half": qdrant.NewVectorDense(k.half[id]),
	}), Payload: qdrant.NewValueMap(map[string]any{"even": id%2 == 0, "hand": int64(id % 10)})}
}

func (k *kinds) fill(t *testing.T, client *qdrant.Client, name string, from, to uint64) {
	t.Helper()
	var points []*qdrant.PointStruct
	for id := from; id < to; id++ {
		points = append(points, k.draw(id))
	}
	if _, err := client.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Points: points, Wait: qdrant.PtrOf(true)}); err != nil {
		t.Fatal(err)
	}
}

// scores are those of all points that have something to do with the query, as each kind defines them.
func (k *kinds) scores(using string) (query *qdrant.Query, scores map[uint64]float64, descending bool) {
	scores = map[uint64]float64{}
	switch using {
	case "plain", "words":
		asked := map[uint32]float64{0: 1, 2000: 2, 7000: 1, 9999: 5}
		for id, terms := range k.terms {
			for index, weight := range asked {
				if x, ok := terms[index]; ok {
					if using == "words" {
						x *= k.idf(index)
					}
					scores[id] += weight * x
				}
			}
		}
		return qdrant.NewQuerySparse([]uint32{9999, 0, 7000, 2000}, []float32{5, 1, 1, 2}), scores, true
	case "rows":
		asked := [][]float32{{1, 2, 0}, {0, 1, 3}}
		for id, rows := range k.rows {
			for _, q := range asked {
				best := math.Inf(-1)
				for _, row := range rows {
					best = max(best, float64(q[0]*row[0]+q[1]*row[1]+q[2]*row[2]))
				}
				scores[id] += best
			}
		}
		return qdrant.NewQueryMulti(asked), scores, true
	case "bytes":
		for id, v := range k.bytes {
			for i, x := range []float32{10, 200, 30, 4} {
				scores[id] += math.Abs(float64(v[i] - x))
			}
		}
		return qdrant.NewQuery(10, 200, 30, 4), scores, false
	}
	for id, v := range k.half {
		scores[id] = float64(v[0]*2 + v[1]*3)
	}
	return qdrant.NewQuery(2, 3), scores, true
}

// idf is that of all points, on whatever shards they are.
func (k *kinds) idf(index uint32) float64 {
	having := 0.0
	for _, terms := range k.terms {
		if _, ok := terms[index]; ok {
			having++
		}
	}
	return math.Log(1 + (float64(len(k.terms))-having+0.5)/(having+0.5))
}

// check compares what a node finds with what it should.
func (k *kinds) check(ctx context.Context, client *qdrant.Client, name string) error {
	even := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchBool("even", true)}}
	for _, using := range []string{"plain", "words", "rows", "bytes", "half"} {
		for _, filter := range []*qdrant.Filter{nil, even} {
			query, scores, descending := k.scores(using)
			var want []float64
			for id, s := range scores {
				if filter == nil || id%2 == 0 {
					want = append(want, s)
				}
			}
			slices.Sort(want)
			if descending {
				slices.Reverse(want)
			}
			hits, err := client.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: query, Using: &using, Filter: filter, Limit: qdrant.PtrOf(uint64(20))})
			if err != nil {
				return fmt.Errorf("%s: %w", using, err)
			}
			if len(hits) != min(20, len(want)) {
				return fmt.Errorf("%s: %d hits of %d", using, len(hits), len(want))
			}
			for i, h := range hits {
				got, should := float64(h.GetScore()), scores[h.GetId().GetNum()]
				if math.Abs(got-should) > 1e-4*math.Abs(should) || math.Abs(got-want[i]) > 1e-4*math.Abs(want[i]) {
					return fmt.Errorf("%s: hit %d is %v, whose score is %v; it should be one of %v", using, i, h, should, want[i])
				}
			}
		}
	}
	return nil
}

// stored compares what a node returns of a point.
func (k *kinds) stored(ctx context.Context, client *qdrant.Client, name string, id uint64) error {
	got, err := client.Get(ctx, &qdrant.GetPoints{CollectionName: name, Ids: []*qdrant.PointId{qdrant.NewIDNum(id)}, WithVectors: qdrant.NewWithVectors(true)})
	if err != nil || len(got) != 1 {
		return fmt.Errorf("point %d: %v, %w", id, got, err)
	}
	named := got[0].GetVectors().GetVectors().GetVectors()
	sparse := named["words"].GetSparse()
	for i, index := range sparse.GetIndices() {
		if k.terms[id][index] != float64(sparse.GetValues()[i]) || i > 0 && index <= sparse.GetIndices()[i-1] {
			return fmt.Errorf("point %d: sparse %v, want %v", id, sparse, k.terms[id])
		}
	}
	rows := named["rows"].GetMultiDense().GetVectors()
	if len(sparse.GetIndices()) != len(k.terms[id]) || len(rows) != len(k.rows[id]) {
		return fmt.Errorf("point %d: %v", id, named)
	}
	for i, row := range rows {
		if !slices.Equal(row.GetData(), k.rows[id][i]) {
			return fmt.Errorf("point %d: rows %v, want %v", id, rows, k.rows[id])
		}
	}
	if !slices.Equal(named["bytes"].GetDense().GetData(), k.bytes[id]) || !slices.Equal(named["half"].GetDense().GetData(), k.half[id]) {
		return fmt.Errorf("point %d: %v and %v", id, named["bytes"], named["half"])
	}
	return nil
}

// Sparse vectors, with and without IDF, multivectors and other datatypes, written through one node and found alike through all,
// also after points changed, a replica was made anew from a snapshot, and all nodes were restarted.
func TestVectorsOfEveryKindAreFoundThroughEveryNode(t *testing.T) {
	dir := t.TempDir()
	c := start(t, devcluster.Options{Nodes: 3, Dir: dir})
	client, cluster := official(t, c, 0), clusterService(t, c, 0)
	const name = "kinds"
	declareKinds(t, client, name)
	k := newKinds()
	k.fill(t, client, name, 0, 150)
	everywhere := func(what string) {
		t.Helper()
		for i := range 3 {
			node := official(t, c, i)
			eventually(t, fmt.Sprintf("node %d finds everything %s", i+1, what), func(ctx context.Context) error {
				if err := k.check(ctx, node, name); err != nil {
					return err
				}
				return k.stored(ctx, node, name, 7)
			})
		}
	}
	everywhere("at first")
	k.refuse(t, client, name)
	k.fill(t, client, name, 100, 200) // some anew
	k.change(t, client, name)
	everywhere("after changes")

	info, err := client.GetCollectionInfo(t.Context(), name)
	params := info.GetConfig().GetParams()
	if err != nil || params.GetSparseVectorsConfig().GetMap()["words"].GetModifier() != qdrant.Modifier_Idf ||
		params.GetVectorsConfig().GetParamsMap().GetMap()["rows"].GetMultivectorConfig() == nil ||
		params.GetVectorsConfig().GetParamsMap().GetMap()["bytes"].GetDatatype() != qdrant.Datatype_Uint8 {
		t.Errorf("declared as %v, %v", params, err)
	}

	for i := range 3 {
		if err := c.StopNode(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	falsify(t, filepath.Join(dir, "node-1")) // that copy has to be made anew, from a snapshot of another
	for i := range 3 {
		if err := c.StartNode(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	placed(t, cluster, name, 3)
	eventually(t, "the copies are compared, and equal", func(ctx context.Context) error {
		verdicts, err := verify(ctx, cluster)
		if err != nil {
			return err
		}
		return unequal(verdicts)
	})
	everywhere("after a restart, and after a copy was made anew")
}

// change updates and deletes vectors.
func (k *kinds) change(t *testing.T, client *qdrant.Client, name string) {
	t.Helper()
	k.terms[7], k.rows[7] = map[uint32]float64{0: 1, 7000: 3}, [][]float32{{4, 4, 4}}
	sparse := qdrant.NewVectorSparse([]uint32{7000, 0}, []float32{3, 1})
	_, err := client.UpdateVectors(t.Context(), &qdrant.UpdatePointVectors{CollectionName: name, Wait: qdrant.PtrOf(true), Points: []*qdrant.PointVectors{{
		Id: qdrant.NewIDNum(7), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{"plain": sparse, "words": sparse, "rows": qdrant.NewVectorMulti(k.rows[7])}),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []uint64{8, 9} {
		delete(k.terms, id)
		delete(k.rows, id)
	}
	_, err = client.DeleteVectors(t.Context(), &qdrant.DeletePointVectors{
		CollectionName: name, Wait: qdrant.PtrOf(true), PointsSelector: qdrant.NewPointsSelector(qdrant.NewIDNum(8), qdrant.NewIDNum(9)),
		Vectors: &qdrant.VectorsSelector{Names: []string{"plain", "words", "rows"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := client.Count(t.Context(), &qdrant.CountPoints{CollectionName: name, Filter: &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewHasVector("words")}}})
	if err != nil || n != 2 {
		t.Errorf("%d points have no words, %v", n, err)
	}
	for _, id := range []uint64{20, 21} {
		delete(k.terms, id)
		delete(k.rows, id)
		delete(k.bytes, id)
		delete(k.half, id)
	}
	_, err = client.Delete(t.Context(), &qdrant.DeletePoints{CollectionName: name, Wait: qdrant.PtrOf(true), Points: qdrant.NewPointsSelector(qdrant.NewIDNum(20), qdrant.NewIDNum(21))})
	if err != nil {
		t.Fatal(err)
	}
}

// refuse checks that what is wrong changes nothing.
func (k *kinds) refuse(t *testing.T, client *qdrant.Client, name string) {
	t.Helper()
	nan := float32(math.NaN())
	for what, v := range map[string]map[string]*qdrant.Vector{
		"an index twice":           {"words": qdrant.NewVectorSparse([]uint32{1, 1}, []float32{1, 1})},
		"NaN":                      {"words": qdrant.NewVectorSparse([]uint32{1}, []float32{nan})},
		"NaN in a row":             {"rows": qdrant.NewVectorMulti([][]float32{{1, nan, 1}})},
		"a row that is too short":  {"rows": qdrant.NewVectorMulti([][]float32{{1, 2, 3}, {1, 2}})},
		"no rows":                  {"rows": qdrant.NewVectorMulti(nil)},
		"dense for sparse":         {"words": qdrant.NewVectorDense([]float32{1})},
		"sparse for dense":         {"half": qdrant.NewVectorSparse([]uint32{1}, []float32{1})},
		"several for one":          {"half": qdrant.NewVectorMulti([][]float32{{1, 2}})},
		"a name that is not there": {"nobody": qdrant.NewVectorSparse([]uint32{1}, []float32{1})},
	} {
		_, err := client.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Wait: qdrant.PtrOf(true), Points: []*qdrant.PointStruct{
			{Id: qdrant.NewIDNum(900), Vectors: qdrant.NewVectorsMap(nil)}, {Id: qdrant.NewIDNum(901), Vectors: qdrant.NewVectorsMap(v)},
		}})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n, err := count(t.Context(), client, name); err != nil || n != 150 {
		t.Errorf("%d points, %v", n, err)
	}
}
