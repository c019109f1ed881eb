package api

import (
	"math"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/encoding/protowire"
)

// Sizes of what an answer to a query consists of.
const (
	scoreBytes = 1 + 4 // with the tag before it
	timeBytes  = 1 + 8
)

// sizeOfHits returns how long the answer to a query is, or false if its points have more than a number, a score and a version. This
// server has made it, so there are no fields that it does not know.
func sizeOfHits(r *qdrant.QueryResponse) (size int, ok bool) {
	for _, p := range r.GetResult() {
		n, ok := sizeOfHit(p)
		if !ok {
			return 0, false
		}
		size += 1 + protowire.SizeBytes(n)
	}
	if math.Float64bits(r.GetTime()) != 0 {
		size += timeBytes
	}
	return size, true
}

func sizeOfHit(p *qdrant.ScoredPoint) (size int, ok bool) {
	number, ok := p.GetId().GetPointIdOptions().(*qdrant.PointId_Num)
	if !ok || number == nil || len(p.Payload) > 0 || p.Vectors != nil || p.ShardKey != nil || p.OrderValue != nil {
		return 0, false
	}
	size = 1 + 1 + sizeOfNumber(number)
	if math.Float32bits(p.Score) != 0 {
		size += scoreBytes
	}
	if p.Version != 0 {
		size += 1 + protowire.SizeVarint(p.Version)
	}
	return size, true
}

// sizeOfNumber is that of a PointId, which is always below 128.
func sizeOfNumber(n *qdrant.PointId_Num) int { return 1 + protowire.SizeVarint(n.Num) }

// appendHits appends the answer to a query that sizeOfHits knows, fields in the order of their numbers.
func appendHits(b []byte, r *qdrant.QueryResponse) []byte {
	for _, p := range r.GetResult() {
		size, _ := sizeOfHit(p)
		b = protowire.AppendVarint(append(b, 1<<3|byte(protowire.BytesType)), uint64(size))
		number := p.Id.PointIdOptions.(*qdrant.PointId_Num)
		b = append(b, 1<<3|byte(protowire.BytesType), byte(sizeOfNumber(number)), 1<<3|byte(protowire.VarintType))
		b = protowire.AppendVarint(b, number.Num)
		if bits := math.Float32bits(p.Score); bits != 0 {
			b = protowire.AppendFixed32(append(b, 3<<3|byte(protowire.Fixed32Type)), bits)
		}
		if p.Version != 0 {
			b = protowire.AppendVarint(append(b, 5<<3|byte(protowire.VarintType)), p.Version)
		}
	}
	if bits := math.Float64bits(r.GetTime()); bits != 0 {
		b = protowire.AppendFixed64(append(b, 2<<3|byte(protowire.Fixed64Type)), bits)
	}
	return b
}
