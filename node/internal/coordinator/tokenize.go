package coordinator

import (
	"bytes"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// What a text condition means depends on whether its field has a text index. That is settled here, once per request:
// the filter then carries the tokenizer along, and means the same on every replica and at every place in a log,
// whatever becomes of the index meanwhile.

// tokenizedOp settles the filters of an operation.
func tokenizedOp(col *catalog.Collection, op point.Op) point.Op {
	switch o := op.(type) {
	case point.Upsert:
		o.Condition = tokenizedBytes(col, o.Condition)
		return o
	case point.UpdateVectors:
		o.Condition = tokenizedBytes(col, o.Condition)
		return o
	case point.DeleteVectors:
		o.Filter = tokenizedBytes(col, o.Filter)
		return o
	case point.Delete:
		o.Filter = tokenizedBytes(col, o.Filter)
		return o
	case point.SetPayload:
		o.Filter = tokenizedBytes(col, o.Filter)
		return o
	case point.OverwritePayload:
		o.Filter = tokenizedBytes(col, o.Filter)
		return o
	case point.DeletePayload:
		o.Filter = tokenizedBytes(col, o.Filter)
		return o
	case point.ClearPayload:
		o.Filter = tokenizedBytes(col, o.Filter)
		return o
	}
	return op
}

// Settled returns a filter as shards take it, encoded: how texts are cut and which vectors are meant is what the collection says now.
func Settled(col *catalog.Collection, f *filter.Filter) ([]byte, error) {
	f = f.Tokenized(col.Tokenizers)
	if err := checkFilter(f); err != nil {
		return nil, err
	}
	return filter.Encode(innerOf(col).filter(f)), nil
}

// tokenizedBytes settles an encoded filter. One that cannot be decoded stays: the check that follows refuses it.
func tokenizedBytes(col *catalog.Collection, encoded []byte) []byte {
	if !bytes.Contains(encoded, []byte(`"text":`)) {
		return encoded
	}
	f, err := filter.Decode(encoded)
	if err != nil {
		return encoded
	}
	if settled := f.Tokenized(col.Tokenizers); settled != f {
		return filter.Encode(settled)
	}
	return encoded
}
