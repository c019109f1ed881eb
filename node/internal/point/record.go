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
	r, err := unseal("payload", b, formatVersion)
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

// DecodeVectors reads what EncodeVectors wrote, and the dense vectors of what EncodeVectorSet did. No vectors are nil.
func DecodeVectors(b []byte) (Vectors, error) {
	s, err := DecodeVectorSet(b)
	return s.Dense, err
}

// EncodeRecord encodes a stored point:
//
//	version | log index (uint) | id (key) | vectors | sparse (of version 2) | object | check
func EncodeRecord(rec Record) []byte {
	version := versionOf(rec.Point)
	b := binary.AppendUvarint(openAs(version, vectorsSize(rec.Vectors)+sparseSize(rec.Sparse)+96), rec.Version)
	return seal(appendPoint(b, version, rec.Point))
}

// DecodeRecord reads what EncodeRecord wrote. An empty payload and no vectors are nil.
func DecodeRecord(b []byte) (Record, error) {
	r, err := unseal("record", b, versionSparse)
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

func appendPoint(dst []byte, version byte, p Point) []byte {
	return appendObject(appendVectorSet(p.ID.AppendKey(dst), version, p.Vectors, p.Sparse), p.Payload)
}

func (r *reader) point() Point {
	p := r.pointVectors()
	p.Payload = r.payload()
	return p
}

func (r *reader) pointVectors() Point {
	p := Point{ID: r.id()}
	s := r.vectorSet()
	p.Vectors, p.Sparse = s.Dense, s.Sparse
	return p
}

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
