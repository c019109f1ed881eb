package client

import "github.com/qdrant/go-client/qdrant"

// RoundTrip sends JSON values through the wire form.
func RoundTrip(object map[string]any) (map[string]any, error) {
	wire, err := toPayload(object)
	return fromPayload(wire), err
}

// FieldIndexRoundTrip sends an index through the wire form, as a server would report it.
func FieldIndexRoundTrip(f FieldIndex) (FieldIndex, error) {
	kind, params, err := f.wire()
	if err != nil {
		return FieldIndex{}, err
	}
	types := map[string]*qdrant.PayloadSchemaInfo{"f": {DataType: qdrant.PayloadSchemaType(kind + 1), Params: params}}
	return indexesOf(types)["f"], nil
}

// QuantizationRoundTrip sends a quantization through the wire form of a creation and, with update, through that of an update.
func QuantizationRoundTrip(q *Quantization, update bool) (*Quantization, error) {
	config, err := q.wire()
	if err != nil || !update {
		return quantizationOf(config), err
	}
	d, err := q.diff()
	if err != nil {
		return nil, err
	}
	switch {
	case d.GetDisabled() != nil:
		return &Quantization{}, nil
	case d.GetProduct() != nil:
		return quantizationOf(qdrant.NewQuantizationProduct(d.GetProduct())), nil
	case d.GetBinary() != nil:
		return quantizationOf(qdrant.NewQuantizationBinary(d.GetBinary())), nil
	}
	return quantizationOf(qdrant.NewQuantizationScalar(d.GetScalar())), nil
}

// StrictRoundTrip sends a strict mode through the wire form.
func StrictRoundTrip(s *StrictMode) *StrictMode { return strictOf(s.wire()) }

// SparseRoundTrip sends sparse vectors through the wire form.
func SparseRoundTrip(vectors map[string]SparseParams) (map[string]SparseParams, error) {
	config, err := sparseConfig(vectors)
	return sparseOf(config), err
}
