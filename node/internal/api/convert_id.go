package api

import (
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// idFrom reads a point's id.
func idFrom(p *qdrant.PointId) (point.ID, error) {
	switch o := p.GetPointIdOptions().(type) {
	case *qdrant.PointId_Num:
		return point.Num(o.Num), nil
	case *qdrant.PointId_Uuid:
		return point.ParseUUID(o.Uuid)
	}
	return point.ID{}, invalid("point id: neither a number nor a UUID is given")
}

// idsFrom reads a list of ids; the result is never nil.
func idsFrom(list []*qdrant.PointId) ([]point.ID, error) {
	ids := make([]point.ID, len(list))
	for i, p := range list {
		id, err := idFrom(p)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

// idTo writes a point's id; UUIDs hyphenated in lower case.
func idTo(id point.ID) *qdrant.PointId {
	if id.IsUUID() {
		return &qdrant.PointId{PointIdOptions: &qdrant.PointId_Uuid{Uuid: id.String()}}
	}
	return &qdrant.PointId{PointIdOptions: &qdrant.PointId_Num{Num: id.Number()}}
}
