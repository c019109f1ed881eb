package client

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
)

// Datatype is how a component is stored, in the API's spelling.
type Datatype string

// The datatypes.
const (
	Float32 Datatype = "Float32"
	Float16 Datatype = "Float16"
	Uint8   Datatype = "Uint8"
)

func (d Datatype) wire() (*qdrant.Datatype, *Error) {
	switch d {
	case "":
		return nil, nil
	case Float32, Float16, Uint8:
		return qdrant.Datatype(qdrant.Datatype_value[string(d)]).Enum(), nil
	}
	return nil, invalid("datatype %q: want Float32, Float16 or Uint8", d)
}

// datatypeOf returns "" for what is not said, by name or by leaving it out.
func datatypeOf(d *qdrant.Datatype) Datatype {
	if d == nil || *d == qdrant.Datatype_Default {
		return ""
	}
	return Datatype(d.String())
}

// SparseParams declares one named sparse vector. Nil and "" are "the default" (create) or "as it is" (update).
type SparseParams struct {
	Modifier          string // None or Idf; "" is None
	FullScanThreshold *uint64
	OnDisk            *bool    // of the index
	Datatype          Datatype // of the weights in the index
}

func sparseConfig(vectors map[string]SparseParams) (*qdrant.SparseVectorConfig, error) {
	if len(vectors) == 0 {
		return nil, nil
	}
	wire := map[string]*qdrant.SparseVectorParams{}
	for name, v := range vectors {
		params, err := v.wire()
		if err != nil {
			return nil, invalid("sparse vector %q: %s", name, err.Message)
		}
		wire[name] = params
	}
	return qdrant.NewSparseVectorsConfig(wire), nil
}

func (s SparseParams) wire() (*qdrant.SparseVectorParams, *Error) {
	out := &qdrant.SparseVectorParams{}
	if s.Modifier != "" {
		modifier, ok := qdrant.Modifier_value[s.Modifier]
		if !ok {
			return nil, invalid("modifier %q: want None or Idf", s.Modifier)
		}
		out.Modifier = qdrant.Modifier(modifier).Enum()
	}
	datatype, err := s.Datatype.wire()
	if err != nil {
		return nil, err
	}
	if s.FullScanThreshold != nil || s.OnDisk != nil || datatype != nil {
		out.Index = &qdrant.SparseIndexConfig{FullScanThreshold: s.FullScanThreshold, OnDisk: s.OnDisk, Datatype: datatype}
	}
	return out, nil
}

func sparseOf(config *qdrant.SparseVectorConfig) map[string]SparseParams {
	out := make(map[string]SparseParams, len(config.GetMap()))
	for name, v := range config.GetMap() {
		s := SparseParams{}
		if v != nil && v.Modifier != nil {
			s.Modifier = v.GetModifier().String()
		}
		if i := v.GetIndex(); i != nil {
			s.FullScanThreshold, s.OnDisk, s.Datatype = i.FullScanThreshold, i.OnDisk, datatypeOf(i.Datatype)
		}
		out[name] = s
	}
	return out
}

// CreateVector adds a named vector to a collection: what makes up its space, that is size, distance, datatype and whether
// it is a multivector; the rest of params is for UpdateCollection. ClassExists or ClassInvalid: there is one of that name.
func (c *Client) CreateVector(ctx context.Context, collection, name string, params VectorParams) error {
	op := operation{kind: once, ddl: true, method: pointsService + "CreateVectorName"}
	wire, err := params.wire()
	if err != nil {
		return named(err, op)
	}
	return c.createVector(ctx, op, &qdrant.CreateVectorNameRequest{
		CollectionName: collection, VectorName: name, Wait: qdrant.PtrOf(true),
		VectorConfig: &qdrant.CreateVectorNameRequest_DenseConfig{DenseConfig: &qdrant.DenseVectorCreationConfig{
			Size: wire.GetSize(), Distance: wire.GetDistance(), MultivectorConfig: wire.GetMultivectorConfig(), Datatype: wire.Datatype,
		}},
	})
}

// CreateSparseVector adds a named sparse vector to a collection: its modifier and datatype.
func (c *Client) CreateSparseVector(ctx context.Context, collection, name string, params SparseParams) error {
	op := operation{kind: once, ddl: true, method: pointsService + "CreateVectorName"}
	wire, err := params.wire()
	if err != nil {
		return named(err, op)
	}
	config := &qdrant.SparseVectorCreationConfig{Modifier: wire.Modifier}
	if wire.Index != nil {
		config.Datatype = wire.Index.Datatype
	}
	return c.createVector(ctx, op, &qdrant.CreateVectorNameRequest{
		CollectionName: collection, VectorName: name, Wait: qdrant.PtrOf(true),
		VectorConfig: &qdrant.CreateVectorNameRequest_SparseConfig{SparseConfig: config},
	})
}

func (c *Client) createVector(ctx context.Context, op operation, request *qdrant.CreateVectorNameRequest) error {
	_, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.PointsOperationResponse, error) {
		return e.points.CreateVectorName(ctx, request)
	})
	return err
}

// DeleteVector removes a named vector, dense or sparse, from a collection and from all of its points.
func (c *Client) DeleteVector(ctx context.Context, collection, name string) error {
	op := operation{kind: once, ddl: true, method: pointsService + "DeleteVectorName"}
	_, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.PointsOperationResponse, error) {
		return e.points.DeleteVectorName(ctx, &qdrant.DeleteVectorNameRequest{
			CollectionName: collection, VectorName: name, Wait: qdrant.PtrOf(true),
		})
	})
	return err
}
