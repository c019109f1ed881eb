package api

import (
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// selectorFrom reads which points a write touches. Neither ids nor a filter, and an empty list of ids, are refused:
// a mistake there must not touch every point. An empty filter does touch every point, as in Qdrant.
func selectorFrom(s *qdrant.PointsSelector) (point.Selector, error) {
	switch o := s.GetPointsSelectorOneOf().(type) {
	case *qdrant.PointsSelector_Points:
		if len(o.Points.GetIds()) == 0 {
			return point.Selector{}, invalid("points selector: the list of ids is empty")
		}
		ids, err := idsFrom(o.Points.GetIds())
		return point.Selector{IDs: ids}, err
	case *qdrant.PointsSelector_Filter:
		f := o.Filter
		if f == nil {
			f = &qdrant.Filter{}
		}
		encoded, err := encodedFilter(f)
		return point.Selector{Filter: encoded}, err
	}
	return point.Selector{}, invalid("points selector: neither ids nor a filter is given")
}

// payloadSelectorFrom reads which part of payloads a read returns; otherwise says what an unset one means.
func payloadSelectorFrom(s *qdrant.WithPayloadSelector, otherwise bool) (shard.PayloadSelector, error) {
	if s == nil {
		return shard.PayloadSelector{Enable: otherwise}, nil
	}
	switch o := s.GetSelectorOptions().(type) {
	case *qdrant.WithPayloadSelector_Enable:
		return shard.PayloadSelector{Enable: o.Enable}, nil
	case *qdrant.WithPayloadSelector_Include:
		fields := o.Include.GetFields()
		return shard.PayloadSelector{Enable: len(fields) > 0, Include: fields}, checkPaths(fields)
	case *qdrant.WithPayloadSelector_Exclude:
		fields := o.Exclude.GetFields()
		return shard.PayloadSelector{Enable: true, Exclude: fields}, checkPaths(fields)
	}
	return shard.PayloadSelector{}, invalid("with_payload: it is given, but empty")
}

func checkPaths(paths []string) error {
	for _, p := range paths {
		if _, err := point.ParsePath(p); err != nil {
			return err
		}
	}
	return nil
}

// vectorSelectorFrom reads which vectors a read returns; unset means none.
func vectorSelectorFrom(s *qdrant.WithVectorsSelector) (shard.VectorSelector, error) {
	if s == nil {
		return shard.VectorSelector{}, nil
	}
	switch o := s.GetSelectorOptions().(type) {
	case *qdrant.WithVectorsSelector_Enable:
		return shard.VectorSelector{Enable: o.Enable}, nil
	case *qdrant.WithVectorsSelector_Include:
		names := o.Include.GetNames()
		return shard.VectorSelector{Enable: len(names) > 0, Names: names}, nil
	}
	return shard.VectorSelector{}, invalid("with_vectors: it is given, but empty")
}

// view is what a read returns of each point.
type view struct {
	payload shard.PayloadSelector
	vectors shard.VectorSelector
}

func viewFrom(p *qdrant.WithPayloadSelector, otherwise bool, v *qdrant.WithVectorsSelector) (out view, err error) {
	if out.payload, err = payloadSelectorFrom(p, otherwise); err != nil {
		return view{}, err
	}
	out.vectors, err = vectorSelectorFrom(v)
	return out, err
}
