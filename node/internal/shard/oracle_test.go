package shard_test

import (
	"maps"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// oracle is a shard as simple as can be: a map, and a walk over all of it for every question.
type oracle struct {
	points  map[point.ID]point.Record
	applied uint64
}

func newOracle() *oracle { return &oracle{points: map[point.ID]point.Record{}} }

type target point.Record

func (t target) ID() point.ID                   { return t.Point.ID }
func (t target) Member(name string) (any, bool) { return t.Point.Payload.Member(name) }
func (t target) HasVector(name string) bool     { return point.Record(t).VectorSet().Has(name) }

// shown is a record as reads see it: without vectors that do not fit the schema.
func shown(r point.Record) point.Record {
	set := r.VectorSet().Clone()
	for name := range set.Dense {
		if _, err := stored(point.VectorSet{Dense: point.Vectors{name: set.Dense[name]}}); err != nil {
			set.Delete(name)
		}
	}
	for name := range set.Sparse {
		if schema.Vectors[name].Kind != shard.Sparse {
			set.Delete(name)
		}
	}
	r.Vectors, r.Sparse = set.Dense, set.Sparse
	return r
}

func matches(f *filter.Filter, r point.Record) bool {
	m, err := filter.Compile(f)
	if err != nil {
		panic(err)
	}
	return m.Match(target(r))
}

func decoded(b []byte) *filter.Filter {
	f, err := filter.Decode(b)
	if err != nil {
		panic(err)
	}
	return f
}

func (o *oracle) ids() []point.ID { return slices.SortedFunc(maps.Keys(o.points), point.ID.Compare) }

// count counts as a read does.
func (o *oracle) count(f *filter.Filter) (n uint64) {
	for _, r := range o.points {
		if matches(f, shown(r)) {
			n++
		}
	}
	return n
}

func (o *oracle) selected(sel point.Selector) (ids []point.ID) {
	if sel.IDs == nil {
		f := decoded(sel.Filter)
		for _, id := range o.ids() {
			if matches(f, o.points[id]) {
				ids = append(ids, id)
			}
		}
		return ids
	}
	for _, id := range o.ids() {
		if slices.Contains(sel.IDs, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func stored(vs point.VectorSet) (out point.VectorSet, err error) {
	wrong := fault.New(fault.Invalid, "schema")
	out.Dense = point.Vectors{}
	for name := range vs.Sparse {
		if schema.Vectors[name].Kind != shard.Sparse {
			return out, wrong
		}
	}
	out.Sparse = maps.Clone(vs.Sparse)
	for name, v := range vs.Dense {
		s, ok := schema.Vectors[name]
		if !ok || s.Kind == shard.Sparse || s.Kind == shard.Dense && s.Size != len(v) || s.Kind == shard.Multi && (len(v) == 0 || len(v)%s.Size != 0) {
			return out, wrong
		}
		for row := range slices.Chunk(v, s.Size) {
			if s.Datatype != vec.ByteType {
				row = s.Distance.Stored(row)
			}
			out.Dense[name] = append(out.Dense[name], s.Datatype.Held(row)...)
		}
	}
	return out, nil
}

// heldScore compares components of 16 or 8 bits.
func heldScore(s shard.VectorSchema, query, v []float32) float32 {
	if s.Datatype == vec.HalfType {
		var halves []vec.Float16
		for _, x := range v {
			halves = append(halves, vec.ToFloat16(x))
		}
		sum := vec.ForFloat16(s.Distance).One(query, halves)
		if s.Distance == vec.Euclid {
			return float32(math.Sqrt(float64(sum)))
		}
		return sum
	}
	product, a, b := 0, 0, 0
	for i := range v {
		product, a, b = product+int(query[i])*int(v[i]), a+int(query[i])*int(query[i]), b+int(v[i])*int(v[i])
	}
	if s.Distance != vec.Cosine {
		panic("not compared here")
	}
	if product == 0 {
		return 0
	}
	return float32(product) / (float32(math.Sqrt(float64(a))) * float32(math.Sqrt(float64(b))))
}

// compared is a row in the form in which rows are compared where datatypes do not matter.
func compared(s shard.VectorSchema, row []float32) []float32 {
	if s.Distance == vec.Cosine && s.Datatype == vec.ByteType {
		return vec.Normalize(row)
	}
	return row
}

// score compares a query with a stored point; ok tells whether it is found at all.
func score(req shard.SearchRequest, r point.Record) (sum float32, ok bool) {
	s := schema.Vectors[req.Using]
	if s.Kind == shard.Sparse {
		v := r.Sparse[req.Using]
		weights := s.Datatype.Held(v.Values)
		for i, index := range req.Sparse.Indices {
			if at := slices.Index(v.Indices, index); at >= 0 {
				sum, ok = sum+req.Sparse.Values[i]*weights[at], true
			}
		}
		return sum, ok
	}
	if x := req.Explore; x != nil {
		return explored(req, r)
	}
	v, ok := r.Vectors[req.Using]
	query, err := stored(point.VectorSet{Dense: point.Vectors{req.Using: req.Vector}})
	if !ok || err != nil {
		return 0, false
	}
	if s.Kind == shard.Dense && s.Datatype != "" {
		return heldScore(s, query.Dense[req.Using], v), true
	}
	for q := range slices.Chunk(query.Dense[req.Using], s.Size) {
		var best float32
		for at, row := range slices.Collect(slices.Chunk(v, s.Size)) {
			x := s.Distance.Score(compared(s, q), compared(s, row))
			if s.Kind == shard.Multi && s.Distance == vec.Euclid {
				x = vec.EuclidSquared(compared(s, q), compared(s, row))
			}
			if at == 0 || s.Distance.Better(x, best) {
				best = x
			}
		}
		sum += best
	}
	if s.Kind == shard.Multi && s.Distance == vec.Euclid {
		sum = float32(math.Sqrt(float64(sum)))
	}
	return sum, true
}

// explored compares a stored point with examples, as Explore tells.
func explored(req shard.SearchRequest, r point.Record) (float32, bool) {
	x, d := req.Explore, schema.Vectors[req.Using].Distance
	if _, ok := r.Vectors[req.Using]; !ok {
		return 0, false
	}
	like := func(v []float32) float64 {
		if s := schema.Vectors[req.Using]; s.Kind == shard.Dense {
			q, _ := stored(point.VectorSet{Dense: point.Vectors{req.Using: v}})
			if s.Datatype == vec.ByteType || s.Datatype == vec.HalfType && d.LargerIsBetter() {
				return float64(heldScore(s, q.Dense[req.Using], r.Vectors[req.Using]))
			}
			a, b := q.Dense[req.Using], r.Vectors[req.Using]
			switch d {
			case vec.Euclid:
				return -float64(vec.EuclidSquared(a, b))
			case vec.Manhattan:
				return -float64(vec.ManhattanSum(a, b))
			case vec.Dot, vec.Cosine:
			}
			return float64(vec.DotProduct(a, b))
		}
		one := req
		one.Explore, one.Vector = nil, v
		s, _ := score(one, r)
		switch d {
		case vec.Euclid:
			return -float64(s) * float64(s)
		case vec.Manhattan:
			return -float64(s)
		case vec.Dot, vec.Cosine:
		}
		return float64(s)
	}
	squash := func(x float64) float64 { return 0.5*x/(1+math.Abs(x)) + 0.5 }
	sum, bestPositive, bestNegative, right, loss := 0.0, math.Inf(-1), math.Inf(-1), 0, 0.0
	for i, v := range x.Positive {
		p := like(v)
		sum, bestPositive = sum+p, max(bestPositive, p)
		if x.Kind == shard.Discover || x.Kind == shard.Context {
			n := like(x.Negative[i])
			if p > n {
				right++
			} else if p < n {
				right--
			}
			if by := p - n - math.Pow(2, -23); by < 0 {
				loss += by / (1 + math.Abs(by))
			}
		}
	}
	for _, v := range x.Negative {
		n := like(v)
		sum, bestNegative = sum-n, max(bestNegative, n)
	}
	switch x.Kind {
	case shard.SumScores:
		return float32(sum), true
	case shard.Discover:
		return float32(float64(right) + squash(like(x.Target))), true
	case shard.Context:
		return float32(loss), true
	case shard.BestScore:
	}
	if bestPositive > bestNegative {
		return float32(squash(bestPositive)), true
	}
	return float32(-squash(bestNegative)), true
}

// recorded returns a record of stored vectors.
func recorded(version uint64, id point.ID, vs point.VectorSet, p point.Payload) point.Record {
	return point.Record{Version: version, Point: point.Point{ID: id, Vectors: vs.Dense, Sparse: vs.Sparse, Payload: p}}
}

func (o *oracle) apply(index uint64, op point.Op) error {
	o.applied = index
	switch op := op.(type) {
	case point.Upsert:
		return o.upsert(index, op)
	case point.UpdateVectors:
		return o.updateVectors(index, op)
	case point.DeleteVectors:
		return o.deleteVectors(index, op)
	case point.Delete:
		for _, id := range o.selected(op.Selector) {
			delete(o.points, id)
		}
	case point.SetPayload:
		o.change(index, op.Selector, func(p point.Payload) point.Payload {
			if op.Key == "" {
				return point.Merge(p, op.Payload)
			}
			return path(op.Key).Set(p, op.Payload)
		})
	case point.OverwritePayload:
		o.change(index, op.Selector, func(p point.Payload) point.Payload {
			if op.Key == "" {
				return op.Payload.Clone()
			}
			return path(op.Key).Replace(p, op.Payload)
		})
	case point.DeletePayload:
		o.change(index, op.Selector, func(p point.Payload) point.Payload {
			for _, k := range op.Keys {
				path(k).Delete(p)
			}
			return p
		})
	case point.ClearPayload:
		o.change(index, op.Selector, func(point.Payload) point.Payload { return point.Payload{} })
	}
	return nil
}

// frequencies counts the sparse vectors of a name, and those that have each of some indices.
func (o *oracle) frequencies(name string, indices ...uint32) []payload.Facet {
	out := []payload.Facet{{Value: true}}
	for _, r := range o.points {
		if _, ok := r.Sparse[name]; ok {
			out[0].Count++
		}
	}
	for _, index := range indices {
		n := uint64(0)
		for _, r := range o.points {
			if slices.Contains(r.Sparse[name].Indices, index) {
				n++
			}
		}
		if n > 0 {
			out = append(out, payload.Facet{Value: int64(index), Count: n})
		}
	}
	return out
}

func path(text string) point.Path {
	p, err := point.ParsePath(text)
	if err != nil {
		panic(err)
	}
	return p
}

func (o *oracle) change(index uint64, sel point.Selector, fn func(point.Payload) point.Payload) {
	for _, id := range o.selected(sel) {
		r := o.points[id]
		r.Payload, r.Version = fn(r.Payload.Clone()), index
		o.points[id] = r
	}
}

func (o *oracle) upsert(index uint64, op point.Upsert) error {
	next := map[point.ID]point.Record{}
	for _, p := range op.Points {
		next[p.ID] = recorded(index, p.ID, p.VectorSet(), p.Payload.Clone())
	}
	for id, r := range next {
		old, exists := o.points[id]
		switch {
		case !exists && op.Mode == point.UpdateOnly,
			exists && op.Mode == point.InsertOnly,
			exists && op.Condition != nil && !matches(decoded(op.Condition), old):
		default:
			o.points[id] = r
		}
	}
	return nil
}

func (o *oracle) updateVectors(index uint64, op point.UpdateVectors) error {
	for _, p := range op.Points {
		if _, ok := o.points[p.ID]; !ok {
			return fault.New(fault.NotFound, "absent")
		}
	}
	before := maps.Clone(o.points)
	for _, p := range op.Points {
		if op.Condition != nil && !matches(decoded(op.Condition), before[p.ID]) {
			continue
		}
		r := o.points[p.ID]
		all := r.VectorSet().Clone()
		all.Put(p.VectorSet())
		o.points[p.ID] = recorded(index, p.ID, all, r.Payload)
	}
	return nil
}

func (o *oracle) deleteVectors(index uint64, op point.DeleteVectors) error {
	for _, id := range o.selected(op.Selector) {
		r := o.points[id]
		vs := r.VectorSet().Clone()
		for _, name := range op.Names {
			vs.Delete(name)
		}
		if vs.Len() < r.VectorSet().Len() {
			o.points[id] = recorded(index, id, vs, r.Payload)
		}
	}
	return nil
}

// view is what a read returns of a record.
func view(r point.Record, p shard.PayloadSelector, v shard.VectorSelector) point.Record {
	r = shown(r)
	out := point.Record{Version: r.Version, Point: point.Point{ID: r.ID}}
	if p.Enable {
		pr, err := point.NewProjection(p.Include, p.Exclude)
		if err != nil {
			panic(err)
		}
		out.Payload = pr.Apply(r.Payload)
	}
	if v.Enable {
		out.Vectors = point.Vectors{}
		for name, x := range r.Vectors {
			if v.Names == nil || slices.Contains(v.Names, name) {
				out.Vectors[name] = x
			}
		}
		for name, x := range r.Sparse {
			if v.Names == nil || slices.Contains(v.Names, name) {
				if out.Sparse == nil {
					out.Sparse = point.SparseVectors{}
				}
				out.Sparse[name] = x
			}
		}
	}
	return out
}

func (o *oracle) scroll(req shard.ScrollRequest) (out []point.Record) {
	for _, id := range o.ids() {
		if req.From != nil && id.Compare(*req.From) < 0 || !matches(req.Filter, shown(o.points[id])) {
			continue
		}
		if uint64(len(out)) < req.Limit {
			out = append(out, view(o.points[id], req.Payload, req.Vectors))
		}
	}
	return out
}

func (o *oracle) get(req shard.GetRequest) (out []point.Record) {
	for _, id := range req.IDs {
		if r, ok := o.points[id]; ok {
			out = append(out, view(r, req.Payload, req.Vectors))
		}
	}
	return out
}

func (o *oracle) search(req shard.SearchRequest) (out []shard.Scored) {
	d := schema.Vectors[req.Using].Distance
	if req.Explore != nil {
		d = vec.Dot
	}
	for _, id := range o.ids() {
		r := shown(o.points[id])
		score, ok := score(req, r)
		if !ok || slices.Contains(req.Exclude, id) || !matches(req.Filter, r) {
			continue
		}
		if req.ScoreThreshold == nil || d.Better(score, *req.ScoreThreshold) {
			out = append(out, shard.Scored{Record: view(r, req.Payload, req.Vectors), Score: score})
		}
	}
	slices.SortStableFunc(out, func(a, b shard.Scored) int { // ids ascend already
		switch {
		case d.Better(a.Score, b.Score):
			return -1
		case d.Better(b.Score, a.Score):
			return 1
		}
		return 0
	})
	return out[:min(uint64(len(out)), req.Limit)]
}

func (o *oracle) info() (points, vectors uint64) {
	for _, r := range o.points {
		vectors += uint64(shown(r).VectorSet().Len())
	}
	return uint64(len(o.points)), vectors
}
