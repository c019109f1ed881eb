package shard_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// schema has a vector of each kind; few dimensions and values, so that scores are often equal.
var schema = shard.Schema{Vectors: map[string]shard.VectorSchema{
	"":  {Size: 3, Distance: vec.Cosine, Index: dense.Config{M: 8, EfConstruct: 20, IndexingBytes: 1, DeletedThreshold: 0.3}},
	"e": {Size: 2, Distance: vec.Euclid, Index: dense.Config{M: 4, EfConstruct: 8, IndexingBytes: 60, DeletedThreshold: 1}},
	"d": {Size: 1, Distance: vec.Dot},
	"m": {Size: 2, Distance: vec.Manhattan, Index: dense.Config{M: 4, EfConstruct: 8, IndexingBytes: 1, Codes: dense.Codes{Kind: dense.Scalar}}},
	"s": {Kind: shard.Sparse, Distance: vec.Dot},
	"w": {Kind: shard.Sparse, Distance: vec.Dot, Datatype: vec.HalfType},
	"n": {Kind: shard.Multi, Size: 2, Distance: vec.Cosine},
	"x": {Kind: shard.Multi, Size: 2, Distance: vec.Euclid, Datatype: vec.ByteType},
	"h": {Size: 2, Distance: vec.Cosine, Datatype: vec.HalfType, Index: dense.Config{M: 4, EfConstruct: 8, IndexingBytes: 1}},
	"u": {Size: 2, Distance: vec.Cosine, Datatype: vec.ByteType},
}}

// with returns the schema with payload indexes.
func with(fields payload.Schema) shard.Schema {
	return shard.Schema{Vectors: schema.Vectors, Fields: fields}
}

// source draws random requests and operations.
type source struct{ t *rapid.T }

func (s source) n(max int) int { return rapid.IntRange(0, max).Draw(s.t, "n") }

func (s source) oneIn(n int) bool { return s.n(n-1) == 0 }

func (s source) id() point.ID {
	if s.oneIn(3) {
		return point.UUID([16]byte{0: byte(s.n(3)), 15: byte(s.n(3))})
	}
	return point.Num(uint64(s.n(25)))
}

func (s source) ids(max int) []point.ID {
	ids := make([]point.ID, s.n(max))
	for i := range ids {
		ids[i] = s.id()
	}
	return ids
}

func (s source) vector(size int) []float32 {
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(s.n(4) - 2)
	}
	return v
}

func (s source) name() string {
	return rapid.SampledFrom([]string{"", "e", "d", "m", "s", "w", "n", "x", "h", "u"}).Draw(s.t, "name")
}

// one draws a vector that fits a schema.
func (s source) one(of shard.VectorSchema) ([]float32, *point.Sparse) {
	switch of.Kind {
	case shard.Sparse:
		x := point.Sparse{}
		for index := range uint32(6) {
			if s.oneIn(2) {
				x.Indices, x.Values = append(x.Indices, index*index), append(x.Values, float32(s.n(4)-1)*1.0001)
			}
		}
		return nil, &x
	case shard.Multi:
		return s.vector(of.Size * (1 + s.n(2))), nil
	case shard.Dense:
	}
	return s.vector(of.Size), nil
}

func (s source) vectors() (vs point.VectorSet) {
	vs.Put(point.VectorSet{Dense: point.Vectors{}})
	put := func(name string, dense []float32, sparse *point.Sparse) {
		if sparse != nil {
			vs.Put(point.VectorSet{Sparse: point.SparseVectors{name: *sparse}})
		} else {
			vs.Put(point.VectorSet{Dense: point.Vectors{name: dense}})
		}
	}
	for range s.n(4) {
		name := s.name()
		dense, sparse := s.one(schema.Vectors[name])
		put(name, dense, sparse)
	}
	switch s.n(60) {
	case 0:
		put("nobody", []float32{1}, nil)
	case 1:
		put("e", s.vector(3), nil)
	case 2:
		put("n", s.vector(3), nil)
	case 3:
		delete(vs.Sparse, "s")
		put("s", s.vector(2), nil)
	case 4:
		delete(vs.Dense, "e")
		put("e", nil, &point.Sparse{Indices: []uint32{1}, Values: []float32{1}})
	}
	return vs
}

func (s source) value() any {
	return rapid.SampledFrom([]any{
		nil, true, int64(1), int64(2), 1.5, "red", "blue", []any{}, []any{"red", int64(1)},
		map[string]any{"x": int64(1)}, []any{map[string]any{"x": "red"}, map[string]any{"x": "blue"}},
	}).Draw(s.t, "value")
}

func (s source) payload() point.Payload {
	p := point.Payload{}
	for range s.n(3) {
		p[rapid.SampledFrom([]string{"a", "b", "c"}).Draw(s.t, "key")] = s.value()
	}
	return p.Clone()
}

func (s source) path() string {
	return rapid.SampledFrom([]string{"a", "b", "a.x", "c[].x", "c[0]", "a.x.y", "b[]"}).Draw(s.t, "path")
}

// fields draws payload indexes over some of the paths.
func (s source) fields() payload.Schema {
	word := token.Default()
	fields := payload.Schema{}
	for _, path := range []string{"a", "b", "a.x", "c[].x", "b[]"} {
		f := payload.Field{Kind: rapid.SampledFrom([]payload.Kind{
			payload.Keyword, payload.Integer, payload.Float, payload.Bool, payload.Text, payload.UUID, payload.Geo, payload.Datetime,
		}).Draw(s.t, "index")}
		if f.Kind == payload.Text {
			f.Tokenizer = &word
		}
		if s.oneIn(2) {
			fields[path] = f
		}
	}
	return fields
}

func (s source) points(max int) []point.Point {
	ps := make([]point.Point, s.n(max))
	for i := range ps {
		vectors := s.vectors()
		ps[i] = point.Point{ID: s.id(), Vectors: vectors.Dense, Sparse: vectors.Sparse, Payload: s.payload()}
	}
	return ps
}

func (s source) filter() *filter.Filter {
	if s.oneIn(5) {
		return nil
	}
	f := &filter.Filter{}
	for _, list := range []*[]filter.Condition{&f.Must, &f.Should, &f.MustNot} {
		for range s.n(3) / 2 {
			*list = append(*list, s.condition())
		}
	}
	return f
}

func (s source) condition() filter.Condition {
	keyword, number, yes := "red", 1.0, true
	path, name := s.path(), s.name()
	switch s.n(7) {
	case 0:
		return filter.Condition{HasID: &filter.HasID{IDs: s.ids(12)}}
	case 1:
		return filter.Condition{HasVector: &name}
	case 2:
		return filter.Condition{IsEmpty: &path}
	case 3:
		return filter.Condition{IsNull: &path}
	case 4:
		return filter.Condition{Field: &filter.Field{Key: path, Range: &filter.Range{GTE: &number}}}
	case 5:
		return filter.Condition{Field: &filter.Field{Key: path, IsEmpty: &yes}}
	case 6:
		return filter.Condition{Filter: &filter.Filter{Should: []filter.Condition{s.condition(), s.condition()}}}
	default:
		return filter.Condition{Field: &filter.Field{Key: path, Match: &filter.Match{Keyword: &keyword}}}
	}
}

func (s source) selector() point.Selector {
	if s.oneIn(2) {
		return point.Selector{IDs: append([]point.ID{}, s.ids(8)...)}
	}
	return point.Selector{Filter: filter.Encode(s.filter())}
}

func (s source) encodedCondition() []byte {
	if s.oneIn(2) {
		return nil
	}
	return filter.Encode(s.filter())
}

func (s source) key() string {
	if s.oneIn(2) {
		return ""
	}
	return s.path()
}

func (s source) op() point.Op {
	switch s.n(12) {
	case 0:
		return nil
	case 1:
		return point.Delete{Selector: s.selector()}
	case 2:
		return point.SetPayload{Selector: s.selector(), Payload: s.payload(), Key: s.key()}
	case 3:
		return point.OverwritePayload{Selector: s.selector(), Payload: s.payload(), Key: s.key()}
	case 4:
		return point.DeletePayload{Selector: s.selector(), Keys: []string{s.path(), s.path()}}
	case 5:
		return point.ClearPayload{Selector: s.selector()}
	case 6, 7:
		ps := s.points(3)
		for i := range ps {
			ps[i].Payload = nil
		}
		return point.UpdateVectors{Points: ps, Condition: s.encodedCondition()}
	case 8:
		names := []string{s.name(), s.name()}
		if s.oneIn(10) {
			names = append(names, "nobody")
		}
		return point.DeleteVectors{Selector: s.selector(), Names: names}
	default:
		mode := point.UpsertMode(max(0, s.n(5)-3))
		return point.Upsert{Points: s.points(12), Mode: mode, Condition: s.encodedCondition()}
	}
}

// formed returns an operation as a coordinator sends it: with vectors in the form in which they are stored, where they fit.
func (s source) formed(op point.Op) point.Op {
	form := func(points []point.Point) {
		for i := range points {
			set := schema.Formed(points[i].VectorSet())
			if want, err := stored(points[i].VectorSet()); err == nil && !equal(set.Dense, want.Dense) {
				s.t.Fatalf("formed %v as %v, want %v", points[i].Vectors, set.Dense, want.Dense)
			}
			if again := schema.Formed(set); !equal(again, set) {
				s.t.Fatalf("formed again, %v became %v", set, again)
			}
			points[i].Vectors, points[i].Sparse = set.Dense, set.Sparse
		}
	}
	switch op := op.(type) {
	case point.Upsert:
		form(op.Points)
	case point.UpdateVectors:
		form(op.Points)
	}
	return op
}

// recoded returns the operation as the log would give it back.
func recoded(op point.Op) point.Op {
	if op == nil {
		return nil
	}
	again, err := point.DecodeOp(point.EncodeOp(op))
	if err != nil {
		panic(fmt.Sprintf("%+v: %v", op, err))
	}
	return again
}

func (s source) search() shard.SearchRequest {
	name := s.name()
	dense, sparse := s.one(schema.Vectors[name])
	req := shard.SearchRequest{
		Using: name, Vector: dense, Sparse: sparse, Filter: s.filter(), Limit: uint64(s.n(40)),
		Exclude: s.ids(3), Payload: s.payloadSelector(), Vectors: s.vectorSelector(),
	}
	if of := schema.Vectors[name]; of.Kind != shard.Sparse && s.oneIn(4) {
		req.Vector, req.Explore = nil, s.explore(of)
	}
	if s.oneIn(3) {
		threshold := float32(s.n(4) - 1)
		req.ScoreThreshold = &threshold
	}
	return req
}

func (s source) explore(of shard.VectorSchema) *shard.Explore {
	x := &shard.Explore{Kind: shard.ExploreKind(1 + s.n(3))}
	list := func(n int) (out [][]float32) {
		for range n {
			v, _ := s.one(of)
			out = append(out, v)
		}
		return out
	}
	if x.Kind == shard.Discover || x.Kind == shard.Context {
		n := 1 + s.n(2)
		x.Positive, x.Negative = list(n), list(n)
		x.Target, _ = s.one(of)
	} else {
		x.Positive, x.Negative = list(1+s.n(2)), list(s.n(2))
	}
	return x
}

func (s source) payloadSelector() shard.PayloadSelector {
	sel := shard.PayloadSelector{Enable: !s.oneIn(3)}
	if s.oneIn(4) {
		sel.Include = []string{"a", "c[].x"}
	}
	if s.oneIn(4) {
		sel.Exclude = []string{"b"}
	}
	return sel
}

func (s source) vectorSelector() shard.VectorSelector {
	sel := shard.VectorSelector{Enable: !s.oneIn(3)}
	if s.oneIn(3) {
		sel.Names = []string{"e", "", "s", "n"}
	}
	return sel
}

func encoded(f *filter.Filter) []byte { return filter.Encode(f) }
