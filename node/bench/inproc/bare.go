package inproc

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
)

// Bare is the parts of this project's engine without what the index adds to them: float32 rows, codes of them that the
// graph is walked on, the graph. It shows what they cost.
type Bare struct {
	name   string
	set    *dataset.Set
	params Params
	coded  bool // whether the walk is on codes

	exact, codes *arena.Arena
	full         quant.Codec
	codec        quant.Codec
	graph        *hnsw.Graph
}

// NewBare makes the engine. coded means a walk on bytes, then the best compared exactly.
func NewBare(name string, set *dataset.Set, p Params, coded bool) *Bare {
	return &Bare{name: name, set: set, params: p, coded: coded}
}

// Name is the name given.
func (o *Bare) Name() string { return o.name }

// Build encodes and links all vectors.
func (o *Bare) Build(ctx context.Context, threads int) (Cost, int64, error) {
	if err := o.Close(); err != nil {
		return Cost{}, 0, err
	}
	runtime.GC()
	wall, cpu := time.Now(), processCPU()
	if err := o.build(ctx, threads); err != nil {
		return Cost{}, 0, err
	}
	cost := Cost{Wall: time.Since(wall), CPU: processCPU() - cpu}
	held := o.exact.Bytes() + o.graph.Bytes()
	if o.codes != nil {
		held += o.codes.Bytes()
	}
	return cost, held, nil
}

func (o *Bare) build(ctx context.Context, threads int) (err error) {
	if o.full, err = quant.NewFull(o.set.Distance, o.set.Size); err != nil {
		return err
	}
	if o.exact, err = o.encode(o.full, o.full.Bytes()); err != nil {
		return err
	}
	rows := o.exact
	o.codec = o.full
	if o.coded {
		if o.codec, err = quant.TrainScalar(o.set.Distance, o.set.Size, scalarQuantile, o.sample()); err != nil {
			return err
		}
		if o.codes, err = o.encode(o.codec, (o.codec.Bytes()+63)&^63); err != nil {
			return err
		}
		rows = o.codes
	}
	if o.graph, err = hnsw.New(hnsw.Options{M: o.params.M, EfConstruct: o.params.EfConstruct}); err != nil {
		return err
	}
	return o.graph.Build(ctx, 0, uint32(o.set.Len()), threads, func() hnsw.Space { return o.codec.NewScorer(rows) })
}

const (
	scalarQuantile = 0.999
	sampleVectors  = 10_000
)

func (o *Bare) sample() (sample [][]float32) {
	for i := 0; i < o.set.Len(); i += o.set.Len()/sampleVectors + 1 {
		sample = append(sample, o.set.Vector(i))
	}
	return sample
}

func (o *Bare) encode(c quant.Codec, stride int) (*arena.Arena, error) {
	a, err := arena.New(arena.Options{Stride: stride})
	if err != nil {
		return nil, err
	}
	if err := a.Grow(o.set.Len()); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	for i := range o.set.Len() {
		c.Encode(o.set.Vector(i), a.Row(uint32(i)))
	}
	return a, nil
}

// Search walks the graph for each query, and compares the best exactly.
func (o *Bare) Search(ctx context.Context, ef, k int, out []uint32) (Cost, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := bareSearch{o: o, exact: o.full.NewScorer(o.exact)}
	s.walk = s.exact
	if o.coded {
		s.walk = o.codec.NewScorer(o.codes)
	}
	wall, cpu := time.Now(), threadCPU()
	for i := range o.set.QueryCount() {
		if err := s.one(ctx, o.set.Query(i), ef, k, out[i*k:(i+1)*k]); err != nil {
			return Cost{}, err
		}
	}
	return Cost{Wall: time.Since(wall), CPU: threadCPU() - cpu}, nil
}

type bareSearch struct {
	o           *Bare
	walk, exact quant.Scorer
	hits        []hnsw.Hit
	rows        []uint32
	scores      []float32
}

// rescored is how many times k rows are compared exactly.
const rescored = 4

func (s *bareSearch) one(ctx context.Context, query []float32, ef, k int, out []uint32) (err error) {
	s.walk.Query(query)
	if s.hits, err = s.o.graph.Search(ctx, s.walk, max(ef, k), nil, s.hits[:0]); err != nil {
		return err
	}
	if s.o.coded {
		s.rescore(query, rescored*k)
	}
	for i := range out {
		out[i] = 1<<32 - 1
		if i < len(s.hits) {
			out[i] = s.hits[i].Row
		}
	}
	return nil
}

func (s *bareSearch) rescore(query []float32, n int) {
	s.hits = s.hits[:min(n, len(s.hits))]
	s.rows = s.rows[:0]
	for _, h := range s.hits {
		s.rows = append(s.rows, h.Row)
	}
	s.scores = slices.Grow(s.scores[:0], len(s.hits))[:len(s.hits)]
	s.exact.Query(query)
	s.exact.Score(s.rows, s.scores)
	for i := range s.hits {
		s.hits[i].Score = s.scores[i]
	}
	slices.SortFunc(s.hits, func(a, b hnsw.Hit) int {
		switch {
		case a.Score < b.Score:
			return -1
		case a.Score > b.Score:
			return 1
		}
		return int(a.Row) - int(b.Row)
	})
}

// Close gives the memory back.
func (o *Bare) Close() error {
	var err error
	if o.graph != nil {
		err = o.graph.Close()
	}
	for _, a := range []*arena.Arena{o.exact, o.codes} {
		if a != nil {
			err = errors.Join(err, a.Close())
		}
	}
	o.graph, o.exact, o.codes = nil, nil, nil
	return err
}
