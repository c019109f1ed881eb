package api

import (
	"slices"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// upsertRequest is what Upsert and its form in a batch share.
type upsertRequest interface {
	GetPoints() []*qdrant.PointStruct
	GetUpdateFilter() *qdrant.Filter
	GetUpdateMode() qdrant.UpdateMode
}

func upsertFrom(r upsertRequest, sizes *shapes) (point.Op, error) {
	if len(r.GetPoints()) == 0 {
		return nil, invalid("Empty update request: no points are given")
	}
	op := point.Upsert{Points: make([]point.Point, len(r.GetPoints())), Mode: modeFrom(r.GetUpdateMode())}
	for i, p := range r.GetPoints() {
		var err error
		if op.Points[i], err = pointFrom(p, sizes); err != nil {
			return nil, err
		}
	}
	op.Points = lastOfEach(op.Points)
	var err error
	op.Condition, err = encodedFilter(r.GetUpdateFilter())
	return op, err
}

func modeFrom(m qdrant.UpdateMode) point.UpsertMode {
	switch m {
	case qdrant.UpdateMode_InsertOnly:
		return point.InsertOnly
	case qdrant.UpdateMode_UpdateOnly:
		return point.UpdateOnly
	default:
		return point.InsertOrReplace
	}
}

func pointFrom(p *qdrant.PointStruct, sizes *shapes) (out point.Point, err error) {
	if out.ID, err = idFrom(p.GetId()); err != nil {
		return point.Point{}, err
	}
	vectors, err := vectorsFrom(p.GetVectors(), sizes)
	if err != nil {
		return point.Point{}, err
	}
	out.Vectors, out.Sparse = vectors.Dense, vectors.Sparse
	out.Payload, err = payloadFrom(p.GetPayload())
	return out, err
}

// lastOfEach drops all but the last point of each id, as Qdrant does, whatever the mode of the upsert.
func lastOfEach(points []point.Point) []point.Point {
	last := make(map[point.ID]int, len(points))
	for i, p := range points {
		last[p.ID] = i
	}
	if len(last) == len(points) {
		return points
	}
	kept := points[:0]
	for i, p := range points {
		if last[p.ID] == i {
			kept = append(kept, p)
		}
	}
	return slices.Clip(kept)
}

type updateVectorsRequest interface {
	GetPoints() []*qdrant.PointVectors
	GetUpdateFilter() *qdrant.Filter
}

func updateVectorsFrom(r updateVectorsRequest, sizes *shapes) (point.Op, error) {
	if len(r.GetPoints()) == 0 {
		return nil, invalid("Empty update request: no points are given")
	}
	op := point.UpdateVectors{Points: make([]point.Point, len(r.GetPoints()))}
	for i, p := range r.GetPoints() {
		id, err := idFrom(p.GetId())
		if err != nil {
			return nil, err
		}
		vectors, err := vectorsFrom(p.GetVectors(), sizes)
		if err != nil {
			return nil, err
		}
		op.Points[i] = point.Point{ID: id, Vectors: vectors.Dense, Sparse: vectors.Sparse}
	}
	var err error
	op.Condition, err = encodedFilter(r.GetUpdateFilter())
	return op, err
}

type payloadRequest interface {
	GetPayload() map[string]*qdrant.Value
	GetPointsSelector() *qdrant.PointsSelector
}

func setPayloadFrom(r payloadRequest, key *string) (point.Op, error) {
	selector, payload, at, err := payloadChange(r, key)
	return point.SetPayload{Selector: selector, Payload: payload, Key: at}, err
}

func overwritePayloadFrom(r payloadRequest, key *string) (point.Op, error) {
	selector, payload, at, err := payloadChange(r, key)
	return point.OverwritePayload{Selector: selector, Payload: payload, Key: at}, err
}

func payloadChange(r payloadRequest, key *string) (s point.Selector, p point.Payload, at string, err error) {
	if s, err = selectorFrom(r.GetPointsSelector()); err != nil {
		return s, nil, "", err
	}
	if p, err = payloadFrom(r.GetPayload()); err != nil || key == nil {
		return s, p, "", err
	}
	_, err = point.ParsePath(*key) // "" would mean the whole payload
	return s, p, *key, err
}

type deletePayloadRequest interface {
	GetKeys() []string
	GetPointsSelector() *qdrant.PointsSelector
}

func deletePayloadFrom(r deletePayloadRequest) (point.Op, error) {
	if len(r.GetKeys()) == 0 {
		return nil, invalid("Empty update request: no payload keys are given")
	}
	selector, err := selectorFrom(r.GetPointsSelector())
	return point.DeletePayload{Selector: selector, Keys: r.GetKeys()}, err
}

type deleteVectorsRequest interface {
	GetVectors() *qdrant.VectorsSelector
	GetPointsSelector() *qdrant.PointsSelector
}

func deleteVectorsFrom(r deleteVectorsRequest) (point.Op, error) {
	if len(r.GetVectors().GetNames()) == 0 {
		return nil, invalid("Empty update request: no vector names are given")
	}
	selector, err := selectorFrom(r.GetPointsSelector())
	return point.DeleteVectors{Selector: selector, Names: r.GetVectors().GetNames()}, err
}

func deleteFrom(s *qdrant.PointsSelector) (point.Op, error) {
	selector, err := selectorFrom(s)
	return point.Delete{Selector: selector}, err
}

func clearPayloadFrom(s *qdrant.PointsSelector) (point.Op, error) {
	selector, err := selectorFrom(s)
	return point.ClearPayload{Selector: selector}, err
}

// updateFrom reads one operation of a batch.
func updateFrom(u *qdrant.PointsUpdateOperation, sizes *shapes) (point.Op, error) {
	switch o := u.GetOperation().(type) {
	case *qdrant.PointsUpdateOperation_Upsert:
		return upsertFrom(o.Upsert, sizes)
	case *qdrant.PointsUpdateOperation_SetPayload_:
		return setPayloadFrom(o.SetPayload, o.SetPayload.Key)
	case *qdrant.PointsUpdateOperation_OverwritePayload_:
		return overwritePayloadFrom(o.OverwritePayload, o.OverwritePayload.Key)
	case *qdrant.PointsUpdateOperation_DeletePayload_:
		return deletePayloadFrom(o.DeletePayload)
	case *qdrant.PointsUpdateOperation_UpdateVectors_:
		return updateVectorsFrom(o.UpdateVectors, sizes)
	case *qdrant.PointsUpdateOperation_DeleteVectors_:
		return deleteVectorsFrom(o.DeleteVectors)
	case *qdrant.PointsUpdateOperation_DeletePoints_:
		return deleteFrom(o.DeletePoints.GetPoints())
	case *qdrant.PointsUpdateOperation_ClearPayload_:
		return clearPayloadFrom(o.ClearPayload.GetPoints())
	case *qdrant.PointsUpdateOperation_DeleteDeprecated:
		return deleteFrom(o.DeleteDeprecated)
	case *qdrant.PointsUpdateOperation_ClearPayloadDeprecated:
		return clearPayloadFrom(o.ClearPayloadDeprecated)
	}
	return nil, invalid("update: the operation is empty or of a kind that this server does not know")
}

// checkOp refuses what cannot be stored: first what no collection could, then what this one does not declare.
func checkOp(op point.Op, declared *catalog.Config) error {
	if err := point.CheckOp(op); err != nil {
		return err
	}
	switch op := op.(type) {
	case point.Upsert:
		return checkVectors(op.Points, declared)
	case point.UpdateVectors:
		return checkVectors(op.Points, declared)
	case point.DeleteVectors:
		return declared.CheckNames(op.Names)
	}
	return nil
}

func checkVectors(points []point.Point, declared *catalog.Config) error {
	for _, p := range points {
		for name, v := range p.Vectors {
			if err := declared.CheckDense(name, v); err != nil {
				return err
			}
		}
		for name := range p.Sparse {
			if err := declared.CheckSparse(name); err != nil {
				return err
			}
		}
	}
	return nil
}
