package shard

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// table is what is kept in memory of every point but its vectors.
type table struct {
	labels map[point.ID]uint32
	rows   []row // by label
	free   []uint32
	large  map[uint32]kv.Refs // of the few points with records in pieces
	bytes  uint64
}

type row struct {
	id           point.ID
	version      uint64
	payloadBytes uint32
	vectorBytes  uint32
}

func newTable() *table {
	return &table{labels: map[point.ID]uint32{}, large: map[uint32]kv.Refs{}}
}

// take returns the label of a point, a new one if it has none.
func (t *table) take(id point.ID) uint32 {
	if l, ok := t.labels[id]; ok {
		return l
	}
	var l uint32
	if n := len(t.free); n > 0 {
		l, t.free = t.free[n-1], t.free[:n-1]
	} else {
		l = uint32(len(t.rows))
		t.rows = append(t.rows, row{})
	}
	t.rows[l] = row{id: id}
	t.labels[id] = l
	return l
}

func (t *table) remove(label uint32) {
	r := &t.rows[label]
	t.bytes -= uint64(r.payloadBytes) + uint64(r.vectorBytes)
	delete(t.labels, r.id)
	delete(t.large, label)
	*r = row{}
	t.free = append(t.free, label)
}

func (t *table) setPayload(label uint32, version uint64, bytes int) {
	r := &t.rows[label]
	t.bytes += uint64(bytes) - uint64(r.payloadBytes)
	r.version, r.payloadBytes = max(r.version, version), uint32(bytes)
}

func (t *table) setVectors(label uint32, version uint64, bytes int) {
	r := &t.rows[label]
	t.bytes += uint64(bytes) - uint64(r.vectorBytes)
	r.version, r.vectorBytes = max(r.version, version), uint32(bytes)
}

func (t *table) setRefs(label uint32, refs kv.Refs) {
	if refs == (kv.Refs{}) {
		delete(t.large, label)
	} else {
		t.large[label] = refs
	}
}

// before orders labels by the ids of their points.
func (t *table) before(a, b uint32) bool { return t.rows[a].id.Compare(t.rows[b].id) < 0 }
