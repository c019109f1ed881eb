package api

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// quickQuery is the messages that a query for what is nearest to a vector consists of, and what they point to: all are made at once.
type quickQuery struct {
	query          qdrant.Query
	nearest        qdrant.Query_Nearest
	input          qdrant.VectorInput
	dense          qdrant.VectorInput_Dense
	vector         qdrant.DenseVector
	params         qdrant.SearchParams
	payload        qdrant.WithPayloadSelector
	enable         qdrant.WithPayloadSelector_Enable
	limit, offset  uint64
	ef             uint64
	exact, indexed bool
}

// readQuery reads a query for what is nearest to a dense vector, with no more than a filter, which it has the library read, a limit, an
// offset, the commonest parameters and whether payloads are wanted. It returns false, and has changed nothing, if b is anything else, damaged, or not as encoders write it:
// a field that comes twice, or has another type than it should. r is new.
func readQuery(b []byte, r *qdrant.QueryPoints) bool {
	m := new(quickQuery)
	var name string
	var data []byte
	var filter *qdrant.Filter
	var has fieldSet
	for len(b) > 0 {
		f, rest, ok := nextField(b)
		if !ok || !has.add(f.number) {
			return false
		}
		b = rest
		switch f.tag {
		case 1<<3 | bytesType:
			name, ok = string(f.bytes), utf8.Valid(f.bytes)
		case 3<<3 | bytesType:
			data, ok = nearestOf(f.bytes)
		case 5<<3 | bytesType:
			filter = new(qdrant.Filter)
			ok = readFilter.Unmarshal(f.bytes, filter) == nil
		case 6<<3 | bytesType:
			ok = m.readParams(f.bytes)
		case 8<<3 | varintType:
			m.limit = f.value
		case 9<<3 | varintType:
			m.offset = f.value
		case 11<<3 | bytesType:
			ok = m.readPayload(f.bytes)
		default:
			return false
		}
		if !ok {
			return false
		}
	}
	if !has.has(3) {
		return false
	}
	m.vector.Data = floatsOf(data)
	m.dense.Dense, m.input.Variant, m.nearest.Nearest, m.query.Variant = &m.vector, &m.dense, &m.input, &m.nearest
	r.CollectionName, r.Query, r.Filter = name, &m.query, filter
	r.Params = only(has.has(6), &m.params)
	r.Limit, r.Offset = only(has.has(8), &m.limit), only(has.has(9), &m.offset)
	r.WithPayload = only(has.has(11), &m.payload)
	return true
}

// readFilter reads a message that stands in another, and so one level nearer to where nesting ends.
var readFilter = proto.UnmarshalOptions{RecursionLimit: protowire.DefaultRecursionLimit - 1}

// only returns p if something is there.
func only[T any](is bool, p *T) *T {
	if !is {
		return nil
	}
	return p
}

// nearestOf returns the packed components of the dense vector that a Query is about: three messages, each with one field.
func nearestOf(b []byte) (data []byte, ok bool) {
	for _, want := range [...]uint64{
		1<<3 | bytesType, // nearest of Query
		2<<3 | bytesType, // dense of VectorInput
		1<<3 | bytesType, // data of DenseVector
	} {
		f, rest, ok := nextField(b)
		if !ok || len(rest) > 0 || f.tag != want {
			return nil, false
		}
		b = f.bytes
	}
	return b, len(b)%4 == 0
}

func (m *quickQuery) readParams(b []byte) bool {
	var has fieldSet
	for len(b) > 0 {
		f, rest, ok := nextField(b)
		if !ok || !has.add(f.number) {
			return false
		}
		switch f.tag {
		case 1<<3 | varintType:
			m.ef, m.params.HnswEf = f.value, &m.ef
		case 2<<3 | varintType:
			m.exact, m.params.Exact = protowire.DecodeBool(f.value), &m.exact
		case 4<<3 | varintType:
			m.indexed, m.params.IndexedOnly = protowire.DecodeBool(f.value), &m.indexed
		default:
			return false
		}
		b = rest
	}
	return true
}

func (m *quickQuery) readPayload(b []byte) bool {
	f, rest, ok := nextField(b)
	if !ok || len(rest) > 0 || f.tag != 1<<3|varintType {
		return false
	}
	m.enable.Enable = protowire.DecodeBool(f.value)
	m.payload.SelectorOptions = &m.enable
	return true
}

// floatsOf reads packed floats, four at a time so that the bounds are looked at once for them.
func floatsOf(b []byte) []float32 {
	if len(b) == 0 {
		return nil
	}
	out := make([]float32, len(b)/4)
	rest := out
	for ; len(b) >= 16 && len(rest) >= 4; b, rest = b[16:], rest[4:] {
		rest[0] = floatOf(b)
		rest[1] = floatOf(b[4:])
		rest[2] = floatOf(b[8:])
		rest[3] = floatOf(b[12:])
	}
	for i := range rest {
		rest[i] = floatOf(b[4*i:])
	}
	return out
}

func floatOf(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }

const (
	varintType = uint64(protowire.VarintType)
	bytesType  = uint64(protowire.BytesType)
)

// field is one field of a message as it is written: a number, or bytes.
type field struct {
	tag    uint64
	number uint64
	value  uint64
	bytes  []byte // of the message, not a copy
}

// nextField takes the first field off a message; false if that is damaged, or of another type.
func nextField(b []byte) (f field, rest []byte, ok bool) {
	tag, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return f, nil, false
	}
	f.tag, f.number, b = tag, tag>>3, b[n:]
	switch tag & 7 {
	case varintType:
		f.value, n = protowire.ConsumeVarint(b)
	case bytesType:
		f.bytes, n = protowire.ConsumeBytes(b)
	default:
		return f, nil, false
	}
	if n < 0 {
		return f, nil, false
	}
	return f, b[n:], true
}

// fieldSet is which of the first 63 fields of a message have been met.
type fieldSet uint64

func (s fieldSet) has(number uint64) bool { return s>>number&1 == 1 }

// add returns false for a number that was met before, or is none that is known here.
func (s *fieldSet) add(number uint64) bool {
	if number == 0 || number > 63 || s.has(number) {
		return false
	}
	*s |= 1 << number
	return true
}
