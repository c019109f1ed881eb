package client

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

func (id PointID) wire() *qdrant.PointId {
	if id.uuid != "" {
		return qdrant.NewIDUUID(id.uuid)
	}
	return qdrant.NewIDNum(id.num)
}

func idOf(id *qdrant.PointId) PointID {
	if u := id.GetUuid(); u != "" {
		if parsed, err := uuid.Parse(u); err == nil {
			u = parsed.String()
		}
		return PointID{uuid: u}
	}
	return Num(id.GetNum())
}

func wireIDs(ids []PointID) []*qdrant.PointId {
	out := make([]*qdrant.PointId, len(ids))
	for i, id := range ids {
		out[i] = id.wire()
	}
	return out
}

func upsertRequest(collection string, points []Point, o WriteOptions) (*qdrant.UpsertPoints, error) {
	request := &qdrant.UpsertPoints{CollectionName: collection, Wait: &o.Wait, Points: make([]*qdrant.PointStruct, len(points))}
	for i, p := range points {
		payload, err := toPayload(p.Payload)
		if err != nil {
			return nil, invalid("point %s: payload %v", p.ID, err)
		}
		request.Points[i] = &qdrant.PointStruct{Id: p.ID.wire(), Vectors: p.Vectors.wire(), Payload: payload}
	}
	return request, nil
}

func (v Vectors) wire() *qdrant.Vectors {
	if unnamed, ok := v[""]; ok && len(v) == 1 {
		return qdrant.NewVectorsDense(unnamed)
	}
	named := make(map[string]*qdrant.Vector, len(v))
	for name, values := range v {
		named[name] = qdrant.NewVectorDense(values)
	}
	return qdrant.NewVectorsMap(named)
}

func pointVectorsOf(v *qdrant.VectorsOutput) Vectors {
	if v == nil {
		return nil
	}
	out := Vectors{}
	if unnamed := v.GetVector(); unnamed != nil {
		out[""] = denseOf(unnamed)
	}
	for name, w := range v.GetVectors().GetVectors() {
		out[name] = denseOf(w)
	}
	return out
}

// denseOf reads the typed form, or the one that older servers send.
func denseOf(v *qdrant.VectorOutput) []float32 {
	if d := v.GetDense(); d != nil {
		return d.GetData()
	}
	return v.GetData() // what servers before 1.16 fill in
}

func recordOf(p *qdrant.RetrievedPoint) Record {
	return Record{ID: idOf(p.GetId()), Vectors: pointVectorsOf(p.GetVectors()), Payload: fromPayload(p.GetPayload())}
}

func recordsOf(points []*qdrant.RetrievedPoint) []Record {
	out := make([]Record, len(points))
	for i, p := range points {
		out[i] = recordOf(p)
	}
	return out
}

func scoredOf(points []*qdrant.ScoredPoint) []Scored {
	out := make([]Scored, len(points))
	for i, p := range points {
		out[i] = Scored{
			Record:  Record{ID: idOf(p.GetId()), Vectors: pointVectorsOf(p.GetVectors()), Payload: fromPayload(p.GetPayload())},
			Score:   p.GetScore(),
			Version: p.GetVersion(),
		}
	}
	return out
}

func (s Selector) wire() (*qdrant.PointsSelector, error) {
	switch {
	case s.IDs != nil && s.Filter != nil:
		return nil, invalid("selector: give ids or a filter, not both")
	case s.IDs != nil:
		return qdrant.NewPointsSelectorIDs(wireIDs(s.IDs)), nil
	case s.Filter == nil:
		return nil, invalid("selector: give ids or a filter; an empty filter selects every point")
	}
	filter, err := s.Filter.wire()
	if err != nil {
		return nil, err
	}
	return qdrant.NewPointsSelectorFilter(filter), nil
}

// kind says whether a write to these points may be repeated.
func (s Selector) kind() kind {
	if s.IDs != nil {
		return idempotent
	}
	return once
}

func (f *Filter) wire() (*qdrant.Filter, error) { return f.wireAt(0) }

func (f *Filter) wireAt(depth int) (*qdrant.Filter, error) {
	if f == nil {
		return nil, nil
	}
	if depth > maxValueDepth {
		return nil, invalid("filter: nested deeper than %d levels", maxValueDepth)
	}
	out := &qdrant.Filter{}
	for _, clause := range []struct {
		from []Condition
		to   *[]*qdrant.Condition
	}{{f.Must, &out.Must}, {f.Should, &out.Should}, {f.MustNot, &out.MustNot}} {
		for _, c := range clause.from {
			w, err := c.wireAt(depth + 1)
			if err != nil {
				return nil, err
			}
			*clause.to = append(*clause.to, w)
		}
	}
	return out, nil
}

func (c Condition) wireAt(depth int) (*qdrant.Condition, error) {
	switch {
	case c.Filter != nil:
		f, err := c.Filter.wireAt(depth)
		return qdrant.NewFilterAsCondition(f), err
	case c.HasID != nil:
		return qdrant.NewHasID(wireIDs(c.HasID)...), nil
	case c.Key == "":
		return nil, invalid("condition: set Key, HasID or Filter")
	}
	switch v := c.Equals.(type) {
	case string:
		return qdrant.NewMatchKeyword(c.Key, v), nil
	case bool:
		return qdrant.NewMatchBool(c.Key, v), nil
	}
	n, err := toNumber(c.Equals)
	if err != nil {
		return nil, invalid("condition on %q: %v", c.Key, fmt.Errorf("equals: %w", err))
	}
	if f, ok := n.GetKind().(*qdrant.Value_DoubleValue); ok {
		return qdrant.NewRange(c.Key, &qdrant.Range{Gte: &f.DoubleValue, Lte: &f.DoubleValue}), nil
	}
	return qdrant.NewMatchInt(c.Key, n.GetIntegerValue()), nil
}
