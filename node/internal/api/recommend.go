package api

import (
	"math"
	"slices"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// example is a vector, or the point that has it, until that is known.
type example struct {
	id     *point.ID
	dense  []float32
	sparse *point.Sparse
}

// recommendation asks for what is like some examples, and unlike others.
type recommendation struct {
	kind               shard.ExploreKind // 0: near their average
	target             *example          // of a discovery
	positive, negative []*example
}

// exampleFrom reads an example of a query's vector. A point that is one is left out of the result.
func (q *query) exampleFrom(n *qdrant.VectorInput) (e *example, err error) {
	e = &example{}
	switch v := n.GetVariant().(type) {
	case *qdrant.VectorInput_Dense:
		e.dense = v.Dense.GetData()
		return e, finite(e.dense)
	case *qdrant.VectorInput_Sparse:
		e.sparse, err = sparseFrom(v.Sparse.GetIndices(), v.Sparse.GetValues())
		return e, err
	case *qdrant.VectorInput_MultiDense:
		e.dense, err = multiFrom(q.Using, v.MultiDense, &q.sizes)
		return e, err
	case *qdrant.VectorInput_Id:
		id, err := idFrom(v.Id)
		e.id = &id
		q.Exclude = append(q.Exclude, id)
		return e, err
	}
	return nil, invalid("query: the vector is empty or of a kind that this server does not know")
}

func (q *query) examplesFrom(inputs []*qdrant.VectorInput) ([]*example, error) {
	var out []*example
	for _, n := range inputs {
		e, err := q.exampleFrom(n)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// setRecommend reads a recommendation.
func (q *query) setRecommend(r *qdrant.RecommendInput) (err error) {
	q.recommend = &recommendation{}
	switch r.GetStrategy() {
	case qdrant.RecommendStrategy_BestScore:
		q.recommend.kind = shard.BestScore
	case qdrant.RecommendStrategy_SumScores:
		q.recommend.kind = shard.SumScores
	case qdrant.RecommendStrategy_AverageVector:
	}
	if q.recommend.positive, err = q.examplesFrom(r.GetPositive()); err != nil {
		return err
	}
	if q.recommend.negative, err = q.examplesFrom(r.GetNegative()); err != nil {
		return err
	}
	switch {
	case q.recommend.kind == 0 && len(q.recommend.positive) == 0:
		return invalid("recommend: at least one positive example is needed")
	case len(q.examples()) == 0:
		return invalid("recommend: at least one example is needed")
	}
	return nil
}

// setDiscover reads a discovery.
func (q *query) setDiscover(d *qdrant.DiscoverInput) (err error) {
	q.recommend = &recommendation{kind: shard.Discover}
	if q.recommend.target, err = q.exampleFrom(d.GetTarget()); err != nil {
		return err
	}
	return q.setPairs(d.GetContext().GetPairs())
}

// setContext reads a query for what is on the right side of pairs.
func (q *query) setContext(c *qdrant.ContextInput) error {
	if len(c.GetPairs()) == 0 {
		return invalid("context: at least one pair is needed")
	}
	q.recommend = &recommendation{kind: shard.Context}
	return q.setPairs(c.GetPairs())
}

func (q *query) setPairs(pairs []*qdrant.ContextInputPair) error {
	for _, p := range pairs {
		positive, err := q.exampleFrom(p.GetPositive())
		if err != nil {
			return err
		}
		negative, err := q.exampleFrom(p.GetNegative())
		if err != nil {
			return err
		}
		q.recommend.positive, q.recommend.negative = append(q.recommend.positive, positive), append(q.recommend.negative, negative)
	}
	return nil
}

// examples of a query whose vectors have to be known before it is run.
func (q *query) examples() []*example {
	if q.recommend == nil {
		return nil
	}
	all := slices.Concat(q.recommend.positive, q.recommend.negative)
	if q.recommend.target != nil {
		all = append(all, q.recommend.target)
	}
	return all
}

// settle makes a recommendation a search, once its vectors are known: by average for one vector, which is twice the mean of the positive
// examples without that of the negative ones.
func (r *recommendation) settle(q *query, declared *catalog.Config) error {
	for _, e := range q.examples() {
		if e.sparse != nil {
			if err := declared.CheckSparse(q.Using); err != nil {
				return err
			}
		} else if err := declared.CheckDense(q.Using, e.dense); err != nil {
			return err
		}
	}
	if _, sparse := declared.SparseVectors[q.Using]; sparse && r.kind != 0 {
		return missing("discovery, and recommendation other than by average, among sparse vectors", "QueryPoints.query")
	}
	switch {
	case r.kind != 0:
		q.Explore = &shard.Explore{Kind: r.kind, Positive: denseOf(r.positive), Negative: denseOf(r.negative)}
		if r.target != nil {
			q.Explore.Target = r.target.dense
		}
	case declared.Vectors[q.Using].Multi:
		return missing("recommendation among multivectors", "QueryPoints.query")
	case r.positive[0].sparse != nil:
		q.Sparse = r.averageSparse()
	default:
		q.Vector = r.average()
	}
	return nil
}

func denseOf(examples []*example) (vectors [][]float32) {
	for _, e := range examples {
		vectors = append(vectors, e.dense)
	}
	return vectors
}

// held is the nearest number that float32 can hold.
func held(x float64) float32 { return float32(min(max(x, -math.MaxFloat32), math.MaxFloat32)) }

// weights of the positive and the negative examples.
func (r *recommendation) weights() (positive, negative float64) {
	n := float64(len(r.positive))
	if len(r.negative) == 0 {
		return 1 / n, 0
	}
	return 2 / n, -1 / float64(len(r.negative))
}

func (r *recommendation) average() []float32 {
	sum := make([]float64, len(r.positive[0].dense))
	add := func(examples []*example, weight float64) {
		for _, e := range examples {
			for i, x := range e.dense {
				sum[i] += weight * float64(x)
			}
		}
	}
	positive, negative := r.weights()
	add(r.positive, positive)
	add(r.negative, negative)
	out := make([]float32, len(sum))
	for i, x := range sum {
		out[i] = held(x)
	}
	return out
}

func (r *recommendation) averageSparse() *point.Sparse {
	sum := map[uint32]float64{}
	add := func(examples []*example, weight float64) {
		for _, e := range examples {
			for i, index := range e.sparse.Indices {
				sum[index] += weight * float64(e.sparse.Values[i])
			}
		}
	}
	positive, negative := r.weights()
	add(r.positive, positive)
	add(r.negative, negative)
	out := &point.Sparse{}
	for index := range sum {
		out.Indices = append(out.Indices, index)
	}
	slices.Sort(out.Indices)
	for _, index := range out.Indices {
		out.Values = append(out.Values, held(sum[index]))
	}
	return out
}

// take gives an example the vector of its point.
func (e *example) take(id point.ID, using string, set point.VectorSet) error {
	if sparse, ok := set.Sparse[using]; ok {
		e.sparse = &sparse
		return nil
	}
	var ok bool
	if e.dense, ok = set.Dense[using]; !ok {
		return fault.New(fault.NotFound, "Vector with name %q of point %s", using, id)
	}
	return nil
}
