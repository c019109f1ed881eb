package point

import (
	"encoding/binary"
	"fmt"
)

// The kinds of operation on disk and on the wire; numbers are never reused.
const (
	kindUpsert           = 1
	kindDelete           = 2
	kindSetPayload       = 3
	kindOverwritePayload = 4
	kindDeletePayload    = 5
	kindClearPayload     = 6
	kindUpdateVectors    = 7
	kindDeleteVectors    = 8
)

// EncodeOp encodes an operation that passes CheckOp:
//
//	version | kind (1 byte) | body by kind | check
//
//	1 upsert             mode (1 byte), condition (bytes), points
//	2 delete             selector
//	3 set payload        selector, key (bytes), object
//	4 overwrite payload  selector, key (bytes), object
//	5 delete payload     selector, count, keys (bytes each)
//	6 clear payload      selector
//	7 update vectors     condition (bytes), count, then per point: id (key), vectors, sparse (of version 2)
//	8 delete vectors     selector, count, names (bytes each)
//
//	selector  0 (1 byte), filter (bytes)   or   1 (1 byte), count, ids (keys)
//	points    count, then per point: id (key), vectors, sparse (of version 2), object
//
// It panics on an Op that is none of this package's, such as a pointer to one.
func EncodeOp(op Op) []byte {
	switch op := op.(type) {
	case Upsert:
		version := versionOf(op.Points...)
		return seal(appendUpsert(openedAs(version, kindUpsert, pointsSize(op.Points)), version, op))
	case Delete:
		return seal(appendSelector(opened(kindDelete, selectorSize(op.Selector)), op.Selector))
	case SetPayload:
		b := appendSelector(opened(kindSetPayload, selectorSize(op.Selector)), op.Selector)
		return seal(appendObject(appendBytes(b, op.Key), op.Payload))
	case OverwritePayload:
		b := appendSelector(opened(kindOverwritePayload, selectorSize(op.Selector)), op.Selector)
		return seal(appendObject(appendBytes(b, op.Key), op.Payload))
	case DeletePayload:
		b := appendSelector(opened(kindDeletePayload, selectorSize(op.Selector)), op.Selector)
		return seal(appendStrings(b, op.Keys))
	case ClearPayload:
		return seal(appendSelector(opened(kindClearPayload, selectorSize(op.Selector)), op.Selector))
	case UpdateVectors:
		version := versionOf(op.Points...)
		return seal(appendUpdateVectors(openedAs(version, kindUpdateVectors, pointsSize(op.Points)), version, op))
	case DeleteVectors:
		b := appendSelector(opened(kindDeleteVectors, selectorSize(op.Selector)), op.Selector)
		return seal(appendStrings(b, op.Names))
	}
	panic(fmt.Sprintf("point: %T is no operation", op))
}

func opened(kind byte, size int) []byte { return openedAs(formatVersion, kind, size) }

func openedAs(version, kind byte, size int) []byte { return append(openAs(version, 1+size), kind) }

func appendUpsert(dst []byte, version byte, op Upsert) []byte {
	dst = appendBytes(append(dst, byte(op.Mode)), op.Condition)
	dst = binary.AppendUvarint(dst, uint64(len(op.Points)))
	for _, p := range op.Points {
		dst = appendPoint(dst, version, p)
	}
	return dst
}

func appendUpdateVectors(dst []byte, version byte, op UpdateVectors) []byte {
	dst = appendBytes(dst, op.Condition)
	dst = binary.AppendUvarint(dst, uint64(len(op.Points)))
	for _, p := range op.Points {
		dst = appendVectorSet(p.ID.AppendKey(dst), version, p.Vectors, p.Sparse)
	}
	return dst
}

func appendSelector(dst []byte, s Selector) []byte {
	if s.IDs == nil {
		return appendBytes(append(dst, 0), s.Filter)
	}
	dst = binary.AppendUvarint(append(dst, 1), uint64(len(s.IDs)))
	for _, id := range s.IDs {
		dst = id.AppendKey(dst)
	}
	return dst
}

func appendStrings(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendBytes(dst, s)
	}
	return dst
}

func pointsSize(points []Point) int {
	n := 16
	for _, p := range points {
		n += 24 + vectorsSize(p.Vectors) + sparseSize(p.Sparse) + 24*len(p.Payload)
	}
	return n
}

func selectorSize(s Selector) int { return 64 + 17*len(s.IDs) + len(s.Filter) }

// DecodeOp reads what EncodeOp wrote. Empty lists, maps and filters come back as nil, but for a Selector's IDs, where
// nil and empty differ; the points of UpdateVectors come back without payloads.
func DecodeOp(b []byte) (Op, error) {
	r, err := unseal("operation", b, versionSparse)
	if err != nil {
		return nil, err
	}
	op := r.op(r.byte())
	if err := r.done(); err != nil {
		return nil, err
	}
	return op, nil
}

func (r *reader) op(kind byte) Op {
	switch kind {
	case kindUpsert:
		return r.upsert()
	case kindDelete:
		return Delete{r.selector()}
	case kindSetPayload:
		return SetPayload{Selector: r.selector(), Key: r.string(), Payload: r.payload()}
	case kindOverwritePayload:
		return OverwritePayload{Selector: r.selector(), Key: r.string(), Payload: r.payload()}
	case kindDeletePayload:
		return DeletePayload{Selector: r.selector(), Keys: r.strings()}
	case kindClearPayload:
		return ClearPayload{r.selector()}
	case kindUpdateVectors:
		return r.updateVectors()
	case kindDeleteVectors:
		return DeleteVectors{Selector: r.selector(), Names: r.strings()}
	}
	r.fail("unknown kind of operation")
	return nil
}

func (r *reader) upsert() Op {
	mode := UpsertMode(r.byte())
	if mode > UpdateOnly {
		r.fail("unknown upsert mode")
	}
	return Upsert{Mode: mode, Condition: r.optional(), Points: r.points(r.point)}
}

func (r *reader) updateVectors() Op {
	return UpdateVectors{Condition: r.optional(), Points: r.points(r.pointVectors)}
}

// points reads points, each of which takes at least a numeric id and the count of its vectors.
func (r *reader) points(read func() Point) []Point {
	n := r.count(10)
	if n == 0 {
		return nil
	}
	list := make([]Point, 0, n)
	for range n {
		list = append(list, read())
		if r.err != nil {
			return nil
		}
	}
	return list
}

// optional reads bytes into memory of their own; none are nil.
func (r *reader) optional() []byte { return append([]byte(nil), r.bytes()...) }

func (r *reader) selector() Selector {
	switch r.byte() {
	case 0:
		return Selector{Filter: r.optional()}
	case 1:
		ids := make([]ID, r.count(9))
		for i := range ids {
			ids[i] = r.id()
		}
		return Selector{IDs: ids}
	}
	r.fail("unknown kind of selector")
	return Selector{}
}

func (r *reader) strings() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.string()
	}
	return list
}
