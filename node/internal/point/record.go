package point

import (
	"encoding/binary"
	"math"
)

// EncodePayload encodes a payload that passes Check (it panics on a type that a Payload cannot hold):
//
//	version | object | check
func EncodePayload(p Payload) []byte { return seal(appendObject(open(64), p)) }

// DecodePayload reads what EncodePayload wrote. An empty payload is nil.
func DecodePayload(b []byte) (Payload, error) {
	r, err := unseal("payload", b)
	if err != nil {
		return nil, err
	}
	p := r.payload()
	return p, r.done()
}

// EncodeVectors encodes vectors:
//
//	version | vectors | check
//	vectors  count, then per vector in ascending order of names: name (bytes),
//	         count of components, components (4 bytes each, IEEE 754, little endian)
func EncodeVectors(v Vectors) []byte { return seal(appendVectors(open(vectorsSize(v)), v)) }

// DecodeVectors reads what EncodeVectors wrote. No vectors are nil.
func DecodeVectors(b []byte) (Vectors, error) {
	r, err := unseal("vectors", b)
	if err != nil {
		return nil, err
	}
	v := r.vectors()
	return v, r.done()
}

// EncodeRecord encodes a stored point:
//
//	version | log index (uint) | id (key) | vectors | object | check
func EncodeRecord(rec Record) []byte {
	b := binary.AppendUvarint(open(vectorsSize(rec.Vectors)+96), rec.Version)
	return seal(appendPoint(b, rec.Point))
}

// DecodeRecord reads what EncodeRecord wrote. An empty payload and no vectors are nil.
func DecodeRecord(b []byte) (Record, error) {
	r, err := unseal("record", b)
	if err != nil {
		return Record{}, err
	}
	rec := Record{Version: r.uint()}
	rec.Point = r.point()
	if err := r.done(); err != nil {
		return Record{}, err
	}
	return rec, nil
}

func appendPoint(dst []byte, p Point) []byte {
	return appendObject(appendVectors(p.ID.AppendKey(dst), p.Vectors), p.Payload)
}

func (r *reader) point() Point { return Point{ID: r.id(), Vectors: r.vectors(), Payload: r.payload()} }

func (r *reader) payload() Payload {
	if m := r.object(1); len(m) > 0 {
		return m
	}
	return nil
}

func appendVectors(dst []byte, v Vectors) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(v)))
	for _, name := range sortedKeys(v) {
		dst = appendVector(appendBytes(dst, name), v[name])
	}
	return dst
}

func appendVector(dst []byte, v []float32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(v)))
	for _, x := range v {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
	}
	return dst
}

func (r *reader) vectors() Vectors {
	n := r.count(2)
	if n == 0 {
		return nil
	}
	vs := make(Vectors, min(n, roomAhead))
	name := ""
	for i := range n {
		name = r.key(name, i == 0)
		vs[name] = r.vector()
		if r.err != nil {
			return nil
		}
	}
	return vs
}

func (r *reader) vector() []float32 {
	v := make([]float32, r.count(4))
	b := r.take(4 * len(v))
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// vectorsSize is about what vectors take when encoded.
func vectorsSize(v Vectors) int {
	n := 1
	for name, x := range v {
		n += len(name) + 6 + 4*len(x)
	}
	return n
}
